"""Which routes and names each host should have. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts, router_towards
from kthw_routes.node_names import is_host_name
from kthw_routes.options import RoutesOn
from kthw_routes.overlay.model import DEVICE, gateway_of
from kthw_routes.plan.networks import ByNetwork


@dataclass(frozen=True, slots=True)
class Wanted:
    """One route that a worker should have."""

    worker: str
    """The worker that it leads to."""
    prefix: IPv4Network
    """That worker's pod CIDR."""
    next_hop: IPv4Address
    """That worker's internal address, or the router that leads to it."""
    is_guess: bool = False
    """Whether that pod CIDR is a guess: the worker was not read."""
    device: str | None = None
    """The interface, where the route has to name it: that of the overlay, whose next hops are in no network."""


class WantedRoutes:
    """The routes that the nodes of a cluster should have: the same values for all nodes, worked out once.

    Attributes:
        all: one per worker whose pod CIDR and internal address are known, in natural order. A pod CIDR that is a guess
            counts where nobody who was read has it.
    """

    def __init__(
        self, cluster: Cluster, routes_on: RoutesOn = RoutesOn.WORKERS, next_hop: IPv4Address | None = None
    ) -> None:
        """`next_hop`: where all routes lead, on nodes that have one of their own; None: to the workers themselves."""
        workers = [(w, w.pod_cidr) for w in cluster.workers if w.pod_cidr is not None]
        certain = ByNetwork((cidr, worker) for worker, cidr in workers if not worker.is_guessed)
        self._routes_on: Final = routes_on
        self._next_hop: Final = next_hop
        self._has_overlay: Final = cluster.has_overlay
        self.all: Final = tuple(
            _through_overlay(worker, cidr)
            if cluster.has_overlay
            else Wanted(
                worker=worker.name, prefix=cidr, next_hop=next_hop or worker.internal, is_guess=worker.is_guessed
            )
            for worker, cidr in workers
            if worker.internal is not None and not (worker.is_guessed and certain.overlaps(cidr))
        )
        self._places: Final[defaultdict[str | IPv4Network, set[int]]] = defaultdict(set)
        for place, wanted in enumerate(self.all):
            self._places[wanted.worker].add(place)
            self._places[wanted.prefix].add(place)

    def not_on(self, node: Node) -> frozenset[int]:
        """Return the places in `all` of those that this node should not have: to its own pods, or any."""
        if not self._routes_on.counts(node) or (self._has_overlay and not node.is_worker):
            return frozenset(range(len(self.all)))
        own = self._places.get(node.pod_cidr, set()) if node.pod_cidr is not None else set()
        return frozenset(self._places.get(node.name, set()) | own)

    def of(self, node: Node) -> tuple[Wanted, ...]:
        """Return the routes that `node` should have: one per other worker."""
        left_out = self.not_on(node)
        routes = tuple(wanted for place, wanted in enumerate(self.all) if place not in left_out)
        if self._has_overlay or node.next_hop in (None, self._next_hop):
            return routes
        return tuple(replace(wanted, next_hop=node.next_hop) for wanted in routes)


def _through_overlay(worker: Node, cidr: IPv4Network) -> Wanted:
    return Wanted(worker=worker.name, prefix=cidr, next_hop=gateway_of(cidr), is_guess=worker.is_guessed, device=DEVICE)


def wanted_routes(cluster: Cluster, node: Node, routes_on: RoutesOn = RoutesOn.WORKERS) -> tuple[Wanted, ...]:
    """Return the routes that one node should have; who asks for many nodes makes `WantedRoutes` once."""
    return WantedRoutes(cluster, routes_on).of(node)


def with_routers(cluster: Cluster, facts: Mapping[str, HostFacts]) -> Cluster:
    """Return the cluster where each node that reaches all others through one router has that for its next hop.

    A next hop that somebody typed stays. The pods of those nodes are reached in the same way, if the router knows them.
    """

    def with_router(node: Node) -> Node:
        read = facts.get(node.name)
        others = [n.internal for n in cluster.workers if n.name != node.name and n.internal is not None]
        if read is None or node.next_hop is not None or not others:
            return node
        routes = [r for r in read.routes if r.gateway is not None or r.scope == "link"]
        found = set()
        for ip in others:
            if read.device_towards(ip) is not None:
                return node
            router = router_towards(routes, read.on_link, ip)
            found.add(router.gateway if router else None)
        (gateway, *more) = found
        return node if more else replace(node, next_hop=gateway)

    return replace(cluster, nodes=tuple(with_router(n) for n in cluster))


def wanted_names(cluster: Cluster, node: Node) -> dict[str, IPv4Address]:
    """Return the names that `/etc/hosts` of `node` should hold, if it is to hold any: worker -> internal address."""
    return {
        w.name: w.internal
        for w in cluster.workers
        if w.internal is not None and is_host_name(w.name) and w.name != node.name  # its own name is its own affair
    }
