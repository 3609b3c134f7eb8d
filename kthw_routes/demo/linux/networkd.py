"""systemd-networkd on a modelled host: brings interfaces up as the files in /etc/systemd/network say.

Measured on systemd 252: a reload does nothing unless a file was touched; then, as at a restart, every route and
address that no file names goes away, whatever its protocol. A route whose gateway is not on-link is left out, and the
interface stays `configuring`; a section with a value that makes no sense is ignored. A drop-in that the account of
networkd may not read costs the whole file: the interface is left alone, at a reload without its addresses.
"""

import fnmatch
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Interface, IPv4Network, NetmaskValueError
from typing import Final

from kthw_routes.demo.linux.ini_files import Section, merged, parse
from kthw_routes.demo.linux.machine import Machine
from kthw_routes.demo.linux.nodes import FileError, PlainVisitor, User
from kthw_routes.demo.net.fib import REPLACE, FibRoute, NextHop
from kthw_routes.demo.net.links import Link, LinkAddress
from kthw_routes.demo.net.netlink import KERNEL, MAIN, PROTOCOL_NAMES, KernelError, Scope

FOLDERS: Final = ("/etc/systemd/network", "/run/systemd/network", "/usr/lib/systemd/network")
"""Where .network files lie; of one name the first counts, of different names the first that fits an interface."""

STATIC: Final = 4
ACCOUNT: Final = User("systemd-network", 998, 998, "/")
"""Who networkd is: not root."""

_AS_NETWORKD: Final = PlainVisitor(ACCOUNT)

_Seen = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """A .network file with its drop-ins."""

    path: str
    sections: tuple[Section, ...]

    def fits(self, link: Link) -> bool:
        """Whether its [Match] means an interface; an empty one means none."""
        match = merged(list(self.sections), "Match")
        names = " ".join(match.values("Name")).split()
        macs = [mac.lower() for mac in " ".join(match.values("MACAddress")).split()]
        if not names and not macs:
            return False
        return (not names or any(fnmatch.fnmatchcase(link.name, name) for name in names)) and (
            not macs or link.mac in macs
        )


@dataclass(slots=True)
class _Setup:
    """What became of one interface."""

    path: str
    complete: bool = True
    gateways: list[IPv4Address] = field(default_factory=list)


