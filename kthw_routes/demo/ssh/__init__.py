"""The lab's SSH server, on loopback."""
