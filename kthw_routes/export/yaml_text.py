"""Text as a value of YAML."""

import json
from collections.abc import Iterable


def quoted(value: object) -> str:
    """Return a value in double quotes: what JSON writes in ASCII is YAML, and never anything but this text."""
    return json.dumps(str(value))


def indented(lines: Iterable[str], spaces: int) -> list[str]:
    """Return the lines of a block scalar."""
    return [f"{' ' * spaces}{line}" if line else "" for line in lines]
