"""How systemd's files are written: sections of `Key=Value` lines, spans of time, command lines."""

import re
import shlex
from dataclasses import dataclass, field
from typing import Final

_SPAN: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) *([a-z]*)")
_UNITS: Final = {
    "": 1.0,
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "us": 1e-6,
    "usec": 1e-6,
    "ms": 1e-3,
    "msec": 1e-3,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hr": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
}


@dataclass(slots=True)
class Section:
    """A section with its lines in order; a key may occur many times."""

    name: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    def values(self, key: str) -> list[str]:
        """Return every value of a key; an empty one takes back those before it."""
        found: list[str] = []
        for name, value in self.lines:
            if name == key:
                found = [*found, value] if value else []
        return found

    def value(self, key: str) -> str | None:
        """Return the last value of a key."""
        return next(iter(reversed(self.values(key))), None)


def parse(text: str) -> list[Section]:
    """Parse a file into its sections, in order; other lines are left out."""
    sections: list[Section] = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        line = line.strip()
        if line.startswith(("#", ";")):
            continue
        if line.startswith("[") and line.endswith("]"):
            sections.append(Section(line[1:-1]))
        elif "=" in line and sections:
            key, _, value = line.partition("=")
            sections[-1].lines.append((key.strip(), value.strip()))
    return sections


def merged(sections: list[Section], name: str) -> Section:
    """Return all lines of the sections of one name."""
    return Section(name, [line for section in sections if section.name == name for line in section.lines])


def span(text: str) -> float | None:
    """Parse a span such as `5s`, `1min 30s` or `10` into seconds; None if it is none."""
    text = text.strip()
    if not re.fullmatch(rf"(?:{_SPAN.pattern} *)+", text):
        return None
    parts = [(float(match[1]), _UNITS.get(match[2])) for match in _SPAN.finditer(text)]
    if any(unit is None for _, unit in parts):
        return None
    return sum(number * (unit or 0.0) for number, unit in parts)


def command_line(text: str) -> tuple[list[str], bool]:
    """Return the words of an `ExecStart=`, and whether its failure counts (no `-` before it)."""
    prefix = re.match(r"[-@:+!]*", text)
    marks = prefix[0] if prefix else ""
    try:
        words = shlex.split(text[len(marks) :])
    except ValueError:
        words = []
    return words, "-" not in marks
