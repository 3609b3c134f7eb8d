"""The lines of `/etc/hosts`: our block, lines of exactly an address and a name, and all others, which stay. Pure.

What a line says is what glibc's resolver makes of it: `#` begins a comment anywhere, a zero byte ends the line, any
white space separates (a carriage return too), every word after the address is a name, in any case of letters, and a
line whose address is none is passed over. Of several lines that have a name the first counts.

A file may hold millions of lines that nobody asks for, such as a block list's; these are passed over quickly.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from kthw_routes.sanitize import MAX_VALUE, clean_value

BEGIN: Final = b"# BEGIN kthw-routes"
END: Final = b"# END kthw-routes"
_EXACT: Final = re.compile(rb"([0-9.]{7,15})[ \t]+([A-Za-z0-9.-]+)[ \t]*")
_NAME: Final = re.compile(rb"[A-Za-z0-9.-]+")
_OURS: Final = b"kthw-routes"
"""What both markers of the block hold."""


def has_block(content: bytes | None) -> bool:
    """Return whether the file has a block of ours."""
    return content is not None and any(content[a:b].strip() == BEGIN for a, b in lines_with(content, [BEGIN]))


def lines_with(content: bytes, words: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where the lines are that hold one of these words: beginning and end, the newline included, in order.

    A file may hold millions of lines that nobody asks for, such as a block list's; these are passed over quickly.
    """
    found: dict[int, int] = {}
    for word in words:
        at = content.find(word)
        while 0 <= at < len(content):
            end = content.find(b"\n", at) + 1 or len(content)
            found[content.rfind(b"\n", 0, at) + 1] = end
            at = content.find(word, end)
    yield from sorted(found.items())


class BrokenBlock(ValueError):
    """The markers of the block do not pair up, so nothing in the file is touched; the message goes after its name."""


@dataclass(frozen=True, slots=True)
class HostsLine:
    text: bytes  # without its newline
    ending: bytes
    in_block: bool
    is_other: bool = False
    """Whether these are lines, any number of them, that name nobody who is asked for."""

    @property
    def exact(self) -> tuple[IPv4Address, str] | None:
        match = None if self.is_other else _EXACT.fullmatch(self.text)
        if not match:
            return None
        try:
            return IPv4Address(match[1].decode("ascii")), match[2].decode("ascii")
        except AddressValueError:
            return None

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the resolver finds in this line, in lower case."""
        return tuple(word.decode("utf-8", "replace").lower() for word in self._words[1:])

    @property
    def address(self) -> IPv4Address | None:
        """The address that it gives its names when an IPv4 address is asked for; None where it has none."""
        word = self._words[0] if self._words else b""
        return _resolved(word)

    @property
    def single(self) -> tuple[IPv4Address, str] | None:
        """The address and the name, where the line has just these, in whatever white space."""
        address, words = self.address, self._words
        if address is None or len(words) != 2 or b"#" in self.text or not _NAME.fullmatch(words[1]):
            return None
        return address, words[1].decode("ascii")

    @property
    def _words(self) -> list[bytes]:
        return [] if self.is_other else self.text.split(b"\0", 1)[0].split(b"#", 1)[0].split()


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the resolver makes of a name."""

    address: IPv4Address
    line: HostsLine
    number: int
    """Of the line in the file, counted from 1."""


def resolve(lines: Iterable[HostsLine], names: Iterable[str]) -> dict[str, Resolved]:
    """Return what these names resolve to, by this file alone: name, as given -> the first line that has it."""
    asked = {name.lower(): name for name in names}
    found: dict[str, Resolved] = {}
    number = 1
    for line in lines:
        hits = [asked[name] for name in line.names if name in asked and asked[name] not in found]
        if hits and (address := line.address) is not None:
            found |= {name: Resolved(address, line, number) for name in hits}
        number += line.text.count(b"\n") + bool(line.ending)
    return found


def _resolved(word: bytes) -> IPv4Address | None:
    """Read an address as the resolver does for IPv4: an IPv6 address that holds one, or is the loopback's, counts."""
    try:
        text = word.decode("ascii")
        if b":" not in word:
            return IPv4Address(text)
        six = IPv6Address(text)
    except (AddressValueError, UnicodeDecodeError):
        return None
    if six.scope_id is not None:
        return None
    return IPv4Address("127.0.0.1") if six.is_loopback else six.ipv4_mapped


