"""Presenting: a run that stops before each host's change until the person goes on. Knows nothing of screens."""

import threading
from collections.abc import Callable
from typing import Final

from kthw_routes.hosts.fleet import Stop

_POLL: Final = 0.1
"""Seconds between two checks of the stop signal while a host is held back."""


class Pace:
    """Holds hosts back, and lets them go one at a time."""

    def __init__(self, *, is_on: bool = False) -> None:
        self.changed: Callable[[], None] = lambda: None
        """Called in any thread whenever another host is held back, or none is."""
        self._is_on = is_on
        self._held: list[str] = []
        self._busy: set[str] = set()
        """The hosts that were let go and have not ended yet."""
        self._condition: Final = threading.Condition()

    @property
    def is_on(self) -> bool:
        """Whether hosts are held back."""
        return self._is_on

    @property
    def held(self) -> tuple[str, ...]:
        """The hosts that are held back, the next to go first; none while one that was let go is at work."""
        with self._condition:
            return () if self._busy else tuple(self._held)

    def clear(self) -> None:
        """Forget the hosts of an earlier run."""
        with self._condition:
            self._held.clear()
            self._busy.clear()

    def turn(self) -> None:
        """Hold hosts back from now on, or let all go."""
        with self._condition:
            self._is_on = not self._is_on
            if not self._is_on:
                self._held.clear()
            self._condition.notify_all()
        self.changed()

    def wait(self, host: str, stop: Stop) -> bool:
        """Wait in a host's thread until it may be changed. Returns whether it may: not once a stop is asked for."""
        with self._condition:
            if self._is_on:
                self._held.append(host)
                self.changed()
            while host in self._held and not stop.requested:
                self._condition.wait(_POLL)
            if host in self._held:
                self._held.remove(host)
        return not stop.requested

    def go_on(self) -> None:
        """Let the next host go."""
        with self._condition:
            if self._held and not self._busy:
                self._busy.add(self._held.pop(0))
                self._condition.notify_all()
        self.changed()

    def note_end(self, host: str) -> None:
        """Note that a host has ended."""
        with self._condition:
            self._busy.discard(host)
        self.changed()
