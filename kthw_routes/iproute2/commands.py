"""`ip route` commands as values: built from validated addresses, written as a batch."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.facts import PROTOCOL, Route
from kthw_routes.iproute2.output import _THROUGH_DEVICE, _check


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
    _line: str | None = field(default=None, init=False, repr=False, compare=False)
    """Made once: it is sent, shown, recorded and compared."""

    def __post_init__(self) -> None:
        """Refuse what must never be sent."""
        route = self.route
        _check(route)
        if route.protocol == "kernel" and not self._gives_back:
            raise ValueError(f"a {route.type} route of protocol {route.protocol} is never sent")

    @property
    def _gives_back(self) -> bool:
        """Whether it puts an interface's connected route back; the only kernel route that is ever sent."""
        route = self.route
        connected = route.gateway is None and route.scope == "link" and route.source is not None and not route.metric
        return connected and self.verb in (Verb.ADD, Verb.REPLACE)

    def words(self) -> tuple[str, ...]:
        """Return the command's words after `ip`."""
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
        """Return the line for `ip -batch`."""
        if self._line is None:
            object.__setattr__(self, "_line", " ".join(self.words()))
        return self._line or ""

    def __str__(self) -> str:
        """Return the command as one would type it."""
        return f"ip {self.line()}"


def batch(commands: Iterable[RouteCommand]) -> bytes:
    """Build the input of `ip -force -batch -`: line N is the Nth command, from 1."""
    return "".join(f"{c.line()}\n" for c in commands).encode("ascii")


def pod_route(prefix: IPv4Network, next_hop: IPv4Address, device: str | None = None) -> Route:
    """Build the route that we add: tagged, and without a device, which the kernel finds from the next hop.

    `device`: that of the overlay, where the next hop is in no network of it (`onlink`).
    """
    flags = frozenset({"onlink"}) if device is not None else frozenset[str]()
    return Route(prefix, gateway=next_hop, device=device, protocol=PROTOCOL, flags=flags)
