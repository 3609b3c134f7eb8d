"""The workers' names in `/etc/hosts`: a block of ours, and the lines that the lab's `tee -a` left. Bytes to bytes.

Outside of the block only lines of exactly `<IPv4> <worker name>` are taken over, and such lines of names that are like
a worker's and no node's any more are stale, as they would be in the block; every other byte stays.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from kthw_routes.node_names import is_host_name
from kthw_routes.plan.changes import BY_PRUNE, ChangeKind, EtcHostsEdit, NameChange
from kthw_routes.sanitize import MAX_VALUE, clean_value

BEGIN: Final = b"# BEGIN kthw-routes"
END: Final = b"# END kthw-routes"
_EXACT: Final = re.compile(rb"([0-9.]{7,15})[ \t]+([A-Za-z0-9.-]+)[ \t]*")
_GONE: Final = "the worker was removed for good"
_MARKED: Final = "no worker listed has this name (marked)"
_UNLISTED: Final = "no worker listed has this name (--prune)"
_NEWLINE: Final = re.compile(rb"(?<=\n)")
_OURS: Final = b"kthw-routes"
"""What both markers of the block hold."""


def has_block(content: bytes | None) -> bool:
    """Whether a block of ours stands in the file."""
    return content is not None and any(content[a:b].strip() == BEGIN for a, b in lines_with(content, [BEGIN]))


def lines_with(content: bytes, words: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Where the lines stand that hold one of these words: beginning and end, the newline included, in order.

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
class _Line:
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

    def names(self) -> set[str]:
        """The names that the resolver would find in this line."""
        if self.is_other:
            return set()
        return {w.decode("utf-8", "replace") for w in self.text.split(b"#", 1)[0].split()[1:]}


@dataclass(slots=True)
class _Found:
    """What a file says of workers' names."""

    kept: list[_Line] = field(default_factory=list)
    """The lines outside of our block that stay."""
    block: dict[str, IPv4Address] = field(default_factory=dict)
    """What our block says."""
    right: set[str] = field(default_factory=set)
    """The names that a line outside of our block gives their address already."""
    had: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Name -> the lines of it that are ours to change, as read."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Name -> how many of its lines go, beside those that the block is written anew for."""
    stale: dict[str, IPv4Address] = field(default_factory=dict)
    """What stale lines outside of our block say, those that stay."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """Which names are whose, and which lines outside of our block are therefore ours."""

    wanted: Mapping[str, IPv4Address]
    gone: Collection[str]
    listed: frozenset[str] | None
    """The names of all nodes, casefolded; None: not known."""
    owners: Mapping[IPv4Address, frozenset[str]]
    """Address -> the workers whose it is, casefolded."""
    stems: frozenset[str]
    """What stands before the number in the workers' names, casefolded."""
    prune: bool
    marked: Collection[str]

    def is_stale(self, address: IPv4Address, name: str) -> bool:
        """Whether a line outside of our block that says this is one of the lab's, of a worker that is no more.

        A loopback address is how a host names itself, under whatever name: never stale.
        """
        folded = name.casefold()
        if numbered_stem(folded) not in self.stems or address.is_loopback:
            return False
        owners = self.owners.get(address, frozenset())
        return bool(owners - {folded}) or (self.listed is not None and folded not in self.listed)

    def goes(self, name: str) -> bool:
        """Whether what is stale under this name goes."""
        return self.prune or name in self.marked


