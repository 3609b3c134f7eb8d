"""What a test changed in a node's files, found in the layer above the image, and taken back."""

import fcntl
import os
import shutil
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.nodes.container import Container

IGNORED: Final = (
    "var/log",
    "var/tmp",
    "var/cache",
    "var/lib/systemd",
    "var/lib/NetworkManager",
    "tmp",
    "run",
    "etc/.pwd.lock",
)
"""What a running machine writes by itself."""
_BIG: Final = 2**20
_FS_IOC_GETFLAGS: Final = 0x80086601
_FS_IOC_SETFLAGS: Final = 0x40086602
_PROTECTION: Final = "trusted.overlay.protattr"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or symbolic link, with all that a test may ask about."""

    mode: int
    owner: tuple[int, int]
    content: bytes = b""
    """Of a file, or where a link points to. Of a file over 1 MiB: its size and time only."""
    attributes: tuple[tuple[str, bytes], ...] = ()
    """Extended attributes: ACLs, those of users, and the `chattr` flags as overlayfs keeps them."""


Files = dict[str, Entry]
"""By path relative to the root."""


def read(container: Container) -> Files:
    """All that differs from the image, but for what a machine writes by itself."""
    found: Files = {}
    for folder, names, files in os.walk(container.upper):
        for name in [*names, *files]:
            path = Path(folder, name)
            key = str(path.relative_to(container.upper))
            if key in IGNORED:
                names[:] = [other for other in names if other != name]
            else:
                with suppress(FileNotFoundError):  # gone meanwhile
                    found[key] = _entry(path)
    return found


def changed(container: Container, before: Files) -> list[str]:
    """The paths that differ from how they were, parents first."""
    now = read(container)
    paths = sorted(now.keys() | before.keys())
    return [path for path in paths if _effective(container, now, path) != _effective(container, before, path)]


def restore(container: Container, before: Files) -> list[str]:
    """Make all files what they were, from outside: nothing is mounted over them any more. Returns what differed."""
    paths = changed(container, before)
    for path in reversed(paths):
        wanted = _effective(container, before, path)
        place = container.root / path
        if os.path.lexists(place):
            if not place.is_symlink():
                _unprotect(place)
            if place.is_symlink() or not place.is_dir():
                place.unlink()
            elif wanted is None or not stat.S_ISDIR(wanted.mode):
                shutil.rmtree(place)
    for path in paths:
        wanted = _effective(container, before, path)
        if wanted is not None:
            _write(container.root / path, wanted)
    return paths


def _effective(container: Container, files: Files, path: str) -> Entry | None:
    """What stands at the path: from the upper layer, else from the image; None for nothing."""
    if path in files:
        entry = files[path]
        return None if stat.S_ISCHR(entry.mode) else entry  # overlayfs notes a deletion as a device 0/0
    below = container.image / path
    return _entry(below) if os.path.lexists(below) else None


def _entry(path: Path) -> Entry:
    status = path.lstat()
    content = b""
    if stat.S_ISLNK(status.st_mode):
        content = os.fsencode(os.readlink(path))
    elif stat.S_ISREG(status.st_mode):
        big = status.st_size > _BIG
        content = f"{status.st_size} {status.st_mtime_ns}".encode() if big else path.read_bytes()
    names = sorted(name for name in os.listxattr(path, follow_symlinks=False) if _counts(name))
    attributes = tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
    return Entry(status.st_mode, (status.st_uid, status.st_gid), content, attributes)


def _counts(attribute: str) -> bool:
    return not attribute.startswith("trusted.overlay.") or attribute == _PROTECTION


def _write(path: Path, entry: Entry) -> None:
    if stat.S_ISLNK(entry.mode):
        os.symlink(entry.content, os.fsencode(path))
    elif stat.S_ISDIR(entry.mode):
        path.mkdir(exist_ok=True)
    else:
        path.write_bytes(entry.content)
    os.chown(path, *entry.owner, follow_symlinks=False)
    if not stat.S_ISLNK(entry.mode):
        path.chmod(stat.S_IMODE(entry.mode))
        for name in os.listxattr(path):
            if _counts(name) and name != _PROTECTION:
                os.removexattr(path, name)
        for name, value in entry.attributes:
            os.setxattr(path, name, value)


def _unprotect(path: Path) -> None:
    """Take back `chattr +i` and `+a`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        flags = struct.unpack("l", fcntl.ioctl(descriptor, _FS_IOC_GETFLAGS, struct.pack("l", 0)))[0]
        if flags & 0x30:
            fcntl.ioctl(descriptor, _FS_IOC_SETFLAGS, struct.pack("l", flags & ~0x30))
    finally:
        os.close(descriptor)
