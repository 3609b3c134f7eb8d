"""What tests of SSH share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model.ssh_hosts import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """See Bench."""
    bench = Bench(tmp_path)
    yield bench
    bench.close()
