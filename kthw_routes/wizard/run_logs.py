"""The logs of a run: per host the changes alone, and every command."""

from kthw_routes.events import Event
from kthw_routes.wizard.text import run_rows
from kthw_routes.wizard.widgets.host_log import LogBuffer


class RunLogs:
    """Two logs per host; which of them is shown can be turned."""

    def __init__(self) -> None:
        self._whole: dict[str, LogBuffer] = {}
        self._short: dict[str, LogBuffer] = {}
        self._is_whole = False

    def clear(self) -> None:
        """Forget all lines."""
        self._whole.clear()
        self._short.clear()

    def add(self, host: str, event: Event) -> None:
        """Add what happened on a host."""
        self._whole.setdefault(host, LogBuffer()).add(event)
        if (shown := run_rows.main_event(event)) is not None:
            self._short.setdefault(host, LogBuffer()).add(shown)

    def turn(self) -> None:
        """Show every command, or the changes alone."""
        self._is_whole = not self._is_whole

    def of(self, host: str) -> LogBuffer:
        """Return the log of a host that is shown."""
        return (self._whole if self._is_whole else self._short).setdefault(host, LogBuffer())

    def title(self, host: str) -> str:
        """Name the log of a host."""
        return f"{host}{', every command' if self._is_whole else ''}"
