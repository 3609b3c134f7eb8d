"""What is there and not wanted: other routes in the cluster CIDR, in the kernel and in files. Pure.

Nothing goes on a guess: what leads to a worker that was not read stays as it is.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts, Route, by_prefix
from kthw_routes.iproute2.edits import NO_EDIT, Edit, give_back, take_away
from kthw_routes.options import Options
from kthw_routes.persistence.managers import Persisted
from kthw_routes.plan.changes import BY_PRUNE, BY_REPAIR, ChangeKind, RouteChange, describe
from kthw_routes.plan.network_plugins import plugin_in, plugin_of

_Hop = IPv4Address | None
"""A next hop; None for an on-link route."""


def overridden_by(node: Node, routes: Iterable[Route]) -> Route | None:
    """Return the first of the routes that leads the node's own pods away."""
    if node.pod_cidr is None:
        return None
    return next((r for r in routes if _leads_away(r) and r.prefix.subnet_of(node.pod_cidr)), None)


def rows(
    owners: "Owners",
    node: Node,
    facts: HostFacts,
    routes: Iterable[Route],
    persisted: Persisted,
    options: Options,
) -> list[RouteChange]:
    """Return those of the routes in the cluster CIDR that are not the node's own, a row per prefix.

    `routes`: those of the host for whose prefixes none is wanted.
    """
    found: list[RouteChange] = []
    for prefix, has in by_prefix(routes).items():
        if not prefix.subnet_of(owners.cluster_cidr):
            continue
        if all(r.is_kernel or _is_own(node, r) for r in has):
            continue
        if node.pod_cidr is not None and prefix.subnet_of(node.pod_cidr):
            found.append(_own_cidr_row(node, prefix, has, facts, options))
            continue
        row = _row(owners, node, has, [r for r in has if r.is_tagged or (prefix, r.gateway) in persisted], options)
        overridden = owners.around(prefix) if row.kind is ChangeKind.FOREIGN else None
        if overridden is not None and overridden != node.name:
            row = replace(row, reason=f"a part of {overridden}'s pod CIDR, led elsewhere: {describe(has[0])}")
        found.append(row)
    return found


def rows_of_files(
    owners: "Owners",
    node: Node,
    facts: HostFacts,
    wanted: Iterable[RouteChange],
    persisted: Persisted,
    options: Options,
) -> list[RouteChange]:
    """Return what only files of ours hold, and nobody wants: the next boot would bring it back."""
    if not persisted:
        return []
    there = {*(row.prefix for row in wanted), *(r.prefix for r in facts.routes)}
    found: list[RouteChange] = []
    for (prefix, hop), place in persisted.items():
        owner = owners.of(prefix)
        spare = owner is None or not options.routes_on.counts(node)
        if prefix in there or not prefix.subnet_of(owners.cluster_cidr) or not spare:
            continue
        if owners.unread([hop]) or owners.gone(prefix, [hop]) or _overlaps(prefix, node):
            continue
        marked = (node.name, prefix) in options.marked
        goes = f"goes from there ({'marked' if marked else '--prune'})"
        rollback = goes if marked or options.prune else _how_it_goes(owner)
        why = f"in {place} only; {_why_stale(owner)}; {rollback}"
        found.append(RouteChange(kind=ChangeKind.STALE, prefix=prefix, worker=owner, reason=why))
        there.add(prefix)  # a row per prefix, however many next hops are held
    return found


def _why_stale(owner: str | None) -> str:
    """Return why a route of ours is not wanted. `owner`: the worker, if any, that has its prefix."""
    return "controllers get no routes now" if owner else "leads to no worker listed"


def _how_it_goes(owner: str | None) -> str:
    """Return what may be done with it."""
    return f"{'--routes-on all keeps it right, ' if owner else ''}{BY_PRUNE}"


