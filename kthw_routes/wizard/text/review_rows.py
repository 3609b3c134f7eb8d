"""The rows of the review, and what each of them says in full: changes, and what there is to know before them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.findings import plan as finding_plan
from kthw_routes.findings.model import Finding, Level
from kthw_routes.options import Options
from kthw_routes.plan.changes import BY_PRUNE, BY_REPAIR, ChangeKind, FileChange, NameChange, RouteChange, describe
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.words import KIND_TONE, Tone, Words, count, level_tone, level_word, text_lines, unmet_request
from kthw_routes.workflow.results import Review

_SAID_ELSEWHERE: Final = frozenset(
    {"foreign-route", "stale-route", "not-persisted", "persisted-not-read", "hosts-file-is-rewritten"}
)
"""Findings of the plan that are rows of the difference anyway, or choices above it."""

Parts = Iterator[Words | str]


@dataclass(frozen=True, slots=True)
class ForwardingRow:
    """The kernel's switch of forwarding, turned now."""

    on: bool
    kind: ChangeKind = ChangeKind.REPLACE


@dataclass(frozen=True, slots=True)
class RemovalRow:
    """What an earlier run left behind; it goes."""

    what: str
    """In a cell."""
    why: str
    detail: str
    kind: ChangeKind = ChangeKind.REMOVE


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the review."""

    host: str
    change: RouteChange | NameChange | FileChange | ForwardingRow | RemovalRow | Finding

    @property
    def key(self) -> str:
        """Stable while the row is there."""
        match self.change:
            case Finding(code=code, sentence=sentence):
                return f"finding {code} {self.host} {sentence}"
            case RouteChange(prefix=prefix):
                what = f"route {prefix}"
            case NameChange(name=name):
                what = f"name {name}"
            case FileChange(path=path):
                what = f"file {path}"
            case ForwardingRow():
                what = "forwarding"
            case RemovalRow(detail=detail):
                what = f"goes {detail}"
        return f"{self.host} {what}"


def rows_of(review: Review) -> Iterable[Row]:
    """What is worth a look: warnings and skipped hosts first, then all that changes, then notices of the plan."""
    of_plan = () if review.undoes else finding_plan.of_plan(review.plan)
    before = review.findings[: len(review.findings) - len(of_plan)]
    for finding in (*before, *(f for f in of_plan if f.acknowledge)):
        if finding.acknowledge or finding.level is not Level.NOTICE:
            yield Row(finding.node or finding.region or "", finding)
    for host in review.plan.hosts:
        switch = () if host.forwarding is None else (ForwardingRow(host.forwarding),)
        left = (RemovalRow(x.path.name, f"{x.path.parent}: left by a killed run", str(x.path)) for x in host.leftovers)
        pending = (_cancelled(run) for run in host.rollbacks)
        changes = (*pending, *host.routes, *host.names, *host.files, *switch, *left)
        yield from (Row(host.node, c) for c in changes if c.kind is not ChangeKind.KEEP)
    for finding in of_plan:
        if finding.code not in _SAID_ELSEWHERE and not finding.acknowledge:
            yield Row(finding.node or "", finding)


def _cancelled(run: str) -> RemovalRow:
    why = "called off: what that run did stays, and is not taken back by this host itself (--commit-within)"
    return RemovalRow("timed undo", why, f"the timed undo of run {run}")


def cells(row: Row, room: int, box: bool | None) -> tuple[Words | str, ...]:
    """The row of the table.

    Args:
        row: what it says.
        room: how many characters there are for the reason.
        box: whether its box is ticked; None where it has none.
    """
    change, host = row.change, cut_middle(row.host, 16)
    mark = "" if box is None else "[x]" if box else "[ ]"
    if isinstance(change, Finding):
        word = level_word(change)
        shown = f"{mark} {word.partition(' ')[2]}" if mark else word
        return host, Words(shown, level_tone(change)), "", dim(cut(change.sentence.removeprefix(f"{host}: "), room))
    kind = Words(f"{mark or change.kind.mark} {change.kind}", KIND_TONE[change.kind])
    match change:
        case RouteChange():
            return host, kind, str(change.prefix), dim(cut(_why(change), room))
        case NameChange():
            return host, kind, f"name {change.name}", dim(cut(_why(change), room))
        case FileChange():
            return host, kind, cut_middle(change.path.name, 19), dim(cut(f"{change.path.parent}", room))
        case ForwardingRow():
            return host, kind, "ip_forward", dim(cut(f"{int(change.on)} from now on", room))
        case RemovalRow():
            return host, kind, cut_middle(change.what, 19), dim(cut(change.why, room))


def _why(change: RouteChange | NameChange) -> str:
    """The reason, with what one can do here."""
    words = change.reason.replace(BY_PRUNE, "Space marks it for removal")
    return words.replace(BY_REPAIR, "Space mends it, and asks first")


def cut(text: str, room: int) -> str:
    """`text` in at most `room` characters."""
    return text if len(text) <= room else f"{text[: room - 1]}…"


def finding_detail(finding: Finding, *, known: bool, ticks: bool) -> Parts:
    """A finding in full. `known`: it was ticked. `ticks`: Space ticks it here."""
    yield Words(f"{level_word(finding)}: ", level_tone(finding))
    yield finding.sentence
    if ticks:
        more = " Space takes the tick away." if known else " Space ticks it: I know."
    else:
        more = " You ticked it before." if known else ""
    yield dim(f"\n{finding.hint}{more}")


def route_detail(row: Row, change: RouteChange, review: Review, options: Options, *, can_mark: bool) -> Parts:
    """A route in full: what is there, what should be, the commands, the reason."""
    nodes = review.inspection.cluster

    def owner_of(ip: IPv4Address | None) -> str:
        owner = next((n.name for n in nodes if ip is not None and n.internal == ip), None)
        return f" ({owner})" if owner else ""

    owner = f" ({change.worker})" if change.worker else ""
    yield f"{row.host} → {change.prefix}{owner}   "
    yield Words(f"{change.kind.mark} {change.kind}", KIND_TONE[change.kind])
    for route in change.has:
        yield dim(f"\n  has    {describe(route)}{owner_of(route.gateway)}, proto {route.protocol}")
    if change.next_hop is not None:
        yield dim(f"\n  wants  via {change.next_hop}{owner_of(change.next_hop)}")
    for command in change.commands:
        yield f"\n  {command}"
    yield dim(f"\n  why    {_why(change)}")
    if is_marked(row, options):
        yield dim("; Space unmarks it")
    elif can_mark and change.kind is ChangeKind.FOREIGN and not is_own_cidr(review, row):
        yield dim("; left alone. Space marks it for removal")


def name_detail(row: Row, change: NameChange, options: Options) -> Parts:
    """A name in full."""
    yield f"{row.host} /etc/hosts: {change.name}   "
    yield Words(f"{change.kind.mark} {change.kind}", KIND_TONE[change.kind])
    yield dim(f"  {_why(change)}{'; Space unmarks it' if is_marked(row, options) else ''}")
    for line in change.has:
        yield dim(f"\n  has    {line}")
    if change.address is not None and change.kind is not ChangeKind.STALE:
        yield dim("\n  wants  ")
        yield f"{change.address} {change.name}"


def file_detail(row: Row, change: FileChange, review: Review) -> Parts:
    """A file with its whole text, then why it."""
    yield f"{row.host} {change.path}   "
    yield Words(f"{change.kind.mark} {change.kind}", KIND_TONE[change.kind])
    for line in file_lines(change):
        yield Words(f"\n  {line}", Tone.QUIET if change.after is None else Tone.PLAIN)
    yield dim(f"\nwhy    {change.reason}; its mode is {change.mode:04o}")
    host = review.plan.host(row.host)
    if change.is_ours and host is not None and host.persistence is not None and host.persistence.reason:
        yield dim(f"\nfound  {host.persistence.reason}")
    yield dim("\nEnter shows it by itself.")


def file_lines(change: FileChange) -> tuple[str, ...]:
    """The file's whole text as it will be; of one that goes, as it is."""
    return text_lines(change.after if change.after is not None else change.before or b"")


