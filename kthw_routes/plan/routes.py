"""What becomes of the wanted routes on each host. Rows that are the same on many hosts are made once. Pure.

In a cluster of N workers there are some N² rows, and nearly all of them say "no route to it" or "ours already".
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import Devices, HostFacts, Route
from kthw_routes.iproute2.commands import pod_route
from kthw_routes.iproute2.edits import NO_EDIT, Edit, put, take_away
from kthw_routes.options import RoutesOn
from kthw_routes.overlay.model import DEVICE
from kthw_routes.persistence.managers import Persisted
from kthw_routes.plan.changes import ChangeKind, RouteChange, describe
from kthw_routes.plan.network_plugins import plugin_in
from kthw_routes.plan.networks import ByNetwork
from kthw_routes.plan.wanted import Wanted, WantedRoutes


@dataclass(frozen=True, slots=True)
class HostRoutes:
    """What becomes of the wanted routes on one host, and what else is in its table."""

    rows: Sequence[RouteChange]
    """One per wanted route."""
    others: Sequence[Route]
    """The routes for whose prefixes none is wanted, in the kernel's order."""
    to_own_pods: Sequence[Route]
    """Those among which the routes into the node's own pod CIDR are, in the kernel's order."""


class RouteRows:
    """Compares the wanted routes with what hosts have, host by host."""

    def __init__(self, cluster: Cluster, routes_on: RoutesOn, next_hop: IPv4Address | None = None) -> None:
        """`next_hop`: the one of the nodes that have one of their own, and are compared here."""
        self._wanted: Final = WantedRoutes(cluster, routes_on, next_hop)
        wanted = self._wanted.all
        self._cluster_cidr: Final = cluster.cidr
        self._has_guesses: Final = any(w.is_guess for w in wanted)
        self._devices: Final = Devices(w.next_hop for w in wanted)
        self._named: Final = [w.device for w in wanted]
        # Of two workers with one pod CIDR the first has the place of its prefix.
        self._places: Final[dict[IPv4Network, int]] = {}
        self._first: Final = [self._places.setdefault(w.prefix, place) for place, w in enumerate(wanted)]
        self._prefixes: Final = ByNetwork((w.prefix, place) for place, w in enumerate(wanted))
        self._nodes: Final[dict[IPv4Address | None, tuple[int, str]]] = {}
        for number, node in enumerate(cluster):
            if node.internal is not None:
                self._nodes.setdefault(node.internal, (number, node.name))
        self._missing: Final[list[RouteChange | None]] = [None] * len(wanted)
        self._right: Final[defaultdict[str | None, list[RouteChange | None]]] = defaultdict(self._missing.copy)

    def of_host(self, node: Node, facts: HostFacts, persisted: Persisted) -> HostRoutes:
        """Return what becomes of a host's routes. `persisted`: what files of ours hold there."""
        left_out = self._wanted.not_on(node)
        found, others = self._by_place(facts.routes, left_out)
        devices = [named or at for named, at in zip(self._named, self._devices.of(facts.on_link), strict=True)]
        hops = {r.gateway for r in facts.routes if r.prefix.subnet_of(self._cluster_cidr)} if self._has_guesses else ()
        rows: list[RouteChange] = []
        for place, wanted in enumerate(self._wanted.all):
            if place in left_out:
                continue
            has = found[self._first[place]]
            if has:
                rows.append(self._compare(place, wanted, has, devices[place], persisted))
            # A guess is wrong by all that can be seen where another pod CIDR leads to that worker, and not this one.
            elif not (wanted.is_guess and wanted.next_hop in hops):
                rows.append(self._add(place, wanted))
        is_apart = node.pod_cidr is None or all(place in left_out for place in self._prefixes.inside(node.pod_cidr))
        return HostRoutes(rows, others, others if is_apart else facts.routes)

    def _by_place(
        self, routes: Iterable[Route], left_out: frozenset[int]
    ) -> tuple[list[tuple[Route, ...]], list[Route]]:
        """Return the routes for each wanted prefix, by its place, and all others."""
        found: list[tuple[Route, ...]] = [()] * len(self._first)
        others: list[Route] = []
        for route in routes:
            place = self._places.get(route.prefix)
            if place is None or place in left_out:
                others.append(route)
            else:
                found[place] += (route,)
        return found, others

    def _add(self, place: int, wanted: Wanted) -> RouteChange:
        """Return the row of a wanted route of whose prefix there is none."""
        row = self._missing[place]
        if row is None:
            edit = put(pod_route(wanted.prefix, wanted.next_hop, wanted.device), ())
            row = self._missing[place] = _row(wanted, (), ChangeKind.ADD, "no route to it", edit)
        return row

    def _compare(
        self, place: int, wanted: Wanted, has: tuple[Route, ...], device: str | None, persisted: Persisted
    ) -> RouteChange:
        """Return what becomes of a wanted route, where these routes of its prefix are there."""
        known = self._right[device]
        is_alike = not persisted or has[0].is_tagged  # else its reason may name a file of this host
        row = known[place]
        if is_alike and row is not None and row.has == has:
            return row
        if kernel := next((r for r in has if r.is_kernel), None):
            reason = (
                f"{kernel.device} has an address in {wanted.worker}'s pod CIDR; the kernel's own route is never touched"
            )
            return _row(wanted, has, ChangeKind.FOREIGN, reason)
        right = [r for r in has if _is_right(r, wanted, device)]
        if len(has) == 1 and right:
            row = _row(wanted, has, ChangeKind.KEEP, _why_kept(right[0], persisted))
            if is_alike:
                known[place] = row
            return row
        if plugin := plugin_in(has):
            return _row(wanted, has, ChangeKind.FOREIGN, f"{plugin} made it, and routes these pods by itself")
        if wanted.is_guess and not right and (other := self._node_at(r.gateway for r in has)):
            why = f"leads to {other}; {wanted.worker} was not read, so whose pods these are is not known"
            return RouteChange(kind=ChangeKind.KEEP, prefix=wanted.prefix, worker=wanted.worker, has=has, reason=why)
        if right:
            # The plainest of several: `ip route del` of a route with fewer attributes would match it first.
            keep = min(right, key=lambda r: (r.metric, bool(r.extra), r.source is not None))
            spare = [r for r in has if r is not keep]
            reason = f"a second route next to the right one: {describe(spare[0])}"
            return _row(wanted, has, ChangeKind.REPLACE, reason, take_away(spare, has))
        edit = put(pod_route(wanted.prefix, wanted.next_hop, wanted.device), has)
        return _row(wanted, has, ChangeKind.REPLACE, self._where_it_leads(has[0], wanted), edit)

    def _where_it_leads(self, route: Route, wanted: Wanted) -> str:
        """Return what a wrong route does, in the words of the cluster."""
        if route.gateway is None or route.type != "unicast":
            return f"points to the wrong next hop: {describe(route)}"
        if DEVICE in (wanted.device, route.device) and wanted.device != route.device:
            what = "leads past the overlay" if wanted.device else "leads through the overlay, which was not asked for"
            return f"{what}: {describe(route)}"
        if route.gateway == wanted.next_hop:
            return f"leads through another interface: {describe(route)} dev {route.device}"
        if owner := self._node_at([route.gateway]):
            return f"leads to {owner} instead: {describe(route)}"
        return f"leads to an address that no node has: {describe(route)}; was {wanted.worker} rebuilt?"

    def _node_at(self, hops: Iterable[IPv4Address | None]) -> str | None:
        """Return the first node, in the cluster's order, that has one of these internal addresses."""
        return min((self._nodes[hop] for hop in hops if hop in self._nodes), default=(0, None))[1]


def _row(wanted: Wanted, has: tuple[Route, ...], kind: ChangeKind, reason: str, edit: Edit = NO_EDIT) -> RouteChange:
    return RouteChange(
        kind=kind,
        prefix=wanted.prefix,
        worker=wanted.worker,
        next_hop=wanted.next_hop,
        device=wanted.device,
        has=has,
        reason=reason,
        edit=edit,
    )


def _why_kept(route: Route, persisted: Persisted) -> str:
    if route.is_tagged:
        return "ours already"
    if (place := persisted.get((route.prefix, route.gateway))) is not None:
        return f"ours already, from {place}"
    return f"right as it is (proto {route.protocol})"


def _is_right(route: Route, wanted: Wanted, device: str | None) -> bool:
    """Return whether a route is the wanted one. `device`: the interface towards its next hop."""
    return (
        route.type == "unicast"
        and route.gateway == wanted.next_hop
        and not route.multipath
        and route.tos == 0
        and (device is None or route.device in (None, device))
    )
