"""The proof's work on hosts: forwarding checks and pings, all pairs at once; then some that failed, by themselves.

Each phase is one script per worker, and no worker begins one before all have ended the phase before it.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Interface
from typing import Final

from kthw_routes.cluster import Cluster
from kthw_routes.events import Emit, Phase
from kthw_routes.facts import HostFacts
from kthw_routes.hosts import programs
from kthw_routes.hosts.fleet import Fleet
from kthw_routes.hosts.pinging import Pinger, Readout
from kthw_routes.hosts.probe_points import ends, probe_addresses, probed_worker
from kthw_routes.hosts.read_path import Partner, read_path
from kthw_routes.hosts.task import HostTask
from kthw_routes.hosts.verdicts import verdicts
from kthw_routes.overlay.model import DEVICE
from kthw_routes.proof.path import HostPath
from kthw_routes.proof.readings import Counters, Evidence, ForwardingCheck, PairReading
from kthw_routes.proof.selection import MAX_ALONE, Pair, in_rounds, representatives
from kthw_routes.ssh.command import Result
from kthw_routes.ssh.session import Session

_SPARE_SECONDS: Final = 15
_PINGS_ALONE: Final = 3
"""Pings, one after the other, of a pair that is tested by itself."""

Cause = Callable[[PairReading], Hashable]
"""Returns what is known by now of why a pair does not get through; equal for the same cause."""


@dataclass(frozen=True, slots=True)
class Probed:
    """What the kernels would do with traffic, and what became of it."""

    verdicts: tuple[ForwardingCheck, ...]
    pairs: tuple[PairReading, ...]
    counters: Mapping[str, Counters] = field(default_factory=dict)
    """What the ends of each worker counted while all pairs were tested at once."""
    paths: Mapping[str, HostPath] = field(default_factory=dict)
    """What was read of the ends of pairs that fail."""
    unfiltered: Mapping[str, str] = field(default_factory=dict)
    """The workers with pods on which iptables does not see what the pod bridge passes on, each with the reason."""


def probe(
    fleet: Fleet, cluster: Cluster, facts: Mapping[str, HostFacts], emit: Emit, *, cause: Cause, send: bool
) -> Probed:
    """Ask the kernels, and test traffic between every ordered pair of workers, by the best evidence of both ends.

    Probe addresses are put on `lo` where a worker has no pod bridge, and removed at the end; the kernel removes
    them by itself should the connection die.

    Args:
        facts: what was read of each host just now.
        cause: distinguishes pairs that failed for different known reasons.
        send: whether traffic is to be sent.
    """
    probing = _Probing(fleet, cluster, facts, emit, cause)
    if send:
        probing.choose_points()
    try:
        checks = probing.prepare()
        if send:
            probing.test()
    finally:
        probing.clean_up()
    return Probed(checks, probing.pairs(), probing.counted, probing.paths, probing.unfiltered)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a worker answered before any traffic was sent."""

    checks: tuple[ForwardingCheck, ...]
    bridge: Result | None
    """Whether iptables sees what a bridge passes on."""
    added: Result | None
    """What became of its probe address."""
    readout: Readout | None


def _unfiltered(result: Result) -> str | None:
    """Return why iptables does not see what a bridge passes on; None where it does."""
    if not result.ok:
        return "br_netfilter is not loaded"
    return "net.bridge.bridge-nf-call-iptables = 0" if result.out.strip() == "0" else None


def _with_first_answer(reading: PairReading, first: PairReading) -> PairReading:
    """Return a reading with what was answered to the first packet of full size: a kernel repeats it as its own."""
    if reading.is_narrow and first.is_narrow and (first.full_size_lost or "").startswith("From "):
        return replace(reading, full_size_lost=first.full_size_lost)
    return reading


