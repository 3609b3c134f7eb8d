"""What should be: the wanted routes, compared with what each host has. Pure functions, from values to values.

Per worker one route per other worker, `POD CIDR via INTERNAL ADDRESS`, never one for its own pod CIDR. A plan says
for every route what becomes of it and why, the exact commands, and the commands that take them back.
"""

from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts, Route, by_prefix
from kthw_routes.iproute2.commands import pod_route
from kthw_routes.iproute2.edits import NO_EDIT, Edit, put, take_away
from kthw_routes.options import DEFAULT_OPTIONS, Options
from kthw_routes.persistence.choice import choose
from kthw_routes.persistence.managers import Persisted, persisted_in
from kthw_routes.persistence.model import Choice, Persist, PersistedRoute
from kthw_routes.persistence.paths import is_own
from kthw_routes.plan import extra_routes
from kthw_routes.plan import files as plan_files
from kthw_routes.plan.changes import (
    ChangeKind,
    FileChange,
    HostPlan,
    Plan,
    Planner,
    RollbackChange,
    RouteChange,
    describe,
    unread_file,
)
from kthw_routes.plan.names import names_of_host
from kthw_routes.plan.wanted import Wanted, wanted_routes


def planner(cluster: Cluster, options: Options) -> Planner:
    """Return the planner that makes it so. Membership gives the wanted routes, not selection."""

    def plan(node: Node, facts: HostFacts) -> HostPlan:
        return _plan_host(cluster, node, facts, options)

    return plan


def make(cluster: Cluster, facts: Mapping[str, HostFacts], options: Options = DEFAULT_OPTIONS) -> Plan:
    """Return the plan for every visited node of which there are facts (node name -> what was read there)."""
    return of_hosts(planner(cluster, options), cluster, facts)


def of_hosts(plan: Planner, cluster: Cluster, facts: Mapping[str, HostFacts]) -> Plan:
    """Return the plan for every visited node of which there are facts, as this planner makes it."""
    return Plan(tuple(plan(node, facts[node.name]) for node in cluster.visited if node.name in facts))


def _plan_host(cluster: Cluster, node: Node, facts: HostFacts, options: Options) -> HostPlan:
    persisted = persisted_in(facts.network.files)
    rows: list[RouteChange] = []
    if options.routes_on.counts(node) or persisted or any(r.is_tagged for r in facts.routes):
        table = by_prefix(facts.routes)
        hops = {r.gateway for r in facts.routes if r.prefix.subnet_of(cluster.cidr)}
        wanted = [
            w for w in wanted_routes(cluster, node, options.routes_on) if not _leads_there_already(w, table, hops)
        ]
        rows = [_compare(w, table.get(w.prefix, ()), facts, persisted, cluster) for w in wanted]
        prefixes = {w.prefix for w in wanted}
        rows += extra_routes.rows(cluster, node, facts, prefixes, persisted, options)
        rows += extra_routes.rows_of_files(cluster, node, facts, prefixes, persisted, options)
    drops = extra_routes.drops(cluster, node, facts, persisted, rows, options)
    files = plan_files.of_host(node, facts, _to_persist(rows, facts), drops, options)
    names = names_of_host(cluster, node, facts, options)
    return HostPlan(
        node.name,
        (
            *map(RollbackChange, facts.network.rollbacks),
            *rows,
            *(names.edit.names if names.edit else ()),
            *_readable(files.changes, facts),
            *names.template,
            *files.forwarding,
        ),
        hosts_file=names.edit,
        hosts_file_problem=names.problem,
        lacks_names=names.are_missing,
        hosts_file_is_rewritten=names.are_lost_at_boot,
        own_cidr_overridden_by=extra_routes.overridden_by(node, facts) if node.is_worker else None,
        persistence=files.choice,
    )


def _readable(files: Sequence[FileChange], facts: HostFacts) -> tuple[FileChange, ...]:
    """Return the rows, with what could not be read left as it is."""
    unread = facts.network.unread
    read = (f for f in files if f.path not in unread)
    return (*read, *map(unread_file, sorted(path for path in unread if is_own(path))))


def _to_persist(rows: Sequence[RouteChange], facts: HostFacts) -> tuple[PersistedRoute, ...]:
    """Return the wanted routes, as a file would hold them."""
    return tuple(
        PersistedRoute(row.prefix, row.next_hop, device)
        for row in rows
        if row.next_hop is not None and row.kind is not ChangeKind.FOREIGN
        if (device := facts.device_towards(row.next_hop)) is not None
    )


def what_auto_takes(host: HostPlan, facts: HostFacts) -> Choice:
    """Return who would hold a host's routes with `--persist auto`, and why: for the question before the answer."""
    return choose(Persist.AUTO, facts.network, _to_persist(host.routes, facts))


# --- one wanted route against what the host has -----------------------------------------------------------------


def _leads_there_already(
    wanted: Wanted, prefixes: Collection[IPv4Network], hops: Collection[IPv4Address | None]
) -> bool:
    """Return whether a guess is wrong by all that can be seen: another pod CIDR leads to that worker, and not this one.

    Args:
        wanted: the route that should be there.
        prefixes: those of all routes that are there.
        hops: where those lead that are within the cluster CIDR.
    """
    return wanted.is_guess and wanted.prefix not in prefixes and wanted.next_hop in hops


def _compare(
    wanted: Wanted, has: tuple[Route, ...], facts: HostFacts, persisted: Persisted, cluster: Cluster
) -> RouteChange:
    """Return what becomes of a wanted route, where these routes of its prefix are there."""

    def row(kind: ChangeKind, reason: str, edit: Edit = NO_EDIT) -> RouteChange:
        return RouteChange(
            kind=kind,
            prefix=wanted.prefix,
            worker=wanted.worker,
            next_hop=wanted.next_hop,
            has=has,
            reason=reason,
            edit=edit,
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
        return row(ChangeKind.KEEP, _why_kept(right[0], persisted))
    hops = {r.gateway for r in has}
    if wanted.is_guess and not right and (other := next((n.name for n in cluster if n.internal in hops), None)):
        why = f"leads to {other}; {wanted.worker} was not read, so whose pods these are is not known"
        return RouteChange(kind=ChangeKind.KEEP, prefix=wanted.prefix, worker=wanted.worker, has=has, reason=why)
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
    """Return what a wrong route does, in the words of the cluster."""
    if route.gateway is None or route.type != "unicast":
        return f"points to the wrong next hop: {describe(route)}"
    if route.gateway == wanted.next_hop:
        return f"leads through another interface: {describe(route)} dev {route.device}"
    owner = next((n.name for n in cluster if n.internal == route.gateway), None)
    if owner is not None:
        return f"leads to {owner} instead: {describe(route)}"
    return f"leads to an address that no node has: {describe(route)}; was {wanted.worker} rebuilt?"


def _why_kept(route: Route, persisted: Persisted) -> str:
    if route.is_tagged:
        return "ours already"
    if (place := persisted.get((route.prefix, route.gateway))) is not None:
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
