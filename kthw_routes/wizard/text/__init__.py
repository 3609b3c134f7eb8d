"""The sentences and rows of the wizard's screens. Pure: no widget."""
