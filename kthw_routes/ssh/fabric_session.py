"""One SSH connection to one host, made of fabric: commands are run in it, and it is closed by whoever stops them."""

import contextlib
import secrets
from collections.abc import Sequence
from typing import Final

import fabric
import paramiko

from kthw_routes.cluster import Endpoint
from kthw_routes.facts import HostKey, Privilege
from kthw_routes.ssh.access import Access
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.config import Resolved
from kthw_routes.ssh.connect import Attempt
from kthw_routes.ssh.error_messages import (
    channel_refused,
    command_refused,
    connect_error,
    endless,
    lost,
    name_unfollowed,
    silent,
    stalled,
)
from kthw_routes.ssh.errors import CommandTimedOut, ConnectionLost, HostError, NoRoot, SecretEchoed
from kthw_routes.ssh.exchange import Endless, Exchange, Silent
from kthw_routes.ssh.fabric_runner import LineRunner
from kthw_routes.ssh.jumps import stalled_for
from kthw_routes.ssh.progress import Part, Progress
from kthw_routes.ssh.refusals import check_begun, not_run
from kthw_routes.ssh.session import OnLine, Watch
from kthw_routes.ssh.shell_line import Step, marks_of, render, render_script, render_shell
from kthw_routes.ssh.streams import BrokenFrame, Gate, Incoming
from kthw_routes.ssh.transport import ExecRefused

_GRACE: Final = 2.0
"""Seconds that the host's own `timeout` is given to speak before we do."""


def _new_word() -> str:
    """Return a word that no host can know beforehand."""
    return f"kthw-routes-{secrets.token_hex(8)}"


