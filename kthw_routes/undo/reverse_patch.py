"""Taking an edit of a text file back though the file was edited since: a merge of three, line by line. Pure."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import Match
from itertools import pairwise
from typing import Final

_NEWLINE: Final = re.compile(rb"(?<=\n)")


@dataclass(frozen=True, slots=True)
class ReversePatch:
    """A file with an edit undone, as far as nobody changed the same lines since."""

    content: bytes
    left: tuple[bytes, ...] = ()
    """The lines of the edit that are left alone, because they or their neighbourhood are others by now."""


def reverse(now: bytes, *edits: tuple[bytes, bytes]) -> ReversePatch:
    """Return `now` without these edits; every line that they did not write stays byte for byte.

    `edits`: what was before each and after it, the newest edit first. A part of an edit is undone where its lines
    are in `now` as they were written, one after the other. Where doing it twice would be another thing than doing it
    once (the same lines are there many times over), all is left alone.
    """
    if now == edits[-1][0]:
        return ReversePatch(now)
    back = _all(now, edits)
    if back.content != now and _all(back.content, edits).content != back.content:
        return ReversePatch(now, tuple(line for _, after in edits for line in _lines(after)))
    return back


def _all(now: bytes, edits: Sequence[tuple[bytes, bytes]]) -> ReversePatch:
    left: tuple[bytes, ...] = ()
    for before, after in edits:
        taken = _one(now, before, after)
        now, left = taken.content, (*left, *taken.left)
    return ReversePatch(now, left)


def _one(now: bytes, before: bytes, after: bytes) -> ReversePatch:
    if now == after:
        return ReversePatch(before)
    if now == before:
        return ReversePatch(now)
    written, old, lines = _lines(after), _lines(before), _lines(now)
    place = _places(written, lines)
    swaps: list[tuple[int, int, list[bytes]]] = []
    left: list[bytes] = []
    are, were = _counted(lines), _counted(old)
    for i1, i2, j1, j2 in _changes(written, old):
        if _is_done(written[i1:i2], old[j1:j2], are, were):
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
    kept: list[bytes] = []
    at = 0
    for first, last, back in sorted(swaps, key=lambda s: s[:2]):
        kept += (*lines[at:first], *back)
        at = last
    return ReversePatch(_joined(kept + lines[at:]), tuple(left))


def _counted(lines: list[bytes]) -> Counter[bytes]:
    """Return how often each line is there, whether it is the last one without a newline or not."""
    return Counter(line.rstrip(b"\n") for line in lines)


def _changes(one: list[bytes], other: list[bytes]) -> Iterator[tuple[int, int, int, int]]:
    """Yield where the two differ, in order: lines i1 to i2 of the one replace lines j1 to j2 of the other."""
    i = j = 0
    for block in (*_equal(one, other), Match(len(one), len(other), 0)):
        if i < block.a or j < block.b:
            yield i, block.a, j, block.b
        i, j = block.a + block.size, block.b + block.size


def _equal(one: list[bytes], other: list[bytes]) -> list[Match]:
    """Return the runs of lines in which the two agree, in order.

    These begin and end at lines that are there once in both, or at the ends of a part between two such lines; the rest
    counts as changed. So the work grows with the length of a file, whatever somebody wrote into it (block lists have
    100,000 lines, and the same comment over and over).
    """
    places = {line: i for i, line in enumerate(one)}
    counts, others = Counter(one), Counter(other)
    pairs = [(places[line], j) for j, line in enumerate(other) if others[line] == 1 == counts.get(line)]
    matches: list[Match] = []
    i = j = 0
    for a, b in (*_rising(pairs), (len(one), len(other))):
        if (a, b) < (i, j) or a < i or b < j:
            continue  # grown over already
        matches += _equal_between(one, other, (i, a), (j, b))
        size = 0
        while a + size < len(one) and b + size < len(other) and one[a + size] == other[b + size]:
            size += 1
        if size:
            matches.append(Match(a, b, size))
        i, j = a + size, b + size
    return matches


def _equal_between(
    one: list[bytes], other: list[bytes], here: tuple[int, int], there: tuple[int, int]
) -> Iterator[Match]:
    """Yield the same at the beginning and at the end of a part of each."""
    (i, i_end), (j, j_end) = here, there
    head = 0
    while i + head < i_end and j + head < j_end and one[i + head] == other[j + head]:
        head += 1
    tail = 0
    while i + head < i_end - tail and j + head < j_end - tail and one[i_end - tail - 1] == other[j_end - tail - 1]:
        tail += 1
    if head:
        yield Match(i, j, head)
    if tail:
        yield Match(i_end - tail, j_end - tail, tail)


def _rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest row of pairs of which both members rise; `pairs` come in the order of their second members."""
    ends: list[int] = []
    tops: list[int] = []
    before: list[int | None] = []
    for number, (first, _) in enumerate(pairs):
        at = bisect_left(ends, first)
        before.append(tops[at - 1] if at else None)
        ends[at : at + 1], tops[at : at + 1] = [first], [number]
    row: list[tuple[int, int]] = []
    last = tops[-1] if tops else None
    while last is not None:
        row.append(pairs[last])
        last = before[last]
    return row[::-1]


def _is_done(written: list[bytes], back: list[bytes], now: Counter[bytes], before: Counter[bytes]) -> bool:
    """Return whether no line of a part is there oftener, and none that it replaced less often, than before the edit.

    Lines may be in a file more than once, so that by their neighbours alone a part could be undone twice.
    """

    def surplus(line: bytes) -> int:
        bare = line.rstrip(b"\n")
        return now[bare] - before[bare]

    return all(surplus(line) <= 0 for line in written) and all(surplus(line) >= 0 for line in back)


def _places(written: list[bytes], lines: list[bytes]) -> dict[int, int]:
    """Return where the lines that were written are now: number then -> number now."""
    return {m.a + k: m.b + k for m in _equal(written, lines) for k in range(m.size)}


def _behind(place: int | None) -> int | None:
    return None if place is None else place + 1


def _in_a_row(found: list[int | None]) -> bool:
    return all(b == (a or 0) + 1 for a, b in pairwise(found))


def _holds(lines: list[bytes], part: list[bytes]) -> bool:
    """Return whether the part is among the lines, one after the other; only the last of all may lack its newline."""
    text, wanted = b"\n" + b"".join(lines), b"\n" + b"".join(part)
    return wanted in text if wanted.endswith(b"\n") else text.endswith(wanted)


def _lines(content: bytes) -> list[bytes]:
    return [line for line in _NEWLINE.split(content) if line]


def _joined(lines: list[bytes]) -> bytes:
    """Return the lines, of which only the last may lack its newline: two never become one."""
    return b"".join(line if line.endswith(b"\n") else line + b"\n" for line in lines[:-1]) + b"".join(lines[-1:])
