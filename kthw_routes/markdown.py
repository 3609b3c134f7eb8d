"""Text from outside as part of a Markdown document: shown as it is, and never markup."""

from typing import Final

from kthw_routes.untrusted import clean_line

_MARKUP: Final = "\\`*_{}[]<>#|!"


def inline(text: str) -> str:
    """Text as a part of a line."""
    return "".join(f"\\{c}" if c in _MARKUP else c for c in clean_line(text))


def cell(value: object) -> str:
    """A value in a table; a dash where there is none."""
    return inline(str(value)) if value is not None else "–"
