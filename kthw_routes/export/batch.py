"""A file per host for `ip -batch`: nothing but the routes."""

from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.export.desired import Desired, DesiredHost
from kthw_routes.export.document import BY, Document
from kthw_routes.iproute2.commands import RouteCommand, Verb, pod_route
from kthw_routes.plan.wanted import Wanted


class Commands:
    """The commands that make routes, each made once: of a cluster's hosts nearly all get the same ones."""

    def __init__(self) -> None:
        self._lines: Final[dict[str, tuple[IPv4Address, str]]] = {}

    def line(self, wanted: Wanted) -> str:
        """Return the line of a batch that replaces whatever leads to the same pods; behind `ip`, it is a command."""
        known = self._lines.get(wanted.worker)
        if known is None or known[0] is not wanted.next_hop:  # some nodes have a next hop of their own
            line = RouteCommand(Verb.REPLACE, pod_route(wanted.prefix, wanted.next_hop, wanted.device)).line()
            known = self._lines[wanted.worker] = wanted.next_hop, line
        return known[1]


def render(desired: Desired) -> tuple[Document, ...]:
    """Make one batch per host that gets routes."""
    commands = Commands()
    return tuple(Document(PurePosixPath(f"{h.name}.batch"), _batch(h, commands)) for h in desired.routed)


def _batch(host: DesiredHost, commands: Commands) -> str:
    head = (
        f"# {BY} for {host.name}. There, as root:",
        f"#     ip -force -batch {host.name}.batch",
        "# It may run again. These routes end at the next reboot.",
    )
    lines = [f"# {wanted.worker}\n{commands.line(wanted)}" for wanted in host.routes]
    return "".join(f"{line}\n" for line in (*head, *lines))
