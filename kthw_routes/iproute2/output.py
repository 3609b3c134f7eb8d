"""iproute2's language: what `ip` prints, read into values, and the lines of `ip -batch`, made from values.

`ip -json route show` prints plain text, exit 0, before version 4.17 (Ubuntu 18.04 has 4.15), so both forms are read
(measured). Every token of a line that is sent is checked here first: a line that iproute2 cannot parse ends the
whole batch even with `-force` (measured).
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, Final

from kthw_routes.facts import InterfaceAddress, Route
from kthw_routes.sanitize import clean_value

MAX_METRIC: Final = 2**32 - 1
MAX_TOS: Final = 2**8 - 1
MAX_MTU: Final = 2**16

_EVERYTHING: Final = IPv4Network("0.0.0.0/0")
_NAME: Final = re.compile(r"[A-Za-z0-9_.:@+-]{1,15}")
_NUMBER: Final = re.compile(r"[0-9]{1,10}")  # ASCII only: int() takes any script's digits, and underscores
_HEX: Final = re.compile(r"0x[0-9a-f]{1,8}")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,30}")
_MAX_ROUTES: Final = 1 << 14
"""How many routes are remembered."""
_MAX_REMEMBERED: Final = 512
"""Characters; what is longer is not a usual route, and is read each time."""
_CODES: Final = 256
"""How many protocols and scopes there are; one without a name is printed, and sent, as its number."""
_DSFIELDS: Final = {
    "default": 0,
    "ef": 0xB8,
    **{f"cs{n}": n << 5 for n in range(1, 8)},
    **{f"af{n}{drop}": (n << 5) + (drop << 3) for n in range(1, 5) for drop in range(1, 4)},
}
"""The values of the field that iproute2 prints by name (rt_dsfield), by their names in lower case."""
_THROUGH_DEVICE: Final = frozenset({"unicast", "multicast", "anycast", "local", "broadcast"})
_TYPES: Final = _THROUGH_DEVICE | {"blackhole", "unreachable", "prohibit", "throw"}
_FLAGS: Final = frozenset(
    {
        *("onlink", "linkdown", "dead", "pervasive", "unresolved", "notify"),
        *("offload", "trap", "rt_offload", "rt_trap", "rt_offload_failed"),
    }
)
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


# --- reading routes ---------------------------------------------------------------------------------------------


def parse_routes(output: str) -> tuple[Route, ...]:
    """Parse the routes that `ip -json route show` or `ip route show` printed, in its order.

    Of each of them a `RouteCommand` can be made, but for the kernel's own.

    Raises UnreadableOutput.
    """
    stripped = output.lstrip()
    if not stripped:
        return ()
    if not stripped.startswith("["):
        return _parse_route_text(output)
    try:
        return _one_table(_remembered(_route_from_record, json.dumps(r)) for r in json.loads(stripped) if r)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableOutput(f"unreadable output of ip: {clean_value(str(error))}") from error


def _remembered(read: Callable[[str], Route], text: str) -> Route:
    """Return the route that a text says, the same value as before: the tables of many hosts are nearly the same."""
    if len(text) > _MAX_REMEMBERED:
        return read(text)
    return _remember(read, text)


@lru_cache(_MAX_ROUTES)
def _remember(read: Callable[[str], Route], text: str) -> Route:
    return read(text)


def _one_table(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Return the routes, with an object of its own for each: twins in one table are distinguished by identity."""
    seen: set[int] = set()
    found: list[Route] = []
    for route in routes:
        found.append(replace(route) if id(route) in seen else route)
        seen.add(id(route))
    return tuple(found)


