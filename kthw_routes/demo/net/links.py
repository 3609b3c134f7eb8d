"""A network interface and its IPv4 addresses, as the kernel holds them."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address

FOREVER = 0xFFFFFFFF
"""A lifetime that never ends, as `ip -json address` prints it."""


@dataclass(slots=True)
class LinkAddress:
    """An IPv4 address on an interface."""

    interface: IPv4Interface
    broadcast: IPv4Address | None = None
    scope: int = 0
    secondary: bool = False
    valid_until: float | None = None
    """On the model's clock; None for ever."""
    preferred_until: float | None = None

    @property
    def local(self) -> IPv4Address:
        """The address itself."""
        return self.interface.ip

    @property
    def network(self) -> IPv4Network:
        """The connected network."""
        return self.interface.network

    def same_subnet(self, other: "LinkAddress") -> bool:
        """Whether the kernel counts both to one subnet: same mask, same network."""
        return self.network == other.network


@dataclass(frozen=True, slots=True, kw_only=True)
class Vxlan:
    """What makes an interface an end of VXLAN tunnels."""

    vni: int
    port: int
    local: IPv4Address | None = None
    learns: bool = True


@dataclass(slots=True)
class Link:
    """A network interface."""

    index: int
    name: str
    kind: str = "ether"
    """`loopback`, `ether`, `veth`, `bridge` or `vxlan`."""
    mac: str = "00:00:00:00:00:00"
    mtu: int = 1500
    up: bool = True
    master: str | None = None
    peer: str | None = None
    """What follows the `@` in the name: the other end of a veth."""
    addresses: list[LinkAddress] = field(default_factory=list)
    vxlan: Vxlan | None = None
    remotes: dict[str, IPv4Address] = field(default_factory=dict)
    """Of a VXLAN device: the node at which a MAC address is (its forwarding database)."""

    @property
    def is_loopback(self) -> bool:
        """Whether it is `lo`."""
        return self.kind == "loopback"

    @property
    def flags(self) -> list[str]:
        """As `ip link` prints them, in its order."""
        flags = ["LOOPBACK"] if self.is_loopback else ["BROADCAST", "MULTICAST"]
        return [*flags, "UP", "LOWER_UP"] if self.up else flags

    @property
    def state(self) -> str:
        """The operational state as `ip link` prints it."""
        if self.is_loopback or self.vxlan is not None:
            return "UNKNOWN" if self.up else "DOWN"
        return "UP" if self.up else "DOWN"

    @property
    def link_local(self) -> IPv6Address:
        """The IPv6 link-local address that the kernel makes from the MAC address (RFC 4291, appendix A)."""
        octets = bytes(int(part, 16) for part in self.mac.split(":"))
        identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
        return IPv6Address(b"\xfe\x80" + bytes(6) + identifier)

    def primary(self, network: IPv4Network) -> LinkAddress | None:
        """Return the primary address of a connected network."""
        return next((a for a in self.addresses if not a.secondary and a.network == network), None)
