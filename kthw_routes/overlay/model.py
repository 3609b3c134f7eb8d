"""The overlay: pods' packets in VXLAN (RFC 7348) between the nodes' internal addresses. Frozen values, pure.

Everything in it follows from addresses that are known before: no node has to learn anything from another. A device per
node has the first address of its pod CIDR, which is the next hop of the others' routes; the MAC address of a device
follows from its node's internal address.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final


class Overlay(StrEnum):
    """How packets between pods are carried."""

    NONE = "none"
    """As they are, from next hop to next hop."""
    VXLAN = "vxlan"
    """In UDP packets between the nodes' internal addresses."""


DEVICE: Final = "kthw-routes0"
VNI: Final = 200
"""The number of the virtual network; that of our routes' protocol."""
PORT: Final = 4789
"""The UDP port that IANA assigned to VXLAN; Linux's own default, 8472, is what flannel and Cilium use."""
OVERHEAD: Final = 50
"""Bytes around each packet: IPv4 20, UDP 8, VXLAN 8, Ethernet 14."""
TABLE: Final = "kthw_routes"
"""The nftables table (family inet) that accepts the UDP port from the peers only."""

USUAL_MTU: Final = 1500
_MAC_PREFIX: Final = "02:c8"
"""Locally administered (RFC 7042, section 2.1); the other four bytes are those of the internal address."""


def mac_of(internal: IPv4Address) -> str:
    """Return the MAC address of the device on the node with this internal address."""
    return ":".join((_MAC_PREFIX, *(f"{byte:02x}" for byte in internal.packed)))


def gateway_of(pod_cidr: IPv4Network) -> IPv4Address:
    """Return the address of the device on the node with this pod CIDR: the first, which no pod gets."""
    return pod_cidr.network_address


@dataclass(frozen=True, slots=True, kw_only=True)
class VxlanDevice:
    """A VXLAN device, as far as it decides where packets go."""

    vni: int
    port: int
    """Of UDP, at both ends."""
    local: IPv4Address | None
    """The address that its UDP packets come from."""
    learns: bool
    """Whether it learns from received packets where a MAC address is."""
    mac: str
    mtu: int
    """Bytes of the largest packet that it takes whole."""
    is_up: bool = True

    def is_same_tunnel(self, other: "VxlanDevice | None") -> bool:
        """Whether all is the same that cannot be changed on a device that is there."""
        return other is not None and (self.vni, self.port, self.local, self.learns) == (
            other.vni,
            other.port,
            other.local,
            other.learns,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayState:
    """What a node has of the overlay, or should have."""

    device: VxlanDevice | None = None
    addresses: frozenset[IPv4Interface] = frozenset()
    """Those of the device."""
    neighbours: frozenset[tuple[IPv4Address, str]] = frozenset()
    """The permanent ones of the device: the next hop of a route, and the MAC address that it has."""
    forwarding: frozenset[tuple[str, IPv4Address]] = frozenset()
    """The device's forwarding database: a MAC address, and the internal address of its node."""
    accepts: frozenset[IPv4Address] | None = None
    """The addresses from which the table accepts the UDP port; None where there is no table."""

    @property
    def is_nothing(self) -> bool:
        """Whether nothing of it is there."""
        return self.device is None and self.accepts is None

    @property
    def parts(self) -> frozenset[object]:
        """Everything in it, each by itself, so that states can be compared part by part.

        That a device is up is a part of its own: it is made before.
        """
        accepts = () if self.accepts is None else ("table", *self.accepts)
        is_up = self.device is not None and self.device.is_up
        device = () if self.device is None else (replace(self.device, is_up=True), *(("up",) if is_up else ()))
        return frozenset((*device, *self.addresses, *self.neighbours, *self.forwarding, *accepts))


NOTHING: Final = OverlayState()


def wanted_state(
    internal: IPv4Address, pod_cidr: IPv4Network, mtu: int | None, peers: Iterable[tuple[IPv4Address, IPv4Network]]
) -> OverlayState:
    """Return what a node should have.

    Args:
        internal: its internal address.
        pod_cidr: its pod CIDR.
        mtu: the MTU of the interface with the internal address, in bytes; None where it is not known.
        peers: internal address and pod CIDR of each other worker.
    """
    others = tuple(peers)
    return OverlayState(
        device=VxlanDevice(
            vni=VNI,
            port=PORT,
            local=internal,
            learns=False,
            mac=mac_of(internal),
            mtu=(mtu or USUAL_MTU) - OVERHEAD,
        ),
        addresses=frozenset({IPv4Interface((gateway_of(pod_cidr), 32))}),
        neighbours=frozenset((gateway_of(cidr), mac_of(address)) for address, cidr in others),
        forwarding=frozenset((mac_of(address), address) for address, _ in others),
        accepts=frozenset(address for address, _ in others),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayReading:
    """What was read of the overlay on a host."""

    state: OverlayState = NOTHING
    problem: str | None = None
    """What of it is there under our name and is not as we make it, as the end of a sentence; None for nothing."""
    is_unread: bool = False
    """Whether what is there could not be read."""
    others: tuple[str, ...] = ()
    """The VXLAN devices of others that use the same UDP port, as people name them."""
    has_nft: bool = False
    """Whether the program `nft` is installed."""


NOT_READ: Final = OverlayReading()
