"""The logs of a run: per host the changes alone, wrapped to the screen, and every command."""

from kthw_routes.events import Event
from kthw_routes.wizard.text import run_rows
from kthw_routes.wizard.widgets.host_log import LogBuffer


class RunLogs:
    """Two logs per host; which of them is shown can be turned."""

    def __init__(self) -> None:
        self._whole: dict[str, LogBuffer] = {}
        self._short: dict[str, LogBuffer] = {}
        self._events: dict[str, list[Event]] = {}
        """What the short logs show: few lines per host."""
        self._columns = 0
        self._is_whole = False

    def clear(self) -> None:
        """Forget all lines."""
        self._whole.clear()
        self._short.clear()
        self._events.clear()

    def add(self, host: str, event: Event) -> None:
        """Add what happened on a host."""
        self._whole.setdefault(host, LogBuffer()).add(event)
        if (shown := run_rows.main_event(event)) is not None:
            self._events.setdefault(host, []).append(shown)
            if host in self._short:
                self._short[host].add(shown)

    def turn(self) -> None:
        """Show every command, or the changes alone."""
        self._is_whole = not self._is_whole

    def of(self, host: str, columns: int) -> LogBuffer:
        """Return the log of a host that is shown, as wide as the screen."""
        if self._is_whole:
            return self._whole.setdefault(host, LogBuffer())
        if columns != self._columns:
            self._columns = columns
            self._short.clear()
        if host not in self._short:
            buffer = self._short[host] = LogBuffer(wrap=columns)
            for event in self._events.get(host, ()):
                buffer.add(event)
        return self._short[host]

    def title(self, host: str) -> str:
        """Name the log of a host."""
        return f"{host}{', every command' if self._is_whole else ''}"
