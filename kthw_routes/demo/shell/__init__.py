"""The model of a POSIX shell."""
