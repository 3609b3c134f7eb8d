"""The steps: find, inspect, review, run, prove. The wizard and the command line call these and add no logic.

A `Workflow` holds what lives across steps: the sessions, the stop signal, the run's folder.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from kthw_routes.cluster import Cluster
from kthw_routes.errors import OwnFault, UsageError
from kthw_routes.events import Emit, Event, EventKind, HostOutcome, HostState, Phase
from kthw_routes.facts import HostFacts
from kthw_routes.findings.model import Level
from kthw_routes.findings.overlay import of_overlay
from kthw_routes.findings.plan import of_plan, of_rollbacks
from kthw_routes.hosts import apply as applying
from kthw_routes.hosts import programs
from kthw_routes.hosts.fleet import Stop
from kthw_routes.hosts.probe import probe
from kthw_routes.hosts.rollback_timer import RollbackTimer
from kthw_routes.hosts.sent import Sent
from kthw_routes.options import Options
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import HostPlan
from kthw_routes.plan.overlay import carried
from kthw_routes.proof.causes import Layer
from kthw_routes.proof.diagnosis import explain_all, known_layer
from kthw_routes.proof.readings import Proof
from kthw_routes.proof.walls import with_connections
from kthw_routes.record.history import Runs
from kthw_routes.record.journal import host_record
from kthw_routes.record.json_plan import VERSION, finding_json, node_json
from kthw_routes.record.lock import ClusterLock
from kthw_routes.record.past_run import Kind, PastRun
from kthw_routes.record.run import Run
from kthw_routes.record.transcript import head, tail
from kthw_routes.sources import Discovery, FirewallSource, Source
from kthw_routes.ssh.session import Session
from kthw_routes.undo import plan as undo_plan
from kthw_routes.undo.by_hand import manual_undo
from kthw_routes.workflow.confirm import RollbackTimers
from kthw_routes.workflow.endings import Endings
from kthw_routes.workflow.read_hosts import Connections, Reader
from kthw_routes.workflow.results import Inspection, Report, Review

MAX_FIREWALLED: Final = 30
"""Nodes whose firewalls the provider is asked for, where packets are lost between nodes."""


class Workflow:
    """One walk through the steps, for one person, on one cluster."""

    def __init__(self, connections: Connections, options: Options, state: Path, emit: Emit) -> None:
        """`state`: the state folder. `emit` is called from many threads."""
        self.options = options
        self.stop = Stop()
        self._connections = connections
        self._state: Final = state
        self._listener: Final = emit
        self._reader = Reader(connections, options.parallel, self.stop, self._emit)
        self._run: Run | None = None
        self.record: Run | None = None
        """The folder of the run that `finish` ended: whether its record is whole."""
        self.listener_problem: str | None = None
        """What a listener raised when it was given an event: a fault of this program, which ends nothing."""
        self.may_begin: Callable[[str], bool] = lambda _node: True
        """Asked in a host's thread before the run begins there; it may wait. False: the host is not started."""
        self._source = ""
        self._firewalls: FirewallSource | None = None
        self._read_back: Final[dict[str, HostFacts]] = {}
        self._timers: RollbackTimers | None = None
        connections.report_to(lambda text: self._emit(Event(Phase.CHECKS, EventKind.NOTE, text)))

    # --- the steps ---

    def use_stop_signal(self, stop: Stop) -> None:
        """Go by this signal from now on: an earlier wish to stop is over."""
        self.stop = stop
        self._reader.fleet.stop = stop

    def was_rebuilt(self, node: str) -> None:
        """Forget this node's old host key at the next visit: the person says that it was rebuilt."""
        self._connections.was_rebuilt(node)

    def find(self, source: Source) -> Discovery:
        """Ask the source for the nodes. Raises KthwRoutesError."""
        self._source = source.title
        self._firewalls = source if isinstance(source, FirewallSource) else None
        discovery = source.find(emit=self._emit, cancel=self.stop.soft)
        if not self.options.only:
            return discovery
        unknown = self.options.only - {n.name for n in discovery.cluster}
        if unknown:
            names = ", ".join(n.name for n in discovery.cluster) or "none"
            raise UsageError(f"No node is named {' or '.join(sorted(unknown))}.", f"Found: {names}.")
        return replace(discovery, cluster=discovery.cluster.with_selection(self.options.only))

    def inspect(self, cluster: Cluster) -> Inspection:
        """Read every selected host. A host's failure is in `troubles`, not raised."""
        return self._reader.inspect(cluster, self.options.routes_on)

    def review(self, inspection: Inspection) -> Review:
        """Compare what is wanted with what was read. Pure."""
        options = self.options
        cluster = carried(inspection.cluster, inspection.facts, options.overlay)
        planner = planning.planner(cluster, options)
        made = planning.of_hosts(planner, cluster, inspection.facts)
        findings = (
            *inspection.findings,
            *of_overlay(cluster, inspection.facts, options.routes_on),
            *of_plan(made),
        )
        return Review(inspection=inspection, options=options, plan=made, findings=findings, planner=planner)

    def review_undo(self, inspection: Inspection, past: PastRun, runs: Runs) -> Review:
        """Compare what a run left with what was read. `inspection` is of the nodes of that run.

        Raises UsageError where the run's journal cannot be read any more.
        """
        past = past.with_records()
        later = runs.later_rows(past)
        planner = undo_plan.planner(past.journal, past.cluster, later)
        made = planning.of_hosts(planner, inspection.cluster, inspection.facts)
        skipped = (f for f in inspection.findings if f.level is Level.SKIP_HOST)
        pending = of_rollbacks(made)
        refused = undo_plan.refusals(made)
        findings = (*skipped, *pending, *refused, *undo_plan.remarks(past.journal, inspection.facts, later))
        left = frozenset(host for host, row in past.rows if (host, row) in later)
        over = {h.node for h in made.hosts if h.node in past.hosts and h.is_readable}
        return Review(
            inspection=inspection,
            options=self.options,
            plan=made,
            findings=findings,
            planner=planner,
            undoes=past.id,
            left=left,
            settles=frozenset(over - left - runs.undone(past).keys()),
        )

    def run(self, review: Review) -> Report:
        """Apply the plan, on all its hosts side by side.

        Raises UsageError where a *stop* finding forbids it, and KthwRoutesError where the record cannot be written
        or another run is under way.
        """
        self.record = None
        if review.stops:
            raise UsageError(review.stops[0].sentence, review.stops[0].hint)
        if review.plan.is_empty:
            facts = review.inspection.facts
            report = Report(
                review=review,
                outcomes={h.node: applying.nothing_to_do(h) for h in review.plan.hosts},
                folder=None,
                read_back={name: read for name, read in facts.items() if applying.is_recent(read)},
            )
            if review.settles:  # else the next `undo` would come to this run again, and never to an older one
                with self._lock(review):
                    self._begin(review)
                    self.finish(report, None)
            return report
        with self._lock(review):
            run = self._begin(review)
            if (seconds := self.options.commit_within) is not None:
                self._timers = RollbackTimers(run, seconds)
            todo = [h.node for h in review.plan.hosts]
            return self._report(review, self._apply(review, todo, again=False))

    def _begin(self, review: Review) -> Run:
        """Make the run's folder and write what is known by now."""
        self._run = run = Run.begin(self._state)
        run.write_plan(self._describe_run(review))
        run.write(head(review.inspection.cluster, review.plan, review.findings))
        if review.left:
            run.journal({"left": sorted(review.left)})
        return run

    def retry(self, report: Report) -> Report:
        """Run what is not done, and only that: each host is read again first.

        Raises UsageError after `commit_within`: what the first try did is rolled back automatically then.
        """
        if self._timers is not None:
            raise UsageError("With --commit-within there is one try only.", "Review again, and run that.")
        if self.stop.requested:
            self.use_stop_signal(Stop())
        with self._lock(report.review):
            outcomes = self._apply(report.review, report.unfinished, again=True)
        merged = {n: o.after(report.outcomes[n]) if n in report.outcomes else o for n, o in outcomes.items()}
        return self._report(report.review, {**report.outcomes, **merged})

    def prove(
        self, inspection: Inspection, *, fresh: Mapping[str, HostFacts] | None = None, as_carried: bool = False
    ) -> Proof:
        """Return the tables as they are now, the kernels' verdicts, and traffic for every ordered pair of workers.

        Args:
            inspection: the hosts.
            fresh: what was read just now, of hosts that need no second look.
            as_carried: whether routes are judged by how packets are carried now, not by how they are to be.
        """
        inspection = self._reader.read_again(inspection, self._without_own_timer, fresh or {})
        facts = inspection.facts
        cluster = carried(inspection.cluster, facts, None if as_carried else self.options.overlay)
        made = planning.make(cluster, facts, self.options)
        unread = tuple(e.sentence for e in inspection.troubles.values())

        known = Proof(made, (), (), facts=facts, pods=cluster.cidr)
        found = probe(
            self._reader.fleet,
            cluster,
            facts,
            self._emit,
            cause=partial(known_layer, known),
            send=self.options.probe,
        )
        for name in (n.name for n in cluster.workers if n.name in facts):
            self._emit(Event(Phase.PROOF, EventKind.STATE, "proof done", name, HostState.DONE))
        proof = replace(
            known,
            verdicts=found.verdicts,
            pairs=found.pairs,
            unread=unread,
            probed=self.options.probe,
            counters=found.counters,
            paths=found.paths,
            unfiltered=found.unfiltered,
        )
        return self._with_cloud(with_connections(proof))

    def _with_cloud(self, proof: Proof) -> Proof:
        """Add the provider's firewalls in front of the ends of pairs whose packets are lost between the nodes."""
        lost = [
            pair for pair, cause in explain_all(proof).items() if cause.layer in (Layer.NETWORK_OUT, Layer.NETWORK_BACK)
        ]
        ends = list(dict.fromkeys(name for pair in lost for name in pair))[:MAX_FIREWALLED]
        if not ends or self._firewalls is None:
            return proof
        return replace(proof, cloud=self._firewalls.firewalls(ends, emit=self._emit, cancel=self.stop.soft))

    def print_tables(self, names: Iterable[str]) -> dict[str, str]:
        """Return what `ip route` prints on hosts, byte for byte; of those that do not answer, why."""

        def read(session: Session) -> str:
            session.open()
            return self._reader.task(session, Phase.PROOF).run(programs.routes_as_printed()).out

        done = self._reader.fleet.each(read, names)
        return {n: r.value if r.value is not None else str(r.error or "not read") for n, r in done.items()}

    def commit(self, report: Report, proof: Proof | None) -> tuple[RollbackTimer, ...]:
        """Cancel the automatic rollbacks, each over a fresh connection.

        That needs the host to be read back right, and the proof to hold between all hosts that were read before the
        run, unless none was asked for. To be called before `finish`. What becomes of each such host is said in words;
        those that stay pending need no help.
        """
        if self._timers is None:
            return ()
        read = report.review.inspection.facts
        holds = not self.options.probe or (proof is not None and proof.holds_between(read))
        return self._timers.commit(self._reader.fleet, report, holds=holds, emit=self._emit)

    def finish(self, report: Report, proof: Proof | None) -> None:
        """Write the end of the transcript and close the run's folder, if there is one. Never raises: see `record`."""
        run = self._run
        if run is not None:
            by_hand = {way.host: way.lines for way in manual_undo(report.review.plan, report.outcomes)}
            run.write(tail(report.outcomes, proof, run.folder.name, by_hand))
            run.note({"end": {name: o.state for name, o in report.outcomes.items()}})
            run.close()
            self.record, self._run = run, None

    def close(self) -> None:
        """End every connection. Never waits."""
        self.stop.request(now=True)
        self._reader.fleet.close()

    # --- their parts ---

    def _emit(self, event: Event) -> None:
        """Report to the transcript and the listener. What these raise ends no work: no decision rests on a report."""
        run = self._run
        for listen in (*((run.log,) if run is not None else ()), self._listener):
            try:
                listen(event)
            except BaseException as error:  # SystemExit and MemoryError too: the work of a host is under way
                self.listener_problem = self.listener_problem or OwnFault(error).sentence
                if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                    self.stop.request()  # it was the person's, and came here only by chance

    def _describe_run(self, review: Review) -> dict[str, object]:
        """Return what an undo has to know of the run: its nodes, what it is for, how its hosts are reached.

        The rows of the plan are in the transcript, those that change something in the journal too: in a cluster of
        hundreds of nodes they are more than can be read again as one text.
        """
        cluster = review.inspection.cluster
        return {
            "version": VERSION,
            "cluster_cidr": str(cluster.cidr),
            "nodes": [node_json(n) for n in cluster],
            "findings": [finding_json(f) for f in review.findings],
            "changes": review.plan.changes,
            "drift": review.plan.is_drift,
            "kind": Kind.UNDO if review.undoes else Kind.APPLY,
            "undoes": review.undoes or None,
            "connection": {**self._connections.described, "source": self._source},
        }

    def _without_own_timer(self, facts: HostFacts) -> HostFacts:
        return self._timers.besides(facts) if self._timers is not None else facts

    def _apply(self, review: Review, names: Iterable[str], *, again: bool) -> dict[str, HostOutcome]:
        inspection, cluster, run = review.inspection, review.inspection.cluster, self._run
        wanted = list(names)
        self._read_back.clear()
        sent = {name: Sent() for name in wanted}
        if run is None:
            raise AssertionError("there is no record of this run")
        endings = Endings(run, self._emit)

        def work(session: Session) -> HostOutcome:
            node = cluster.node(session.node)
            if not self.may_begin(node.name):
                return HostOutcome(node.name, HostState.NOT_STARTED, endings.not_started(node.name))
            task = self._reader.task(session, Phase.RUN, sent[node.name])
            task.state(HostState.CONNECTING)
            session.open()
            return applying.apply(
                task,
                node,
                review.plan.host(node.name) or HostPlan(node.name),
                inspection.facts[node.name],
                review.planner,
                lambda todo, read: run.journal(host_record(todo, read)),
                start=self._timers.start if self._timers is not None else None,
                cancelled=lambda earlier: run.journal({"host": node.name, "called_off": earlier}),
                unsent=lambda: run.journal({"host": node.name, "void": True}),
                cluster_cidr=cluster.cidr,
                read_back=lambda read: self._read_back.update({node.name: read}),
                again=again,
            )

        for name in wanted:
            self._emit(Event(Phase.RUN, EventKind.STATE, str(HostState.WAITING), name, HostState.WAITING))

        done = self._reader.fleet.each(lambda session: endings.tell(work(session)), wanted)
        return endings.gather(done, sent)

    def _lock(self, review: Review) -> ClusterLock:
        """Return one run per cluster at a time: a cluster is known by its nodes' names and SSH addresses."""
        return ClusterLock(self._state, [f"{n.name} {n.ssh}" for n in review.inspection.cluster])

    def _report(self, review: Review, outcomes: Mapping[str, HostOutcome]) -> Report:
        folder = self._run.folder if self._run else None
        return Report(review=review, outcomes=outcomes, folder=folder, read_back=dict(self._read_back))
