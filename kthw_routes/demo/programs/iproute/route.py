"""`ip route`: list, add, replace, change, append, prepend, delete, flush, get."""

import errno
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.demo.net.fib import ADD, APPEND, CHANGE, PREPEND, REPLACE, FibRoute, Insertion, NextHop
from kthw_routes.demo.net.netlink import (
    BOOT,
    LOCAL,
    MAIN,
    PROTOCOL_NAMES,
    SCOPE_NAMES,
    TABLE_NAMES,
    KernelError,
    RouteType,
    Scope,
)
from kthw_routes.demo.programs.iproute.arguments import (
    Arguments,
    IpError,
    address,
    duplicate,
    matches,
    network_of,
    number,
    prefix,
    protocol_number,
    refused,
    table_number,
    wrong,
)
from kthw_routes.demo.programs.iproute.context import Context
from kthw_routes.demo.programs.iproute.route_get import get_route
from kthw_routes.demo.programs.iproute.route_list import flush_routes, list_routes
from kthw_routes.demo.programs.iproute.usage import ROUTE_USAGE

EXACT_TYPES: Final = (RouteType.LOCAL, RouteType.NAT, RouteType.THROW)
ABBREVIATED_TYPES: Final = (
    RouteType.BROADCAST,
    RouteType.ANYCAST,
    RouteType.MULTICAST,
    RouteType.PROHIBIT,
    RouteType.UNREACHABLE,
    RouteType.BLACKHOLE,
    RouteType.UNICAST,
)
"""In iproute2's order; even `any` is taken for `anycast`."""

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
    ("test", Insertion(exclusive=True)),
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


@dataclass(slots=True)
class _Wanted:
    """What the words of a command said."""

    prefix: tuple[IPv4Address, int] | None = None
    type: RouteType | None = None
    gateway: IPv4Address | None = None
    device: str | None = None
    protocol: int | None = None
    scope: int | None = None
    table: int | None = None
    metric: int = 0
    tos: int = 0
    source: IPv4Address | None = None
    onlink: bool = False
    metrics: dict[str, int] = field(default_factory=dict)
    hops: list[NextHop] = field(default_factory=list)
    family_known: bool = False
    """Whether a word before told that this is about IPv4; complaints differ by it."""

    def address(self, word: str) -> IPv4Address:
        """An address among the words. Raises IpError."""
        found = address(word, "inet" if self.family_known else "any valid")
        self.family_known = True
        return found


def _modify(context: Context, arguments: Arguments, how: Insertion | None) -> None:
    """Add or change a route; delete one where `how` is None."""
    wanted = _parse(arguments)
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


def _default_scope(wanted: _Wanted, kind: RouteType) -> int:
    if kind in (RouteType.LOCAL, RouteType.NAT):
        return Scope.HOST
    if kind in (RouteType.BROADCAST, RouteType.MULTICAST, RouteType.ANYCAST):
        return Scope.LINK
    if kind is RouteType.UNICAST and wanted.gateway is None and not wanted.hops:
        return Scope.LINK
    return Scope.GLOBAL


def _as_route(wanted: _Wanted, network: IPv4Network, table: int) -> FibRoute:
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


def _delete(context: Context, wanted: _Wanted, network: IPv4Network, table: int) -> None:
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


def _parse(arguments: Arguments) -> _Wanted:
    wanted = _Wanted()
    while arguments.more:
        word = arguments.take()
        if word == "nexthop":
            wanted.hops = _parse_hops(arguments, wanted)
            break
        if not _next_hop_word(word, arguments, wanted) and not _attribute_word(word, arguments, wanted):
            _destination_word(word, arguments, wanted)
    return wanted


def _next_hop_word(word: str, arguments: Arguments, wanted: _Wanted) -> bool:
    if word == "src":
        wanted.source = wanted.address(arguments.take())
    elif word == "via":
        if wanted.gateway is not None:
            raise wrong("via", "use nexthop syntax to specify multiple via\n")
        wanted.gateway = _gateway(arguments, wanted)
    elif word in ("dev", "oif"):
        wanted.device = arguments.take()
    elif word == "onlink":
        wanted.onlink = True
    else:
        return False
    return True


def _gateway(arguments: Arguments, wanted: _Wanted) -> IPv4Address:
    text = arguments.take()
    return address(arguments.take()) if text == "inet" else wanted.address(text)


def _attribute_word(word: str, arguments: Arguments, wanted: _Wanted) -> bool:
    if matches(word, "tos", "dsfield"):
        wanted.tos = _number(arguments.take(), '"tos" value is invalid\n', 255)
    elif matches(word, "metric", "priority", "preference"):
        wanted.metric = _number(arguments.take(), '"metric" value is invalid\n')
    elif matches(word, "scope"):
        text = arguments.take()
        scope = protocol_number(text, SCOPE_NAMES)
        if scope is None:
            raise wrong(text, 'invalid "scope" value\n')
        wanted.scope = scope
    elif word in ("mtu", "advmss", "hoplimit", "window", "initcwnd", "initrwnd"):
        text = arguments.take()
        wanted.metrics[word] = _number(text, f'"{word}" value is invalid\n')
    elif matches(word, "protocol"):
        text = arguments.take()
        protocol = protocol_number(text, PROTOCOL_NAMES)
        if protocol is None:
            raise wrong(text, '"protocol" value is invalid\n')
        wanted.protocol = protocol
    elif matches(word, "table"):
        text = arguments.take()
        wanted.table = table_number(text, TABLE_NAMES)
        if wanted.table is None:
            raise wrong(text, '"table" value is invalid\n')
    else:
        return False
    return True


def _type(word: str) -> RouteType | None:
    for kind in EXACT_TYPES:
        if word == kind.label:
            return kind
    return next((kind for kind in ABBREVIATED_TYPES if matches(word, kind.label)), None)


def _destination_word(word: str, arguments: Arguments, wanted: _Wanted) -> None:
    if word == "to":
        word = arguments.take()
    kind = _type(word)
    if kind is not None:
        wanted.type = kind
        word = arguments.take()
    if matches(word, "help"):
        raise IpError(ROUTE_USAGE, 255)
    if wanted.prefix is not None:
        raise duplicate("to", word)
    ip, length, _ = prefix(word)
    wanted.prefix = ip, length
    wanted.family_known |= word not in ("default", "any", "all")


def _parse_hops(arguments: Arguments, wanted: _Wanted) -> list[NextHop]:
    hops: list[NextHop] = []
    gateway, device, weight, onlink = None, "", 1, False
    while arguments.more:
        word = arguments.take()
        if word == "nexthop":
            hops.append(NextHop(device, gateway, onlink, weight))
            gateway, device, weight, onlink = None, "", 1, False
        elif word == "via":
            gateway = _gateway(arguments, wanted)
        elif word == "dev":
            device = arguments.take()
        elif word == "weight":
            weight = _number(arguments.take(), '"weight" is invalid\n', 256)
        elif word == "onlink":
            onlink = True
        else:
            raise IpError(f'Error: "nexthop" or end of line is expected instead of "{word}"\n', 255)
    return [*hops, NextHop(device, gateway, onlink, weight)]


def _number(word: str, complaint: str, limit: int = 0xFFFFFFFF) -> int:
    value = number(word, limit)
    if value is None:
        raise wrong(word, complaint)
    return value