class SshSession:
    """A `ssh.session.Session` over SSH."""

    def __init__(self, node: str, endpoint: Endpoint, access: Access) -> None:
        """Make one that is not open yet. Raises UsageError for a broken ProxyJump."""
        self.privilege = Privilege.NONE
        self._node = node
        self._target = access.resolve(node, endpoint)
        self._access = access
        self._connection: fabric.Connection | None = None
        self._attempt: Attempt | None = None
        self._host_key: HostKey | None = None

    @property
    def node(self) -> str:
        """The node's name."""
        return self._node

    @property
    def user(self) -> str:
        """The user that is logged in."""
        return self._target.user

    @property
    def target(self) -> Resolved:
        """Where the session leads, by the SSH configuration."""
        return self._target

    @property
    def access(self) -> Access:
        """What this session shares with the others."""
        return self._access

    @property
    def host_key(self) -> HostKey:
        """The key that the host presented. Raises HostError before `open`."""
        if self._host_key is None:
            raise HostError(self._node, "not connected yet, so its host key is not known.")
        return self._host_key

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        connection = self._connection
        return connection is not None and bool(connection.is_connected)

    def open(self) -> None:
        """Connect and log in, unless that is done. Raises HostError."""
        if self.is_open:
            return
        self.close()
        attempt = self._attempt = Attempt(self._node, self._access)
        try:
            connection, key = attempt.connect(self._target)
        except HostError as error:
            self._access.echoes.hidden_in_error(error)
            raise
        first = self._host_key
        # It stays "new" for this run, also after a reconnection.
        self._host_key = first if first and first.fingerprint == key.fingerprint else key
        self._connection = connection
        if attempt.is_cancelled:
            self.close()
            raise connect_error(self._node, self._target, InterruptedError(), 0)

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        """Run one command and wait for it; see `Session.run`. At most `command.capture` bytes are kept of each stream.

        Raises:
            ConnectionLost, CommandTimedOut: as `Session.run` says; the connection is closed then.
            ChannelRefused, CommandRefused: the server runs nothing; the connection stays.
            NoRoot: the command needs root, and cannot get it, or sudo refused.
            CommandNotRun: the login ran something else instead, or its output does not arrive as it is.
            SecretEchoed: what the command wrote holds a password, and is not for people to read.
        """
        privilege = self._privilege_for([command])
        mark = _new_word()
        part = Part.of(command, on_line, self._access.echoes)
        silence = max(self._access.silence, min(command.timeout, self._access.silence) + _GRACE)
        limit = command.limit(self._access.silence)
        gates = Gate(mark, marks_of(privilege)), Gate(mark, marks_of(privilege))
        exchange = Exchange(
            self._stdin(privilege, command.stdin),
            out=Incoming(gates[0], [part.out]),
            err=Incoming(gates[1], [part.err]),
            silence=silence,
            longest=limit + silence,
        )
        status = self._exchange(exchange, render(command, privilege or Privilege.ROOT, mark, limit))
        result = part.result(self._node, status)
        if isinstance(result, SecretEchoed):
            raise result
        return result

    def run_script(self, steps: Sequence[Step], watch: Watch) -> None:
        """Run commands one after the other in one exec; see `Session.run_script`. Raises what `run` raises."""
        privilege = self._privilege_for([step.command for step in steps])
        silence = self._access.silence
        mark, frame = _new_word(), _new_word()
        progress = Progress(self._node, steps, watch, self._access.echoes)
        longest_silence = silence + _GRACE  # a step that takes `silence` seconds is ended there
        longest = silence + sum(step.command.limit(silence) for step in steps if not step.command.is_quick)
        exchange = Exchange(
            self._stdin(privilege, render_script(steps, frame, silence)),
            out=Incoming(Gate(mark, marks_of(privilege)), progress.outs, frame, progress.out_ended),
            err=Incoming(Gate(mark, marks_of(privilege)), progress.errs, frame, progress.err_ended),
            silence=longest_silence,
            longest=longest + longest_silence,
            unlimited=progress.unlimited,
        )
        progress.begin()
        status = self._exchange(exchange, render_shell(privilege, mark, longest))
        progress.check_complete(status)

    def _privilege_for(self, commands: Sequence[Command]) -> Privilege | None:
        """Return how root is reached for these commands; None where none needs it. Raises NoRoot, ConnectionLost."""
        needs_root = any(command.needs_root for command in commands)
        if needs_root and self.privilege is Privilege.NONE:
            no_root = NoRoot(
                self._node, f"{self.user} is not root there and sudo does not help.", "Log in as root (--user)."
            )
            raise self._hidden(name_unfollowed(no_root, self._target))
        return self.privilege if needs_root else None

    def _exchange(self, exchange: Exchange, line: str) -> int:
        """Have the line run, and return its exit status. Raises what `run` raises."""
        try:
            connection = self._connection
            if connection is None or not self.is_open:
                raise ConnectionLost(self._node, "the connection is gone.", "Try again.", nothing_ran=True)
            out, err = exchange.out.gate, exchange.err.gate
            try:
                status = self._wait(connection, exchange, line)
            except (CommandTimedOut, ConnectionLost) as error:
                said = (out.preamble, err.preamble)
                is_late = isinstance(error, CommandTimedOut)
                if out.is_reached or not (any(said) if is_late else self.is_open):
                    raise
                seconds = exchange.silence
                raise not_run(self._node, self.user, said, status=None if is_late else -1, seconds=seconds) from None
            check_begun(self._node, self.user, out, err, status)
        except HostError as error:
            raise self._hidden(error) from error.__cause__
        return status

    def _hidden(self, error: HostError) -> HostError:
        self._access.echoes.hidden_in_error(error)
        return error

    def close(self) -> None:
        """End the connection, any command in flight, and any attempt to connect."""
        attempt, self._attempt = self._attempt, None
        connection, self._connection = self._connection, None
        if attempt is not None and connection is None:
            attempt.cancel()
        if connection is not None:
            # The transport may be half dead already, and closing must never raise.
            with contextlib.suppress(Exception):
                connection.client.close()

    def _stdin(self, privilege: Privilege | None, stdin: bytes) -> bytes:
        """Return what the line reads: sudo's password before the input, where sudo wants one. Raises NoRoot."""
        if privilege is not Privilege.SUDO_PASSWORD:
            return stdin
        password = self._access.sudo.known()
        if password is None:
            raise NoRoot(self._node, f"sudo wants the password of {self.user}, and there is none.", "Try again.")
        return password.reveal().encode() + b"\n" + stdin

    def _wait(self, connection: fabric.Connection, exchange: Exchange, line: str) -> int:
        runner = LineRunner(connection, exchange)
        try:
            runner.run(line, hide=True, warn=True, in_stream=False, env={})
        except Silent:
            self.close()
            raise silent(self._node, exchange.silence, exchange.unlimited()) from None
        except Endless:
            self.close()
            raise endless(self._node, exchange.longest, exchange.received, has_begun=exchange.has_begun) from None
        except BrokenFrame:
            self.close()
            raise ConnectionLost(
                self._node,
                "its answer was not as commands end there, so that it cannot be attributed to them; it was not used.",
                "An honest host has no reason for that: look at what its login runs, and at its shell.",
            ) from None
        except paramiko.ChannelException as error:
            raise channel_refused(self._node, self._target, error) from error
        except ExecRefused as error:
            raise name_unfollowed(command_refused(self._node, self._target), self._target) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            took_nothing = stalled_for(connection.transport)
            self.close()
            if took_nothing is not None:
                raise stalled(self._node, took_nothing) from error
            raise lost(self._node, was_sent=runner.was_sent) from error
        if exchange.status < 0:
            if connection.is_connected:
                raise ConnectionLost(
                    self._node, "the command was killed there, or ended without a status.", "Try again."
                )
            self.close()
            raise lost(self._node, was_sent=True)
        return exchange.status