def drops(
    owners: "Owners",
    node: Node,
    facts: HostFacts,
    persisted: Persisted,
    changes: Sequence[RouteChange],
    options: Options,
) -> Callable[[IPv4Network], bool]:
    """Return which prefixes that a file of ours has, other than the wanted ones, are removed from it.

    What lies outside the cluster CIDR is never ours to make. Those of workers that are gone; and those whose routes
    would come up at the next boot before the kernel's own, and win: the node's own pod CIDR, and what an interface of
    the node has an address in.
    """

    @cache
    def led_to() -> Mapping[IPv4Network, Sequence[_Hop]]:  # most hosts have no such file
        hops: defaultdict[IPv4Network, list[_Hop]] = defaultdict(list)
        for prefix, hop in (*((r.prefix, r.gateway) for r in facts.routes), *persisted):
            hops[prefix].append(hop)
        return hops

    @cache
    def never() -> Collection[IPv4Network]:
        return {row.prefix for row in changes if row.kind is ChangeKind.FOREIGN and row.next_hop is not None}

    def goes(prefix: IPv4Network) -> bool:
        if not prefix.subnet_of(owners.cluster_cidr) or _overlaps(prefix, node) or prefix in never():
            return True
        hops = led_to().get(prefix, ())
        if owners.gone(prefix, hops):
            return True
        spare = owners.of(prefix) is None or not options.routes_on.counts(node)
        asked = options.prune or (node.name, prefix) in options.marked
        return asked and spare and not owners.unread(hops)

    return goes


def _overlaps(prefix: IPv4Network, node: Node) -> bool:
    return node.pod_cidr is not None and prefix.overlaps(node.pod_cidr)


class Owners:
    """Whose a prefix and a next hop are, so that each route is looked at once, however many nodes there are.

    Attributes:
        cluster_cidr: the network of which all pod CIDRs are parts.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster_cidr: Final = cluster.cidr
        members = [n for n in cluster if n.is_member]
        gone = [n for n in cluster if n.is_worker and not n.is_member]
        self._hops: Final = {n.internal for n in members if n.internal is not None}
        self._workers: Final[dict[IPv4Network, str]] = {}
        self._guessed: Final[dict[IPv4Address, str]] = {}
        for worker in cluster.workers:
            if worker.pod_cidr is not None:
                self._workers.setdefault(worker.pod_cidr, worker.name)
            if worker.internal is not None and worker.is_guessed:
                self._guessed.setdefault(worker.internal, worker.name)
        self._gone: Final = gone
        self._gone_by_hop: Final[dict[IPv4Address, int]] = {}
        self._gone_by_cidr: Final[defaultdict[IPv4Network, list[int]]] = defaultdict(list)
        for number, node in enumerate(gone):
            if node.internal is not None and node.internal not in self._hops:
                self._gone_by_hop.setdefault(node.internal, number)
            if node.pod_cidr is not None:
                self._gone_by_cidr[node.pod_cidr].append(number)
        self._lengths: Final = sorted({cidr.prefixlen for cidr in self._workers})

    def of(self, prefix: IPv4Network) -> str | None:
        """Return the worker whose pod CIDR this is."""
        return self._workers.get(prefix)

    def around(self, prefix: IPv4Network) -> str | None:
        """Return the worker of whose pod CIDR this is a part, and not the whole; else None."""
        around = (prefix.supernet(new_prefix=length) for length in self._lengths if length < prefix.prefixlen)
        return next((self._workers[cidr] for cidr in around if cidr in self._workers), None)

    def unread(self, hops: Iterable[_Hop]) -> str | None:
        """Return the worker of one of the hops that was not read, and whose pod CIDR is a guess; else None."""
        return next((self._guessed[hop] for hop in hops if hop in self._guessed), None)

    def gone(self, prefix: IPv4Network, hops: Collection[_Hop]) -> str | None:
        """Return the worker, removed for good, to which a route leads: by its next hop, or by its pod CIDR; else None.

        Of one whose pod CIDR was never read, that is a guess: another worker's route may have it.
        """
        by_hop = (self._gone_by_hop[hop] for hop in hops if hop in self._gone_by_hop)
        leads_to_members = any(hop in self._hops for hop in hops)
        by_cidr = (
            number
            for number in self._gone_by_cidr.get(prefix, ())
            if not (self._gone[number].is_guessed and leads_to_members)
        )
        first = min((*by_hop, *by_cidr), default=None)
        return self._gone[first].name if first is not None else None


def _is_own(node: Node, route: Route) -> bool:
    """Return whether the route leads into the node's own pod CIDR, on its own links."""
    return node.pod_cidr is not None and route.prefix.subnet_of(node.pod_cidr) and not _leads_away(route)