def edit(
    content: bytes,
    wanted: Mapping[str, IPv4Address],
    *,
    gone: Collection[str] = (),
    prune: bool = False,
    marked: Collection[str] = (),
    listed: Collection[str] | None = None,
) -> EtcHostsEdit:
    """What `/etc/hosts` should be.

    Args:
        content: the file's bytes.
        wanted: worker name -> internal address.
        gone: names of workers that were removed for good; their lines go.
        prune: whether stale names go as well: those in our block that belong to no worker listed, and exact lines
            beside it whose name is like a worker's and no node's, or that give a worker's address another such name.
        marked: those of such names that go even without `prune`.
        listed: the names of all nodes, workers and controllers. None: not known, so that a line beside our block is
            stale by its address alone.

    Raises:
        ValueError: a wanted name is no host name.
        BrokenBlock: the markers do not pair up.
    """
    if unfit := [name for name in wanted if not is_host_name(name)]:
        raise ValueError(f"not a host name: {unfit[0]!r}")
    who = _listed(wanted, gone, listed, prune, marked)
    lines = _split(content, {*who.stems, *wanted, *gone})
    found = _sort(lines, who)
    target = {name: ip for name, ip in wanted.items() if name not in found.right}
    known = {*wanted, *gone, *marked}
    now = {ip: name for name, ip in reversed(list(wanted.items()))}
    in_block = {} if prune else {name: ip for name, ip in found.block.items() if name not in known}
    stale = found.stale | in_block
    names = (
        *(_change(name, ip, found) for name, ip in wanted.items()),
        *_removed(found, {*wanted, *stale}, gone, marked),
        *(
            NameChange(
                kind=ChangeKind.STALE,
                name=name,
                address=ip,
                has=tuple(found.had[name]),
                reason=f"{_whose(ip, now)}; {BY_PRUNE}",
            )
            for name, ip in stale.items()
        ),
    )
    odd = tuple(_show(x) for x in found.kept if not x.exact and x.names() & wanted.keys())
    changed = any(n.kind.is_change for n in names)
    after = _join(lines, found.kept, target | in_block) if changed else content
    return EtcHostsEdit(before=content, after=after, names=names, odd_lines=odd)


def _listed(
    wanted: Mapping[str, IPv4Address],
    gone: Collection[str],
    listed: Collection[str] | None,
    prune: bool,
    marked: Collection[str],
) -> _Listed:
    names = None if listed is None else frozenset(name.casefold() for name in (*listed, *wanted))
    stems = frozenset(stem for name in wanted if (stem := numbered_stem(name)))
    owners: defaultdict[IPv4Address, set[str]] = defaultdict(set)
    for name, ip in wanted.items():
        owners[ip].add(name.casefold())
    by_address = {ip: frozenset(folded) for ip, folded in owners.items()}
    return _Listed(wanted, gone, names, by_address, stems, prune, marked)


def _sort(lines: Iterable[_Line], who: _Listed) -> _Found:
    """Which lines name a worker, and which of those stay."""
    found, wanted = _Found(), who.wanted
    for line in lines:
        exact = line.exact
        if line.in_block:
            if exact:
                address, name = exact
                found.dropped[name] += name in found.block
                found.block[name] = address
                found.had[name].append(_show(line))
            continue
        if exact and (exact[1] in wanted or exact[1] in who.gone):
            address, name = exact
            found.had[name].append(_show(line))
            if wanted.get(name) != address or name in found.right:
                found.dropped[name] += 1
                continue
            found.right.add(name)
        elif exact and who.is_stale(*exact):
            address, name = exact
            found.had[name].append(_show(line))
            if who.goes(name):
                continue
            found.stale[name] = address
        found.kept.append(line)
    return found


def _removed(
    found: _Found, stay: Collection[str], gone: Collection[str], marked: Collection[str]
) -> Iterator[NameChange]:
    """The names that go, and why."""
    for name, had in found.had.items():
        if name not in stay and had:
            reason = _GONE if name in gone else _MARKED if name in marked else _UNLISTED
            yield NameChange(kind=ChangeKind.REMOVE, name=name, has=tuple(had), reason=reason)


def _whose(ip: IPv4Address, names: Mapping[IPv4Address, str]) -> str:
    """Why a name in our block is not wanted. `names`: wanted address -> the first name that has it."""
    now = names.get(ip)
    return f"{now} has this address now: renamed" if now else "no worker listed has this name"


def _change(name: str, ip: IPv4Address, found: _Found) -> NameChange:
    """What becomes of a name that is wanted."""
    had, in_block = tuple(found.had[name]), found.block.get(name)
    is_right, dropped = name in found.right, found.dropped[name]

    def row(kind: ChangeKind, reason: str) -> NameChange:
        return NameChange(kind=kind, name=name, address=ip, has=had, reason=reason)

    if is_right and not dropped and in_block is None:
        return row(ChangeKind.KEEP, "a line typed by hand says the same")
    if in_block == ip and not dropped and not is_right:
        return row(ChangeKind.KEEP, "in our block already")
    if not had:
        return row(ChangeKind.ADD, "the name is missing")
    wrong = [line for line in had if not line.startswith(f"{ip} ") and not line.startswith(f"{ip}\t")]
    return row(ChangeKind.REPLACE, f"stale: {wrong[0]}" if wrong else "the same line stands there more than once")


