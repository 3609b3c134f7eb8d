"""What to warn of about files: routes that end at a reboot, or come back wrong, and names that do. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.facts import HostFile
from kthw_routes.findings.hosts import MAX_NAMED
from kthw_routes.findings.model import Finding
from kthw_routes.iproute2.commands import RouteCommand, Verb
from kthw_routes.node_names import shortened
from kthw_routes.persistence.managers import parse, short_name
from kthw_routes.persistence.text import listed
from kthw_routes.plan.changes import (
    ChangeKind,
    FileChange,
    HostPlan,
    Plan,
    RollbackChange,
    RouteChange,
    StatedFile,
    describe,
)
from kthw_routes.plan.network_plugins import plugin_in
from kthw_routes.plan.stated import contradicted_in

OF_READING: Final = ("own-pod-cidr-routed-away", "foreign-route", "kept-by-host", "stated-stale")
"""The codes of what follows from what was read, whatever is chosen for the run: to be said before the choices."""


def of_files(plan: Plan) -> tuple[Finding, ...]:
    """Return what the hosts' files give cause to say: host by host, then what is one sentence for all of them."""
    of_host = (_of_unread, _of_difference, _of_stated, _of_problem)
    found = [f for host in plan.hosts for of in of_host for f in of(host)]
    reported = {f.node for f in found if f.code in ("persisted-not-read", "cannot-persist", "stated-stale")}
    found += _of_kept(plan)
    if ending := [host.node for host in plan.hosts if host.node not in reported and ends_at_reboot(host)]:
        found.append(
            Finding.notice(
                "not-persisted",
                f"The routes end at the next reboot on {_names(ending)}.",
                "`--persist auto` holds them in a file that fits each host; the review shows it first.",
                node=ending[0] if len(ending) == 1 else None,
            )
        )
    if rewritten := [host.node for host in plan.hosts if host.hosts_file_is_rewritten]:
        found.append(
            Finding.notice(
                "hosts-file-is-rewritten",
                f"cloud-init rewrites /etc/hosts at each boot on {_names(rewritten)} (manage_etc_hosts): the "
                "workers' names are gone then.",
                "`--cloud-template` writes them into cloud-init's template too, from which they come back.",
                node=rewritten[0] if len(rewritten) == 1 else None,
            )
        )
    return tuple(found)


def _of_unread(host: HostPlan) -> Iterator[Finding]:
    for file in host.files:
        if file.kind is ChangeKind.STALE:
            does = "holds routes" if _pairs(file, file.before or b"") else "is there"
            yield Finding.notice(
                "persisted-not-read",
                f"{host.node}: {file.path} {does}, but {file.reason}.",
                "`--persist auto` holds them where this host reads them, and removes this file.",
                node=host.node,
            )


def _of_difference(host: HostPlan) -> Iterator[Finding]:
    """Yield what a file that is there would bring back at the next boot, and should not; what it lacks."""
    for file in host.files:
        if not file.is_ours or file.kind is not ChangeKind.REPLACE or file.before is None:
            continue
        wanted = dict(_wanted(host))
        holds, should = _pairs(file, file.before), _pairs(file, file.after or b"")
        words = [_difference(prefix, hop, wanted.get(prefix)) for prefix, hop in holds if (prefix, hop) not in should]
        prefixes = {prefix for prefix, _ in holds}
        words += [f"does not hold {prefix} via {hop}" for prefix, hop in should if prefix not in prefixes]
        if words:
            yield Finding.notice(
                "persisted-differs",
                f"{host.node}: {short_name(file.path)} {listed(words)}: after the next reboot the routes are others.",
                "Apply rewrites the file.",
                node=host.node,
            )


def _of_stated(host: HostPlan) -> Iterator[Finding]:
    """Yield what the host's own configuration would bring back at the next boot, and should not."""
    for file in host.of(StatedFile):
        if file.stale:
            yield Finding.notice(
                "stated-stale",
                f"{host.node}: {file.path}: {listed([stale.words for stale in file.stale])}: after the next reboot "
                "the routes are others.",
                "Correct it there, by hand: kthw-routes edits no file of the host's own configuration.",
                node=host.node,
            )


