"""A file on the person's machine, replaced whole or not at all."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path


def replace_file(target: Path, content: bytes, mode: int = 0o644, *, keep_mode: bool = False) -> None:
    """Put `content` in the place of a file.

    Args:
        target: the file itself, no symbolic link; it need not be there.
        content: the whole file.
        mode: its permission bits, less the umask.
        keep_mode: whether a file that is there keeps its own bits.

    Raises:
        OSError: it cannot be written; the old file stands as it was, and nothing is left of the new one.
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
