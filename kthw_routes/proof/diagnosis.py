"""Many symptoms, one cause: for a pair of workers that does not get through, the first layer that fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.facts import HostFacts
from kthw_routes.node_names import shortened
from kthw_routes.plan.changes import describe
from kthw_routes.proof.readings import Evidence, PairReading, Proof

_MAX_NAMED: Final = 6
"""How many pairs are named; of more, their number is."""


class Layer(StrEnum):
    """Where a packet ends, in the order of its way."""

    ROUTE = "route"
    SOURCE = "source"
    NEIGHBOURS = "neighbour table"
    OWN_ROUTES = "routes to own pods"
    NEXT_HOP = "next hop"
    FORWARDING = "forwarding"
    NETWORK_OUT = "network, on the way there"
    TARGET = "target"
    ROUTE_BACK = "route back"
    NETWORK_BACK = "network, on the way back"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The first layer that fails, the counters, and what to check next."""

    layer: Layer
    sentence: str
    next_step: str
    host: str = ""
    """The host at fault, where that may be either end."""


def of_pair(
    pair: PairReading,
    source: HostFacts | None,
    target: HostFacts | None = None,
    *,
    astray_there: str | None,
    astray_back: str | None,
    overridden: str | None = None,
) -> Diagnosis:
    """Explain why a pair that was tested does not get through.

    Args:
        pair: the reading.
        source, target: the facts of the end that sends, and of the one that answers, where they were read.
        astray_there, astray_back: what the table of the source, of the target, does instead of leading to the other
            end (`has no route to …`); None where it leads there.
        overridden: the end in whose table another route takes packets for its own pod, of this pair; None where
            neither has one.
    """
    known = _by_tables(pair, astray_there, overridden) or _by_words(pair) or _by_forwarding(pair, source, target)
    if known is not None:
        return known
    capture = f"sudo tcpdump -ni {_device(source, pair)} icmp and host {pair.target_address}"
    return _by_counters(pair, astray_back, counted(pair), capture)


def _by_tables(pair: PairReading, astray_there: str | None, overridden: str | None) -> Diagnosis | None:
    """Find what the routing tables alone explain."""
    seen = counted(pair)
    if astray_there:
        return Diagnosis(Layer.ROUTE, f"{pair.source} {astray_there}. {seen}".rstrip(), f"On {pair.source}: ip route")
    if overridden:
        # Packets of such pods get out and what comes back ends there: alike to a filter of the provider.
        sentence = (
            f"Another route overrides {overridden}'s own pod CIDR: its pods are unreachable; --repair restores it."
        )
        return Diagnosis(Layer.OWN_ROUTES, f"{sentence} {seen}".rstrip(), f"On {overridden}: ip route", overridden)
    return None


def _by_words(pair: PairReading) -> Diagnosis | None:
    """Find what the words of `ping`, or of the source's own kernel, explain."""
    a, b, seen, words = pair.source, pair.target, counted(pair), pair.words.lower()
    if pair.full_table:
        return Diagnosis(
            Layer.NEIGHBOURS,
            f"{pair.full_table}'s neighbour table is full: its kernel drops packets to nodes that are not in it. "
            f"{seen}".rstrip(),
            f"On {pair.full_table}: raise net.ipv4.neigh.default.gc_thresh3 (and gc_thresh2) with sysctl",
            pair.full_table,
        )
    if "host unreachable" in words:
        return Diagnosis(
            Layer.NEXT_HOP,
            f"{a} gets no answer from the next hop itself: {b} is down, or has another address by now. {seen}".rstrip(),
            f"On {a}: ip neigh",
            b,
        )
    if pair.silent_hop_back:
        return Diagnosis(
            Layer.NEXT_HOP,
            f"{b} gets no answer from the next hop back to {a} itself: {a} has another address by now. {seen}".rstrip(),
            f"On {b}: ip neigh",
            a,
        )
    if "network is unreachable" in words or "invalid argument" in words:
        return Diagnosis(Layer.ROUTE, f"{a}'s kernel refuses to send: {pair.words}", f"On {a}: ip route")
    if "not permitted" in words:
        return Diagnosis(Layer.SOURCE, f"{a}'s own firewall refuses to send: {pair.words}", f"On {a}: nft list ruleset")
    return None


