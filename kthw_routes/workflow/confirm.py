"""--commit-within: every host rolls back automatically, unless its changes are confirmed over a fresh connection."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from kthw_routes.errors import RecordError
from kthw_routes.events import Emit, Event, EventKind, HostState, Phase
from kthw_routes.facts import HostFacts
from kthw_routes.hosts import rollback_timer
from kthw_routes.hosts.fleet import Fleet, TaskResult
from kthw_routes.hosts.rollback_timer import RollbackTimer
from kthw_routes.hosts.task import HostTask
from kthw_routes.plan.changes import HostPlan
from kthw_routes.record.run import Run
from kthw_routes.rollback import RollbackState
from kthw_routes.ssh.errors import HostError
from kthw_routes.ssh.session import Session
from kthw_routes.workflow.results import Report

_KEPT_BY_REBOOT: Final = "a reboot before then keeps what is in files"
"""What an automatic rollback does not undo: its timer is gone after a reboot."""


class RollbackTimers:
    """The automatic rollbacks of one run, one per host on which something is changed."""

    def __init__(self, run: Run, seconds: int) -> None:
        """`seconds`: the time from a host's change until it takes that back."""
        self._record: Final = run
        self._run: Final = run.folder.name
        self._seconds: Final = seconds
        self._pending: dict[str, datetime] = {}

    def start(self, task: HostTask, todo: HostPlan, facts: HostFacts) -> None:
        """Let the host undo by itself what is about to be done there, unless that is confirmed; once for each host.

        Raises HostError, RecordError: then nothing may be done.
        """
        fires_at = rollback_timer.start(task, facts, self._run, self._seconds, todo)
        try:
            self._record.journal(
                {"host": task.node, "dead_man": RollbackState.PENDING, "fires_at": fires_at.isoformat()}
            )
        except RecordError:
            with suppress(HostError):  # where it stays, it finds nothing to undo
                rollback_timer.cancel(task, self._run)
            raise
        self._pending[task.node] = fires_at

    def besides(self, facts: HostFacts) -> HostFacts:
        """Return the facts without this run's own rollback, which is not reported while it is under way."""
        others = tuple(run for run in facts.network.rollbacks if run != self._run)
        return replace(facts, network=replace(facts.network, rollbacks=others))

    def commit(self, fleet: Fleet, report: Report, *, holds: bool, emit: Emit) -> tuple[RollbackTimer, ...]:
        """Cancel the rollbacks where the host was read back right, if the proof `holds`."""
        done = [n for n in self._pending if report.outcomes[n].state is HostState.DONE] if holds else []

        def cancel(session: Session) -> bool:
            session.close()
            session.open()
            return rollback_timer.cancel(HostTask(session, Phase.PROOF, emit), self._run)

        results = fleet.each(cancel, done)
        timers = tuple(self._timer(n, results.get(n), holds, report) for n in self._pending)
        for one in timers:
            emit(Event(Phase.PROOF, EventKind.NOTE, one.sentence, one.node))
            self._record.note({"host": one.node, "dead_man": one.rollback})
            if one.rollback is not RollbackState.PENDING:
                del self._pending[one.node]
        return timers

    def _timer(self, node: str, result: TaskResult[bool] | None, holds: bool, report: Report) -> RollbackTimer:
        if result is not None and result.value is True:
            return RollbackTimer(
                node, RollbackState.CONFIRMED, f"{node}: confirmed over a fresh connection; the changes stay."
            )
        if result is not None and result.value is False:
            return RollbackTimer(
                node, RollbackState.ROLLED_BACK, f"{node}: not confirmed in time; it rolled back automatically."
            )
        why = "the proof does not hold"
        if result is not None:
            why = f"it could not be cancelled: {result.error.sentence}" if result.error else "the work was stopped"
        elif holds:
            why = f"it ended as “{report.outcomes[node].state}”"
        at = rollback_timer.clock(self._pending[node])
        words = f"{node}: rolls back automatically at {at} ({why}); {_KEPT_BY_REBOOT}."
        return RollbackTimer(node, RollbackState.PENDING, words)
