"""What a modelled file tree is made of: files, directories, links; who visits them, and the errors."""

import errno
import stat as stat_bits
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

REASONS: Final = {
    errno.ENOENT: "No such file or directory",
    errno.EACCES: "Permission denied",
    errno.EPERM: "Operation not permitted",
    errno.EEXIST: "File exists",
    errno.ENOTDIR: "Not a directory",
    errno.EISDIR: "Is a directory",
    errno.EROFS: "Read-only file system",
    errno.ENOSPC: "No space left on device",
    errno.EBUSY: "Device or resource busy",
    errno.ELOOP: "Too many levels of symbolic links",
    errno.ENOTEMPTY: "Directory not empty",
    errno.EINVAL: "Invalid argument",
}


class FileError(Exception):
    """A file operation was refused. `reason` is what coreutils print after the colon."""

    def __init__(self, number: int) -> None:
        self.errno = number
        self.reason = REASONS.get(number, f"error {number}")
        super().__init__(self.reason)


@dataclass(frozen=True, slots=True)
class User:
    """An account."""

    name: str
    uid: int
    gid: int
    home: str

    @property
    def is_root(self) -> bool:
        """Whether the account may do anything."""
        return self.uid == 0


ROOT: Final = User("root", 0, 0, "/root")


class Visitor(Protocol):
    """Who touches a file, and from where: a process."""

    @property
    def user(self) -> User:
        """The account."""

    @property
    def cwd(self) -> str:
        """The directory that relative paths start from."""


@dataclass(frozen=True, slots=True)
class PlainVisitor:
    """An account that visits from `/`."""

    user: User
    cwd: str = "/"


AS_ROOT: Final = PlainVisitor(ROOT)


@dataclass(slots=True)
class Node:
    """A file, a directory, a symbolic link, or a character device such as /dev/null."""

    type: str = "file"
    """`file`, `directory`, `link` or `device`."""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    data: bytes = b""
    target: str = ""
    inode: int = 0
    mtime: float = 0.0
    version: int = 0
    """Counts the writes; two of them may fall into one moment."""
    immutable: bool = False
    """`chattr +i`: nobody may change or replace it."""
    mounted: bool = False
    """Something is bind-mounted here: it cannot be renamed over or removed."""
    children: dict[str, "Node"] = field(default_factory=dict)
    source: Callable[[Visitor], bytes] | None = None
    """Makes the content when it is read (files of /proc)."""
    sink: Callable[[bytes], None] | None = None
    """Takes what is written (files of /proc/sys)."""

    @property
    def full_mode(self) -> int:
        """The mode with the type's bits, as stat(2) gives it."""
        return _KIND_BITS[self.type] | self.mode


_KIND_BITS: Final = {
    "file": stat_bits.S_IFREG,
    "directory": stat_bits.S_IFDIR,
    "link": stat_bits.S_IFLNK,
    "device": stat_bits.S_IFCHR,
}