def file_heading(row: Row, change: FileChange) -> str:
    """What a file is called over its text."""
    return f"{row.host} {change.path}" + (", which goes" if change.after is None else "")


def rollback_detail(row: Row, change: ForwardingRow) -> Parts:
    """The switch of forwarding in full."""
    yield f"{row.host} net.ipv4.ip_forward   "
    yield Words(f"{change.kind.mark} {change.kind}", KIND_TONE[change.kind])
    yield f"\n  sysctl -w net.ipv4.ip_forward={int(change.on)}"
    yield dim("\n  why    the kernel passes no packet on to a pod while it is 0")


def removal_detail(row: Row, change: RemovalRow) -> Parts:
    """What an earlier run left behind, in full."""
    yield f"{row.host} {change.detail}   "
    yield Words(f"{change.kind.mark} {change.kind}", KIND_TONE[change.kind])
    yield dim(f"\n  why    {change.why}")


def only_stale(review: Review) -> str:
    """What can be done where all that is left is stale; empty where there is more to do, or nothing to mark."""
    changes = (row.change for row in rows_of(review) if can_be_marked(row))
    is_any = any(not isinstance(c, Finding) and c.kind is ChangeKind.STALE for c in changes)
    if not is_any or not review.plan.is_empty or unmet_request(review.plan):
        return ""
    unread = len(review.inspection.troubles)
    but = f"; {count(unread, 'node')} not read" if unread else ""
    return f"Nothing to add or replace; Space marks what is stale for removal{but}."


