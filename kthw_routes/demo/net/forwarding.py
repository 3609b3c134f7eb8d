"""Where a packet goes: the kernel's decision for one that is sent here, and for one that arrives here.

Follows `ip_route_output_key` and `ip_route_input_slow`: route, then forwarding switched on or off, then the
reverse path filter.
"""

import errno
from dataclasses import dataclass
from ipaddress import IPv4Address

from kthw_routes.demo.net.connected_routes import ZERONET
from kthw_routes.demo.net.fib import FibRoute, NextHop, look_up
from kthw_routes.demo.net.kernel import Kernel
from kthw_routes.demo.net.links import Link
from kthw_routes.demo.net.netlink import KernelError, RouteType, Scope

LIMITED_BROADCAST = IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True)
class Decision:
    """What the kernel does with a packet."""

    type: RouteType
    device: str
    """Through which interface it leaves; `lo` for the host itself."""
    gateway: IPv4Address | None = None
    source: IPv4Address | None = None
    """The source address that a packet of this host gets."""
    cache_flags: tuple[str, ...] = ()
    """As `ip route get` prints them after `cache`."""
    metrics: tuple[tuple[str, int], ...] = ()


def output_route(
    kernel: Kernel,
    destination: IPv4Address,
    *,
    source: IPv4Address | None = None,
    device: str | None = None,
    tos: int = 0,
) -> Decision:
    """Decide the way of a packet that this host sends.

    Raises:
        KernelError: ENETUNREACH and the errors of blackhole, unreachable and prohibit routes.
    """
    with kernel.lock:
        if source is not None:
            if source.is_multicast or source == LIMITED_BROADCAST or source in ZERONET:
                raise KernelError(errno.EINVAL)
            if not kernel.is_local_entry(source):
                raise KernelError(errno.ENETUNREACH)
        if device is not None and not kernel.link(device).up:
            raise KernelError(errno.ENETUNREACH)
        if int(destination) == 0:
            own = source or (select_source(kernel, device, None, Scope.HOST) if device else IPv4Address("127.0.0.1"))
            return Decision(RouteType.LOCAL, "lo", source=own, cache_flags=("local",))
        if destination == LIMITED_BROADCAST or destination.is_multicast:
            return _group_route(kernel, destination, source, device)
        try:
            route, hop = look_up(kernel.lookup_tables(), destination, device=device, tos=tos)
        except KernelError:
            if device is None:
                raise
            chosen = source or select_source(kernel, device, None, Scope.LINK)
            flags = ("local",) if kernel.link(device).is_loopback else ()
            return Decision(RouteType.UNICAST, device, source=chosen, cache_flags=flags)
        return _towards(kernel, destination, route, hop, source)


def _group_route(kernel: Kernel, destination: IPv4Address, source: IPv4Address | None, device: str | None) -> Decision:
    kind = RouteType.MULTICAST if destination.is_multicast else RouteType.BROADCAST
    route = None
    if device is None and source is not None:
        device = next((link.name for link, address in kernel.addresses() if address.local == source), None)
    if device is None:
        route, hop = look_up(kernel.lookup_tables(), destination)
        device = hop.device
    chosen = source or (route.prefsrc if route else None) or select_source(kernel, device, None, Scope.GLOBAL)
    flags = ("local", "mc") if kind is RouteType.MULTICAST else ("local", "brd")
    return Decision(kind, device, source=chosen, cache_flags=flags)


def _towards(
    kernel: Kernel, destination: IPv4Address, route: FibRoute, hop: NextHop, source: IPv4Address | None
) -> Decision:
    if route.type is RouteType.LOCAL:
        return Decision(RouteType.LOCAL, "lo", source=source or route.prefsrc or destination, cache_flags=("local",))
    chosen = source or route.prefsrc or select_source(kernel, hop.device, hop.gateway, route.scope)
    if route.type is RouteType.BROADCAST:
        return Decision(RouteType.BROADCAST, hop.device, source=chosen, cache_flags=("local", "brd"))
    gateway = hop.gateway if hop.scope == Scope.LINK else None
    flags = ("local",) if kernel.link(hop.device).is_loopback else ()
    return Decision(RouteType.UNICAST, hop.device, gateway, chosen, flags, route.metrics)


