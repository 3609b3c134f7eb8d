"""What a host's rules do with a packet: passed, dropped, or perhaps dropped where a rule cannot be judged. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from kthw_routes.netfilter.rules import Chain, Hook, Packet, Rule, Table, Truth, Verdict

_MAX_DEPTH: Final = 16
"""Chains inside of each other; the kernel allows as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Where a packet is dropped.

    Attributes:
        table, chain: where; the chain is the one that has the rule.
        base: the chain with the hook by which it was come to.
        rule: None where the policy of the chain drops what came to its end.
        is_certain: whether the packet is dropped there for sure; else it may be.
    """

    table: Table
    chain: Chain
    base: Chain
    rule: Rule | None
    is_certain: bool

    @property
    def text(self) -> str:
        """The rule as it is listed, or the policy."""
        if self.rule is not None:
            return self.rule.text
        return f"-P {self.chain.name} DROP" if self.table.program == "iptables" else "policy drop"

    @property
    def rejects(self) -> bool:
        """Whether the sender is told."""
        return self.rule is not None and self.rule.verdict is Verdict.REJECT


@dataclass(slots=True)
class _Outcome:
    """What may become of a packet in a chain."""

    accepted: bool = False
    rewriter: Rule | None = None
    """The first rule that gives it, or may give it, another address; None where none does."""
    falls: bool = True
    """Whether it may come to the end of the chain."""
    drops: list[tuple[Chain, Rule]] = field(default_factory=list)

    @property
    def rewritten(self) -> bool:
        return self.rewriter is not None

    def take(self, other: "_Outcome") -> None:
        self.accepted |= other.accepted
        self.rewriter = self.rewriter or other.rewriter
        self.drop(*other.drops)

    def drop(self, *hits: tuple[Chain, Rule]) -> None:
        """Add where it may be dropped; the first and the last such rule are kept."""
        self.drops += hits
        del self.drops[1:-1]


def drops(tables: Iterable[Table], hook: Hook, packet: Packet) -> Hit | None:
    """Return where a packet is, or may be, dropped at a hook; None where it passes. What is certain goes first."""
    possible: Hit | None = None
    for table, chain in _base_chains(tables, hook):
        if chain.is_nat and packet.is_reply:
            continue
        outcome = _walk(_Way(table, packet), chain, 0)
        hits = [(c, r) for c, r in outcome.drops] + ([(chain, None)] if outcome.falls and chain.drops else [])
        if not hits:
            continue
        passes = outcome.accepted or outcome.rewritten or (outcome.falls and not chain.drops)
        where, rule = hits[0] if passes else hits[-1]  # what comes last is not passed over by any packet
        hit = Hit(table=table, chain=where, base=chain, rule=rule, is_certain=not passes)
        if hit.is_certain:
            return hit
        possible = possible or hit
    return possible


def rewrites(tables: Iterable[Table], hook: Hook, packet: Packet) -> Truth:
    """Whether a packet gets another address there, as by masquerading; None where it may."""
    return rewriting(tables, hook, packet)[0]


def rewriting(tables: Iterable[Table], hook: Hook, packet: Packet) -> tuple[Truth, Rule | None]:
    """Return whether a packet gets another address there, None where it may, and the rule that gives it."""
    found: Rule | None = None
    for table, chain in _base_chains(tables, hook):
        outcome = _walk(_Way(table, packet), chain, 0) if chain.is_nat else _Outcome()
        if outcome.rewritten and not (outcome.accepted or outcome.falls or outcome.drops):
            return True, outcome.rewriter
        found = found or outcome.rewriter
    return (None if found is not None else False), found


def _base_chains(tables: Iterable[Table], hook: Hook) -> Iterator[tuple[Table, Chain]]:
    found = [(t, c) for t in tables if t.family in ("ip", "inet") for c in t.chains.values() if c.hook is hook]
    yield from sorted(found, key=lambda item: item[1].priority)


@dataclass(slots=True)
class _Way:
    """One packet's way through a table: what becomes of it in a chain is found out once, however it is come to."""

    table: Table
    packet: Packet
    known: dict[str, _Outcome] = field(default_factory=dict)


def _walk(way: _Way, chain: Chain, depth: int) -> _Outcome:
    if (known := way.known.get(chain.name)) is not None:
        return known
    found = way.known[chain.name] = _Outcome()  # and that of a circle, which no kernel takes
    if depth > _MAX_DEPTH:
        return found
    for rule in chain.rules:
        if (fits := rule.fits(way.packet)) is False:
            continue
        stays, falls = _apply(way, chain, rule, depth, found)
        if fits and not stays:
            found.falls = falls
            return found
    return found


def _apply(way: _Way, chain: Chain, rule: Rule, depth: int, found: _Outcome) -> tuple[bool, bool]:
    """Add what a rule does to a packet that fits it.

    Returns whether the packet may come to the next rule; and if not, whether it may leave the chain as at its end.
    """
    match rule.verdict:
        case Verdict.ACCEPT | Verdict.UNKNOWN:
            found.accepted = True
        case Verdict.REWRITE:
            found.rewriter = found.rewriter or rule
        case Verdict.DROP | Verdict.REJECT:
            found.drop((chain, rule))
        case Verdict.JUMP | Verdict.GOTO:
            target = way.table.chains.get(rule.target or "")
            inner = _walk(way, target, depth + 1) if target is not None else _Outcome()
            found.take(inner)
            return (inner.falls, False) if rule.verdict is Verdict.JUMP else (False, inner.falls)
        case Verdict.RETURN:
            return False, True
        case Verdict.CONTINUE:
            return True, True
    return False, False
