"""iproute2's language: what `ip` prints, read into values, and the lines of `ip -batch`, made from values.

`ip -json route show` prints plain text, exit 0, before version 4.17 (Ubuntu 18.04 has 4.15), so both forms are read
(measured). Every token of a line that is sent is checked here first: a line that iproute2 cannot parse ends the
whole batch even with `-force` (measured).
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from kthw_routes.observed import PROTOCOL, InterfaceAddress, Route
from kthw_routes.untrusted import clean_line

_EVERYTHING: Final = IPv4Network("0.0.0.0/0")
_NAME: Final = re.compile(r"[A-Za-z0-9_.:@+-]{1,15}")
_PROTOCOL: Final = re.compile(r"[A-Za-z0-9_.-]{1,31}")
_WORD: Final = re.compile(r"[a-z0-9_-]{1,20}")
_THROUGH_DEVICE: Final = frozenset({"unicast", "multicast", "anycast", "local", "broadcast"})
_TYPES: Final = _THROUGH_DEVICE | {"blackhole", "unreachable", "prohibit", "throw"}
_FLAGS: Final = frozenset({"onlink", "linkdown", "dead", "pervasive", "offload", "trap", "notify"})
_METRICS: Final = frozenset(
    {
        "mtu",
        "advmss",
        "window",
        "rtt",
        "rttvar",
        "ssthresh",
        "cwnd",
        "initcwnd",
        "initrwnd",
        "hoplimit",
        "reordering",
    }
)


class UnreadableOutput(ValueError):
    """What `ip` printed is neither of the two forms that are known. The message says which part, on one line."""


class Verb(StrEnum):
    """What a line of a batch does. `prepend` and `append` put a second route of the same key before or after."""

    ADD = "add"
    REPLACE = "replace"
    DELETE = "del"
    APPEND = "append"
    PREPEND = "prepend"


@dataclass(frozen=True, slots=True)
class RouteCommand:
    """One `ip route` command on one route, every field of it validated.

    Raises ValueError when it is made from a route that holds anything but plain tokens.
    """

    verb: Verb
    route: Route

    def __post_init__(self) -> None:
        """Refuse what must never be sent."""
        route = self.route
        if route.device is not None and not _NAME.fullmatch(route.device):
            raise ValueError(f"not an interface name: {clean_line(route.device)!r}")
        if not _PROTOCOL.fullmatch(route.protocol):
            raise ValueError(f"not a routing protocol: {clean_line(route.protocol)!r}")
        if not _WORD.fullmatch(route.scope):
            raise ValueError(f"not a scope: {clean_line(route.scope)!r}")
        if route.type not in _TYPES or (route.protocol == "kernel" and not self._gives_back):
            raise ValueError(f"a {route.type} route of protocol {route.protocol} is never sent")
        if not 0 <= route.metric < 2**32 or not 0 <= route.tos < 256:
            raise ValueError("a metric or tos out of range")
        words = route.extra.split()
        if len(words) % 2 or any(
            k not in _METRICS or not v.isdigit() for k, v in zip(words[::2], words[1::2], strict=True)
        ):
            raise ValueError(f"not route metrics: {clean_line(route.extra)!r}")

    @property
    def _gives_back(self) -> bool:
        """Whether it puts an interface's connected route back; the only kernel route that is ever sent."""
        route = self.route
        connected = route.gateway is None and route.scope == "link" and route.source is not None and not route.metric
        return connected and self.verb in (Verb.ADD, Verb.REPLACE)

    def words(self) -> tuple[str, ...]:
        """The command's words after `ip`."""
        route = self.route
        words = ["route", str(self.verb)]
        if route.type != "unicast":
            words.append(route.type)
        words.append(str(route.prefix))
        if route.tos:
            words += ["tos", f"0x{route.tos:02x}"]
        if route.gateway is not None:
            words += ["via", str(route.gateway)]
        if route.device is not None and route.type in _THROUGH_DEVICE and not route.multipath:
            words += ["dev", route.device]
        if route.protocol != "boot" or self.verb is not Verb.ADD:
            words += ["proto", route.protocol]
        if route.scope not in ("global", "nowhere") and route.gateway is None:
            words += ["scope", route.scope]
        if route.source is not None:
            words += ["src", str(route.source)]
        if route.metric:
            words += ["metric", str(route.metric)]
        if "onlink" in route.flags:
            words.append("onlink")
        words += route.extra.split()
        for hop in route.multipath:
            words += ["nexthop", "via", str(hop)]
        return tuple(words)

    def line(self) -> str:
        """The line for `ip -batch`."""
        return " ".join(self.words())

    def __str__(self) -> str:
        """The command as one would type it."""
        return f"ip {self.line()}"


def batch(commands: Iterable[RouteCommand]) -> bytes:
    """The input of `ip -force -batch -`: line N is the Nth command, from 1."""
    return "".join(f"{c.line()}\n" for c in commands).encode("ascii")


def pod_route(prefix: IPv4Network, next_hop: IPv4Address) -> Route:
    """The route that we add: tagged, and without a device, which the kernel finds from the next hop."""
    return Route(prefix, gateway=next_hop, protocol=PROTOCOL)


# --- reading routes ---------------------------------------------------------------------------------------------


def parse_routes(output: str) -> tuple[Route, ...]:
    """The routes that `ip -json route show` or `ip route show` printed, in its order.

    Raises UnreadableOutput.
    """
    stripped = output.lstrip()
    if not stripped:
        return ()
    if not stripped.startswith("["):
        return _parse_route_text(output)
    try:
        records = json.loads(stripped)
        return tuple(_checked(_route_from_json(r)) for r in records if r)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableOutput(f"unreadable output of ip: {clean_line(str(error))}") from error


