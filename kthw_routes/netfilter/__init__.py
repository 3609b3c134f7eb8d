"""The rules of a host's firewall, whatever made them, and what they do with a packet. Pure."""
