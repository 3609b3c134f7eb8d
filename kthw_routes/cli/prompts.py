"""Asking on a plain terminal: for the command line. Each question is asked once; no terminal, no answer."""

import sys
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import click

from kthw_routes.cli import standard_streams
from kthw_routes.ssh.session import NewHostKey


class TerminalAsker:
    """Asks on the terminal, one question at a time, whichever thread wants to know."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: list[Any] | None = None
        self.is_asking = False
        """Whether a question is on the terminal now: Ctrl-C then ends everything, as nothing is under way."""
        self.password: str | None = None
        """The sudo password, where it was asked for beforehand."""
        self.around: Callable[[], AbstractContextManager[None]] = nullcontext
        """Within it the terminal is free for a question."""

    def passphrase(self, key_file: str) -> str | None:
        """Return the passphrase of an encrypted private key."""
        return self._hidden(f"Passphrase of {key_file}")

    def sudo_password(self, user: str, node: str) -> str | None:
        """Return the password that sudo wants; the one that was asked for beforehand, if it was."""
        if self.password is not None:
            return self.password
        return self._hidden(f"sudo password of {user} (asked once, tried on {node} first)")

    def ask_sudo_password(self) -> bool:
        """Ask for the sudo password now, before anything is connected to. Whether there was an answer."""
        self.password = self._hidden("sudo password (for all hosts)")
        return self.password is not None

    def accept_host_keys(self, keys: Sequence[NewHostKey]) -> bool:
        """Return whether keys never seen before may be trusted."""
        if not sys.stdin.isatty():
            return False
        with self._question():
            click.echo("These host keys were never seen before:", err=True)
            for key in keys:
                click.echo(f"  {key.node:<14} {key.host:<22} {key.type} {key.fingerprint}", err=True)
            return click.confirm("Trust them from now on?", err=True)

    def confirm(self, question: str) -> bool:
        """Return whether to do it; no is the default."""
        with self._question():
            return click.confirm(question, err=True)

    @contextmanager
    def _question(self) -> Iterator[None]:
        """One question at a time; the terminal is left as it was, even if somebody runs away from a hidden one."""
        with self._lock, self.around():
            before = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
            self.is_asking, self._before = True, before
            try:
                with standard_streams.in_order():
                    yield
            finally:
                self.is_asking = False
                self.restore_terminal()

    def restore_terminal(self) -> None:
        """Undo what a hidden question did to the terminal."""
        before, self._before = self._before, None
        if before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    def _hidden(self, question: str) -> str | None:
        if not sys.stdin.isatty():
            return None
        with self._question():
            answer: str = click.prompt(question, hide_input=True, default="", show_default=False, err=True)
            return answer or None
