"""Tables, chains and rules as iptables and nftables have them, and what a rule demands of a packet. Pure values."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

Truth = bool | None
"""Whether a packet fits; None where that cannot be said."""


class Hook(StrEnum):
    """Where on its way through a host a packet meets a chain."""

    PREROUTING = "prerouting"
    INPUT = "input"
    FORWARD = "forward"
    OUTPUT = "output"
    POSTROUTING = "postrouting"


class Verdict(StrEnum):
    """What a rule does with a packet that fits."""

    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    JUMP = "jump"
    GOTO = "goto"
    RETURN = "return"
    CONTINUE = "continue"
    REWRITE = "rewrite"
    """Another source or destination address; the chain is at its end then."""
    UNKNOWN = "unknown"
    """Left to something outside, such as a queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet at a host, of ICMP's echo or the first of a TCP connection. What is not known of it is None."""

    source: IPv4Address | None
    destination: IPv4Address | None
    iif: str | None = None
    """The interface it came in by; empty for one that the host itself sends."""
    oif: str | None = None
    """The interface it goes out by; empty for one that the host itself takes."""
    is_reply: bool = False
    """Whether it is the answer to a packet that passed before."""
    protocol: str = "icmp"
    """Or `tcp`, to any port; or `udp`."""
    port: int | None = None
    """The port that UDP is sent to; None for others, and where it is not known."""


Match = Callable[[Packet], Truth]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        text: as it is listed.
        matches: what it demands; each has to be true.
        verdict: what it does then.
        target: the chain of a jump.
        packets: how many packets it counted; None where it does not count.
    """

    text: str
    matches: tuple[Match, ...] = ()
    verdict: Verdict = Verdict.CONTINUE
    target: str | None = None
    packets: int | None = None

    def fits(self, packet: Packet) -> Truth:
        """Whether a packet fits all that it demands."""
        found = [match(packet) for match in self.matches]
        return False if False in found else None if None in found else True


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain; one with a hook is come to by every packet that passes there."""

    name: str
    rules: tuple[Rule, ...] = ()
    hook: Hook | None = None
    priority: int = 0
    drops: bool = False
    """Whether its policy is to drop what came to its end."""
    is_nat: bool = False
    """Whether only the first packet of a conversation meets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of chains.

    Attributes:
        program: what lists it, `iptables` or `nft`.
        family, name: such as `ip`, `filter`.
        chains: by name.
    """

    program: str
    family: str
    name: str
    chains: dict[str, Chain]


_NUMBERS = {"icmp": "1", "tcp": "6", "udp": "17"}


def unknown(_packet: Packet) -> Truth:
    """Say nothing: the demand is not understood, or is about what is not known of a packet."""
    return None


def never(_packet: Packet) -> Truth:
    """Say no: the demand is about other packets than these."""
    return False


def negated(match: Match, *, when: bool) -> Match:
    """Return a demand turned round."""

    def turned(packet: Packet) -> Truth:
        found = match(packet)
        return None if found is None else not found

    return turned if when else match


@dataclass(frozen=True, slots=True)
class AddressRange:
    """Addresses that follow one another, both ends included."""

    first: IPv4Address
    last: IPv4Address

    def __contains__(self, address: IPv4Address) -> bool:
        """Whether an address is one of them."""
        return self.first <= address <= self.last


def address_in(networks: tuple[IPv4Network | AddressRange, ...], *, of_source: bool) -> Match:
    """Demand that the source, or the destination, is in one of these networks or ranges."""

    def fits(packet: Packet) -> Truth:
        address = packet.source if of_source else packet.destination
        return None if address is None else any(address in network for network in networks)

    return fits


def interface_in(patterns: tuple[str, ...], *, incoming: bool) -> Match:
    """Demand that a packet came in, or goes out, by one of these interfaces; `*` stands for any end of a name."""

    def fits(packet: Packet) -> Truth:
        name = packet.iif if incoming else packet.oif
        if name is None:
            return None
        return any(name.startswith(p[:-1]) if p.endswith("*") else name == p for p in patterns)

    return fits


def state_in(states: frozenset[str]) -> Match:
    """Demand a state of connection tracking: a request is new, its reply is of an established connection."""
    names = frozenset(name.lower() for name in states)

    def fits(packet: Packet) -> Truth:
        if packet.is_reply:
            return None if "new" in names and "established" not in names else "established" in names
        if names <= {"new", "untracked", "invalid", "established", "related", "snat", "dnat"}:
            return "new" in names
        return None

    return fits


def protocol_in(names: frozenset[str]) -> Match:
    """Demand one of these protocols, by name or number."""

    def fits(packet: Packet) -> Truth:
        return bool(names & {packet.protocol, _NUMBERS.get(packet.protocol, "all"), "all", "0"})

    return fits


def tcp_only(_packet: Packet) -> Truth:
    """Demand something of a TCP packet, such as a port, of which nothing is known."""
    return None if _packet.protocol == "tcp" else False


def udp_to(ports: frozenset[int] | None, *, is_not: bool = False) -> Match:
    """Demand a UDP packet to one of these ports, or to another; None: of which something not known is demanded."""

    def fits(packet: Packet) -> Truth:
        if packet.protocol != "udp":
            return False
        return None if packet.port is None or ports is None else (packet.port in ports) is not is_not

    return fits


def icmp_type_in(names: frozenset[str]) -> Match:
    """Demand one of these types of ICMP."""
    request, reply = {"8", "echo-request", "any", "255"}, {"0", "echo-reply", "any", "255"}

    def fits(packet: Packet) -> Truth:
        return packet.protocol == "icmp" and bool(names & (reply if packet.is_reply else request))

    return fits


def mark_is(value: int, mask: int) -> Match:
    """Demand a mark: packets between pods carry none, as what marks them is about services (KUBE-MARK-MASQ)."""
    return lambda _packet: value & mask == 0


def is_for_host(packet: Packet) -> Truth:
    """Demand that the host itself takes the packet."""
    return packet.oif == ""
