"""What should be: the wanted routes, compared with what each host has. Pure functions, from values to values.

Per worker one route per other worker, `POD CIDR via INTERNAL ADDRESS`, never one for its own pod CIDR. A plan says
for every route what becomes of it and why, the exact commands, and the commands that take them back.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes import etc_hosts
from kthw_routes.changes import ChangeKind
from kthw_routes.cluster import Cluster, Node
from kthw_routes.etc_hosts import EtcHostsEdit, NameChange
from kthw_routes.iproute2 import RouteCommand, pod_route
from kthw_routes.names import is_host_name
from kthw_routes.observed import HostFacts, Route
from kthw_routes.route_edits import NO_EDIT, Edit, put, take_away

__all__ = [
    "ChangeKind",
    "HostPlan",
    "Marked",
    "NameChange",
    "Plan",
    "RouteChange",
    "Wanted",
    "make",
    "wanted_routes",
]

Marked = frozenset[tuple[str, IPv4Network]]
"""Foreign routes that the person marked for removal: (host, prefix)."""

NOTHING_MARKED: Final[Marked] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """One route that a worker should have."""

    worker: str
    """The worker that it leads to."""
    prefix: IPv4Network
    """That worker's pod CIDR."""
    next_hop: IPv4Address
    """That worker's internal address."""


