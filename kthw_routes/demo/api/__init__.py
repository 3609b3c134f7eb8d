"""The lab's Linode API, over HTTP on loopback."""
