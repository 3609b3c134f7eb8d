"""Tests of pure code, and of what surrounds it."""
