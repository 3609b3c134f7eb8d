"""What earlier runs left on a host and this one removes: files of a killed run, automatic rollbacks. Pure."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

from kthw_routes.persistence import paths
from kthw_routes.plan.changes.file import FileChange
from kthw_routes.plan.changes.row import FILE, Change, ChangeKind, Detail, Noun, OfFile


@dataclass(frozen=True, slots=True)
class Leftover(OfFile):
    """What a run that was killed left, and nothing reads. There is no undo for it, and no need of one."""

    path: PurePosixPath
    is_folder: bool = False
    """Whether it is a folder that was made for a file of ours; it goes if nothing else is in it."""

    kind: ClassVar = ChangeKind.REMOVE
    reason: ClassVar = "a run that was killed left it"
    details: ClassVar[tuple[Detail, ...]] = ()
    undo_commands: ClassVar[tuple[str, ...]] = ()
    guarded_undo: ClassVar[tuple[str, ...]] = ()
    compared: ClassVar = None
    may_vanish: ClassVar = True
    noun: ClassVar = FILE
    section: ClassVar = "leftovers"

    @property
    def commands(self) -> tuple[str, ...]:
        """`rm` or `rmdir`."""
        return (f"{'rmdir' if self.is_folder else 'rm -f'} {shlex.quote(str(self.path))}",)

    def may_follow(self, reviewed: Mapping[str, Change]) -> bool:
        """Return whether a try that broke off may have left it: a file not yet renamed, or the folder made for one."""
        if self.is_folder:
            return any(isinstance(row, FileChange) and row.path.parent == self.path for row in reviewed.values())
        return self.path == paths.NEW_ETC_HOSTS or paths.is_new_file(self.path)

    @property
    def unmet(self) -> str | None:
        """That it is there; a folder may stay, for something else is in it."""
        return None if self.is_folder else "it is there still."


@dataclass(frozen=True, slots=True)
class RollbackChange:
    """An earlier run's automatic rollback is cancelled: what that run did stays."""

    run: str

    kind: ClassVar = ChangeKind.REMOVE
    short: ClassVar = "automatic rollback"
    reason: ClassVar = "cancelled: what that run did stays (--commit-within)"
    details: ClassVar[tuple[Detail, ...]] = ()
    undo_commands: ClassVar[tuple[str, ...]] = ()
    guarded_undo: ClassVar[tuple[str, ...]] = ()
    compared: ClassVar = None
    may_vanish: ClassVar = True
    unmet: ClassVar = "it is there still."
    noun: ClassVar = Noun("automatic rollback", " cancelled", rank=5)
    section: ClassVar = "switches"

    @property
    def key(self) -> str:
        """What it is, and whose."""
        return f"the automatic rollback of run {self.run}"

    title = key

    @property
    def commands(self) -> tuple[str, ...]:
        """Stop its timer, and remove its script."""
        return (f"systemctl stop {paths.rollback_unit(self.run)}.timer", f"rm -f {paths.rollback_script(self.run)}")

    def may_follow(self, reviewed: Mapping[str, Change]) -> bool:
        """Return whether it was reviewed."""
        return self.key in reviewed
