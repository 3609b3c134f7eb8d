"""What is to happen on a modelled host at a later moment.

Nothing waits for that moment: whoever uses the host next makes what is due happen first, and so finds the
host as if it had happened in time. This holds for every clock, and leaves no thread behind.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from kthw_routes.demo.clock import Clock


@dataclass(eq=False, slots=True)
class Appointment:
    """Something that will be done once."""

    when: float
    """On the host's clock."""
    action: Callable[[], None]


class Agenda:
    """The appointments of one host."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._appointments: list[Appointment] = []
        self._busy = False

    def at(self, when: float, action: Callable[[], None]) -> Appointment:
        """Do something at a moment of the clock, or soon after."""
        appointment = Appointment(when, action)
        with self._lock:
            self._appointments.append(appointment)
        return appointment

    def cancel(self, appointment: Appointment) -> None:
        """Do not do it; nothing happens where it was done already."""
        with self._lock:
            self._appointments = [a for a in self._appointments if a is not appointment]

    def clear(self) -> None:
        """Do none of it."""
        with self._lock:
            self._appointments = []

    def run_due(self) -> None:
        """Do what is due, the earliest first. Does nothing while it is at it already, here or in another thread."""
        while True:
            with self._lock:
                now = self._clock.now()
                due = min((a for a in self._appointments if a.when <= now), key=lambda a: a.when, default=None)
                if self._busy or due is None:
                    return
                self._busy = True
                self._appointments.remove(due)
            try:
                due.action()
            finally:
                self._busy = False
