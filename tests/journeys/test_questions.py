"""Questions on a real terminal: what Ctrl-C does while one stands there, and that the terminal is left as it was."""

import contextlib
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kthw_routes.demo.lab import EmbeddedLab
from tests.journeys.stage import free_environment

_PATIENCE = 20.0


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, arguments: list[str], env: dict[str, str], cwd: Path) -> None:
        self._main, self.end = pty.openpty()
        self.before = termios.tcgetattr(self.end)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kthw_routes", *arguments],
            env=env,
            cwd=cwd,
            stdin=self.end,
            stdout=self.end,
            stderr=self.end,
            preexec_fn=lambda: os.login_tty(self.end),  # so that Ctrl-C reaches it
        )
        self.text = ""

    def until(self, words: str) -> None:
        """Read until these words stand on the terminal."""
        began = time.monotonic()
        while words not in self.text:
            assert time.monotonic() - began < _PATIENCE, self.text
            if select.select([self._main], [], [], 0.1)[0]:
                self.text += os.read(self._main, 65536).decode("utf-8", "replace")

    def type(self, text: str) -> None:
        os.write(self._main, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C, until it is over: the interpreter's own line editor can miss one that comes as it begins to wait."""
        began = time.monotonic()
        while self.process.poll() is None and time.monotonic() - began < _PATIENCE:
            self.type("\x03")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=1)

    def code(self) -> int:
        return self.process.wait(timeout=_PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._main)
        os.close(self.end)


@pytest.fixture
def lab() -> Iterator[EmbeddedLab]:
    with EmbeddedLab("ca-central") as lab:
        yield lab


@pytest.fixture
def terminal(lab: EmbeddedLab, tmp_path: Path) -> Iterator[Terminal]:
    """`apply`, on its way to its question."""
    made = Terminal(["apply"], free_environment(tmp_path) | lab.environment, tmp_path)
    yield made
    made.close()


def untouched(lab: EmbeddedLab) -> bool:
    out = bytearray()
    lab.topology.hosts["worker-0"].execute("ip route show proto 200", stdout=out.extend, stderr=out.extend)
    return not out and not (lab.folder / "state" / "kthw-routes" / "runs").exists()


def test_yes_makes_it_so(lab: EmbeddedLab, terminal: Terminal) -> None:
    terminal.until("Apply these changes? [y/N]")
    terminal.type("y\n")
    terminal.until("Next lab: 12")
    assert terminal.code() == 0
    assert not untouched(lab)


def test_no_changes_nothing(lab: EmbeddedLab, terminal: Terminal) -> None:
    terminal.until("Apply these changes? [y/N]")
    terminal.type("\n")
    terminal.until("Nothing was changed.")
    assert terminal.code() == 0
    assert untouched(lab)


def test_ctrl_c_at_the_question_ends_it_at_once(lab: EmbeddedLab, terminal: Terminal) -> None:
    terminal.until("Apply these changes? [y/N]")
    terminal.interrupt()
    assert terminal.code() == 130
    assert untouched(lab)


def test_ctrl_c_at_a_hidden_question_leaves_the_terminal_as_it_was(lab: EmbeddedLab, tmp_path: Path) -> None:
    key = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", "secret", "-f", key], check=True)
    asking = Terminal(["plan", "-i", str(key)], free_environment(tmp_path) | lab.environment, tmp_path)
    try:
        asking.until("Passphrase of")
        asking.interrupt()
        assert asking.code() == 130
        assert termios.tcgetattr(asking.end) == asking.before
    finally:
        asking.close()