@dataclass(frozen=True, slots=True)
class RouteChange:
    """What becomes of one prefix in one host's main table."""

    kind: ChangeKind
    prefix: IPv4Network
    worker: str | None
    """The worker whose pod CIDR this is; None where it belongs to no worker."""
    next_hop: IPv4Address | None
    """The wanted next hop; None where no route is wanted."""
    has: tuple[Route, ...]
    """The routes of this prefix that the host has, in the kernel's order."""
    reason: str
    commands: tuple[RouteCommand, ...] = ()
    inverse: tuple[RouteCommand, ...] = ()
    """What takes the commands back, in the order in which it is to be run."""


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What is to be done on one host."""

    node: str
    routes: tuple[RouteChange, ...] = ()
    hosts_file: EtcHostsEdit | None = None
    """None where the names are not asked for."""
    hosts_file_problem: str = ""
    """Why the names cannot be edited; a sentence, or empty."""
    own_cidr_routed_away: Route | None = None
    """A route that leads the node's own pod CIDR to a gateway; shown, never touched here."""

    @property
    def commands(self) -> tuple[RouteCommand, ...]:
        """Every command on routes, in order; line N of the batch is the Nth of these, from 1."""
        return tuple(c for change in self.routes for c in change.commands)

    @property
    def inverse(self) -> tuple[RouteCommand, ...]:
        """What takes the commands on routes back, newest first."""
        return tuple(c for change in reversed(self.routes) for c in change.inverse)

    @property
    def names(self) -> tuple[NameChange, ...]:
        """The names in `/etc/hosts`, row by row."""
        return self.hosts_file.names if self.hosts_file else ()

    @property
    def route_changes(self) -> int:
        """How many rows of the routes change something."""
        return sum(1 for c in self.routes if c.kind.is_change)

    @property
    def name_changes(self) -> int:
        """How many names change."""
        return self.hosts_file.changes if self.hosts_file else 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.route_changes and not self.name_changes

    @property
    def is_drift(self) -> bool:
        """Whether the host is not as it should be. Foreign routes are no drift."""
        return not self.is_empty or self.own_cidr_routed_away is not None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done on every host that was looked at, in the cluster's order."""

    hosts: tuple[HostPlan, ...]

    @property
    def changes(self) -> int:
        """How many rows change something, on all hosts."""
        return sum(h.route_changes + h.name_changes for h in self.hosts)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do on any host."""
        return all(h.is_empty for h in self.hosts)

    @property
    def is_drift(self) -> bool:
        """Whether any host is not as it should be."""
        return any(h.is_drift for h in self.hosts)

    def host(self, name: str) -> HostPlan | None:
        """The plan for one host, if it was looked at."""
        return next((h for h in self.hosts if h.node == name), None)


def wanted_routes(cluster: Cluster, node: Node) -> tuple[Wanted, ...]:
    """The routes that `node` should have: one per other worker whose pod CIDR and internal address are known."""
    if not node.is_worker:
        return ()
    return tuple(
        Wanted(other.name, other.pod_cidr, other.internal)
        for other in cluster.workers
        if other.name != node.name and other.pod_cidr is not None and other.internal is not None
        if other.pod_cidr != node.pod_cidr
    )


def make(
    cluster: Cluster,
    facts: Mapping[str, HostFacts],
    *,
    prune: bool = False,
    names: bool = True,
    marked: Marked = NOTHING_MARKED,
) -> Plan:
    """The plan for every visited node of which there are facts.

    Args:
        cluster: membership gives the wanted routes, selection the hosts that are planned for.
        facts: node name -> what was read there.
        prune: whether routes of ours that lead to no worker listed are removed too.
        names: whether the controllers' `/etc/hosts` gets the workers' names.
        marked: foreign routes that the person wants removed.
    """
    hosts = [_plan_host(cluster, n, facts[n.name], prune, names, marked) for n in cluster.visited if n.name in facts]
    return Plan(tuple(hosts))


def _plan_host(cluster: Cluster, node: Node, facts: HostFacts, prune: bool, names: bool, marked: Marked) -> HostPlan:
    if node.is_worker:
        wanted = wanted_routes(cluster, node)
        rows = [_compare(w, facts) for w in wanted]
        rows += _unwanted(cluster, node, facts, {w.prefix for w in wanted}, prune, marked)
        return HostPlan(node.name, tuple(rows), own_cidr_routed_away=_routed_away(node, facts))
    if not names:
        return HostPlan(node.name)
    if facts.etc_hosts is None:
        problem = "there is no /etc/hosts that could be read, so the workers' names are not added to it."
        return HostPlan(node.name, hosts_file_problem=problem)
    gone = {n.name for n in cluster if n.is_worker and not n.is_member}
    addresses = {w.name: w.internal for w in cluster.workers if w.internal is not None and is_host_name(w.name)}
    try:
        return HostPlan(node.name, hosts_file=etc_hosts.edit(facts.etc_hosts, addresses, gone=gone, prune=prune))
    except etc_hosts.BrokenBlock as error:
        return HostPlan(node.name, hosts_file_problem=f"{error}; mend or remove these lines by hand.")


# --- one wanted route against what the host has -----------------------------------------------------------------


def _compare(wanted: Wanted, facts: HostFacts) -> RouteChange:
    has = tuple(r for r in facts.routes if r.prefix == wanted.prefix)

    def row(kind: ChangeKind, reason: str, edit: Edit = NO_EDIT) -> RouteChange:
        return RouteChange(
            kind, wanted.prefix, wanted.worker, wanted.next_hop, has, reason, edit.commands, edit.inverse
        )

    if kernel := next((r for r in has if r.is_kernel), None):
        return row(
            ChangeKind.FOREIGN,
            f"{kernel.device} has an address in {wanted.worker}'s pod CIDR; the kernel's own route is never touched",
        )
    right = [r for r in has if _is_right(r, wanted, facts)]
    if not has:
        return row(ChangeKind.ADD, "no route to it", put(pod_route(wanted.prefix, wanted.next_hop), has))
    if len(has) == 1 and right:
        tagged = "ours already" if right[0].is_tagged else f"right as it is (proto {right[0].protocol})"
        return row(ChangeKind.KEEP, tagged)
    if right:
        # The plainest of several: `ip route del` of a route with fewer attributes would match it first.
        keep = min(right, key=lambda r: (r.metric, bool(r.extra), r.source is not None))
        spare = [r for r in has if r is not keep]
        return row(
            ChangeKind.REPLACE, f"a second route beside the right one: {describe(spare[0])}", take_away(spare, has)
        )
    return row(
        ChangeKind.REPLACE,
        f"leads elsewhere: {describe(has[0])}",
        put(pod_route(wanted.prefix, wanted.next_hop), has),
    )


def _is_right(route: Route, wanted: Wanted, facts: HostFacts) -> bool:
    device = facts.device_towards(wanted.next_hop)
    return (
        route.type == "unicast"
        and route.gateway == wanted.next_hop
        and not route.multipath
        and route.tos == 0
        and (device is None or route.device in (None, device))
    )


def describe(route: Route) -> str:
    """A route in a few words: `via 192.168.138.48 metric 100`, `blackhole`, `dev cnio0`."""
    if route.type != "unicast":
        text = route.type
    elif route.multipath:
        text = "via " + " and ".join(str(h) for h in route.multipath)
    elif route.gateway is not None:
        text = f"via {route.gateway}"
    else:
        text = f"dev {route.device}"
    return f"{text} metric {route.metric}" if route.metric else text


# --- what is there and not wanted -------------------------------------------------------------------------------


def _is_own(node: Node, route: Route) -> bool:
    """Whether the route leads into the node's own pod CIDR, on its own links."""
    return node.pod_cidr is not None and route.prefix.subnet_of(node.pod_cidr) and not _leads_away(route)


