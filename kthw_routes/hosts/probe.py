"""The proof's work on hosts: forwarding checks, probe addresses, pings in rounds with the counters of both ends."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.events import Emit, HostState, Phase
from kthw_routes.facts import HostFacts
from kthw_routes.hosts import programs
from kthw_routes.hosts.fleet import Fleet
from kthw_routes.hosts.ping_output import parse_counters, parse_ping
from kthw_routes.hosts.task import HostTask
from kthw_routes.plan.wanted import wanted_routes
from kthw_routes.proof.readings import Counters, Evidence, ForwardingCheck, PairReading, ProbePoint, rounds
from kthw_routes.sanitize import clean_value
from kthw_routes.ssh.command import Result
from kthw_routes.ssh.session import Session

_SECONDS_PER_ROUND: Final = 4
_SPARE_SECONDS: Final = 15


def verdicts(task: HostTask, cluster: Cluster, node: Node, facts: HostFacts) -> tuple[ForwardingCheck, ...]:
    """Ask the kernel whether it would forward to every other worker's pod CIDR. Read-only.

    With a pod bridge, about a packet of a pod that comes in by it. Without one, about a packet that comes in by the
    internal interface from another node: the reverse path filter would refuse a pod address there.
    """
    found: list[ForwardingCheck] = []
    for wanted in wanted_routes(cluster, node):
        origin = _origin(cluster, node, facts, wanted.next_hop)
        if origin is None:
            continue
        source, device = origin
        result = task.run(programs.forwarding_verdict(wanted.prefix.network_address + 2, source, device))
        words = clean_value(result.out if result.ok else result.err)
        forwards = result.ok and f"via {wanted.next_hop} " in f"{words} "
        found.append(ForwardingCheck(node.name, wanted.worker, wanted.prefix, forwards, words))
    return tuple(found)


def _origin(cluster: Cluster, node: Node, facts: HostFacts, next_hop: IPv4Address) -> tuple[IPv4Address, str] | None:
    """Choose from which address and by which interface the packet comes."""
    if facts.bridge:
        taken = {facts.bridge.address.ip}
        hosts = facts.bridge.address.network.hosts()
        other = next((ip for ip in hosts if ip not in taken), None)  # a bridge with a /32 has no other
        return (other, facts.bridge.device) if other is not None else None
    device = facts.device_of(node.internal)
    neighbours = [n.internal for n in cluster if n.is_member and n.internal not in (None, node.internal, next_hop)]
    source = neighbours[0] if neighbours else next_hop
    return (source, device) if device else None


# --- traffic ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Worker:
    """One worker that can be probed, and the addresses used for its pods, best evidence first."""

    name: str
    endpoints: tuple[ProbePoint, ...]
    next_hops: Mapping[str, IPv4Address]


def probe_pairs(fleet: Fleet, cluster: Cluster, facts: Mapping[str, HostFacts], emit: Emit) -> tuple[PairReading, ...]:
    """Test traffic between every ordered pair of workers, by the best evidence that both ends offer.

    Probe addresses are put on `lo` where a worker has no pod bridge, and removed at the end; the kernel removes
    them by itself should the connection die.
    """
    members = [n.name for n in cluster.workers]
    ready: dict[str, _Worker] = {}
    problems: dict[str, str] = {}
    for node in cluster.workers:
        if not node.is_visited:
            problems[node.name] = f"{node.name} was left out"
        elif node.name not in facts or node.name not in fleet.sessions:
            problems[node.name] = f"{node.name} could not be read"
        elif worker := _worker(cluster, node, facts[node.name]):
            ready[node.name] = worker
        else:
            problems[node.name] = f"{node.name} has no pod CIDR"
    schedule = rounds(members)
    lifetime = _SPARE_SECONDS + _SECONDS_PER_ROUND * len(schedule)
    probes = _probe_addresses(ready, facts)
    try:
        for name, words in _add_probes(fleet, probes, lifetime, emit).items():
            problems[name] = words
            ready.pop(name, None)
        return _run_rounds(fleet, cluster, ready, problems, schedule, emit)
    finally:
        _delete_probes(fleet, probes, emit)


def _worker(cluster: Cluster, node: Node, facts: HostFacts) -> _Worker | None:
    if node.pod_cidr is None or node.pod_cidr.prefixlen > 30:
        return None
    endpoints = [ProbePoint(p.address, Evidence.POD, p.namespace) for p in facts.pods[:1]]
    if facts.bridge:
        endpoints.append(ProbePoint(facts.bridge.address.ip, Evidence.BRIDGE))
    else:
        endpoints.append(ProbePoint(node.pod_cidr.broadcast_address - 1, Evidence.PROBE))
    hops = {w.worker: w.next_hop for w in wanted_routes(cluster, node)}
    return _Worker(node.name, tuple(endpoints), hops)


def _probe_addresses(ready: Mapping[str, _Worker], facts: Mapping[str, HostFacts]) -> dict[str, IPv4Interface]:
    """Choose the probe addresses to put on `lo`, by worker; none where all workers have pods."""
    if all(w.endpoints[0].evidence is Evidence.POD for w in ready.values()):
        return {}
    return {
        name: IPv4Interface((e.address, 32))
        for name, worker in ready.items()
        for e in worker.endpoints
        if e.evidence is Evidence.PROBE and not _is_permanent(facts[name], e.address)
    }


def _is_permanent(facts: HostFacts, address: IPv4Address) -> bool:
    """Whether the host has this address for good, so that it is neither added nor removed."""
    return any(a.address.ip == address and not a.is_temporary for a in facts.addresses)


def _add_probes(fleet: Fleet, probes: Mapping[str, IPv4Interface], seconds: int, emit: Emit) -> dict[str, str]:
    def add(session: Session) -> Result:
        task = HostTask(session, Phase.PROOF, emit)
        task.state(HostState.PROBING, "probe address on lo, for seconds")
        return task.run(programs.add_probe_address(probes[session.node], seconds))

    problems: dict[str, str] = {}
    for name, outcome in fleet.each(add, probes).items():
        if outcome.error:
            problems[name] = outcome.error.sentence.removesuffix(".")
        elif outcome.value is None:
            problems[name] = "stopped"
        elif not outcome.value.ok:
            problems[name] = f"{name} has no probe address: {outcome.value.words}"
    return problems


def _delete_probes(fleet: Fleet, probes: Mapping[str, IPv4Interface], emit: Emit) -> None:
    def delete(session: Session) -> None:
        HostTask(session, Phase.PROOF, emit).run(programs.delete_probe_address(probes[session.node]))

    if probes and not fleet.stop.hard.is_set():
        fleet.each(delete, probes, even_when_stopping=True)


def _run_rounds(
    fleet: Fleet,
    cluster: Cluster,
    ready: Mapping[str, _Worker],
    problems: dict[str, str],
    schedule: tuple[tuple[tuple[str, str], ...], ...],
    emit: Emit,
) -> tuple[PairReading, ...]:
    readings: list[PairReading] = []
    for number, pairs in enumerate(schedule, 1):
        testable = {a: b for a, b in pairs if a in ready and b in ready and a not in problems and b not in problems}
        before = _read_counters(fleet, ready, emit)
        results, errors = _ping_all(fleet, ready, testable, f"round {number} of {len(schedule)}", emit)
        after = _read_counters(fleet, ready, emit)
        for source, target in pairs:
            if (result := results.get(source)) is None:
                why = errors.get(source) or problems.get(source) or problems.get(target) or "stopped"
                left_out = any(not cluster.node(end).is_visited for end in (source, target))
                readings.append(
                    PairReading(source=source, target=target, evidence=Evidence.NONE, problem=why, left_out=left_out)
                )
                continue
            left, right = _ends(ready[source], ready[target])
            pinged = parse_ping(result)
            readings.append(
                PairReading(
                    source=source,
                    target=target,
                    evidence=min(left.evidence, right.evidence),
                    source_address=left.address,
                    target_address=right.address,
                    sent=pinged.sent,
                    received=pinged.received,
                    round_trip=pinged.round_trip,
                    words=pinged.words,
                    at_source=_difference(before, after, source, left.namespace),
                    at_target=_difference(before, after, target, right.namespace),
                )
            )
    order = {n.name: number for number, n in enumerate(cluster.workers)}
    readings.sort(key=lambda r: (order[r.source], order[r.target]))
    return tuple(_with_neighbours(fleet, ready, readings, emit))


def _ends(source: _Worker, target: _Worker) -> tuple[ProbePoint, ProbePoint]:
    """Choose the endpoints of a pair: both pods, or else neither."""
    if source.endpoints[0].evidence is target.endpoints[0].evidence is Evidence.POD:
        return source.endpoints[0], target.endpoints[0]
    return source.endpoints[-1], target.endpoints[-1]


def _ping_all(
    fleet: Fleet,
    ready: Mapping[str, _Worker],
    targets: Mapping[str, str],
    words: str,
    emit: Emit,
) -> tuple[dict[str, Result], dict[str, str]]:
    """Ping from each source. Returns each result, and why some sent nothing, who can be sent to all the same."""

    def ping(session: Session) -> Result:
        task = HostTask(session, Phase.PROOF, emit)
        left, right = _ends(ready[session.node], ready[targets[session.node]])
        task.state(HostState.PROBING, f"pinging {targets[session.node]}, {words}")
        return task.run(programs.ping(left.address, right.address, left.namespace))

    results: dict[str, Result] = {}
    errors: dict[str, str] = {}
    for name, outcome in fleet.each(ping, targets).items():
        if outcome.value is not None and outcome.value.status in (126, 127):
            errors[name] = f"ping is not installed on {name}"
        elif outcome.value is not None:
            results[name] = outcome.value
        elif outcome.error:
            errors[name] = outcome.error.sentence.removesuffix(".")
    return results, errors


_Readings = dict[tuple[str, str | None], Counters]


def _read_counters(fleet: Fleet, ready: Mapping[str, _Worker], emit: Emit) -> _Readings:
    """Read the counters of every end: (worker, namespace) -> counters."""

    def read(session: Session) -> list[tuple[str | None, Counters]]:
        task = HostTask(session, Phase.PROOF, emit)
        spaces = {e.namespace for e in ready[session.node].endpoints}
        return [(space, parse_counters(task.run(programs.counters(space), silent=True).out)) for space in spaces]

    found: _Readings = {}
    for name, outcome in fleet.each(read, ready).items():
        for space, counters in outcome.value or ():
            found[name, space] = counters
    return found


def _difference(before: _Readings, after: _Readings, worker: str, space: str | None) -> Counters | None:
    first, last = before.get((worker, space)), after.get((worker, space))
    return last.since(first) if first and last else None


def _with_neighbours(
    fleet: Fleet, ready: Mapping[str, _Worker], readings: list[PairReading], emit: Emit
) -> list[PairReading]:
    """Add to pairs that failed without a word whether the next hop itself answers at all."""
    failed = [r for r in readings if r.tested and not r.ok and not r.words]

    def read(session: Session) -> dict[str, str]:
        task = HostTask(session, Phase.PROOF, emit)
        hops = ready[session.node].next_hops
        return {
            r.target: clean_value(task.run(programs.neighbour(hops[r.target]), silent=True).out)
            for r in failed
            if r.source == session.node and r.target in hops
        }

    sources = {r.source for r in failed}
    neighbours = {name: outcome.value or {} for name, outcome in fleet.each(read, sources).items()}
    return [
        replace(r, words=f"host unreachable: the next hop {words}")
        if (words := neighbours.get(r.source, {}).get(r.target, "")).endswith(("FAILED", "INCOMPLETE")) and not r.words
        else r
        for r in readings
    ]
