"""The model of a Linux host: its files, users, services and boot."""
