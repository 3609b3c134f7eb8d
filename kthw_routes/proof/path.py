"""What decides on a host, beyond its main table, whether packets of pods pass; read where a pair fails. Values."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.facts import Route
from kthw_routes.iproute2.output import UnreadableOutput, parse_routes
from kthw_routes.netfilter.rules import Table


class Way(StrEnum):
    """Which packet a kernel was asked about."""

    OUT = "out"
    """One of its own pod, to a pod of another worker."""
    IN = "in"
    """One of a pod of another worker, that arrives for its own pod."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a kernel would do with one packet: `ip route get` with its policy rules and its reverse path filter."""

    words: str
    """The answer on one line."""
    is_refused: bool
    """Whether it is an error."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One line of `ip rule` that is not there by default."""

    text: str
    table: str | None = None
    """The table that it leads to; None where it refuses instead."""
    routes: tuple[str, ...] = ()
    """The routes of that table, as printed; of `main` none."""

    def route_for(self, address: IPv4Address | None) -> tuple[str, Route] | None:
        """Return the route of its table that takes packets for an address, as printed and read.

        None where there is none, so that the next rule decides, or where the table could not be read.
        """
        found = []
        for text in self.routes:
            with suppress(UnreadableOutput):
                found += [(text, route) for route in parse_routes(text) if address and address in route.prefix]
        return min(found, key=lambda item: (-item[1].prefix.prefixlen, item[1].metric), default=None)

    def leads_astray(self, address: IPv4Address | None, next_hop: IPv4Address) -> bool:
        """Whether its table is known to send packets for an address elsewhere than to the next hop."""
        return (found := self.route_for(address)) is not None and next_hop not in (
            found[1].gateway,
            *found[1].multipath,
        )

    @property
    def is_of_addresses_only(self) -> bool:
        """Whether it demands nothing of a packet but its addresses."""
        _, _, words = self.text.partition(": ")
        return set(words.split()[::2]) <= {"from", "to", "lookup", "table", "proto"}

    def may_fit(self, source: IPv4Address | None, destination: IPv4Address | None) -> bool:
        """Whether a packet may fit it: by the addresses, if they are known, that it demands."""
        words = self.text.split()
        for option, address in (("from", source), ("to", destination)):
            value = words[words.index(option) + 1] if option in words[:-1] else "all"
            try:
                if value != "all" and address is not None and address not in IPv4Network(value, strict=False):
                    return False
            except ValueError:
                continue
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPath:
    """What was read on one host."""

    policy_rules: tuple[PolicyRule, ...] = ()
    lookups: Mapping[tuple[Way, str], Lookup] = field(default_factory=dict)
    """By the other worker."""
    tables: tuple[Table, ...] = ()
    """The rules of its firewall, whatever made them."""
    unread: tuple[str, ...] = ()
    """The programs whose rules are there, or may be, and could not be read."""
    rp_filter: Mapping[str, int] = field(default_factory=dict)
    """The reverse path filter by interface, and of `all`: the larger one counts."""
    in_device: str | None = None
    """The interface at which packets of other workers arrive."""

    def effective_rp_filter(self, device: str) -> int | None:
        """Return the reverse path filter in force on an interface: 0 off, 1 strict, 2 loose; None if it is unread."""
        found = [self.rp_filter[name] for name in ("all", device) if name in self.rp_filter]
        return max(found) if len(found) == 2 else None
