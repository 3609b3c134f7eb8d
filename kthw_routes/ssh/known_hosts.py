"""The host keys that are trusted: our own known_hosts, and the person's, which is only read.

Our file is appended to, one line at a time and locked, so that any number of writers leave a valid file; lines go from
it only for a host that the person said was rebuilt. The files of others are read tolerantly: a line that cannot be
understood stops nothing.
"""

import base64
import binascii
import errno
import fcntl
import hashlib
import hmac
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from kthw_routes.local_files import read_file, replace_file
from kthw_routes.ssh.config_lines import name_matches

MAX_FILE: Final = 32 * 1024 * 1024
"""Bytes of a known_hosts file."""


class HostKeyMode(StrEnum):
    """What happens with a key that no file holds. A changed or revoked key is refused in every mode."""

    ASK = "ask"  # HostKeyUnknown: the caller asks, adds it and opens again
    ACCEPT_NEW = "accept-new"  # recorded in our file
    STRICT = "strict"  # refused
    OFF = "off"  # taken, and not recorded


class HostKeyStatus(StrEnum):
    """What the files say of a presented key."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One line of a known_hosts file."""

    names: tuple[str, ...]
    """Patterns, or a single hashed name (`|1|salt|hash`)."""
    type: str
    blob: bytes
    file: Path
    revoked: bool = False

    def is_for(self, name: str) -> bool:
        """Whether the line speaks of the host `name` (as `known_as` writes it)."""
        if self.names[0].startswith("|1|"):
            return _hashed_matches(self.names[0], name)
        if any(c in n for n in self.names for c in "*?!"):
            return name_matches(self.names, name)
        return name in self.names


@dataclass(frozen=True, slots=True)
class HostKeyMatch:
    """A verdict, and the line that it rests on (None where it is unknown)."""

    verdict: HostKeyStatus
    line: KnownKey | None = None
    is_new: bool = False
    """Whether the key was added in this run."""


class KnownHosts:
    """The known host keys of one run. Safe to use from many threads."""

    def __init__(self, file: Path | None, also: Sequence[Path] = ()) -> None:
        """Record in `file` (None: nothing beyond this run); `also` are read, never written."""
        self.file = file
        self._also = tuple(also)
        self._lock = threading.Lock()
        self._lines: dict[Path, tuple[KnownKey, ...]] = {}
        self._added: list[KnownKey] = []
        self._forgotten: set[str] = set()

    def types(self, name: str, also: Sequence[Path] | None = None) -> tuple[str, ...]:
        """Return the key types known of a host, so that it is asked for one of them. Raises OSError, as `look_up`."""
        found = [line.type for line in self._of(name, also) if not line.revoked]
        return tuple(dict.fromkeys(found))

    def look_up(self, name: str, key_type: str, blob: bytes, also: Sequence[Path] | None = None) -> HostKeyMatch:
        """Look up what the files say of the key that the host `name` presents.

        `also` replaces the files of others for this one host (an SSH configuration may name its own). A host of
        which only keys of other types are known has changed: it was asked for the known type first.

        Raises OSError: one of the files is not a file (a named pipe, a device), or too large.
        """
        lines = self._of(name, also)
        same = [line for line in lines if line.type == key_type and line.blob == blob]
        if revoked := [line for line in same if line.revoked]:
            return HostKeyMatch(HostKeyStatus.REVOKED, revoked[0])
        if same:
            return HostKeyMatch(HostKeyStatus.KNOWN, same[0], is_new=same[0] in self._added)
        others = sorted((line for line in lines if not line.revoked), key=lambda line: line.type != key_type)
        return HostKeyMatch(HostKeyStatus.CHANGED, others[0]) if others else HostKeyMatch(HostKeyStatus.UNKNOWN)

    def add(self, name: str, key_type: str, blob: bytes) -> HostKeyMatch:
        """Trust this key of the host `name` from now on: append one line to our file, on disk when it returns.

        Returns:
            KNOWN; or CHANGED where another thread or process has recorded another key in the meantime.

        Raises:
            OSError: our file cannot be written.
        """
        line = KnownKey((name,), key_type, blob, self.file or Path(os.devnull))
        with self._lock:
            if self.file is None:
                self._added.append(line)
                return HostKeyMatch(HostKeyStatus.KNOWN, line, is_new=True)
            meantime = _append(self.file, line)
            self._lines[self.file] = meantime
            ours = [k for k in meantime if k.is_for(name)]
            if not any(k.type == key_type and k.blob == blob for k in ours):
                return HostKeyMatch(HostKeyStatus.CHANGED, ours[0])
            self._added.append(line)
            return HostKeyMatch(HostKeyStatus.KNOWN, line, is_new=True)

    def forget(self, name: str) -> None:
        """Forget the keys of a host that was rebuilt: in our file for good, in those of others for this run.

        Raises:
            OSError: our file cannot be written.
        """
        with self._lock:
            self._forgotten.add(name)
            self._added = [line for line in self._added if not line.is_for(name)]
            if self.file is not None and self.file.exists():
                self._lines[self.file] = _without(self.file, name)

    def _of(self, name: str, also: Sequence[Path] | None) -> list[KnownKey]:
        """Return every line of the host, ours first."""
        with self._lock:
            files = [*([self.file] if self.file else []), *(self._also if also is None else also)]
            for file in files:
                if file not in self._lines:
                    self._lines[file] = read_known_hosts(file)
            lines = [x for f in files for x in self._lines[f] if f == self.file or name not in self._forgotten]
            if self.file is None:
                lines = [*self._added, *lines]
        return [line for line in lines if line.is_for(name)]