def show(line: HostsLine) -> str:
    return clean_value(line.text[: 4 * MAX_VALUE].decode("utf-8", "replace"))


def split(content: bytes, names: Iterable[str]) -> list[HostsLine]:
    """Return the lines of the block and those that hold one of these names, each by itself; all others in runs."""
    words = {name.lower().encode() for name in names} | {_OURS}
    fewest = [word for word in words if not any(other != word and other in word for other in words)]
    marked = [start for start, _ in lines_with(content.lower(), fewest)]  # ASCII letters: all that an exact line has
    lines: list[HostsLine] = []
    inside = seen = False
    at = number = 0
    while at < len(content):
        while number < len(marked) and marked[number] < at:
            number += 1
        begin = marked[number] if number < len(marked) else len(content)
        if begin > at and not inside:
            lines.append(HostsLine(content[at:begin], b"", False, is_other=True))
            at = begin
            continue
        end = content.find(b"\n", at) + 1 or len(content)
        raw, at = content[at:end], end
        text = raw[:-1] if raw.endswith(b"\n") else raw
        ending = raw[len(text) :]
        marker = text.strip()
        if marker == BEGIN:
            if inside or seen:
                raise BrokenBlock("holds the line '# BEGIN kthw-routes' twice")
            inside = seen = True
        elif marker == END and not inside:
            raise BrokenBlock("holds '# END kthw-routes' without its beginning")
        lines.append(HostsLine(text, ending, inside))
        if marker == END:
            inside = False
    if inside:
        raise BrokenBlock("holds '# BEGIN kthw-routes' without its end")
    return lines


def numbered_stem(name: str) -> str:
    """Return what is before the number at the end of a name, casefolded; empty where there is no such number."""
    folded = name.casefold()
    stem = folded.rstrip("0123456789")
    return stem if stem != folded else ""


def line_of_others(
    now: bytes,
    then: bytes,
    words: Iterable[str],
    is_ours: Callable[[str], bool],
    may_say: Callable[[IPv4Address, str, bool], bool],
    *,
    comments: bool,
) -> str | None:
    """Return the first line in which two contents differ though it is not for us to change; None where there is none.

    Args:
        now: the one content.
        then: the other, into which it would be turned.
        words: of which every name that is ours has one.
        is_ours: name -> whether exact lines of it outside our block are ours.
        may_say: (address, name, whether in our block) -> whether we may put such a line there.
        comments: whether comments and empty lines may come into our block.
    """
    if now == then:
        return None
    words = tuple(words)
    try:
        (left, before), (right, after) = (_sorted_out(split(content, words), is_ours) for content in (now, then))
    except BrokenBlock as error:
        return f"a file that {error}"
    if left != right:
        one, other = (Counter(others.split(b"\n")) for others in (left, right))
        return next((_show_bytes(text) for text in (*(other - one), *(one - other))), "the order of the lines")
    for text, in_block in after - before:
        line = HostsLine(text, b"", in_block)
        bare = text.strip()
        if bare in (BEGIN, END) or (in_block and comments and (not bare or bare.startswith(b"#"))):
            continue
        if line.exact and not may_say(*line.exact, in_block):
            return show(line)
        if in_block and not line.exact:
            return show(line)
    return None


def _sorted_out(
    lines: Iterable[HostsLine], is_ours: Callable[[str], bool]
) -> tuple[bytes, Counter[tuple[bytes, bool]]]:
    """Return the lines that are not ours, and how often each that may be is there, in our block and outside it."""
    others: list[bytes] = []
    ours: Counter[tuple[bytes, bool]] = Counter()
    for line in lines:
        if line.in_block or (line.exact and is_ours(line.exact[1])):
            ours[line.text, line.in_block] += 1
        else:
            others.append(line.text if line.text.endswith(b"\n") else line.text + b"\n")
    return b"".join(others), ours


def _show_bytes(text: bytes) -> str:
    return clean_value(text[: 4 * MAX_VALUE].decode("utf-8", "replace")) or "an empty line"
