"""Time on the modelled hosts. Whoever waits can be woken by a cancellation."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Where the model takes its time from."""

    def now(self) -> float:
        """Return seconds since some fixed moment; never goes back."""

    def wait(self, seconds: float, cancelled: threading.Event) -> bool:
        """Let `seconds` pass. True if `cancelled` was set before they were over."""


class RealClock:
    """Time as it passes."""

    def now(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()

    def wait(self, seconds: float, cancelled: threading.Event) -> bool:
        """Wait; a cancellation ends it at once."""
        return cancelled.wait(max(seconds, 0.0))