def _by_forwarding(pair: PairReading, source: HostFacts | None, target: HostFacts | None) -> Diagnosis | None:
    """Find an end that does not forward: of importance to pods only."""
    closed = next((host for host in (source, target) if host and not host.ip_forward), None)
    if closed is None or pair.evidence is not Evidence.POD:
        return None
    return Diagnosis(
        Layer.FORWARDING,
        f"{closed.node} does not forward (net.ipv4.ip_forward = 0): no packet gets to its pods or away from them. "
        f"{counted(pair)}".rstrip(),
        f"On {closed.node}: sudo sysctl -w net.ipv4.ip_forward=1",
        closed.node,
    )


def _by_counters(pair: PairReading, astray_back: str | None, seen: str, capture: str) -> Diagnosis:
    """Find where requests or replies got lost, by the counters of the end that answers."""
    a, b = pair.source, pair.target
    arrived = pair.at_target.requests_in if pair.at_target else None
    replied = pair.at_target.replies_out if pair.at_target else None
    if pair.at_source and not pair.at_source.requests_out:
        return Diagnosis(Layer.SOURCE, f"{seen} {a} sent nothing: is it very busy?", f"On {a}: uptime")
    if arrived == 0:
        firewalls = f"a firewall (on {a} and {b} too: FORWARD)" if pair.evidence is Evidence.POD else "a firewall"
        return Diagnosis(
            Layer.NETWORK_OUT,
            f"{seen} Something between the nodes drops packets with pod addresses: the provider's filter, or "
            f"{firewalls}.",
            f"On {b}: {capture}",
        )
    if arrived and replied == 0:
        return Diagnosis(Layer.TARGET, f"{seen} {b} itself does not reply: a firewall there?", f"On {b}: iptables -S")
    if arrived and replied and astray_back:
        return Diagnosis(Layer.ROUTE_BACK, f"{seen} {b} {astray_back}.", f"On {b}: ip route")
    if arrived and replied:
        return Diagnosis(
            Layer.NETWORK_BACK,
            f"{seen} Something between the nodes drops replies whose source is a pod address: a source filter of the "
            "provider.",
            f"On {a}: {capture}",
        )
    return Diagnosis(Layer.UNKNOWN, seen or pair.words or "No answer came.", f"On {b}: {capture}")


def counted(pair: PairReading) -> str:
    """Count the requests and replies that both ends saw: the counters' evidence, in one or two sentences."""
    left, right = pair.at_source, pair.at_target
    if not left or not right:
        return ""
    sent = _many(left.requests_out, "request").capitalize()
    first = f"{sent} left {pair.source}, {_some(right.requests_in)} arrived at {pair.target}"
    if not right.requests_in:
        return f"{first}."
    return f"{first}; {_many(right.replies_out, 'reply')} left {pair.target}, {_some(left.replies_in)} arrived."


def _many(count: int, noun: str) -> str:
    words = {0: "no", 1: "one", 2: "two", 3: "three"}
    plural = noun if count == 1 else f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{words.get(count, str(count))} {plural}"


def _some(count: int) -> str:
    return {0: "none", 1: "one", 2: "two", 3: "three"}.get(count, str(count))


def _device(facts: HostFacts | None, pair: PairReading) -> str:
    """Find the interface by which the source sends to the target; `any` where that is not known."""
    if facts is None or pair.target_address is None:
        return "any"
    through = [r for r in facts.routes if pair.target_address in r.prefix and r.device]
    best = max(through, key=lambda r: r.prefix.prefixlen, default=None)
    return best.device or "any" if best else "any"


def pair_words(pair: PairReading) -> str:
    """Return a pair's reading in a few words: `0.3 ms`, `no answer`, `2 of 3 answered`, `not tested: …`."""
    if not pair.tested:
        return f"not tested: {pair.problem}"
    if pair.ok:
        return f"{pair.round_trip:.1f} ms" if pair.round_trip is not None else "answered"
    if pair.received:
        return f"{pair.received} of {pair.sent} answered"
    return "no answer"


