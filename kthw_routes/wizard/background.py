"""Blocking work beside the interface: daemon threads of our own, whose results and events wait until they are fetched.

Threads of Textual's own pool would keep the program from ending while a host hangs (measured), and a message per line
would stall the screen; so events gather in a deque, and one timer fetches them.
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
    """One piece of work. Once `abandoned`, nobody hears of its result."""

    __slots__ = ("abandoned",)

    def __init__(self) -> None:
        self.abandoned = False


class Jobs:
    """Starts work, and hands over what it left when `drain` is called, in the caller's thread."""

    def __init__(self) -> None:
        self._results: Final[deque[Callable[[], None]]] = deque()
        self._events: Final[deque[Event]] = deque()

    def emit(self, event: Event) -> None:
        """Take an event, from any thread."""
        self._events.append(event)

    def call(self, what: Callable[[], None]) -> None:
        """Have something called by the next `drain`, from any thread."""
        self._results.append(what)

    def start(self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[KthwRoutesError], None]) -> Job:
        """Do `work` in a thread; its value goes to `done`, or its error to `failed`, by way of `drain`."""
        job = Job()

        def finish(call: Callable[[], None]) -> None:
            self._results.append(lambda: None if job.abandoned else call())

        def labour() -> None:
            try:
                value = work()
            except KthwRoutesError as error:
                known = error
                finish(lambda: failed(known))
            except Exception as error:  # whatever it is, the person must hear of it and the screen must live
                fault = OwnFault(error)
                finish(lambda: failed(fault))
            else:
                finish(lambda: done(value))

        threading.Thread(target=labour, name="wizard-job", daemon=True).start()
        return job

    def drain(self, listen: Callable[[Event], None]) -> bool:
        """Hand over events in their order, then results. Returns whether there was anything.

        Results wait until all events are told: a step's end is never shown before its lines.
        """
        told = 0
        while self._events and told < _EVENTS_AT_ONCE:
            listen(self._events.popleft())
            told += 1
        called = 0
        while self._results and not self._events:
            self._results.popleft()()
            called += 1
        return bool(told or called)
