"""What labs of processes that were killed have left behind, found by its name and removed."""

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.nodes import netns
from tests.nodes.cgroups import Cgroup, own_groups

PREFIX: Final = "kthw-routes-test-"
"""With the number of the process after it, the beginning of every name in a lab."""

_LOCK: Final = "kthw-routes-leftovers.lock"


def remove() -> None:
    """Remove what belongs to no running process; labs of others that run are left alone.

    One process at a time does so: each lab that begins calls this, and they begin side by side.
    """
    with (Path(tempfile.gettempdir()) / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove()


def _remove() -> None:
    groups = {path.name for parent in own_groups() for path in _abandoned(parent)}
    for name in groups:
        cgroup = Cgroup.create(name)
        cgroup.freeze(False)
        cgroup.kill()
        cgroup.wait_until_empty()
        cgroup.delete()
    for folder in _abandoned(Path(tempfile.gettempdir())):
        for point in sorted(_mounts_below(folder), reverse=True):
            subprocess.run(["umount", "--lazy", point], check=True)
        shutil.rmtree(folder)
    for space in _abandoned(netns.NETNS):
        netns.delete(space.name)


def all_of(process: int) -> list[Path]:
    """Everything that the labs of a process have on this machine just now."""
    places = [*own_groups(), Path(tempfile.gettempdir()), netns.NETNS]
    return [path for place in places for path in place.glob(f"{PREFIX}{process}-*")]


def _abandoned(parent: Path) -> Iterator[Path]:
    for path in list(parent.glob(f"{PREFIX}*")):
        process = path.name.removeprefix(PREFIX).partition("-")[0]
        if process.isdigit() and not Path("/proc", process).exists():
            yield path


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = (line.split()[4] for line in lines)
    return [point for point in points if Path(point).is_relative_to(folder)]
