"""The rules of a network namespace's firewall, as iptables (nf_tables) keeps them: filter table, and the CNI's nat.

The rules themselves are kept as iptables prints them. What they do with a packet is worked out from that text.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from typing import Final

from kthw_routes.netfilter import nft
from kthw_routes.netfilter.iptables import parse_tables
from kthw_routes.netfilter.rules import Hook, Packet, Table
from kthw_routes.netfilter.walk import Hit, drops

BASE: Final = ("INPUT", "FORWARD", "OUTPUT")
"""The chains of the filter table that are always there."""
VERSION: Final = "v1.8.7 (nf_tables)"
_NFT: Final = {
    "-s": "ip saddr",
    "-d": "ip daddr",
    "-i": "iifname",
    "-o": "oifname",
    "-p": "ip protocol",
    "--ctstate": "ct state",
}
"""How nft writes a demand."""
_REJECTS: Final = {
    "icmp-port-unreachable": "port-unreachable",
    "icmp-host-prohibited": "host-prohibited",
    "icmp-net-prohibited": "net-prohibited",
    "icmp-admin-prohibited": "admin-prohibited",
    "icmp-host-unreachable": "host-unreachable",
    "icmp-net-unreachable": "net-unreachable",
}
"""What a rule may answer, and how nft writes it."""
REJECT_WITH: Final = tuple(_REJECTS)


class Firewall:
    """The filter table: policies and rules by chain."""

    def __init__(self) -> None:
        self.policies: dict[str, str] = dict.fromkeys(BASE, "ACCEPT")
        self.rules: dict[str, list[str]] = {name: [] for name in BASE}
        """Each without `-A CHAIN `."""
        self.is_made = False
        """Whether anybody has made the table; none is listed before."""
        self.native: dict[tuple[str, str], tuple[str, ...]] = {}
        """The tables that `nft` made, by family and name: the lines inside of each, without white space around them."""
        self._known: tuple[str, tuple[Table, ...]] = ("", ())

    def listing(self, chain: str | None = None) -> Iterator[str]:
        """Yield what `iptables -S` prints."""
        names = [chain] if chain is not None else list(self.rules)
        for name in names:
            yield f"-P {name} {self.policies[name]}" if name in self.policies else f"-N {name}"
        for name in names:
            yield from (f"-A {name} {rule}" for rule in self.rules[name])

    def saved(self, masqueraded: Iterable[IPv4Network], *, counters: bool) -> Iterator[str]:
        """Yield what `iptables-save` prints, but for its comments with the time."""
        prefix = "[0:0] " if counters else ""
        if self.is_made:
            yield "*filter"
            yield from (f":{name} {self.policies.get(name, '-')} [0:0]" for name in self.rules)
            yield from (f"{prefix}-A {name} {rule}" for name, rules in self.rules.items() for rule in rules)
            yield "COMMIT"
        if nat := list(masqueraded):
            yield "*nat"
            yield from (f":{name} ACCEPT [0:0]" for name in ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"))
            yield from (f"{prefix}-A POSTROUTING -s {pods} ! -d {pods} -j MASQUERADE" for pods in nat)
            yield "COMMIT"

    def ruleset(self, masqueraded: Iterable[IPv4Network]) -> Iterator[str]:
        """Yield what `nft list ruleset` prints; chains without rules that drop nothing are left out, as by iptables."""
        for family, name in self.native:
            yield from self.native_table(family, name)
        if self.is_made:
            yield "table ip filter {"
            for name, rules in self.rules.items():
                yield f"\tchain {name} {{"
                if name in self.policies:
                    policy = self.policies[name].lower()
                    yield f"\t\ttype filter hook {name.lower()} priority filter; policy {policy};"
                yield from (f"\t\t{_as_nft(rule)}" for rule in rules)
                yield "\t}"
            yield "}"
        if nat := list(masqueraded):
            yield "table ip nat {"
            yield "\tchain POSTROUTING {"
            yield "\t\ttype nat hook postrouting priority srcnat; policy accept;"
            yield from (f"\t\tip saddr {p} ip daddr != {p} counter packets 0 bytes 0 masquerade" for p in nat)
            yield "\t}"
            yield "}"

    def native_table(self, family: str, name: str) -> Iterator[str]:
        """Yield what `nft list table` prints."""
        depth = 0
        for line in (f"table {family} {name} {{", *self.native[family, name], "}"):
            depth -= line.startswith("}")
            yield "\t" * depth + line
            depth += line.endswith("{")

    def hit(self, hook: Hook, packet: Packet) -> Hit | None:
        """Return where a packet is dropped or rejected; None where it passes."""
        if not self.is_made and not self.native:
            return None
        saved = "\n".join(self.saved((), counters=False))
        native = "\n".join(line for table in self.native for line in self.native_table(*table))
        if self._known[0] != saved + native:
            self._known = (saved + native, (*nft.parse_tables(native), *parse_tables(saved)))
        hit = drops(self._known[1], hook, packet)
        return hit if hit is not None and hit.is_certain else None


def _as_nft(rule: str) -> str:
    words = rule.split()
    found: list[str] = []
    is_not = False
    verdict = ""
    while words:
        word = words.pop(0)
        if word == "!":
            is_not = True
            continue
        value = words.pop(0) if words else ""
        if word in _NFT:
            shown = f'"{value}"' if word in ("-i", "-o") else value.lower()
            found.append(f"{_NFT[word]} {'!= ' if is_not else ''}{shown}")
        elif word == "-j":
            verdict = value.lower() if value in ("ACCEPT", "DROP", "RETURN", "REJECT") else f"jump {value}"
        elif word == "--reject-with":
            verdict = f"reject with icmp type {_REJECTS[value]}"
        is_not = False
    return " ".join((*found, "counter packets 0 bytes 0", verdict))
