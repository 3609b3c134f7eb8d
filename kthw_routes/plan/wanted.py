"""Which routes and names each host should have. Pure."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.cluster import Cluster, Node
from kthw_routes.node_names import is_host_name
from kthw_routes.options import RoutesOn


@dataclass(frozen=True, slots=True)
class Wanted:
    """One route that a worker should have."""

    worker: str
    """The worker that it leads to."""
    prefix: IPv4Network
    """That worker's pod CIDR."""
    next_hop: IPv4Address
    """That worker's internal address."""
    is_guess: bool = False
    """Whether that pod CIDR is a guess: the worker was not read."""


def wanted_routes(cluster: Cluster, node: Node, routes_on: RoutesOn = RoutesOn.WORKERS) -> tuple[Wanted, ...]:
    """Return the routes that `node` should have: one per other worker whose pod CIDR and internal address are known.

    A pod CIDR that is a guess counts where nobody who was read has it.
    """
    if not routes_on.counts(node):
        return ()
    certain = [w.pod_cidr for w in cluster.workers if w.pod_cidr is not None and not w.is_guessed]
    return tuple(
        Wanted(worker=other.name, prefix=other.pod_cidr, next_hop=other.internal, is_guess=other.is_guessed)
        for other in cluster.workers
        if other.name != node.name and other.pod_cidr is not None and other.internal is not None
        if other.pod_cidr != node.pod_cidr
        if not (other.is_guessed and any(other.pod_cidr.overlaps(cidr) for cidr in certain))
    )


def wanted_names(cluster: Cluster, node: Node) -> dict[str, IPv4Address]:
    """Return the names that `/etc/hosts` of `node` should hold, if it is to hold any: worker -> internal address."""
    return {
        w.name: w.internal
        for w in cluster.workers
        if w.internal is not None and is_host_name(w.name) and w.name != node.name  # its own name is its own affair
    }
