"""Pings between workers: from each to all others at once, or pair by pair with the counters of both ends.

What is done on a host is a function of its task that keeps nothing but what it returns: its commands are one script.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from ipaddress import IPv4Address
from typing import Final, TypeVar

from kthw_routes.cluster import Cluster
from kthw_routes.events import Emit, HostState, Phase
from kthw_routes.hosts import programs
from kthw_routes.hosts.fleet import Fleet
from kthw_routes.hosts.ping_output import (
    Pinged,
    count_full_tables,
    parse_counters,
    parse_ping,
    parse_pings,
    with_full_size,
)
from kthw_routes.hosts.probe_points import ProbedWorker, ends, full_size
from kthw_routes.hosts.task import HostTask
from kthw_routes.proof.readings import Counters, Evidence, NodesReading, PairReading, ProbePoint
from kthw_routes.proof.selection import Pair, in_rounds
from kthw_routes.sanitize import clean_value
from kthw_routes.ssh.session import Session

T = TypeVar("T")

_NOT_LOCAL: Final = "cannot assign requested address"
"""What a kernel says of a source address that the host does not have, in lower case."""
_SILENT: Final = ("FAILED", "INCOMPLETE")
"""The states of a neighbour that does not answer."""


@dataclass(frozen=True, slots=True)
class Readout:
    """What one worker's ends have counted so far."""

    counters: Mapping[str | None, Counters]
    """By network namespace."""
    full_tables: int | None
    """How often its neighbour table was full; None where that cannot be read."""
    silent_hops: Mapping[str, str]
    """The next hops that do not answer, in the words of `ip neigh`, by the worker to which they lead."""

    def since(self, before: "Readout") -> dict[str | None, Counters]:
        """Return what was added since `before`, by network namespace."""
        return {space: counters.since(before.counters[space]) for space, counters in self.counters.items()}

    def total_since(self, before: "Readout") -> Counters:
        """Return what all ends together added since `before`."""
        return reduce(Counters.plus, self.since(before).values())


@dataclass(frozen=True, slots=True)
class PingedAlone:
    """What came of one pair's pings."""

    pair: Pinged
    internal: Pinged | None = None
    """One request between the internal addresses of both nodes."""
    from_pod_side: Pinged | None = None
    """Requests from the node's own address on its pods' side to the other's internal address."""


