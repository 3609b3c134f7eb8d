"""Undo of a run's changes of routes: what it did to each prefix, in all its tries, against what is there now. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.facts import HostFacts, Route
from kthw_routes.iproute2.edits import NO_EDIT, become
from kthw_routes.persistence.managers import Persisted
from kthw_routes.plan.changes import ChangeKind, RouteChange, describe, is_same_route
from kthw_routes.record.journal import HostRecord
from kthw_routes.undo.limits import Limits
from kthw_routes.undo.reasons import AS_BEFORE, changed_since, refused


@dataclass(frozen=True, slots=True)
class Now:
    """What is read on a host now."""

    facts: HostFacts
    persisted: Persisted
    """What its files hold."""
    staying: Persisted
    """What those of its files hold that stay though they are news since the run: they bring such a route back."""


@dataclass(frozen=True, slots=True)
class History:
    """What the run did to the routes of one prefix, in all of its tries."""

    prefix: IPv4Network
    before: tuple[Route, ...]
    """What was there without the run, in the kernel's order."""
    added: tuple[Route, ...]
    removed: tuple[Route, ...]
    refused: bool
    """Whether the host refused a part of it."""


def histories(newest_first: Sequence[HostRecord], refused: frozenset[str]) -> list[History]:
    histories: dict[IPv4Network, History] = {}
    for record in reversed(newest_first):
        for row in record.routes:
            old = histories.get(row.prefix) or History(
                prefix=row.prefix, before=(), added=(), removed=(), refused=str(row.prefix) in refused
            )
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


def undo_route(history: History, now: Now, owner: str | None, by: str, limits: Limits) -> RouteChange:
    has, persisted = tuple(r for r in now.facts.routes if r.prefix == history.prefix), now.persisted
    movable = [r for r in has if not r.is_kernel and _is_among(r, history.removed, persisted)]

    def row(kind: ChangeKind, reason: str, wanted: tuple[Route, ...] | None = None) -> RouteChange:
        try:
            edit = NO_EDIT if wanted is None else become(wanted, has, movable)
        except ValueError:  # a connected route that no command puts back
            kind, reason, edit = ChangeKind.FOREIGN, "only its interface brings this route back", NO_EDIT
        return RouteChange(kind=kind, prefix=history.prefix, worker=owner, has=has, reason=reason, edit=edit)

    if why := limits.routes(history.prefix, history.added, history.removed):
        return row(ChangeKind.FOREIGN, refused(why))
    stranger = next((r for r in has if not _is_among(r, (*history.before, *history.added), persisted)), None)
    if stranger is not None:
        return row(ChangeKind.FOREIGN, changed_since(by, describe(stranger)))
    added = [r for r in has if not _is_among(r, history.before, persisted)]
    missing = [r for r in history.removed if not any(_is_same(r, h, persisted) for h in has)]
    # The kernel's own route goes only where the route comes back whose place it took.
    going = [r for r in added if not r.is_kernel or any(_key(m) == _key(r) for m in missing)]
    if not going and not missing:
        in_order = tuple(h for route in history.before for h in has if _is_same(route, h, persisted))
        if by or len(in_order) != len(has) or not become(in_order, has, movable).commands:
            return row(ChangeKind.KEEP, AS_BEFORE)
        return row(ChangeKind.REPLACE, "an undo that broke off left them in another order", in_order)
    if not added and not history.refused and not _is_partly_removed(history, has, persisted):
        gone = "what the run left there is gone since, by a reboot perhaps; left as it is"
        return row(ChangeKind.FOREIGN, gone)
    if by:
        return row(ChangeKind.FOREIGN, changed_since(by))
    if holder := next((now.staying[hop] for r in going if (hop := (r.prefix, r.gateway)) in now.staying), None):
        return row(ChangeKind.FOREIGN, f"{holder} holds it and stays; left as it is")
    wanted = tuple(
        there if there is not None else route
        for route in history.before
        for there in [next((h for h in has if _is_same(route, h, persisted)), None)]
        if there is not None or route in missing
    )
    if not wanted:
        return row(ChangeKind.REMOVE, "added by the run", wanted)
    if not going:
        return row(ChangeKind.ADD, f"removed by the run: {describe(missing[0])}", wanted)
    return row(ChangeKind.REPLACE, f"before the run: {describe(wanted[0])}", wanted)


def _is_partly_removed(history: History, has: tuple[Route, ...], persisted: Persisted) -> bool:
    """Return whether the run only took routes away here, and all that it left is there still."""
    left = [r for r in history.before if not _is_among(r, history.removed)]
    return not history.added and all(any(_is_same(r, h, persisted) for h in has) for r in left)


def _is_among(route: Route, recorded: Sequence[Route], persisted: Persisted | None = None) -> bool:
    return any(_is_same(r, route, persisted or {}) for r in recorded)


def _is_same(recorded: Route, read: Route, persisted: Persisted) -> bool:
    """Return whether both are one route. netplan brings a route of ours back as `proto static`."""
    if recorded.is_tagged and _is_persisted(read, persisted):
        recorded = replace(recorded, protocol=read.protocol)
    return is_same_route(recorded, read)


def _is_persisted(route: Route, persisted: Persisted) -> bool:
    hop: IPv4Address | None = route.gateway
    return (route.prefix, hop) in persisted


def _key(route: Route) -> tuple[int, int]:
    return route.metric, route.tos
