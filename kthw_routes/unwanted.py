"""What is there and not wanted: routes in the cluster CIDR beside the wanted ones, in the kernel and in files. Pure.

Nothing goes on a guess: what leads to a worker that was not read stays as it is.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.changes import BY_PRUNE, BY_REPAIR, ChangeKind
from kthw_routes.cluster import Cluster, Node
from kthw_routes.host_plan import RouteChange, describe
from kthw_routes.observed import HostFacts, Route
from kthw_routes.options import Options
from kthw_routes.persistence.held import Held
from kthw_routes.route_edits import NO_EDIT, Edit, give_back, take_away


def routed_away(node: Node, facts: HostFacts) -> Route | None:
    """The first route that leads the node's own pods away."""
    if node.pod_cidr is None:
        return None
    return next((r for r in facts.routes if r.prefix.subnet_of(node.pod_cidr) and _leads_away(r)), None)


def rows(
    cluster: Cluster, node: Node, facts: HostFacts, wanted: Collection[IPv4Network], held: Held, options: Options
) -> list[RouteChange]:
    """The routes in the cluster CIDR that are neither wanted nor the node's own, a row per prefix."""
    members = {w.pod_cidr: w.name for w in cluster.workers if w.pod_cidr}
    found: list[RouteChange] = []
    for prefix in dict.fromkeys(r.prefix for r in facts.routes):
        if prefix in wanted or not prefix.subnet_of(cluster.cidr):
            continue
        has = tuple(r for r in facts.routes if r.prefix == prefix)
        if all(r.is_kernel or _is_own(node, r) for r in has):
            continue
        if node.pod_cidr is not None and prefix.subnet_of(node.pod_cidr):
            found.append(_own_cidr_row(node, prefix, has, facts, options))
            continue
        row = _row(cluster, node, has, [r for r in has if r.is_tagged or (prefix, r.gateway) in held], options)
        robbed = next((n for cidr, n in members.items() if prefix != cidr and prefix.subnet_of(cidr)), None)
        if row.kind is ChangeKind.FOREIGN and robbed and robbed != node.name:
            row = replace(row, reason=f"a part of {robbed}'s pod CIDR, led elsewhere: {describe(has[0])}")
        found.append(row)
    return found


def rows_of_files(
    cluster: Cluster, node: Node, facts: HostFacts, wanted: Collection[IPv4Network], held: Held, options: Options
) -> list[RouteChange]:
    """What only files of ours hold, and nobody wants: the next boot would bring it back."""
    there = {*wanted, *(r.prefix for r in facts.routes)}
    members = {w.pod_cidr: w.name for w in cluster.workers}
    found: list[RouteChange] = []
    for (prefix, hop), place in held.items():
        owner = members.get(prefix)
        spare = owner is None or not options.routes_on.counts(node)
        if prefix in there or not prefix.subnet_of(cluster.cidr) or not spare:
            continue
        if _unread(cluster, [hop]) or _gone(cluster, prefix, [hop]) or _overlaps(prefix, node):
            continue
        marked = (node.name, prefix) in options.marked
        goes = f"goes from there ({'marked' if marked else '--prune'})"
        fate = goes if marked or options.prune else _how_it_goes(owner)
        why = f"in {place} only; {_why_stale(owner)}; {fate}"
        found.append(RouteChange(ChangeKind.STALE, prefix, owner, None, (), why))
        there.add(prefix)  # a row per prefix, however many next hops are held
    return found


def _why_stale(owner: str | None) -> str:
    """Why a route of ours is not wanted. `owner`: the worker, if any, that has its prefix."""
    return "controllers get no routes now" if owner else "leads to no worker listed"


def _how_it_goes(owner: str | None) -> str:
    """What may be done with it."""
    return f"{'--routes-on all keeps it right, ' if owner else ''}{BY_PRUNE}"


def drops(
    cluster: Cluster, node: Node, facts: HostFacts, held: Held, changes: Sequence[RouteChange], options: Options
) -> Callable[[IPv4Network], bool]:
    """Which prefixes that a file of ours holds, beside the wanted ones, go from it.

    What lies outside the cluster CIDR is never ours to make. Those of workers that are gone; and those whose routes
    would come up at the next boot before the kernel's own, and win: the node's own pod CIDR, and what an interface of
    the node has an address in.
    """
    members = {w.pod_cidr for w in cluster.workers}
    never = {row.prefix for row in changes if row.kind is ChangeKind.FOREIGN and row.next_hop is not None}

    def goes(prefix: IPv4Network) -> bool:
        if not prefix.subnet_of(cluster.cidr) or _overlaps(prefix, node) or prefix in never:
            return True
        hops = _hops(prefix, facts, held)
        if _gone(cluster, prefix, hops):
            return True
        spare = prefix not in members or not options.routes_on.counts(node)
        asked = options.prune or (node.name, prefix) in options.marked
        return asked and spare and not _unread(cluster, hops)

    return goes


