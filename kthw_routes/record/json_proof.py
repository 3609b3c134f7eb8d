"""The document of a proof, for programs: each pair, each cause, and every reading that they rest on."""

from collections.abc import Iterable, Mapping
from typing import Final

from kthw_routes.cluster import Cluster
from kthw_routes.findings.model import Finding
from kthw_routes.plan.changes import Plan
from kthw_routes.proof.case import Case
from kthw_routes.proof.causes import Cause
from kthw_routes.proof.cloud import CloudFirewall, CloudRule, Way
from kthw_routes.proof.diagnosis import grouped
from kthw_routes.proof.masquerading import masquerading
from kthw_routes.proof.path import HostPath
from kthw_routes.proof.readings import Counters, Evidence, ForwardingCheck, NodesReading, PairReading, Proof
from kthw_routes.record.documents import (
    BetweenNodesDocument,
    CauseDocument,
    CheckDocument,
    CloudFirewallDocument,
    CloudRuleDocument,
    CountersDocument,
    EvidenceWord,
    PairDocument,
    PathDocument,
    ProofDocument,
    VerdictDocument,
)
from kthw_routes.record.json_facts import facts_json
from kthw_routes.record.json_plan import plan_document

_MAX_JUDGED: Final = 1000
"""Pairs of pods of which each is judged by the nat rules of its source; of more none is."""
_WORDS: Final[Mapping[Evidence, EvidenceWord]] = {
    Evidence.NONE: "none",
    Evidence.PROBE: "probe",
    Evidence.BRIDGE: "bridge",
    Evidence.POD: "pod",
}


def check_document(cluster: Cluster, plan: Plan, findings: Iterable[Finding], proof: Proof) -> CheckDocument:
    """Return the document of `check`: that of `plan`, and the proof."""
    return {**plan_document(cluster, plan, findings), "proof": proof_json(proof)}


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
        "pairs": [_pair(p, proof) for p in proof.pairs],
        "causes": [_cause(cause, pairs) for cause, pairs in grouped(proof)],
        "paths": {name: _path(path) for name, path in proof.paths.items()},
        "cloud_firewalls": {name: [_firewall(one) for one in found] for name, found in proof.cloud.items()},
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


def _pair(pair: PairReading, proof: Proof) -> PairDocument:
    is_judged = pair.tested and pair.evidence is Evidence.POD and len(proof.pairs) <= _MAX_JUDGED
    masked = pair.masquerading or (masquerading(Case(pair=pair, proof=proof)) if is_judged else None)
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
        "masquerading": {"happens": masked.happens, "rule": masked.rule} if masked is not None else None,
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
        "policy_tables": {rule.table: list(rule.routes) for rule in path.policy_rules if rule.table and rule.routes},
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


def _firewall(firewall: CloudFirewall) -> CloudFirewallDocument:
    return {
        "label": firewall.label,
        "inbound": [_rule(rule) for rule in firewall.rules[Way.INBOUND]],
        "inbound_accepts": firewall.accepts[Way.INBOUND],
        "outbound": [_rule(rule) for rule in firewall.rules[Way.OUTBOUND]],
        "outbound_accepts": firewall.accepts[Way.OUTBOUND],
    }


def _rule(rule: CloudRule) -> CloudRuleDocument:
    return {
        "accepts": rule.accepts,
        "protocol": rule.protocol,
        "ports": rule.ports,
        "networks": [str(network) for network in rule.networks],
        "whole": rule.is_whole,
        "label": rule.label,
    }


def _counters(counters: Counters) -> CountersDocument:
    return {
        "requests_out": counters.requests_out,
        "requests_in": counters.requests_in,
        "replies_out": counters.replies_out,
        "replies_in": counters.replies_in,
    }
