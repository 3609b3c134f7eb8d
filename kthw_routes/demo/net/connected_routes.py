"""The routes that come and go with an address: the connected network, and the entries of the local table."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from kthw_routes.demo.net.fib import FibRoute, NextHop
from kthw_routes.demo.net.links import Link, LinkAddress
from kthw_routes.demo.net.netlink import KERNEL, LOCAL, RouteType, Scope

ZERONET = IPv4Network("0.0.0.0/8")


def connected_route(link: Link, address: LinkAddress) -> FibRoute | None:
    """Return the route to an address's own network; None for one that has none (a /32)."""
    if address.network.network_address in ZERONET:
        return None
    if address.network.prefixlen == 32:
        return None
    return FibRoute(
        address.network,
        RouteType.UNICAST,
        (NextHop(link.name),),
        protocol=KERNEL,
        scope=Scope.LINK,
        prefsrc=address.local,
    )


def local_routes(link: Link, address: LinkAddress) -> Iterator[FibRoute]:
    """Yield what an address puts into the local table."""
    primary = link.primary(address.network) or address
    hop = (NextHop(link.name, scope=Scope.NOWHERE),)

    def entry(prefix: IPv4Network, type_: RouteType, scope: int) -> FibRoute:
        return FibRoute(prefix, type_, hop, protocol=KERNEL, scope=scope, prefsrc=primary.local, table=LOCAL)

    yield entry(IPv4Network(address.local), RouteType.LOCAL, Scope.HOST)
    if not link.up:
        return
    if address.broadcast and int(address.broadcast) != 0xFFFFFFFF:
        yield entry(IPv4Network(address.broadcast), RouteType.BROADCAST, Scope.LINK)
    if address.secondary or address.network.network_address in ZERONET or address.network.prefixlen == 32:
        return
    if link.is_loopback:
        yield entry(address.network, RouteType.LOCAL, Scope.HOST)
    if address.network.prefixlen < 31:
        yield entry(IPv4Network(address.network.broadcast_address), RouteType.BROADCAST, Scope.LINK)
