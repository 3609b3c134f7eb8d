"""Modelled time: real in the lab, instant in tests. Whoever waits can be woken by a cancellation."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Where the model takes its time from."""

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    def wait(self, seconds: float, cancelled: threading.Event) -> bool:
        """Let `seconds` pass. True if `cancelled` was set before they were over."""


class RealClock:
    """Time as it passes."""

    def now(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()

    def wait(self, seconds: float, cancelled: threading.Event) -> bool:
        """Wait; a cancellation ends it at once."""
        return cancelled.wait(max(seconds, 0.0))


class FastClock:
    """Time that passes only when somebody waits, and then at once. For tests."""

    def __init__(self, start: float = 1000.0) -> None:
        self._lock = threading.Lock()
        self._now = start

    def now(self) -> float:
        """Seconds of modelled time."""
        with self._lock:
            return self._now

    def wait(self, seconds: float, cancelled: threading.Event) -> bool:
        """Move the clock on, unless cancelled already."""
        if cancelled.is_set():
            return True
        self.advance(max(seconds, 0.0))
        return False

    def advance(self, seconds: float) -> None:
        """Let `seconds` have passed."""
        with self._lock:
            self._now += seconds
