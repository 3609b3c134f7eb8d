"""What is wrong in a file: every problem of it at once, each with its line, its column and what was expected."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from kthw_routes.errors import InvalidInput, UsageError
from kthw_routes.sanitize import clean_line
from kthw_routes.sources.inventory.values import read_value

T = TypeVar("T")

_MAX_SHOWN: Final = 200
"""Problems that an error lists; a file with more is not an inventory."""
_WIDEST: Final = 100
"""Characters of an offending line that are shown."""
_SECRET: Final = re.compile(r"pass|secret|token|vault", re.IGNORECASE)
_QUOTED: Final = re.compile(r'".*"')
_PRINTABLE: Final = re.compile(r"[ -~]*", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file: line and column, both counted from 1, columns in characters."""

    line: int
    column: int


BEGINNING: Final = Place(1, 1)


@dataclass(frozen=True, slots=True)
class Stated(Generic[T]):
    """A value, and where the file states it."""

    value: T
    place: Place
    key: str
    """What the file calls it, such as `internal_ip`."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong. All text is free of control bytes, on one line."""

    line: int
    column: int
    sentence: str
    """What is wrong, and what was expected."""
    shown: str = field(default="", compare=False)
    """The offending line; empty where it may hold a secret, or there is none."""
    caret: int | None = field(default=None, compare=False)
    """How many characters of `shown` come before the place; None where that is not known."""


class InventoryError(UsageError):
    """A file that cannot be used as an inventory; nothing was contacted because of it.

    Attributes:
        problems: in the order of the file; empty where it is the file as a whole (missing, not text, of no known kind).
    """

    def __init__(self, sentence: str, hint: str = "", *, name: str = "", problems: Sequence[Problem] = ()) -> None:
        self.name = name
        self.problems = tuple(problems)
        super().__init__(sentence, hint or "\n".join(self.lines()))

    @classmethod
    def of(cls, name: str, kind: str, problems: Sequence[Problem]) -> "InventoryError":
        """Make the error for these problems of the file `name`, which was read as a `kind`."""
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        sentence = f"{name}, read as {kind}, has {count}; nothing was contacted."
        return cls(sentence, name=name, problems=sorted(problems))

    def lines(self) -> tuple[str, ...]:
        """List the problems for people: `nodes.toml:12:8: …` each, the offending line and a caret below it."""
        found: list[str] = []
        for problem in self.problems[:_MAX_SHOWN]:
            found.append(f"{self.name}:{problem.line}:{problem.column}: {problem.sentence}")
            if problem.shown:
                found.append(f"    {problem.shown}")
            if problem.shown and problem.caret is not None:
                found.append(f"    {' ' * problem.caret}^")
        if len(self.problems) > _MAX_SHOWN:
            found.append(f"… and {len(self.problems) - _MAX_SHOWN} more.")
        return tuple(found)


@dataclass(slots=True)
class Problems:
    """Collects the problems of one file while it is read."""

    lines: Sequence[str]
    """The file's lines, for showing."""
    found: list[Problem] = field(default_factory=list)
    places: set[Place] = field(default_factory=set)
    """Where there is a problem already."""
    broken: set[int] = field(default_factory=set)
    """Lines that cannot be read: what else would be said of them follows from that, and is not said."""

    def add(self, place: Place, sentence: str) -> None:
        """Add a problem at `place`; nothing is added for a line that is broken already."""
        if place.line in self.broken:
            return
        shown, caret = self._excerpt(place)
        if self._is_secret(place):
            sentence = _QUOTED.sub('"…"', sentence)
        problem = Problem(line=place.line, column=place.column, sentence=clean_line(sentence), shown=shown, caret=caret)
        if problem not in self.found[-50:]:  # one line may state many nodes (`worker-[0:9]`)
            self.found.append(problem)
            self.places.add(place)

    def add_broken(self, place: Place, sentence: str) -> None:
        """Add a problem because of which the whole line cannot be read."""
        self.add(place, sentence)
        self.broken.add(place.line)

    def value(self, stated: Stated[str], convert: Callable[[str], T]) -> T | None:
        """Convert the stated text; None where `convert` raised InvalidInput, which is a problem then."""
        try:
            return read_value(stated.value, convert)
        except InvalidInput as error:
            self.add(stated.place, f"{stated.key} {error}")
            return None

    def _is_secret(self, place: Place) -> bool:
        """Whether the text at `place` may be a secret: a word for one comes before it."""
        line = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
        return _SECRET.search(line, 0, place.column) is not None

    def _excerpt(self, place: Place) -> tuple[str, int | None]:
        if not 1 <= place.line <= len(self.lines):
            return "", None
        line = self.lines[place.line - 1].rstrip().replace("\t", " ")
        if _SECRET.search(line):
            return "", None
        before = place.column - 1
        start = max(0, before - _WIDEST // 2) if len(line) > _WIDEST else len(line) - len(line.lstrip())
        start = min(start, before)
        cut = line[start : start + _WIDEST]
        caret = before - start
        plain = _PRINTABLE.fullmatch(cut) is not None
        return (cut if plain else clean_line(cut)), caret if plain and caret <= len(cut) else None
