"""What the proof rests on, and what it says. Pure."""