def explain(proof: Proof, pair: PairReading) -> Diagnosis:
    """Explain why a pair that was tested does not get through.

    What its own reading and the tables do not explain is taken from the pair that was tested in its place.
    """
    stand_in = proof.pair(*pair.same_as) if pair.same_as else None
    return _explain(proof, pair if stand_in is None or known_layer(proof, pair) is not None else stand_in)


def explain_all(proof: Proof) -> dict[tuple[str, str], Diagnosis]:
    """Explain each pair that failed, by its ends."""
    found: dict[tuple[str, str], Diagnosis] = {}
    for pair in sorted(proof.failed, key=lambda pair: pair.same_as is not None):
        same = found.get(pair.same_as) if pair.same_as and known_layer(proof, pair) is None else None
        found[pair.source, pair.target] = same or explain(proof, pair)
    return found


def known_layer(proof: Proof, pair: PairReading) -> Layer | None:
    """Return the layer at which a pair's packets end, where that is known without the counters of its ends."""
    source, target = proof.facts.get(pair.source), proof.facts.get(pair.target)
    astray = _astray(proof, pair.source, pair.target, pair.target_address)
    known = (
        _by_tables(pair, astray, _overridden(proof, pair)) or _by_words(pair) or _by_forwarding(pair, source, target)
    )
    return known.layer if known else None


def _explain(proof: Proof, pair: PairReading) -> Diagnosis:
    return of_pair(
        pair,
        proof.facts.get(pair.source),
        proof.facts.get(pair.target),
        astray_there=_astray(proof, pair.source, pair.target, pair.target_address),
        astray_back=_astray(proof, pair.target, pair.source, pair.source_address),
        overridden=_overridden(proof, pair),
    )


def _overridden(proof: Proof, pair: PairReading) -> str | None:
    """Find the end, if any, in whose table another route takes packets for the very pod of this pair.

    What is local to a host is not routed by its table.
    """
    for name, address in ((pair.source, pair.source_address), (pair.target, pair.target_address)):
        table, facts = proof.table(name), proof.facts.get(name)
        if table is None or facts is None or table.overridden_by is None or address is None:
            continue
        if any(pod.address == address for pod in facts.pods) and table.best(address) == table.overridden_by:
            return name
    return None


def _astray(proof: Proof, source: str, target: str, address: IPv4Address | None) -> str | None:
    """Return what the source's table does with packets for the target's pods; None where it is as it should be.

    The longest prefix decides: a route for a part of the pod CIDR can override the right one.
    """
    table = proof.table(source)
    next_hop = table.next_hops.get(target) if table is not None else None
    if table is None or next_hop is None or address is None:
        return None
    best = table.best(address)
    if best is None or best.prefix.prefixlen == 0:
        return f"has no right route to {target}'s pod CIDR"
    if best.gateway == next_hop:
        return None
    return f"has no right route to {target}'s pod CIDR for {address}: {best.prefix} {describe(best)} takes it"


def untested_reasons(proof: Proof) -> Iterator[str]:
    """Yield why pairs could not be tested, each reason once, however many pairs there are."""
    pairs: dict[str, list[PairReading]] = {}
    hosts: dict[str, set[str]] = {}
    for pair in proof.untested:
        problem = pair.problem or ""
        host = next((end for end in (pair.source, pair.target) if problem.startswith(f"{end} ")), "")
        reason = problem.removeprefix(host)
        pairs.setdefault(reason, []).append(pair)
        hosts.setdefault(reason, set()).add(host)
    for reason, alike in pairs.items():
        named = ", ".join(f"{p.source} → {p.target}" for p in alike)
        which = named if len(alike) <= _MAX_NAMED else f"{len(alike)} pairs of workers"
        yield f"Not tested, {shortened(filter(None, hosts[reason]))}{reason}: {which}."
