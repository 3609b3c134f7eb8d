"""The wizard on a terminal of its own, as a person has it: keys are typed, the terminal goes away."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.journeys.forked import Order, begin
from tests.journeys.running import PATIENCE

_STYLE: Final = re.compile(r"\x1b\[[0-9;:]*m")

NEXT: Final = "\x0e"
"""Ctrl-N."""

WAYS: Final = ("SIGTERM", "SIGHUP", "SIGINT", "closed", "closed, and nobody tells", "SIGTERM, unread", "SIGHUP, unread")
"""How it ends. Unread: the terminal is there, and takes nothing of what is written to it."""


class WizardTerminal:
    """The wizard, and the far end of its terminal."""

    def __init__(
        self, arguments: list[str], env: Mapping[str, str], home: Path, *, is_controlling: bool = True
    ) -> None:
        """`is_controlling`: whether the kernel tells the wizard by SIGHUP that the terminal is gone."""
        self._far, near = pty.openpty()
        fcntl.ioctl(near, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(near)
        self._seen = b""
        self._reads = True
        name = os.ttyname(near)
        own = {**env, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self.process = begin(Order(tuple(arguments), own, home, name, name, name, is_controlling, None))
        self._near = near

    def type(self, keys: str) -> None:
        """Type, as soon as the wizard has the terminal."""
        os.write(self._far, keys.encode())

    def wait_for(self, words: str, *, typing: str = "") -> None:
        """Read what it shows until these words come, among what was not waited for yet.

        `typing`: keys that lead there; typed again from time to time, as they come to nothing while a step is at work.
        """
        end = time.monotonic() + PATIENCE
        typed = 0.0
        while words not in self.shown:
            assert time.monotonic() < end, f"the wizard never showed {words!r}: {self.shown[-3000:]}"
            if typing and time.monotonic() > typed + 2:
                self.type(typing)
                typed = time.monotonic()
            if not self.read(0.1):
                assert self.process.is_alive(), f"the wizard ended without showing {words!r}: {self.shown[-3000:]}"
        self._seen = b""

    @property
    def shown(self) -> str:
        """What came since the last wait, without colours."""
        return _STYLE.sub("", self._seen.decode(errors="replace"))

    def read(self, seconds: float) -> bool:
        """Take what is shown within this time; whether anything was."""
        if not select.select([self._far], [], [], seconds)[0]:
            return False
        with contextlib.suppress(OSError):  # Linux says so when the last one at the other end has gone
            self._seen += os.read(self._far, 1 << 16)
            return True
        return False

    def signal(self, number: int) -> None:
        """`kill`."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def close(self) -> None:
        """Close the terminal, as its window is closed."""
        for descriptor in (self._far, self._near):
            if descriptor >= 0:
                os.close(descriptor)
        self._far = self._near = -1

    def fill(self) -> None:
        """Read no more, and have it draw itself anew until its own thread waits for somebody who does."""
        self._reads = False
        end = time.monotonic() + PATIENCE
        waits, width = 0, 80
        while waits < 20:
            assert time.monotonic() < end, "the wizard never waits for its terminal"
            waits = waits + 1 if self._is_full and self._waits_for_another_thread else 0
            if waits == 0:
                width = 180 - width
                fcntl.ioctl(self._near, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
                select.select([], [], [], 0.1)
            select.select([], [], [], 0.01)

    @property
    def _is_full(self) -> bool:
        return not select.select([], [self._near], [], 0)[1]

    @property
    def _waits_for_another_thread(self) -> bool:
        """Whether its main thread does; it would wait for events otherwise."""
        return Path(f"/proc/{self.process.pid}/wchan").read_text().startswith("futex")

    def read_again(self) -> None:
        """Take again what is shown."""
        self._reads = True

    @property
    def is_restored(self) -> bool:
        """Whether the terminal, read to its end, is as it was: echo and lines, the old screen, the cursor."""
        while self.read(0):
            pass
        shown = self._seen.decode(errors="replace")
        screen = shown.rfind("\x1b[?1049l") > shown.rfind("\x1b[?1049h")
        cursor = shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l")
        return screen and cursor and termios.tcgetattr(self._near) == self.before

    def end(self, way: str) -> int:
        """Let it end in one of WAYS; its exit code. Where it can be, the terminal is as it was then."""
        if way.endswith("unread"):
            self.fill()
        if way.startswith("closed"):
            self.close()
        else:
            self.signal(getattr(signal, way.split(",")[0]))
        code = self.ended()
        if way in ("SIGTERM", "SIGHUP", "SIGINT"):
            assert self.is_restored
        return code

    def ended(self, patience: float = PATIENCE) -> int:
        """Wait until it has ended by itself, reading what it still shows. Returns its exit code."""
        end = time.monotonic() + patience
        while self.process.is_alive() and time.monotonic() < end:
            if self._far < 0 or not self._reads:
                self.process.join(0.05)
            else:
                self.read(0.05)
        code = self.process.exitcode
        self.process.kill()
        assert code is not None, "the wizard lives on"
        return code