def _of_kept(plan: Plan) -> Iterator[Finding]:
    """Yield which routes the hosts' own configuration keeps, the same files on many hosts together."""
    by_file: dict[str, list[str]] = {}
    for host in plan.hosts:
        if files := kept_by(host):
            by_file.setdefault(listed(files), []).append(host.node)
    for files_there, hosts in by_file.items():
        yield Finding.notice(
            "kept-by-host",
            f"Routes are kept by {files_there} on {listed(hosts)}.",
            "These files are not of kthw-routes: what they state comes back after a reboot without a file of ours.",
            node=hosts[0] if len(hosts) == 1 else None,
        )


def kept_by(host: HostPlan) -> tuple[str, ...]:
    """Return the files of the host's own configuration that keep routes of it."""
    return tuple(str(file.path) for file in host.of(StatedFile) if file.kept)


def _difference(prefix: IPv4Network, hop: IPv4Address, wanted: IPv4Address | None) -> str:
    return f"holds {prefix} via {hop}{f' instead of {wanted}' if wanted else ', which should go'}"


def _of_problem(host: HostPlan) -> Iterator[Finding]:
    if host.persistence is not None and host.persistence.problem:
        yield Finding.notice(
            "cannot-persist",
            f"{host.node}: its routes cannot be kept after a reboot as asked for: {host.persistence.problem}",
            "They are added all the same, and end at the next reboot."
            if ends_at_reboot(host)
            else "The files that are there hold them, and are kept right.",
            node=host.node,
            acknowledge=True,
        )


def ends_at_reboot(host: HostPlan) -> bool:
    """Return whether a wanted route is certain to come back from no file once the plan is carried out.

    It is not where the host's own configuration states another next hop, whatever else holds it.
    """
    stated = host.of(StatedFile)
    persisted = {
        pair
        for file in host.files
        if file.is_ours and file.after is not None and file.kind is not ChangeKind.STALE
        for pair in _pairs(file, file.after)
    }.union(*(file.pairs for file in stated))
    contradicted = contradicted_in(stated)
    return any(pair not in persisted or pair[0] in contradicted for pair in _wanted(host))


def _wanted(host: HostPlan) -> Iterator[tuple[IPv4Network, IPv4Address]]:
    """Yield each pod CIDR with the next hop by which the host is to reach it."""
    for row in host.rows:
        if isinstance(row, RouteChange) and row.next_hop is not None and row.kind is not ChangeKind.FOREIGN:
            yield row.prefix, row.next_hop


def _pairs(change: FileChange, content: bytes) -> Sequence[tuple[IPv4Network, IPv4Address]]:
    return [(r.prefix, r.next_hop) for r in parse(HostFile(change.path, change.mode, content))]


def of_routes(plan: Plan) -> Iterator[Finding]:
    """Yield the hosts that have none of their routes, while others have theirs."""
    bare = [host for host in plan.hosts if _has_none(host)]
    if not bare:
        return
    routed = {c.worker for h in plan.hosts for c in h.routes}
    wanted: set[str | None] = set()
    kept: set[str | None] = set()
    led_to: set[str | None] = set()
    for host in plan.hosts:
        towards = [c for c in host.routes if c.next_hop is not None and c.worker != host.node]
        wanted.update(c.worker for c in towards)
        kept.update(c.worker for c in towards if c.kind is ChangeKind.KEEP)
        led_to.update(c.worker for c in towards if c.has)
    standing = {h.node for h in plan.hosts if _stands(h)}
    for host in bare:
        if host.node in wanted:
            was_routed = host.node in kept
            is_new = host.node not in led_to and bool(standing)
        else:  # no worker: one of its kind that has routes shows that these were routed at all
            was_routed, is_new = bool(standing - routed), False
        if was_routed:
            yield _gone(host)
        elif is_new:
            yield Finding.notice(
                "worker-is-new",
                f"{host.node} has no routes, and no other node that was looked at has one to it: it is new, perhaps.",
                "Apply adds both.",
                node=host.node,
            )


