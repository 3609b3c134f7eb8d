"""What was read on a host: routes, addresses, pods, files. Frozen values, as read, no judgement."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.overlay.model import NOT_READ, OverlayReading

PROTOCOL: Final = "200"
"""The routing protocol number that marks a route as ours (`proto 200`); taken by no known daemon."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a kernel's main table.

    Its key in the kernel is (prefix, tos, metric, table): two routes that differ in another field only cannot
    both be added with `ip route add`.
    """

    prefix: IPv4Network
    gateway: IPv4Address | None = None
    """The next hop; None for an on-link route, a multipath route and one of another type."""
    device: str | None = None
    protocol: str = "boot"
    """As iproute2 prints it: `boot` (typed by hand), `kernel`, `static`, `dhcp`, or a number such as `200`."""
    metric: int = 0
    type: str = "unicast"
    """`unicast`, or `blackhole`, `unreachable`, `prohibit`, …"""
    scope: str = "global"
    source: IPv4Address | None = None
    """The preferred source address (`src`)."""
    flags: frozenset[str] = frozenset()
    """Such as `onlink`, `linkdown`, `dead`."""
    tos: int = 0
    multipath: tuple[IPv4Address, ...] = ()
    """The next hops of a multipath route, in order; empty for any other."""
    extra: str = ""
    """What else the kernel has of it (`mtu 1400`, …), so that undo can restore it."""

    @property
    def is_tagged(self) -> bool:
        """Whether the route carries our protocol number."""
        return self.protocol == PROTOCOL

    @property
    def is_kernel(self) -> bool:
        """Whether the kernel made it for an address of an interface; such routes are never touched."""
        return self.protocol == "kernel"


def by_prefix(routes: Iterable[Route]) -> dict[IPv4Network, tuple[Route, ...]]:
    """Group the routes by prefix, all in the kernel's order."""
    found: defaultdict[IPv4Network, list[Route]] = defaultdict(list)
    for route in routes:
        found[route.prefix].append(route)
    return {prefix: tuple(alike) for prefix, alike in found.items()}


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An IPv4 address with its prefix length on an interface of a host."""

    device: str
    address: IPv4Interface
    is_up: bool = True
    is_temporary: bool = False
    """Whether the kernel removes it after a time: a probe address of ours, or one by DHCP."""
    mtu: int | None = field(default=None, compare=False)
    """Bytes of the largest packet that the interface sends whole; None where it was not read."""


class Privilege(StrEnum):
    """How a host lets us act as root."""

    ROOT = "root"
    SUDO = "sudo without password"
    SUDO_PASSWORD = "sudo with password"  # noqa: S105 - a word people read, not a password
    NONE = "no root and no sudo"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host's SSH key, as it was presented."""

    type: str
    """Such as `ssh-ed25519`."""
    fingerprint: str
    """`SHA256:` and the unpadded base64 of the digest, as ssh prints it."""
    is_new: bool = False
    """Whether it was accepted for the first time just now."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod's network namespace with an address in the host's pod CIDR."""

    namespace: str
    """The name below /run/netns."""
    address: IPv4Address
    mtu: int | None = field(default=None, compare=False)
    """Bytes of the largest packet that its interface sends whole; None where it was not read."""


class Devices:
    """The interfaces towards a list of addresses, worked out once for all hosts on the same networks."""

    def __init__(self, hops: Iterable[IPv4Address]) -> None:
        self._hops: Final = tuple(hops)
        self._sorted: Final = sorted(int(hop) for hop in self._hops)
        self._known: Final[dict[tuple[tuple[str | None, IPv4Network, int], ...], tuple[str | None, ...]]] = {}

    def of(self, on_link: Iterable[Route]) -> tuple[str | None, ...]:
        """Return the interface towards each of the addresses, as `device_towards`, on a host with these routes."""
        near = [r for r in on_link if self._reaches_any(r.prefix)]
        networks = tuple((r.device, r.prefix, r.metric) for r in near)
        if networks not in self._known:
            self._known[networks] = tuple(device_towards(near, hop) for hop in self._hops)
        return self._known[networks]

    def _reaches_any(self, network: IPv4Network) -> bool:
        first = bisect_left(self._sorted, int(network.network_address))
        return first < len(self._sorted) and self._sorted[first] <= int(network.broadcast_address)


