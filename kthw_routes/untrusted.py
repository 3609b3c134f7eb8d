"""Text that came from a host or an API, made safe to draw, print and record.

Control bytes can restyle a terminal or set its clipboard, and Textual's log widgets let ESC and C1
bytes through. Everything from outside passes `clean` before it is shown or written. A name is put into a command, a
path or a file only where it `is_plain_name`.
"""

import re
from typing import Final

_ESCAPES: Final = re.compile(
    r"""
      (?:\x1b\]|\x9d) [^\x07\x1b\x9c]* (?:\x07|\x1b\\|\x9c|$)   # OSC, ended by BEL or ST
    | (?:\x1b[PX^_]|[\x90\x98\x9e\x9f]) [^\x1b\x9c]* (?:\x1b\\|\x9c|$)  # DCS, SOS, PM, APC
    | (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]?                    # CSI
    | \x1b [ -/]* [0-~]?                                      # any other escape sequence
    """,
    re.VERBOSE,
)
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

PLAIN_NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,200}"
"""The pattern of the names of files, interfaces and namespaces that mean nothing but themselves wherever they stand."""
_PLAIN_NAME: Final = re.compile(PLAIN_NAME)


def clean(text: str) -> str:
    """`text` without escape sequences, control characters and bidirectional overrides; tab and newline stay.

    A carriage return becomes a newline, as it would have overwritten what stood before it.
    """
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def clean_line(text: str) -> str:
    """`clean`, on one line: newlines and tabs become single spaces."""
    return " ".join(clean(text).split())


def is_plain_name(name: str) -> bool:
    """Whether a name that came from outside can mean nothing else to a program, a script or a path."""
    return _PLAIN_NAME.fullmatch(name) is not None
