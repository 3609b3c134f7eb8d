"""A file per host for `ip -batch`: nothing but the routes."""

from pathlib import PurePosixPath

from kthw_routes.export.desired import Desired, DesiredHost
from kthw_routes.export.document import BY, Document
from kthw_routes.iproute2.commands import RouteCommand, Verb, pod_route


def render(desired: Desired) -> tuple[Document, ...]:
    """Make one batch per host that gets routes."""
    return tuple(Document(PurePosixPath(f"{h.name}.batch"), _batch(h)) for h in desired.routed)


def commands(host: DesiredHost) -> tuple[RouteCommand, ...]:
    """List the routes of a host, each to replace whatever leads to the same pods."""
    return tuple(RouteCommand(Verb.REPLACE, pod_route(w.prefix, w.next_hop)) for w in host.routes)


def _batch(host: DesiredHost) -> str:
    head = (
        f"# {BY} for {host.name}. There, as root:",
        f"#     ip -force -batch {host.name}.batch",
        "# It may run again. These routes end at the next reboot.",
    )
    lines = [line for w, c in zip(host.routes, commands(host), strict=True) for line in (f"# {w.worker}", c.line())]
    return "".join(f"{line}\n" for line in (*head, *lines))
