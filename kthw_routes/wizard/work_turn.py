"""One piece of blocking work at a time, each with a stop signal of its own. Knows nothing of screens."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from kthw_routes.errors import Cancelled
from kthw_routes.hosts.fleet import Stop

T = TypeVar("T")

_CUT_OFF_SECONDS: Final = 0.3
"""How long a run may take to report how its hosts ended, once they are cut off."""


class WorkTurn:
    """Runs work in turn: abandoned work may need a moment to end before the next begins."""

    def __init__(self, use_stop_signal: Callable[[Stop], None]) -> None:
        """`use_stop_signal`: called in the work's thread just before the work, with its signal."""
        self._use_stop_signal = use_stop_signal
        self._stop = self.signal = Stop()
        """`signal`: of the work that is running, or ran last."""
        self._turn = threading.Lock()
        self._is_ending = False

    def begin(self) -> Callable[[Callable[[], T]], T]:
        """Forget an earlier stop. Returns what runs the work, in the work's thread."""
        stop = self._stop = Stop()
        if self._is_ending:
            stop.request(now=True)

        def run(work: Callable[[], T]) -> T:
            with self._turn:
                if stop.requested:
                    raise Cancelled
                self.signal = stop
                self._use_stop_signal(stop)
                return work()

        return run

    def stop(self, *, now: bool = False) -> None:
        """Ask the work that began last to stop."""
        self._stop.request(now=now)

    @property
    def is_stopping(self) -> bool:
        """Whether the work that began last was asked to stop."""
        return self._stop.requested

    def end(self, patience: float) -> None:
        """Stop the work, from any thread, and start no other.

        Hosts that have started get `patience` seconds to finish, then they are cut off.
        """
        self._is_ending = True
        self.stop()
        self.signal.request()
        if not self._turn.acquire(timeout=patience):
            self.stop(now=True)
            self.signal.request(now=True)
            self._turn.acquire(timeout=_CUT_OFF_SECONDS)  # never released: nothing begins after this
