"""Many symptoms, one cause: for each pair of workers that does not get through, the first layer that fails."""

from collections.abc import Iterator
from typing import Final

from kthw_routes.node_names import shortened
from kthw_routes.proof import between, layers
from kthw_routes.proof.case import Case
from kthw_routes.proof.causes import Cause, Layer
from kthw_routes.proof.readings import PairReading, Proof

_MAX_NAMED: Final = 6
"""How many pairs are named; of more, their number is."""


def explain(proof: Proof, pair: PairReading) -> Cause:
    """Explain why a pair that was tested does not get through.

    What its own reading and the tables do not explain is taken from the pair that was tested in its place.
    """
    if (known := _known(proof, pair)) is not None:
        return known
    case = Case(pair=(proof.pair(*pair.same_as) if pair.same_as else None) or pair, proof=proof)
    found = (find(case) for find in (*layers.WITHOUT_COUNTERS, *layers.BY_COUNTERS))
    return next((cause for cause in found if cause is not None), None) or layers.unknown(case)


def explain_all(proof: Proof) -> dict[tuple[str, str], Cause]:
    """Explain each pair that failed, by its ends."""
    found: dict[tuple[str, str], Cause] = {}
    for pair in sorted(proof.failed, key=lambda pair: pair.same_as is not None):
        same = found.get(pair.same_as) if pair.same_as and _known(proof, pair) is None else None
        found[pair.source, pair.target] = same or explain(proof, pair)
    return found


def grouped(proof: Proof) -> tuple[tuple[Cause, tuple[PairReading, ...]], ...]:
    """Return each cause once, with the pairs that fail for it; first the one that was tested by itself, if any was."""
    explained = explain_all(proof)
    alike: dict[tuple[Layer, str | None], list[PairReading]] = {}
    for pair in proof.failed:
        cause = explained[pair.source, pair.target]
        alike.setdefault((cause.layer, cause.host), []).append(pair)
    found = []
    for pairs in alike.values():
        first = next((pair for pair in pairs if pair.alone), pairs[0])
        rest = (pair for pair in pairs if pair is not first)
        found.append((explained[first.source, first.target], (first, *rest)))
    return tuple(found)


def is_filtered(proof: Proof) -> bool:
    """Whether something between the nodes drops packets with pod addresses, so that an overlay would help."""
    return any(cause.fix == between.PAST_FILTER for cause in explain_all(proof).values())


def known_layer(proof: Proof, pair: PairReading) -> Layer | None:
    """Return the layer at which a pair's packets end, where that is known without the counters of its ends."""
    known = _known(proof, pair)
    return known.layer if known is not None else None


def _known(proof: Proof, pair: PairReading) -> Cause | None:
    case = Case(pair=pair, proof=proof)
    return next((cause for find in layers.WITHOUT_COUNTERS if (cause := find(case)) is not None), None)


def bridge_filters(proof: Proof) -> Iterator[str]:
    """Yield what fails though all pairs get through: services whose pod is on the same node, as CoreDNS often is."""
    hosts: dict[str, list[str]] = {}
    for name, reason in proof.unfiltered.items() if not proof.failed else ():
        hosts.setdefault(reason, []).append(name)
    for reason, names in hosts.items():
        yield (
            f"{reason} on {shortened(names)}: a pod may not reach a service, as of DNS, whose pod is on its own node. "
            "There: sudo modprobe br_netfilter; sudo sysctl -w net.bridge.bridge-nf-call-iptables=1"
        )


def pair_words(pair: PairReading) -> str:
    """Return a pair's reading in a few words: `0.3 ms`, `no answer`, `2 of 3 answered`, `not tested: …`."""
    if not pair.tested:
        return f"not tested: {pair.problem}"
    if pair.ok:
        return f"{pair.round_trip:.1f} ms" if pair.round_trip is not None else "answered"
    if pair.is_answered and pair.only_pings:
        return "pings only"
    if pair.is_narrow:
        return f"{pair.full_size} bytes lost"
    if pair.received:
        return f"{pair.received} of {pair.sent} answered"
    return "no answer"


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
