"""--commit-within: every host takes its changes back by itself, unless they are confirmed over a fresh connection."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from kthw_routes.cluster import Node
from kthw_routes.errors import RecordError
from kthw_routes.events import Emit, Event, EventKind, HostState, Step
from kthw_routes.facts import HostFacts
from kthw_routes.hosts import rollback_timer
from kthw_routes.hosts.fleet import Fleet, Outcome
from kthw_routes.hosts.rollback_timer import Commitment
from kthw_routes.hosts.visit import Visit
from kthw_routes.plan.changes import HostPlan
from kthw_routes.record.run import Run
from kthw_routes.rollback import Fate
from kthw_routes.ssh.errors import HostError
from kthw_routes.ssh.session import Session
from kthw_routes.workflow.results import Report

_KEPT_BY_REBOOT: Final = "a reboot before then keeps what is in files"
"""What a host that is told to take its changes back does not take back: the order does not survive a reboot."""


class Switches:
    """The dead man's switches of one run, one per host on which something is changed."""

    def __init__(self, run: Run, seconds: int) -> None:
        """`seconds`: the time from a host's change until it takes that back."""
        self._record: Final = run
        self._run: Final = run.folder.name
        self._seconds: Final = seconds
        self._armed: dict[str, datetime] = {}

    def arm(self, visit: Visit, node: Node, todo: HostPlan, facts: HostFacts) -> None:
        """Let the host take back by itself what is about to be done there; once for each host.

        Raises HostError, RecordError: then nothing may be done.
        """
        fires_at = rollback_timer.arm(visit, node, facts, self._run, self._seconds, todo)
        try:
            self._record.journal({"host": visit.node, "dead_man": Fate.ARMED, "fires_at": fires_at.isoformat()})
        except RecordError:
            with suppress(HostError):  # where it stays, it finds nothing to take back
                rollback_timer.disarm(visit, self._run)
            raise
        self._armed[visit.node] = fires_at

    def besides(self, facts: HostFacts) -> HostFacts:
        """The facts without this run's own switch, which is no news while it is under way."""
        others = tuple(run for run in facts.network.switches if run != self._run)
        return replace(facts, network=replace(facts.network, switches=others))

    def commit(self, fleet: Fleet, report: Report, *, holds: bool, emit: Emit) -> tuple[Commitment, ...]:
        """Take the switches away where the host was read back right, if the proof `holds`."""
        done = [n for n in self._armed if report.outcomes[n].state is HostState.DONE] if holds else []

        def disarm(session: Session) -> bool:
            session.close()
            session.open()
            return rollback_timer.disarm(Visit(session, Step.PROOF, emit), self._run)

        told = fleet.each(disarm, done)
        commitments = tuple(self._commitment(n, told.get(n), holds, report) for n in self._armed)
        for one in commitments:
            emit(Event(Step.PROOF, EventKind.NOTE, one.sentence, one.node))
            self._record.note({"host": one.node, "dead_man": one.fate})
            if one.fate is not Fate.ARMED:
                del self._armed[one.node]
        return commitments

    def _commitment(self, node: str, told: Outcome[bool] | None, holds: bool, report: Report) -> Commitment:
        if told is not None and told.value is True:
            return Commitment(node, Fate.KEPT, f"{node}: confirmed over a fresh connection; the changes stay.")
        if told is not None and told.value is False:
            return Commitment(node, Fate.FIRED, f"{node}: not confirmed in time; it took its changes back by itself.")
        why = "the proof does not hold"
        if told is not None:
            why = f"it could not be told otherwise: {told.error.sentence}" if told.error else "the work was stopped"
        elif holds:
            why = f"it ended as “{report.outcomes[node].state}”"
        at = rollback_timer.clock(self._armed[node])
        words = f"{node}: takes its changes back by itself at {at} ({why}); {_KEPT_BY_REBOOT}."
        return Commitment(node, Fate.ARMED, words)
