"""What is asked or shown over a step."""
