"""The end from outside: SIGTERM, SIGHUP, SIGINT (Ctrl-C is a key there), or a terminal that is gone.

Nothing here waits for the interface, whose thread may be blocked: Textual queues a few writes for a writer thread, and
waits once that cannot write because the terminal is gone or nobody reads. So a thread of our own learns of the end,
ends the work, and lets the interface quit where there is a terminal to restore. After MAX_ENDING the process ends,
whatever it waits for.

A terminal that reads nothing is not gone: screen's copy mode and a stalled network look the same, and the run goes on
meanwhile. Such a terminal only must not delay the end.
"""

import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, NoReturn, Protocol, Self

from kthw_routes.end_signals import end_signals
from kthw_routes.errors import ExitCode

MAX_ENDING: Final = 1.6
"""Seconds from the signal to the end of the process."""

MAX_FINISHING: Final = 0.8
"""How many of these seconds hosts that have started get, before they are cut off."""

_GONE: Final = select.POLLHUP | select.POLLERR

_RESTORE: Final = (
    b"\x18"  # ends an escape sequence that was cut off
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"  # no mouse
    b"\x1b[?2004l\x1b[?2048l\x1b[?1004l\x1b[<u"  # no marks around what is pasted, no reports, keys as ever
    b"\x1b[?1049l\x1b[?7h\x1b[?25h"  # the screen from before, lines wrapped, the cursor shown
)
"""Resets everything that Textual sets in a terminal."""


class Endable(Protocol):
    """An application as its end sees it."""

    def end_work(self, patience: float) -> None:
        """Stop the work, from any thread: what is under way gets `patience` seconds to finish."""

    def discard_labs(self) -> None:
        """Remove the files of the practice labs, from any thread."""

    def call_later(self, callback: Callable[..., Any], /) -> bool:
        """Call something in the interface's thread."""

    async def end(self) -> None:
        """Quit, once the work has ended."""


class Ending:
    """Watches for the end while the interface runs: a context manager of the main thread."""

    def __init__(self, app: Endable) -> None:
        self._app = app
        self._signals = end_signals(lambda _number: self._signalled(), signal.SIGINT)
        # In a browser the input is a pipe, which ends with the tab.
        self._terminals = [number for number in (0, 1, 2) if os.isatty(number)] or [0]
        self._before: list[Any] | None = None
        self._woken, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._watch, name="ending", daemon=True)
        self.has_begun = False
        """Whether the end came from outside."""

    def __enter__(self) -> Self:
        with suppress(termios.error):
            self._before = termios.tcgetattr(0)
        self._signals.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching; where the end has begun, wait for the work to end (at most until the process does)."""
        if self._is_gone():  # which may be why the interface left
            self.has_begun = True
        os.write(self._wake, b"\0")
        self._thread.join()
        self._signals.__exit__(kind, error, trace)
        os.close(self._wake)
        os.close(self._woken)

    def _signalled(self) -> None:
        """In the main thread, between any two instructions of it."""
        for number in (signal.SIGTSTP, signal.SIGCONT):  # Textual stops the process again when it is woken to end
            signal.signal(number, lambda *_: None)
        self.has_begun = True
        os.write(self._wake, b"\0")

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        for number in self._terminals:
            poll.register(number, 0)
        while True:
            for number, event in poll.poll():
                if number == self._woken:
                    if self.has_begun:
                        self._end()
                    return
                if event & _GONE:
                    self.has_begun = True
                    self._end()
                    return
                poll.unregister(number)  # this system cannot report it (macOS)

    def _end(self) -> None:
        deadline = threading.Timer(MAX_ENDING, self._leave_now)
        deadline.daemon = True
        deadline.start()
        self._app.end_work(MAX_FINISHING)
        if not self._is_ours():
            self._leave_now()
        self._app.call_later(self._app.end)

    def _is_gone(self) -> bool:
        poll = select.poll()
        for number in self._terminals:
            poll.register(number, 0)
        return any(event & _GONE for _, event in poll.poll(0))

    def _is_ours(self) -> bool:
        """Return whether a terminal shows the interface: it is not gone, and no shell is in the foreground."""
        if self._is_gone():
            return False
        try:
            return os.tcgetpgrp(0) == os.getpgrp()
        except OSError:  # not a controlling terminal
            return True

    def leave(self) -> NoReturn:
        """End the process, from any thread; the kernel releases the locks.

        The interpreter is bypassed: it would wait for threads, and for output that nobody reads (seconds, measured).
        """
        try:
            self._app.discard_labs()
        finally:  # whatever becomes of them
            os._exit(ExitCode.INTERRUPTED)

    def _leave_now(self) -> None:
        """End the process where the interface does not quit, or cannot."""
        try:
            if self._is_ours():
                self._restore_terminal()
        finally:
            self.leave()

    def _restore_terminal(self) -> None:
        """Reset the terminal without waiting: output that it has not read by now is discarded."""
        with suppress(OSError, termios.error):
            if self._before is not None:
                termios.tcsetattr(0, termios.TCSANOW, self._before)
            termios.tcflush(2, termios.TCOFLUSH)
            os.write(os.open(os.ttyname(2), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK), _RESTORE)


def write_last_words(lines: tuple[str, ...], *, is_ending: bool) -> None:
    """Write lines to the terminal. `is_ending`: the terminal may be gone, which is not an error then."""
    try:
        for line in lines:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        if not is_ending:
            raise
