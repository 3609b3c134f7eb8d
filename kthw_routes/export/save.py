"""Exported texts on the person's machine: written whole or not at all, and never over a file of somebody else."""

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kthw_routes.errors import UsageError
from kthw_routes.export.document import Document
from kthw_routes.local_files import read_file, replace_file
from kthw_routes.sanitize import clean_line

_OURS: Final = re.compile(rb"\A(?:[^\n]*\n){0,3}[^\n]*\b(?:(?:Made|Written) by|nodes of a cluster, for) kthw-routes\b")
"""What is in one of the first lines of every file of ours; KTHW's machines.txt has no room for it."""
_HEAD: Final = 2000
MAX_OLD: Final = 64 * 1024 * 1024
"""Bytes; no file of ours is larger."""


def write_file(path: Path, document: Document) -> None:
    """Write one text. Raises UsageError where that would destroy a file of somebody else, or cannot be done."""
    _write([(path.expanduser(), document)])


def write_folder(folder: Path, documents: Sequence[Document]) -> None:
    """Write each text at its path below a folder, which is made if need be. Raises UsageError as `write_file`."""
    folder = folder.expanduser()
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"{clean_line(str(folder))} is not a folder.", "This format makes several files: name a folder."
        )
    _write([(folder / document.path, document) for document in documents])


def _write(files: Sequence[tuple[Path, Document]]) -> None:
    try:
        foreign = [path for path, document in files if not _is_free(path, document)]
        if foreign:
            names = ", ".join(clean_line(str(p)) for p in foreign)
            raise UsageError(f"Not written by kthw-routes, so left alone: {names}.", "Choose another place with -o.")
        for path, document in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(Path(os.path.realpath(path)), document.text.encode(), document.mode)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = clean_line((error.strerror if isinstance(error, OSError) else None) or str(error))
        where = clean_line(str(getattr(error, "filename", None) or files[0][0]))
        raise UsageError(
            f"{where} cannot be written: {reason}.", "Choose another place with -o; `-o -` prints."
        ) from None


def _is_free(path: Path, document: Document) -> bool:
    """Whether nothing of somebody else is there."""
    try:
        old = read_file(path, MAX_OLD)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EFBIG):
            return False
        raise
    return _OURS.match(old[:_HEAD]) is not None or old == document.text.encode()
