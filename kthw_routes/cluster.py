"""What there is: nodes, their addresses, regions, the cluster. Frozen values, no input or output.

Addresses are `ipaddress` objects everywhere; text appears only where they are read or shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from typing import Final

LINODE_PRIVATE: Final = IPv4Network("192.168.128.0/17")
"""Linode's private network: one for all customers of a data centre (Linode VPC documentation)."""

DEFAULT_CLUSTER_CIDR: Final = IPv4Network("10.200.0.0/16")
"""The pod network of Kubernetes The Hard Way."""

SERVICE_CIDR: Final = IPv4Network("10.32.0.0/24")
"""The service network of Kubernetes The Hard Way."""

DOCKER_CIDR: Final = IPv4Network("172.17.0.0/16")
"""Docker's default bridge network."""


class Role(StrEnum):
    """What a node is in the cluster."""

    WORKER = "worker"
    CONTROLLER = "controller"


class AddressKind(StrEnum):
    """To which network an address belongs. Decided by the network, never by its position in a list."""

    PRIVATE = "private"  # 192.168.128.0/17
    VLAN = "vlan"
    VPC = "vpc"
    OTHER = "other private"  # RFC 1918, and the source could not tell VLAN from VPC
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
    """As LABEL, of a worker that could not be looked at, or was not, while others were."""
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

    def __str__(self) -> str:
        """`[user@]host[:port]`."""
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port else ""
        host = f"[{self.host}]" if port and ":" in self.host else self.host
        return f"{user}{host}{port}"


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
        """The kind of one of this node's addresses, as its source reported it; None if it is not among them."""
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
    """The regions of the nodes; empty for machines of one's own."""

    def __iter__(self) -> Iterator[Node]:
        """All nodes, workers first."""
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
        """The node of this name. Raises KeyError where there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def region(self, region_id: str | None) -> Region | None:
        """The region of this id, if the source told of it."""
        return next((r for r in self.regions if r.id == region_id), None)

    def with_node(self, name: str, node: Node) -> "Cluster":
        """The cluster with the node `name` replaced by `node` (which may have another name)."""
        return replace(self, nodes=tuple(node if n.name == name else n for n in self.nodes))

    def with_swapped(self, old: Node, new: Node) -> "Cluster":
        """The cluster with this very node replaced: two nodes of one name are told apart."""
        return replace(self, nodes=tuple(new if n is old else n for n in self.nodes))

    def with_selection(self, visited: Iterable[str]) -> "Cluster":
        """The cluster in which, of the visited nodes, only those named here still are."""
        keep = frozenset(visited)
        return replace(
            self,
            nodes=tuple(
                replace(n, selection=Selection.LEFT_OUT) if n.is_visited and n.name not in keep else n
                for n in self.nodes
            ),
        )
