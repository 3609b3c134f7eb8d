"""The `ip` of iproute2 6.1: its words, its errors, its two ways of printing."""
