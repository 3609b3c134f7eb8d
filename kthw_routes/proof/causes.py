"""Why a pair of workers does not get through: one cause, what was seen of it, how to see and repair it. Pure values."""

from dataclasses import dataclass
from enum import StrEnum

from kthw_routes.proof.readings import Evidence, PairReading


class Layer(StrEnum):
    """Where a packet ends, in the order of its way."""

    ROUTE = "route"
    SOURCE = "source"
    NEIGHBOURS = "neighbour table"
    OWN_ROUTES = "routes to own pods"
    NEXT_HOP = "next hop"
    POLICY = "policy rules"
    FORWARDING = "forwarding"
    REVERSE_PATH = "reverse path filter"
    FIREWALL = "firewall of a node"
    MTU = "MTU"
    NETWORK_OUT = "network, on the way there"
    TARGET = "target"
    ROUTE_BACK = "route back"
    NETWORK_BACK = "network, on the way back"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The first layer that fails."""

    layer: Layer
    what: str
    """What it is, a sentence."""
    seen: str = ""
    """What was seen of it, and on which host, in sentences; empty where `what` says it all."""
    shows: str
    """The command that shows it, after the host on which to type it: `On worker-1: ip route`."""
    fix: str | None = None
    """What to do about it, a sentence; None where that depends on what the command shows."""
    host: str | None = None
    """The host at fault, where that may be either end."""
    ruled_out: tuple[str, ...] = ()
    """What was read and is in order, where the cause is what is left."""

    @property
    def sentence(self) -> str:
        """What it is and what was seen of it."""
        return f"{self.what} {self.seen}".rstrip()


def counted(pair: PairReading) -> str:
    """Count the requests and replies that both ends saw: the counters' evidence, in one or two sentences.

    The ends are pods or nodes: what a pod did not get may have arrived at its node.
    """
    left, right = pair.at_source, pair.at_target
    if not left or not right:
        return ""
    whose = "'s pod" if pair.evidence is Evidence.POD else ""
    source, target = f"{pair.source}{whose}", f"{pair.target}{whose}"
    sent = in_words(left.requests_out, "request").capitalize()
    first = f"{sent} left {source}, {in_words(right.requests_in)} arrived at {target}"
    if not right.requests_in:
        return f"{first}."
    return f"{first}; {in_words(right.replies_out, 'reply')} left {target}, {in_words(left.replies_in)} arrived."


def in_words(count: int, noun: str = "") -> str:
    """Return a small number in words, with what it counts: `no requests`, `one reply`; alone `none`, `one`."""
    number = {0: "no" if noun else "none", 1: "one", 2: "two", 3: "three"}.get(count, str(count))
    plural = noun if count == 1 else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {plural}" if noun else number
