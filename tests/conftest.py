"""What all tests share."""

import os

from hypothesis import settings

pytest_plugins = ["tests.nodes.plugin"]

# In CI the same examples each time, so that what fails there fails for a change; elsewhere new ones, to find more.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("people", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "people")


def pytest_xdist_auto_num_workers() -> int:
    """Two workers per core: tests with real SSH, real nodes and the wizard wait more than they compute."""
    return 2 * (os.cpu_count() or 1)
