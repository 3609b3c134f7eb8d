"""What to warn of, in three levels: stop, skip host, notice. Pure."""
