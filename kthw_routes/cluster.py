"""What there is: nodes, their addresses, regions, the cluster. Frozen values, no input or output.

Addresses are `ipaddress` objects everywhere; text appears only where they are read or shown.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address
from pathlib import Path, PurePosixPath
from typing import Final, Self, TypeVar

from kthw_routes.errors import InvalidInput
from kthw_routes.sanitize import quoted

T = TypeVar("T")

LINODE_PRIVATE: Final = IPv4Network("192.168.128.0/17")
"""Linode's private network: one for all customers of a data centre (Linode VPC documentation)."""

DEFAULT_CLUSTER_CIDR: Final = IPv4Network("10.200.0.0/16")
"""The pod network of Kubernetes The Hard Way."""
PRIVATE_NETWORKS: Final = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15")
)
"""Where pods live: the private networks (RFC 1918), those of carriers (RFC 6598), those for measurements (RFC 2544)."""
SHORTEST_CLUSTER_PREFIX: Final = 8
"""A cluster CIDR is no larger than this."""

SERVICE_CIDR: Final = IPv4Network("10.32.0.0/24")
"""The service network of Kubernetes The Hard Way."""

DOCKER_CIDR: Final = IPv4Network("172.17.0.0/16")
"""Docker's default bridge network."""


EXAMPLE_ADDRESS: Final = "expected, for example, 192.168.8.20"

_HOME_NETWORKS: Final = IPv4Network("192.168.0.0/16")
"""Where networks are /24s in practice (Linode's aside), so that no machine has .0 or .255. Elsewhere one may."""
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\+-]{0,63}\$?", re.ASCII)
_ALIAS: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}", re.ASCII)
_SSH_PORT: Final = 22


class Role(StrEnum):
    """What a node is in the cluster."""

    WORKER = "worker"
    CONTROLLER = "controller"


class AddressKind(StrEnum):
    """To which network an address belongs. Decided by the network, never by its position in a list."""

    PRIVATE = "private"  # 192.168.128.0/17
    VLAN = "vlan"
    VPC = "vpc"
    OTHER = "other private"  # RFC 1918, and the source could not distinguish VLAN and VPC
    PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Address:
    """One address of a node, as its source reported it."""

    ip: IPv4Address
    kind: AddressKind


class PodCidrSource(StrEnum):
    """Which reading a pod CIDR rests on, best first."""

    TYPED = "typed"
    CNI = "CNI configuration"
    KUBELET = "kubelet configuration"
    LABEL = "number in the name"
    GUESS = "number in the name, not read there"
    """As LABEL, of a worker that could not be read, or was not, while others were."""
    UNKNOWN = "unknown"


class Selection(StrEnum):
    """What the person decided about a node.

    Membership and selection are two things: the wanted routes follow from every member;
    a node that is left out is a member that is not visited.
    """

    VISIT = "visit"
    LEFT_OUT = "left out"
    REMOVED = "removed for good"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a node is reached by SSH. `user` and `port` are None where the SSH configuration decides."""

    host: str
    user: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str, *, ipv6: bool = False) -> Self:
        """Read `[user@]host[:port]`; with `ipv6` also `[user@][address]:port`. Raises InvalidInput."""
        text = text.strip()
        user, at, rest = text.rpartition("@")
        if bracketed := re.fullmatch(r"\[([^\]]*)\](?::(.*))?", rest):
            host, port = bracketed.groups()
        else:
            host, colon, port = (rest, "", None) if rest.count(":") > 1 else rest.partition(":")
            port = port if colon else None
        return cls(
            host=_parse_part(text, host, partial(parse_host, ipv6=ipv6)),
            user=_parse_part(text, user, parse_user) if at else None,
            port=_parse_part(text, port, parse_port) if port is not None else None,
        )

    @property
    def target(self) -> tuple[str, int]:
        """Which machine is meant: the same of two endpoints that lead to the same one."""
        return self.host.casefold(), self.port or _SSH_PORT

    def __str__(self) -> str:
        """Write it as `[user@]host[:port]`."""
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        host = f"[{self.host}]" if port and ":" in self.host else self.host
        return f"{user}{host}{port}"


def parse_address(text: str) -> IPv4Address:
    """Read an IPv4 address that a machine can have, its own loopback included. Raises InvalidInput."""
    try:
        ip = IPv4Address(text.strip())
    except AddressValueError:
        raise InvalidInput(f"is not an IPv4 address; {EXAMPLE_ADDRESS}") from None
    network = LINODE_PRIVATE if ip in LINODE_PRIVATE else IPv4Network((int(ip), 24), strict=False)
    for is_so, what in (
        (ip in IPv4Network("0.0.0.0/8"), "an address that no machine has"),
        (ip.is_multicast, "a multicast address"),
        (ip.is_reserved, "a broadcast or reserved address"),
        (ip in _HOME_NETWORKS and ip == network.network_address, "a network's address"),
        (ip in _HOME_NETWORKS and ip == network.broadcast_address, "a broadcast address"),
    ):
        if is_so:
            raise InvalidInput(f"is {what}; {EXAMPLE_ADDRESS}")
    return ip


def parse_host(text: str, *, ipv6: bool = False) -> str:
    """Read where SSH connects to: an address, a hostname, an alias of the SSH configuration. Raises InvalidInput."""
    if re.fullmatch(r"[0-9.]+", text):
        return str(parse_address(text))
    if ":" in text:
        try:
            ip = str(IPv6Address(text))
        except AddressValueError:
            raise InvalidInput(f"is not an address; {EXAMPLE_ADDRESS}") from None
        if not ipv6:
            raise InvalidInput(f"is an IPv6 address, which is not supported; {EXAMPLE_ADDRESS}")
        return ip
    if not _ALIAS.fullmatch(text):
        raise InvalidInput(
            'is neither an IPv4 address nor a hostname; expected, for example, "192.168.8.20" or "root@worker-0:22"'
        )
    return text


def parse_user(text: str) -> str:
    """Read the name of a user to log in as. Raises InvalidInput."""
    if not _USER.fullmatch(text):
        raise InvalidInput("is not a user name; expected, for example, root")
    return text


def parse_port(text: str) -> int:
    """Read a TCP port. Raises InvalidInput."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise InvalidInput("is not a port; expected 1 to 65535")
    return int(text)


