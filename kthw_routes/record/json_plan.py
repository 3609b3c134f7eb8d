"""The documents that programs read: the plan, the answer of `--json`. Plain JSON values.

`VERSION` rises when a field changes its meaning or goes; new fields alone do not raise it.

Each row of a host's routes and names has a `code`, one stable word for what is there, as `row_codes` explains them:

- of a route: `right`, `missing`, `wrong-next-hop`, `second-route`, `stale`, `foreign`, `own-routed-away`,
  `not-read`;
- of a name: `right`, `missing`, `wrong`, `twice`, `stale`;
- null in an undo, whose rows are compared with what stood there before a run.
"""

from collections import defaultdict
from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Final, cast

from kthw_routes.cluster import Cluster, Node
from kthw_routes.events import HostOutcome
from kthw_routes.findings.model import Finding
from kthw_routes.persistence.model import Choice
from kthw_routes.plan import codes
from kthw_routes.plan.changes import (
    Change,
    FileChange,
    HostPlan,
    Leftover,
    NameChange,
    OverlayChange,
    Plan,
    RollbackChange,
    RouteChange,
    StatedFile,
)
from kthw_routes.record.documents import (
    FileRow,
    FindingDocument,
    HostPlanDocument,
    NameRow,
    NodeDocument,
    OutcomeDocument,
    OverlayRow,
    PersistenceDocument,
    PlanDocument,
    RouteRow,
    StatedFileRow,
)
from kthw_routes.record.json_facts import route_json, stated_json, text_of
from kthw_routes.record.json_overlay import overlay_json

VERSION: Final = 1


def plan_document(cluster: Cluster, plan: Plan, findings: Iterable[Finding], *, is_undo: bool = False) -> PlanDocument:
    """Return the document of `plan`: the nodes, the findings, and row by row what would change on each host."""
    own = {n.name: n.pod_cidr for n in cluster if n.is_worker}
    return {
        "version": VERSION,
        "cluster_cidr": str(cluster.cidr),
        "nodes": [node_json(n) for n in cluster],
        "findings": [finding_json(f) for f in findings],
        "hosts": [host_plan_json(h, own.get(h.node), is_undo=is_undo) for h in plan.hosts],
        "changes": plan.changes,
        "drift": plan.is_drift,
    }


def node_json(node: Node) -> NodeDocument:
    """Return a node as it was found and corrected."""
    return {
        "name": node.name,
        "role": node.role,
        "region": node.region,
        "status": node.status,
        "ssh": str(node.ssh) if node.ssh else None,
        "internal_ip": str(node.internal) if node.internal else None,
        "pod_cidr": str(node.pod_cidr) if node.pod_cidr else None,
        "pod_cidr_source": node.pod_cidr_source,
        "selection": node.selection,
        "identity": str(node.identity.absolute()) if node.identity else None,
        "next_hop": str(node.next_hop) if node.next_hop else None,
    }


def finding_json(finding: Finding) -> FindingDocument:
    """Return a finding; `warning` says that the wizard wants it acknowledged."""
    return {
        "code": finding.code,
        "level": finding.level,
        "warning": finding.acknowledge,
        "node": finding.node,
        "region": finding.region,
        "sentence": finding.sentence,
        "hint": finding.hint,
    }


def host_plan_json(host: HostPlan, own: IPv4Network | None, *, is_undo: bool) -> HostPlanDocument:
    """Return the rows of one host's plan. `own`: its own pod CIDR."""
    sections: defaultdict[str, list[object]] = defaultdict(list)
    for row in host.rows:
        sections[row.section].append(_row_json(row, own, is_undo=is_undo))
    document = {
        "host": host.node,
        **{key: [] for key in ("routes", "names", "files", "stated", "leftovers", "switches", "overlay")},
        **sections,
        "forwarding": host.forwarding,
        "etc_hosts_problem": host.hosts_file_problem,
        "persistence": _choice(host.persistence) if host.persistence else None,
        "own_pod_cidr_routed_away": route_json(host.own_cidr_overridden_by) if host.own_cidr_overridden_by else None,
        "inverse": [command for row in reversed(host.routes) for command in row.undo_commands],
    }
    return cast("HostPlanDocument", document)  # its sections follow from the kinds of rows


def _row_json(row: Change, own: IPv4Network | None, *, is_undo: bool) -> object:
    """Return a row as it is listed in its section."""
    match row:
        case RouteChange():
            return {**_route_change(row), "code": None if is_undo else codes.of_route(row, own)}
        case NameChange():
            return {**name_json(row), "code": None if is_undo else codes.of_name(row)}
        case FileChange():
            return _file_change(row)
        case OverlayChange():
            return _overlay_change(row)
        case StatedFile():
            return _stated_file(row)
        case Leftover():
            return str(row.path)
        case RollbackChange():
            return row.run
        case _:
            return {"kind": row.kind, "title": row.title, "reason": row.reason, "commands": list(row.commands)}


def _overlay_change(change: OverlayChange) -> OverlayRow:
    return {
        "kind": change.kind,
        "before": overlay_json(change.before),
        "after": overlay_json(change.after),
        "reason": change.reason,
        "commands": list(change.commands),
    }


def _route_change(change: RouteChange) -> RouteRow:
    return {
        "kind": change.kind,
        "prefix": str(change.prefix),
        "worker": change.worker,
        "next_hop": str(change.next_hop) if change.next_hop else None,
        "has": [route_json(r) for r in change.has],
        "reason": change.reason,
        "commands": list(change.commands),
    }


def name_json(change: NameChange) -> NameRow:
    return {
        "kind": change.kind,
        "name": change.name,
        "address": str(change.address) if change.address else None,
        "has": list(change.has),
        "reason": change.reason,
    }


def _file_change(change: FileChange) -> FileRow:
    return {
        "kind": change.kind,
        "path": str(change.path),
        "mode": f"{change.mode:04o}",
        "before": text_of(change.before) if change.before is not None else None,
        "after": text_of(change.after) if change.after is not None else None,
        "reason": change.reason,
    }


def _stated_file(row: StatedFile) -> StatedFileRow:
    return {
        "kind": row.kind,
        "path": str(row.path),
        "reason": row.reason,
        "kept": [stated_json(route) for route in row.kept],
        "stale": [stated_json(stale.route) for stale in row.stale],
    }


def _choice(choice: Choice) -> PersistenceDocument:
    return {"manager": choice.manager, "reason": choice.reason, "problem": choice.problem}


def outcome_json(outcome: HostOutcome) -> OutcomeDocument:
    """Return how one host ended."""
    return {
        "host": outcome.node,
        "state": outcome.state,
        "sentence": outcome.sentence,
        "hint": outcome.hint,
        "changes_sent": outcome.changes_sent,
        "failed_rows": dict(outcome.failed_rows),
    }
