"""The wanted routes and names, taken elsewhere: as scripts, as configuration, as a playbook, as a report. Pure.

`desired` says what every format is made from; each format is a module that turns it into documents, and `formats`
knows them all. Nothing here asks anybody for anything.
"""