def _gone(host: HostPlan) -> Finding:
    again = "Apply adds them again"
    return Finding.notice(
        "routes-gone",
        f"{host.node} has none of its routes: it was rebooted, perhaps.",
        f"{again}; with `--persist auto` they are kept after the next reboot." if ends_at_reboot(host) else f"{again}.",
        node=host.node,
    )


def _has_none(host: HostPlan) -> bool:
    """Return whether routes are wanted on a host, and it has none of them."""
    wanted = [c for c in host.routes if c.next_hop is not None]
    return bool(wanted) and not any(c.has for c in wanted)


def _stands(host: HostPlan) -> bool:
    """Return whether any wanted route is as it should be on a host."""
    return any(c.kind is ChangeKind.KEEP and c.next_hop is not None for c in host.routes)


def of_plan(plan: Plan) -> tuple[Finding, ...]:
    """Return what the comparison of the wanted routes, names and files with the hosts gives cause to say."""
    by_host = (f for host in plan.hosts for f in _of_host_plan(host))
    return (*of_rollbacks(plan), *of_routes(plan), *by_host, *of_files(plan))


def of_rollbacks(plan: Plan) -> tuple[Finding, ...]:
    """Return the runs that hosts would roll back automatically: how a host is now is not how it stays."""
    pending: dict[str, list[str]] = defaultdict(list)
    for host in plan.hosts:
        for row in host.of(RollbackChange):
            pending[row.run].append(host.node)
    return tuple(
        Finding.notice(
            "armed-switch",
            f"Run {run} rolls back automatically on {_names(nodes)} when its time has come (--commit-within).",
            f"`apply` cancels that and leaves all right; `kthw-routes undo {run}` undoes its changes now.",
            node=nodes[0] if len(nodes) == 1 else None,
        )
        for run, nodes in pending.items()
    )


def _of_host_plan(host: HostPlan) -> Iterator[Finding]:
    if host.own_cidr_overridden_by:
        route = host.own_cidr_overridden_by
        yield Finding.notice(
            "own-pod-cidr-routed-away",
            f"{host.node}: another route overrides its own pod CIDR {route.prefix} ({describe(route)}): its pods are "
            "unreachable.",
            f"--repair fixes it (in the wizard: Space in Routes), or by hand `{RouteCommand(Verb.DELETE, route)}`.",
            node=host.node,
        )
    for change in host.routes:
        if change.kind is ChangeKind.FOREIGN and plugin_in(change.has):
            continue  # that is said once, of the plugin
        if change.kind is ChangeKind.FOREIGN and host.own_cidr_overridden_by not in change.has:
            yield Finding.notice("foreign-route", f"{host.node}: {change.prefix} is {change.reason}.", node=host.node)
        elif change.kind is ChangeKind.STALE:
            yield Finding.notice("stale-route", f"{host.node}: {change.prefix} is {change.reason}.", node=host.node)
    if host.hosts_file_problem:
        hint = "Until that is fixed the workers' names there stay as they are." if host.lacks_names else ""
        yield Finding.notice("hosts-file-broken", f"{host.node}: {host.hosts_file_problem}", hint, node=host.node)
    for line in host.hosts_file.odd_lines if host.hosts_file else ():
        yield Finding.notice(
            "hosts-line-left-alone",
            f"{host.node}: /etc/hosts has the line “{line}”, which gives a worker's name another address.",
            "It is left alone; our block goes above it, as the first line that has a name counts. Remove it by hand.",
            node=host.node,
        )


def _names(hosts: Sequence[str]) -> str:
    """Return `a, b and c`; of very many hosts, in fewer words."""
    return listed(hosts) if len(hosts) <= MAX_NAMED else shortened(hosts)
