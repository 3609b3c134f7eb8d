"""One packet's way from a pod to another and back, hop by hop, as far as it comes. Pure: it shows what was read."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts, Route
from kthw_routes.overlay.model import DEVICE, PORT, gateway_of
from kthw_routes.plan.changes import describe
from kthw_routes.proof.case import Case
from kthw_routes.proof.causes import Cause, Layer
from kthw_routes.proof.diagnosis import explain
from kthw_routes.proof.masquerading import masquerading
from kthw_routes.proof.path import PolicyRule
from kthw_routes.proof.readings import Evidence, Masquerading, PairReading, Proof
from kthw_routes.teaching.hops import Hop, Kind, Passage, Trace

Causes = Mapping[tuple[str, str], Cause]
"""Why pairs fail, by their ends."""


def trace(proof: Proof, cluster: Cluster, source: str, target: str, saved_causes: Causes | None = None) -> Trace | None:
    """Follow a packet from a worker's pod to that of another.

    Args:
        proof: what was read of both, and the pings between them.
        cluster: the nodes.
        source, target: names of workers.
        saved_causes: as they were found when the proof was saved; None: they are found now.

    Returns None where the pair was not tested.
    """
    pair = proof.pair(source, target)
    if pair is None or not pair.tested or pair.source_address is None or pair.target_address is None:
        return None
    there = _Leg(proof, cluster, pair, is_back=False)
    hops = (*there.hops(), *_Leg(proof, cluster, pair, is_back=True).hops())
    cause = None
    if not pair.ok:
        cause = explain(proof, pair) if saved_causes is None else saved_causes.get((source, target))
    return Trace(source=source, target=target, pair=pair, hops=tuple(_judged(hops, pair, cause)), cause=cause)


class _Leg:
    """The way of one packet: the request's, or the reply's."""

    def __init__(self, proof: Proof, cluster: Cluster, pair: PairReading, *, is_back: bool) -> None:
        ends = [(pair.source, pair.source_address), (pair.target, pair.target_address)]
        (self.a, self.a_address), (self.b, self.b_address) = reversed(ends) if is_back else ends
        self._proof, self._cluster, self._pair, self._is_back = proof, cluster, pair, is_back
        self._masked = Masquerading(False)
        if pair.evidence is Evidence.POD:
            self._masked = pair.masquerading or masquerading(Case(pair=pair, proof=proof))

    @property
    def _is_overlaid(self) -> bool:
        """Whether the overlay carries the packets, by the table of the node that they leave."""
        route = self._best(self.a, self.b_address)
        return route is not None and route.device == DEVICE

    def _face(self, node: Node) -> IPv4Address | None:
        """Return the address that a node gives to packets of its pods where it masquerades them."""
        return gateway_of(node.pod_cidr) if self._is_overlaid and node.pod_cidr is not None else node.internal

    def _mtu(self, host: str) -> str:
        facts = self._proof.facts.get(host)
        device = facts.overlay.state.device if facts is not None else None
        return f"; MTU {device.mtu}" if device is not None else ""

    def hops(self) -> Iterator[Hop]:
        to = self.b_address
        if self._is_back and self._masked.happens:
            to = self._face(self._cluster.node(self.b))
        yield from self._out(self.a, self.a_address, to)
        yield self._hop(None, Kind.NETWORK, self._between(), "")
        yield from self._in(self.b, self.b_address)

    def _hop(self, host: str | None, kind: Kind, value: str, command: str) -> Hop:
        return Hop(host=host, kind=kind, is_back=self._is_back, value=value, command=command)

    def _out(self, host: str, own: IPv4Address | None, to: IPv4Address | None) -> Iterator[Hop]:
        facts = self._proof.facts.get(host)
        yield from self._pod(host, facts, own)
        if self._pair.evidence is Evidence.POD:
            yield self._forwarding(host, facts)
        yield self._rules(host)
        route = self._best(host, to)
        yield self._hop(host, Kind.TABLE, self._lookup(host, to, route), f"ip route get {to}")
        yield self._firewall(host, is_in=False)
        if not self._is_back and self._pair.evidence is Evidence.POD:
            yield self._masquerading(host, own)
        hop = route.gateway if route is not None else None
        if route is not None and hop is None and self._is_back and self._masked.happens:
            hop = to  # the other node itself, on the same link
        if route is not None and hop is not None:
            yield self._hop(host, Kind.NEXT_HOP, f"{hop} by {route.device}", f"ip neigh show {hop}")
        if self._is_overlaid:
            value = f"inside UDP to {self._cluster.node(self.b).internal}, port {PORT}{self._mtu(host)}"
            yield self._hop(host, Kind.TUNNEL, value, f"bridge fdb show dev {DEVICE}")

    def _in(self, host: str, own: IPv4Address | None) -> Iterator[Hop]:
        facts, node = self._proof.facts.get(host), self._cluster.node(host)
        device = facts.device_of(node.internal) if facts is not None and node.internal is not None else None
        yield self._hop(host, Kind.INTERFACE, f"{device or '?'} {node.internal or '?'}", "ip -br address")
        if self._is_overlaid:
            device = DEVICE
            yield self._hop(host, Kind.TUNNEL, f"comes out of UDP by {DEVICE}", f"ip -d link show {DEVICE}")
        if self._is_back and self._masked.happens:
            value = f"from {self._face(node)} back to {own}"
            yield self._hop(host, Kind.MASQUERADING, value, _NAT_RULES)
        yield self._reverse_path(host, device)
        if self._pair.evidence is Evidence.POD:
            yield self._forwarding(host, facts)
        yield self._firewall(host, is_in=True)
        yield self._hop(host, Kind.TABLE, self._lookup(host, own, self._best(host, own)), f"ip route get {own}")
        yield from reversed(list(self._pod(host, facts, own)))

    def _pod(self, host: str, facts: HostFacts | None, own: IPv4Address | None) -> Iterator[Hop]:
        pod = next((p for p in facts.pods if p.address == own), None) if facts is not None else None
        if pod is not None:
            yield self._hop(host, Kind.POD, str(own), f"ip netns exec {pod.namespace} ip address")
            if facts is not None and facts.bridge is not None:
                yield self._bridge(host, facts)
        elif facts is not None and facts.bridge is not None and facts.bridge.address.ip == own:
            yield self._bridge(host, facts)
        else:
            yield self._hop(host, Kind.POD, f"{own}, a probe address: there is no pod yet", "ip address show dev lo")

    def _bridge(self, host: str, facts: HostFacts) -> Hop:
        bridge = facts.bridge
        value = f"{bridge.device} {bridge.address}" if bridge is not None else "?"
        return self._hop(host, Kind.BRIDGE, value, "ip address show type bridge")

    def _forwarding(self, host: str, facts: HostFacts | None) -> Hop:
        on = "?" if facts is None else "on" if facts.ip_forward else "off"
        return self._hop(host, Kind.FORWARDING, on, "sysctl net.ipv4.ip_forward")

    def _reverse_path(self, host: str, device: str | None) -> Hop:
        path = self._proof.paths.get(host)
        value = path.effective_rp_filter(device) if path is not None and device is not None else None
        unread = _NOT_READ if path is None else "not read"
        words = unread if value is None else {0: "off", 1: "strict", 2: "loose"}.get(value, str(value))
        return self._hop(host, Kind.REVERSE_PATH, words, f"sysctl net.ipv4.conf.{device or 'all'}.rp_filter")

    def _rules(self, host: str) -> Hop:
        path = self._proof.paths.get(host)
        own = [_rule(rule) for rule in path.policy_rules] if path is not None else []
        value = "; ".join(own) if own else "only those of every host" if path is not None else _NOT_READ
        return self._hop(host, Kind.RULES, value, "ip rule")

    def _firewall(self, host: str, *, is_in: bool) -> Hop:
        path = self._proof.paths.get(host)
        chains = [chain for table in path.tables for chain in table.chains.values()] if path else []
        count = sum(len(chain.rules) for chain in chains if not chain.is_nat)
        value = _NOT_READ if path is None else f"{count} rules" if count != 1 else "1 rule"
        if path is not None and path.unread:
            value = f"{', '.join(path.unread)} could not be read"
        chain = "FORWARD" if self._pair.evidence is Evidence.POD else "INPUT" if is_in else "OUTPUT"
        return self._hop(host, Kind.FIREWALL, value, f"iptables -vnL {chain}; nft list ruleset")

    def _masquerading(self, host: str, own: IPv4Address | None) -> Hop:
        found, node = self._masked, self._cluster.node(host)
        by = f": {found.rule}" if found.rule is not None else ""
        if found.happens is False:
            value = f"no: it keeps {own}"
        elif found.happens:
            value = f"yes, it leaves as {self._face(node)}{by}"
        else:
            value = f"perhaps{by}" if by else _NOT_READ if self._pair.ok else "not known: the rules were not read"
        return self._hop(host, Kind.MASQUERADING, value, _NAT_RULES)

    def _best(self, host: str, address: IPv4Address | None) -> Route | None:
        table = self._proof.table(host)
        return table.best(address) if table is not None and address is not None else None

    def _lookup(self, host: str, address: IPv4Address | None, best: Route | None) -> str:
        """Return the route that wins, and those that hold the address too and lose."""
        facts = self._proof.facts.get(host)
        here = self.a_address if host == self.a else self.b_address
        if facts is None or address is None:
            return "?"
        if address in facts.own_addresses or (address == here and all(pod.address != here for pod in facts.pods)):
            return "this host itself"
        if best is None:
            return "no route"
        beaten = [r for r in facts.routes if address in r.prefix and r is not best]
        loses = f" (wins over {', '.join(map(_short, beaten))})" if beaten else ""
        return f"{_short(best)}{loses}"

    def _between(self) -> str:
        here, there = self._cluster.node(self.a), self._cluster.node(self.b)
        region = f"{here.region}, " if here.region is not None else ""
        return f"{region}{here.internal} to {there.internal}"


_NOT_READ: Final = "not read: traffic gets through"
_NAT_RULES: Final = "iptables -t nat -S"

_AT: Final = {
    Layer.ROUTE: Kind.TABLE,
    Layer.ROUTE_BACK: Kind.TABLE,
    Layer.OWN_ROUTES: Kind.TABLE,
    Layer.SOURCE: Kind.POD,
    Layer.TARGET: Kind.POD,
    Layer.NEIGHBOURS: Kind.NEXT_HOP,
    Layer.NEXT_HOP: Kind.NEXT_HOP,
    Layer.POLICY: Kind.RULES,
    Layer.FORWARDING: Kind.FORWARDING,
    Layer.REVERSE_PATH: Kind.REVERSE_PATH,
    Layer.FIREWALL: Kind.FIREWALL,
    Layer.NETWORK_OUT: Kind.NETWORK,
    Layer.NETWORK_BACK: Kind.NETWORK,
    Layer.MTU: Kind.NETWORK,
    Layer.UNKNOWN: Kind.NETWORK,
}


def _judged(hops: tuple[Hop, ...], pair: PairReading, cause: Cause | None) -> Iterator[Hop]:
    """Yield the hops with what becomes of the packet: all up to the one that the cause names are passed."""
    if cause is None:
        yield from hops
        return
    stop = _place(hops, pair, cause)
    for place, hop in enumerate(hops):
        if place == stop:
            yield replace(hop, passage=Passage.MAY_STOP if cause.layer is Layer.UNKNOWN else Passage.STOPS)
        else:
            yield replace(hop, passage=Passage.PASSES if place < stop else Passage.NOT_REACHED)


def _place(hops: tuple[Hop, ...], pair: PairReading, cause: Cause) -> int:
    """Return at which hop the packet stops."""
    tunnels = [n for n, hop in enumerate(hops) if hop.kind is Kind.TUNNEL and hop.host == cause.host]
    if cause.layer is Layer.MTU and tunnels:
        return tunnels[0]
    kind, is_back, host = _AT[cause.layer], _is_lost_back(pair, cause), cause.host
    if cause.layer in (Layer.NEXT_HOP, Layer.NEIGHBOURS):
        host = pair.target if is_back else pair.source
    elif kind is Kind.NETWORK or host not in (pair.source, pair.target):
        host = None if kind is Kind.NETWORK or host is not None else pair.target if is_back else pair.source
    exact = [n for n, hop in enumerate(hops) if hop.kind is kind and hop.host == host and hop.is_back == is_back]
    if exact:
        return exact[0]
    network = [n for n, hop in enumerate(hops) if hop.kind is Kind.NETWORK and hop.is_back == is_back]
    return network[0]


def _is_lost_back(pair: PairReading, cause: Cause) -> bool:
    """Whether it is the reply that is lost: by the counters, where the layer itself does not say it."""
    if cause.layer in (Layer.ROUTE_BACK, Layer.NETWORK_BACK):
        return True
    if cause.layer is Layer.NEXT_HOP:
        return cause.host == pair.source
    if cause.layer is Layer.OWN_ROUTES:
        return cause.host == pair.source
    if cause.layer in (Layer.ROUTE, Layer.SOURCE, Layer.NETWORK_OUT, Layer.TARGET, Layer.FORWARDING):
        return False
    return pair.at_target is not None and bool(pair.at_target.requests_in)


def _rule(rule: PolicyRule) -> str:
    """Return a policy rule, with the first routes of its table."""
    more = f" and {len(rule.routes) - 2} more" if len(rule.routes) > 2 else ""
    return f"{rule.text} ({'; '.join(rule.routes[:2])}{more})" if rule.routes else rule.text


def _short(route: Route) -> str:
    prefix = "default" if route.prefix.prefixlen == 0 else str(route.prefix)
    return f"{prefix} {describe(route)}"