class Pinger:
    """Sends pings between the workers that are ready.

    Attributes:
        ready: the workers that can be probed.
        last: what each of them counted when it was read last.
    """

    def __init__(self, fleet: Fleet, cluster: Cluster, emit: Emit) -> None:
        """`emit` is called from many threads."""
        self.ready: Final[dict[str, ProbedWorker]] = {}
        self.last: Final[dict[str, Readout]] = {}
        self._fleet, self._cluster, self._emit = fleet, cluster, emit

    def each(
        self, work: Callable[[HostTask], T], names: Iterable[str], words: Callable[[str], str]
    ) -> dict[str, tuple[T | None, str | None]]:
        """Do `work`, whose commands are one script, on hosts. Returns by host what came of it, or why nothing did."""

        def whole(session: Session) -> T:
            task = HostTask(session, Phase.PROOF, self._emit)
            task.state(HostState.PROBING, words(session.node))
            task.ahead(work)
            return work(task)

        found: dict[str, tuple[T | None, str | None]] = {}
        for name, outcome in self._fleet.each(whole, list(names)).items():
            if outcome.error is not None:
                found[name] = (None, outcome.error.sentence.removesuffix("."))
            else:
                found[name] = (outcome.value, None if outcome.value is not None else "stopped")
        return found

    def read(self, task: HostTask, partners: Iterable[str] = ()) -> Readout:
        """Read what a worker's ends counted, and which of its next hops to `partners` do not answer."""
        worker = self.ready[task.node]
        states = {
            name: clean_value(task.run(programs.neighbour(worker.next_hops[name]), silent=True).out)
            for name in partners
            if name in worker.next_hops
        }
        return Readout(
            {s: parse_counters(task.run(programs.counters(s), silent=True).out) for s in worker.namespaces},
            count_full_tables(task.run(programs.neighbour_statistics(), silent=True).out),
            {name: state for name, state in states.items() if state.endswith(_SILENT)},
        )

    def together(self, pairs: Iterable[Pair]) -> dict[Pair, PairReading]:
        """Test pairs, from each worker all at once."""
        targets: dict[str, list[str]] = {}
        for source, target in pairs:
            targets.setdefault(source, []).append(target)

        def work(task: HostTask) -> dict[IPv4Address, Pinged]:
            alike: dict[tuple[ProbePoint, int | None], list[IPv4Address]] = {}
            for target in targets[task.node]:
                left, right = ends(self.ready[task.node], self.ready[target])
                alike.setdefault((left, full_size(left, right)), []).append(right.address)
            found: dict[IPv4Address, Pinged] = {}
            for (left, size), addresses in alike.items():
                for some in _in_parts(addresses, programs.MAX_PINGS):
                    result = task.run(programs.ping_together(left.address, some, left.namespace, size))
                    found |= parse_pings(result, some)
            return found

        def words(name: str) -> str:
            whom = targets[name]
            return f"pinging {whom[0]}" if len(whom) == 1 else f"pinging {len(whom)} other workers at once"

        done = self.each(work, targets, words)
        readings: dict[Pair, PairReading] = {}
        for source, (found, why) in done.items():
            for target in targets[source]:
                right = ends(self.ready[source], self.ready[target])[1]
                pinged = found.get(right.address) if found is not None else None
                readings[source, target] = self._reading((source, target), pinged, why)
        return readings

    def alone(self, pairs: Sequence[Pair]) -> dict[Pair, PairReading]:
        """Test pairs in rounds in which no worker sends or receives twice, with the counters of both ends."""
        rounds = in_rounds(pairs)
        workers = list(dict.fromkeys(name for pair in pairs for name in pair))
        readings: dict[Pair, PairReading] = {}
        for number, one in enumerate(rounds, 1):
            readings |= self._round(dict(one), workers, f"round {number} of {len(rounds)}")
        return readings

    def _round(self, targets: Mapping[str, str], workers: Iterable[str], words: str) -> dict[Pair, PairReading]:
        """Ping from each source to its target, and read the counters of these workers."""

        def ping(task: HostTask) -> PingedAlone:
            source, target = self.ready[task.node], self.ready[targets[task.node]]
            left, right = ends(source, target)
            pair = parse_ping(task.run(programs.ping(left.address, right.address, left.namespace)))
            if pair.received == pair.sent:
                if (size := full_size(left, right)) is None:
                    return PingedAlone(pair)
                whole = task.run(programs.ping_full_size(left.address, right.address, size, left.namespace))
                return PingedAlone(with_full_size(pair, whole))
            if source.internal is None or target.internal is None:
                return PingedAlone(pair)
            internal = parse_ping(task.run(programs.ping_once(source.internal, target.internal)))
            if left.evidence is not Evidence.POD:
                return PingedAlone(pair, internal)
            return PingedAlone(pair, internal, parse_ping(task.run(programs.ping(source.node_side, target.internal))))

        done = self.each(ping, targets, lambda name: f"pinging {targets[name]} alone, {words}")
        before = dict(self.last)

        def read(task: HostTask) -> Readout:
            return self.read(task, [a if b == task.node else b for a, b in targets.items() if task.node in (a, b)])

        for name, (readout, _) in self.each(read, workers, lambda _: "reading counters").items():
            if readout is None:
                self.last.pop(name, None)
            else:
                self.last[name] = readout
        found: dict[Pair, PairReading] = {}
        for pair in targets.items():
            pinged, why = done[pair[0]]
            reading = self._reading(pair, pinged.pair if pinged is not None else None, why)
            found[pair] = self._with_counters(reading, pinged, before)
        return found

    def _reading(self, pair: Pair, pinged: Pinged | None, why: str | None = None) -> PairReading:
        if pinged is None:
            return self.untested(pair, why or "stopped")
        if pinged.is_missing:
            return self.untested(pair, f"ping is not installed on {pair[0]}")
        left, right = ends(self.ready[pair[0]], self.ready[pair[1]])
        return PairReading(
            source=pair[0],
            target=pair[1],
            evidence=min(left.evidence, right.evidence),
            source_address=left.address,
            target_address=right.address,
            sent=pinged.sent,
            received=pinged.received,
            round_trip=pinged.round_trip,
            words=pinged.words,
            full_size=full_size(left, right) if pinged.is_full_size_sent else None,
            full_size_lost=pinged.full_size_lost,
        )

    def _with_counters(
        self, reading: PairReading, pinged: PingedAlone | None, before: Mapping[str, Readout]
    ) -> PairReading:
        """Add what both ends counted meanwhile, and what the kernels knew of the way."""
        if not reading.tested or pinged is None:
            return reading
        pair = (reading.source, reading.target)
        if _NOT_LOCAL in reading.words.lower():
            return self.untested(pair, f"{reading.source} has lost {reading.source_address}")
        counted: list[Counters | None] = []
        at_node: Counters | None = None
        full: list[str] = []
        for name, point in zip(pair, ends(self.ready[pair[0]], self.ready[pair[1]]), strict=True):
            first, last = before.get(name), self.last.get(name)
            at_node = None
            if first is None or last is None:
                counted.append(None)
                continue
            since = last.since(first)
            counted.append(since[point.namespace])
            at_node = since[None]
            full += [name] if (last.full_tables or 0) > (first.full_tables or 0) else []
        there, back = (
            self.last[end].silent_hops.get(other) if end in self.last else None for end, other in (pair, pair[::-1])
        )
        if reading.evidence is not Evidence.POD:
            counted = [_without_internal(c, pinged.internal, is_source=n == 0) for n, c in enumerate(counted)]
        has_arrived = counted[1] is not None and counted[1].requests_in > 0
        if reading.ok:
            there = back = None
        return replace(
            reading,
            at_source=counted[0],
            at_target=counted[1],
            words=f"host unreachable: the next hop {there}" if there and not reading.words else reading.words,
            silent_hop_back=back if has_arrived else None,
            full_table=full[0] if full and not reading.ok else None,
            nodes=_nodes(reading, pinged, counted[1], at_node),
            alone=True,
        )

    def untested(self, pair: Pair, why: str) -> PairReading:
        """Return the reading of a pair that could not be tested."""
        left_out = any(not self._cluster.node(end).is_visited for end in pair)
        return PairReading(source=pair[0], target=pair[1], evidence=Evidence.NONE, problem=why, left_out=left_out)


