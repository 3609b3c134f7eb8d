"""The tool as a process that a test starts, types at, interrupts, and waits for."""

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PATIENCE: Final = 60.0
"""Seconds after which a test gives up on the tool."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command of the tool printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as the one JSON document that it is."""
        return json.loads(self.out)


class Running:
    """A command under way. Its output goes to files, so that nothing waits for a reader."""

    def __init__(
        self, argv: Sequence[str | Path], env: Mapping[str, str], cwd: Path, *, terminal: bool = False
    ) -> None:
        """`terminal`: give it a terminal to ask on; else it has none, and nothing on stdin."""
        self._seen = b""
        self._out, self._err = _nameless_file(), _nameless_file()
        self._keyboard, stdin = pty.openpty() if terminal else (-1, os.open(os.devnull, os.O_RDONLY))
        try:
            self.process: Final = subprocess.Popen(
                argv,
                env=dict(env),
                cwd=cwd,
                stdin=stdin,
                stdout=self._out,
                stderr=self._err,
                start_new_session=True,
                preexec_fn=_own_terminal if terminal else None,
            )
        finally:
            os.close(stdin)

    def type(self, text: str, *, asked: str) -> None:
        """Wait until the tool asks for something on its terminal, then type a line that is not shown."""
        end = time.monotonic() + PATIENCE
        while asked not in self.shown:
            assert time.monotonic() < end, "the tool never asked"
            assert self.process.poll() is None, "the tool ended without asking"
            select.select([self._keyboard], [], [], 0.1)
        assert not termios.tcgetattr(self._keyboard)[3] & termios.ECHO
        os.write(self._keyboard, text.encode() + b"\n")

    @property
    def shown(self) -> str:
        """What the terminal has shown; the output of the command itself is not among it."""
        while self._keyboard >= 0 and select.select([self._keyboard], [], [], 0)[0]:
            try:
                self._seen += os.read(self._keyboard, 4096)
            except OSError:  # Linux says so when the last one at the other end has gone
                break
        return self._seen.decode()

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """kill -9: it has no chance to clean up."""
        self.process.kill()
        self.wait()

    def wait_for(self, words: str) -> None:
        """Wait until the tool has written these words to stderr."""
        end = time.monotonic() + PATIENCE
        while words not in _read(self._err):
            assert time.monotonic() < end, f"the tool never said {words!r}"
            assert self.process.poll() is None, f"the tool ended without saying {words!r}"
            select.select([], [], [], 0.02)

    def wait(self, patience: float = PATIENCE) -> Answer:
        """Wait until it has ended."""
        try:
            code = self.process.wait(patience)
        finally:
            self.process.kill()
            out, err, _ = _read(self._out), _read(self._err), self.shown
            for descriptor in (self._out, self._err, self._keyboard):
                if descriptor >= 0:
                    os.close(descriptor)
            self._keyboard = -1
        return Answer(code, out, err)


def _nameless_file() -> int:
    descriptor, name = tempfile.mkstemp()
    os.unlink(name)
    return descriptor


def _read(descriptor: int) -> str:
    return os.pread(descriptor, 1 << 24, 0).decode()


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
