"""What `iptables-save -c` prints, as tables. Pure."""

import re
import shlex
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from typing import Final

from kthw_routes.netfilter.rules import (
    Chain,
    Hook,
    Match,
    Rule,
    Table,
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
    unknown,
)
from kthw_routes.sanitize import clean_value

_CHAIN: Final = re.compile(r":(\S{1,64}) (ACCEPT|DROP|-)(?: \[[0-9]+:[0-9]+\])?")
_RULE: Final = re.compile(r"(?:\[([0-9]{1,20}):[0-9]{1,20}\] )?(-A (\S{1,64}) ?(.*))")
_MAX_RULE: Final = 8 * 1024
"""Characters of a rule that is read; the kernel takes a comment of 256."""
_PRIORITY: Final = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
_VERDICTS: Final = {
    "ACCEPT": Verdict.ACCEPT,
    "DROP": Verdict.DROP,
    "REJECT": Verdict.REJECT,
    "RETURN": Verdict.RETURN,
    "QUEUE": Verdict.UNKNOWN,
    "NFQUEUE": Verdict.UNKNOWN,
    "MASQUERADE": Verdict.REWRITE,
    "SNAT": Verdict.REWRITE,
    "NETMAP": Verdict.REWRITE,
    "DNAT": Verdict.REWRITE,
    "REDIRECT": Verdict.REWRITE,
}
"""What ends the way of a packet; any other target that is no chain lets it go on."""
_NO_DEMANDS: Final = frozenset({"-m", "--match", "--comment", "--reject-with", "-c", "--set-counters"})
"""Options with a value that demand nothing."""
_OF_TARGETS: Final = (
    "--log-",
    "--nflog-",
    "--set-",
    "--to-",
    "--random",
    "--clamp-",
    "--save-",
    "--restore-",
    "--zone",
)
"""How the options of targets begin, which demand nothing."""


def parse_tables(text: str) -> tuple[Table, ...]:
    """Parse what `iptables-save` printed; what is not understood of a rule is a demand of which nothing is known."""
    found: list[Table] = []
    policies: dict[str, str] = {}
    rules: dict[str, list[Rule]] = {}
    name: str | None = None
    for line in text.splitlines():
        if line.startswith("*"):
            name, policies, rules = line[1:].strip(), {}, {}
        elif (match := _CHAIN.fullmatch(line.strip())) is not None:
            policies[match[1]] = match[2]
            rules.setdefault(match[1], [])
        elif (match := _RULE.fullmatch(line)) is not None:
            rules.setdefault(match[3], []).append(_rule(match[2], match[4], int(match[1]) if match[1] else None))
        elif line.strip() == "COMMIT" and name is not None:
            found.append(_table(name, policies, rules))
            name = None
    return tuple(found)


def _table(name: str, policies: dict[str, str], rules: dict[str, list[Rule]]) -> Table:
    chains: dict[str, Chain] = {}
    for chain, its in rules.items():
        is_base = policies.get(chain, "-") != "-" and chain.lower() in list(Hook)
        chains[chain] = Chain(
            name=chain,
            rules=tuple(_jumps(rule, rules) for rule in its),
            hook=Hook(chain.lower()) if is_base else None,
            priority=_priority(name, chain),
            drops=policies.get(chain) == "DROP",
            is_nat=name == "nat",
        )
    return Table(program="iptables", family="ip", name=name, chains=chains)


def _priority(table: str, chain: str) -> int:
    return 100 if table == "nat" and chain in ("POSTROUTING", "INPUT") else _PRIORITY.get(table, 0)


def _jumps(rule: Rule, chains: dict[str, list[Rule]]) -> Rule:
    """Return a rule with a target that is no chain as one that lets packets go on."""
    if rule.verdict is Verdict.JUMP and rule.target not in chains:
        return Rule(text=rule.text, matches=rule.matches, packets=rule.packets)
    return rule


def _rule(text: str, words: str, packets: int | None) -> Rule:
    shown = clean_value(text)
    try:
        tokens = shlex.split(words) if len(words) <= _MAX_RULE else None
    except ValueError:
        tokens = None
    if tokens is None:
        return Rule(text=shown, matches=(unknown,), verdict=Verdict.UNKNOWN, packets=packets)
    matches: list[Match] = []
    verdict, target = Verdict.CONTINUE, None
    for is_not, option, value in _options(tokens):
        if option in ("-j", "--jump", "-g", "--goto"):
            target = value
            jump = Verdict.JUMP if option in ("-j", "--jump") else Verdict.GOTO
            verdict = _VERDICTS.get(value, jump)
        elif option not in _NO_DEMANDS and not option.startswith(_OF_TARGETS):
            matches.append(negated(_match(option, value), when=is_not))
    return Rule(text=shown, matches=tuple(matches), verdict=verdict, target=target, packets=packets)


def _options(tokens: list[str]) -> Iterator[tuple[bool, str, str]]:
    """Yield the options: whether `!` precedes, the option, its value (empty for none)."""
    is_not, place = False, 0
    while place < len(tokens):
        option, place = tokens[place], place + 1
        if option == "!":
            is_not = True
            continue
        values = []
        while place < len(tokens) and not tokens[place].startswith("-") and tokens[place] != "!":
            values.append(tokens[place])
            place += 1
        yield is_not, option, " ".join(values)
        is_not = False


def _match(option: str, value: str) -> Match:
    make = _MATCHES.get(option)
    try:
        return make(value) if make is not None else unknown
    except ValueError:
        return unknown


def _networks(value: str) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network(word, strict=False) for word in value.split(","))


def _words(value: str) -> frozenset[str]:
    return frozenset(value.replace(",", " ").split())


def _interface(value: str) -> tuple[str, ...]:
    return (f"{value[:-1]}*" if value.endswith("+") else value,)


def _states(value: str) -> Match:
    names = _words(value)
    return never if names == {"INVALID"} else state_in(names)


def _mark(value: str) -> Match:
    number, _, mask = value.partition("/")
    return mark_is(int(number, 0), int(mask, 0) if mask else 0xFFFFFFFF)


def _destination_type(value: str) -> Match:
    return is_for_host if value == "LOCAL" else unknown


_MATCHES: Final[dict[str, Callable[[str], Match]]] = {
    "-s": lambda value: address_in(_networks(value), of_source=True),
    "-d": lambda value: address_in(_networks(value), of_source=False),
    "-i": lambda value: interface_in(_interface(value), incoming=True),
    "-o": lambda value: interface_in(_interface(value), incoming=False),
    "-p": lambda value: protocol_in(_words(value)),
    "--icmp-type": lambda value: icmp_type_in(_words(value)),
    "--ctstate": _states,
    "--state": _states,
    "--mark": _mark,
    "--dst-type": _destination_type,
}
