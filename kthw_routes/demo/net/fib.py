"""One routing table, with the kernel's rules for which routes may coexist, and in which order.

The rules are those of `fib_trie.c`: a key is (prefix, tos, metric); within one prefix the routes are sorted by
falling tos, then rising metric, then as they came; `replace` takes the first of a key, `append` goes behind
the last of it.
"""

import contextlib
import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.demo.net.netlink import BOOT, MAIN, ROUTE_ERRORS, KernelError, RouteType, Scope


@dataclass(frozen=True, slots=True)
class NextHop:
    """A next hop of a route."""

    device: str
    gateway: IPv4Address | None = None
    onlink: bool = False
    weight: int = 1
    scope: int = Scope.HOST
    """How near the next hop is: HOST for a directly connected destination, LINK behind a gateway."""


@dataclass(frozen=True, slots=True)
class FibRoute:
    """One route as the kernel holds it."""

    prefix: IPv4Network
    type: RouteType = RouteType.UNICAST
    hops: tuple[NextHop, ...] = ()
    """One; several of a multipath route; none of a blackhole and its like."""
    tos: int = 0
    metric: int = 0
    protocol: int = BOOT
    scope: int = Scope.GLOBAL
    prefsrc: IPv4Address | None = None
    metrics: tuple[tuple[str, int], ...] = ()
    """Such as ("mtu", 1400)."""
    table: int = MAIN

    def uses(self, device: str) -> bool:
        """Whether a next hop leads through this interface."""
        return any(hop.device == device for hop in self.hops)


@dataclass(frozen=True, slots=True)
class Insertion:
    """The flags of an `ip route` verb that puts a route into a table."""

    create: bool = False
    exclusive: bool = False
    replace: bool = False
    append: bool = False


ADD = Insertion(create=True, exclusive=True)
REPLACE = Insertion(create=True, replace=True)
CHANGE = Insertion(replace=True)
APPEND = Insertion(create=True, append=True)
PREPEND = Insertion(create=True)


class RouteTable:
    """The routes of one table."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], list[FibRoute]] = {}

    def __iter__(self) -> Iterator[FibRoute]:
        """Yield all routes in the order of a dump: by address, the longer prefix first."""
        for slot in sorted(self._rows, key=lambda slot: (slot[0], -slot[1])):
            yield from self._rows[slot]

    def at(self, address: int, length: int) -> list[FibRoute]:
        """Return the routes of exactly this prefix, in order."""
        return self._rows.get((address, length), [])

    def insert(self, route: FibRoute, how: Insertion) -> None:
        """Put a route in.

        Raises:
            KernelError: EEXIST (its key is taken, or the very same route exists), ENOENT (`change` of nothing).
        """
        slot = _slot(route.prefix)
        rows = list(self._rows.get(slot, ()))
        _insert(rows, route, how)
        self._rows[slot] = rows

    def append_if_missing(self, route: FibRoute) -> None:
        """Put a route behind its equals, unless it is there."""
        with contextlib.suppress(KernelError):
            self.insert(route, APPEND)

    def delete(self, prefix: IPv4Network, tos: int, matches: Callable[[FibRoute], bool]) -> FibRoute:
        """Take out the first route of this prefix and tos that `matches`.

        Raises:
            KernelError: ESRCH, where there is none.
        """
        slot = _slot(prefix)
        rows = self._rows.get(slot, [])
        for i, route in enumerate(rows):
            if route.tos == tos and matches(route):
                self._set(slot, rows[:i] + rows[i + 1 :])
                return route
        raise KernelError(errno.ESRCH)

    def drop(self, doomed: Callable[[FibRoute], bool]) -> None:
        """Remove every route that is `doomed`; nobody is notified, as when the kernel flushes."""
        for slot, rows in list(self._rows.items()):
            self._set(slot, [route for route in rows if not doomed(route)])

    def _set(self, slot: tuple[int, int], rows: list[FibRoute]) -> None:
        if rows:
            self._rows[slot] = rows
        else:
            del self._rows[slot]


def look_up(
    tables: tuple[RouteTable, ...],
    destination: IPv4Address,
    *,
    device: str | None = None,
    scope: int = Scope.GLOBAL,
    tos: int = 0,
) -> tuple[FibRoute, NextHop]:
    """Find the route for a destination: longest prefix first, then the order of `tables`, then that of the table.

    Args:
        tables: the local table and the main one, which the kernel searches as one.
        device: only next hops through this interface.
        scope: only routes at least this near.

    Raises:
        KernelError: that of a blackhole, unreachable or prohibit route; ENETUNREACH where nothing matches.
    """
    number = int(destination)
    for length in range(32, -1, -1):
        mask = (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
        for table in tables:
            for route in table.at(number & mask, length):
                if (route.tos and route.tos != tos) or route.scope < scope:
                    continue
                if error := ROUTE_ERRORS.get(route.type):
                    raise KernelError(errno.ENETUNREACH if error == errno.EAGAIN else error)
                for hop in route.hops:
                    if device is None or hop.device == device:
                        return route, hop
    raise KernelError(errno.ENETUNREACH)


def _insert(rows: list[FibRoute], route: FibRoute, how: Insertion) -> None:
    first = _find(rows, route.tos, route.metric)
    place = len(rows) if first is None else first
    if first is not None and _key(rows[first]) == _key(route):
        if how.exclusive:
            raise KernelError(errno.EEXIST)
        last = first
        while last < len(rows) and _key(rows[last]) == _key(route):
            last += 1
        twin = next((i for i in range(first, last) if rows[i] == route), None)
        if how.replace:
            if twin is None:
                rows[first] = route
            elif twin != first:
                raise KernelError(errno.EEXIST)
            return
        if twin is not None:
            raise KernelError(errno.EEXIST)
        place = last if how.append else first
    if not how.create:
        raise KernelError(errno.ENOENT)
    rows.insert(place, route)


def _slot(prefix: IPv4Network) -> tuple[int, int]:
    return int(prefix.network_address), prefix.prefixlen


def _key(route: FibRoute) -> tuple[int, int]:
    return route.tos, route.metric


def _find(rows: list[FibRoute], tos: int, metric: int) -> int | None:
    """Find the place of a key, or before which row it belongs; None for the end."""
    for i, row in enumerate(rows):
        if row.tos > tos:
            continue
        if row.metric >= metric or row.tos < tos:
            return i
    return None
