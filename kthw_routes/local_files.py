"""Files on the person's machine: read only where they are files, replaced whole or not at all."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from platformdirs.unix import Unix

from kthw_routes.errors import RecordError

_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe (FIFO)"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_file(path: Path, max_bytes: int) -> bytes:
    """Read a regular file whole, without ever waiting for one that is none: a FIFO is refused, not opened for a writer.

    Args:
        path: of the file; symbolic links are followed.
        max_bytes: the largest size that is read.

    Raises:
        OSError: it cannot be read, is not a regular file, or is larger (EFBIG); `strerror` says which.
        ValueError: there is a NUL in the name.
    """
    content = read_start(path, max_bytes + 1)
    if len(content) > max_bytes:
        raise _too_large(path, max_bytes)
    return content


def read_start(path: Path, max_bytes: int) -> bytes:
    """Read the first bytes of a regular file, as `read_file` would; a longer file is not an error."""
    with _open_regular(path) as file:
        content = file.read(max_bytes)
    if content is None:  # such as /proc/kmsg, which one would have to wait for
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))
    return content


def read_lines(path: Path, max_bytes: int) -> Iterator[bytes]:
    """Yield the lines of a regular file one by one, each with its newline; see `read_file`."""
    rest = max_bytes
    with _open_regular(path) as file:
        while line := file.readline(rest + 1):
            rest -= len(line)
            if rest < 0:
                raise _too_large(path, max_bytes)
            yield line


@contextmanager
def _open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read it, without waiting for one that is none. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "of an unknown kind")
            raise OSError(errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL, f"it is {kind}, not a file", str(path))
        with os.fdopen(handle, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(handle)


def _too_large(path: Path, max_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"it is larger than {max_bytes // 1024} KiB", str(path))


def replace_file(target: Path, content: bytes, mode: int = 0o644, *, keep_mode: bool = False) -> None:
    """Put `content` in the place of a file.

    Args:
        target: the file itself, no symbolic link; it need not be there.
        content: the whole file.
        mode: its permission bits, less the umask.
        keep_mode: whether a file that is there keeps its own bits.

    Raises:
        OSError: it cannot be written; the old file stays as it was, and nothing is left of the new one.
        ValueError: there is a NUL in the name.
    """
    new = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            if keep_mode:
                with suppress(FileNotFoundError):
                    os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, target)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


_PRIVATE_FOLDER: Final = 0o700


def state_folder() -> Path:
    """Return `$XDG_STATE_HOME/kthw-routes`, by default `~/.local/state/kthw-routes`, on macOS too."""

    return Unix("kthw-routes").user_state_path


def make_private(folder: Path) -> Path:
    """Make `folder` with mode 0700 where it is missing, and return it. Raises RecordError."""
    try:
        folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        folder.chmod(_PRIVATE_FOLDER)
    except OSError as error:
        raise RecordError(f"The folder {folder} cannot be made: {error.strerror}.", "Set XDG_STATE_HOME.") from error
    return folder