def _nodes(
    reading: PairReading, pinged: PingedAlone, at_target: Counters | None, at_node: Counters | None
) -> NodesReading | None:
    """Tell what reached the target's node. `at_node`: what that counted; `at_target`: the end of the pair, likewise."""
    internal, side = pinged.internal, pinged.from_pod_side
    if internal is None:
        return None
    answered = internal.received > 0
    if side is None:
        return NodesReading(answered, reading.sent, at_target.requests_in if at_target is not None else None)
    if at_node is None or _NOT_LOCAL in side.words.lower():
        return NodesReading(answered, side.sent, None)
    return NodesReading(answered, side.sent, min(side.sent, _without_one(at_node.requests_in, is_known=answered)))


def _without_internal(counters: Counters | None, internal: Pinged | None, *, is_source: bool) -> Counters | None:
    """Take the request between the internal addresses, and its answer, out of what a node counted.

    Each end of a pair counts by itself here: the other numbers are of another pair.
    """
    if counters is None or internal is None:
        return counters
    answered = internal.received > 0
    if is_source:
        return replace(
            counters,
            requests_out=max(0, counters.requests_out - (internal.sent == 1)),
            replies_in=max(0, counters.replies_in - internal.received),
        )
    return replace(
        counters,
        requests_in=_without_one(counters.requests_in, is_known=answered),
        replies_out=_without_one(counters.replies_out, is_known=answered),
    )


def _without_one(count: int, *, is_known: bool) -> int:
    """Take one out of a count of requests: it is among them for sure, or else where it makes three to four."""
    return max(0, count - 1) if is_known or count % programs.PINGS == 1 else count


def _in_parts(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
