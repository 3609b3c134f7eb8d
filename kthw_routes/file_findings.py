"""What to warn of about files: routes that end at a reboot, or come back wrong, and names that do. Pure."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.facts import HostFile
from kthw_routes.findings import Finding, Level
from kthw_routes.persistence.managers import entries, short_name
from kthw_routes.persistence.text import listed
from kthw_routes.plan.changes import ChangeKind, FileChange, HostPlan, Plan


def of_files(plan: Plan) -> tuple[Finding, ...]:
    """What the hosts' files give cause to say: host by host, then what is one sentence for all of them."""
    found = [f for host in plan.hosts for f in (*_of_unread(host), *_of_difference(host), *_of_problem(host))]
    told = {f.node for f in found if f.code in ("persisted-not-read", "cannot-persist")}
    if ending := [host.node for host in plan.hosts if host.node not in told and ends_at_reboot(host)]:
        found.append(
            Finding(
                "not-persisted",
                Level.NOTICE,
                f"The routes end at the next reboot on {listed(ending)}.",
                "`--persist auto` holds them in a file that fits each host; the review shows it first.",
                ending[0] if len(ending) == 1 else None,
            )
        )
    if rewritten := [host.node for host in plan.hosts if host.hosts_file_is_rewritten]:
        found.append(
            Finding(
                "hosts-file-is-rewritten",
                Level.NOTICE,
                f"cloud-init writes /etc/hosts anew at each boot on {listed(rewritten)} (manage_etc_hosts): the "
                "workers' names are gone then.",
                "`--cloud-template` writes them into cloud-init's template too, from which they come back.",
                rewritten[0] if len(rewritten) == 1 else None,
            )
        )
    return tuple(found)


def _of_unread(host: HostPlan) -> Iterator[Finding]:
    for file in host.files:
        if file.kind is ChangeKind.STALE:
            does = "holds routes" if _pairs(file, file.before or b"") else "stands there"
            yield Finding(
                "persisted-not-read",
                Level.NOTICE,
                f"{host.node}: {file.path} {does}, but {file.reason}.",
                "`--persist auto` holds them where this host reads them, and removes this file.",
                host.node,
            )


def _of_difference(host: HostPlan) -> Iterator[Finding]:
    """What a file that stands there would bring back at the next boot, and should not; what it lacks."""
    wanted = _wanted(host)
    for file in host.files:
        if not file.is_ours or file.kind is not ChangeKind.REPLACE or file.before is None:
            continue
        holds, should = _pairs(file, file.before), _pairs(file, file.after or b"")
        words = [_difference(prefix, hop, wanted.get(prefix)) for prefix, hop in holds if (prefix, hop) not in should]
        prefixes = {prefix for prefix, _ in holds}
        words += [f"does not hold {prefix} via {hop}" for prefix, hop in should if prefix not in prefixes]
        if words:
            yield Finding(
                "persisted-differs",
                Level.NOTICE,
                f"{host.node}: {short_name(file.path)} {listed(words)}: after the next reboot the routes are others.",
                "Apply writes the file anew.",
                host.node,
            )


def _difference(prefix: IPv4Network, hop: IPv4Address, wanted: IPv4Address | None) -> str:
    return f"holds {prefix} via {hop}{f' instead of {wanted}' if wanted else ', which should go'}"


def _of_problem(host: HostPlan) -> Iterator[Finding]:
    if host.persistence is not None and host.persistence.problem:
        yield Finding(
            "cannot-persist",
            Level.NOTICE,
            f"{host.node}: its routes cannot be made to survive a reboot as asked for: {host.persistence.problem}",
            "They are added all the same, and end at the next reboot."
            if ends_at_reboot(host)
            else "The files that stand there hold them, and are kept right.",
            host.node,
            acknowledge=True,
        )


def ends_at_reboot(host: HostPlan) -> bool:
    """Whether a wanted route is in no file of ours once the plan is carried out."""
    held = {
        pair
        for file in host.files
        if file.is_ours and file.after is not None and file.kind is not ChangeKind.STALE
        for pair in _pairs(file, file.after)
    }
    return any(pair not in held for pair in _wanted(host).items())


def _wanted(host: HostPlan) -> dict[IPv4Network, IPv4Address]:
    """Pod CIDR -> the next hop by which the host is to reach it."""
    return {c.prefix: c.next_hop for c in host.routes if c.next_hop is not None and c.kind is not ChangeKind.FOREIGN}


def _pairs(change: FileChange, content: bytes) -> Sequence[tuple[IPv4Network, IPv4Address]]:
    return [(r.prefix, r.next_hop) for r in entries(HostFile(change.path, change.mode, content))]