def in_short(review: Review) -> str:
    """The counts on one line."""
    if review.plan.is_empty:
        return "Nothing that can be done here; what is not as it should be stands above."
    hosts = [h for h in review.plan.hosts if not h.is_empty]
    kinds = (
        (sum(h.route_changes for h in hosts), "route"),
        (sum(h.name_changes for h in hosts), "name"),
        (sum(h.file_changes for h in hosts), "file"),
    )
    parts = [count(number, noun) for number, noun in kinds if number]
    unread = len(review.inspection.troubles)
    return f"{', '.join(parts)} on {count(len(hosts), 'node')}" + (f"; {unread} not read" if unread else "")


def is_own_cidr(review: Review, row: Row) -> bool:
    """Whether the row is of a route that leads the host's own pods away."""
    pods = review.inspection.cluster.node(row.host).pod_cidr
    return isinstance(row.change, RouteChange) and pods is not None and row.change.prefix.subnet_of(pods)


def is_marked(row: Row, options: Options) -> bool:
    """Whether the person marked what the row is of."""
    match row.change:
        case RouteChange(prefix=prefix):
            return (row.host, prefix) in options.marked
        case NameChange(name=name):
            return (row.host, name) in options.marked_names
    return False


def toggled(row: Row, options: Options) -> Options:
    """The options with the row marked, or not marked any more."""
    match row.change:
        case RouteChange(prefix=prefix):
            return replace(options, marked=options.marked ^ {(row.host, prefix)})
        case NameChange(name=name):
            return replace(options, marked_names=options.marked_names ^ {(row.host, name)})
    return options


def can_be_marked(row: Row) -> bool:
    """Whether Space marks what the row is of: for removal, or for the repair of an own pod CIDR."""
    change = row.change
    if isinstance(change, RouteChange | NameChange) and change.kind is ChangeKind.STALE:
        return BY_PRUNE in change.reason
    if not isinstance(change, RouteChange) or change.kind is not ChangeKind.FOREIGN:
        return False
    return any(not r.is_kernel for r in change.has) and change.next_hop is None
