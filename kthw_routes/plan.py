"""What should be: the wanted routes, compared with what each host has. Pure functions, from values to values.

Per worker one route per other worker, `POD CIDR via INTERNAL ADDRESS`, never one for its own pod CIDR. A plan says
for every route what becomes of it and why, the exact commands, and the commands that take them back.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network

from kthw_routes import etc_hosts, plan_files
from kthw_routes.changes import BY_PRUNE, ChangeKind
from kthw_routes.cluster import Cluster, Node
from kthw_routes.etc_hosts import NameChange
from kthw_routes.host_files import FileChange
from kthw_routes.host_plan import HostPlan, Plan, Planner, RouteChange, describe
from kthw_routes.iproute2 import pod_route
from kthw_routes.names import is_host_name
from kthw_routes.observed import HostFacts, HostFile, Route
from kthw_routes.options import DEFAULT_OPTIONS, NOTHING_MARKED, Marked, NamesOn, Options, RoutesOn
from kthw_routes.persistence.choice import choose
from kthw_routes.persistence.held import Held, held_in
from kthw_routes.persistence.model import Choice, HeldRoute, Persist
from kthw_routes.route_edits import NO_EDIT, Edit, give_back, put, take_away

__all__ = [
    "NOTHING_MARKED",
    "ChangeKind",
    "FileChange",
    "HostPlan",
    "Marked",
    "NameChange",
    "Plan",
    "Planner",
    "RouteChange",
    "Wanted",
    "describe",
    "make",
    "of_hosts",
    "planner",
    "wanted_names",
    "wanted_routes",
    "what_auto_takes",
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One route that a worker should have."""

    worker: str
    """The worker that it leads to."""
    prefix: IPv4Network
    """That worker's pod CIDR."""
    next_hop: IPv4Address
    """That worker's internal address."""


def wanted_routes(cluster: Cluster, node: Node, routes_on: RoutesOn = RoutesOn.WORKERS) -> tuple[Wanted, ...]:
    """The routes that `node` should have: one per other worker whose pod CIDR and internal address are known."""
    if not routes_on.counts(node):
        return ()
    return tuple(
        Wanted(other.name, other.pod_cidr, other.internal)
        for other in cluster.workers
        if other.name != node.name and other.pod_cidr is not None and other.internal is not None
        if other.pod_cidr != node.pod_cidr
    )


def wanted_names(cluster: Cluster, node: Node) -> dict[str, IPv4Address]:
    """The names that `/etc/hosts` of `node` should hold, where it is to hold names: worker -> internal address."""
    return {
        w.name: w.internal
        for w in cluster.workers
        if w.internal is not None and is_host_name(w.name) and w.name != node.name  # its own name is its own affair
    }


def planner(cluster: Cluster, options: Options) -> Planner:
    """The planner that makes it so. Membership gives the wanted routes, not selection."""

    def plan(node: Node, facts: HostFacts) -> HostPlan:
        return _plan_host(cluster, node, facts, options)

    return plan


def make(cluster: Cluster, facts: Mapping[str, HostFacts], options: Options = DEFAULT_OPTIONS) -> Plan:
    """The plan for every visited node of which there are facts (node name -> what was read there)."""
    return of_hosts(planner(cluster, options), cluster, facts)


def of_hosts(plan: Planner, cluster: Cluster, facts: Mapping[str, HostFacts]) -> Plan:
    """The plan for every visited node of which there are facts, as this planner makes it."""
    return Plan(tuple(plan(node, facts[node.name]) for node in cluster.visited if node.name in facts))


def _plan_host(cluster: Cluster, node: Node, facts: HostFacts, options: Options) -> HostPlan:
    held = held_in(facts.network.files)
    rows: list[RouteChange] = []
    if options.routes_on.counts(node) or any(r.is_tagged or (r.prefix, r.gateway) in held for r in facts.routes):
        wanted = wanted_routes(cluster, node, options.routes_on)
        rows = [_compare(w, facts, held, cluster) for w in wanted]
        rows += _unwanted(cluster, node, facts, {w.prefix for w in wanted}, held, options)
    files = plan_files.of_host(node, facts, _to_hold(rows, facts), _drops(cluster, node, rows, options), options)
    plan = HostPlan(
        node.name,
        tuple(rows),
        own_cidr_routed_away=_routed_away(node, facts) if node.is_worker else None,
        files=files.changes,
        persistence=files.choice,
        forwarding=files.forwarding,
        switches=facts.network.switches,
    )
    return _with_names(plan, cluster, node, facts, options)


