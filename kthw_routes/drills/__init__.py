"""Drills: one fault in a working cluster of the embedded lab, for a learner to find, to name and to repair."""
