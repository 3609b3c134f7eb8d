"""How the hosts of a run ended: each is told once, to the listeners and to the journal, and stays as it was told."""

import threading
from collections.abc import Mapping
from typing import Final

from kthw_routes.events import Emit, Event, EventKind, HostOutcome, HostState, Phase
from kthw_routes.hosts import apply as applying
from kthw_routes.hosts.fleet import TaskResult
from kthw_routes.hosts.sent import Sent
from kthw_routes.record.run import Run


class Endings:
    """The ends of the hosts. After a hard stop nobody waits for a host's thread, and it may still come to its own."""

    def __init__(self, run: Run, emit: Emit) -> None:
        """`run`: in whose journal they are; `emit`: to whom they are reported."""
        self._run: Final = run
        self._emit: Final = emit
        self._told: Final[dict[str, HostOutcome]] = {}
        self._lock: Final = threading.Lock()

    def tell(self, outcome: HostOutcome) -> HostOutcome:
        """Tell how a host ended, in the host's thread. Returns how it did: if it was told before, as it was told."""
        return self._tell(outcome, is_recorded=True)

    @staticmethod
    def not_started(name: str) -> str:
        """Return what is said of a host whose work never began."""
        return f"{name}: not started; nothing was changed there."

    def gather(self, done: Mapping[str, TaskResult[HostOutcome]], sent: Mapping[str, Sent]) -> dict[str, HostOutcome]:
        """Return how all ended, host by host; tell it of those whose work came to no end by itself.

        `sent`: what was sent to each. From now on nothing is sent to those any more.
        """
        return {
            name: result.value or self._tell(_broken_off(name, result, sent[name]), is_recorded=False)
            for name, result in done.items()
        }

    def _tell(self, outcome: HostOutcome, *, is_recorded: bool) -> HostOutcome:
        with self._lock:
            if outcome.node in self._told:
                return self._told[outcome.node]
            words = outcome.sentence or outcome.state
            self._emit(Event(Phase.RUN, EventKind.STATE, words, outcome.node, outcome.state))
            record = {"host": outcome.node, "state": outcome.state, "failed": dict(outcome.failed_rows)}
            if is_recorded and not self._run.note(record):
                outcome = outcome.unrecorded
            self._told[outcome.node] = outcome
            return outcome


def _broken_off(name: str, result: TaskResult[HostOutcome], sent: Sent) -> HostOutcome:
    if result.started or result.error is not None:
        return applying.ended(name, result.error, sent)
    sent.end()  # its thread may be about to begin
    return HostOutcome(name, HostState.NOT_STARTED, Endings.not_started(name))
