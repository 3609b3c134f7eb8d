"""A host's routing table as its kernel looks things up in it, and the next hops that are wanted there. Pure."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.facts import HostFacts, Route
from kthw_routes.plan.changes import HostPlan


class HostTable:
    """One host's table.

    Attributes:
        next_hops: the next hops that are wanted, by the worker whose pods are behind them.
        devices: the interfaces that the routes to them have to name: that of the overlay.
        prefixes: those workers' pod CIDRs.
        overridden_by: the route that overrides the host's own pod CIDR, if there is one.
    """

    def __init__(self, facts: HostFacts, plan: HostPlan | None) -> None:
        """`plan`: what is to be done on the host; None where it is in no plan."""
        rows = plan.routes if plan is not None else ()
        self.next_hops: Final[Mapping[str, IPv4Address]] = {
            r.worker: r.next_hop for r in rows if r.worker and r.next_hop
        }
        self.devices: Final[Mapping[str, str]] = {r.worker: r.device for r in rows if r.worker and r.device}
        self.prefixes: Final[Mapping[str, IPv4Network]] = {r.worker: r.prefix for r in rows if r.worker}
        self.overridden_by: Final = plan.own_cidr_overridden_by if plan is not None else None
        self._lengths: Final = _by_length(facts.routes)

    def best(self, address: IPv4Address) -> Route | None:
        """Find the route that takes packets for this address: the longest prefix, then the smallest metric."""
        number = int(address)
        for bits, routes in self._lengths:
            if (route := routes.get(number >> bits)) is not None:
                return route
        return None


def _by_length(routes: Iterable[Route]) -> list[tuple[int, dict[int, Route]]]:
    """Index routes: the number of host bits, fewest first, and by the bits before them the route that wins."""
    found: dict[int, dict[int, Route]] = {}
    for route in routes:
        bits = 32 - route.prefix.prefixlen
        alike = found.setdefault(bits, {})
        network = int(route.prefix.network_address) >> bits
        if network not in alike or route.metric < alike[network].metric:
            alike[network] = route
    return sorted(found.items())
