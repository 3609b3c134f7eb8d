"""Which routes and names each host should have. Pure."""

from collections import defaultdict
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.networks import ByNetwork
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


class WantedRoutes:
    """The routes that the nodes of a cluster should have: the same values for all nodes, worked out once.

    Attributes:
        all: one per worker whose pod CIDR and internal address are known, in natural order. A pod CIDR that is a guess
            counts where nobody who was read has it.
    """

    def __init__(self, cluster: Cluster, routes_on: RoutesOn = RoutesOn.WORKERS) -> None:
        workers = [(w, w.pod_cidr) for w in cluster.workers if w.pod_cidr is not None]
        certain = ByNetwork((cidr, worker) for worker, cidr in workers if not worker.is_guessed)
        self._routes_on: Final = routes_on
        self.all: Final = tuple(
            Wanted(worker=worker.name, prefix=cidr, next_hop=worker.internal, is_guess=worker.is_guessed)
            for worker, cidr in workers
            if worker.internal is not None and not (worker.is_guessed and certain.overlaps(cidr))
        )
        self._places: Final[defaultdict[str | IPv4Network, set[int]]] = defaultdict(set)
        for place, wanted in enumerate(self.all):
            self._places[wanted.worker].add(place)
            self._places[wanted.prefix].add(place)

    def not_on(self, node: Node) -> frozenset[int]:
        """Return the places in `all` of those that this node should not have: to its own pods, or any."""
        if not self._routes_on.counts(node):
            return frozenset(range(len(self.all)))
        own = self._places.get(node.pod_cidr, set()) if node.pod_cidr is not None else set()
        return frozenset(self._places.get(node.name, set()) | own)

    def of(self, node: Node) -> tuple[Wanted, ...]:
        """Return the routes that `node` should have: one per other worker."""
        left_out = self.not_on(node)
        return tuple(wanted for place, wanted in enumerate(self.all) if place not in left_out)


def wanted_routes(cluster: Cluster, node: Node, routes_on: RoutesOn = RoutesOn.WORKERS) -> tuple[Wanted, ...]:
    """Return the routes that one node should have; who asks for many nodes makes `WantedRoutes` once."""
    return WantedRoutes(cluster, routes_on).of(node)


def wanted_names(cluster: Cluster, node: Node) -> dict[str, IPv4Address]:
    """Return the names that `/etc/hosts` of `node` should hold, if it is to hold any: worker -> internal address."""
    return {
        w.name: w.internal
        for w in cluster.workers
        if w.internal is not None and is_host_name(w.name) and w.name != node.name  # its own name is its own affair
    }
