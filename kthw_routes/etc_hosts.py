"""The workers' names in `/etc/hosts`: a block of ours, and the lines that the lab's `tee -a` left. Bytes to bytes.

Outside of the block only lines of exactly `<IPv4> <worker name>` are taken over; every other byte stays.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from kthw_routes.changes import BY_PRUNE, ChangeKind
from kthw_routes.names import is_host_name
from kthw_routes.untrusted import clean_line

BEGIN: Final = b"# BEGIN kthw-routes"
END: Final = b"# END kthw-routes"
_EXACT: Final = re.compile(rb"([0-9.]{7,15})[ \t]+([A-Za-z0-9.-]+)[ \t]*")
_GONE: Final = "the worker was removed for good"
_MARKED: Final = "no worker listed has this name (marked)"
_UNLISTED: Final = "no worker listed has this name (--prune)"
_NEWLINE: Final = re.compile(rb"(?<=\n)")


class BrokenBlock(ValueError):
    """The markers of the block do not pair up, so nothing in the file is touched; the message goes after its name."""


@dataclass(frozen=True, slots=True)
class NameChange:
    """What becomes of one worker's name in one `/etc/hosts`."""

    kind: ChangeKind
    name: str
    address: IPv4Address | None
    """The wanted address; None where the name goes."""
    has: tuple[str, ...]
    """The lines of the file that name it and are ours to change, as read."""
    reason: str


@dataclass(frozen=True, slots=True)
class EtcHostsEdit:
    """The file as it is, as it should be, and why."""

    before: bytes
    after: bytes
    names: tuple[NameChange, ...]
    odd_lines: tuple[str, ...]
    """Lines that name a worker beside other names or a comment: left alone, worth a look."""

    @property
    def is_empty(self) -> bool:
        """Whether the file is right as it is."""
        return self.before == self.after

    @property
    def changes(self) -> int:
        """How many names change."""
        return sum(1 for n in self.names if n.kind.is_change)


@dataclass(frozen=True, slots=True)
class _Line:
    text: bytes  # without its newline
    ending: bytes
    in_block: bool

    @property
    def exact(self) -> tuple[IPv4Address, str] | None:
        match = _EXACT.fullmatch(self.text)
        if not match:
            return None
        try:
            return IPv4Address(match[1].decode("ascii")), match[2].decode("ascii")
        except AddressValueError:
            return None

    def names(self) -> set[str]:
        """The names that the resolver would find in this line."""
        return {w.decode("utf-8", "replace") for w in self.text.split(b"#", 1)[0].split()[1:]}


def edit(
    content: bytes,
    wanted: Mapping[str, IPv4Address],
    *,
    gone: Collection[str] = (),
    prune: bool = False,
    marked: Collection[str] = (),
) -> EtcHostsEdit:
    """What `/etc/hosts` should be.

    Args:
        content: the file's bytes.
        wanted: worker name -> internal address.
        gone: names of workers that were removed for good; their lines go.
        prune: whether names in our block that belong to no worker listed go as well.
        marked: those of such names that go even without `prune`.

    Raises:
        ValueError: a wanted name is no host name.
        BrokenBlock: the markers do not pair up.
    """
    if unfit := [name for name in wanted if not is_host_name(name)]:
        raise ValueError(f"not a host name: {unfit[0]!r}")
    lines = _split(content)
    kept: list[_Line] = []
    block: dict[str, IPv4Address] = {}
    outside_right: set[str] = set()
    had: dict[str, list[str]] = {name: [] for name in wanted}
    dropped: dict[str, int] = {}
    for line in lines:
        exact = line.exact
        if line.in_block:
            if exact:
                if exact[1] in block:
                    dropped[exact[1]] = dropped.get(exact[1], 0) + 1
                block[exact[1]] = exact[0]
                had.setdefault(exact[1], []).append(_show(line))
            continue
        if exact and (exact[1] in wanted or exact[1] in gone):
            address, name = exact
            had.setdefault(name, []).append(_show(line))
            if wanted.get(name) == address and name not in outside_right:
                outside_right.add(name)
            else:
                dropped[name] = dropped.get(name, 0) + 1
                continue
        kept.append(line)
    target = {name: ip for name, ip in wanted.items() if name not in outside_right}
    stale = {n: ip for n, ip in block.items() if not prune and not any(n in known for known in (wanted, gone, marked))}
    names = [
        _change(n, ip, block.get(n), n in outside_right, dropped.get(n, 0), tuple(had[n])) for n, ip in wanted.items()
    ]
    names += [
        NameChange(ChangeKind.REMOVE, n, None, tuple(h), _GONE if n in gone else _MARKED if n in marked else _UNLISTED)
        for n, h in had.items()
        if n not in wanted and n not in stale and h
    ]
    names += [
        NameChange(ChangeKind.STALE, n, ip, tuple(had[n]), f"{_whose(ip, wanted)}; {BY_PRUNE}")
        for n, ip in stale.items()
    ]
    odd = tuple(_show(x) for x in kept if not x.exact and x.names() & wanted.keys())
    changed = any(n.kind.is_change for n in names)
    after = _join(lines, kept, target | stale) if changed else content
    return EtcHostsEdit(content, after, tuple(names), odd)


def _whose(ip: IPv4Address, wanted: Mapping[str, IPv4Address]) -> str:
    """Why a name in our block is not wanted."""
    now = next((name for name, address in wanted.items() if address == ip), None)
    return f"{now} has this address now: renamed" if now else "no worker listed has this name"


def _change(
    name: str,
    ip: IPv4Address,
    in_block: IPv4Address | None,
    right_outside: bool,
    dropped: int,
    had: tuple[str, ...],
) -> NameChange:
    if right_outside and not dropped and in_block is None:
        return NameChange(ChangeKind.KEEP, name, ip, had, "a line typed by hand says the same")
    if in_block == ip and not dropped and not right_outside:
        return NameChange(ChangeKind.KEEP, name, ip, had, "in our block already")
    if not had:
        return NameChange(ChangeKind.ADD, name, ip, had, "the name is missing")
    wrong = [line for line in had if not line.startswith(f"{ip} ") and not line.startswith(f"{ip}\t")]
    reason = f"stale: {wrong[0]}" if wrong else "the same line stands there more than once"
    return NameChange(ChangeKind.REPLACE, name, ip, had, reason)


def _show(line: _Line) -> str:
    return clean_line(line.text.decode("utf-8", "replace"))


def _split(content: bytes) -> list[_Line]:
    lines: list[_Line] = []
    inside = seen = False
    for raw in _NEWLINE.split(content):
        if not raw:
            continue
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
