"""Blocking work in daemon threads of our own, whose results and events wait until the interface collects them.

Threads of Textual's pool would keep the program from ending while a host hangs (measured), and a message per line
would stall the screen: so events go into a deque, and one timer collects them.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

from kthw_routes.errors import KthwRoutesError, OwnFault
from kthw_routes.events import Event

T = TypeVar("T")

_EVENTS_AT_ONCE: Final = 2000
"""How many events are drawn per tick, so that a flood of lines never stalls the screen."""


class Job:
    """One piece of work. Once `abandoned`, its result is dropped."""

    __slots__ = ("abandoned",)

    def __init__(self) -> None:
        self.abandoned = False


class Jobs:
    """Starts work; `drain` hands over what it left, in the caller's thread."""

    def __init__(self) -> None:
        self._results: Final[deque[Callable[[], None]]] = deque()
        self._events: Final[deque[Event]] = deque()

    def emit(self, event: Event) -> None:
        """Take an event, from any thread."""
        self._events.append(event)

    def call(self, what: Callable[[], None]) -> None:
        """Let the next `drain` call something, from any thread."""
        self._results.append(what)

    def start(self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[KthwRoutesError], None]) -> Job:
        """Run `work` in a thread; `drain` passes its value to `done`, or its error to `failed`."""
        job = Job()

        def finish(call: Callable[[], None]) -> None:
            self._results.append(lambda: None if job.abandoned else call())

        def run() -> None:
            try:
                value = work()
            except KthwRoutesError as error:
                known = error
                finish(lambda: failed(known))
            except Exception as error:  # the person must see it, whatever it is, and the screen must go on
                fault = OwnFault(error)
                finish(lambda: failed(fault))
            else:
                finish(lambda: done(value))

        threading.Thread(target=run, name="wizard-job", daemon=True).start()
        return job

    def drain(self, listen: Callable[[Event], None]) -> bool:
        """Hand over events in their order, then results. Returns whether there was anything.

        Results wait for all events: a step's end is never shown before its lines.
        """
        handed = 0
        while self._events and handed < _EVENTS_AT_ONCE:
            listen(self._events.popleft())
            handed += 1
        called = 0
        while self._results and not self._events:
            self._results.popleft()()
            called += 1
        return bool(handed or called)