def select_source(kernel: Kernel, device: str, towards: IPv4Address | None, scope: int) -> IPv4Address | None:
    """Choose the source address on an interface: one in the next hop's network, else the first one."""
    first = None
    for address in kernel.link(device).addresses:
        if address.secondary or min(address.scope, Scope.HOST) > scope:
            continue
        if towards is None or towards in address.network:
            return address.local
        first = first or address.local
    if first:
        return first
    for link in kernel.links:
        for address in link.addresses:
            if not address.secondary and address.scope != Scope.LINK and address.scope <= scope:
                return address.local
    return None


def input_route(kernel: Kernel, destination: IPv4Address, source: IPv4Address, device: str) -> Decision:
    """Decide what happens to a packet that arrives: delivered here, or forwarded.

    Raises:
        KernelError: EHOSTUNREACH where forwarding is off, EINVAL where the source may not come from there,
            ENETUNREACH and the errors of blackhole, unreachable and prohibit routes.
    """
    with kernel.lock:
        link = kernel.link(device)
        if source.is_multicast or source == LIMITED_BROADCAST:
            raise KernelError(errno.EINVAL)
        forwarding = kernel.forwards
        if destination == LIMITED_BROADCAST:
            _validate_source(kernel, source, link, None)
            return Decision(RouteType.BROADCAST, "lo", cache_flags=("local", "brd"))
        if source in ZERONET or destination in ZERONET or destination.is_loopback or source.is_loopback:
            raise KernelError(errno.EINVAL)
        try:
            route, hop = look_up(kernel.lookup_tables(), destination)
        except KernelError as error:
            raise KernelError(error.errno if forwarding else errno.EHOSTUNREACH) from None
        if route.type is RouteType.BROADCAST:
            _validate_source(kernel, source, link, None)
            return Decision(RouteType.BROADCAST, "lo", cache_flags=("local", "brd"))
        if route.type is RouteType.LOCAL:
            _validate_source(kernel, source, link, None)
            return Decision(RouteType.LOCAL, "lo", cache_flags=("local",))
        if not forwarding:
            raise KernelError(errno.EHOSTUNREACH)
        on_link = _validate_source(kernel, source, link, hop.device)
        gateway = hop.gateway if hop.scope == Scope.LINK else None
        flags = ("redirect",) if on_link and hop.device == device else ()
        return Decision(RouteType.UNICAST, hop.device, gateway, cache_flags=flags, metrics=route.metrics)


def _validate_source(kernel: Kernel, source: IPv4Address, link: Link, out_device: str | None) -> bool:
    """Apply the reverse path filter, and refuse packets that claim to come from this host itself.

    Returns:
        Whether the source is a direct neighbour on this interface (the kernel then may send a redirect).
    """
    strict = kernel.rp_filter(link.name)
    if not strict and link.name != out_device:
        if kernel.is_local(source):
            raise KernelError(errno.EINVAL)
        return False
    try:
        route, _ = look_up(kernel.lookup_tables(), source)
    except KernelError:
        if strict:
            raise KernelError(errno.EINVAL) from None
        return False
    if route.type is not RouteType.UNICAST:
        raise KernelError(errno.EINVAL)
    if route.uses(link.name):
        return any(hop.device == link.name and hop.scope >= Scope.HOST for hop in route.hops)
    if strict and not link.addresses:
        raise KernelError(errno.EINVAL)
    if strict == 1:
        raise KernelError(errno.EINVAL)
    try:
        route, hop = look_up(kernel.lookup_tables(), source, device=link.name)
    except KernelError:
        return False
    return route.type is RouteType.UNICAST and hop.scope >= Scope.HOST
