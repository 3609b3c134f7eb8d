"""Nodes from a Linode account. Only this package knows linode_api4."""
