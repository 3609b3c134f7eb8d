"""Where in a TOML text each key and value is. tomllib returns the values and not their places.

A scanner for text that tomllib has read already: it looks for where things begin and end, and judges nothing. Where it
loses its way it keeps what it has found so far.
"""

import re
import tomllib
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from kthw_routes.sources.inventory.problems import Place

Path = tuple[str | int, ...]
"""`("nodes", 0, "ssh")` is the key `ssh` of the first node."""

_BLANK: Final = re.compile(r"[ \t]*")
_BLANK_LINES: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_LITERAL: Final = re.compile(r"'[^'\n]*'")
_BASIC: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LONG_STRINGS: Final = (
    re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL),
    re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL),
)
_OTHER_VALUE: Final = re.compile(r"[^,\]}#\n]*")


@dataclass(slots=True)
class Positions:
    """Places by path. A table's place is its header's, or its inline value's."""

    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    open: list[Place] = field(default_factory=list)
    """What begins and does not end, the innermost last; empty in a text that tomllib can read."""

    def of_key(self, *path: str | int) -> Place:
        """Return where the key is; where that was not found, what holds it."""
        return self.keys.get(path) or self.of_value(*path)

    def of_value(self, *path: str | int) -> Place:
        """Return where the value is; where that was not found, what holds it."""
        for end in range(len(path), 0, -1):
            found = self.values.get(path[:end]) or self.keys.get(path[:end])
            if found:
                return found
        return Place(1, 1)


def positions_in(text: str) -> Positions:
    """Find the places of all keys and values in a text that tomllib can read."""
    scanner = _Scanner(text)
    with suppress(_Lost, RecursionError, ValueError):  # what was found stays
        scanner.run()
    return scanner.found


class _Lost(Exception):
    """The text is not what was expected here."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self.found = Positions()
        self._text = text
        self._at = 0
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._counts: dict[Path, int] = {}
        """How often the header of each array of tables was seen."""

    def run(self) -> None:
        table: Path = ()
        while True:
            self._skip(_BLANK_LINES)
            if self._at >= len(self._text):
                return
            table = self._header() if self._next("[") else self._pair_in(table)

    def _header(self) -> Path:
        """Read `[a.b]` or `[[a.b]]`: the path of the table."""
        start = self._at
        is_array = self._text.startswith("[[", start)
        self._at += 2 if is_array else 1
        parts = self._key()
        self._expect("]]" if is_array else "]")
        path: Path = ()
        for part in parts[:-1]:
            path = self._last_of((*path, part))
        path = (*path, parts[-1])
        if is_array:
            self.found.keys.setdefault(path, self._place(start))
            self._counts[path] = self._counts.get(path, 0) + 1
        path = self._last_of(path)
        self.found.keys[path] = self._place(start)
        return path

    def _last_of(self, path: Path) -> Path:
        return (*path, self._counts[path] - 1) if path in self._counts else path

    def _pair_in(self, table: Path) -> Path:
        """Read `key = value`; return the table again."""
        start = self._at
        path = table
        for part in self._key():
            path = (*path, part)
            self.found.keys.setdefault(path, self._place(start))
        self._expect("=")
        self._value(path)
        return table

    def _key(self) -> list[str]:
        """Read the parts of a dotted key; the blanks after it are passed."""
        parts: list[str] = []
        while True:
            self._skip(_BLANK)
            parts.append(self._key_part())
            self._skip(_BLANK)
            if not self._next("."):
                return parts
            self._at += 1

    def _key_part(self) -> str:
        for pattern in (_BARE_KEY, _LITERAL, _BASIC):
            match = pattern.match(self._text, self._at)
            if match:
                self._at = match.end()
                raw = match.group()
                if pattern is _BASIC:
                    return str(tomllib.loads(f"key = {raw}")["key"])
                return raw if pattern is _BARE_KEY else raw[1:-1]
        raise _Lost

    def _value(self, path: Path) -> None:
        self._skip(_BLANK)
        self.found.values[path] = self._place(self._at)
        if self._next("["):
            self._items(path, "]")
        elif self._next("{"):
            self._items(path, "}")
        elif self._next('"""') or self._next("'''"):
            self.found.open.append(self._place(self._at))
            matches = (p.match(self._text, self._at) for p in _LONG_STRINGS)
            match = next((m for m in matches if m), None)
            if match is None:
                raise _Lost
            self._at = match.end()
            self.found.open.pop()
        else:
            matches = (p.match(self._text, self._at) for p in (_LITERAL, _BASIC, _OTHER_VALUE))
            match = next(m for m in matches if m)
            if match.end() == self._at:
                raise _Lost
            self._at = match.end()

    def _items(self, path: Path, end: str) -> None:
        """Read the values of an array, or the pairs of an inline table, up to its end."""
        self.found.open.append(self._place(self._at))
        self._at += 1
        number = 0
        while True:
            self._skip(_BLANK_LINES)
            if self._next(end):
                self._at += 1
                self.found.open.pop()
                return
            if end == "]":
                self._value((*path, number))
                number += 1
            else:
                self._pair_in(path)
            self._skip(_BLANK_LINES)
            if self._next(","):
                self._at += 1
            elif not self._next(end):
                raise _Lost

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _next(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _expect(self, text: str) -> None:
        if not self._next(text):
            raise _Lost
        self._at += len(text)

    def _place(self, at: int) -> Place:
        line = bisect_right(self._starts, at)
        return Place(line, at - self._starts[line - 1] + 1)
