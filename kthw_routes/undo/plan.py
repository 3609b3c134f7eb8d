"""Undo of a run: a plan like any other, from what its journal says and what is read now. Pure.

What somebody changed since the run is left alone, and reported. The journal is written before anything is sent, so how
far the run came is known only by reading: a row counts as changed by it where what it put there is there.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts
from kthw_routes.findings.model import Finding
from kthw_routes.persistence.managers import persisted_in
from kthw_routes.plan.changes import (
    FORWARDING,
    ForwardingChange,
    HostPlan,
    Leftover,
    Plan,
    Planner,
    RollbackChange,
)
from kthw_routes.record.journal import HostRecord, Journal
from kthw_routes.sanitize import clean_line
from kthw_routes.undo.files import empty_folders, staying, undo_files
from kthw_routes.undo.limits import Limits
from kthw_routes.undo.names import undo_names
from kthw_routes.undo.overlay import undo_overlay
from kthw_routes.undo.reasons import REFUSED
from kthw_routes.undo.routes import Now, histories, undo_route

REFUSAL: Final = "record-refused"
"""The code of the finding that something in the record was not undone because of what it asks for."""
_NO_ONE: Final[Mapping[tuple[str, str], str]] = {}


def planner(
    journal: Journal,
    cluster: Cluster,
    later: Mapping[tuple[str, str], str] = _NO_ONE,
) -> Planner:
    """Return the planner that takes a run back.

    Args:
        journal: the run's.
        cluster: the nodes then, from which a prefix has its worker.
        later: (host, row) -> the newest later run that was about the same row.
    """
    owners = {w.pod_cidr: w.name for w in cluster.workers if w.pod_cidr}

    def plan(node: Node, facts: HostFacts) -> HostPlan:
        records = journal.of(node.name)
        by = {row: run for (host, row), run in later.items() if host == node.name}
        limits = Limits(cluster, node, facts)
        files = undo_files(records, facts, by, limits)
        now = Now(facts, persisted_in(facts.network.files), staying(files, facts, by))
        refused = journal.failed.get(node.name, frozenset())
        routes = (
            undo_route(history, now, owners.get(history.prefix), by.get(str(history.prefix), ""), limits)
            for history in histories(records, refused)
        )
        hosts_file, problem = undo_names(records, facts, by, limits)
        switched = _forwarding(records, facts, by)
        overlay = undo_overlay(records, facts, by, limits)
        return HostPlan(
            node.name,
            (
                *map(RollbackChange, facts.network.rollbacks),
                *(row for row in overlay if not row.comes_last),
                *routes,
                *(row for row in overlay if row.comes_last),
                *(hosts_file.names if hosts_file else ()),
                *files,
                *(() if switched is None else (ForwardingChange(switched, node.pod_cidr),)),
                *map(Leftover, facts.network.leftovers),
                *empty_folders(records, facts),
            ),
            hosts_file=hosts_file,
            hosts_file_problem=problem,
            lacks_names=problem is not None,
        )

    return plan


def remarks(
    journal: Journal, facts: Mapping[str, HostFacts], later: Mapping[tuple[str, str], str] = _NO_ONE
) -> tuple[Finding, ...]:
    """Return what is left as it is and has no row of the plan."""
    found: list[Finding] = []
    for host, read in facts.items():
        before, by = _was_forwarding(journal.of(host), read), later.get((host, FORWARDING), "")
        if before is not None and (by or (not before and _has_pods(read))):
            is_now = "off" if before else "on"
            why = f"run {by} turned it {is_now} since; undo that first" if by else "pods run there by now"
            words = f"{host}: the run turned forwarding {is_now} ({FORWARDING}); it stays {is_now}, because {why}."
            found.append(Finding.notice(f"forwarding-stays-{is_now}", words, node=host))
    return tuple(found)


def refusals(plan: Plan) -> tuple[Finding, ...]:
    """Report that the record asks for what no run of this program does, host by host."""
    found: list[Finding] = []
    for host in plan.hosts:
        if refused := [clean_line(row.title) for row in host.rows if row.reason.startswith(REFUSED)]:
            words = f"{host.node}: the run's record asks for what no run of kthw-routes does ({', '.join(refused)})."
            hint = "That is left as it is. The record may not be one that kthw-routes wrote."
            found.append(Finding.notice(REFUSAL, words, hint, node=host.node))
    return tuple(found)


def _forwarding(newest_first: Sequence[HostRecord], facts: HostFacts, by: Mapping[str, str]) -> bool | None:
    """Return what forwarding is set to; None where it is left as it is."""
    before = _was_forwarding(newest_first, facts)
    if before is None or FORWARDING in by or (not before and _has_pods(facts)):
        return None
    return before


def _was_forwarding(newest_first: Sequence[HostRecord], facts: HostFacts) -> bool | None:
    """Return whether the host forwarded packets before the run; None where that is so now, or the run left it alone."""
    switched = [r.forwarding for r in newest_first if r.forwarding is not None]
    return None if not switched or switched[-1] == facts.ip_forward else switched[-1]


def _has_pods(facts: HostFacts) -> bool:
    return bool(facts.pods) or facts.bridge is not None
