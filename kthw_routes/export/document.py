"""What a format makes: texts with names; and a text as a value of YAML."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from kthw_routes import __version__

BY: Final = f"Made by kthw-routes {__version__}"
"""How the head of a document begins; by it a later export knows the file for one of its own."""


@dataclass(frozen=True, slots=True)
class Document:
    """One text."""

    path: PurePosixPath
    """Where it goes in the folder; with a format that makes one text, its usual name."""
    text: str
    mode: int = 0o644
    """The permission bits that it should have."""


def together(documents: Sequence[Document]) -> str:
    """Join all texts, each under its name, for people to read."""
    if len(documents) == 1:
        return documents[0].text
    return "\n".join(f"==> {d.path} <==\n{d.text}" for d in documents)


def quoted(value: object) -> str:
    """Put a value into double quotes: what JSON writes in ASCII is YAML, and never anything but this text."""
    return json.dumps(str(value))


def indented(lines: Iterable[str], spaces: int) -> list[str]:
    """Indent the lines of a block scalar."""
    return [f"{' ' * spaces}{line}" if line else "" for line in lines]
