"""The words that describe a route to `ip route add` and its like."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.demo.net.fib import NextHop
from kthw_routes.demo.net.netlink import PROTOCOL_NAMES, SCOPE_NAMES, TABLE_NAMES, RouteType
from kthw_routes.demo.programs.iproute.arguments import (
    Arguments,
    IpError,
    address,
    duplicate,
    matches,
    named_number,
    number,
    prefix,
    wrong,
)
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


@dataclass(slots=True)
class RouteWords:
    """A route as the words of a command describe it."""

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
    """Whether a word before was an IPv4 address; complaints differ by it."""

    def address(self, word: str) -> IPv4Address:
        """Parse an address among the words. Raises IpError."""
        found = address(word, "inet" if self.family_known else "any valid")
        self.family_known = True
        return found


def parse_route(arguments: Arguments) -> RouteWords:
    """Read the words behind `ip route add` and its like. Raises IpError."""
    wanted = RouteWords()
    while arguments.more:
        word = arguments.take()
        if word == "nexthop":
            wanted.hops = _parse_hops(arguments, wanted)
            break
        if not _next_hop_word(word, arguments, wanted) and not _attribute_word(word, arguments, wanted):
            _destination_word(word, arguments, wanted)
    return wanted


def _next_hop_word(word: str, arguments: Arguments, wanted: RouteWords) -> bool:
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


def _gateway(arguments: Arguments, wanted: RouteWords) -> IPv4Address:
    text = arguments.take()
    return address(arguments.take()) if text == "inet" else wanted.address(text)


def _attribute_word(word: str, arguments: Arguments, wanted: RouteWords) -> bool:
    if matches(word, "tos", "dsfield"):
        wanted.tos = _number(arguments.take(), '"tos" value is invalid\n', 255)
    elif matches(word, "metric", "priority", "preference"):
        wanted.metric = _number(arguments.take(), '"metric" value is invalid\n')
    elif matches(word, "scope"):
        text = arguments.take()
        scope = named_number(text, SCOPE_NAMES)
        if scope is None:
            raise wrong(text, 'invalid "scope" value\n')
        wanted.scope = scope
    elif word in ("mtu", "advmss", "hoplimit", "window", "initcwnd", "initrwnd"):
        text = arguments.take()
        wanted.metrics[word] = _number(text, f'"{word}" value is invalid\n')
    elif matches(word, "protocol"):
        text = arguments.take()
        protocol = named_number(text, PROTOCOL_NAMES)
        if protocol is None:
            raise wrong(text, '"protocol" value is invalid\n')
        wanted.protocol = protocol
    elif matches(word, "table"):
        text = arguments.take()
        wanted.table = named_number(text, TABLE_NAMES, 0xFFFFFFFF)
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


def _destination_word(word: str, arguments: Arguments, wanted: RouteWords) -> None:
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


def _parse_hops(arguments: Arguments, wanted: RouteWords) -> list[NextHop]:
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
