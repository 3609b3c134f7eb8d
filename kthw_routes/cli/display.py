"""What is under way, a line per busy host, at the bottom of a terminal; it leaves nothing behind."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from kthw_routes.events import Event, EventKind, HostState

_MAX_LINES: Final = 16
"""Busy hosts that are shown at the most: those that reported last."""


class HostDisplay:
    """Draws the hosts on which something is under way.

    Attributes:
        note: what is shown above the hosts, next to how many are done; a signal handler may set it.
    """

    def __init__(self, console: Console) -> None:
        self.note = ""
        self._console: Final = console
        self._lock: Final = threading.Lock()
        self._live: Live | None = None
        self._spinner: Final = Spinner("dots")
        self._title = ""
        self._total = 0
        self._busy: dict[str, str] = {}
        """Host -> what it does, the one that reported last at the end."""
        self._done: set[str] = set()

    @contextmanager
    def showing(self, title: str, total: int) -> Iterator[None]:
        """Within it, events are shown. `total`: how many hosts there are."""
        self._title, self._total, self._busy, self._done = title, total, {}, set()
        live = self._live = Live(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        try:
            with live:
                yield
        finally:
            self._live = None

    @property
    def is_shown(self) -> bool:
        """Whether events are shown now."""
        return self._live is not None

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Within it, the terminal is free for a question."""
        live = self._live
        if live is None:
            yield
            return
        live.stop()
        try:
            yield
        finally:
            if self._live is live:
                live.start()

    def take(self, event: Event) -> None:
        """Show what happens on a host; called from many threads."""
        host = event.host
        if host is None or event.state is HostState.WAITING:
            return
        with self._lock:
            before = self._busy.pop(host, "")
            if event.state is not None and event.state.is_final:
                self._done.add(host)
            elif event.state is not None:
                self._busy[host] = event.text
            elif host not in self._done:
                self._busy[host] = f"$ {event.text}" if event.kind is EventKind.COMMAND else before

    def _draw(self) -> RenderableType:
        room = max(1, min(_MAX_LINES, self._console.height - 3))
        with self._lock:
            busy, done = list(self._busy.items())[-room:], len(self._done)
        self._spinner.update(text=Text(f"{self._title}: {done} of {self._total} hosts. {self.note}".rstrip(" ")))
        lines = (Text(f"  {host:<14} {words}", no_wrap=True, overflow="ellipsis") for host, words in sorted(busy))
        return Group(self._spinner, *lines)