class Networkd:
    """The network manager of one host."""

    def __init__(self, host: Machine) -> None:
        self._host = host
        self._setups: dict[str, _Setup] = {}
        self._seen: _Seen = ()

    def restart(self) -> None:
        """Read all files, and bring every interface that one of them fits into the state that it describes."""
        self._seen = self._look()
        self._setups = {}
        for link in self._host.kernel.links:
            self._configure(link)

    def reload(self) -> None:
        """Do so if a file was touched since (`networkctl reload`)."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            for link in self._host.kernel.links:
                self._configure(link)

    def reconfigure(self, device: str) -> None:
        """Bring one interface into the state that its file describes. Raises KernelError ENODEV."""
        self._configure(self._host.kernel.link(device))

    def gained_carrier(self, device: str) -> None:
        """Bring an interface that was switched on again into its state, if a file manages it."""
        if device in self._setups:
            self.reconfigure(device)

    def network_file(self, device: str) -> str | None:
        """Return the file that manages an interface; None for one that networkd leaves alone."""
        setup = self._setups.get(device)
        return setup.path if setup else None

    def setup_state(self, device: str) -> str:
        """Return `configured`, `configuring` or `unmanaged`."""
        setup = self._setups.get(device)
        if setup is None:
            return "unmanaged"
        return "configured" if setup.complete else "configuring"

    def gateways(self, device: str) -> list[IPv4Address]:
        """Return the default gateways that the files gave an interface."""
        setup = self._setups.get(device)
        return setup.gateways if setup else []

    # reading

    def _names(self, folder: str) -> list[str]:
        try:
            return self._host.files.names(folder, _AS_NETWORKD)
        except FileError:
            return []

    def _paths(self) -> list[str]:
        """Return the .network files in the order in which they are tried."""
        chosen = {name: folder for folder in reversed(FOLDERS) for name in self._names(folder)}
        return [f"{chosen[name]}/{name}" for name in sorted(chosen) if name.endswith(".network")]

    def _drop_ins(self, path: str) -> list[str]:
        name = path.rpartition("/")[2]
        chosen = {entry: folder for folder in reversed(FOLDERS) for entry in self._names(f"{folder}/{name}.d")}
        return [f"{chosen[entry]}/{name}.d/{entry}" for entry in sorted(chosen) if entry.endswith(".conf")]

    def _look(self) -> _Seen:
        """Collect what changes when a file is touched."""
        paths = [path for own in self._paths() for path in (own, *self._drop_ins(own))]
        nodes = [(path, self._host.files.node(path, _AS_NETWORKD)) for path in paths]
        return tuple((path, node.inode, node.version, node.mode) for path, node in nodes)

    def _read(self, path: str) -> NetworkFile | None:
        """Read a file with its drop-ins; None where one of them cannot be read."""
        try:
            texts = [self._host.files.read(own, _AS_NETWORKD) for own in (path, *self._drop_ins(path))]
        except FileError:
            return None
        return NetworkFile(path, tuple(s for text in texts for s in parse(text.decode("utf-8", "replace"))))

    # configuring

    def _configure(self, link: Link) -> None:
        files = (self._read(path) for path in self._paths())
        file = next((file for file in files if file and file.fits(link)), None)
        if file is None or link.is_loopback:
            if self._setups.pop(link.name, None):
                self._set_addresses(link, [])
            return
        setup = self._setups[link.name] = _Setup(file.path)
        kernel = self._host.kernel
        with kernel.lock:
            kernel.set_up(link.name, True)
            self._set_addresses(link, _addresses(file))
            kernel.drop_routes(lambda route: route.uses(link.name) and route.table == MAIN and route.protocol != KERNEL)
            routes = self._routes(link, file, setup)
            for route in sorted(routes, key=lambda route: bool(route.hops and route.hops[0].gateway)):
                try:
                    kernel.insert_route(route, REPLACE)
                except KernelError:
                    setup.complete = False

    def _set_addresses(self, link: Link, wanted: list[LinkAddress]) -> None:
        """Give an interface these addresses and no others."""
        for address in list(link.addresses):
            if address in link.addresses and all(address.interface != w.interface for w in wanted):
                self._host.kernel.delete_address(link.name, address.interface)
        for address in wanted:
            self._host.kernel.add_address(link.name, address, replace_=True)

    def _routes(self, link: Link, file: NetworkFile, setup: _Setup) -> list[FibRoute]:
        routes = []
        for section in file.sections:
            if section.name == "Network":
                for text in section.values("Gateway"):
                    gateway = _address(text)
                    if gateway:
                        setup.gateways.append(gateway)
                        hops = (NextHop(link.name, gateway),)
                        routes.append(FibRoute(IPv4Network("0.0.0.0/0"), hops=hops, protocol=STATIC))
            elif section.name == "Route":
                route = _route(section, link.name)
                if route:
                    routes.append(route)
        return routes


def _addresses(file: NetworkFile) -> list[LinkAddress]:
    """Return the addresses that a file names."""
    wanted: list[LinkAddress] = []
    for section in file.sections:
        for text in section.values("Address") if section.name in ("Network", "Address") else ():
            try:
                interface = IPv4Interface(text)
            except (AddressValueError, NetmaskValueError):
                continue
            broadcast = interface.network.broadcast_address if interface.network.prefixlen < 31 else None
            wanted.append(LinkAddress(interface, broadcast=broadcast))
    return wanted


def _address(text: str | None) -> IPv4Address | None:
    try:
        return IPv4Address(text) if text else None
    except AddressValueError:
        return None


def _route(section: Section, device: str) -> FibRoute | None:
    """Return the route of a [Route] section; None where it is ignored."""
    destination, gateway_text, metric = (section.value(key) for key in ("Destination", "Gateway", "Metric"))
    gateway, protocol = _address(gateway_text), section.value("Protocol") or ""
    try:
        prefix = IPv4Interface(destination or "0.0.0.0/0").network
    except (AddressValueError, NetmaskValueError):
        return None
    if (gateway_text and gateway is None) or not (destination or gateway):
        return None
    named = next((number for number, name in PROTOCOL_NAMES.items() if name == protocol), None)
    return FibRoute(
        prefix,
        hops=(NextHop(device, gateway),),
        metric=int(metric) if metric and metric.isdigit() else 0,
        protocol=named or (int(protocol) if protocol.isdigit() else STATIC),
        scope=Scope.GLOBAL if gateway else Scope.LINK,
    )
