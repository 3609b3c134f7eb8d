"""`ip route`: list, add, replace, change, append, prepend, delete, flush, get."""

import errno
from ipaddress import IPv4Network
from typing import Final

from kthw_routes.demo.net.fib import ADD, APPEND, CHANGE, PREPEND, REPLACE, FibRoute, Insertion, NextHop
from kthw_routes.demo.net.netlink import (
    BOOT,
    LOCAL,
    MAIN,
    KernelError,
    RouteType,
    Scope,
)
from kthw_routes.demo.programs.iproute.arguments import (
    Arguments,
    IpError,
    matches,
    network_of,
    refused,
)
from kthw_routes.demo.programs.iproute.context import Context
from kthw_routes.demo.programs.iproute.route_get import get_route
from kthw_routes.demo.programs.iproute.route_list import flush_routes, list_routes
from kthw_routes.demo.programs.iproute.route_words import RouteWords, parse_route
from kthw_routes.demo.programs.iproute.usage import ROUTE_USAGE

# In iproute2's own order, as the first that an abbreviation fits is taken.
VERBS: Final[tuple[tuple[str, Insertion | None], ...]] = (
    ("list", None),
    ("show", None),
    ("lst", None),
    ("get", None),
    ("add", ADD),
    ("change", CHANGE),
    ("chg", CHANGE),
    ("replace", REPLACE),
    ("prepend", PREPEND),
    ("append", APPEND),
    ("delete", None),
    ("flush", None),
    ("help", None),
)


def route(context: Context, words: list[str]) -> None:
    """Run one `ip route` command. Raises IpError."""
    typed = words[0] if words else "list"
    found = next(((name, how) for name, how in VERBS if matches(typed, name)), None)
    if found is None:
        raise IpError(f'Command "{typed}" is unknown, try "ip route help".\n', 255)
    verb, how = found
    arguments = Arguments(words[1:])
    if verb in ("list", "show", "lst"):
        list_routes(context, arguments)
    elif verb == "get":
        get_route(context, arguments)
    elif verb == "flush":
        flush_routes(context, arguments)
    elif verb == "help":
        raise IpError(ROUTE_USAGE, 255)
    else:
        _modify(context, arguments, how)


def _modify(context: Context, arguments: Arguments, how: Insertion | None) -> None:
    """Add or change a route; delete one where `how` is None."""
    wanted = parse_route(arguments)
    if wanted.prefix is None:
        raise IpError(ROUTE_USAGE, 255)
    if wanted.device is not None:
        context.known_device(wanted.device)
    for hop in wanted.hops:
        if hop.device:
            context.known_device(hop.device)
    context.need_root()
    ip, length = wanted.prefix
    network = network_of(ip, length)
    table = wanted.table
    if table is None:
        table = LOCAL if wanted.type in (RouteType.LOCAL, RouteType.BROADCAST, RouteType.ANYCAST) else MAIN
    try:
        if wanted.tos & 3:
            raise KernelError(errno.EINVAL, "Invalid dsfield (tos): ECN bits must be 0")
        if network is None:
            raise KernelError(errno.EINVAL, "Invalid prefix for given prefix length")
        if how is None:
            _delete(context, wanted, network, table)
        else:
            context.kernel.insert_route(_as_route(wanted, network, table), how)
    except KernelError as error:
        raise refused(error) from None


def _default_scope(wanted: RouteWords, kind: RouteType) -> int:
    if kind in (RouteType.LOCAL, RouteType.NAT):
        return Scope.HOST
    if kind in (RouteType.BROADCAST, RouteType.MULTICAST, RouteType.ANYCAST):
        return Scope.LINK
    if kind is RouteType.UNICAST and wanted.gateway is None and not wanted.hops:
        return Scope.LINK
    return Scope.GLOBAL


def _as_route(wanted: RouteWords, network: IPv4Network, table: int) -> FibRoute:
    kind = wanted.type or RouteType.UNICAST
    scope = _default_scope(wanted, kind) if wanted.scope is None else wanted.scope
    hops = tuple(wanted.hops)
    if not hops and (wanted.device or wanted.gateway or wanted.onlink):
        hops = (NextHop(wanted.device or "", wanted.gateway, wanted.onlink),)
    return FibRoute(
        network,
        kind,
        hops,
        tos=wanted.tos,
        metric=wanted.metric,
        protocol=BOOT if wanted.protocol is None else wanted.protocol,
        scope=scope,
        prefsrc=wanted.source,
        metrics=tuple(wanted.metrics.items()),
        table=table,
    )


def _delete(context: Context, wanted: RouteWords, network: IPv4Network, table: int) -> None:
    def fits(row: FibRoute) -> bool:
        hop = row.hops[0] if row.hops else None
        if wanted.hops and not _same_hops(row.hops, wanted.hops):
            return False
        return (
            (wanted.type is None or row.type is wanted.type)
            and (wanted.scope is None or row.scope == wanted.scope)
            and (wanted.source is None or row.prefsrc == wanted.source)
            and (not wanted.protocol or row.protocol == wanted.protocol)
            and (not wanted.metric or row.metric == wanted.metric)
            and (wanted.device is None or (hop is not None and hop.device == wanted.device))
            and (wanted.gateway is None or (hop is not None and hop.gateway == wanted.gateway))
            and all(dict(row.metrics).get(name) == value for name, value in wanted.metrics.items())
        )

    context.kernel.delete_route(network, wanted.tos, table, fits)


def _same_hops(held: tuple[NextHop, ...], asked: list[NextHop]) -> bool:
    """Whether a route is the one that was named, as the kernel sees it: what is named beyond its hops is not compared.

    A next hop without interface means any.
    """
    return len(held) <= len(asked) and all(
        mine.gateway == other.gateway and other.device in ("", mine.device)
        for mine, other in zip(held, asked, strict=False)
    )