def _to_hold(rows: Sequence[RouteChange], facts: HostFacts) -> tuple[HeldRoute, ...]:
    """The wanted routes, as a file would hold them."""
    return tuple(
        HeldRoute(row.prefix, row.next_hop, device)
        for row in rows
        if row.next_hop is not None and row.kind is not ChangeKind.FOREIGN
        if (device := facts.device_towards(row.next_hop)) is not None
    )


def what_auto_takes(host: HostPlan, facts: HostFacts) -> Choice:
    """Who would hold a host's routes with `--persist auto`, and why; for the question that comes before the answer."""
    return choose(Persist.AUTO, facts.network, _to_hold(host.routes, facts))


def _drops(
    cluster: Cluster, node: Node, rows: Sequence[RouteChange], options: Options
) -> Callable[[IPv4Network], bool]:
    """Which prefixes that a file of ours holds, beside the wanted ones, go from it.

    Those of workers that are gone; and those whose routes would come up at the next boot before the kernel's own, and
    win: the node's own pod CIDR, and what an interface of the node has an address in.
    """
    members = {w.pod_cidr for w in cluster.workers}
    gone = {n.pod_cidr for n in cluster if n.is_worker and not n.is_member}
    never = {row.prefix for row in rows if row.kind is ChangeKind.FOREIGN and row.next_hop is not None}

    def drops(prefix: IPv4Network) -> bool:
        own = node.pod_cidr is not None and prefix.overlaps(node.pod_cidr)
        spare = prefix not in members or not options.routes_on.counts(node)
        asked = options.prune or (node.name, prefix) in options.marked
        return own or prefix in gone or prefix in never or (asked and spare)

    return drops


def _with_names(plan: HostPlan, cluster: Cluster, node: Node, facts: HostFacts, options: Options) -> HostPlan:
    """The plan, with the workers' names in /etc/hosts and, where asked for, in cloud-init's template.

    Where a block of ours stands already it is kept right, in either file, unless no names at all are wanted.
    """
    asked = options.names_on.counts(node)
    if not asked and (options.names_on is NamesOn.NONE or not etc_hosts.has_block(facts.etc_hosts)):
        return plan
    if facts.etc_hosts is None:
        problem = "there is no /etc/hosts that could be read, so the workers' names are not added to it."
        return replace(plan, hosts_file_problem=problem)
    gone = {n.name for n in cluster if n.is_worker and not n.is_member}
    marked = {name for host, name in options.marked_names if host == node.name}
    addresses = wanted_names(cluster, node)
    template = facts.network.hosts_template
    if template is not None and not options.hosts_template and not etc_hosts.has_block(template.content):
        template = None
    rewritten = facts.network.hosts_template is not None and template is None
    plan = replace(plan, hosts_file_is_rewritten=rewritten)
    problems: list[str] = []
    try:
        edit = etc_hosts.edit(facts.etc_hosts, addresses, gone=gone, prune=options.prune, marked=marked)
        plan = replace(plan, hosts_file=edit)
    except etc_hosts.BrokenBlock as error:
        problems.append(f"/etc/hosts {error}")
    if template is not None:
        try:
            wanted = etc_hosts.edit(template.content, addresses, gone=gone, prune=options.prune, marked=marked)
            plan = replace(plan, files=(*plan.files, _template_change(template, wanted.after)))
        except etc_hosts.BrokenBlock as error:
            problems.append(f"{template.path} {error}")
    if problems:
        plan = replace(plan, hosts_file_problem=f"{' and '.join(problems)}; mend or remove these lines by hand.")
    return plan


def _template_change(template: HostFile, after: bytes) -> FileChange:
    same = template.content == after
    return FileChange(
        ChangeKind.KEEP if same else ChangeKind.REPLACE,
        template.path,
        template.content,
        after,
        template.mode,
        "cloud-init writes /etc/hosts anew from it at each boot",
        template.mode,
        is_ours=False,
    )


# --- one wanted route against what the host has -----------------------------------------------------------------


def _compare(wanted: Wanted, facts: HostFacts, held: Held, cluster: Cluster) -> RouteChange:
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
        return row(ChangeKind.KEEP, _why_kept(right[0], held))
    if right:
        # The plainest of several: `ip route del` of a route with fewer attributes would match it first.
        keep = min(right, key=lambda r: (r.metric, bool(r.extra), r.source is not None))
        spare = [r for r in has if r is not keep]
        return row(
            ChangeKind.REPLACE, f"a second route beside the right one: {describe(spare[0])}", take_away(spare, has)
        )
    return row(
        ChangeKind.REPLACE,
        _where_it_leads(has[0], wanted, cluster),
        put(pod_route(wanted.prefix, wanted.next_hop), has),
    )