def on_link_routes(
    routes: Iterable[Route], addresses: Iterable[InterfaceAddress] = (), *, is_whole: bool = True
) -> tuple[Route, ...]:
    """Return the routes by which the kernel finds a next hop: those of scope link, to what an interface itself reaches.

    The kernel passes over all others then, however long their prefixes are (measured).

    Args:
        routes: the main table.
        addresses: those of the interfaces, which stand in for what is missing of the table.
        is_whole: whether the table was read whole.
    """
    found = [r for r in routes if r.scope == "link" and r.type == "unicast" and r.device and "dead" not in r.flags]
    if not is_whole:
        connected = (a for a in addresses if a.is_up and a.address.network.prefixlen < 32)
        found += (Route(a.address.network, device=a.device, scope="link") for a in connected)
    return tuple(found)


def device_towards(on_link: Iterable[Route], ip: IPv4Address) -> str | None:
    """Return the interface at which a next hop is on-link (longest prefix, lowest metric), or None."""
    found = [r for r in on_link if ip in r.prefix]
    best = min(found, key=lambda r: (-r.prefix.prefixlen, r.metric), default=None)
    return best.device if best else None


def router_towards(routes: Iterable[Route], on_link: Iterable[Route], ip: IPv4Address) -> Route | None:
    """Return the route through a router, not the default one, by which the kernel reaches an address; None if by none.

    So it is with providers whose machines have /32 addresses behind a router.
    """
    found = [r for r in routes if r.prefix.prefixlen and r.tos == 0 and ip in r.prefix]
    best = min(found, key=lambda r: (-r.prefix.prefixlen, r.metric), default=None)
    if best is None or best.gateway is None or best.type != "unicast":
        return None
    return best if device_towards(on_link, best.gateway) is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodCidrFiles:
    """The files in which a node's pod CIDR is stated."""

    cni: PurePosixPath | None = None
    """The CNI configuration that the container runtime takes."""
    kubelet: PurePosixPath | None = None
    problems: tuple[str, ...] = ()
    """Why a file that is there cannot be used, beginning with its name, without a full stop."""
    plugin: str | None = None
    """The network plugin of the CNI configuration, such as `bridge`."""
    mtu: int | None = None
    """The MTU of pods, in bytes, that the CNI configuration states; None where it does not."""


@dataclass(frozen=True, slots=True)
class HostFile:
    """A file on a host."""

    path: PurePosixPath
    mode: int
    """The permission bits, such as 0o644."""
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedRoute:
    """A route within the cluster CIDR that the host's own configuration states, in a file that is not ours."""

    prefix: IPv4Network
    next_hop: IPv4Address
    path: PurePosixPath
    line: int
    """The line that names the next hop, from 1."""
    manager: str
    """What reads the file: `netplan`, `networkd`, `ifupdown` or `networkmanager`."""
    rewritten_by: str | None = None
    """What may rewrite the file at a boot, without this route; None where nothing does."""


@dataclass(frozen=True, slots=True)
class LinkSetup:
    """By what one interface was brought up, as its host reports. What is unknown is empty."""

    device: str
    network_file: PurePosixPath | None = None
    """The `.network` file by which systemd-networkd manages it."""
    networkd_state: str = ""
    """Such as `routable (configured)`; `unmanaged` in it where networkd leaves it alone."""
    nm_connection: str = ""
    """The connection by which NetworkManager manages it."""
    by_ifupdown: bool = False
    """Whether `ifup` brought it up."""

    @property
    def by_networkd(self) -> bool:
        """Whether systemd-networkd manages it."""
        return self.network_file is not None and "unmanaged" not in self.networkd_state


