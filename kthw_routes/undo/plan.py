"""Taking a run back: a plan like any other, from what its journal says and what is read now. Pure.

What somebody changed since the run is left alone and told. The journal is written before anything is sent, so how far
the run came is known only by reading: a row counts as changed by it where what it put there is there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts, HostFile, Route
from kthw_routes.findings.model import Finding, Level
from kthw_routes.iproute2.edits import NO_EDIT, become
from kthw_routes.persistence.managers import Persisted, persisted_in
from kthw_routes.persistence.paths import is_own
from kthw_routes.persistence.unit import BATCH, TIMER
from kthw_routes.plan.changes import (
    FORWARDING,
    ChangeKind,
    EtcHostsEdit,
    FileChange,
    HostPlan,
    Leftover,
    NameChange,
    Plan,
    Planner,
    RouteChange,
    describe,
)
from kthw_routes.plan.etc_hosts import lines_with
from kthw_routes.record.journal import HostRecord, Journal
from kthw_routes.sanitize import clean_line
from kthw_routes.undo.limits import REFUSED, Limits, refused
from kthw_routes.undo.reverse_patch import reverse

REFUSAL: Final = "record-refused"
"""The code of the finding that something in the record was not taken back because of what it asks for."""
AS_BEFORE: Final = "as before the run already"
_BLOCK: Final = "(the block)"
_NO_ONE: Final[Mapping[tuple[str, str], str]] = {}


def planner(
    journal: Journal,
    cluster: Cluster,
    later: Mapping[tuple[str, str], str] = _NO_ONE,
) -> Planner:
    """The planner that takes a run back.

    Args:
        journal: the run's.
        cluster: the nodes then, from which a prefix has its worker.
        later: (host, row) -> the newest later run that was about the same row.
    """
    owners = {w.pod_cidr: w.name for w in cluster.workers if w.pod_cidr}

    def plan(node: Node, facts: HostFacts) -> HostPlan:
        records = journal.of(node.name)
        by = {row: run for (host, row), run in later.items() if host == node.name}
        limits = Limits(cluster, node, facts)
        files = _files(records, facts, by, limits)
        now = _Now(facts, persisted_in(facts.network.files), _staying(files, facts, by))
        refused = journal.failed.get(node.name, frozenset())
        routes = tuple(
            _route(history, now, owners.get(history.prefix), by.get(str(history.prefix), ""), limits)
            for history in _histories(records, refused)
        )
        hosts_file, problem = _hosts_file(records, facts, by, limits)
        return HostPlan(
            node.name,
            routes,
            hosts_file,
            problem,
            files=files,
            forwarding=_forwarding(records, facts, by),
            leftovers=(*(Leftover(path) for path in facts.network.leftovers), *_empty_folders(records, facts)),
            rollbacks=facts.network.rollbacks,
        )

    return plan


def remarks(
    journal: Journal, facts: Mapping[str, HostFacts], later: Mapping[tuple[str, str], str] = _NO_ONE
) -> tuple[Finding, ...]:
    """What is left as it is and stands in no row of the plan."""
    found: list[Finding] = []
    for host, read in facts.items():
        before, by = _was_forwarding(journal.of(host), read), later.get((host, FORWARDING), "")
        if before is not None and (by or (not before and _has_pods(read))):
            is_now = "off" if before else "on"
            why = f"run {by} turned it {is_now} since; undo that first" if by else "pods run there by now"
            words = f"{host}: the run turned forwarding {is_now} ({FORWARDING}); it stays {is_now}, because {why}."
            found.append(Finding(f"forwarding-stays-{is_now}", Level.NOTICE, words, node=host))
    return tuple(found)


def refusals(plan: Plan) -> tuple[Finding, ...]:
    """That the record asks for what no run of this program does, host by host."""
    found: list[Finding] = []
    for host in plan.hosts:
        rows = {str(c.prefix): c.reason for c in host.routes}
        rows |= {f"/etc/hosts, {n.name}": n.reason for n in host.names}
        rows |= {clean_line(str(f.path)): f.reason for f in host.files}
        if names := [row for row, reason in rows.items() if reason.startswith(REFUSED)]:
            words = f"{host.node}: the run's record asks for what no run of kthw-routes does ({', '.join(names)})."
            hint = "That is left as it is. The record may not be one that kthw-routes wrote."
            found.append(Finding(REFUSAL, Level.NOTICE, words, hint, host.node))
    return tuple(found)


def _changed_since(by: str, what: str = "") -> str:
    """Why a row is left alone. What a later run was about counts as its own, also where the host looks the same."""
    whose, then = (f" by run {by}", "undo that first") if by else ("", "left as it is")
    return f"changed since{whose}{f': {what}' if what else ''}; {then}"


@dataclass(frozen=True, slots=True)
class _Now:
    """What is read on a host now."""

    facts: HostFacts
    persisted: Persisted
    """What its files hold."""
    staying: Persisted
    """What those of its files hold that stay though they are news since the run: they bring such a route back."""


# --- routes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _History:
    """What the run did to the routes of one prefix, in all of its tries."""

    prefix: IPv4Network
    before: tuple[Route, ...]
    """What was there without the run, in the kernel's order."""
    added: tuple[Route, ...]
    removed: tuple[Route, ...]
    refused: bool
    """Whether the host refused a part of it."""


