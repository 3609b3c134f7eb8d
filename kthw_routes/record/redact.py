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
    CheckDocument,
    FactsDocument,
    FindingDocument,
    HostPlanDocument,
    NetworkDocument,
    NodeDocument,
    RouteDocument,
)
from kthw_routes.record.pseudonyms import HIDDEN, Pseudonyms, kept, maybe
from kthw_routes.record.redact_proof import redact_proof
from kthw_routes.teaching.explain import explain, finding_codes

_NO_TIME: Final = "2000-01-01T00:00:00+00:00"
_ROUTE_TYPES: Final = ("unicast", "blackhole", "unreachable", "prohibit", "throw", "local", "broadcast")
_PROTOCOLS: Final = ("kernel", "boot", "static", "dhcp", "ra", "redirect", "bird", "bgp", "ospf", "200")
_SCOPES: Final = ("global", "link", "host", "site", "nowhere")
_FLAGS: Final = frozenset({"onlink", "linkdown", "dead", "pervasive", "offload", "notify"})


def redact(document: CheckDocument, random: Random | None = None) -> CheckDocument:
    """Return a report with other names and addresses, which leads to the same verdicts.

    Args:
        document: the report; it is not changed.
        random: where the new addresses come from; by default nobody can tell.
    """
    new = Pseudonyms(json.dumps(document, ensure_ascii=False), random or SystemRandom())
    for node in document["nodes"]:
        new.name(node["name"], node["role"])
    facts = {new.name(name): _facts(name, read, new) for name, read in document["proof"]["hosts"].items()}
    return {
        "version": document["version"],
        "cluster_cidr": new.network(document["cluster_cidr"]),
        "nodes": [_node(node, new) for node in document["nodes"]],
        "findings": [_finding(finding, new) for finding in document["findings"]],
        "hosts": [_plan(host, new) for host in document["hosts"]],
        "changes": document["changes"],
        "drift": document["drift"],
        "proof": redact_proof(document["proof"], new, facts),
    }


def _node(node: NodeDocument, new: Pseudonyms) -> NodeDocument:
    return {
        "name": new.name(node["name"]),
        "role": node["role"],
        "region": new.name(node["region"], "region") if node["region"] is not None else None,
        "status": None,
        "ssh": None,
        "internal_ip": maybe(new.address, node["internal_ip"]),
        "pod_cidr": maybe(new.network, node["pod_cidr"]),
        "pod_cidr_source": node["pod_cidr_source"],
        "selection": node["selection"],
        "identity": None,
        "next_hop": maybe(new.address, node["next_hop"]),
    }


def _finding(finding: FindingDocument, new: Pseudonyms) -> FindingDocument:
    code = finding["code"]
    return {
        "code": code,
        "level": finding["level"],
        "warning": finding["warning"],
        "node": maybe(new.name, finding["node"]),
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
                "worker": maybe(new.name, row["worker"]),
                "next_hop": maybe(new.address, row["next_hop"]),
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
                "address": maybe(new.address, name["address"]),
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
        "gateway": maybe(new.address, route["gateway"]),
        "gateways": [new.address(hop) for hop in route["gateways"]],
        "device": new.device(route["device"]) if route["device"] is not None else None,
        "protocol": kept(route["protocol"], _PROTOCOLS, "other"),
        "metric": route["metric"],
        "scope": kept(route["scope"], _SCOPES, "global"),
        "source": maybe(new.address, route["source"]),
        "flags": sorted(_FLAGS & set(route["flags"])),
        "tos": route["tos"],
        "extra": "",
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
        "routes_within": maybe(new.network, facts["routes_within"]),
        "cni_cidr": maybe(new.network, facts["cni_cidr"]),
        "kubelet_cidr": maybe(new.network, facts["kubelet_cidr"]),
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