def _checked(route: Route) -> Route:
    """`route`, unless its names could not be sent back; raises ValueError."""
    if route.device is not None and not _NAME.fullmatch(route.device):
        raise ValueError(f"not an interface name: {route.device!r}")
    if not _PROTOCOL.fullmatch(route.protocol):
        raise ValueError(f"not a routing protocol: {route.protocol!r}")
    if route.type not in _TYPES:
        raise ValueError(f"not a type of routes: {route.type!r}")
    for word in (route.scope, *route.flags):
        if not _WORD.fullmatch(word):
            raise ValueError(f"not a route's scope or flag: {word!r}")
    return route


def _prefix(text: str) -> IPv4Network:
    return _EVERYTHING if text == "default" else IPv4Network(text)


def _route_from_json(record: Mapping[str, object]) -> Route:
    def text(key: str, default: str = "") -> str:
        value = record.get(key, default)
        return value if isinstance(value, str) else str(value)

    hops = record.get("nexthops")
    multipath = tuple(IPv4Address(h["gateway"]) for h in hops if "gateway" in h) if isinstance(hops, list) else ()
    metrics = record.get("metrics")
    extra = " ".join(
        f"{k} {v}"
        for m in (metrics if isinstance(metrics, list) else ())
        for k, v in m.items()
        if k in _METRICS and str(v).isdigit()
    )
    flags = record.get("flags")
    return Route(
        prefix=_prefix(text("dst")),
        gateway=IPv4Address(text("gateway")) if "gateway" in record else None,
        device=text("dev") if "dev" in record else None,
        protocol=text("protocol", "boot"),
        metric=int(text("metric", "0")),
        type=text("type", "unicast"),
        scope=text("scope", "global"),
        source=IPv4Address(text("prefsrc")) if "prefsrc" in record else None,
        flags=frozenset(str(f) for f in flags) if isinstance(flags, list) else frozenset(),
        tos=int(text("tos", "0"), 0),
        multipath=multipath,
        extra=extra,
    )


def _parse_route_text(output: str) -> tuple[Route, ...]:
    routes: list[Route] = []
    hops: list[IPv4Address] = []
    for line in output.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "nexthop" and routes:
            hops += [IPv4Address(words[words.index("via") + 1])] if "via" in words else []
            routes[-1] = _with_hops(routes[-1], tuple(hops))
            continue
        hops = []
        try:
            routes.append(_checked(_route_from_words(words)))
        except (ValueError, IndexError) as error:
            raise UnreadableOutput(f"unreadable output of ip: {clean_line(line)}") from error
    return tuple(routes)


def _with_hops(route: Route, hops: tuple[IPv4Address, ...]) -> Route:
    return Route(
        route.prefix,
        protocol=route.protocol,
        metric=route.metric,
        scope=route.scope,
        flags=route.flags,
        multipath=hops,
    )


def _route_from_words(words: list[str]) -> Route:
    rest = list(words)
    kind = rest.pop(0) if rest[0] in _TYPES else "unicast"
    prefix = _prefix(rest.pop(0))
    values: dict[str, str] = {}
    flags: set[str] = set()
    while rest:
        word = rest.pop(0)
        if word in _FLAGS:
            flags.add(word)
        elif rest:
            value = rest.pop(0)
            values[word] = rest.pop(0) if value == "lock" and rest else value
    return Route(
        prefix=prefix,
        gateway=IPv4Address(values["via"]) if "via" in values else None,
        device=values.get("dev"),
        protocol=values.get("proto", "boot"),
        metric=int(values.get("metric", "0")),
        type=kind,
        scope=values.get("scope", "global"),
        source=IPv4Address(values["src"]) if "src" in values else None,
        flags=frozenset(flags),
        tos=int(values.get("tos", "0"), 0),
        extra=" ".join(f"{k} {v}" for k, v in values.items() if k in _METRICS and v.isdigit()),
    )


# --- reading addresses ------------------------------------------------------------------------------------------


def parse_addresses(output: str) -> tuple[InterfaceAddress, ...]:
    """Every IPv4 address that `ip -json address show` printed, in its order.

    Version 4.15 already prints JSON here, with empty records among the real ones (measured). Raises UnreadableOutput.
    """
    try:
        records = json.loads(output or "[]")
        return tuple(
            InterfaceAddress(
                device=_name(record["ifname"]),
                address=IPv4Interface(f"{info['local']}/{info['prefixlen']}"),
                is_up="UP" in record.get("flags", ()),
                is_temporary=info.get("dynamic") is True,
            )
            for record in records
            if record.get("ifname")
            for info in record.get("addr_info", ())
            if info.get("family") == "inet" and "local" in info
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableOutput(f"unreadable output of ip: {clean_line(str(error))}") from error


def _name(value: object) -> str:
    """An interface's name. Raises ValueError."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"not an interface name: {value!r}")
    return value


# --- reading failures -------------------------------------------------------------------------------------------

_FAILED_LINE: Final = re.compile(r"Command failed \S*:(\d+)")


def failed_lines(stderr: str) -> dict[int, str]:
    """Which lines of a batch the kernel refused: line number from 1 -> the kernel's words.

    `ip -force -batch` prints the error and then `Command failed -:N`. A line that could not be parsed ends the batch
    without such a line (measured); that is why the table is read back.
    """
    failures: dict[int, str] = {}
    words = ""
    for line in stderr.splitlines():
        if match := _FAILED_LINE.search(line):
            failures[int(match[1])] = clean_line(words) or "refused"
            words = ""
        elif line.strip():
            words = line
    return failures