def fingerprint(blob: bytes) -> str:
    """Return `SHA256:` and the unpadded base64 of the digest, as ssh prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def read_known_hosts(file: Path) -> tuple[KnownKey, ...]:
    """Read the lines of a known_hosts file that make sense; none where there is none to read, as with ssh.

    Raises OSError: it is something else than a file, or too large; the null device is an empty one.
    """
    try:
        if os.path.samefile(file, os.devnull):
            return ()
        text = read_file(file, MAX_FILE).decode("utf-8", "replace")
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EFBIG):
            raise
        return ()
    except ValueError:  # there is a NUL in the name
        return ()
    return tuple(_parse(text, file))


def _parse(text: str, file: Path) -> Iterator[KnownKey]:
    for raw in text.splitlines():
        fields = raw.split()
        if not fields or fields[0].startswith("#"):
            continue
        revoked = fields[0] == "@revoked"
        if fields[0].startswith("@") and not revoked:
            continue  # @cert-authority: host certificates are not supported
        fields = fields[revoked:]
        if len(fields) < 3:
            continue
        try:
            blob = base64.b64decode(fields[2], validate=True)
        except (binascii.Error, ValueError):
            continue
        if blob[4 : 4 + int.from_bytes(blob[:4], "big")] == fields[1].encode():
            yield KnownKey(
                tuple(fields[0].lower().split(",")) if fields[0][0] != "|" else (fields[0],),
                fields[1],
                blob,
                file,
                revoked,
            )


def _hashed_matches(hashed: str, name: str) -> bool:
    """Whether `|1|salt|hash` is the HMAC-SHA1 of the name (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""
    parts = hashed.split("|")
    try:
        salt, digest = base64.b64decode(parts[2]), base64.b64decode(parts[3])
    except (IndexError, binascii.Error, ValueError):
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)


@contextmanager
def _locked(file: Path) -> Iterator[BinaryIO]:
    """Open our file to read and append, while nobody else writes it; made where there is none."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # released when the descriptor closes
            if _is_still(file, handle):
                yield handle
                return


def _is_still(file: Path, handle: BinaryIO) -> bool:
    """Whether no other process has put a new file in the place of the one that was opened."""
    try:
        return os.path.samestat(os.fstat(handle.fileno()), file.stat())
    except FileNotFoundError:
        return False


def _without(file: Path, name: str) -> tuple[KnownKey, ...]:
    """Take the lines of one host out of our file; return what the file then holds."""
    with _locked(file) as handle:
        lines = handle.read().decode("utf-8", "replace").splitlines(keepends=True)
        kept = "".join(x for x in lines if not any(key.is_for(name) for key in _parse(x, file)))
        replace_file(file, kept.encode(), 0o600, keep_mode=True)
    return tuple(_parse(kept, file))


def _append(file: Path, line: KnownKey) -> tuple[KnownKey, ...]:
    """Append `line` unless the file has a line for its host by now; return what the file then holds."""
    with _locked(file) as handle:
        content = handle.read()
        present = tuple(_parse(content.decode("utf-8", "replace"), file))
        if any(k.is_for(line.names[0]) and not k.revoked for k in present):
            return present
        # A file that was cut off in the middle of a line must not swallow ours.
        broken = b"" if not content or content.endswith(b"\n") else b"\n"
        text = f"{line.names[0]} {line.type} {base64.b64encode(line.blob).decode()}\n"
        handle.write(broken + text.encode())
        handle.flush()
        os.fsync(handle.fileno())
    return (*present, line)
