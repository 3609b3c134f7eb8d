"""Text that came from a host or an API, made safe to draw, print and record.

Control bytes can restyle a terminal or set its clipboard, and Textual's log widgets let ESC and C1
bytes through. Everything from outside passes `clean` before it is shown or written. A name is put into a command, a
path or a file only where it `is_plain_name`.
"""

import re
from typing import Final

MAX_VALUE: Final = 2_000
"""Characters of one value from outside (a name, a label, an error's words) that are cleaned and shown."""

_SPECIAL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_INERT: Final = bytes(
    [*range(7), 8, 11, 12, *range(14, 27), *range(28, 32), *range(127, 144), *range(145, 152), 153, 154]
).decode("latin-1")
"""The control characters that neither begin nor end an escape sequence."""
_UNSEEN: Final = (
    "\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
"""What is not seen, or turns the direction of writing. Single surrogates go with them."""
_STRINGS: Final = "\x90\x98\x9e\x9f"
"""DCS, SOS, PM and APC: strings that go as those of OSC (U+009D) do."""
_AS_OSC: Final = bytes.maketrans(_STRINGS.encode("latin-1"), b"\x9d" * len(_STRINGS))
_FORMS: Final = (("\x1b[", "\x9b"), ("\x1b\\", "\x9c"), *((f"\x1b{introducer}", "\x9d") for introducer in "]PX^_"))
"""The forms with ESC of CSI, of the end of a string, and of what begins one."""
_INTERMEDIATE: Final = " !\"#$%&'()*+,-./"
"""What may stand between ESC and the last character of a short sequence; without it the sequence is the same."""
_INTRODUCERS: Final = "\x07\x1b\x9b\x9c\x9d"
_SEQUENCE: Final = r"""(?:
      (?<=\x9b) [0-?]*+ [ -/]*+ [@-~]?        # CSI, also an unfinished one
    | (?<=\x9d) [^\n\x07\x1b\x9b-\x9d]*+     # a string: to its end, to the next sequence, or to the end of its line
    | (?<=\x1b) [ -/]*+ [0-~]?               # any other escape sequence
    | (?<=[\x07\x9c])                        # the end of a string
)"""
_SEQUENCES: Final = re.compile(
    rf"[\x07\x1b\x9b-\x9d] {_SEQUENCE} (?: [\x07\x1b\x9b-\x9d]++ {_SEQUENCE} )*+", re.VERBOSE
)
"""As many sequences as follow each other at once. A run of introducers counts as its last one, as in a terminal."""

PLAIN_NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,200}"
"""The pattern of the names of files, interfaces and namespaces that mean nothing but themselves wherever they stand."""
_MAX_QUOTED: Final = 60
_PLAIN_NAME: Final = re.compile(PLAIN_NAME)


def clean(text: str) -> str:
    """`text` without escape sequences, control characters and bidirectional overrides; tab and newline stay.

    A carriage return becomes a newline, as it would have overwritten what stood before it. A string sequence that is
    not finished on its line hides the rest of that line and nothing after it.

    Linear in the length of `text`, whatever is in it: nothing that was scanned is scanned again.
    """
    if _SPECIAL.search(text) is None:
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        narrow = text.encode("latin-1")
    except UnicodeEncodeError:
        for character in _UNSEEN + _INERT:
            text = text.replace(character, "")
        text = text.encode("utf-8", "ignore").decode("utf-8")
        for introducer in _STRINGS:
            text = text.replace(introducer, "\x9d")
    else:  # the same, many times as fast
        text = narrow.translate(_AS_OSC, _INERT.encode("latin-1")).decode("latin-1")
    while "\x1b\x1b" in text:
        text = text.replace("\x1b\x1b", "\x1b")
    if "\x1b" in text:
        for form, character in _FORMS:
            text = text.replace(form, character)
    if "\x1b" in text:
        for intermediate in _INTERMEDIATE:
            text = text.replace(f"\x1b{intermediate}", "\x1b")
    for character in _INTRODUCERS:  # nothing of its line comes after it
        text = text.replace(f"{character}\n", "\n")
    return _SEQUENCES.sub("", text)


def clean_line(text: str, limit: int | None = None) -> str:
    """`clean`, on one line: newlines and tabs become single spaces.

    Args:
        text: what came from outside.
        limit: how many characters of it are looked at at all; an ellipsis stands for the others. None: all of them.
    """
    if limit is not None and len(text) > limit:
        return " ".join(f"{clean(text[:limit])}…".split())
    return " ".join(clean(text).split())


def clean_value(text: str) -> str:
    """One value from outside on one line, cut to MAX_VALUE characters before anything is done with it."""
    return clean_line(text, MAX_VALUE)


def quoted(text: str) -> str:
    """Put a text into quotes, on one line, shortened, safe to show."""
    shown = clean_line(text[: 4 * _MAX_QUOTED])
    return f'"{shown[:_MAX_QUOTED]}…"' if len(shown) > _MAX_QUOTED else f'"{shown}"'


def is_plain_name(name: str) -> bool:
    """Whether a name that came from outside can mean nothing else to a program, a script or a path."""
    return _PLAIN_NAME.fullmatch(name) is not None


_MARKUP: Final = "\\`*_{}[]<>#|!"


def inline(text: str) -> str:
    """Text as a part of a line."""
    return "".join(f"\\{c}" if c in _MARKUP else c for c in clean_line(text))


def cell(value: object) -> str:
    """A value in a table; a dash where there is none."""
    return inline(str(value)) if value is not None else "–"
