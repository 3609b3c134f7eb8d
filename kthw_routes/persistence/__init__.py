"""Routes that survive a reboot: which manager rules a host's interfaces, and the files of ours that it reads. Pure.

One module per manager says which files hold the routes, what they look like, and whether the host will read them;
`choice` decides between them by what was observed.
"""
