"""The tests of kthw-routes."""
