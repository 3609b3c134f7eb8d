"""How iproute2 prints: as text, or as JSON in one line or indented."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

Json = str | int | float | bool | None | Sequence["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Style:
    """The options that change how things are printed."""

    json: bool = False
    pretty: bool = False
    details: bool = False
    brief: bool = False
    oneline: bool = False
    statistics: bool = False
    family: int | None = None
    """4 or 6; None for both."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is printed, both ways."""

    text: str
    json: dict[str, Json]


def render(entries: Sequence[Entry], style: Style) -> str:
    """All entries as one output."""
    if style.json:
        return dump([entry.json for entry in entries], style.pretty) + "\n"
    if style.oneline:
        return "".join(entry.text.rstrip("\n").replace("\n", "\\") + "\n" for entry in entries if entry.text)
    return "".join(entry.text for entry in entries)


def dump(value: Json, pretty: bool, depth: int = 0) -> str:
    """JSON as iproute2's writer makes it."""
    if isinstance(value, dict):
        pairs = [
            f"{json.dumps(key)}:{' ' if pretty else ''}{dump(item, pretty, depth + 1)}" for key, item in value.items()
        ]
        if not pretty or not pairs:
            return "{" + ",".join(pairs) + "}"
        inner = ",".join(f"\n{'    ' * (depth + 1)}{pair}" for pair in pairs)
        return "{" + inner + "\n" + "    " * depth + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = [dump(item, pretty, depth + 1) for item in value]
        if not pretty:
            return "[" + ",".join(items) + "]"
        return "[ " + ",".join(items) + (" ]" if items else "]")
    return json.dumps(value, ensure_ascii=False)
