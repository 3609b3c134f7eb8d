"""What should be: the wanted routes, compared with what each host has. Pure functions, from values to values.

Per worker one route per other worker, `POD CIDR via INTERNAL ADDRESS`, never one for its own pod CIDR. A plan says
for every route what becomes of it and why, the exact commands, and the commands that take them back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts, Route, StatedRoute
from kthw_routes.options import DEFAULT_OPTIONS, Options
from kthw_routes.persistence.choice import choose
from kthw_routes.persistence.managers import persisted_in
from kthw_routes.persistence.model import Choice, Persist, PersistedRoute
from kthw_routes.persistence.paths import is_own
from kthw_routes.plan import extra_routes
from kthw_routes.plan import files as plan_files
from kthw_routes.plan import overlay as plan_overlay
from kthw_routes.plan import stated as plan_stated
from kthw_routes.plan.changes import (
    ChangeKind,
    FileChange,
    HostPlan,
    Plan,
    Planner,
    RollbackChange,
    RouteChange,
    StatedFile,
    unread_file,
)
from kthw_routes.plan.names import names_of_host
from kthw_routes.plan.routes import RouteRows


def planner(cluster: Cluster, options: Options) -> Planner:
    """Return the planner that makes it so. Membership gives the wanted routes, not selection.

    What is the same for all hosts is worked out here, once.
    """
    wanted: dict[IPv4Address | None, RouteRows] = {}
    owners = extra_routes.Owners(cluster)

    def plan(node: Node, facts: HostFacts) -> HostPlan:
        if node.next_hop not in wanted:
            wanted[node.next_hop] = RouteRows(cluster, options.routes_on, node.next_hop)
        return _plan_host(cluster, wanted[node.next_hop], owners, node, facts, options)

    return plan


def make(cluster: Cluster, facts: Mapping[str, HostFacts], options: Options = DEFAULT_OPTIONS) -> Plan:
    """Return the plan for every visited node of which there are facts (node name -> what was read there)."""
    return of_hosts(planner(cluster, options), cluster, facts)


def of_hosts(plan: Planner, cluster: Cluster, facts: Mapping[str, HostFacts]) -> Plan:
    """Return the plan for every visited node of which there are facts, as this planner makes it."""
    return Plan(tuple(plan(node, facts[node.name]) for node in cluster.visited if node.name in facts))


def _plan_host(
    cluster: Cluster, wanted: RouteRows, owners: extra_routes.Owners, node: Node, facts: HostFacts, options: Options
) -> HostPlan:
    persisted = persisted_in(facts.network.files)
    rows: list[RouteChange] = []
    overridden_by: Route | None = None
    if options.routes_on.counts(node) or persisted or any(r.is_tagged for r in facts.routes):
        routes = wanted.of_host(node, facts, persisted)
        overridden_by = extra_routes.overridden_by(node, routes.to_own_pods)
        rows = [
            *routes.rows,
            *extra_routes.rows(owners, node, facts, routes.others, persisted, options),
            *extra_routes.rows_of_files(owners, node, facts, routes.rows, persisted, options),
        ]
    drops = extra_routes.drops(owners, node, facts, persisted, rows, options)
    stated = plan_stated.rows(facts.network, rows, lambda route: _should_go(route, node, owners))
    overlaid = plan_overlay.wanted_on(cluster, node, facts.mtu_of(node.internal))
    overlay = plan_overlay.rows(overlaid, facts)
    files = plan_files.of_host(node, facts, partial(_to_persist, rows, facts), drops, options, stated, overlaid)
    names = names_of_host(cluster, node, facts, options)
    return HostPlan(
        node.name,
        (
            *map(RollbackChange, facts.network.rollbacks),
            *(row for row in overlay if not row.comes_last),
            *rows,
            *(row for row in overlay if row.comes_last),
            *(names.edit.names if names.edit else ()),
            *_readable(files.changes, facts),
            *stated,
            *names.template,
            *files.forwarding,
        ),
        hosts_file=names.edit,
        hosts_file_problem=names.problem,
        lacks_names=names.are_missing,
        hosts_file_is_rewritten=names.are_lost_at_boot,
        own_cidr_overridden_by=overridden_by,
        persistence=files.choice,
    )


def _should_go(route: StatedRoute, node: Node, owners: extra_routes.Owners) -> bool:
    """Whether a route that the host's own configuration states does harm: to its own pods, or for a worker removed."""
    if node.pod_cidr is not None and route.prefix.subnet_of(node.pod_cidr):
        return True
    return owners.gone(route.prefix, (route.next_hop,)) is not None


def _readable(files: Sequence[FileChange], facts: HostFacts) -> tuple[FileChange, ...]:
    """Return the rows, with what could not be read left as it is."""
    unread = facts.network.unread
    read = (f for f in files if f.path not in unread)
    return (*read, *map(unread_file, sorted(path for path in unread if is_own(path))))


def _to_persist(rows: Iterable[RouteChange], facts: HostFacts) -> Iterator[PersistedRoute]:
    """Yield the wanted routes, as a file would hold them."""
    for row in rows:
        if row.next_hop is not None and row.kind is not ChangeKind.FOREIGN:
            device = row.device or facts.device_towards(row.next_hop)
            if device is not None:
                yield PersistedRoute(row.prefix, row.next_hop, device)


def what_auto_takes(host: HostPlan, facts: HostFacts) -> Choice:
    """Return who would hold a host's routes with `--persist auto`, and why: for the question before the answer."""
    wanted, stated = tuple(_to_persist(host.routes, facts)), host.of(StatedFile)
    to_hold = plan_stated.to_write(wanted, stated, facts.network, twice=False)
    if wanted and not to_hold and stated:
        return plan_stated.nothing_to_write(stated)
    return choose(Persist.AUTO, facts.network, to_hold)
