"""The filter expressions of `tcpdump` that a lab about routes needs: protocols, hosts, networks, and, or, not."""

from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from kthw_routes.demo.net.packets import Kind, Packet

Wanted = Callable[[Packet, bool], bool]
"""Whether a packet is to be shown; the second value says whether it is an ARP question."""


class SyntaxFault(Exception):
    """An expression that tcpdump does not understand."""


def parse_filter(words: list[str]) -> Wanted:
    """Read an expression; an empty one shows everything. Raises SyntaxFault."""
    tokens = " ".join(words).replace("(", " ( ").replace(")", " ) ").replace("!", " ! ").split()
    if not tokens:
        return lambda _packet, _is_arp: True
    wanted = _alternatives(tokens)
    if tokens:
        raise SyntaxFault
    return wanted


def _alternatives(tokens: list[str]) -> Wanted:
    """Read terms with `and` and `or` between them; both bind alike, from left to right, as in pcap-filter(7)."""
    found = _term(tokens)
    while tokens and tokens[0] in ("or", "||", "and", "&&"):
        found = (_either if tokens.pop(0) in ("or", "||") else _both)(found, _term(tokens))
    return found


def _either(one: Wanted, other: Wanted) -> Wanted:
    return lambda packet, is_arp: one(packet, is_arp) or other(packet, is_arp)


def _both(one: Wanted, other: Wanted) -> Wanted:
    return lambda packet, is_arp: one(packet, is_arp) and other(packet, is_arp)


def _term(tokens: list[str]) -> Wanted:
    word = tokens.pop(0) if tokens else ""
    match word:
        case "not" | "!":
            denied = _term(tokens)
            return lambda packet, is_arp: not denied(packet, is_arp)
        case "(":
            inner = _alternatives(tokens)
            if tokens[:1] != [")"]:
                raise SyntaxFault
            tokens.pop(0)
            return inner
        case "icmp":
            return lambda packet, is_arp: not is_arp and not _is_datagram(packet)
        case "udp" if tokens[:1] != ["port"]:
            return lambda packet, is_arp: not is_arp and _is_datagram(packet)
        case "udp" | "port":
            if word == "udp":
                tokens.pop(0)
            number = tokens.pop(0) if tokens else ""
            if not number.isdecimal():
                raise SyntaxFault
            return lambda packet, is_arp: not is_arp and _is_datagram(packet) and packet.port == int(number)
        case "arp":
            return lambda _packet, is_arp: is_arp
        case "ip":
            return lambda _packet, is_arp: not is_arp
        case _:
            return _addressed(word, tokens)


def _is_datagram(packet: Packet) -> bool:
    return packet.port > 0 and packet.kind in (Kind.ECHO, Kind.VXLAN)


def _addressed(word: str, tokens: list[str]) -> Wanted:
    """Read `[src|dst] [host|net] WHAT`."""
    side = word if word in ("src", "dst") else ""
    if side:
        word = tokens.pop(0) if tokens else ""
    kind = word if word in ("host", "net") else "host" if side else ""
    if word == kind:
        word = tokens.pop(0) if tokens else ""
    if not kind:
        raise SyntaxFault
    try:
        network = IPv4Network(word) if kind == "net" else IPv4Network(IPv4Address(word))
    except (AddressValueError, NetmaskValueError, ValueError):
        raise SyntaxFault from None

    def wanted(packet: Packet, is_arp: bool) -> bool:
        target = packet.about if is_arp and packet.about is not None else packet.destination
        return (side != "dst" and packet.source in network) or (side != "src" and target in network)

    return wanted
