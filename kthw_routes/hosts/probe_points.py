"""From where and to where each worker is probed, and the probe addresses that this takes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts
from kthw_routes.overlay.model import gateway_of
from kthw_routes.plan.wanted import wanted_routes
from kthw_routes.proof.readings import Evidence, ProbePoint

_USUAL_MTU: Final = 1500
"""Bytes: the MTU of an Ethernet, and of a pod unless its CNI configuration says otherwise."""


@dataclass(frozen=True, slots=True)
class ProbedWorker:
    """One worker that can be probed, and the addresses used for its pods, best evidence first."""

    name: str
    endpoints: tuple[ProbePoint, ...]
    next_hops: Mapping[str, IPv4Address]
    """By the worker whose pods are behind it."""
    internal: IPv4Address | None = None

    @property
    def node_side(self) -> IPv4Address:
        """An address of the node itself in its pod CIDR."""
        return self.endpoints[-1].address

    @property
    def namespaces(self) -> tuple[str | None, ...]:
        """The network namespaces of its ends; None is the host's own."""
        return tuple(dict.fromkeys(e.namespace for e in self.endpoints))


def probed_worker(cluster: Cluster, node: Node, facts: HostFacts) -> ProbedWorker | None:
    """Choose how a worker is probed; None where it has no pod CIDR to be probed in."""
    if node.pod_cidr is None or node.pod_cidr.prefixlen > 30:
        return None
    endpoints = [ProbePoint(p.address, Evidence.POD, p.namespace, p.mtu) for p in facts.pods[:1]]
    if facts.bridge:
        endpoints.append(ProbePoint(facts.bridge.address.ip, Evidence.BRIDGE, mtu=facts.bridge.mtu))
    else:
        # Of pods to come nothing is known: no larger packets than the node itself sends.
        mtu = facts.mtu_of(gateway_of(node.pod_cidr) if cluster.has_overlay else node.internal)
        usual = min(mtu, _USUAL_MTU) if mtu is not None else None
        endpoints.append(ProbePoint(node.pod_cidr.broadcast_address - 1, Evidence.PROBE, mtu=usual))
    hops = {w.worker: w.next_hop for w in wanted_routes(cluster, node)}
    return ProbedWorker(node.name, tuple(endpoints), hops, node.internal)


def ends(source: ProbedWorker, target: ProbedWorker) -> tuple[ProbePoint, ProbePoint]:
    """Choose the endpoints of a pair: both pods, or else neither."""
    if source.endpoints[0].evidence is target.endpoints[0].evidence is Evidence.POD:
        return source.endpoints[0], target.endpoints[0]
    return source.endpoints[-1], target.endpoints[-1]


def full_size(source: ProbePoint, target: ProbePoint) -> int | None:
    """Return the bytes of the largest packet that both ends take whole; None where that is not known."""
    sizes = [point.mtu for point in (source, target)]
    known = [size for size in sizes if size is not None]
    return min(known) if len(known) == len(sizes) else None


def probe_addresses(ready: Mapping[str, ProbedWorker], facts: Mapping[str, HostFacts]) -> dict[str, IPv4Interface]:
    """Choose the probe addresses to put on `lo`, by worker; none where all workers have pods."""
    if all(w.endpoints[0].evidence is Evidence.POD for w in ready.values()):
        return {}
    return {
        name: IPv4Interface((e.address, 32))
        for name, worker in ready.items()
        for e in worker.endpoints
        if e.evidence is Evidence.PROBE and not _is_permanent(facts[name], e.address)
    }


def _is_permanent(facts: HostFacts, address: IPv4Address) -> bool:
    """Whether the host has this address for good, so that it is neither added nor removed."""
    return any(a.address.ip == address and not a.is_temporary for a in facts.addresses)
