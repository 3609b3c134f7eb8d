"""What was answered to a ping, by whom: the words of `ping` as a value. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address
from typing import Final

_FROM: Final = re.compile(r"From ([0-9.]{7,15}):? icmp_seq=[0-9]+ (?:Destination )?(.+)")


class AnswerKind(StrEnum):
    """What an answer means, whoever gave it."""

    REJECTED = "rejected"
    """By a rule that says no: a firewall's, or a route of type `prohibit`."""
    NO_NEIGHBOUR = "no neighbour"
    """Whoever answers gets no answer itself from the next one on its link."""
    NO_ROUTE = "no route"
    """Whoever answers has no route to it."""
    EXPIRED = "expired"
    """The packet passed through too many nodes: it went round in circles."""
    TOO_BIG = "too big"
    """The packet does not fit whole into the next link."""
    REFUSED = "refused"
    """The sender's own kernel would not send it."""
    FILTERED = "filtered"
    """The sender's own firewall did not let it out."""


_KINDS: Final = (
    ("Prohibited", AnswerKind.REJECTED),
    ("Packet filtered", AnswerKind.REJECTED),
    ("Port Unreachable", AnswerKind.REJECTED),
    ("Protocol Unreachable", AnswerKind.REJECTED),
    ("Precedence", AnswerKind.REJECTED),
    ("Net Unreachable", AnswerKind.NO_ROUTE),
    ("Host Unreachable", AnswerKind.NO_NEIGHBOUR),
    ("Time to live exceeded", AnswerKind.EXPIRED),
    ("Frag needed", AnswerKind.TOO_BIG),
)
"""What ping prints of an ICMP error, and what it means: the words of iputils."""
_OWN_KINDS: Final = (
    ("host unreachable", AnswerKind.NO_NEIGHBOUR),
    ("not permitted", AnswerKind.FILTERED),
    ("message too long", AnswerKind.TOO_BIG),
    ("network is unreachable", AnswerKind.REFUSED),
    ("no route to host", AnswerKind.REFUSED),
    ("invalid argument", AnswerKind.REFUSED),
    ("permission denied", AnswerKind.REFUSED),
    ("ping broadcast", AnswerKind.REFUSED),
)
"""What the sender's own kernel says, in lower case."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answered who is not the one that was asked."""

    kind: AnswerKind
    words: str
    """Such as `Host Prohibited`; the whole of it where the sender's own kernel says it."""
    by: IPv4Address | None = None
    """Who said it; None where the sender's own kernel did."""


def parse_answer(words: str) -> Answer | None:
    """Understand what ping printed in addition to its statistics; None where that says nothing of the packet's way."""
    if (match := _FROM.match(words)) is not None:
        kind = next((kind for text, kind in _KINDS if text in match[2]), None)
        try:
            return Answer(kind, match[2].strip(), IPv4Address(match[1])) if kind else None
        except AddressValueError:
            return None
    lower = words.lower()
    kind = next((kind for text, kind in _OWN_KINDS if text in lower), None)
    return Answer(kind, words) if kind else None
