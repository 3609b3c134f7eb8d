"""What should be on each host, compared with what was read there. Pure."""
