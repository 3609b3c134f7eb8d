"""Routes after a reboot: what manages a host's interfaces, and the files of ours that it reads. Pure.

One module per manager: which files persist the routes, what they look like, and whether the host will read them.
`choice` decides between them by what was read there.
"""
