"""A report for people, in Markdown: the nodes, which routes each host should have and why, the commands, the names."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from kthw_routes.export import batch, hosts_block
from kthw_routes.export.desired import Desired, DesiredHost
from kthw_routes.export.document import BY, Document
from kthw_routes.overlay.model import NOTHING
from kthw_routes.plan.changes import ChangeKind, OverlayChange
from kthw_routes.plan.wanted import Wanted
from kthw_routes.sanitize import cell, inline


def render(desired: Desired) -> tuple[Document, ...]:
    """Make the report."""
    lines = (*_nodes(desired), *_matrix(desired), *_hosts(desired), *_names(desired))
    return (Document(PurePosixPath("pod-routes.md"), "".join(f"{line}\n" for line in lines)),)


def _nodes(desired: Desired) -> Iterator[str]:
    yield "# Pod routes"
    yield ""
    yield f"{BY}. The pods of this cluster have addresses in {desired.cluster.cidr}, and each worker a part of it. No"
    yield "other machine knows where these parts are, so each worker needs a route to the pods of each other one."
    yield ""
    yield "## Nodes"
    yield ""
    yield from _row("node", "role", "region", "SSH", "internal address", "pod CIDR", "rests on")
    yield from _row(*("---",) * 7)
    for n in desired.cluster:
        if n.is_member:
            stated = n.pod_cidr_source if n.is_worker else None
            yield from _row(*map(cell, (n.name, n.role, n.region, n.ssh, n.internal, n.pod_cidr, stated)))
    yield ""


def _matrix(desired: Desired) -> Iterator[str]:
    """Show who sends packets for whose pods where."""
    workers = desired.cluster.workers
    yield "## Next hops"
    yield ""
    yield from _row("from \\ to", *(f"{cell(w.name)}<br>{cell(w.pod_cidr)}" for w in workers))
    yield from _row("---", *("---",) * len(workers))
    for host in desired.routed:
        hops = {w.worker: str(w.next_hop) for w in host.routes}
        yield from _row(
            cell(host.name), *("its own" if w.name == host.name else hops.get(w.name, "–") for w in workers)
        )
    yield ""


def _hosts(desired: Desired) -> Iterator[str]:
    yield "## Routes"
    yield ""
    yield "By these commands they end at the next reboot; `kthw-routes apply --persist auto` keeps them after it."
    yield ""
    commands = batch.Commands()
    for host in desired.routed:
        yield f"### {inline(host.name)}"
        yield ""
        yield from (f"- `{w.prefix}` via `{w.next_hop}`: {_reason(host, w)}" for w in host.routes)
        yield ""
        yield from _code([*_overlay(host), *(f"ip {commands.line(w)}" for w in host.routes)])
    for node in desired.cluster:
        if node.is_member and not node.is_visited:
            yield f"{inline(node.name)} is left out: nothing is done there, and the routes to it stay as they are."
            yield ""


def _overlay(host: DesiredHost) -> Iterator[str]:
    made = OverlayChange(kind=ChangeKind.ADD, before=NOTHING, after=host.overlay, reason="")
    return (line for command in made.commands for line in command.split("\n"))


def _reason(host: DesiredHost, wanted: Wanted) -> str:
    if wanted.device is not None:
        return f"the pods of {inline(wanted.worker)} are there; {wanted.next_hop} is its end of the overlay."
    own = "" if host.node.is_worker else f"{inline(host.name)} talks to them too; "
    return f"the pods of {inline(wanted.worker)} are there; {own}{wanted.next_hop} is its internal address."


def _names(desired: Desired) -> Iterator[str]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for host in desired.named:
        groups.setdefault(hosts_block.block(host.names), []).append(inline(host.name))
    if groups:
        yield "## Names"
        yield ""
    for lines, hosts in groups.items():
        yield f"In `/etc/hosts` of {', '.join(hosts)}:"
        yield ""
        yield from _code(lines)


def _row(*cells: str) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"


def _code(lines: Iterable[str]) -> Iterator[str]:
    yield "```"
    yield from lines
    yield "```"
    yield ""
