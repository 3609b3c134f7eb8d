"""The workers' names in `/etc/hosts`: a block of ours, and the lines that the lab's `tee -a` left. Bytes to bytes.

A name is right when it resolves right, whatever the line looks like that says so. Outside of the block only lines of
exactly `<IPv4> <worker name>` are taken over, and such lines of names that are like a worker's and no node's any more
are stale, as they would be in the block; every other byte stays. Where another line gives a name another address, the
block goes above it, as the first line counts.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.node_names import is_host_name
from kthw_routes.plan.changes import BY_PRUNE, ChangeKind, EtcHostsEdit, NameChange
from kthw_routes.plan.hosts_lines import BEGIN, END, HostsLine, Resolved, numbered_stem, resolve, show, split

_GONE: Final = "the worker was removed for good"
_MARKED: Final = "no worker listed has this name (marked)"
_UNLISTED: Final = "no worker listed has this name (--prune)"


@dataclass(slots=True)
class _Found:
    """What a file says of workers' names."""

    kept: list[HostsLine] = field(default_factory=list)
    """The lines outside of our block that stay."""
    block: dict[str, IPv4Address] = field(default_factory=dict)
    """What our block says."""
    right: set[str] = field(default_factory=set)
    """The names that an exact line outside of our block gives their address already."""
    had: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Name -> the lines of it that are ours to change, as read."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Name -> how many of its lines are removed, in addition to those that the block is rewritten for."""
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
    """What is before the number in the workers' names, casefolded."""
    prune: bool
    marked: Collection[str]

    def is_stale(self, address: IPv4Address, name: str) -> bool:
        """Return whether a line like this outside our block is one of the lab's, of a worker that no longer exists.

        A loopback address is how a host names itself, under whatever name: never stale.
        """
        folded = name.casefold()
        if numbered_stem(folded) not in self.stems or address.is_loopback:
            return False
        owners = self.owners.get(address, frozenset())
        return bool(owners - {folded}) or (self.listed is not None and folded not in self.listed)

    def goes(self, name: str) -> bool:
        """Return whether what is stale under this name goes."""
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
    """Return what `/etc/hosts` should be.

    Args:
        content: the file's bytes.
        wanted: worker name -> internal address.
        gone: names of workers that were removed for good; their lines go.
        prune: whether stale names go as well: those in our block that belong to no worker listed, and exact lines
            outside it whose name is like a worker's and no node's, or that give a worker's address another such name.
        marked: those of such names that go even without `prune`.
        listed: the names of all nodes, workers and controllers. None: not known, so that a line outside our block is
            stale by its address alone.

    Raises:
        ValueError: a wanted name is not a valid hostname.
        BrokenBlock: the markers do not pair up.
    """
    if unfit := [name for name in wanted if not is_host_name(name)]:
        raise ValueError(f"not a host name: {unfit[0]!r}")
    who = _listed(wanted, gone, listed, prune, marked)
    lines = split(content, {*who.stems, *wanted, *gone})
    found = _sort(lines, who)
    outside, now_says = resolve(found.kept, wanted), resolve(lines, wanted)
    target = {name: ip for name, ip in wanted.items() if _belongs_into_block(name, ip, found, outside)}
    known = {*wanted, *gone, *marked}
    now = {ip: name for name, ip in reversed(list(wanted.items()))}
    in_block = {} if prune else {name: ip for name, ip in found.block.items() if name not in known}
    stale = found.stale | in_block
    names = (
        *(_change(name, ip, found, now_says.get(name), name in target) for name, ip in wanted.items()),
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
    folded = {name.lower(): ip for name, ip in wanted.items()}
    odd = [
        line
        for line in found.kept
        if not _is_exact(line, wanted) and any(folded.get(n, line.address) != line.address for n in line.names)
    ]
    after = content
    if any(n.kind.is_change for n in names):
        wrong = (r.line for name, r in outside.items() if name in target and r.address != target[name])
        after = _join(lines, found.kept, target | in_block, {id(line) for line in wrong})
    return EtcHostsEdit(before=content, after=after, names=names, odd_lines=tuple(map(show, odd)))


def _belongs_into_block(name: str, ip: IPv4Address, found: _Found, outside: Mapping[str, Resolved]) -> bool:
    """Return whether the block says a name: where no other line does, or it does already and that line is no copy."""
    other = outside.get(name)
    return other is None or other.address != ip or (name in found.block and name not in found.right)


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
    return _Listed(wanted=wanted, gone=gone, listed=names, owners=by_address, stems=stems, prune=prune, marked=marked)


def _sort(lines: Iterable[HostsLine], who: _Listed) -> _Found:
    """Return which lines name a worker, and which of those stay."""
    found, wanted = _Found(), who.wanted
    for line in lines:
        exact = line.exact
        if line.in_block:
            if says := line.single:
                address, name = says
                found.dropped[name] += name in found.block
                found.block[name] = address
                found.had[name].append(show(line))
            continue
        if exact and (exact[1] in wanted or exact[1] in who.gone):
            address, name = exact
            found.had[name].append(show(line))
            if wanted.get(name) != address or name in found.right:
                found.dropped[name] += 1
                continue
            found.right.add(name)
        elif exact and who.is_stale(*exact):
            address, name = exact
            found.had[name].append(show(line))
            if who.goes(name):
                continue
            found.stale[name] = address
        found.kept.append(line)
    return found


def _removed(
    found: _Found, stay: Collection[str], gone: Collection[str], marked: Collection[str]
) -> Iterator[NameChange]:
    """Yield the names that go, and why."""
    for name, had in found.had.items():
        if name not in stay and had:
            reason = _GONE if name in gone else _MARKED if name in marked else _UNLISTED
            yield NameChange(kind=ChangeKind.REMOVE, name=name, has=tuple(had), reason=reason)


def _whose(ip: IPv4Address, names: Mapping[IPv4Address, str]) -> str:
    """Return why a name in our block is not wanted. `names`: wanted address -> the first name that has it."""
    now = names.get(ip)
    return f"{now} has this address now: renamed" if now else "no worker listed has this name"


def _change(name: str, ip: IPv4Address, found: _Found, says: Resolved | None, goes_into_block: bool) -> NameChange:
    """Return what becomes of a name that is wanted. `says`: what it resolves to now."""
    had, in_block = tuple(found.had[name]), found.block.get(name)

    def row(kind: ChangeKind, reason: str) -> NameChange:
        return NameChange(kind=kind, name=name, address=ip, has=had, reason=reason)

    if says is None:
        return row(ChangeKind.REPLACE, "its line is not valid") if had else row(ChangeKind.ADD, "the name is missing")
    if says.address == ip and not found.dropped[name] and in_block == (ip if goes_into_block else None):
        return row(ChangeKind.KEEP, "in our block already" if says.line.in_block else f"line {says.number} says it")
    if says.address != ip and not (says.line.in_block or _is_exact(says.line, [name])):
        return row(ChangeKind.REPLACE, f"line {says.number} says {says.address}: {show(says.line)}; ours goes above it")
    wrong = [line for line in had if not line.startswith(f"{ip} ") and not line.startswith(f"{ip}\t")]
    return row(ChangeKind.REPLACE, f"stale: {wrong[0]}" if wrong else "the same line is there more than once")


def _is_exact(line: HostsLine, names: Collection[str]) -> bool:
    """Return whether a line is nothing but an address and one of these names, as the lab's `tee -a` left it."""
    return line.exact is not None and line.exact[1] in names


def _join(
    lines: Sequence[HostsLine], kept: Sequence[HostsLine], target: Mapping[str, IPv4Address], below: Collection[int]
) -> bytes:
    """Return the kept lines, with the block where it was before, else at the end; but above the lines `below` (ids)."""
    block = b""
    if target:
        rows = b"".join(f"{ip} {name}\n".encode("ascii") for name, ip in target.items())
        block = BEGIN + b"\n" + rows + END + b"\n"
    stays = {id(line) for line in kept}
    was = [i for i, line in enumerate(lines) if line.in_block]
    place = min([*was[:1], *(i for i, line in enumerate(lines) if id(line) in below)], default=len(lines))
    parts = [[x.text + x.ending for x in some if id(x) in stays] for some in (lines[:place], lines[place:])]
    head, tail = map(b"".join, parts)
    if block and place == len(lines) and head and not head.endswith(b"\n"):
        head += b"\n"
    if block and was and place == was[0] and not tail and not lines[was[-1]].ending:
        block = block[:-1]
    return head + block + tail
