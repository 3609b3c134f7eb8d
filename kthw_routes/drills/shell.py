"""A shell on a node of the lab that somebody types into line by line, with ^C, in whatever window shows it."""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from kthw_routes.demo.host import ModelHost


class NodeShell:
    """A login on a node. `run` blocks; `type`, `end_input` and `interrupt` are for other threads meanwhile."""

    def __init__(self, host: ModelHost, write: Callable[[str], None]) -> None:
        """`write` gets what commands print, from their threads."""
        self.node: Final = host.name
        self._shell = host.open_shell("root")
        self._write: Final = write
        self._typed = _Typed()
        self._running = threading.Event()
        self.is_busy = False
        """Whether a command runs."""

    @property
    def prompt(self) -> str:
        """The text before the next line."""
        return self._shell.prompt

    @property
    def is_over(self) -> bool:
        """Whether `exit` was typed."""
        return self._shell.is_over

    def run(self, line: str) -> int:
        """Run one line and return its status; 130 where it was interrupted."""
        self._running = threading.Event()
        self._typed = _Typed()
        self.is_busy = True
        try:
            return self._shell.execute(
                line, stdin=self._typed, stdout=self._print, stderr=self._print, cancelled=self._running
            )
        finally:
            self.is_busy = False

    def take_unread(self) -> tuple[str, ...]:
        """Return what was typed and that no command read, as the next commands."""
        return self._typed.take()

    def type(self, line: str) -> None:
        """Give a line to the command that runs."""
        self._typed.put(f"{line}\n".encode())

    def end_input(self) -> None:
        """Tell the command that runs that nothing more is typed: ^D."""
        self._typed.put(b"")

    def interrupt(self) -> None:
        """End the command that runs: ^C. What was typed ahead is forgotten."""
        self._running.set()
        self._typed.take()
        self._typed.put(b"")

    def _print(self, written: bytes) -> None:
        self._write(written.decode("utf-8", "replace"))


class _Typed:
    """What is typed for a running command: a stream of lines, until an empty one."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._rest = b""
        self._is_ended = False

    def take(self) -> tuple[str, ...]:
        """Take the lines that nobody read."""
        lines = []
        with suppress(queue.Empty):
            while True:
                lines.append(self._lines.get_nowait().decode().rstrip("\n"))
        return tuple(filter(None, lines))

    def put(self, line: bytes) -> None:
        """Add a line; an empty one ends the stream."""
        self._lines.put(line)

    def readline(self) -> bytes:
        """See Readable."""
        if not self._rest and not self._is_ended:
            self._rest = self._lines.get()
            self._is_ended = not self._rest
        line, self._rest = self._rest, b""
        return line

    def read(self, size: int = -1, /) -> bytes:
        """See Readable."""
        if size < 0:
            return b"".join(iter(self.readline, b""))
        line = self.readline()
        self._rest = line[size:]
        return line[:size]
