"""The documents that programs read: the plan, the answer of `--json`. Plain JSON values.

`VERSION` rises when a field changes its meaning or goes; new fields alone do not raise it.

Each row of a host's routes and names has a `code`, one stable word for what is there, as `row_codes` explains them:

- of a route: `right`, `missing`, `wrong-next-hop`, `second-route`, `stale`, `foreign`, `own-routed-away`,
  `not-read`;
- of a name: `right`, `missing`, `wrong`, `twice`, `stale`;
- null in an undo, whose rows are compared with what stood there before a run.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
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
    Plan,
    RollbackChange,
    RouteChange,
    StatedFile,
)
from kthw_routes.proof.causes import Cause
from kthw_routes.proof.diagnosis import grouped
from kthw_routes.proof.path import HostPath
from kthw_routes.proof.readings import Counters, Evidence, ForwardingCheck, NodesReading, PairReading, Proof
from kthw_routes.record.documents import (
    BetweenNodesDocument,
    CauseDocument,
    CountersDocument,
    EvidenceWord,
    FileRow,
    FindingDocument,
    HostPlanDocument,
    NameRow,
    NodeDocument,
    OutcomeDocument,
    PairDocument,
    PathDocument,
    PersistenceDocument,
    PlanDocument,
    ProofDocument,
    RouteRow,
    StatedFileRow,
    VerdictDocument,
)
from kthw_routes.record.json_facts import facts_json, route_json, stated_json, text_of

VERSION: Final = 1
_WORDS: Final[Mapping[Evidence, EvidenceWord]] = {
    Evidence.NONE: "none",
    Evidence.PROBE: "probe",
    Evidence.BRIDGE: "bridge",
    Evidence.POD: "pod",
}


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
        **{key: [] for key in ("routes", "names", "files", "stated", "leftovers", "switches")},
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
        case StatedFile():
            return _stated_file(row)
        case Leftover():
            return str(row.path)
        case RollbackChange():
            return row.run
        case _:
            return {"kind": row.kind, "title": row.title, "reason": row.reason, "commands": list(row.commands)}


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


def proof_json(proof: Proof) -> ProofDocument:
    """Return the proof with every reading that it rests on."""
    return {
        "headline": proof.headline,
        "proved": proof.is_proved,
        "evidence": _WORDS[proof.evidence],
        "caveat": proof.caveat,
        "drift": proof.plan.is_drift,
        "unread": list(proof.unread),
        "verdicts": [_verdict(v) for v in proof.verdicts],
        "pairs": [_pair(p) for p in proof.pairs],
        "causes": [_cause(cause, pairs) for cause, pairs in grouped(proof)],
        "paths": {name: _path(path) for name, path in proof.paths.items()},
        "counters": {name: _counters(counters) for name, counters in proof.counters.items()},
        "hosts": {name: facts_json(f) for name, f in proof.facts.items()},
    }


def _verdict(verdict: ForwardingCheck) -> VerdictDocument:
    return {
        "from": verdict.source,
        "to": verdict.target,
        "prefix": str(verdict.prefix),
        "forwards": verdict.forwards,
        "words": verdict.words,
    }


def _pair(pair: PairReading) -> PairDocument:
    return {
        "from": pair.source,
        "to": pair.target,
        "ok": pair.ok,
        "tested": pair.tested,
        "evidence": _WORDS[pair.evidence],
        "from_address": str(pair.source_address) if pair.source_address else None,
        "to_address": str(pair.target_address) if pair.target_address else None,
        "sent": pair.sent,
        "received": pair.received,
        "round_trip_ms": pair.round_trip,
        "words": pair.words,
        "problem": pair.problem or "",
        "counters_from": _counters(pair.at_source) if pair.at_source else None,
        "counters_to": _counters(pair.at_target) if pair.at_target else None,
        "alone": pair.alone,
        "same_as": {"from": pair.same_as[0], "to": pair.same_as[1]} if pair.same_as else None,
        "silent_hop_back": pair.silent_hop_back,
        "full_neighbour_table": pair.full_table,
        "full_size": pair.full_size,
        "full_size_lost": pair.full_size_lost,
        "only_pings": pair.only_pings,
        "between_nodes": _between_nodes(pair.nodes) if pair.nodes else None,
    }


def _between_nodes(nodes: NodesReading) -> BetweenNodesDocument:
    return {"internal_answered": nodes.internal_answered, "sent": nodes.sent, "arrived": nodes.arrived}


def _cause(cause: Cause, pairs: Iterable[PairReading]) -> CauseDocument:
    return {
        "pairs": [{"from": pair.source, "to": pair.target} for pair in pairs],
        "layer": cause.layer,
        "host": cause.host,
        "what": cause.what,
        "seen": cause.seen,
        "ruled_out": list(cause.ruled_out),
        "command": cause.shows,
        "fix": cause.fix,
    }


def _path(path: HostPath) -> PathDocument:
    return {
        "policy_rules": [rule.text for rule in path.policy_rules],
        "lookups": [
            {"way": way.value, "worker": worker, "words": lookup.words, "refused": lookup.is_refused}
            for (way, worker), lookup in path.lookups.items()
        ],
        "rp_filter": dict(path.rp_filter),
        "firewall": {
            f"{table.program} {table.family} {table.name}": {
                name: [rule.text for rule in chain.rules] for name, chain in table.chains.items()
            }
            for table in path.tables
            if not any(chain.is_nat for chain in table.chains.values())
        },
        "unread": list(path.unread),
    }


def _counters(counters: Counters) -> CountersDocument:
    return {
        "requests_out": counters.requests_out,
        "requests_in": counters.requests_in,
        "replies_out": counters.replies_out,
        "replies_in": counters.replies_in,
    }