@dataclass(frozen=True, slots=True)
class NetworkSetup:
    """How a host's network is configured, and our files there."""

    links: tuple[LinkSetup, ...] = ()
    """The interfaces whose networks have next hops."""
    other_links: tuple[LinkSetup, ...] = ()
    """The other interfaces that systemd-networkd manages, also those that are down: a file may be for them too."""
    has_systemd: bool = False
    """Whether systemd is the init."""
    has_netplan: bool = False
    netplan: str = ""
    """The merged configuration, as `netplan get` prints it (YAML); empty where it cannot (before 0.101)."""
    netplan_problem: str | None = None
    """netplan's error in its files as they are; None where it reads them."""
    files: tuple[HostFile, ...] = ()
    """The files of ours (`kthw-routes` in their name), by path."""
    stated: tuple[StatedRoute, ...] = ()
    """The routes that the host's own configuration states for the interfaces whose networks have next hops."""
    folders: frozenset[PurePosixPath] = frozenset()
    """Those of the folders that files of ours may need which exist."""
    timer_is_enabled: bool = False
    """Whether systemd starts our timer at boot."""
    timer_is_active: bool = False
    """Whether our timer runs now."""
    unit_states: frozenset[tuple[str, str]] = frozenset()
    """The units that read files at boot, each with what `systemctl` says of it (`enabled`, …); empty where it is
    missing."""
    overridden: frozenset[PurePosixPath] = frozenset()
    """The files in /etc which stand in for a generator of systemd's that files depend on."""
    hosts_template: HostFile | None = None
    """cloud-init's template of /etc/hosts, where cloud-init rewrites that file at each boot; None elsewhere."""

    unread: frozenset[PurePosixPath] = frozenset()
    """Files of ours, and cloud-init's templates, that may be there and could not be read; a folder for all in it."""
    leftovers: tuple[PurePosixPath, ...] = ()
    """New files of ours next to their targets, which a run that was killed did not rename over them."""
    rollbacks: tuple[str, ...] = ()
    """The runs whose automatic rollback is pending there (`--commit-within`)."""

    def unit_state(self, unit: str) -> str | None:
        """Return whether systemd starts a unit at boot, in its words; None where that was not read."""
        return next((state for name, state in self.unit_states if name == unit), None)

    def link(self, device: str) -> LinkSetup | None:
        """Return the setup of one interface, if it was read."""
        return next((link for link in self.links if link.device == device), None)

    def others(self, device: str) -> Iterator[LinkSetup]:
        """List every known interface but this one."""
        return (link for link in (*self.links, *self.other_links) if link.device != device)

    def is_unread(self, path: PurePosixPath) -> bool:
        """Whether it is not known what this file holds, or that it is missing."""
        return path in self.unread or path.parent in self.unread

    def file(self, path: PurePosixPath) -> HostFile | None:
        """Return one of our files, if it exists."""
        return next((file for file in self.files if file.path == path), None)


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What was read on one host; nothing was changed there."""

    node: str
    read_at: datetime
    host_key: HostKey
    user: str
    privilege: Privilege
    hostname: str
    iproute2: str
    """What `ip -V` printed; empty where there is no usable `ip`."""
    addresses: tuple[InterfaceAddress, ...]
    routes: tuple[Route, ...]
    """The main table, in the kernel's order."""
    routes_within: IPv4Network | None = None
    """The network for which `routes` were read, where the table is too long to be read whole."""
    cni_cidr: IPv4Network | None = None
    kubelet_cidr: IPv4Network | None = None
    cidr_files: PodCidrFiles = PodCidrFiles()
    """Where these two were read, or could not be."""
    ip_forward: bool = False
    bridge: InterfaceAddress | None = None
    """The pod bridge: a bridge interface with an address in the host's pod CIDR."""
    bridges: tuple[InterfaceAddress, ...] = ()
    """Every address of every bridge interface (`cnio0`, `cni0`, `docker0`, …)."""
    pods: tuple[Pod, ...] = ()
    """Those that were read until one with an address in the pod CIDR was found."""
    etc_hosts: bytes | None = None
    """The file's bytes; None where it was not read."""
    etc_hosts_problem: str | None = None
    """Why /etc/hosts could not be read, without a full stop; None where it was, or is not known."""
    network: NetworkSetup = NetworkSetup()
    overlay: OverlayReading = NOT_READ
    _on_link: tuple[Route, ...] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def on_link(self) -> tuple[Route, ...]:
        """The routes by which next hops are found; from the addresses, where the table was not read whole."""
        if self._on_link is None:
            found = on_link_routes(self.routes, self.addresses, is_whole=self.routes_within is None)
            object.__setattr__(self, "_on_link", found)
            return found
        return self._on_link

    @property
    def own_addresses(self) -> frozenset[IPv4Address]:
        """Every IPv4 address on an interface of this host."""
        return frozenset(a.address.ip for a in self.addresses)

    def device_towards(self, ip: IPv4Address) -> str | None:
        """Return the interface at which a next hop is on-link, by the kernel's own table, or None."""
        return device_towards(self.on_link, ip)

    def mtu_of(self, ip: IPv4Address | None) -> int | None:
        """Return the MTU, in bytes, of the interface that has the address `ip`; None where it is not known."""
        return next((a.mtu for a in self.addresses if a.address.ip == ip), None)

    @property
    def pod_mtu(self) -> int | None:
        """The MTU of pods, in bytes: of those that are there, else that of pods to come; None where it is not known."""
        there = [pod.mtu for pod in self.pods if pod.mtu is not None]
        return min(there, default=self.cidr_files.mtu)

    def device_of(self, ip: IPv4Address | None) -> str | None:
        """Return the interface that has the address `ip`, or None."""
        return next((a.device for a in self.addresses if a.address.ip == ip), None)
