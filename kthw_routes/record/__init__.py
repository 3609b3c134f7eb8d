"""A run's folder: its plan, its journal, its transcript; and the JSON documents."""