def _leads_away(route: Route) -> bool:
    """Return whether packets for the prefix leave the node, or end there."""
    if route.is_kernel or plugin_of(route) is not None:  # Calico has a black hole for its own block, for one
        return False
    return route.gateway is not None or bool(route.multipath) or route.type != "unicast"


def _own_cidr_row(
    node: Node, prefix: IPv4Network, has: tuple[Route, ...], facts: HostFacts, options: Options
) -> RouteChange:
    """Return the row of a route that overrides the node's own pod CIDR; it is repaired where that is asked for."""
    away = [r for r in has if _leads_away(r)]
    reason = f"leads this node's own pods away: {describe(away[0])}"
    if not options.repair and (node.name, prefix) not in options.marked:
        return RouteChange(
            kind=ChangeKind.FOREIGN, prefix=prefix, worker=None, has=has, reason=f"{reason}; {BY_REPAIR}"
        )
    bridge = next((b for b in facts.bridges if b.is_up and b.address.network == prefix), None)
    edit = give_back(away, has, bridge)
    whole = next((b for b in facts.bridges if b.is_up and prefix.subnet_of(b.address.network)), None)
    back = "; no bridge of these pods is up yet"
    if bridge is not None:
        back = f"; the route of {bridge.device} comes back"
    elif whole is not None:
        back = f"; {whole.device} has the whole of these pods"
    return RouteChange(
        kind=ChangeKind.REPLACE, prefix=prefix, worker=node.name, has=has, reason=reason + back, edit=edit
    )


def _row(owners: Owners, node: Node, has: tuple[Route, ...], ours: list[Route], options: Options) -> RouteChange:
    prefix, hops = has[0].prefix, [r.gateway for r in has]
    gone = owners.gone(prefix, [r.gateway for r in ours]) if ours else None
    owner = owners.of(prefix) or gone

    def row(kind: ChangeKind, reason: str, edit: Edit = NO_EDIT) -> RouteChange:
        return RouteChange(kind=kind, prefix=prefix, worker=owner, has=has, reason=reason, edit=edit)

    if gone:
        return row(ChangeKind.REMOVE, f"{gone} was removed for good", take_away(ours, has))
    if ours and (unread := owners.unread(hops)):
        return row(ChangeKind.KEEP, f"ours; leads to {unread}, which was not read")
    if ours and owner and options.routes_on.counts(node):
        return row(ChangeKind.STALE, f"ours; {owner} has no next hop to compare with")
    marked = (node.name, prefix) in options.marked
    if ours:
        why = _why_stale(owner)
        if options.prune or marked:
            return row(ChangeKind.REMOVE, f"{why} ({'marked' if marked else '--prune'})", take_away(ours, has))
        return row(ChangeKind.STALE, f"ours; {why}; {_how_it_goes(owner)}")
    removable = [r for r in has if not r.is_kernel and plugin_of(r) is None]
    if marked and removable:
        return row(ChangeKind.REMOVE, "foreign, marked for removal", take_away(removable, has))
    if plugin := plugin_in(has):
        return row(ChangeKind.FOREIGN, f"{plugin}'s own: {describe(has[0])}")
    return row(ChangeKind.FOREIGN, f"neither wanted nor ours: {describe(has[0])}")
