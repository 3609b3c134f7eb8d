"""One network namespace of a modelled Linux: interfaces, addresses, routing tables, settings, counters.

The rules are the kernel's (`devinet.c`, `fib_frontend.c`, `fib_semantics.c`); a test runs random commands on
this model and on a real kernel and compares what they say and what they leave.
"""

import errno
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from kthw_routes.demo.clock import Clock, RealClock
from kthw_routes.demo.net.connected_routes import ZERONET, connected_route, local_routes
from kthw_routes.demo.net.fib import FibRoute, Insertion, RouteTable, look_up
from kthw_routes.demo.net.firewall import Firewall
from kthw_routes.demo.net.links import Link, LinkAddress
from kthw_routes.demo.net.netlink import LOCAL, MAIN, KernelError, RouteType, Scope
from kthw_routes.demo.net.route_checks import check_route

SYSCTL_DEFAULTS = {
    "net.ipv4.ip_forward": "0",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.ping_group_range": "0\t2147483647",
}


class Kernel:
    """A network namespace. All methods take the lock themselves; hold it to see several things at one moment."""

    def __init__(self, clock: Clock | None = None, lock: "threading.RLock | None" = None, *, ipv6: bool = True) -> None:
        self.clock: Clock = clock or RealClock()
        self.lock = lock or threading.RLock()
        self.ipv6 = ipv6
        self.sysctl = dict(SYSCTL_DEFAULTS)
        self.counters: Counter[str] = Counter()
        """ICMP counters by the names of /proc/net/snmp, such as `InEchos`."""
        self.tables: dict[int, RouteTable] = {MAIN: RouteTable(), LOCAL: RouteTable()}
        self.neighbours: dict[tuple[str, IPv4Address], str | None] = {}
        """(interface, address) to the MAC address, or None where nobody answered."""
        self.permanent: set[tuple[str, IPv4Address]] = set()
        """Those of the neighbours that somebody entered, and nobody asks for."""
        self.masquerade: list[IPv4Network] = []
        """Pod networks whose traffic leaves with the node's own address (the CNI's `ipMasq`)."""
        self.firewall = Firewall()
        self._links: dict[str, Link] = {}
        self._add_loopback()

    def _add_loopback(self) -> None:
        self.add_link("lo", kind="loopback", mtu=65536)
        self.add_address("lo", LinkAddress(IPv4Interface("127.0.0.1/8"), scope=Scope.HOST))

    def reset(self) -> None:
        """Become as after a boot: nothing is there but the loopback interface."""
        with self.lock:
            self.sysctl.clear()
            self.sysctl.update(SYSCTL_DEFAULTS)
            self.counters.clear()
            self.tables = {MAIN: RouteTable(), LOCAL: RouteTable()}
            self.neighbours.clear()
            self.permanent.clear()
            self.masquerade.clear()
            self.firewall = Firewall()
            self._links.clear()
            self._add_loopback()

    # interfaces

    def add_link(
        self,
        name: str,
        *,
        kind: str = "ether",
        mac: str = "00:00:00:00:00:00",
        mtu: int = 1500,
        peer: str | None = None,
        master: str | None = None,
    ) -> Link:
        """Make an interface, up and with the next free index."""
        with self.lock:
            index = max((link.index for link in self._links.values()), default=0) + 1
            link = Link(index, name, kind, mac, mtu, peer=peer, master=master)
            self._links[name] = link
            return link

    def delete_link(self, name: str) -> None:
        """Remove an interface, and all that leads through it. Raises KernelError ENODEV."""
        with self.lock:
            link = self.link(name)
            for address in list(link.addresses):
                if address in link.addresses:
                    self._delete(link, address)
            self._drop_routes(lambda route: route.uses(name))
            self._forget_neighbours(name)
            del self._links[name]
            self._rebuild_local()

    def set_neighbour(self, device: str, ip: IPv4Address, mac: str) -> None:
        """Enter a neighbour for good. Raises KernelError ENODEV."""
        with self.lock:
            self.link(device)
            self.neighbours[device, ip] = mac
            self.permanent.add((device, ip))

    def delete_neighbour(self, device: str, ip: IPv4Address) -> None:
        """Remove a neighbour. Raises KernelError ENOENT, ENODEV."""
        with self.lock:
            self.link(device)
            if self.neighbours.pop((device, ip), None) is None:
                raise KernelError(errno.ENOENT)
            self.permanent.discard((device, ip))

    @property
    def links(self) -> tuple[Link, ...]:
        """All interfaces in the order of their index, expired addresses gone."""
        with self.lock:
            self._expire()
            return tuple(self._links.values())

    def link(self, name: str) -> Link:
        """Return the interface of this name. Raises KernelError ENODEV."""
        with self.lock:
            self._expire()
            try:
                return self._links[name]
            except KeyError:
                raise KernelError(errno.ENODEV) from None

    def set_up(self, name: str, up: bool) -> None:
        """Switch an interface on or off. Off takes every route through it away; on brings only connected ones back."""
        with self.lock:
            link = self.link(name)
            if link.up == up:
                return
            link.up = up
            if up:
                for address in link.addresses:
                    self._add_connected(link, address)
            else:
                self._drop_routes(lambda route: route.uses(name))
                self._forget_neighbours(name)
            self._rebuild_local()

    def set_mac(self, name: str, mac: str) -> None:
        """Give an interface another MAC address. All its neighbours are forgotten, even permanent ones (measured)."""
        with self.lock:
            self.link(name).mac = mac
            self._forget_neighbours(name)

    def _forget_neighbours(self, name: str) -> None:
        self.permanent = {key for key in self.permanent if key[0] != name}
        self.neighbours = {key: mac for key, mac in self.neighbours.items() if key[0] != name}

    # addresses

    def addresses(self) -> Iterator[tuple[Link, LinkAddress]]:
        """Yield every address of every interface."""
        for link in self.links:
            for address in link.addresses:
                yield link, address

    def is_local(self, ip: IPv4Address) -> bool:
        """Whether an address is one of this host's own."""
        return any(address.local == ip for _, address in self.addresses())

    def add_address(self, device: str, address: LinkAddress, *, replace_: bool = False) -> None:
        """Put an address on an interface, with the connected route that goes with it.

        Args:
            replace_: whether the same address may exist already (its lifetimes are set again).

        Raises:
            KernelError: EEXIST, EINVAL (another scope than the subnet's), ENODEV.
        """
        with self.lock:
            link = self.link(device)
            for other in link.addresses:
                if other.interface == address.interface:
                    if not replace_:
                        raise KernelError(errno.EEXIST, "ipv4: Address already assigned")
                    # the kernel leaves scope and broadcast address as they were
                    other.valid_until, other.preferred_until = address.valid_until, address.preferred_until
                    return
            place = 0
            for i, other in enumerate(link.addresses):
                if not other.secondary and address.scope <= other.scope:
                    place = i + 1
                if other.same_subnet(address):
                    if other.scope != address.scope:
                        raise KernelError(errno.EINVAL, "ipv4: Invalid scope value")
                    address.secondary = True
            link.addresses.insert(len(link.addresses) if address.secondary else place, address)
            self._add_connected(link, address)
            self._rebuild_local()

    def delete_address(self, device: str, interface: IPv4Interface, *, any_length: bool = False) -> None:
        """Take an address away, with its connected route and every route that prefers it as source.

        Args:
            any_length: whether an address with another prefix length will do.

        Raises:
            KernelError: EADDRNOTAVAIL where it is not there, ENODEV.
        """
        with self.lock:
            link = self.link(device)
            for address in link.addresses:
                if address.interface == interface or (any_length and address.local == interface.ip):
                    self._delete(link, address)
                    return
            raise KernelError(errno.EADDRNOTAVAIL, "ipv4: Address not found")

    def _delete(self, link: Link, address: LinkAddress) -> None:
        if not address.secondary:
            for secondary in [a for a in link.addresses if a.secondary and a.same_subnet(address)]:
                self._unlink(link, secondary)
        self._unlink(link, address)
        if not link.addresses:
            self._drop_routes(lambda route: route.uses(link.name))
        self._rebuild_local()

    def _unlink(self, link: Link, address: LinkAddress) -> None:
        if not address.secondary:
            self._del_connected(link, address)
        link.addresses.remove(address)
        self._rebuild_local()
        if any(a.local == address.local for a in link.addresses):
            return
        if not self.is_local_entry(address.local):
            self._drop_routes(lambda route: route.prefsrc == address.local and route.table != LOCAL)

    def is_local_entry(self, ip: IPv4Address) -> bool:
        """Whether the local table delivers this address to the host itself."""
        return self.kind_of(ip) is RouteType.LOCAL

    def kind_of(self, ip: IPv4Address) -> RouteType:
        """Return the type of an address in the local table: LOCAL, BROADCAST, or UNICAST where it has none."""
        if ip.is_multicast:
            return RouteType.MULTICAST
        if ip == IPv4Address("255.255.255.255") or ip in ZERONET:
            return RouteType.BROADCAST
        try:
            return look_up((self.tables[LOCAL],), ip)[0].type
        except KernelError:
            return RouteType.UNICAST

    def _expire(self) -> None:
        now = self.clock.now()
        for link in self._links.values():
            for address in list(link.addresses):
                if address.valid_until is not None and address.valid_until <= now and address in link.addresses:
                    self._delete(link, address)

    # connected routes

    def _add_connected(self, link: Link, address: LinkAddress) -> None:
        route = connected_route(link, address)
        if route and link.up and not address.secondary and not link.is_loopback:
            self.tables[MAIN].append_if_missing(route)

    def _del_connected(self, link: Link, address: LinkAddress) -> None:
        route = connected_route(link, address)
        if route is None or link.is_loopback:
            return

        def matches(row: FibRoute) -> bool:
            key = (row.type, row.scope, row.prefsrc, row.protocol)
            return key == (route.type, route.scope, route.prefsrc, route.protocol) and row.uses(link.name)

        try:
            self.tables[MAIN].delete(route.prefix, 0, matches)
        except KernelError as error:
            if error.errno != errno.ESRCH:
                raise

    def _rebuild_local(self) -> None:
        """Make the local table again: own addresses, and the broadcast addresses of interfaces that are up."""
        table = RouteTable()
        for link in self._links.values():
            for address in link.addresses:
                for route in local_routes(link, address):
                    table.append_if_missing(route)
        self.tables[LOCAL] = table

    # routes

    def routes(self, table: int = MAIN) -> tuple[FibRoute, ...]:
        """Return a table in the kernel's order. Raises KernelError ENOENT where the table does not exist."""
        with self.lock:
            self._expire()
            try:
                return tuple(self.tables[table])
            except KeyError:
                raise KernelError(errno.ENOENT, "ipv4: FIB table does not exist") from None

    def lookup_tables(self) -> tuple[RouteTable, ...]:
        """Return what a look-up searches: the local and the main table as one."""
        return self.tables[LOCAL], self.tables[MAIN]

    def insert_route(self, route: FibRoute, how: Insertion) -> None:
        """Add, replace, change or append a route, after the kernel's checks. Raises KernelError."""
        with self.lock:
            self._expire()
            checked = check_route(self, route)
            self.tables.setdefault(route.table, RouteTable()).insert(checked, how)

    def delete_route(self, prefix: IPv4Network, tos: int, table: int, matches: Callable[[FibRoute], bool]) -> None:
        """Delete the first route of a prefix that `matches`. Raises KernelError ESRCH."""
        with self.lock:
            self._expire()
            if table not in self.tables:
                raise KernelError(errno.ESRCH, "FIB table does not exist")
            self.tables[table].delete(prefix, tos, matches)

    def drop_routes(self, doomed: Callable[[FibRoute], bool]) -> None:
        """Take away every route outside of the local table that is `doomed`."""
        with self.lock:
            self._drop_routes(doomed)

    def _drop_routes(self, doomed: Callable[[FibRoute], bool]) -> None:
        for number, table in self.tables.items():
            if number != LOCAL:
                table.drop(doomed)

    # settings

    @property
    def forwards(self) -> bool:
        """Whether packets that arrive for others are passed on."""
        return self.sysctl["net.ipv4.ip_forward"] != "0"

    def rp_filter(self, device: str) -> int:
        """Return the reverse path filter in force: the larger of `all` and the interface's own."""
        values = (self.sysctl.get(f"net.ipv4.conf.{where}.rp_filter", "0") for where in ("all", device))
        return max(int(value) for value in values)
