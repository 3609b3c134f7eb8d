"""Text as a value of YAML."""

import json
from collections.abc import Iterable


def quoted(value: object) -> str:
    """Put a value into double quotes: what JSON writes in ASCII is YAML, and never anything but this text."""
    return json.dumps(str(value))


def indented(lines: Iterable[str], spaces: int) -> list[str]:
    """Indent the lines of a block scalar."""
    return [f"{' ' * spaces}{line}" if line else "" for line in lines]
