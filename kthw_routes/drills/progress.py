"""What was practised so far: a text file with a line per drill that was solved, for people and for this program."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from kthw_routes.errors import RecordError
from kthw_routes.local_files import make_private, read_start, replace_file

_MAX_BYTES: Final = 256 * 1024
_LINE: Final = re.compile(
    r"(?P<when>\d{4}-\d\d-\d\d \d\d:\d\d)  (?P<name>[a-z0-9-]+)  hints (?P<hints>\d+)  wrong answers (?P<wrong>\d+)"
    r"(?P<shown>  solution shown)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """One drill that was solved, or whose solution was shown."""

    name: str
    when: str
    """The local date and time, `2026-11-28 14:05`."""
    hints: int
    """How many were asked for."""
    wrong: int
    """How many answers were wrong."""
    is_shown: bool
    """Whether the solution was asked for."""

    @property
    def line(self) -> str:
        """As it is in the file."""
        shown = "  solution shown" if self.is_shown else ""
        return f"{self.when}  {self.name}  hints {self.hints}  wrong answers {self.wrong}{shown}"

    @property
    def words(self) -> str:
        """In a list of drills: `solved 2026-11-28, 1 hint`."""
        if self.is_shown:
            return f"solution shown {self.when[:10]}"
        hints = {0: "no hint", 1: "1 hint"}.get(self.hints, f"{self.hints} hints")
        return f"solved {self.when[:10]}, {hints}"


class Progress:
    """The file. What in it is not understood is left as it is, and not counted."""

    def __init__(self, state: Path) -> None:
        """`state`: the state folder."""
        self.path: Final = state / "drills.txt"

    def read(self) -> Mapping[str, Solved]:
        """Return the last entry of each drill; one that was solved counts more than one whose solution was shown."""
        found: dict[str, Solved] = {}
        for line in self._text().splitlines():
            if (match := _LINE.fullmatch(line)) is None:
                continue
            entry = Solved(
                name=match["name"],
                when=match["when"],
                hints=int(match["hints"]),
                wrong=int(match["wrong"]),
                is_shown=match["shown"] is not None,
            )
            if not entry.is_shown or found.get(entry.name, entry).is_shown:
                found[entry.name] = entry
        return found

    @property
    def solved(self) -> frozenset[str]:
        """The names of the drills that were solved without their solution."""
        return frozenset(name for name, entry in self.read().items() if not entry.is_shown)

    def add(self, name: str, *, hints: int, wrong: int, is_shown: bool) -> Solved:
        """Note a drill that was solved now. Raises RecordError."""
        when = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
        entry = Solved(name=name, when=when, hints=hints, wrong=wrong, is_shown=is_shown)
        make_private(self.path.parent)
        try:
            replace_file(self.path, f"{self._text()}{entry.line}\n".encode(), 0o600)
        except OSError as error:
            raise RecordError(f"{self.path} cannot be written: {error.strerror}.") from error
        return entry

    def reset(self) -> bool:
        """Forget everything; returns whether there was anything. Raises RecordError."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise RecordError(f"{self.path} cannot be removed: {error.strerror}.") from error
        return True

    def _text(self) -> str:
        with suppress(OSError):
            text = read_start(self.path, _MAX_BYTES).decode("utf-8", "replace")
            return text if not text or text.endswith("\n") else f"{text}\n"
        return ""
