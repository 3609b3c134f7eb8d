"""What `nft list ruleset` prints, as tables. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.netfilter.rules import (
    AddressRange,
    Chain,
    Hook,
    Match,
    Packet,
    Rule,
    Table,
    Truth,
    Verdict,
    address_in,
    icmp_type_in,
    interface_in,
    is_for_host,
    mark_is,
    negated,
    never,
    protocol_in,
    state_in,
    tcp_only,
    udp_to,
    unknown,
)
from kthw_routes.sanitize import clean_value

_TABLE: Final = re.compile(r"table (ip|ip6|inet|arp|bridge|netdev) (\S{1,64}) \{")
_CHAIN: Final = re.compile(r"chain (\S{1,128}) \{")
_BASE: Final = re.compile(
    r"type (\w+) hook (\w+)(?: devices? .*?)? priority ([a-z]+)? ?(?:([+-]?) ?([0-9]{1,10}))?;(?: policy (\w+);)?"
)
_BLOCK: Final = re.compile(r"[a-z]+ .*\{")
_PRIORITY: Final = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
_TOKEN: Final = re.compile(r'"[^"]*"|\{[^{}]*\}|[^\s{}"]+')
_MAX_JOINED: Final = 64 * 1024
"""Characters of a rule that goes over several lines."""
_PORT_DIGITS: Final = 5
_VERDICTS: Final = {
    "accept": Verdict.ACCEPT,
    "drop": Verdict.DROP,
    "reject": Verdict.REJECT,
    "return": Verdict.RETURN,
    "continue": Verdict.CONTINUE,
    "queue": Verdict.UNKNOWN,
    "masquerade": Verdict.REWRITE,
    "snat": Verdict.REWRITE,
    "dnat": Verdict.REWRITE,
    "redirect": Verdict.REWRITE,
}
_OTHER_PROTOCOLS: Final = frozenset({"tcp", "udplite", "sctp", "dccp", "ah", "esp", "ip6", "icmpv6", "arp", "igmp"})


def parse_tables(text: str) -> tuple[Table, ...]:
    """Parse what `nft` printed; what is not understood of a rule is a demand of which nothing is known."""
    found: list[Table] = []
    chain: _OpenChain | None = None
    skipped = 0
    for line in _lines(text):
        if skipped:  # a set, a map, a flow table: none has rules
            skipped += line.count("{") - line.count("}")
        elif (match := _TABLE.fullmatch(line)) is not None:
            found.append(Table(program="nft", family=match[1], name=match[2], chains={}))
        elif not found:
            continue
        elif (match := _CHAIN.fullmatch(line)) is not None:
            chain = _OpenChain(match[1])
        elif chain is None and line.endswith("{") and _BLOCK.fullmatch(line):
            skipped = 1
        elif line == "}":
            if chain is not None:
                found[-1].chains[chain.name] = chain.close()
            chain = None
        elif chain is not None:
            chain.take(line)
    return tuple(found)


def _lines(text: str) -> Iterator[str]:
    """Yield lines without white space around them; one whose braces are open inside of a rule with the next."""
    parts: list[str] = []
    size = opened = 0
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        parts.append(line)
        size += len(line) + 1
        opened += line.count("{") - line.count("}")
        if opened > 0 and not line.endswith("{") and size < _MAX_JOINED:
            continue
        yield " ".join(parts)
        parts.clear()
        size = opened = 0


@dataclass(slots=True)
class _OpenChain:
    """A chain whose end has not come yet."""

    name: str
    base: re.Match[str] | None = None
    rules: list[Rule] = field(default_factory=list)

    def take(self, line: str) -> None:
        if line.startswith("type ") and (base := _BASE.match(line)) is not None:
            self.base = base
        elif not line.startswith(("comment ", "policy ")):
            self.rules.append(_rule(line))

    def close(self) -> Chain:
        base = self.base
        hook = Hook(base[2]) if base is not None and base[2] in list(Hook) else None
        number = int(f"{base[4] or ''}{base[5] or 0}") if base is not None else 0
        return Chain(
            name=self.name,
            rules=tuple(self.rules),
            hook=hook,
            priority=number + _PRIORITY.get(base[3] or "", 0) if base is not None else 0,
            drops=base is not None and base[6] == "drop",
            is_nat=base is not None and base[1] == "nat",
        )


class _Tokens:
    """The words of a rule; a set in braces is one, as is a text in quotes."""

    def __init__(self, line: str) -> None:
        self._words = _TOKEN.findall(line)
        self._place = 0

    def peek(self, ahead: int = 0) -> str:
        place = self._place + ahead
        return self._words[place] if place < len(self._words) else ""

    def take(self) -> str:
        word = self.peek()
        self._place += 1
        return word

    @property
    def more(self) -> bool:
        return self._place < len(self._words)


def _rule(line: str) -> Rule:
    tokens = _Tokens(line)
    matches: list[Match] = []
    verdict, target, packets = Verdict.CONTINUE, None, None
    while tokens.more:
        word = tokens.take()
        if word in _VERDICTS:
            verdict = _VERDICTS[word]
            break
        if word in ("jump", "goto"):
            verdict, target = Verdict(word), tokens.take()
            break
        if word == "counter":
            packets = _counted(tokens)
        elif word == "comment":
            tokens.take()
        elif word == "log":
            _skip_log(tokens)
        elif word == "xt" and tokens.peek() == "target":
            tokens.take()
            verdict = _VERDICTS.get(tokens.take().strip('"').lower(), Verdict.CONTINUE)
            break
        elif word == "vmap":
            matches.append(unknown)
            verdict = Verdict.UNKNOWN
            break
        else:
            matches.append(_match(word, tokens))
    return Rule(text=clean_value(line), matches=tuple(matches), verdict=verdict, target=target, packets=packets)


def _counted(tokens: _Tokens) -> int | None:
    """Take the numbers of a counter. Returns the packets; None where it has a name instead."""
    if tokens.peek() != "packets":
        return None
    tokens.take()
    number = tokens.take()
    if tokens.peek() == "bytes":
        tokens.take()
        tokens.take()
    return int(number) if number.isdecimal() and len(number) < 20 else None


def _skip_log(tokens: _Tokens) -> None:
    while tokens.peek() in ("prefix", "level", "group", "flags", "snaplen", "queue-threshold"):
        tokens.take()
        tokens.take()


def _match(word: str, tokens: _Tokens) -> Match:
    """Take one demand; what is not understood takes the words up to the next that is."""
    if word in ("meta", "ct") and (found := _statement_or(tokens)) is not None:
        return found
    if word == "meta":
        word = tokens.take()
    if word in ("iifname", "oifname", "iif", "oif"):
        is_not, values = _operand(tokens)
        names = tuple(value.strip('"') for value in values)
        return negated(interface_in(names, incoming=word.startswith("i")), when=is_not)
    if word in ("l4proto", "nfproto", "protocol"):
        is_not, values = _operand(tokens)
        if word == "l4proto":
            return negated(protocol_in(frozenset(values)), when=is_not)
        return negated(_always if {"ipv4", "ip"} & set(values) else never, when=is_not)
    if word == "ip":
        return _ip(tokens)
    if word == "icmp" and tokens.peek() == "type":
        tokens.take()
        is_not, values = _operand(tokens)
        return negated(icmp_type_in(frozenset(values)), when=is_not)
    if word == "ct":
        return _ct(tokens)
    if word == "udp":
        what = tokens.take()
        is_not, values = _operand(tokens)
        is_plain = what == "dport" and all(value.isdecimal() and len(value) <= _PORT_DIGITS for value in values)
        return udp_to(frozenset(map(int, values)) if is_plain else None, is_not=is_not)
    if word in _OTHER_PROTOCOLS:
        tokens.take()
        _operand(tokens)
        return tcp_only if word == "tcp" else never
    if word == "mark":
        return _mark(tokens)
    if word == "fib" and (tokens.peek(), tokens.peek(1), tokens.peek(2)) == ("daddr", "type", "local"):
        for _ in range(3):
            tokens.take()
        return is_for_host
    return unknown


def _statement_or(tokens: _Tokens) -> Match | None:
    """Take a statement that marks a packet, which demands nothing; None where it is a demand."""
    if tokens.peek(1) != "set":
        return None
    for _ in range(3):
        tokens.take()
    return _always


def _always(_packet: Packet) -> Truth:
    return True


def _ct(tokens: _Tokens) -> Match:
    what = tokens.take()
    is_not, values = _operand(tokens)
    if what == "state":
        return negated(never if set(values) == {"invalid"} else state_in(frozenset(values)), when=is_not)
    if what == "status" and set(values) <= {"dnat", "snat"}:
        return negated(never, when=is_not)  # nobody sends a pod's packet elsewhere than to that pod
    return unknown


def _mark(tokens: _Tokens) -> Match:
    """Take `0x1`, `!= 0x1` or `& 0x4000 == 0x4000`."""
    mask = 0xFFFFFFFF
    try:
        if tokens.peek() == "&":
            tokens.take()
            mask = int(tokens.take(), 0)
        is_not, values = _operand(tokens)
        (value,) = values
        return negated(mark_is(int(value, 0), mask), when=is_not)
    except ValueError:
        return unknown


def _ip(tokens: _Tokens) -> Match:
    what = tokens.take()
    is_not, values = _operand(tokens)
    if what == "protocol":
        return negated(protocol_in(frozenset(values)), when=is_not)
    if what not in ("saddr", "daddr"):
        return unknown
    networks: list[IPv4Network | AddressRange] = []
    try:
        for value in values:
            first, is_range, last = value.partition("-")
            if is_range:
                networks.append(AddressRange(IPv4Address(first), IPv4Address(last)))
            else:
                networks.append(IPv4Network(value, strict=False))
    except ValueError:
        return unknown  # a named set, or a part of an address
    return negated(address_in(tuple(networks), of_source=what == "saddr"), when=is_not)


def _operand(tokens: _Tokens) -> tuple[bool, list[str]]:
    """Take what a value is compared with: whether it is to differ, and the values, of which any will do."""
    is_not = tokens.peek() == "!="
    if tokens.peek() in ("!=", "=="):
        tokens.take()
    word = tokens.take()
    if word in ("&", "|", "<", ">", "<=", ">="):
        return is_not, [f"{word} {tokens.take()}"]
    values = word.strip("{} ").replace(",", " ").split() if word.startswith("{") else word.split(",")
    while word.endswith(",") and tokens.more:
        word = tokens.take()
        values += word.split(",")
    return is_not, [value for value in values if value]
