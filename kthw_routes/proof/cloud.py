"""Firewalls of the provider in front of a node (Linode's Cloud Firewall), as its API describes them. Pure.

The first rule that fits a packet decides, else the policy. Answers to what was accepted pass: it is stateful.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from ipaddress import IPv4Address, IPv4Network
from typing import Final


class Way(StrEnum):
    """The direction of a packet, seen from the node."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRule:
    """One rule."""

    accepts: bool
    protocol: str
    """`TCP`, `UDP`, `ICMP` or `IPENCAP`."""
    ports: str = ""
    """Such as `22, 8000-8080`; empty for all."""
    networks: tuple[IPv4Network, ...] = ()
    """Of the other end."""
    is_whole: bool = True
    """Whether all addresses that it is about are among these: it may name lists that are kept elsewhere."""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudFirewall:
    """A firewall that is enabled. Each way has its rules, and what becomes of packets that no rule fits."""

    label: str
    rules: dict[Way, tuple[CloudRule, ...]]
    accepts: dict[Way, bool]


class Verdict(Enum):
    """What becomes of a packet."""

    PASSES = auto()
    UNSURE = auto()
    DROPPED = auto()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the firewalls of a node do with a packet, and which of them, and why."""

    verdict: Verdict
    words: str = ""
    """`the Cloud Firewall "k8s" of worker-1: no inbound rule accepts ICMP from 10.200.0.2`; empty where it passes."""


def judge(
    node: str,
    firewalls: Iterable[CloudFirewall],
    way: Way,
    other: IPv4Address,
    *,
    protocol: str = "ICMP",
    port: int = 0,
) -> Judgement:
    """Judge a packet between a node and the address `other`, of which all firewalls of the node must accept it."""
    unsure = Judgement(Verdict.PASSES)
    for firewall in firewalls:
        found = _judge(node, firewall, way, other, protocol, port)
        if found.verdict is Verdict.DROPPED:
            return found
        if found.verdict is Verdict.UNSURE:
            unsure = found
    return unsure


_TOWARDS: Final = {Way.INBOUND: "from", Way.OUTBOUND: "to"}


def _judge(node: str, firewall: CloudFirewall, way: Way, other: IPv4Address, protocol: str, port: int) -> Judgement:
    packet = f"{protocol}{f' port {port}' if port else ''} {_TOWARDS[way]} {other}"
    name = f'the Cloud Firewall "{firewall.label}" of {node}'
    unsure = ""
    for rule in firewall.rules[way]:
        if rule.protocol != protocol or not _has_port(rule.ports, port):
            continue
        if any(other in network for network in rule.networks):
            if rule.accepts:
                break
            words = f'{name}: its {way} rule "{rule.label}" drops {packet}'
            return Judgement(Verdict.UNSURE if unsure else Verdict.DROPPED, unsure or words)
        if not rule.is_whole:
            unsure = unsure or f'{name}: whether its {way} rule "{rule.label}" is about {other} is not known'
    else:
        if not firewall.accepts[way]:
            words = f"{name}: no {way} rule accepts {packet}"
            return Judgement(Verdict.UNSURE if unsure else Verdict.DROPPED, unsure or words)
    return Judgement(Verdict.UNSURE, unsure) if unsure else Judgement(Verdict.PASSES)


def _has_port(ports: str, port: int) -> bool:
    """Whether a rule about these ports is about this one; what has no ports fits every rule."""
    if not ports or not port:
        return True
    for part in ports.split(","):
        low, _, high = part.strip().partition("-")
        if low.isdecimal() and (high or low).isdecimal() and int(low) <= port <= int(high or low):
            return True
    return False