def _histories(newest_first: Sequence[HostRecord], refused: frozenset[str]) -> list[_History]:
    histories: dict[IPv4Network, _History] = {}
    for record in reversed(newest_first):
        for row in record.routes:
            old = histories.get(row.prefix) or _History(row.prefix, (), (), (), str(row.prefix) in refused)
            added = (*old.added, *(r for r in row.after if not _is_among(r, (*row.before, *old.added))))
            mine = (*old.added, *old.before)
            histories[row.prefix] = replace(
                old,
                before=(*old.before, *(r for r in row.before if not _is_among(r, mine))),
                added=added,
                removed=(
                    *old.removed,
                    *(r for r in row.before if not _is_among(r, (*row.after, *old.added, *old.removed))),
                ),
            )
    return list(histories.values())


def _route(history: _History, now: _Now, owner: str | None, by: str, limits: Limits) -> RouteChange:
    has, persisted = tuple(r for r in now.facts.routes if r.prefix == history.prefix), now.persisted
    movable = [r for r in has if not r.is_kernel and _is_among(r, history.removed, persisted)]

    def row(kind: ChangeKind, reason: str, wanted: tuple[Route, ...] | None = None) -> RouteChange:
        try:
            edit = NO_EDIT if wanted is None else become(wanted, has, movable)
        except ValueError:  # a connected route that no command puts back
            kind, reason, edit = ChangeKind.FOREIGN, "only its interface brings this route back", NO_EDIT
        return RouteChange(kind, history.prefix, owner, None, has, reason, edit.commands, edit.inverse)

    if why := limits.routes(history.prefix, history.added, history.removed):
        return row(ChangeKind.FOREIGN, refused(why))
    stranger = next((r for r in has if not _is_among(r, (*history.before, *history.added), persisted)), None)
    if stranger is not None:
        return row(ChangeKind.FOREIGN, _changed_since(by, describe(stranger)))
    added = [r for r in has if not _is_among(r, history.before, persisted)]
    missing = [r for r in history.removed if not any(_is_same(r, h, persisted) for h in has)]
    # The kernel's own route goes only where the route comes back whose place it took.
    going = [r for r in added if not r.is_kernel or any(_key(m) == _key(r) for m in missing)]
    if not going and not missing:
        return row(ChangeKind.KEEP, AS_BEFORE)
    if not added and not history.refused and not _is_partly_removed(history, has, persisted):
        gone = "what the run left there is gone since, by a reboot perhaps; left as it is"
        return row(ChangeKind.FOREIGN, gone)
    if by:
        return row(ChangeKind.FOREIGN, _changed_since(by))
    if holder := next((now.staying[hop] for r in going if (hop := (r.prefix, r.gateway)) in now.staying), None):
        return row(ChangeKind.FOREIGN, f"{holder} holds it and stays; left as it is")
    wanted = tuple(
        stands if stands is not None else route
        for route in history.before
        for stands in [next((h for h in has if _is_same(route, h, persisted)), None)]
        if stands is not None or route in missing
    )
    if not wanted:
        return row(ChangeKind.REMOVE, "added by the run", wanted)
    if not going:
        return row(ChangeKind.ADD, f"removed by the run: {describe(missing[0])}", wanted)
    return row(ChangeKind.REPLACE, f"before the run: {describe(wanted[0])}", wanted)


def _is_partly_removed(history: _History, has: tuple[Route, ...], persisted: Persisted) -> bool:
    """Whether the run only took routes away here, and all that it left is there still."""
    left = [r for r in history.before if not _is_among(r, history.removed)]
    return not history.added and all(any(_is_same(r, h, persisted) for h in has) for r in left)


def _is_among(route: Route, recorded: Sequence[Route], persisted: Persisted | None = None) -> bool:
    return any(_is_same(r, route, persisted or {}) for r in recorded)


