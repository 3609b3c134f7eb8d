"""A lab leaves nothing behind, not even when its process is killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nodes import leftovers
from tests.nodes.lab import NodeLab
from tests.nodes.plugin import image

pytestmark = pytest.mark.nodes


def test_nothing_is_left(booted_lab: NodeLab) -> None:
    """No process, mount, namespace, control group or file of a lab outlives it, the person's pods included."""
    found = image()
    assert found is not None
    before = set(leftovers.all_of(os.getpid()))
    with NodeLab(found, ["worker-7"]) as other:
        assert other.ssh("worker-7", "hostname").stdout == "worker-7\n"
        other.node("worker-7").add_pod()
        made = set(leftovers.all_of(os.getpid())) - before
        assert len(made) >= 3
    assert set(leftovers.all_of(os.getpid())) == before
    assert other.name not in Path("/proc/self/mountinfo").read_text()
    assert not _processes_of(other.name)


def test_leftovers_of_a_killed_run_are_removed(booted_lab: NodeLab, tmp_path: Path) -> None:
    """The next lab cleans up after a process that was killed."""
    found = image()
    assert found is not None
    script = f"""
import os, signal
from pathlib import Path
from tests.nodes import leftovers
from tests.nodes.lab import NodeLab
with NodeLab(Path({str(found)!r}), ["worker-8"]) as lab:
    print(os.getpid(), len(leftovers.all_of(os.getpid())), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    process, things = map(int, killed.stdout.split())
    assert things >= 3
    leftovers.remove()  # or another test's lab, which begins just now
    assert leftovers.all_of(process) == []
    name = f"{leftovers.PREFIX}{process}-"
    assert name not in Path("/proc/self/mountinfo").read_text()
    assert not _processes_of(name)
    assert booted_lab.ssh("worker-0", "hostname").stdout == "worker-0\n"


def _processes_of(name: str) -> list[str]:
    """The command lines that name a lab."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended meanwhile
            continue
        if name in line:
            lines.append(line)
    return lines
