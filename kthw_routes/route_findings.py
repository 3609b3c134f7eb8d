"""What the routes of all hosts together tell of one of them: it was rebooted, or it is new. Pure.

Row by row both look alike: a route is missing. Before lab 11 nothing is routed yet, and nothing is to be told.
"""

from collections.abc import Iterator

from kthw_routes.file_findings import ends_at_reboot
from kthw_routes.findings import Finding, Level
from kthw_routes.plan.changes import ChangeKind, HostPlan, Plan


def of_routes(plan: Plan) -> Iterator[Finding]:
    """The hosts that have none of their routes, while others have theirs."""
    routed = {c.worker for h in plan.hosts for c in h.routes}
    towards = [c for h in plan.hosts for c in h.routes if c.next_hop is not None and c.worker != h.node]
    wanted = {c.worker for c in towards}
    kept = {c.worker for c in towards if c.kind is ChangeKind.KEEP}
    led_to = {c.worker for c in towards if c.has}
    standing = {h.node for h in plan.hosts if _stands(h)}
    for host in plan.hosts:
        if not _has_none(host):
            continue
        if host.node in wanted:
            was_routed = host.node in kept
            is_new = host.node not in led_to and bool(standing)
        else:  # no worker: one of its kind that has routes tells that these were routed at all
            was_routed, is_new = bool(standing - routed), False
        if was_routed:
            yield _gone(host)
        elif is_new:
            yield Finding(
                "worker-is-new",
                Level.NOTICE,
                f"{host.node} has no routes, and no other node that was looked at has one to it: it is new, perhaps.",
                "Apply adds both.",
                host.node,
            )


def _gone(host: HostPlan) -> Finding:
    again = "Apply adds them again"
    return Finding(
        "routes-gone",
        Level.NOTICE,
        f"{host.node} has none of its routes: it was rebooted, perhaps.",
        f"{again}; with `--persist auto` they survive the next reboot." if ends_at_reboot(host) else f"{again}.",
        host.node,
    )


def _has_none(host: HostPlan) -> bool:
    """Whether routes are wanted on a host, and it has none of them."""
    wanted = [c for c in host.routes if c.next_hop is not None]
    return bool(wanted) and not any(c.has for c in wanted)


def _stands(host: HostPlan) -> bool:
    """Whether any wanted route is as it should be on a host."""
    return any(c.kind is ChangeKind.KEEP and c.next_hop is not None for c in host.routes)
