"""The embedded lab: a Linode API and nodes on loopback, whose far end is a model of Linux hosts."""
