"""The proof of a report without what is the person's own. Pure."""

from collections.abc import Mapping
from typing import Final

from kthw_routes.record.documents import (
    CauseDocument,
    FactsDocument,
    PairDocument,
    PathDocument,
    ProofDocument,
    StandInDocument,
)
from kthw_routes.record.pseudonyms import HIDDEN, Pseudonyms, kept, maybe

_CHAINS: Final = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
_LAYERS: Final = {
    "route": "{source} has no right route to {target}'s pods",
    "source": "the source itself does not send the packets",
    "neighbour table": "a neighbour table is full",
    "routes to own pods": "another route overrides a node's own pod CIDR",
    "next hop": "the next hop does not answer",
    "policy rules": "a policy rule sends the packets elsewhere, or refuses them",
    "forwarding": "forwarding is off on a node",
    "reverse path filter": "a reverse path filter drops the packets",
    "firewall of a node": "the firewall of a node drops or rejects the packets",
    "MTU": "packets of full size do not fit",
    "network, on the way there": "what is between the nodes drops the requests",
    "target": "the target does not answer",
    "route back": "{target} has no right route to {source}'s pods",
    "network, on the way back": "what is between the nodes drops the replies",
    "unknown": "what was read does not show where the packets end",
}


def redact_proof(proof: ProofDocument, new: Pseudonyms, hosts: Mapping[str, FactsDocument]) -> ProofDocument:
    """Return a proof with other names and addresses. `hosts`: what was read of each, redacted already."""
    failed = sum(pair["tested"] and not pair["ok"] for pair in proof["pairs"])
    return {
        "headline": f"{failed} of {len(proof['pairs'])} pairs of workers do not get through.",
        "proved": proof["proved"],
        "evidence": proof["evidence"],
        "caveat": "",
        "drift": proof["drift"],
        "unread": [HIDDEN for _ in proof["unread"]],
        "verdicts": [
            {
                "from": new.name(verdict["from"]),
                "to": new.name(verdict["to"]),
                "prefix": new.network(verdict["prefix"]),
                "forwards": verdict["forwards"],
                "words": "",
            }
            for verdict in proof["verdicts"]
        ],
        "pairs": [_pair(pair, new) for pair in proof["pairs"]],
        "causes": [_cause(cause, new) for cause in proof["causes"]],
        "paths": {new.name(name): _path(path, new) for name, path in proof["paths"].items()},
        "counters": {new.name(name): counters for name, counters in proof["counters"].items()},
        "hosts": dict(hosts),
    }


def _ends(pair: StandInDocument, new: Pseudonyms) -> StandInDocument:
    return {"from": new.name(pair["from"]), "to": new.name(pair["to"])}


def _pair(pair: PairDocument, new: Pseudonyms) -> PairDocument:
    lost, same, masked = pair["full_size_lost"], pair["same_as"], pair["masquerading"]
    rule = masked["rule"] if masked is not None else None
    return {
        "from": new.name(pair["from"]),
        "to": new.name(pair["to"]),
        "ok": pair["ok"],
        "tested": pair["tested"],
        "evidence": pair["evidence"],
        "from_address": maybe(new.address, pair["from_address"]),
        "to_address": maybe(new.address, pair["to_address"]),
        "sent": pair["sent"],
        "received": pair["received"],
        "round_trip_ms": pair["round_trip_ms"],
        "words": new.words(pair["words"]),
        "problem": "" if pair["tested"] else HIDDEN,
        "counters_from": pair["counters_from"],
        "counters_to": pair["counters_to"],
        "alone": pair["alone"],
        "same_as": _ends(same, new) if same is not None else None,
        "silent_hop_back": maybe(new.words, pair["silent_hop_back"]),
        "full_neighbour_table": maybe(new.name, pair["full_neighbour_table"]),
        "full_size": pair["full_size"],
        "full_size_lost": maybe(new.words, lost),
        "only_pings": maybe(new.name, pair["only_pings"]),
        "between_nodes": pair["between_nodes"],
        "masquerading": {"happens": masked["happens"], "rule": maybe(new.words, rule)} if masked is not None else None,
    }


def _cause(cause: CauseDocument, new: Pseudonyms) -> CauseDocument:
    ends = [_ends(pair, new) for pair in cause["pairs"]]
    first = ends[0] if ends else {"from": HIDDEN, "to": HIDDEN}
    what = _LAYERS.get(cause["layer"], HIDDEN).format(source=first["from"], target=first["to"])
    host = maybe(new.name, cause["host"])
    return {
        "pairs": ends,
        "layer": cause["layer"],
        "host": host,
        "what": f"{what[:1].upper()}{what[1:]}{f': {host}' if host is not None else ''}.",
        "seen": "",
        "ruled_out": [],
        "command": "the command of the hop at which it stops",
        "fix": None,
    }


def _path(path: PathDocument, new: Pseudonyms) -> PathDocument:
    return {
        "policy_rules": [new.words(rule) for rule in path["policy_rules"]],
        "policy_tables": {
            new.words(table): [new.words(route) for route in routes]
            for table, routes in path.get("policy_tables", {}).items()
        },
        "lookups": [
            {
                "way": lookup["way"],
                "worker": new.name(lookup["worker"]),
                "words": new.words(lookup["words"]),
                "refused": lookup["refused"],
            }
            for lookup in path["lookups"]
        ],
        "rp_filter": {new.device(name): value for name, value in path["rp_filter"].items()},
        "firewall": {
            f"{table.partition(' ')[0]} {new.name(table, 'table')}": {
                kept(chain, _CHAINS, "") or new.name(chain, "chain"): [HIDDEN for _ in rules]
                for chain, rules in chains.items()
            }
            for table, chains in path["firewall"].items()
        },
        "unread": [kept(program, ("iptables", "nft", "iptables-legacy"), HIDDEN) for program in path["unread"]],
    }
