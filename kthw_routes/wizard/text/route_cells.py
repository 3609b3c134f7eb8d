"""The matrix of *Routes*: next hops in its cells, its legend, and what is said of the cell in focus. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from kthw_routes.findings.model import Level, stops
from kthw_routes.node_names import shortened
from kthw_routes.plan.changes import ChangeKind, RouteChange, describe
from kthw_routes.wizard.text import review_rows
from kthw_routes.wizard.text.review_rows import Row
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.words import KIND_TONE, Tone, Words, count, counts, summary
from kthw_routes.workflow.results import Review

Parts = Iterator[Words | str]
_CELL: Final = 20
"""Characters of a cell that shows what is not a next hop."""


def own_row(review: Review, host: str) -> Row | None:
    """Return the row of the route that overrides a host's own pod CIDR, or of its repair."""
    plan = review.plan.host(host)
    rows = (Row(host, change) for change in plan.routes) if plan else ()
    return next((row for row in rows if review_rows.is_own_cidr(review, row)), None)


def row_of(review: Review, source: str, target: str) -> Row | None:
    """Return the row of a cell; None where there is none."""
    if source == target:
        return own_row(review, source)
    plan = review.plan.host(source)
    change = next((c for c in plan.routes if c.worker == target), None) if plan else None
    return Row(source, change) if change is not None else None


def cell(review: Review, source: str, target: str) -> Words:
    """Return a cell: a mark, and the next hop that is there or will be."""
    row = row_of(review, source, target)
    if source == target:
        node = review.inspection.cluster.node(source)
        if row is None or not isinstance(row.change, RouteChange):
            return Words(f"own {node.pod_cidr or ''}".rstrip(), Tone.QUIET)
        if row.change.kind.is_change:
            return Words(f"{row.change.kind.mark} own {node.pod_cidr}", KIND_TONE[row.change.kind])
        return Words("✗ overridden", Tone.BAD)
    if row is None or not isinstance(change := row.change, RouteChange):
        return Words("not read" if review.plan.host(source) is None else "–", Tone.QUIET)
    if change.next_hop is not None and change.kind is not ChangeKind.FOREIGN:
        shown = str(change.next_hop)
    else:
        shown = describe(change.has[0]).removeprefix("via ") if change.has else str(change.next_hop)
    return Words(f"{change.kind.mark} {cut_middle(shown, _CELL)}", KIND_TONE[change.kind])


def legend(review: Review) -> Parts:
    """Yield what the marks mean, of those that are there, on one line."""
    own = {row.key for host in review.plan.hosts if (row := own_row(review, host.node)) is not None}
    rows = (Row(host.node, change) for host in review.plan.hosts for change in host.routes)
    found = {row.change.kind for row in rows if isinstance(row.change, RouteChange) and row.key not in own}
    yield dim("own pod CIDR")
    for kind in ChangeKind:
        if kind in found:
            yield Words(f"   {kind.mark} {kind}", KIND_TONE[kind])
    if overridden(review):
        yield Words("   ✗ overridden", Tone.BAD)


def overridden(review: Review) -> list[str]:
    """Return the hosts whose own pod CIDR another route overrides, and stays so."""
    hosts = (h for h in review.plan.hosts if h.own_cidr_overridden_by is not None)
    rows = ((host.node, own_row(review, host.node)) for host in hosts)
    return [name for name, row in rows if row is None or not _is_repaired(row)]


def _is_repaired(row: Row) -> bool:
    return isinstance(row.change, RouteChange) and row.change.kind.is_change


def without_cell(review: Review, rows: Iterable[Row], sources: Iterable[str]) -> Iterator[Row]:
    """Yield those of the rows that no cell of the matrix shows. `sources`: the rows of the matrix."""
    workers = [worker.name for worker in review.inspection.cluster.workers]
    shown = {row.key for source in sources for target in workers if (row := row_of(review, source, target))}
    return (row for row in rows if row.key not in shown)


def cell_detail(review: Review, source: str, target: str) -> Parts:
    """Yield what is to be said of a cell that has no row."""
    cluster = review.inspection.cluster
    node = cluster.node(source)
    if source == target:
        yield f"{source}'s own pod CIDR {node.pod_cidr or 'is not known'}\n"
        yield dim("  why    its own pods are behind its bridge: a route to another node would cut them off")
    elif review.plan.host(source) is None:
        yield f"{source} to {cluster.node(target).pod_cidr}\n"
        yield dim("  why    this host was not read, so nothing is changed there")
    else:
        yield f"{source} to {cluster.node(target).pod_cidr}\n"
        yield dim("  why    no route is wanted here")


def headline(review: Review, notes: Iterable[Row]) -> Words:
    """Return the first line: what is dangerous, then how much would change. `notes`: the rows of that tab."""
    parts = [finding.sentence for finding in stops(review.findings)[:1]]
    if hosts := overridden(review):
        them = "its own pod CIDR" if len(hosts) == 1 else "their own pod CIDRs"
        parts.append(f"The pods of {shortened(hosts)} are unreachable: another route overrides {them}.")
    others = (row for row in notes if review_rows.is_foreign(row) and not review_rows.is_own_cidr(review, row))
    if number := len(list(others)):
        parts.append(f"{count(number, 'foreign route')} in the cluster CIDR.")
    skipped = [f.node for f in review.findings if f.level is Level.SKIP_HOST and f.node]
    if skipped:
        parts.append(f"Not read: {shortened(dict.fromkeys(skipped))}.")
    tone = Tone.BAD if parts else Tone.PLAIN
    return Words(" ".join([*parts, _amount(review)]), tone)


def _amount(review: Review) -> str:
    if review.plan.is_empty:
        return summary(review.plan, tuple(review.inspection.troubles))
    found = {noun.singular: number for noun, number, _ in counts(review.plan)}
    words = [count(number, noun.removesuffix(" change")) for noun, number in found.items()]
    hosts = sum(not host.is_empty for host in review.plan.hosts)
    these = ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]
    verb = "changes" if sum(found.values()) == 1 else "change"
    return f"{these} {verb} on {count(hosts, 'node')}. Nothing is changed yet."
