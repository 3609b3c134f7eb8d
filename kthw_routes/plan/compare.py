"""What should be: the wanted routes, compared with what each host has. Pure functions, from values to values.

Per worker one route per other worker, `POD CIDR via INTERNAL ADDRESS`, never one for its own pod CIDR. A plan says
for every route what becomes of it and why, the exact commands, and the commands that take them back.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts, HostFile, Route, by_prefix
from kthw_routes.iproute2.commands import pod_route
from kthw_routes.iproute2.edits import NO_EDIT, Edit, put, take_away
from kthw_routes.options import DEFAULT_OPTIONS, NOTHING_MARKED, Marked, NamesOn, Options
from kthw_routes.persistence.choice import choose
from kthw_routes.persistence.managers import Persisted, persisted_in
from kthw_routes.persistence.model import Choice, Persist, PersistedRoute
from kthw_routes.persistence.paths import ETC_HOSTS
from kthw_routes.plan import etc_hosts, extra_routes
from kthw_routes.plan import files as plan_files
from kthw_routes.plan.changes import (
    MAX_FILE,
    ChangeKind,
    EtcHostsEdit,
    FileChange,
    HostPlan,
    NameChange,
    Plan,
    Planner,
    RollbackChange,
    RouteChange,
    describe,
)
from kthw_routes.plan.wanted import Wanted, wanted_names, wanted_routes

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
    names = _names(cluster, node, facts, options)
    return HostPlan(
        node.name,
        (
            *map(RollbackChange, facts.network.rollbacks),
            *rows,
            *(names.edit.names if names.edit else ()),
            *files.changes,
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


def _to_persist(rows: Sequence[RouteChange], facts: HostFacts) -> tuple[PersistedRoute, ...]:
    """The wanted routes, as a file would hold them."""
    return tuple(
        PersistedRoute(row.prefix, row.next_hop, device)
        for row in rows
        if row.next_hop is not None and row.kind is not ChangeKind.FOREIGN
        if (device := facts.device_towards(row.next_hop)) is not None
    )


def what_auto_takes(host: HostPlan, facts: HostFacts) -> Choice:
    """Who would hold a host's routes with `--persist auto`, and why; for the question that comes before the answer."""
    return choose(Persist.AUTO, facts.network, _to_persist(host.routes, facts))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """What becomes of the workers' names on one host."""

    edit: EtcHostsEdit | None = None
    template: tuple[FileChange, ...] = ()
    """The row of cloud-init's template, where that is edited."""
    problem: str | None = None
    """Why a file cannot be edited, as a sentence."""
    are_missing: bool = False
    """Whether names that are wanted cannot be written for that reason."""
    are_lost_at_boot: bool = False
    """Whether cloud-init writes /etc/hosts anew at each boot, from a template that is left alone."""


def _names(cluster: Cluster, node: Node, facts: HostFacts, options: Options) -> _Names:
    """Return the workers' names in /etc/hosts and, where asked for, in cloud-init's template.

    Where a block of ours is there already it is kept right, in either file, unless no names at all are wanted. A file
    that is missing is not made: it would lack what else belongs there, and something took it away.
    """
    asked = options.names_on.counts(node)
    if not asked and (options.names_on is NamesOn.NONE or not etc_hosts.has_block(facts.etc_hosts)):
        return _Names()
    addresses = wanted_names(cluster, node)
    if facts.etc_hosts is None:
        why = facts.etc_hosts_problem or "there is no /etc/hosts that could be read"
        problem = f"{why}, so the workers' names are not added to it."
        return _Names(problem=problem, are_missing=bool(addresses))
    gone = {n.name for n in cluster if n.is_worker and not n.is_member}
    marked = {name for host, name in options.marked_names if host == node.name}
    listed = {n.name for n in cluster if n.is_member}
    edit = partial(etc_hosts.edit, gone=gone, prune=options.prune, marked=marked, listed=listed)
    template = facts.network.hosts_template
    if template is not None and not options.hosts_template and not etc_hosts.has_block(template.content):
        template = None
    broken: list[str] = []
    too_large: list[str] = []

    def edited(path: str, content: bytes) -> EtcHostsEdit | None:
        try:
            wanted = edit(content, addresses)
        except etc_hosts.BrokenBlock as error:
            broken.append(f"{path} {error}")
            return None
        return wanted if _fits(wanted, path, too_large) else None

    of_hosts = edited(str(ETC_HOSTS), facts.etc_hosts)
    of_template = edited(str(template.path), template.content) if template is not None else None
    sentences = [f"{' and '.join(broken)}; mend or remove these lines by hand."] if broken else []
    problem = " ".join([*sentences, *too_large])
    return _Names(
        edit=of_hosts,
        template=(_template_change(template, of_template.after),) if template and of_template else (),
        problem=problem or None,
        are_missing=bool(problem and addresses),
        are_lost_at_boot=facts.network.hosts_template is not None and template is None,
    )


def _fits(edit: EtcHostsEdit, path: str, too_large: list[str]) -> bool:
    """Whether the file can be read whole after the edit, so that it can be taken back; else a sentence is added."""
    if edit.is_empty or len(edit.after) <= MAX_FILE:
        return True
    too_large.append(
        f"{path} would have {len(edit.after)} bytes with the names; no file of more than {MAX_FILE >> 20} MiB is read, "
        "so it was left alone."
    )
    return False


def _template_change(template: HostFile, after: bytes) -> FileChange:
    same = template.content == after
    return FileChange(
        kind=ChangeKind.KEEP if same else ChangeKind.REPLACE,
        path=template.path,
        before=template.content,
        after=after,
        mode=template.mode,
        reason="cloud-init writes /etc/hosts anew from it at each boot",
        before_mode=template.mode,
        is_ours=False,
    )


# --- one wanted route against what the host has -----------------------------------------------------------------


def _leads_there_already(
    wanted: Wanted, prefixes: Collection[IPv4Network], hops: Collection[IPv4Address | None]
) -> bool:
    """Whether a guess is wrong by all that can be seen: another pod CIDR leads to that worker, and not this one.

    Args:
        wanted: the route that should be there.
        prefixes: those of all routes that are there.
        hops: where those lead that are within the cluster CIDR.
    """
    return wanted.is_guess and wanted.prefix not in prefixes and wanted.next_hop in hops


def _compare(
    wanted: Wanted, has: tuple[Route, ...], facts: HostFacts, persisted: Persisted, cluster: Cluster
) -> RouteChange:
    """What becomes of a wanted route, where these routes of its prefix are there."""

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
    """What a wrong route does, in the words of the cluster."""
    if route.gateway is None or route.type != "unicast":
        return f"leads elsewhere: {describe(route)}"
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
