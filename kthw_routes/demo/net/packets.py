"""Packets of ICMP between the modelled hosts, and how each kind is counted and named."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Final

HOP_LIMIT: Final = 64


class Kind(StrEnum):
    """What a packet is."""

    ECHO = "echo request"
    REPLY = "echo reply"
    NET_UNREACHABLE = "Destination Net Unreachable"
    HOST_UNREACHABLE = "Destination Host Unreachable"
    TTL_EXCEEDED = "Time to live exceeded"
    PORT_UNREACHABLE = "Destination Port Unreachable"
    HOST_PROHIBITED = "Destination Host Prohibited"
    NET_PROHIBITED = "Destination Net Prohibited"
    FILTERED = "Packet filtered"
    FRAGMENTATION_NEEDED = "Frag needed and DF set"
    VXLAN = "VXLAN"
    """UDP, with another packet inside."""

    @property
    def is_error(self) -> bool:
        """Whether it reports another packet's fate."""
        return self not in (Kind.ECHO, Kind.REPLY, Kind.VXLAN)


COUNTERS: Final = {
    Kind.ECHO: "Echos",
    Kind.REPLY: "EchoReps",
    Kind.NET_UNREACHABLE: "DestUnreachs",
    Kind.HOST_UNREACHABLE: "DestUnreachs",
    Kind.TTL_EXCEEDED: "TimeExcds",
}
"""The name of a packet's counter in /proc/net/snmp, behind `In` or `Out`; `DestUnreachs` for the others."""

REJECTIONS: Final = {
    "icmp-host-prohibited": Kind.HOST_PROHIBITED,
    "icmp-net-prohibited": Kind.NET_PROHIBITED,
    "icmp-admin-prohibited": Kind.FILTERED,
    "icmp-host-unreachable": Kind.HOST_UNREACHABLE,
    "icmp-net-unreachable": Kind.NET_UNREACHABLE,
}
"""What a rule answers that rejects; a port that is unreachable for the others."""


@dataclass(frozen=True, slots=True)
class Packet:
    """An ICMP packet on its way; with a `port`, a UDP datagram in the place of an echo request.

    Or one that carries another.
    """

    source: IPv4Address
    destination: IPv4Address
    kind: Kind
    identifier: int
    sequence: int
    ttl: int = HOP_LIMIT
    hops: int = 0
    """How many segments it has crossed; its time is made from them."""
    size: int = 84
    """Bytes, headers included."""
    is_whole: bool = False
    """Whether it is not to be divided (DF)."""
    mtu: int = 0
    """Bytes that would fit, where it reports that a packet was too big."""
    port: int = 0
    """The UDP port that it is sent to, or that the packet was sent to on which it reports; 0 for an echo."""
    about: IPv4Address | None = None
    """Where the packet was sent on which it reports; None for what reports on none."""
    inner: "Tunnelled | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnelled:
    """A packet inside of another (VXLAN)."""

    packet: Packet
    vni: int
    mac: str
    """Of the device that takes it out."""
