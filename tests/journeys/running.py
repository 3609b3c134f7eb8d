"""The tool as a process that a test starts, types at, interrupts, and waits for."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.journeys.forked import Order, begin
from tests.schema import check_document

PATIENCE: Final = 60.0
"""Seconds after which a test gives up on the tool."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command of the tool printed, and its exit code."""

    code: int
    out: str
    err: str
    command: str = ""
    """The command's name."""

    @property
    def json(self) -> Any:
        """stdout as the one JSON document that it is, which is as its schema says."""
        document = json.loads(self.out)
        check_document(self.command, document)
        return document


class Running:
    """A command under way. Its output goes to files, so that nothing waits for a reader."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        env: Mapping[str, str],
        cwd: Path,
        *,
        terminal: bool = False,
        namespace: str | None = None,
    ) -> None:
        """
        Args:
            arguments: those of `kthw-routes`.
            env, cwd: the whole environment, and the folder.
            terminal: give it a terminal to ask on; else it has none, and nothing on stdin.
            namespace: the network namespace to run in; by default the tests' own.
        """
        self._seen = b""
        (self._out, out), (self._err, err) = tempfile.mkstemp(), tempfile.mkstemp()
        self._files = out, err
        self._keyboard, self._screen = pty.openpty() if terminal else (-1, -1)
        stdin = os.ttyname(self._screen) if terminal else os.devnull
        words = tuple(str(argument) for argument in arguments)
        self._command = words[0]
        self._process = begin(Order(words, dict(env), cwd, stdin, out, err, terminal, namespace))

    def type(self, text: str, *, asked: str) -> None:
        """Wait until the tool asks for something on its terminal, then type a line that is not shown."""
        end = time.monotonic() + PATIENCE
        while asked not in self.shown:
            assert time.monotonic() < end, "the tool never asked"
            assert self._process.is_alive(), "the tool ended without asking"
            select.select([self._keyboard], [], [], 0.1)
        assert not termios.tcgetattr(self._keyboard)[3] & termios.ECHO
        os.write(self._keyboard, text.encode() + b"\n")

    def press_enter(self) -> None:
        """Press Enter on its terminal."""
        os.write(self._keyboard, b"\n")

    @property
    def shown(self) -> str:
        """What the terminal has shown; the output of the command itself is not among it."""
        while self._keyboard >= 0 and select.select([self._keyboard], [], [], 0)[0]:
            try:
                self._seen += os.read(self._keyboard, 4096)
            except OSError:  # Linux says so when the last one at the other end has gone
                break
        return self._seen.decode()

    @property
    def out(self) -> str:
        """What it has written to stdout so far."""
        return _read(self._out)

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Ctrl-C, or another signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def end_by(self, number: int) -> None:
        """Send SIGTERM or SIGHUP, and wait until it is received: further ones are ignored from then on."""
        self.interrupt(number)
        status, end = Path(f"/proc/{self._process.pid}/status"), time.monotonic() + PATIENCE
        while not int(re.findall(r"SigIgn:\s*([0-9a-f]+)", status.read_text())[0], 16) & 1 << (number - 1):
            assert time.monotonic() < end, f"signal {number} was never received"
            select.select([], [], [], 0.02)

    def hurry(self) -> None:
        """Let it go before all other processes, so that what is timed does not wait for other tests. Only root may."""
        with contextlib.suppress(FileNotFoundError):
            for thread in Path(f"/proc/{self._process.pid}/task").iterdir():
                with contextlib.suppress(PermissionError, ProcessLookupError):  # a thread may end meanwhile
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), -20)

    def kill(self) -> None:
        """kill -9: it has no chance to clean up."""
        self._process.kill()
        self.wait()

    def wait_for(self, words: str) -> None:
        """Wait until the tool has written these words to stderr."""
        end = time.monotonic() + PATIENCE
        while words not in _read(self._err):
            assert time.monotonic() < end, f"the tool never said {words!r}"
            assert self._process.is_alive(), f"the tool ended without saying {words!r}"
            select.select([], [], [], 0.02)

    def wait(self, patience: float = PATIENCE) -> Answer:
        """Wait until it has ended."""
        self._process.join(patience)
        code = self._process.exitcode
        self._process.kill()
        out, err, _ = _read(self._out), _read(self._err), self.shown
        for descriptor in (self._out, self._err, self._keyboard, self._screen):
            if descriptor >= 0:
                os.close(descriptor)
        for file in self._files:
            os.unlink(file)
        self._keyboard = -1
        assert code is not None, f"the tool did not end within {patience} s: {out}{err}"
        return Answer(code, out, err, self._command)


def _read(descriptor: int) -> str:
    return os.pread(descriptor, 1 << 24, 0).decode()