def _is_same(recorded: Route, read: Route, persisted: Persisted) -> bool:
    """Whether what was recorded (as read then, or as sent: without the device) is what is read now."""
    one = (recorded.type, recorded.gateway, recorded.multipath, recorded.metric, recorded.tos)
    other = (read.type, read.gateway, read.multipath, read.metric, read.tos)
    if one != other or recorded.source != read.source or recorded.extra != read.extra:
        return False
    if recorded.device is not None and recorded.device != read.device:
        return False
    # netplan brings a route of ours back as `proto static`.
    ours = recorded.is_tagged and _is_persisted(read, persisted)
    return recorded.protocol == read.protocol or ours


def _is_persisted(route: Route, persisted: Persisted) -> bool:
    hop: IPv4Address | None = route.gateway
    return (route.prefix, hop) in persisted


def _key(route: Route) -> tuple[int, int]:
    return route.metric, route.tos


# --- /etc/hosts -------------------------------------------------------------------------------------------------


def _hosts_file(
    newest_first: Sequence[HostRecord], facts: HostFacts, by: Mapping[str, str], limits: Limits
) -> tuple[EtcHostsEdit | None, str]:
    """The edit that takes the run's edits back, or why there is none; nothing where the run left the file alone."""
    edits = [r.hosts_file for r in newest_first if r.hosts_file is not None]
    if not edits:
        return None, ""
    now = facts.etc_hosts
    if now is None:
        why = facts.etc_hosts_problem or "there is no /etc/hosts that could be read"
        return None, f"{why}, so the workers' names in it are left as they are."
    taken = reverse(now, *((e.before, e.after) for e in edits))
    back = taken.content
    names = dict.fromkeys(name for e in edits for name in e.names)
    if why := limits.names(now, back):
        kept = [NameChange(ChangeKind.FOREIGN, name, None, (), refused(why)) for name in (*names, _BLOCK)]
        return EtcHostsEdit(now, now, tuple(kept), ()), ""
    differing = [name for name in names if _naming(back, name) != _naming(now, name)]
    if run := next((by[name] for name in differing if name in by), ""):  # lines of one block: all of them stay
        left = bool(taken.left)
        rows = [_name(name, now, now, edits[-1].before, left or name in differing, by.get(name, run)) for name in names]
        return EtcHostsEdit(now, now, tuple(rows), ()), ""
    rows = [_name(name, now, back, edits[-1].before, bool(taken.left), by.get(name, "")) for name in names]
    if back != now and not any(r.kind.is_change for r in rows):
        rows.append(NameChange(ChangeKind.REPLACE, _BLOCK, None, (), "as before the run"))
    return EtcHostsEdit(now, back, tuple(rows), ()), ""


def _name(name: str, now: bytes, back: bytes, before: bytes, left: bool, by: str) -> NameChange:
    has, gets = _naming(now, name), _naming(back, name)
    shown = tuple(clean_line(line.decode("utf-8", "replace")) for line in has)
    address = _address(gets) or _address(has)
    if has == gets:
        if left and has != _naming(before, name):
            return NameChange(ChangeKind.FOREIGN, name, address, shown, _changed_since(by))
        return NameChange(ChangeKind.KEEP, name, address, shown, AS_BEFORE)
    if not gets:
        return NameChange(ChangeKind.REMOVE, name, address, shown, "added by the run")
    kind = ChangeKind.REPLACE if has else ChangeKind.ADD
    return NameChange(kind, name, address, shown, "as before the run")


def _naming(content: bytes, name: str) -> list[bytes]:
    word = name.encode("utf-8", "replace")
    lines = (content[start:end] for start, end in lines_with(content, [word] if word else []))
    return [line.strip() for line in lines if word in line.split(b"#", 1)[0].split()[1:]]


def _address(lines: Sequence[bytes]) -> IPv4Address | None:
    try:
        return IPv4Address(lines[0].split()[0].decode("ascii")) if lines else None
    except ValueError:
        return None


# --- files, forwarding ------------------------------------------------------------------------------------------


def _files(
    newest_first: Sequence[HostRecord], facts: HostFacts, by: Mapping[str, str], limits: Limits
) -> tuple[FileChange, ...]:
    tries: dict[PurePosixPath, list[FileChange]] = {}
    for record in newest_first:
        for change in record.files:
            tries.setdefault(change.path, []).append(change)
    return tuple(_within(limits, changes, facts, by.get(str(path), "")) for path, changes in tries.items())


def _within(limits: Limits, newest_first: Sequence[FileChange], facts: HostFacts, by: str) -> FileChange:
    """The row of one file, unless what the record asks for is none of a run's."""
    first = newest_first[-1]
    if why := next((why for change in newest_first if (why := limits.path(change))), ""):
        return FileChange(ChangeKind.FOREIGN, first.path, None, None, 0, refused(why), is_ours=False)
    row = _file(newest_first, facts, by)
    if not row.kind.is_change or row.after is None:
        return row
    if row.is_ours:
        why = limits.content(HostFile(row.path, row.mode, row.after))
    else:
        why = limits.names(row.before or b"", row.after, template=True)
    return replace(row, kind=ChangeKind.FOREIGN, after=row.before, reason=refused(why)) if why else row


