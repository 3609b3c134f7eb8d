"""Undo of a run: a plan like any other, made from its record and a fresh reading. Pure."""