def _parse_part(whole: str, part: str, convert: Callable[[str], T]) -> T:
    """Convert a part of a longer text: an error names the part where it is not the whole."""
    try:
        return convert(part)
    except InvalidInput as error:
        raise (error if part == whole else InvalidInput(f"cannot be used: {quoted(part)} {error}")) from None


@dataclass(frozen=True, slots=True)
class Node:
    """A worker or a controller."""

    name: str
    role: Role
    ssh: Endpoint | None
    """None: the source knows no public address, and the person has typed none."""
    internal: IPv4Address | None = None
    """The address that other nodes use as next hop. None: none, or several and none chosen yet."""
    pod_cidr: IPv4Network | None = None
    """Of a worker; None while unknown. Always None on a controller."""
    pod_cidr_source: PodCidrSource = PodCidrSource.UNKNOWN
    addresses: tuple[Address, ...] = ()
    region: str | None = None
    status: str = "running"
    selection: Selection = Selection.VISIT
    identity: Path | None = None
    """The private key of this node alone; None: the one of all nodes."""
    next_hop: IPv4Address | None = None
    """Where this node sends packets for the pods of all others, such as a provider's router; None: to their nodes."""
    pod_cidr_file: PurePosixPath | None = None
    """The file on the node in which its pod CIDR was read."""
    has_new_interfaces: bool = False
    """Whether it is a Linode with interfaces of the newer generation, which can have no private address."""
    vpc_ranges: frozenset[IPv4Network] | None = None
    """What a Linode's VPC delivers to it in addition to its own address; None: not known."""

    @property
    def is_worker(self) -> bool:
        """Whether pods run here."""
        return self.role is Role.WORKER

    @property
    def is_guessed(self) -> bool:
        """Whether its pod CIDR is a guess, as it was not read."""
        return self.pod_cidr_source is PodCidrSource.GUESS

    @property
    def is_member(self) -> bool:
        """Whether the wanted routes of the others count this node in."""
        return self.selection is not Selection.REMOVED

    @property
    def is_visited(self) -> bool:
        """Whether anything is read or changed on this node."""
        return self.selection is Selection.VISIT

    def kind_of(self, ip: IPv4Address | None) -> AddressKind | None:
        """Return the kind of one of this node's addresses, as its source reported it; None if it is not among them."""
        return next((a.kind for a in self.addresses if a.ip == ip), None)


@dataclass(frozen=True, slots=True)
class Region:
    """A Linode region as the API describes it. Unknown capability strings are kept as they are."""

    id: str
    label: str
    capabilities: frozenset[str] = frozenset()
    status: str = "ok"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Every node that was found or listed, in natural order, and the network that their pods share."""

    nodes: tuple[Node, ...]
    cidr: IPv4Network = DEFAULT_CLUSTER_CIDR
    regions: tuple[Region, ...] = field(default=())
    """The regions of the nodes; empty for your own machines."""
    has_overlay: bool = False
    """Whether packets between pods are carried in VXLAN between the workers' internal addresses."""

    def __iter__(self) -> Iterator[Node]:
        """Iterate over all nodes, workers first."""
        return iter(self.nodes)

    @property
    def workers(self) -> tuple[Node, ...]:
        """The workers that are members, in natural order."""
        return tuple(n for n in self.nodes if n.is_worker and n.is_member)

    @property
    def controllers(self) -> tuple[Node, ...]:
        """The controllers that are members, in natural order."""
        return tuple(n for n in self.nodes if not n.is_worker and n.is_member)

    @property
    def visited(self) -> tuple[Node, ...]:
        """The nodes on which something is read or changed."""
        return tuple(n for n in self.nodes if n.is_visited)

    def node(self, name: str) -> Node:
        """Return the node of this name. Raises KeyError where there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def region(self, region_id: str | None) -> Region | None:
        """Return the region of this id, if the source knows it."""
        return next((r for r in self.regions if r.id == region_id), None)

    def with_swapped(self, old: Node, new: Node) -> "Cluster":
        """Replace this very node: two nodes of one name are distinguished."""
        return replace(self, nodes=tuple(new if n is old else n for n in self.nodes))

    def with_one_identity(self) -> "Cluster":
        """Forget the nodes' own private keys: the person named one for all."""
        return replace(self, nodes=tuple(replace(n, identity=None) for n in self.nodes))

    def with_selection(self, visited: Iterable[str]) -> "Cluster":
        """Leave out the visited nodes that are not named here."""
        keep = frozenset(visited)
        return replace(
            self,
            nodes=tuple(
                replace(n, selection=Selection.LEFT_OUT) if n.is_visited and n.name not in keep else n
                for n in self.nodes
            ),
        )