def _file(newest_first: Sequence[FileChange], facts: HostFacts, by: str) -> FileChange:
    first, last = newest_first[-1], newest_first[0]
    template = facts.network.hosts_template
    if last.is_ours:
        stands = facts.network.file(last.path)
    else:
        stands = template if template is not None and template.path == last.path else None
    now = stands.content if stands is not None else None
    mode = stands.mode if stands is not None and last.is_ours else None
    modes = {m for c in newest_first for m in (c.before_mode, c.mode)}
    starts = facts.network.timer_is_enabled if last.path == TIMER and now is not None else None

    def row(kind: ChangeKind, after: bytes | None, reason: str) -> FileChange:
        return FileChange(
            kind,
            last.path,
            now,
            after,
            first.before_mode if first.before_mode is not None else last.mode,
            reason,
            stands.mode if stands is not None else None,
            last.is_ours,
            last.folder_is_ours or first.folder_is_ours,
            is_enabled=first.was_enabled if kind.is_change or starts is None else starts,
            was_enabled=first.was_enabled if starts is None else starts,
        )

    has_mode = mode is None or first.before_mode in (None, mode)
    is_switched = starts is not None and starts != first.was_enabled and starts == last.is_enabled
    if now == first.before and has_mode and not is_switched:
        return row(ChangeKind.KEEP, now, AS_BEFORE)
    if last.is_ours:
        if all(now not in (c.before, c.after) for c in newest_first):
            return row(ChangeKind.FOREIGN, now, _changed_since(by))
        if mode is not None and mode not in modes:
            return row(ChangeKind.FOREIGN, now, _changed_since(by, f"its mode is {mode:04o}"))
        if by:
            return row(ChangeKind.FOREIGN, now, _changed_since(by))
        kind = ChangeKind.REMOVE if first.before is None else ChangeKind.ADD if now is None else ChangeKind.REPLACE
        return row(kind, first.before, "as before the run")
    if now is None:
        return row(ChangeKind.FOREIGN, now, "it is not used any more; left as it is")
    back = reverse(now, *((c.before or b"", c.after or b"") for c in newest_first))
    if back.content != now and by:
        return row(ChangeKind.FOREIGN, now, _changed_since(by))
    if back.content != now:
        return row(ChangeKind.REPLACE, back.content, "as before the run")
    if back.left:
        return row(ChangeKind.FOREIGN, now, _changed_since(by))
    return row(ChangeKind.KEEP, now, AS_BEFORE)


def _staying(files: Sequence[FileChange], facts: HostFacts, by: Mapping[str, str]) -> Persisted:
    """What is held by files that the run did not find so, and that stay: they were edited since, or a later run's.

    The unit's batch counts in any case where it stays: its timer would have the route back in seconds.
    """
    going = {f.path for f in files if f.kind.is_change}
    news = {f.path for f in files if f.kind is ChangeKind.FOREIGN} | {PurePosixPath(path) for path in by}
    news |= {BATCH} if facts.network.timer_is_enabled else set()
    return persisted_in(f for f in facts.network.files if f.path in news - going)


def _empty_folders(records: Sequence[HostRecord], facts: HostFacts) -> tuple[Leftover, ...]:
    """The folders that were made for files which never came to stand there."""
    made = {f.path.parent for r in records for f in r.files if f.folder_is_ours and f.before is None and is_own(f.path)}
    standing = {f.path.parent for f in facts.network.files}
    return tuple(Leftover(p, is_folder=True) for p in sorted(made & facts.network.folders - standing))


def _forwarding(newest_first: Sequence[HostRecord], facts: HostFacts, by: Mapping[str, str]) -> bool | None:
    """What forwarding is set to; None where it is left as it is."""
    before = _was_forwarding(newest_first, facts)
    if before is None or FORWARDING in by or (not before and _has_pods(facts)):
        return None
    return before


def _was_forwarding(newest_first: Sequence[HostRecord], facts: HostFacts) -> bool | None:
    """Whether the host forwarded packets before the run; None where that is so now, or the run left it alone."""
    switched = [r.forwarding for r in newest_first if r.forwarding is not None]
    return None if not switched or switched[-1] == facts.ip_forward else switched[-1]


def _has_pods(facts: HostFacts) -> bool:
    return bool(facts.pods) or facts.bridge is not None
