"""A report without what is the person's own: names, addresses, users, keys, paths, the hosts' own words. Pure.

Each field is written anew here; one that is added to the documents is missing here until it is decided what becomes
of it. What stays is what the way of a packet needs, and numbers.
"""

import json
from collections.abc import Iterable
from random import Random
from secrets import SystemRandom
from typing import Final

from kthw_routes.record.documents import (
    AddressDocument,
    CauseDocument,
    CheckDocument,
    FactsDocument,
    FindingDocument,
    HostPlanDocument,
    NetworkDocument,
    NodeDocument,
    PairDocument,
    PathDocument,
    ProofDocument,
    RouteDocument,
    StandInDocument,
)
from kthw_routes.record.pseudonyms import HIDDEN, Pseudonyms, kept
from kthw_routes.teaching.explain import explain, finding_codes

_NO_TIME: Final = "2000-01-01T00:00:00+00:00"
_ROUTE_TYPES: Final = ("unicast", "blackhole", "unreachable", "prohibit", "throw", "local", "broadcast")
_PROTOCOLS: Final = ("kernel", "boot", "static", "dhcp", "ra", "redirect", "bird", "bgp", "ospf", "200")
_SCOPES: Final = ("global", "link", "host", "site", "nowhere")
_FLAGS: Final = frozenset({"onlink", "linkdown", "dead", "pervasive", "offload", "notify"})
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


def redact(document: CheckDocument, random: Random | None = None) -> CheckDocument:
    """Return a report with other names and addresses, which leads to the same verdicts.

    Args:
        document: the report; it is not changed.
        random: where the new addresses come from; by default nobody can tell.
    """
    new = Pseudonyms(json.dumps(document, ensure_ascii=False), random or SystemRandom())
    for node in document["nodes"]:
        new.name(node["name"], node["role"])
    return {
        "version": document["version"],
        "cluster_cidr": new.network(document["cluster_cidr"]),
        "nodes": [_node(node, new) for node in document["nodes"]],
        "findings": [_finding(finding, new) for finding in document["findings"]],
        "hosts": [_plan(host, new) for host in document["hosts"]],
        "changes": document["changes"],
        "drift": document["drift"],
        "proof": _proof(document["proof"], new),
    }


def _node(node: NodeDocument, new: Pseudonyms) -> NodeDocument:
    return {
        "name": new.name(node["name"]),
        "role": node["role"],
        "region": new.name(node["region"], "region") if node["region"] is not None else None,
        "status": None,
        "ssh": None,
        "internal_ip": _address(node["internal_ip"], new),
        "pod_cidr": _network(node["pod_cidr"], new),
        "pod_cidr_source": node["pod_cidr_source"],
        "selection": node["selection"],
        "identity": None,
        "next_hop": _address(node["next_hop"], new),
    }


def _address(text: str | None, new: Pseudonyms) -> str | None:
    return new.address(text) if text is not None else None


def _network(text: str | None, new: Pseudonyms) -> str | None:
    return new.network(text) if text is not None else None


def _name(text: str | None, new: Pseudonyms) -> str | None:
    return new.name(text) if text is not None else None


def _finding(finding: FindingDocument, new: Pseudonyms) -> FindingDocument:
    code = finding["code"]
    return {
        "code": code,
        "level": finding["level"],
        "warning": finding["warning"],
        "node": _name(finding["node"], new),
        "region": new.name(finding["region"], "region") if finding["region"] is not None else None,
        "sentence": explain(code).says if code in finding_codes() else HIDDEN,
        "hint": "",
    }


def _plan(host: HostPlanDocument, new: Pseudonyms) -> HostPlanDocument:
    own = host["own_pod_cidr_routed_away"]
    return {
        "host": new.name(host["host"]),
        "routes": [
            {
                "kind": row["kind"],
                "prefix": new.network(row["prefix"]),
                "worker": _name(row["worker"], new),
                "next_hop": _address(row["next_hop"], new),
                "has": [_route(route, new) for route in row["has"]],
                "reason": "",
                "commands": [],
                "code": row.get("code"),
            }
            for row in host["routes"]
        ],
        "names": [
            {
                "kind": name["kind"],
                "name": new.name(name["name"]),
                "address": _address(name["address"], new),
                "has": [],
                "reason": "",
                "code": name.get("code"),
            }
            for name in host["names"]
        ],
        "etc_hosts_problem": None,
        "files": [],
        "stated": [],
        "persistence": None,
        "forwarding": host["forwarding"],
        "leftovers": [],
        "switches": [],
        "overlay": [],
        "own_pod_cidr_routed_away": _route(own, new) if own is not None else None,
        "inverse": [],
    }


