"""The wizard's three themes, and how the tones of words look in the theme that is chosen."""

from typing import Final

from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.color import Color
from textual.content import Content
from textual.theme import Theme

from kthw_routes.words import Tone, Words

NIGHT: Final = Theme(
    name="kthw-night",
    primary="#74b0c9",
    secondary="#8aa0b6",
    accent="#d8a866",
    success="#8cbd82",
    warning="#ddb565",
    error="#e07f72",
    foreground="#d3d9df",
    background="#13171c",
    surface="#191e24",
    panel="#222931",
    dark=True,
    variables={
        "block-cursor-background": "#2c4e5e",
        "block-cursor-foreground": "#f2f6f8",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#222d35",
        "footer-key-foreground": "#74b0c9",
        "footer-background": "#191e24",
        "scrollbar": "#33434f",
        "scrollbar-hover": "#436073",
        "scrollbar-active": "#74b0c9",
        "scrollbar-background": "#191e24",
        "scrollbar-background-hover": "#191e24",
        "scrollbar-background-active": "#191e24",
        "button-focus-text-style": "bold",
    },
)
DAY: Final = Theme(
    name="kthw-day",
    primary="#22667f",
    secondary="#4c6377",
    accent="#8a5a12",
    success="#2f6d2b",
    warning="#805600",
    error="#a8322a",
    foreground="#1f262c",
    background="#f6f5f1",
    surface="#eeece6",
    panel="#e2dfd7",
    dark=False,
    variables={
        "block-cursor-background": "#bcd8e2",
        "block-cursor-foreground": "#10191e",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#dfe5e4",
        "footer-key-foreground": "#22667f",
        "footer-background": "#eeece6",
        "scrollbar": "#b9c4c9",
        "scrollbar-hover": "#94a9b2",
        "scrollbar-active": "#22667f",
        "scrollbar-background": "#eeece6",
        "scrollbar-background-hover": "#eeece6",
        "scrollbar-background-active": "#eeece6",
        "button-focus-text-style": "bold",
    },
)

CONTRAST: Final = Theme(
    name="kthw-contrast",
    primary="#5fd7ff",
    secondary="#ffffff",
    accent="#ffaf00",
    success="#5fff5f",
    warning="#ffff00",
    error="#ff8787",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#303030",
    dark=True,
    variables={
        "block-cursor-background": "#ffff00",
        "block-cursor-foreground": "#000000",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#444444",
        "footer-key-foreground": "#5fd7ff",
        "footer-background": "#000000",
        "button-focus-text-style": "bold",
    },
)
"""High contrast: all of its colours are among the 256 of a terminal."""

_VARIABLE: Final = {
    Tone.PLAIN: "",
    Tone.GOOD: "$success",
    Tone.NEW: "$primary",
    Tone.WARNING: "$warning",
    Tone.LOSS: "$accent",
    Tone.BAD: "$error",
    Tone.QUIET: "$foreground 60%",
}


_STYLES: Final[dict[tuple[str, Tone], Style]] = {}
"""Theme and tone -> style: colours are slow to compute, and a big table has thousands of cells."""


def dim(text: str) -> Words:
    """Return secondary text."""
    return Words(text, Tone.QUIET)


def style_content(*parts: Words | str) -> Content:
    """Return styled text for a widget; nothing in it is read as markup."""
    pieces = [p if isinstance(p, Words) else Words(p) for p in parts]
    return Content.assemble(*((p.text, _VARIABLE[p.tone]) for p in pieces))


def style_cell(app: App[object], words: Words | str) -> Text:
    """Return styled text for a cell of a table, which needs colours instead of variables."""
    piece = words if isinstance(words, Words) else Words(words)
    return Text(piece.text, find_style(app, piece.tone), no_wrap=True, end="")


def find_style(app: App[object], tone: Tone) -> Style:
    """Return the style of a tone in the current theme."""
    key = (app.theme, tone)
    if key not in _STYLES:
        _STYLES[key] = Style(color=_colour(app, tone))
    return _STYLES[key]


def _colour(app: App[object], tone: Tone) -> str | None:
    variables = app.theme_variables
    if tone is Tone.PLAIN:
        return None
    if tone is Tone.QUIET:
        base, ink = (Color.parse(variables.get(n, "")) for n in ("background", "foreground"))
        return base.blend(ink, 0.6, alpha=1).hex6
    return Color.parse(variables[_VARIABLE[tone].removeprefix("$")]).hex6


def cut_middle(text: str, width: int) -> str:
    """Return `text` in at most `width` characters, its middle replaced by `…`."""
    if len(text) <= width or width < 3:
        return text[:width] if width < 3 else text
    left = (width - 1 + 1) // 2
    return f"{text[:left]}…{text[len(text) - (width - 1 - left) :]}"
