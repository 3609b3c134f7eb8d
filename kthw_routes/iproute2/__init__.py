"""The language of `ip`: its commands as values, its output as routes, addresses and links. Pure."""