def _route(route: RouteDocument, new: Pseudonyms) -> RouteDocument:
    return {
        "prefix": new.network(route["prefix"]),
        "type": kept(route["type"], _ROUTE_TYPES, "unicast"),
        "gateway": _address(route["gateway"], new),
        "gateways": [new.address(hop) for hop in route["gateways"]],
        "device": new.device(route["device"]) if route["device"] is not None else None,
        "protocol": kept(route["protocol"], _PROTOCOLS, "other"),
        "metric": route["metric"],
        "scope": kept(route["scope"], _SCOPES, "global"),
        "source": _address(route["source"], new),
        "flags": sorted(_FLAGS & set(route["flags"])),
        "tos": route["tos"],
        "extra": "",
    }


def _proof(proof: ProofDocument, new: Pseudonyms) -> ProofDocument:
    failed = sum(pair["tested"] and not pair["ok"] for pair in proof["pairs"])
    hosts = {new.name(name): _facts(name, facts, new) for name, facts in proof["hosts"].items()}
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
        "hosts": hosts,
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
        "from_address": _address(pair["from_address"], new),
        "to_address": _address(pair["to_address"], new),
        "sent": pair["sent"],
        "received": pair["received"],
        "round_trip_ms": pair["round_trip_ms"],
        "words": new.words(pair["words"]),
        "problem": "" if pair["tested"] else HIDDEN,
        "counters_from": pair["counters_from"],
        "counters_to": pair["counters_to"],
        "alone": pair["alone"],
        "same_as": _ends(same, new) if same is not None else None,
        "silent_hop_back": _words(pair["silent_hop_back"], new),
        "full_neighbour_table": _name(pair["full_neighbour_table"], new),
        "full_size": pair["full_size"],
        "full_size_lost": _words(lost, new),
        "only_pings": _name(pair["only_pings"], new),
        "between_nodes": pair["between_nodes"],
        "masquerading": {"happens": masked["happens"], "rule": _words(rule, new)} if masked is not None else None,
    }


def _words(text: str | None, new: Pseudonyms) -> str | None:
    return new.words(text) if text is not None else None


def _cause(cause: CauseDocument, new: Pseudonyms) -> CauseDocument:
    ends = [_ends(pair, new) for pair in cause["pairs"]]
    first = ends[0] if ends else {"from": HIDDEN, "to": HIDDEN}
    what = _LAYERS.get(cause["layer"], HIDDEN).format(source=first["from"], target=first["to"])
    host = _name(cause["host"], new)
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


def _facts(name: str, facts: FactsDocument, new: Pseudonyms) -> FactsDocument:
    bridge = facts["bridge"]
    return {
        "read_at": _NO_TIME,
        "host_key": {"type": "", "fingerprint": ""},
        "user": "",
        "privilege": facts["privilege"],
        "hostname": new.name(name),
        "iproute2": "",
        "addresses": _addresses(facts["addresses"], new),
        "routes": [_route(route, new) for route in facts["routes"]],
        "routes_within": _network(facts["routes_within"], new),
        "cni_cidr": _network(facts["cni_cidr"], new),
        "kubelet_cidr": _network(facts["kubelet_cidr"], new),
        "cidr_files": {"cni": None, "kubelet": None, "problems": [], "plugin": None},
        "ip_forward": facts["ip_forward"],
        "network": _NETWORK,
        "overlay": None,
        "etc_hosts": None,
        "etc_hosts_problem": None,
        "bridges": _addresses(facts["bridges"], new),
        "bridge": new.interface(bridge) if bridge is not None else None,
        "pods": [
            {"namespace": new.name(pod["namespace"], "pod"), "address": new.address(pod["address"])}
            for pod in facts["pods"]
        ],
    }


def _addresses(found: Iterable[AddressDocument], new: Pseudonyms) -> list[AddressDocument]:
    return [
        {"device": new.device(one["device"]), "address": new.interface(one["address"]), "up": one["up"]}
        for one in found
    ]


_NETWORK: Final[NetworkDocument] = {
    "links": [],
    "links_beside": [],
    "systemd": False,
    "netplan": False,
    "netplan_problem": None,
    "files": [],
    "folders": [],
    "timer_enabled": False,
    "timer_active": False,
    "unit_states": {},
    "stated": [],
    "overridden": [],
    "etc_hosts_template": None,
    "leftovers": [],
    "switches": [],
}
"""How a host's network is configured: all of it is made of paths and of words of its own."""
