"""Paths that people type: which file is likely meant, and how one goes on that was begun."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from textual.suggester import Suggester

_LIKELY: Final = ("nodes.toml", "inventory", "inventory.*", "machines.txt", "hosts.ini", "hosts.y*ml")
"""What inventories are called."""
_MAX_ENTRIES: Final = 5000
"""Entries of a folder that are read at most."""


def likely_inventory(folder: Path) -> str | None:
    """Find the newest file in `folder` that is named as inventories are."""
    found: list[tuple[float, str]] = []
    try:
        for pattern in _LIKELY:
            files = islice(folder.glob(pattern), _MAX_ENTRIES)
            found += [(f.stat().st_mtime, f.name) for f in files if f.is_file() and f.name.isprintable()]
    except OSError:
        return None
    return max(found)[1] if found else None


FileStamp = tuple[int, int] | None
"""When a file was changed last, and how large it is; None where there is none."""


def stamp_of(path: str) -> FileStamp:
    """Read the stamp of a file, to know later whether it was changed."""
    try:
        status = Path(path).expanduser().stat() if path else None
    except (OSError, ValueError, RuntimeError):
        return None
    return (status.st_mtime_ns, status.st_size) if status else None


class PathSuggester(Suggester):
    """Completes a path by what is there; a folder ends with `/`."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """Complete the path; None where nothing begins so."""
        head, slash, begun = value.rpartition("/")
        if not value or (not slash and value.startswith("~")):
            return None
        try:
            names = sorted(_entries(Path(head + slash or ".").expanduser(), begun))
        except (OSError, ValueError, RuntimeError):  # ValueError: a NUL in it; RuntimeError: no such home
            return None
        return f"{head}{slash}{names[0]}" if names else None


def _entries(folder: Path, begun: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in islice(entries, _MAX_ENTRIES):
            name = entry.name
            if name.startswith(begun) and name.isprintable() and (begun or not name.startswith(".")):
                yield f"{name}/" if entry.is_dir() else name