def _overlaps(prefix: IPv4Network, node: Node) -> bool:
    return node.pod_cidr is not None and prefix.overlaps(node.pod_cidr)


def _hops(prefix: IPv4Network, facts: HostFacts, held: Held) -> list[IPv4Address | None]:
    """Where a prefix leads, in the kernel and in files."""
    return [*(r.gateway for r in facts.routes if r.prefix == prefix), *(hop for p, hop in held if p == prefix)]


def _unread(cluster: Cluster, hops: Iterable[IPv4Address | None]) -> str:
    """The worker to which one of the hops leads that was not read, and whose pod CIDR is a guess; else empty."""
    return next((w.name for hop in hops if hop for w in cluster.workers if w.internal == hop and w.is_guessed), "")


def _gone(cluster: Cluster, prefix: IPv4Network, hops: Collection[IPv4Address | None]) -> str:
    """The worker, removed for good, to which a route leads: by its next hop, or by its pod CIDR; else empty.

    Of one whose pod CIDR was never read, that is a guess: another worker's route may have it.
    """
    members = {n.internal for n in cluster if n.is_member and n.internal is not None}
    for node in cluster:
        if not node.is_worker or node.is_member:
            continue
        by_hop = node.internal is not None and node.internal in hops and node.internal not in members
        by_cidr = node.pod_cidr == prefix and not (node.is_guessed and any(hop in members for hop in hops))
        if by_hop or by_cidr:
            return node.name
    return ""


def _is_own(node: Node, route: Route) -> bool:
    """Whether the route leads into the node's own pod CIDR, on its own links."""
    return node.pod_cidr is not None and route.prefix.subnet_of(node.pod_cidr) and not _leads_away(route)


def _leads_away(route: Route) -> bool:
    """Whether packets for the prefix leave the node, or end there."""
    return not route.is_kernel and (route.gateway is not None or bool(route.multipath) or route.type != "unicast")


def _own_cidr_row(
    node: Node, prefix: IPv4Network, has: tuple[Route, ...], facts: HostFacts, options: Options
) -> RouteChange:
    """A route that leads the node's own pods away; taken away, and the bridge's put back, where that is asked for."""
    away = [r for r in has if _leads_away(r)]
    reason = f"leads this node's own pods away: {describe(away[0])}"
    if not options.repair and (node.name, prefix) not in options.marked:
        return RouteChange(ChangeKind.FOREIGN, prefix, None, None, has, f"{reason}; {BY_REPAIR}")
    bridge = next((b for b in facts.bridges if b.is_up and b.address.network == prefix), None)
    edit = give_back(away, has, bridge)
    whole = next((b for b in facts.bridges if b.is_up and prefix.subnet_of(b.address.network)), None)
    back = "; no bridge of these pods is up yet"
    if bridge is not None:
        back = f"; the route of {bridge.device} comes back"
    elif whole is not None:
        back = f"; {whole.device} has the whole of these pods"
    return RouteChange(ChangeKind.REPLACE, prefix, node.name, None, has, reason + back, edit.commands, edit.inverse)


def _row(cluster: Cluster, node: Node, has: tuple[Route, ...], ours: list[Route], options: Options) -> RouteChange:
    prefix, hops = has[0].prefix, [r.gateway for r in has]
    gone = _gone(cluster, prefix, [r.gateway for r in ours]) if ours else ""
    owner = next((w.name for w in cluster.workers if w.pod_cidr == prefix), None) or gone or None

    def row(kind: ChangeKind, reason: str, edit: Edit = NO_EDIT) -> RouteChange:
        return RouteChange(kind, prefix, owner, None, has, reason, edit.commands, edit.inverse)

    if gone:
        return row(ChangeKind.REMOVE, f"{gone} was removed for good", take_away(ours, has))
    if ours and (unread := _unread(cluster, hops)):
        return row(ChangeKind.KEEP, f"ours; leads to {unread}, which was not read")
    if ours and owner and options.routes_on.counts(node):
        return row(ChangeKind.STALE, f"ours; {owner} has no next hop to compare with")
    marked = (node.name, prefix) in options.marked
    if ours:
        why = _why_stale(owner)
        if options.prune or marked:
            return row(ChangeKind.REMOVE, f"{why} ({'marked' if marked else '--prune'})", take_away(ours, has))
        return row(ChangeKind.STALE, f"ours; {why}; {_how_it_goes(owner)}")
    removable = [r for r in has if not r.is_kernel]
    if marked and removable:
        return row(ChangeKind.REMOVE, "foreign, marked for removal", take_away(removable, has))
    return row(ChangeKind.FOREIGN, f"neither wanted nor ours: {describe(has[0])}")
