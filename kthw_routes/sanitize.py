"""Text that came from a host or an API, made safe to draw, print and record.

Control bytes can restyle a terminal or set its clipboard, and Textual's log widgets let ESC and C1
bytes through. Everything from outside passes `clean` before it is shown or written. A name is put into a command, a
path or a file only where it `is_plain_name`.
"""

import re
from functools import cache
from typing import Final

MAX_VALUE: Final = 2_000
"""Characters of one value from outside (a name, a label, an error's words) that are cleaned and shown."""

_SPECIAL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_CHUNK: Final = 1 << 14
"""Characters that are cleaned at a time: few enough for a processor's cache."""

_INERT: Final = bytes([*range(7), 8, 11, 12, *range(13, 27), *range(28, 32), 127])
"""The control characters of ASCII that neither begin nor end an escape sequence."""
_PARAMETERS: Final = bytes(range(0x30, 0x40))
_INTERMEDIATES: Final = bytes(range(0x20, 0x30))
_CSI_FINALS: Final = bytes(range(0x40, 0x7F))
_SHORT_FINALS: Final = bytes(range(0x30, 0x7F))
_C1: Final = bytes(range(0x80, 0xA0))
_ZERO_WIDTH: Final = bytes([*range(0x8B, 0x90), *range(0xA8, 0xAF)])
_ISOLATES: Final = bytes(range(0xA6, 0xAA))

PLAIN_NAME: Final = r"[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,200}"
"""The pattern of the names of files, interfaces and namespaces that mean nothing but themselves wherever they are."""
_MAX_QUOTED: Final = 60
_PLAIN_NAME: Final = re.compile(PLAIN_NAME)


def clean(text: str) -> str:
    """Return `text` without escape sequences, control characters and bidirectional overrides; tab and newline stay.

    A carriage return becomes a newline, as it would have overwritten what was before it. A string sequence that is
    not finished on its line hides the rest of that line and nothing after it.

    Takes the same time for each character, whatever it is: a chunk is parsed by arithmetic on all its bytes at once.
    """
    if _SPECIAL.search(text) is None:
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    cleaned, unfinished = [], ""
    for begin in range(0, len(text), _CHUNK):
        chunk, unfinished = _clean_chunk(unfinished + text[begin : begin + _CHUNK])
        cleaned.append(chunk)
    return "".join(cleaned)


def _clean_chunk(text: str) -> tuple[str, str]:
    """Clean a part of a text.

    All bytes are treated at once, as the bytes of one large number (the first is the lowest): a *mark* is a 1 in the
    byte of a character; adding marks to a stretch of bytes that are all 0xFF carries each to the end of its stretch.
    This works as every introducer begins a sequence, also inside another one, which it ends.

    Returns:
        What is left, and the shortest beginning of the sequence that is not finished at the end of `text`.
    """
    data = text.encode("utf-8", "ignore")  # without surrogates that are alone
    ones = int.from_bytes(b"\x01" * len(data), "little")
    everything = _fill(ones)
    end = 1 << 8 * len(data)

    escape, bell, newline, skipped = _marks(data, ones, b"\x1b", b"\x07", b"\n", _INERT)
    parameter, intermediate = _marks(data, ones, _PARAMETERS, _INTERMEDIATES)
    csi = terminator = string = 0
    if not data.isascii():
        csi, terminator, string, inert = _marks_beyond_ascii(data, ones)
        skipped |= inert
    filled = _fill(skipped)

    def after(marks: int) -> int:
        """Move each mark to the next character that is not skipped."""
        return (marks << 8) + filled & (everything ^ filled | end)

    def over(marks: int, members: int) -> int:
        """Move each mark over the members that follow it, none included."""
        stretch = _fill(members | skipped)
        return marks + stretch & (everything ^ stretch | end)

    final, csi_final, bracket, opening = _marks(data, ones, _SHORT_FINALS, _CSI_FINALS, b"[", b"]PX^_")
    gone = skipped | escape | bell | csi | terminator | string

    escaped = after(escape)
    short_end = over(escaped, intermediate)
    csi_begin = after(csi | escaped & bracket)
    csi_middle = over(csi_begin, parameter)
    csi_end = over(csi_middle, intermediate)
    string_begin = after(string | escaped & opening)
    string_end = over(string_begin, ones ^ (newline | bell | escape | csi | terminator | string))
    gone |= short_end & final | csi_end & csi_final
    inside = (short_end - escaped) | (csi_end - csi_begin) | (string_end - string_begin)

    number = int.from_bytes(data, "little") & (everything ^ (_fill(gone) | inside))
    left = number.to_bytes(len(data), "little").translate(None, b"\0").decode("utf-8")
    open_at_end = (
        (escaped, "\x1b"),
        (short_end, "\x1b("),
        (csi_middle, "\x1b["),
        (csi_end, "\x1b[ "),
        (string_end, "\x1b]"),
    )
    return left, next((beginning for marks, beginning in open_at_end if marks & end), "")


