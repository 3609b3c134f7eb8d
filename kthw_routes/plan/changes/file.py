"""Changes of files, and what reads these files: netplan, systemd with our timer. Pure."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar, Final

from kthw_routes.persistence import netplan, unit
from kthw_routes.persistence.paths import new_file_for
from kthw_routes.plan import shell
from kthw_routes.plan.changes.row import FILE, Change, ChangeKind, Detail, OfFile
from kthw_routes.sanitize import text_lines

MAX_FILE: Final = 64 * 1024 * 1024
"""Bytes of a file that is read whole, to be written back changed; a larger one is left alone."""

_REMOVE_IF_EMPTY: Final = "rmdir --ignore-fail-on-non-empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange(OfFile):
    """What becomes of one file on one host."""

    kind: ChangeKind
    path: PurePosixPath
    before: bytes | None = None
    """The file as it is; None where there is none."""
    after: bytes | None = None
    """The file as it should be; None where it goes."""
    mode: int
    """The permission bits that it should have, such as 0o600."""
    reason: str
    before_mode: int | None = None
    """The permission bits that it has; None where there is none."""
    is_ours: bool = True
    """Whether the file is one of ours. Another's (cloud-init's template) keeps its owner, mode and attributes."""
    folder_is_ours: bool = False
    """Whether its folder goes with it, if that is empty then: the folder was made for it."""
    is_enabled: bool = True
    """Of our timer: whether systemd should start it at boot."""
    was_enabled: bool = True
    """Of our timer: whether systemd starts it at boot."""

    is_unread: bool = False
    """Whether it could not be read: what is there is not known, and left as it is."""

    noun: ClassVar = FILE
    section: ClassVar = "files"
    unmet: ClassVar = "the file as read back is another."

    @property
    def undone(self) -> "FileChange":
        """The change that undoes this one."""
        kind = {ChangeKind.ADD: ChangeKind.REMOVE, ChangeKind.REMOVE: ChangeKind.ADD}.get(self.kind, self.kind)
        return FileChange(
            kind=kind,
            path=self.path,
            before=self.after,
            after=self.before,
            mode=self.before_mode if self.before_mode is not None else self.mode,
            reason=f"as before: {self.reason}",
            before_mode=None if self.after is None else self.mode,
            is_ours=self.is_ours,
            folder_is_ours=self.folder_is_ours,
            is_enabled=self.was_enabled,
            was_enabled=self.is_enabled,
        )

    @property
    def details(self) -> tuple[Detail, ...]:
        """The lines of the file as it will be."""
        return tuple(Detail(f"| {line}") for line in text_lines(self.after or b""))

    @property
    def commands(self) -> tuple[str, ...]:
        """Write or remove the file. The mode comes first: nobody is to read for a moment what they may not later."""
        path, folder = shlex.quote(str(self.path)), shlex.quote(str(self.path.parent))
        if self.after is None:
            return (f"rm -f {path}", *((f"{_REMOVE_IF_EMPTY} {folder}",) if self.folder_is_ours else ()))
        content = shell.write_file(self.path, self.after)
        if self.before is None:
            made = (f"mkdir -p -m 755 {folder}",) if self.folder_is_ours else ()
            return (*made, f"install -m {self.mode:04o} /dev/null {path}", *content)
        return content if self.mode == self.before_mode else (f"chmod {self.mode:04o} {path}", *content)

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """Write the file as it was, or remove it."""
        return self.undone.commands

    @property
    def guarded_undo(self) -> tuple[str, ...]:
        """Write or remove the file while it is as the run left it."""
        lines = shell.guarded_replace(
            self.path,
            new_file_for(self.path),
            now=self.after,
            then=self.before,
            mode=self.undone.mode if self.is_ours else None,
        )
        folder_goes = self.before is None and self.folder_is_ours
        return (*lines[:-1], f"rmdir {shlex.quote(str(self.path.parent))}", lines[-1]) if folder_goes else lines

    @property
    def compared(self) -> object:
        """The content before and after."""
        return self.before, self.after

    def may_follow(self, reviewed: Mapping[str, Change]) -> bool:
        """Return whether the file is as it was, or as it was to be, with the mode of one of the two.

        Our timer was stopped for the first try, so that it may have to be started though its file was right.
        """
        before = reviewed.get(self.key)
        if not isinstance(before, FileChange) or self.before not in (before.before, before.after):
            return False
        if self.before is not None and self.before_mode not in (before.before_mode, before.mode):
            return False
        is_stopped = self.path == unit.TIMER and self.compared == before.compared
        return before.kind.is_change or not self.kind.is_change or is_stopped

    @property
    def may_vanish(self) -> bool:
        """Whether the file goes."""
        return self.kind is ChangeKind.REMOVE


def unread_file(path: PurePosixPath, *, is_ours: bool = True) -> FileChange:
    """Return the row of a file that could not be read."""
    why = "could not be read; left as it is"
    return FileChange(kind=ChangeKind.FOREIGN, path=path, mode=0, reason=why, is_ours=is_ours, is_unread=True)


def ordered(files: Sequence[FileChange]) -> tuple[list[FileChange], list[FileChange]]:
    """Return the files to write, and then those to remove, each in its order."""
    due = sorted((f for f in files if f.kind.is_change), key=_place)
    return [f for f in due if f.after is not None], [f for f in reversed(due) if f.after is None]


def _place(change: FileChange) -> tuple[int, str]:
    """Return what sorts the files of the unit in their order, after all others."""
    if change.path in unit.ALL_PATHS:
        return 1 + unit.ALL_PATHS.index(change.path), ""
    return 0, str(change.path)


def timer_of(files: Sequence[FileChange]) -> FileChange | None:
    """Return the row of our timer."""
    return next((f for f in files if f.path == unit.TIMER), None)


def timer_must_pause(files: Sequence[FileChange]) -> bool:
    """Return whether our timer is there, and would put the old routes back while they change."""
    changing = [f for f in files if f.kind.is_change and f.path in unit.ALL_PATHS]
    timer = timer_of(files)
    return any(f.before is not None for f in (changing if timer is None else [timer] if changing else []))


def pause_commands(files: Sequence[FileChange]) -> Iterator[str]:
    """Yield what stops our timer while routes and files change; disabled while its files are there, if it goes."""
    if not timer_must_pause(files):
        return
    yield f"systemctl stop {unit.TIMER.name} {unit.SERVICE.name}"
    timer = timer_of(files)
    if timer is not None and (timer.after is None or not timer.is_enabled):
        yield f"systemctl disable {unit.TIMER.name}"


def file_commands(files: Sequence[FileChange]) -> Iterator[str]:
    """Yield the commands that change the files, and what makes their readers read them again.

    Nothing is removed before all is written, and read.
    """
    for group in ordered(files):
        yield from (command for change in group for command in change.commands)
        yield from reader_commands(group, files)


def reader_commands(changed: Sequence[FileChange], files: Sequence[FileChange]) -> Iterator[str]:
    """Yield what lets netplan and systemd read changed files, and our timer go on; no network goes down for it."""
    if any(f.path == netplan.PATH for f in changed):
        yield "netplan generate"
    if not any(f.path in unit.ALL_PATHS for f in changed):
        return
    yield "systemctl daemon-reload"
    start, timer = f"systemctl enable --now {unit.TIMER.name}", timer_of(files)
    if timer is None:
        yield f"systemctl is-enabled {unit.TIMER.name} && {start}"
    elif timer.after is not None and timer.is_enabled:
        yield start
