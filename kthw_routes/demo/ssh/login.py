"""What an SSH login does on a modelled node: it runs a command, or talks to somebody who types."""

import threading
from typing import Protocol, TypedDict, Unpack

from kthw_routes.demo.linux.process import Readable
from kthw_routes.demo.ssh.terminal import Output, Terminal


class Streams(TypedDict):
    """What a command reads and writes, and what ends it."""

    stdin: Readable
    stdout: Output
    stderr: Output
    cancelled: threading.Event


class Shell(Protocol):
    """A shell that somebody types into: it remembers its folder and variables from line to line."""

    @property
    def prompt(self) -> str:
        """The text before the next line."""

    @property
    def is_over(self) -> bool:
        """Whether `exit` was typed."""

    def execute(self, command: str, **streams: Unpack[Streams]) -> int:
        """Run one line and return its status."""


class Executes(Protocol):
    """A host that runs commands."""

    def open_shell(self, user: str) -> Shell:
        """Open a shell for one interactive login."""

    def execute(self, command: str, *, user: str, **streams: Unpack[Streams]) -> int:
        """Run a line of shell and return its status; soon after `cancelled` is set, whatever it was doing."""


def execute(host: Executes, user: str, terminal: Terminal, command: str) -> int:
    """Run one command, and return its status."""
    return host.execute(
        command,
        user=user,
        stdin=terminal.stdin,
        stdout=terminal.stdout,
        stderr=terminal.stderr,
        cancelled=terminal.begin(),
    )


def converse(host: Executes, user: str, terminal: Terminal) -> int:
    """Serve a login without a command: a shell that prompts, or one that runs what it is sent."""
    if terminal.keyboard is None:
        script = terminal.stdin.read().decode("utf-8", "surrogateescape")
        return execute(host, user, terminal, script)
    shell = host.open_shell(user)
    status = 0
    while not (shell.is_over or terminal.is_over):
        line = terminal.ask(shell.prompt)
        if not line:
            terminal.send(b"logout\n")
            break
        status = shell.execute(
            line.decode("utf-8", "surrogateescape"),
            stdin=terminal.stdin,
            stdout=terminal.stdout,
            stderr=terminal.stderr,
            cancelled=terminal.begin(),
        )
    return status
