"""A clock that does not wait."""

import threading


class FastClock:
    """Time that passes only when somebody waits, and then at once."""

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