def _marks_beyond_ascii(data: bytes, ones: int) -> tuple[int, int, int, int]:
    """Mark CSI, string terminator, what begins a string, and what is skipped, among the characters beyond ASCII."""
    c2, c1, csi, terminator, string = _marks(data, ones, b"\xc2", _C1, b"\x9b", b"\x9c", b"\x90\x98\x9d\x9e\x9f")
    c1 &= c2 << 8
    csi, terminator, string = csi & c1, terminator & c1, string & c1
    e2, x80, x81, zero_width, isolate = _marks(data, ones, b"\xe2", b"\x80", b"\x81", _ZERO_WIDTH, _ISOLATES)
    ef, bb, bf = _marks(data, ones, b"\xef", b"\xbb", b"\xbf")
    unseen = (e2 << 16) & (x80 << 8 & zero_width | x81 << 8 & isolate) | ef << 16 & bb << 8 & bf
    skipped = c1 >> 8 | (c1 ^ (csi | terminator | string)) | unseen | unseen >> 8 | unseen >> 16
    return csi, terminator, string, skipped


def _marks(data: bytes, ones: int, *classes: bytes) -> list[int]:
    """Mark the bytes of each class (at most 8)."""
    number = int.from_bytes(data.translate(_table(classes)), "little")
    return [number >> bit & ones for bit in range(len(classes))]


@cache
def _table(classes: tuple[bytes, ...]) -> bytes:
    """Build the table that gives each byte a bit for each class that it is in."""
    return bytes(sum((byte in members) << bit for bit, members in enumerate(classes)) for byte in range(256))


def _fill(marks: int) -> int:
    """Make 0xFF of each mark."""
    return (marks << 8) - marks


def clean_line(text: str, limit: int | None = None) -> str:
    """Clean a text, on one line: newlines and tabs become single spaces.

    Args:
        text: what came from outside.
        limit: how many characters of it are read at all; an ellipsis replaces the others. None: all of them.
    """
    if limit is not None and len(text) > limit:
        return " ".join(f"{clean(text[:limit])}…".split())
    return " ".join(clean(text).split())


def clean_value(text: str) -> str:
    """Return one value from outside on one line, cut to MAX_VALUE characters before anything is done with it."""
    return clean_line(text, MAX_VALUE)


def quoted(text: str) -> str:
    """Put a text into quotes, on one line, shortened, safe to show."""
    shown = clean_line(text[: 4 * _MAX_QUOTED])
    return f'"{shown[:_MAX_QUOTED]}…"' if len(shown) > _MAX_QUOTED else f'"{shown}"'


def text_lines(content: bytes) -> tuple[str, ...]:
    """Return the lines of a file, as they may be shown."""
    return tuple(line.expandtabs() for line in clean(content.decode("utf-8", "replace")).splitlines())


def is_plain_name(name: str) -> bool:
    """Whether a name that came from outside can mean nothing else to a program, a script or a path."""
    return _PLAIN_NAME.fullmatch(name) is not None


_MARKUP: Final = "\\`*_{}[]<>#|!"


def inline(text: str) -> str:
    """Escape text as a part of a line."""
    return "".join(f"\\{c}" if c in _MARKUP else c for c in clean_line(text))


def cell(value: object) -> str:
    """Escape a value in a table; a dash where there is none."""
    return inline(str(value)) if value is not None else "–"
