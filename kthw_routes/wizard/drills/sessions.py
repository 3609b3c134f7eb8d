"""The shells of a drill, one per node: what they printed, what was typed there. Knows nothing of screens."""

import threading
from typing import Final

from kthw_routes.demo.programs.viewing import CLEARED
from kthw_routes.drills.practice import Practice
from kthw_routes.wizard.widgets.host_log import TextBuffer
from kthw_routes.words import Tone

_MAX_WAITING: Final = 1 << 16
"""Characters that wait to be shown; a program that prints more waits."""


class NodeSession:
    """A shell on one node. Its programs run in threads; `collect` takes over what they printed."""

    def __init__(self, practice: Practice, node: str) -> None:
        self._practice, self.node = practice, node
        self.buffer: Final = TextBuffer()
        self.history: Final[list[str]] = []
        self._shell = practice.open_shell(node, self._take)
        self._thread: threading.Thread | None = None
        self._waiting: list[str] = []
        self._room = threading.Condition()
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether a program runs, as far as was collected."""
        return self._thread is not None

    @property
    def has_news(self) -> bool:
        """Whether `collect` has something to do."""
        return bool(self._waiting) or (self._thread is not None and not self._thread.is_alive())

    @property
    def prompt(self) -> str:
        """The prompt; empty while a program runs, or what one printed waits to be shown."""
        return "" if self._thread is not None or self._waiting else self._shell.prompt

    def enter(self, line: str) -> None:
        """Run a line; while a program runs, give it the line."""
        if self.is_busy:
            self.buffer.write(f"{line}\n")
            self._shell.type(line)
            return
        self.buffer.write(f"{self._shell.prompt}{line}\n", Tone.NEW)
        self._thread = threading.Thread(target=self._shell.run, args=(line,), name="drill-shell", daemon=True)
        self._thread.start()

    def interrupt(self) -> None:
        """End the program that runs: ^C."""
        self.buffer.write("^C\n")
        if self.is_busy:
            self._shell.interrupt()

    def end_input(self) -> None:
        """Tell the program that runs that nothing more is typed: ^D."""
        if self.is_busy:
            self._shell.end_input()

    def collect(self) -> None:
        """Take over what was printed, in the interface's thread."""
        with self._room:
            waiting, self._waiting = self._waiting, []
            self._room.notify_all()
        _before, is_cleared, printed = "".join(waiting).rpartition(CLEARED)
        if is_cleared:
            self.buffer.clear()
        if printed:
            self.buffer.write(printed)
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
            for number, line in enumerate(self._shell.take_unread()):  # typed ahead
                self.enter(line) if number == 0 else self._shell.type(line)
        if self._shell.is_over and not self.is_busy:
            self.buffer.write("logout\n")
            self._shell = self._practice.open_shell(self.node, self._take)

    def close(self) -> None:
        """End what runs."""
        with self._room:
            self._is_closed = True
            self._room.notify_all()
        self._shell.interrupt()

    def _take(self, text: str) -> None:
        with self._room:
            while sum(map(len, self._waiting)) > _MAX_WAITING and not self._is_closed:
                self._room.wait()
            self._waiting.append(text)
