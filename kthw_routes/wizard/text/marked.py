"""Texts of ours with marks in them: what is typed between `…`, what matters between **…**. Pure."""

import re

from kthw_routes.words import Tone, Words


def marked(text: str, tone: Tone = Tone.PLAIN) -> list[Words | str]:
    """Return a paragraph in which `…` and **…** stand out, in this tone elsewhere."""
    parts = (part for part in re.split(r"(\*\*.+?\*\*|`.+?`)", text) if part)
    return [Words(part.strip("*`"), Tone.NEW) if part[0] in "*`" else Words(part, tone) for part in parts]