class _Probing:
    """One proof under way.

    Attributes:
        counted: what each worker counted while all pairs were tested at once.
        paths: what was read of the ends of pairs that fail.
        unfiltered: the workers with pods on which iptables does not see what the pod bridge passes on, and why.
    """

    def __init__(
        self, fleet: Fleet, cluster: Cluster, facts: Mapping[str, HostFacts], emit: Emit, cause: Cause
    ) -> None:
        self.counted: dict[str, Counters] = {}
        self.paths: dict[str, HostPath] = {}
        self.unfiltered: dict[str, str] = {}
        self._fleet, self._cluster, self._facts, self._emit, self._cause = fleet, cluster, facts, emit, cause
        self._workers = tuple(n.name for n in cluster.workers)
        self._pinger = Pinger(fleet, cluster, emit)
        self._problems: dict[str, str] = {}
        """Why a worker cannot be probed."""
        self._probes: dict[str, IPv4Interface] = {}
        """What is on `lo` of which worker, or may be."""
        self._lapsed: set[str] = set()
        """Workers whose probe address had gone before it was removed."""
        self._readings: dict[Pair, PairReading] = {}

    def choose_points(self) -> None:
        """Choose who is probed, from where."""
        for node in self._cluster.workers:
            if not node.is_visited:
                self._problems[node.name] = f"{node.name} was left out"
            elif node.name not in self._facts or node.name not in self._fleet.sessions:
                self._problems[node.name] = f"{node.name} could not be read"
            elif worker := probed_worker(self._cluster, node, self._facts[node.name]):
                self._pinger.ready[node.name] = worker
            else:
                self._problems[node.name] = f"{node.name} has no pod CIDR"
        self._probes = probe_addresses(self._pinger.ready, self._facts)

    def prepare(self) -> tuple[ForwardingCheck, ...]:
        """Ask the kernels, add the probe addresses, and read the counters."""
        lifetime, ready = self._lifetime(), frozenset(self._pinger.ready)

        def work(task: HostTask) -> _Prepared:
            name = task.node
            found = verdicts(task, self._cluster, self._cluster.node(name), self._facts[name])
            bridge = task.run(programs.bridge_filter(), silent=True) if self._facts[name].pods else None
            added = task.run(programs.add_probe_address(self._probes[name], lifetime)) if name in self._probes else None
            return _Prepared(found, bridge, added, self._pinger.read(task) if name in ready else None)

        checks: list[ForwardingCheck] = []
        names = [name for name in self._workers if name in self._facts]
        for name, (done, why) in self._pinger.each(work, names, lambda _: "asking the kernel").items():
            prepared = done or _Prepared((), None, None, None)
            checks += prepared.checks
            if prepared.bridge is not None and (reason := _unfiltered(prepared.bridge)) is not None:
                self.unfiltered[name] = reason
            if prepared.readout is not None:
                self._pinger.last[name] = prepared.readout
            if prepared.added is not None and not prepared.added.ok:
                why = f"{name} has no probe address: {prepared.added.words}"
            if why is not None:
                self._problems.setdefault(name, why)
                self._pinger.ready.pop(name, None)
        return tuple(checks)

    def test(self) -> None:
        """Test all pairs at once; of those that fail some by themselves, and again all that these do not explain."""
        ready = self._pinger.ready
        pairs = [(a, b) for a in self._workers for b in self._workers if a != b]
        self._readings = self._pinger.together(p for p in pairs if p[0] in ready and p[1] in ready)
        for pair in pairs:
            if pair not in self._readings:
                why = self._problems.get(pair[0]) or self._problems.get(pair[1]) or "stopped"
                self._readings[pair] = self._pinger.untested(pair, why)
        budget = MAX_ALONE
        chosen = self._choose(budget)
        before = dict(self._pinger.last)
        self._settle(chosen)
        last = self._pinger.last
        self.counted = {name: last[name].total_since(before[name]) for name in ready if name in last and name in before}
        while chosen:
            tested = list(dict.fromkeys(chosen.values()))
            budget -= len(tested)
            for pair, reading in self._pinger.alone(tested).items():
                self._readings[pair] = _with_first_answer(reading, self._readings[pair])
            self._readings |= self._pinger.together(self._compare(chosen))
            if chosen := self._choose(budget):
                self._settle(chosen)

    def clean_up(self) -> None:
        """Remove the probe addresses that are still there."""

        def delete(session: Session) -> Result:
            task = HostTask(session, Phase.PROOF, self._emit)
            return task.run(programs.delete_probe_address(self._probes[session.node]))

        if self._probes and not self._fleet.stop.hard.is_set():
            for name, outcome in self._fleet.each(delete, self._probes, even_when_stopping=True).items():
                self._note_removal(name, outcome.value)

    def pairs(self) -> tuple[PairReading, ...]:
        """Return the readings, in order. What failed where a probe address had gone too early may not fail at all."""
        place = {name: number for number, name in enumerate(self._workers)}
        found: list[PairReading] = []
        for pair in sorted(self._readings, key=lambda pair: (place[pair[0]], place[pair[1]])):
            reading = self._readings[pair]
            gone = next((name for name in pair if name in self._lapsed), None)
            if gone is not None and reading.tested and not reading.ok:
                reading = self._pinger.untested(pair, f"{gone} lost its probe address meanwhile")
            found.append(reading)
        return tuple(found)

    # --- their parts ---

    def _lifetime(self, rounds: int = 0) -> int:
        """Return the seconds that a probe address lives: as long as all pings may take until it is renewed."""
        count = len(self._pinger.ready)
        pings = programs.PINGS_TIMEOUT * -(-count // programs.MAX_PINGS) + programs.PING_TIMEOUT * _PINGS_ALONE * rounds
        return _SPARE_SECONDS + int(pings) * -(-count // self._fleet.parallel)

    def _choose(self, budget: int) -> dict[Pair, Pair]:
        """Choose which pairs are tested by themselves for which that failed, as far as that is not done."""
        failed = {
            pair: (self._cause(reading), reading.words)
            for pair, reading in self._readings.items()
            if reading.tested and not reading.ok and not reading.alone and reading.same_as is None
        }
        return representatives(failed, self._workers, budget)

    def _compare(self, chosen: Mapping[Pair, Pair]) -> list[Pair]:
        """Note the pairs that fail as the one that stands for them. Returns those whose stand-in gets through."""
        again: list[Pair] = []
        for pair, stand_in in chosen.items():
            reading = self._readings[stand_in]
            if pair != stand_in and reading.ok:
                again.append(pair)
            elif pair != stand_in and reading.tested:
                self._readings[pair] = replace(self._readings[pair], same_as=stand_in)
        return again

    def _settle(self, chosen: Mapping[Pair, Pair]) -> None:
        """Read the counters, and what decides between the ends of pairs that are tested by themselves next.

        And where there are pods, the rules of the firewall: a ping may pass where a connection does not.

        Renew the probe addresses, or remove them where no more pings are sent.
        """
        lifetime = self._lifetime(len(in_rounds(dict.fromkeys(chosen.values()))))
        partners = self._partners(dict.fromkeys(chosen.values()))

        def work(task: HostTask) -> tuple[Readout, HostPath | None, Result | None]:
            readout, probe = self._pinger.read(task), self._probes.get(task.node)
            facts, path = self._facts[task.node], None
            if task.node in partners or (facts.pods and task.node not in self.paths):
                path = read_path(task, facts, self._in_device(task.node), partners.get(task.node, ()))
            if probe is None:
                return readout, path, None
            change = programs.add_probe_address(probe, lifetime) if chosen else programs.delete_probe_address(probe)
            return readout, path, task.run(change)

        for name, (done, _) in self._pinger.each(work, self._pinger.ready, lambda _: "reading counters").items():
            if done is None:
                self._pinger.last.pop(name, None)
                continue
            self._pinger.last[name], path, removed = done
            if path is not None:
                before = self.paths.get(name, path)
                self.paths[name] = replace(path, lookups={**before.lookups, **path.lookups})
            if not chosen:
                self._note_removal(name, removed)

    def _partners(self, pairs: Iterable[Pair]) -> dict[str, list[Partner]]:
        """List by worker the others with which it is tested, each once."""
        found: dict[str, dict[str, Partner]] = {}
        for pair in pairs:
            for own, other in (pair, pair[::-1]):
                left, right = ends(self._pinger.ready[own], self._pinger.ready[other])
                is_pod = left.evidence is Evidence.POD
                found.setdefault(own, {})[other] = Partner(other, left.address, right.address, is_pod)
        return {name: list(others.values()) for name, others in found.items()}

    def _in_device(self, name: str) -> str | None:
        """Return the interface at which packets of other workers arrive: the one with the internal address.

        Or that of the overlay, which hands them on as if they came in by it.
        """
        if self._cluster.has_overlay:
            return DEVICE
        return self._facts[name].device_of(self._cluster.node(name).internal)

    def _note_removal(self, name: str, result: Result | None) -> None:
        if result is not None:
            self._probes.pop(name, None)
            if not result.ok:
                self._lapsed.add(name)
