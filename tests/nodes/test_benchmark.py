"""The benchmark on two hosts: it measures, and leaves nothing behind, whether it came to its end or not."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.network import limits
from tests.journeys.looking import comes_true
from tests.model.linux import unavailable
from tests.nodes import leftovers

pytestmark = pytest.mark.kernel


def begin(*arguments: str) -> subprocess.Popen[str]:
    """Start it on two hosts."""
    reason = unavailable() or (None if shutil.which("sshd", path="/usr/sbin") else "needs sshd")
    if reason:
        pytest.skip(reason)
    command = [sys.executable, "-m", "tests.benchmark", "--hosts", "2", "--rounds", "1", *arguments]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)


def test_it_measures_and_removes_its_hosts() -> None:
    before = limits()
    process = begin("--only", "loop", "--only", "check")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert "2 hosts, 2 routes, median of 1" in output
    rows = [line.strip("│ ").split() for line in output.splitlines() if line.startswith("│ ")]
    assert [row[0] for row in rows] == ["loop", "check"]
    assert all(float(row[2]) > 0 for row in rows)
    assert leftovers.all_of(process.pid) == []
    assert limits() == before


def test_an_interrupted_one_removes_them_too() -> None:
    before = limits()
    process = begin("--only", "loop")
    comes_true(lambda: bool(list(leftovers.all_of(process.pid))), 30)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert leftovers.all_of(process.pid) == []
    assert limits() == before
