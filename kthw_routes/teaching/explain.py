"""What a command, a line of the routing table or a finding's code means, word by word. The words are in TOML files."""

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Any, Final

from kthw_routes.cluster import Cluster
from kthw_routes.errors import UsageError

MAX_TEXT: Final = 10_000
"""Characters that are explained at the most."""
MAX_WORDS: Final = 300
"""Words that are explained at the most; the rest is passed over."""
UNKNOWN: Final = "not known here"
"""What is said of a word that no table has."""

_OBJECTS: Final = {
    **dict.fromkeys(("a", "addr", "addres"), "address"),
    **dict.fromkeys(("r", "ro", "rou", "rout"), "route"),
    **dict.fromkeys(("n", "ne", "nei", "neighbor", "neighbour"), "neigh"),
    **dict.fromkeys(("ru", "rul"), "rule"),
    **dict.fromkeys(("l", "li", "lin"), "link"),
}
"""Abbreviations that `ip` takes."""
_VERBS: Final = {"a": "add", "d": "del", "s": "show", "sh": "show", "r": "replace", "g": "get", "l": "list"}
"""Abbreviations of what `ip` does with its objects."""
_LINES: Final = frozenset({"default", "unicast", "blackhole", "unreachable", "prohibit", "throw", "local", "broadcast"})
"""With which a line of `ip route` may begin, beside a prefix."""
_BETWEEN: Final = frozenset({"&&", "||", ";", "|", "&"})
"""What the shell has between two commands."""
_KINDS: Final = {"NUMBER": re.compile(r"\d+"), "PATH": re.compile(r"/.*", re.DOTALL)}


@dataclass(frozen=True, slots=True)
class Word:
    """A word of what is explained, or a few that belong together."""

    text: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What something means."""

    says: str
    """What it is as a whole, in sentences; empty where its words say it."""
    words: tuple[Word, ...] = ()
    without: str = ""
    """What is missing without it, as a clause; empty where nothing is."""


def explain(text: str, cluster: Cluster | None = None) -> Explanation:
    """Explain a command, a line of `ip route` or of `ip -batch`, or the code of a finding.

    Args:
        text: the thing, as it is typed or printed; a prompt before it is passed over.
        cluster: whose addresses are called by their nodes' names.

    Raises UsageError where there is nothing to explain in it, with what can be explained.
    """
    plain = text[:MAX_TEXT].strip().removeprefix("$ ").removeprefix("# ").strip()
    if plain in finding_codes():
        return Explanation(says=_findings()[plain])
    tokens = _split(plain)[:MAX_WORDS]
    if not tokens:
        raise _nothing(text)
    says, given = "", 0
    if _is_line(tokens[0]):
        says, given = "A line of the routing table: packets for the destination leave in this way.", 2
        tokens = ["ip", "route", *tokens]
    elif tokens[0] not in _tables() and f"ip {_OBJECTS.get(tokens[0], tokens[0])}" in _tables():
        given = 1
        tokens = ["ip", *tokens]
    elif tokens[0] not in _tables() and f"bridge {tokens[0]}" in _tables():
        given = 1
        tokens = ["bridge", *tokens]
    if tokens[0] not in _tables():
        raise _nothing(text)
    reader = _Reader(cluster)
    words = tuple(reader.read(tokens))[given:]
    verb = reader.chain if given < 2 else "ip route add" if "via" in tokens else ""
    return Explanation(says=says, words=words, without=reader.fill(_tables().get(verb, _Table()).without))


def finding_codes() -> tuple[str, ...]:
    """Return the codes of findings that are explained."""
    return tuple(_findings())


class _Reader:
    """Reads the words of one command line."""

    def __init__(self, cluster: Cluster | None) -> None:
        self.chain = ""
        """The table that fits best: a program, with words that say what it does."""
        self._owners: Final = _owners(cluster)
        self._destination = ""

    def read(self, tokens: Sequence[str]) -> Iterator[Word]:
        """Yield the words of a command, of those that it runs, and of those that follow it."""
        self.chain = tokens[0]
        table = _tables().get(tokens[0], _Table(says=UNKNOWN))
        yield Word(tokens[0], table.says)
        place = 1
        while place < len(tokens):
            token = tokens[place]
            if token in _BETWEEN and place + 1 < len(tokens):
                yield Word(token, _SHELL[token])
                yield from self.read(tokens[place + 1 :])
                return
            if self.chain.count(" ") == 1 and tokens[place - 1] != "dev":
                token = _VERBS.get(token, token)
            deeper = f"{self.chain} {_OBJECTS.get(token, token) if self.chain == 'ip' else token}"
            if deeper in _tables():
                self.chain = deeper
                if says := _tables()[deeper].says:
                    yield Word(token, says)
                    place += 1
                    continue
            found = self._longest([token, *tokens[place + 1 :]])
            if found is None:
                yield Word(token, self._owners.get(token, UNKNOWN))
                place += 1
                continue
            count, pattern, meaning = found
            rest = tokens[place + count :]
            if pattern[-1] == "...":
                if count:
                    yield self._word(tokens[place : place + count], pattern, meaning)
                yield from self.read(_split(rest[0])[:MAX_WORDS] or rest if len(rest) == 1 else rest)
                return
            yield self._word(tokens[place : place + count], pattern, meaning)
            place += count

    def fill(self, without: str) -> str:
        """Return the clause with the destination that was read; nothing where it needs one and there is none."""
        return (
            ""
            if "{destination}" in without and not self._destination
            else without.format(destination=self._destination)
        )

    def _longest(self, tokens: Sequence[str]) -> tuple[int, Sequence[str], str] | None:
        """Return how many words the best pattern takes, the pattern, its meaning. Exact words count before others."""
        best: tuple[tuple[int, int], int, Sequence[str], str] | None = None
        names = self.chain.split(" ")
        for depth in range(len(names), 0, -1):
            for pattern, meaning in _tables().get(" ".join(names[:depth]), _Table()).words:
                taken = _matches(pattern, tokens)
                if taken is not None:
                    rank = (taken, sum(word in tokens[:taken] for word in pattern))
                    if best is None or rank > best[0]:
                        best = rank, taken, pattern, meaning
        return best[1:] if best is not None else None

    def _word(self, tokens: Sequence[str], pattern: Sequence[str], meaning: str) -> Word:
        value = next((_value(word, token) for word, token in zip(pattern, tokens, strict=False) if word != token), "")
        if pattern[0] in ("PREFIX", "ADDRESS") and not self._destination:
            self._destination = tokens[0]
        if owner := self._owners.get(value):
            meaning = f"{meaning} ({owner})"
        return Word(" ".join(tokens), meaning.replace("{value}", value).replace("{span}", _span(value)))


@dataclass(frozen=True, slots=True)
class _Table:
    says: str = ""
    words: tuple[tuple[tuple[str, ...], str], ...] = ()
    without: str = ""


@cache
def _tables() -> Mapping[str, _Table]:
    return {
        name: _Table(
            says=table.get("says", ""),
            words=tuple((tuple(words.split(" ")), meaning) for words, meaning in table.get("words", {}).items()),
            without=table.get("without", ""),
        )
        for name, table in _read("commands").items()
    }


@cache
def _findings() -> Mapping[str, str]:
    return {code: " ".join(text.split()) for code, text in _read("findings").items()}


def _read(name: str) -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


_SHELL: Final = {
    "&&": "and, if that went well:",
    "||": "or, if that failed:",
    ";": "then, however that went:",
    "|": "what it prints is read by:",
    "&": "goes on in the background; meanwhile:",
}


def _split(text: str) -> list[str]:
    """Return the words as the shell reads them, or where a quote is open, as they are."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _matches(pattern: Sequence[str], tokens: Sequence[str]) -> int | None:
    """Return how many words a pattern takes of the beginning; None where it does not fit."""
    words = pattern[:-1] if pattern[-1] == "..." else pattern
    if len(tokens) < len(pattern):
        return None
    return len(words) if all(_fits(word, token) for word, token in zip(words, tokens, strict=False)) else None