def _show(line: _Line) -> str:
    return clean_value(line.text[: 4 * MAX_VALUE].decode("utf-8", "replace"))


def _split(content: bytes, names: Iterable[str] | None = None) -> list[_Line]:
    """The lines of the block and those that hold one of these names, each by itself; all others in runs.

    Without names every line is by itself.
    """
    words = {name.lower().encode() for name in names} | {_OURS} if names is not None else {b""}
    fewest = [word for word in words if not any(other != word and other in word for other in words)]
    marked = [start for start, _ in lines_with(content.lower(), fewest)]  # ASCII letters: all that an exact line has
    lines: list[_Line] = []
    inside = seen = False
    at = number = 0
    while at < len(content):
        while number < len(marked) and marked[number] < at:
            number += 1
        begin = marked[number] if number < len(marked) else len(content)
        if begin > at and not inside:
            lines.append(_Line(content[at:begin], b"", False, is_other=True))
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
        lines.append(_Line(text, ending, inside))
        if marker == END:
            inside = False
    if inside:
        raise BrokenBlock("holds '# BEGIN kthw-routes' without its end")
    return lines


def _join(lines: list[_Line], kept: list[_Line], target: Mapping[str, IPv4Address]) -> bytes:
    """The kept lines, with the block where it stood before, or at the end."""
    block = b""
    if target:
        rows = b"".join(f"{ip} {name}\n".encode("ascii") for name, ip in target.items())
        block = BEGIN + b"\n" + rows + END + b"\n"
    first = next((i for i, line in enumerate(lines) if line.in_block), None)
    if first is None:
        body = b"".join(line.text + line.ending for line in kept)
        gap = b"\n" if block and body and not body.endswith(b"\n") else b""
        return body + gap + block
    last = max(i for i, line in enumerate(lines) if line.in_block)
    if block and not lines[last].ending:
        block = block[:-1]
    before = {id(line) for line in lines[:first]}
    head = b"".join(line.text + line.ending for line in kept if id(line) in before)
    tail = b"".join(line.text + line.ending for line in kept if id(line) not in before)
    return head + block + tail


# --- whose lines an edit changes --------------------------------------------------------------------------------


def numbered_stem(name: str) -> str:
    """What is before the number at the end of a name, casefolded; empty where there is no such number."""
    folded = name.casefold()
    stem = folded.rstrip("0123456789")
    return stem if stem != folded else ""


def line_of_others(
    now: bytes,
    then: bytes,
    is_ours: Callable[[str], bool],
    may_say: Callable[[IPv4Address, str, bool], bool],
    *,
    comments: bool,
) -> str:
    """The first line in which two contents differ though it is not for us to change; empty where there is none.

    Args:
        now: the one content.
        then: the other, into which it would be turned.
        is_ours: name -> whether exact lines of it beside our block are ours.
        may_say: (address, name, whether in our block) -> whether we may put such a line there.
        comments: whether comments and empty lines may come into our block.
    """
    try:
        before, after = _split(now), _split(then)
    except BrokenBlock as error:
        return "" if now == then else f"a file that {error}"

    def others(lines: Iterable[_Line]) -> list[bytes]:
        return [x.text for x in lines if not x.in_block and not (x.exact and is_ours(x.exact[1]))]

    left, right = others(before), others(after)
    if left != right:
        lost, new = Counter(left) - Counter(right), Counter(right) - Counter(left)
        return next((_show_bytes(text) for text in (*new, *lost)), "the order of the lines")
    for text, in_block in Counter((x.text, x.in_block) for x in after) - Counter((x.text, x.in_block) for x in before):
        line = _Line(text, b"", in_block)
        bare = text.strip()
        if bare in (BEGIN, END) or (in_block and comments and (not bare or bare.startswith(b"#"))):
            continue
        if line.exact and not may_say(*line.exact, in_block):
            return _show(line)
        if in_block and not line.exact:
            return _show(line)
    return ""


def _show_bytes(text: bytes) -> str:
    return clean_value(text[: 4 * MAX_VALUE].decode("utf-8", "replace")) or "an empty line"
