"""Files on a host as the plan sees them: what stands there, what should, and the way back. Pure values."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.changes import ChangeKind

MAX_FILE: Final = 64 * 1024 * 1024
"""Bytes of a file that is read whole, to be written back changed; a larger one is left alone."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a run that was killed left lying about, and nothing reads."""

    path: PurePosixPath
    is_folder: bool = False
    """Whether it is a folder that was made for a file of ours; it goes if nothing else is in it."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """What becomes of one file on one host."""

    kind: ChangeKind
    path: PurePosixPath
    before: bytes | None
    """The file as it is; None where there is none."""
    after: bytes | None
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

    @property
    def inverse(self) -> "FileChange":
        """The change that takes this one back."""
        kind = {ChangeKind.ADD: ChangeKind.REMOVE, ChangeKind.REMOVE: ChangeKind.ADD}.get(self.kind, self.kind)
        return FileChange(
            kind,
            self.path,
            self.after,
            self.before,
            self.before_mode if self.before_mode is not None else self.mode,
            f"as before: {self.reason}",
            None if self.after is None else self.mode,
            self.is_ours,
            self.folder_is_ours,
            self.was_enabled,
            self.is_enabled,
        )
