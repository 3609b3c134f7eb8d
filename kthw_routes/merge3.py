"""Taking an edit of a text file back though the file was edited since: a merge of three, line by line. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

_NEWLINE: Final = re.compile(rb"(?<=\n)")


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A file with an edit taken back as far as nobody changed the same lines since."""

    content: bytes
    left: tuple[bytes, ...] = ()
    """The lines of the edit that are left alone, because they or their neighbourhood are others by now."""


def take_back(now: bytes, *edits: tuple[bytes, bytes]) -> TakenBack:
    """`now` without these edits; every line that they did not write stays byte for byte.

    `edits`: what was before each and after it, the newest edit first. A part of an edit is taken back where its lines
    stand in `now` as they were written, one after the other. Where doing it twice would be another thing than doing it
    once (the same lines stand there many times over), all is left alone.
    """
    if now == edits[-1][0]:
        return TakenBack(now)
    back = _all(now, edits)
    if back.content != now and _all(back.content, edits).content != back.content:
        return TakenBack(now, tuple(line for _, after in edits for line in _lines(after)))
    return back


def _all(now: bytes, edits: Sequence[tuple[bytes, bytes]]) -> TakenBack:
    left: tuple[bytes, ...] = ()
    for before, after in edits:
        taken = _one(now, before, after)
        now, left = taken.content, (*left, *taken.left)
    return TakenBack(now, left)


def _one(now: bytes, before: bytes, after: bytes) -> TakenBack:
    if now == after:
        return TakenBack(before)
    if now == before:
        return TakenBack(now)
    written, old, lines = _lines(after), _lines(before), _lines(now)
    place = _places(written, lines)
    swaps: list[tuple[int, int, list[bytes]]] = []
    left: list[bytes] = []
    for tag, i1, i2, j1, j2 in _matcher(written, old).get_opcodes():
        if tag == "equal" or _is_done(written[i1:i2], old[j1:j2], lines, old):
            continue
        found = [place.get(i) for i in range(i1, i2)]
        start = 0 if i1 == 0 else _behind(place.get(i1 - 1))
        end = len(lines) if i2 == len(written) else place.get(i2)
        back = old[j1:j2]
        if found and all(at is not None for at in found) and _in_a_row(found):
            first = found[0] or 0
            swaps.append((first, first + len(found), back))
        elif any(at is not None for at in found) or start is None or end is None:
            left += written[i1:i2] or back
        elif not _holds(lines[start:end], back):
            if found:
                left += written[i1:i2]
            else:
                swaps.append((start, start, back))
    for first, last, back in sorted(swaps, key=lambda s: s[:2], reverse=True):
        lines[first:last] = back
    return TakenBack(_joined(lines), tuple(left))


def _matcher(one: list[bytes], other: list[bytes]) -> "SequenceMatcher[bytes]":
    return SequenceMatcher(None, one, other, autojunk=False)


def _is_done(written: list[bytes], back: list[bytes], now: list[bytes], before: list[bytes]) -> bool:
    """Whether no line of a part stands there oftener, and none that it replaced less often, than before the edit.

    Lines may stand in a file more than once, so that by their neighbours alone a part could be taken back twice.
    """

    def surplus(line: bytes) -> int:
        bare = line.rstrip(b"\n")
        return sum(x.rstrip(b"\n") == bare for x in now) - sum(x.rstrip(b"\n") == bare for x in before)

    return all(surplus(line) <= 0 for line in written) and all(surplus(line) >= 0 for line in back)


def _places(written: list[bytes], lines: list[bytes]) -> dict[int, int]:
    """Where the lines that were written stand now: number then -> number now."""
    blocks = _matcher(written, lines).get_matching_blocks()
    return {b.a + k: b.b + k for b in blocks for k in range(b.size)}


def _behind(place: int | None) -> int | None:
    return None if place is None else place + 1


def _in_a_row(found: list[int | None]) -> bool:
    return all(b == (a or 0) + 1 for a, b in pairwise(found))


def _holds(lines: list[bytes], part: list[bytes]) -> bool:
    return any(lines[i : i + len(part)] == part for i in range(len(lines) - len(part) + 1))


def _lines(content: bytes) -> list[bytes]:
    return [line for line in _NEWLINE.split(content) if line]


def _joined(lines: list[bytes]) -> bytes:
    """The lines, of which only the last may lack its newline: two never become one."""
    return b"".join(line if line.endswith(b"\n") else line + b"\n" for line in lines[:-1]) + b"".join(lines[-1:])
