"""Other names and addresses in place of the real ones: the same for the same, and related as the real ones are. Pure.

Addresses keep their relations: which lie in which network, which pod CIDR comes first, how long a prefix is. So routes
and next hops decide as before. None of the new ones is one of the old.
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from random import Random
from string import ascii_lowercase
from typing import Final

_ADDRESS: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?(?![\d.])")
_COMMON_DEVICES: Final = re.compile(r"all|default|lo|cnio0|cni0|docker0|kthw-routes0|(?:eth|ens)\d{1,2}")
"""Names of interfaces that tell nothing of whose they are."""
_SIGNS: Final = frozenset("!-=<>;{}")
_COMMON: Final = """
from to all iif oif lookup main local via dev src not prohibit unreachable blackhole throw priority table ip ip6 saddr
daddr masquerade snat counter packets bytes accept drop reject return oifname iifname -A -s -d -i -o -j -m --comment
POSTROUTING MASQUERADE SNAT ACCEPT RETURN comment From Destination Host Net Port Protocol Unreachable Prohibited Time to
live exceeded Frag needed and DF set RTNETLINK answers: Network is No route host FAILED INCOMPLETE STALE DELAY PROBE
REACHABLE PERMANENT
"""
_COMMON_WORDS: Final = frozenset(_COMMON.split())
"""Words of `ip`, iptables, nft and ping; any other word of theirs may be the person's own."""
HIDDEN: Final = "…"
"""What is in place of any other word."""


class Pseudonyms:
    """The new names and addresses of one report."""

    def __init__(self, text: str, random: Random) -> None:
        """Take the whole `text` of a report, with all of its addresses, and where the new ones come from."""
        self._random = random
        self._flips: dict[tuple[int, int], bool] = {}
        self._names: dict[str, str] = {}
        self._devices: dict[str, str] = {}
        self._used: dict[str, int] = {}
        self._real_names: frozenset[str] = frozenset(re.findall(r"[\w.-]+", text))
        self._prefixes: set[tuple[int, int]] = set()
        for found in set(_ADDRESS.findall(text)):
            try:
                address = IPv4Interface(found)
            except ValueError:
                continue
            self._add(int(address.ip), 32)
            self._add(int(address.network.network_address), address.network.prefixlen)

    def _add(self, bits: int, length: int) -> None:
        self._prefixes |= {(depth, bits >> (32 - depth)) for depth in range(1, length + 1)}

    def _mapped(self, bits: int, length: int) -> int:
        """Turn bits where no real address has the other value: so order and common prefixes stay.

        The first such bit is turned always: no real address begins like that.
        """
        new, has_turned = 0, False
        for depth in range(length):
            before, bit = bits >> (32 - depth), bits >> (31 - depth) & 1
            turns = False
            if (depth + 1, before << 1 | 1 - bit) not in self._prefixes:
                turns = self._flips.setdefault((depth, before), not has_turned or self._random.random() < 0.5)
                has_turned = True
            new = new << 1 | (bit ^ turns)
        return new << (32 - length)

    def address(self, text: str) -> str:
        """Return another address."""
        return str(IPv4Address(self._mapped(int(IPv4Address(text)), 32)))

    def network(self, text: str) -> str:
        """Return another network, its prefix as long."""
        network = IPv4Network(text)
        return f"{IPv4Address(self._mapped(int(network.network_address), network.prefixlen))}/{network.prefixlen}"

    def interface(self, text: str) -> str:
        """Return another address with its prefix length."""
        address, _, length = text.partition("/")
        return f"{self.address(address)}/{length}"

    def name(self, text: str, kind: str = "name") -> str:
        """Return another name, such as `worker-a`: of the kind of thing that it names, as it was first seen."""
        return self._pick(self._names, text, kind)

    def device(self, text: str) -> str:
        """Return another name of an interface; a common one stays."""
        return text if _COMMON_DEVICES.fullmatch(text) else self._pick(self._devices, text, "if")

    def _pick(self, known: dict[str, str], text: str, kind: str) -> str:
        while text not in known:
            number = self._used[kind] = self._used.get(kind, -1) + 1
            if (new := f"{kind}-{_letters(number)}") not in self._real_names:
                known[text] = new
        return known[text]

    def words(self, text: str) -> str:
        """Return what a program printed, with other names and addresses, and without any word that is not known."""
        found = [self._word(word) for word in text.split()]
        return " ".join(word for n, word in enumerate(found) if word != HIDDEN or found[n - 1 : n] != [HIDDEN])

    def _word(self, word: str) -> str:
        if word in _COMMON_WORDS or set(word) <= _SIGNS:
            return word
        if word in self._names:
            return self._names[word]
        if word in self._devices:
            return self._devices[word]
        try:
            return self.network(word) if "/" in word else self.address(word)
        except ValueError:
            return HIDDEN


def _letters(number: int) -> str:
    """Return a, b, …, z, aa, ab, …"""
    letters = ""
    while number >= 0:
        number, place = divmod(number, len(ascii_lowercase))
        letters = ascii_lowercase[place] + letters
        number -= 1
    return letters


def maybe(convert: Callable[[str], str], text: str | None) -> str | None:
    """Return what takes the place of a text; None where there is none."""
    return convert(text) if text is not None else None


def kept(word: str, known: Iterable[str], otherwise: str) -> str:
    """Return a word if it is one of the known ones."""
    return word if word in frozenset(known) else otherwise
