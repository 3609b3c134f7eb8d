"""A control group for each container: systemd in one must not take another's processes for its own."""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cgroup:
    """The same group in every hierarchy that systemd uses on this machine."""

    folders: tuple[Path, ...]

    @classmethod
    def create(cls, name: str) -> "Cgroup":
        """Make the group below the one of this process: in cgroup v2, and in v1's `name=systemd` where there is one."""
        folders = tuple(parent / name for parent in own_groups())
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        return cls(folders)

    def starting(self, argv: list[str]) -> list[str]:
        """The command that runs `argv` inside the group."""
        moves = "".join(f"echo $$ > '{folder}/cgroup.procs' && " for folder in self.folders)
        return ["sh", "-c", f'{moves}exec "$@"', "sh", *argv]

    def freeze(self, frozen: bool) -> None:
        """Stop, or continue, every process of the group, as a machine that hangs."""
        for folder in self.folders:
            if (folder / "cgroup.freeze").exists():
                (folder / "cgroup.freeze").write_text("1" if frozen else "0")

    def kill(self) -> None:
        """End every process of the group at once."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_until_empty(self, patience: float = 5.0) -> None:
        """Wait for the end of processes that were killed."""
        end = time.monotonic() + patience
        while (processes := self.processes()) and time.monotonic() < end:
            for pid in processes:
                with suppress(ProcessLookupError):
                    handle = os.pidfd_open(pid)
                    try:
                        select.select([handle], [], [], max(0.0, end - time.monotonic()))
                    finally:
                        os.close(handle)

    def processes(self) -> set[int]:
        """The processes in the group and in the groups below it."""
        found: set[int] = set()
        for folder in self.folders:
            for procs in folder.rglob("cgroup.procs"):
                with suppress(OSError):  # a group that is going away just now
                    found.update(int(line) for line in procs.read_text().split())
        return found - {0}

    def delete(self) -> None:
        """Remove the group and those below it. All its processes have ended."""
        for folder in self.folders:
            below = [path for path in folder.rglob("*") if path.is_dir()]
            for group in [*sorted(below, key=lambda path: -len(path.parts)), folder]:
                with suppress(FileNotFoundError):
                    group.rmdir()


def own_groups() -> Iterator[Path]:
    """The folder of this process's group, in each hierarchy that matters to systemd."""
    own = dict(_own_paths())
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4])
        kind, _, options = after.split()
        if kind == "cgroup2":
            hierarchy = ""
        elif kind == "cgroup" and "name=systemd" in options.split(","):
            hierarchy = "name=systemd"
        else:
            continue
        group = point / own.get(hierarchy, "/").lstrip("/")
        yield group if group.is_dir() else point


def _own_paths() -> Iterator[tuple[str, str]]:
    """(hierarchy, path) of each group that this process is in; cgroup v2 is named ''."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, hierarchy, path = line.split(":", 2)
        yield hierarchy, path