def _leads_away(route: Route) -> bool:
    """Whether packets for the prefix leave the node, or end there."""
    return not route.is_kernel and (route.gateway is not None or bool(route.multipath) or route.type != "unicast")


def _routed_away(node: Node, facts: HostFacts) -> Route | None:
    if node.pod_cidr is None:
        return None
    return next(
        (r for r in facts.routes if r.prefix.subnet_of(node.pod_cidr) and _leads_away(r)),
        None,
    )


def _unwanted(
    cluster: Cluster,
    node: Node,
    facts: HostFacts,
    wanted: Collection[IPv4Network],
    prune: bool,
    marked: Marked,
) -> list[RouteChange]:
    """The routes in the cluster CIDR that are neither wanted nor the node's own, a row per prefix."""
    members = {w.pod_cidr: w.name for w in cluster.workers if w.pod_cidr}
    gone = {n.pod_cidr: n.name for n in cluster if n.is_worker and not n.is_member and n.pod_cidr}
    rows: list[RouteChange] = []
    seen: set[IPv4Network] = set()
    for route in facts.routes:
        prefix = route.prefix
        if prefix in seen or prefix in wanted or not prefix.subnet_of(cluster.cidr):
            continue
        seen.add(prefix)
        has = tuple(r for r in facts.routes if r.prefix == prefix)
        if all(r.is_kernel or _is_own(node, r) for r in has):
            continue
        owner = members.get(prefix) or gone.get(prefix)
        row = _unwanted_row(node, prefix, has, owner, prefix in gone, prune, (node.name, prefix) in marked)
        robbed = next((n for cidr, n in members.items() if prefix != cidr and prefix.subnet_of(cidr)), None)
        if row.kind is ChangeKind.FOREIGN and robbed and robbed != node.name:
            row = replace(row, reason=f"a part of {robbed}'s pod CIDR, led elsewhere: {describe(has[0])}")
        rows.append(row)
    return rows


def _unwanted_row(
    node: Node,
    prefix: IPv4Network,
    has: tuple[Route, ...],
    owner: str | None,
    gone: bool,
    prune: bool,
    marked: bool,
) -> RouteChange:
    def row(kind: ChangeKind, reason: str, edit: Edit = NO_EDIT) -> RouteChange:
        return RouteChange(kind, prefix, owner, None, has, reason, edit.commands, edit.inverse)

    if node.pod_cidr is not None and prefix.subnet_of(node.pod_cidr):
        return row(ChangeKind.FOREIGN, f"leads this node's own pods away: {describe(has[0])}")
    ours = [r for r in has if r.is_tagged]
    if ours and (gone or (prune and owner is None)):
        why = f"{owner} was removed for good" if owner else "leads to no worker listed (--prune)"
        return row(ChangeKind.REMOVE, why, take_away(ours, has))
    if ours:
        why = f"{owner} has no next hop to compare with" if owner else "leads to no worker listed; --prune removes it"
        return row(ChangeKind.STALE, f"ours; {why}")
    removable = [r for r in has if not r.is_kernel]
    if marked and removable:
        return row(ChangeKind.REMOVE, "foreign, marked for removal", take_away(removable, has))
    return row(ChangeKind.FOREIGN, f"neither wanted nor ours: {describe(has[0])}")
