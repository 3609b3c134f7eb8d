"""A pair of workers with pods that does not get through, and what is read of both ends."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Interface
from typing import Any

from kthw_routes.facts import HostFacts, InterfaceAddress, Pod, Route
from kthw_routes.netfilter import iptables
from kthw_routes.plan import compare as planning
from kthw_routes.proof.causes import Cause
from kthw_routes.proof.diagnosis import explain
from kthw_routes.proof.path import HostPath
from kthw_routes.proof.readings import Counters, Evidence, PairReading, Proof

from .builders import cluster, facts, ip, net, pair_reading, pod_route

CLUSTER = cluster(3, controllers=0)


def host(number: int, routes: list[Route] | None = None, **given: object) -> HostFacts:
    """A worker with the right routes, a bridge and a pod."""
    own = [pod_route(n) for n in range(3) if n != number]
    bridge = InterfaceAddress("cnio0", IPv4Interface(f"10.200.{number}.1/24"))
    eth0 = InterfaceAddress("eth0", IPv4Interface(f"192.168.128.{10 + number}/17"))
    usual: dict[str, object] = {
        "addresses": (eth0, bridge),
        "bridge": bridge,
        "ip_forward": True,
        "pods": (Pod("cni-1", ip(f"10.200.{number}.2")),),
    }
    node = CLUSTER.node(f"worker-{number}")
    return facts(node, own if routes is None else routes, **(usual | given))


def ends(out: int, arrived: int, replied: int, back: int) -> dict[str, Any]:
    """What the ends of a pair counted."""
    return {
        "at_source": Counters(requests_in=0, replies_out=0, requests_out=out, replies_in=back),
        "at_target": Counters(requests_in=arrived, replies_out=replied, requests_out=0, replies_in=0),
    }


def of_pods(words: str = "", **given: object) -> PairReading:
    """A pod of worker-0 that does not reach one of worker-1."""
    usual: dict[str, object] = {
        "evidence": Evidence.POD,
        "source_address": ip("10.200.0.2"),
        "target_address": ip("10.200.1.2"),
        "received": 0,
        "words": words,
        "alone": True,
        **ends(3, 0, 0, 0),
    }
    return pair_reading("worker-0", "worker-1", **(usual | given))


def proof_of(pair: PairReading, **hosts: HostFacts) -> Proof:
    """The proof in which this pair was tested; `hosts`: what was read otherwise, `worker_1=…`."""
    read: Mapping[str, HostFacts] = {f"worker-{n}": hosts.get(f"worker_{n}") or host(n) for n in range(3)}
    return Proof(planning.make(CLUSTER, read), (), (pair,), facts=read)


def cause(pair: PairReading, **hosts: HostFacts) -> Cause:
    """Why it does not get through."""
    return explain(proof_of(pair, **hosts), pair)


def path(**given: object) -> HostPath:
    """What was read of one end of the pair."""
    return HostPath(**({"in_device": "eth0"} | given))  # type: ignore[arg-type]  # the values are right by name


def with_paths(pair: PairReading, **paths: HostPath) -> Cause:
    """Why a pair does not get through, where this was read of its ends: `worker_1=…`."""
    read = {name.replace("_", "-"): value for name, value in paths.items()}
    return explain(replace(proof_of(pair), paths=read, pods=net("10.200.0.0/16")), pair)


def saved(*rules: str, policy: str = "ACCEPT", nat: str = "") -> HostPath:
    """A host with these rules of iptables."""
    lines = "".join(f"-A {rule}\n" for rule in rules)
    text = f"*filter\n:INPUT {policy} [0:0]\n:FORWARD {policy} [0:0]\n{lines}COMMIT\n"
    text += f"*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING {nat}\nCOMMIT\n" if nat else ""
    return path(tables=iptables.parse_tables(text))
