"""What all tests share."""

import gc
import os

import pytest
from hypothesis import settings

pytest_plugins = ["tests.nodes.plugin"]

# In CI the same examples each time, so that what fails there fails for a change; elsewhere new ones, to find more.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("people", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "people")


def pytest_xdist_auto_num_workers() -> int:
    """Three workers per core: tests with real SSH, real nodes and the wizard wait, and two left a third of it idle."""
    return 3 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs only where its marker is asked for."""
    if "fifty_kills" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("fifty_kills") is not None]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """Spare the collector of garbage what lives to the end: the libraries, and thousands of tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