def _check(route: Route) -> Route:
    """Return `route`, where every field of it can be sent. Raises ValueError, whose message is on one line."""
    if route.device is not None and not _NAME.fullmatch(route.device):
        raise _unfit("an interface name", route.device)
    if not _is_code(route.protocol):
        raise _unfit("a routing protocol", route.protocol)
    if not _is_code(route.scope):
        raise _unfit("a scope", route.scope)
    if route.type not in _TYPES:
        raise _unfit("a type of routes", route.type)
    if flag := next((f for f in route.flags if not _WORD.fullmatch(f)), None):
        raise _unfit("a route's flag", flag)
    if not 0 <= route.metric <= MAX_METRIC:
        raise ValueError(f"metric {clean_value(str(route.metric))}: out of range")
    if not 0 <= route.tos <= MAX_TOS:
        raise ValueError(f"tos {clean_value(hex(route.tos))}: out of range")
    words = route.extra.split(" ") if route.extra else []
    if len(words) % 2 or any(not _is_metric(k, v) for k, v in zip(words[::2], words[1::2], strict=True)):
        raise _unfit("route metrics", route.extra)
    return route


def _unfit(what: str, value: str) -> ValueError:
    return ValueError(f"not {what}: {clean_value(value)!r}")


def _is_code(text: str) -> bool:
    """Whether this is a name of iproute2's, or the number of something that has no name."""
    return bool(_WORD.fullmatch(text)) or (bool(_NUMBER.fullmatch(text)) and int(text) < _CODES)


def _is_metric(name: str, value: str) -> bool:
    """Whether this is one of the attributes that iproute2 prints and reads alike."""
    return name in _METRICS and bool(_NUMBER.fullmatch(value)) and int(value) <= MAX_METRIC


def _prefix(text: str) -> IPv4Network:
    return _EVERYTHING if text == "default" else IPv4Network(text)


def _text(record: Mapping[str, object], key: str, default: str = "") -> str:
    """Read a field that is text, or a whole number, as text. Raises ValueError."""
    value = record.get(key, default)
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError(f"{key}: {clean_value(repr(value))}")
    return str(value)


def _number(text: str) -> int:
    """Read a number without a sign. Raises ValueError."""
    if not _NUMBER.fullmatch(text):
        raise _unfit("a number", text)
    return int(text)


def _tos(text: str) -> int:
    """Read the field as iproute2 prints it: `0x10`, or by name. Raises ValueError."""
    if _HEX.fullmatch(text):
        return int(text, 16)
    named = _DSFIELDS.get(text.casefold())
    return _number(text) if named is None else named


def _route_from_record(text: str) -> Route:
    return _check(_route_from_json(json.loads(text)))


def _route_from_json(record: Mapping[str, object]) -> Route:
    hops = record.get("nexthops", [])
    metrics = record.get("metrics", [])
    flags = record.get("flags", [])
    if not isinstance(hops, list) or not isinstance(metrics, list) or not isinstance(flags, list):
        raise ValueError("nexthops, metrics and flags are lists")
    attributes = ((k, str(v)) for m in metrics for k, v in m.items())  # null where an attribute has no value
    return Route(
        prefix=_prefix(_text(record, "dst")),
        gateway=IPv4Address(_text(record, "gateway")) if "gateway" in record else None,
        device=_text(record, "dev") if "dev" in record else None,
        protocol=_text(record, "protocol", "boot"),
        metric=_number(_text(record, "metric", "0")),
        type=_text(record, "type", "unicast"),
        scope=_text(record, "scope", "global"),
        source=IPv4Address(_text(record, "prefsrc")) if "prefsrc" in record else None,
        flags=frozenset(map(str, flags)),
        tos=_tos(_text(record, "tos", "0")),
        multipath=tuple(IPv4Address(_text(h, "gateway")) for h in hops if "gateway" in h),
        extra=" ".join(f"{k} {v}" for k, v in attributes if _is_metric(k, v)),
    )