def _fits(word: str, token: str) -> bool:
    before, equals, placeholder = word.rpartition("=")
    if equals and placeholder.isupper():
        return token.startswith(f"{before}=")
    if token == word:
        return True
    if not word.isupper() or word.startswith("-"):
        return False
    if word == "PREFIX":
        return "/" in token and _network(token) is not None
    if word == "ADDRESS":
        return "/" not in token and _network(token) is not None
    kind = _KINDS.get(word)
    return kind.fullmatch(token) is not None if kind else token.lstrip("-") == token or len(token) == 1


def _value(word: str, token: str) -> str:
    return token[word.rindex("=") + 1 :] if "=" in word else token


def _network(text: str) -> IPv4Network | None:
    try:
        return IPv4Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        return None


def _is_line(token: str) -> bool:
    return token in _LINES or _network(token) is not None


def _span(text: str) -> str:
    network = _network(text)
    if network is None:
        return text
    count = network.num_addresses
    return f"{network[0]} to {network[-1]}, {count} addresses" if count > 1 else f"the address {network[0]} alone"


def _owners(cluster: Cluster | None) -> Mapping[str, str]:
    """Return what addresses and prefixes are in this cluster."""
    owners: dict[str, str] = {}
    for node in cluster if cluster is not None else ():
        for address in node.addresses:
            owners[str(address.ip)] = f"an address of {node.name}"
        if isinstance(node.internal, IPv4Address):
            owners[str(node.internal)] = f"{node.name}'s internal address"
        if node.pod_cidr is not None:
            owners[str(node.pod_cidr)] = f"{node.name}'s pod CIDR"
    return owners


def _nothing(text: str) -> UsageError:
    known = sorted({name.split(" ")[0] for name in _tables()})
    return UsageError(
        f"There is nothing to explain in {shlex.quote(text[:100])}.",
        "Give a command as it is typed (ip route add 10.200.1.0/24 via 192.168.8.21), a line as `ip route` prints it, "
        f"or the code of a finding.\nPrograms: {', '.join(known)}.\nFindings: {', '.join(sorted(finding_codes()))}.",
    )
