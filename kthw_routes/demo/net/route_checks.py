"""What the kernel asks of a route before it takes it: `fib_create_info` and `fib_check_nh`, in their order."""

import errno
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Protocol

from kthw_routes.demo.net.fib import FibRoute, NextHop, RouteTable, look_up
from kthw_routes.demo.net.links import Link
from kthw_routes.demo.net.netlink import ROUTE_ERRORS, SCOPE_OF_TYPE, KernelError, RouteType, Scope


class Tables(Protocol):
    """What a check asks of a kernel."""

    def link(self, name: str) -> Link:
        """Return the interface of this name. Raises KernelError ENODEV."""

    def kind_of(self, ip: IPv4Address) -> RouteType:
        """Return the type of an address in the local table."""

    def is_local_entry(self, ip: IPv4Address) -> bool:
        """Whether the local table delivers this address to the host itself."""

    def lookup_tables(self) -> tuple[RouteTable, ...]:
        """Return what a look-up searches."""


def check_route(kernel: Tables, route: FibRoute) -> FibRoute:
    """Check a route; return it as the kernel would hold it, its next hops resolved to interfaces.

    Raises:
        KernelError: with the kernel's number and words.
    """
    if route.tos & 3:
        raise KernelError(errno.EINVAL, "Invalid dsfield (tos): ECN bits must be 0")
    if route.type in SCOPE_OF_TYPE and route.scope < SCOPE_OF_TYPE[route.type]:
        raise KernelError(errno.EINVAL, "Invalid scope")
    if route.type in ROUTE_ERRORS:
        if any(hop.device or hop.gateway for hop in route.hops):
            raise KernelError(errno.EINVAL, "Gateway, device and multipath can not be specified for this route type")
        return route
    if route.scope > Scope.HOST:
        raise KernelError(errno.EINVAL, "Invalid scope")
    if not route.hops:
        raise KernelError(errno.ENODEV)
    hops = tuple(_check_hop(kernel, hop, route) for hop in route.hops)
    if route.prefsrc and not kernel.is_local_entry(route.prefsrc):
        raise KernelError(errno.EINVAL, "Invalid prefsrc address")
    return replace(route, hops=hops)


def _check_hop(kernel: Tables, hop: NextHop, route: FibRoute) -> NextHop:
    if route.scope == Scope.HOST:
        if hop.gateway:
            raise KernelError(errno.EINVAL, "Route with host scope can not have a gateway")
        kernel.link(hop.device)
        return replace(hop, scope=Scope.NOWHERE)
    if hop.gateway is None:
        if hop.onlink:
            raise KernelError(errno.EINVAL, "Invalid flags for nexthop - PERVASIVE and ONLINK can not be set")
        if not kernel.link(hop.device).up:
            raise KernelError(errno.ENETDOWN, "Device for nexthop is not up")
        return replace(hop, scope=Scope.HOST)
    if hop.onlink:
        return _check_onlink(kernel, hop, hop.gateway, route.scope)
    wanted = max(route.scope + 1, Scope.LINK)
    try:
        found, way = look_up(kernel.lookup_tables(), hop.gateway, device=hop.device or None, scope=wanted)
    except KernelError as error:
        raise KernelError(error.errno, "Nexthop has invalid gateway") from None
    if found.type not in (RouteType.UNICAST, RouteType.LOCAL):
        raise KernelError(errno.EINVAL, "Nexthop has invalid gateway")
    if not kernel.link(way.device).up:
        raise KernelError(errno.ENETDOWN)
    return replace(hop, device=way.device, scope=found.scope)


def _check_onlink(kernel: Tables, hop: NextHop, gateway: IPv4Address, scope: int) -> NextHop:
    if scope >= Scope.LINK:
        raise KernelError(errno.EINVAL, "Nexthop has invalid scope")
    if not hop.device:
        raise KernelError(errno.ENODEV, "Nexthop device required for onlink")
    if not kernel.link(hop.device).up:
        raise KernelError(errno.ENETDOWN, "Nexthop device is not up")
    if kernel.kind_of(gateway) is not RouteType.UNICAST:
        raise KernelError(errno.EINVAL, "Nexthop has invalid gateway")
    return replace(hop, scope=Scope.LINK)