def _where_it_leads(route: Route, wanted: Wanted, cluster: Cluster) -> str:
    """What a wrong route does, in the words of the cluster."""
    if route.gateway is None or route.type != "unicast":
        return f"leads elsewhere: {describe(route)}"
    if route.gateway == wanted.next_hop:
        return f"leads through another interface: {describe(route)} dev {route.device}"
    owner = next((n.name for n in cluster if n.internal == route.gateway), None)
    if owner is not None:
        return f"leads to {owner} instead: {describe(route)}"
    return f"leads to an address that no node has: {describe(route)}; was {wanted.worker} rebuilt?"


def _why_kept(route: Route, held: Held) -> str:
    if route.is_tagged:
        return "ours already"
    if (place := held.get((route.prefix, route.gateway))) is not None:
        return f"ours already, from {place}"
    return f"right as it is (proto {route.protocol})"


def _is_right(route: Route, wanted: Wanted, facts: HostFacts) -> bool:
    device = facts.device_towards(wanted.next_hop)
    return (
        route.type == "unicast"
        and route.gateway == wanted.next_hop
        and not route.multipath
        and route.tos == 0
        and (device is None or route.device in (None, device))
    )


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
    cluster: Cluster, node: Node, facts: HostFacts, wanted: Collection[IPv4Network], held: Held, options: Options
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
        if node.pod_cidr is not None and prefix.subnet_of(node.pod_cidr):
            rows.append(_own_cidr_row(node, prefix, has, facts, options))
            continue
        owner = members.get(prefix) or gone.get(prefix)
        ours = [r for r in has if r.is_tagged or (prefix, r.gateway) in held]
        row = _unwanted_row(node, prefix, has, ours, owner, prefix in gone, options)
        robbed = next((n for cidr, n in members.items() if prefix != cidr and prefix.subnet_of(cidr)), None)
        if row.kind is ChangeKind.FOREIGN and robbed and robbed != node.name:
            row = replace(row, reason=f"a part of {robbed}'s pod CIDR, led elsewhere: {describe(has[0])}")
        rows.append(row)
    return rows


def _own_cidr_row(
    node: Node, prefix: IPv4Network, has: tuple[Route, ...], facts: HostFacts, options: Options
) -> RouteChange:
    """A route that leads the node's own pods away; taken away, and the bridge's put back, where that is asked for."""
    away = [r for r in has if _leads_away(r)]
    reason = f"leads this node's own pods away: {describe(away[0])}"
    if not options.repair and (node.name, prefix) not in options.marked:
        return RouteChange(ChangeKind.FOREIGN, prefix, None, None, has, f"{reason}; --repair mends it")
    bridge = next((b for b in facts.bridges if b.is_up and b.address.network == prefix), None)
    edit = give_back(away, has, bridge)
    whole = next((b for b in facts.bridges if b.is_up and prefix.subnet_of(b.address.network)), None)
    back = "; no bridge of these pods is up yet"
    if bridge is not None:
        back = f"; the route of {bridge.device} comes back"
    elif whole is not None:
        back = f"; {whole.device} has the whole of these pods"
    return RouteChange(ChangeKind.REPLACE, prefix, node.name, None, has, reason + back, edit.commands, edit.inverse)


def _unwanted_row(
    node: Node,
    prefix: IPv4Network,
    has: tuple[Route, ...],
    ours: list[Route],
    owner: str | None,
    gone: bool,
    options: Options,
) -> RouteChange:
    def row(kind: ChangeKind, reason: str, edit: Edit = NO_EDIT) -> RouteChange:
        return RouteChange(kind, prefix, owner, None, has, reason, edit.commands, edit.inverse)

    if ours and gone:
        return row(ChangeKind.REMOVE, f"{owner} was removed for good", take_away(ours, has))
    if ours and owner and options.routes_on.counts(node):
        return row(ChangeKind.STALE, f"ours; {owner} has no next hop to compare with")
    marked = (node.name, prefix) in options.marked
    if ours:
        why = "controllers get no routes now" if owner else "leads to no worker listed"
        if options.prune or marked:
            return row(ChangeKind.REMOVE, f"{why} ({'marked' if marked else '--prune'})", take_away(ours, has))
        keeps = "--routes-on all keeps it right, " if owner else ""
        return row(ChangeKind.STALE, f"ours; {why}; {keeps}{BY_PRUNE}")
    removable = [r for r in has if not r.is_kernel]
    if marked and removable:
        return row(ChangeKind.REMOVE, "foreign, marked for removal", take_away(removable, has))
    return row(ChangeKind.FOREIGN, f"neither wanted nor ours: {describe(has[0])}")