def _parse_route_text(output: str) -> tuple[Route, ...]:
    routes: list[Route] = []
    hops: dict[int, list[IPv4Address]] = {}
    for line in output.splitlines():
        words = line.split()
        if not words:
            continue
        try:
            if words[0] == "nexthop" and routes:
                found = hops.setdefault(len(routes) - 1, [])
                found += [IPv4Address(words[words.index("via") + 1])] if "via" in words else []
            else:
                routes.append(_remembered(_route_from_line, line))
        except (ValueError, IndexError) as error:
            raise UnreadableOutput(f"unreadable output of ip: {clean_value(line)}") from error
    for number, found in hops.items():
        routes[number] = replace(routes[number], multipath=tuple(found))
    return _one_table(routes)


def _route_from_line(line: str) -> Route:
    return _check(_route_from_words(line.split()))


def _route_from_words(words: Sequence[str]) -> Route:
    kind, at = (words[0], 1) if words[0] in _TYPES else ("unicast", 0)
    prefix = _prefix(words[at])
    rest = iter(words[at + 1 :])
    values: dict[str, str] = {}
    flags: set[str] = set()
    for word in rest:
        if word in _FLAGS:
            flags.add(word)
        elif (value := next(rest, None)) is not None:
            following = next(rest, "") if value in ("lock", "inet6") else ""  # `mtu lock 1400`, `via inet6 fe80::1`
            values[word] = following if value == "lock" else value
    return Route(
        prefix=prefix,
        gateway=IPv4Address(values["via"]) if values.get("via", "inet6") != "inet6" else None,
        device=values.get("dev"),
        protocol=values.get("proto", "boot"),
        metric=_number(values.get("metric", "0")),
        type=kind,
        scope=values.get("scope", "global"),
        source=IPv4Address(values["src"]) if "src" in values else None,
        flags=frozenset(flags),
        tos=_tos(values.get("tos", "0")),
        extra=" ".join(f"{k} {v}" for k, v in values.items() if _is_metric(k, v)),
    )


# --- reading addresses ------------------------------------------------------------------------------------------


def parse_addresses(output: str) -> tuple[InterfaceAddress, ...]:
    """Parse every IPv4 address that `ip -json address show` printed, in its order.

    Version 4.15 already prints JSON here, with empty records among the real ones (measured). Raises UnreadableOutput.
    """
    try:
        return tuple(
            _address(record, info)
            for record in json.loads(output or "[]")
            if record.get("ifname")
            for info in record.get("addr_info", ())
            if info.get("family") == "inet" and "local" in info
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableOutput(f"unreadable output of ip: {clean_value(str(error))}") from error


def _address(record: Mapping[str, Any], info: Mapping[str, object]) -> InterfaceAddress:
    """Read one address of an interface. Raises ValueError, KeyError, TypeError."""
    address = IPv4Address(_text(info, "local"))
    mtu = record.get("mtu")
    return InterfaceAddress(
        device=_name(record["ifname"]),
        address=IPv4Interface((address, _number(_text(info, "prefixlen")))),
        is_up="UP" in record.get("flags", ()),
        is_temporary=info.get("dynamic") is True,
        mtu=mtu if isinstance(mtu, int) and 0 < mtu <= MAX_MTU else None,
    )


def _name(value: object) -> str:
    """Read an interface's name. Raises ValueError."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"not an interface name: {clean_value(repr(value))}")
    return value


# --- reading failures -------------------------------------------------------------------------------------------

_FAILED_LINE: Final = re.compile(r"Command failed \S*:([0-9]{1,9})(?![0-9])")


def failed_lines(stderr: str) -> dict[int, str]:
    """Find the lines of a batch that the kernel refused: line number from 1 -> the kernel's words.

    `ip -force -batch` prints the error and then `Command failed -:N`. A line that could not be parsed ends the batch
    without such a line (measured); that is why the table is read back.
    """
    failures: dict[int, str] = {}
    words = ""
    for line in stderr.splitlines():
        if match := _FAILED_LINE.search(line):
            failures[int(match[1])] = clean_value(words) or "refused"
            words = ""
        elif line.strip():
            words = line
    return failures
