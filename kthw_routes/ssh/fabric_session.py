"""One SSH connection to one host, made of fabric. The only module that knows fabric.

Stock fabric accepts any host key, reads the terminal, runs `~/.fabric.py`, breaks characters apart and starts
three threads per command. What is used of it here is its connection and the frame of its runner.
"""

import contextlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import fabric
import paramiko
from fabric.runners import Remote

from kthw_routes.cluster import Endpoint
from kthw_routes.facts import HostKey, Privilege
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.config import Resolved, SshConfig
from kthw_routes.ssh.error_messages import (
    channel_refused,
    command_refused,
    connect_fault,
    endless,
    hung_up_before,
    lost,
    silent,
    unfollowed,
)
from kthw_routes.ssh.errors import CommandTimedOut, ConnectionLost, HostError, NoRoot
from kthw_routes.ssh.exchange import Endless, Exchange, Silent
from kthw_routes.ssh.jumps import Jump
from kthw_routes.ssh.keys import Keys
from kthw_routes.ssh.known_hosts import HostKeyMode, KnownHosts
from kthw_routes.ssh.login import HostKeyCheck, KeysInTurn
from kthw_routes.ssh.refusals import check_begun, echoed, not_run
from kthw_routes.ssh.session import Asker, OnLine
from kthw_routes.ssh.shell_line import marks_of, render
from kthw_routes.ssh.streams import Live, Stream
from kthw_routes.ssh.sudo import SudoPassword
from kthw_routes.ssh.transport import (
    HANDSHAKE_TIMEOUT,
    KEEPALIVE,
    ExecRefused,
    JumpTransport,
    QuietTransport,
    dial,
    hang_up,
    run_in,
)

REFUSED_PATIENCE: Final = 5.0
"""Seconds for which a channel that is refused is asked for again."""
_GRACE: Final = 2.0
"""Seconds that the host's own `timeout` is given to speak before we do."""


class Access:
    """How hosts are reached, and what all of them share in one run: keys, known hosts, jump hosts, passwords.

    Make one per run, `session` per node, and `close` it after the sessions. Safe to use from many threads.
    """

    def __init__(
        self,
        known_hosts: KnownHosts,
        *,
        keys: Keys | None = None,
        ssh_config: SshConfig | None = None,
        host_keys: HostKeyMode = HostKeyMode.ACCEPT_NEW,
        user: str | None = None,
        port: int | None = None,
        identity: Path | None = None,
        connect_timeout: float = 10.0,
        silence: float = 30.0,
        asker: Asker | None = None,
    ) -> None:
        """
        Args:
            known_hosts: the trusted host keys; new ones are added there.
            keys: the private keys; by default those that `identity` and the person's files and agent give.
            ssh_config: the OpenSSH configuration; by default an empty one.
            host_keys: what happens with a key that is not known.
            user, port: those the person chose; None leaves them to the configuration.
            connect_timeout: seconds for the TCP connection.
            silence: seconds that a host may stay silent while a command runs.
            asker: whom to ask for passphrase and password.
        """
        self.known_hosts = known_hosts
        self.keys = keys or Keys(identity, asker=asker, agent_timeout=connect_timeout)
        self.ssh_config = ssh_config or SshConfig()
        self.host_keys = host_keys
        self.user = user
        self.port = port
        self.connect_timeout = connect_timeout
        self.silence = silence
        self.rebuilt: set[str] = set()
        """Names of nodes that the person said were rebuilt: their old host keys are forgotten."""
        self.echoes = self.keys.echoes
        """What no host may say back: see there for the rule."""
        self.sudo = SudoPassword(asker, self.echoes)
        self.seen: dict[str, bytes] = {}
        """The key that each host presented in this run, by its name in known_hosts."""
        self._jumps: dict[tuple[Resolved, ...], Jump] = {}
        self._lock = threading.Lock()

    def session(self, node: str, endpoint: Endpoint) -> "SshSession":
        """A session for one node, not yet open. Raises UsageError for a broken ProxyJump."""
        target = self.ssh_config.resolve(endpoint, user=self.user, port=self.port)
        self.echoes.expect(node, target.user)
        return SshSession(node, target, self)

    def jump(self, chain: tuple[Resolved, ...]) -> Jump:
        """The connection through which a chain of jump hosts is passed, shared by all hosts behind it."""
        with self._lock:
            return self._jumps.setdefault(chain, Jump(chain))

    def close(self) -> None:
        """Close the jump hosts."""
        with self._lock:
            jumps = list(self._jumps.values())
        for jump in reversed(jumps):
            jump.close()


@dataclass(slots=True)
class _Attempt:
    """One try to connect, which another thread may call off."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    sock: Any = None

    def call_off(self) -> None:
        self.cancelled.set()
        sock = self.sock
        if sock is not None:
            hang_up(sock)


def _connect(
    node: str,
    target: Resolved,
    chain: tuple[Resolved, ...],
    access: Access,
    attempt: _Attempt,
    *,
    is_jump: bool = False,
) -> tuple[fabric.Connection, HostKey]:
    """A logged-in connection to `target` through `chain`. Raises HostError; then nothing is left open."""
    # It is the node that was said to be rebuilt, not what stands before it.
    rebuilt = None if is_jump else access.rebuilt
    check = HostKeyCheck(node, target, access.known_hosts, access.host_keys, access.seen, rebuilt)
    transport = JumpTransport if is_jump else QuietTransport
    patience = min(HANDSHAKE_TIMEOUT, max(access.connect_timeout, access.silence))

    def keys() -> Iterator[Any]:
        return access.keys.offered(
            node,
            target.identity_files,
            identities_only=target.identities_only,
            identity_agent=target.identity_agent,
        )

    def agent_fault() -> str:
        return access.keys.agent_fault(target.identity_agent)

    def make_transport(sock: Any, **options: Any) -> paramiko.Transport:
        made = transport(sock, **options)
        made.banner_timeout = made.handshake_timeout = patience
        check.prefer_known_type(made)
        return made

    client: paramiko.SSHClient | None = None
    try:
        with _socket(node, target, chain, access, attempt) as sock:
            connection = fabric.Connection(
                target.host,
                user=target.user,
                port=target.port,
                config=_config(target.user),
                connect_timeout=2 * patience + 1,  # after those of the parts, which say what was waited for
                connect_kwargs={
                    "sock": sock,
                    "transport_factory": make_transport,
                    "auth_strategy": KeysInTurn(node, target, keys, agent_fault),
                },
            )
            client = connection.client
            client.set_missing_host_key_policy(check)
            connection.open()
        connection.transport.set_keepalive(KEEPALIVE)
    # Anything may come out of the two libraries here (a bare Exception included); all of it means that there
    # is no connection. What is ours to stop on passes.
    except BaseException as error:
        if client is not None:
            _close(client)
        if not isinstance(error, Exception):
            raise
        met = InterruptedError() if attempt.cancelled.is_set() else error
        raise unfollowed(connect_fault(node, target, met, access.connect_timeout), target) from error
    if check.key is None:
        raise AssertionError("paramiko did not ask for the host key to be checked")
    return connection, check.key


def _config(user: str) -> fabric.Config:
    """A configuration of its own per connection, that reads no file.

    A shared one fails under threads, and the default reads and runs files in the person's home.
    """
    config = fabric.Config(lazy=True)
    config.load_overrides({"load_ssh_configs": False, "user": user})
    return config


@contextmanager
def _socket(
    node: str, target: Resolved, chain: tuple[Resolved, ...], access: Access, attempt: _Attempt
) -> Iterator[Any]:
    """What the transport runs over; closed again if the block fails."""

    def log_in(jump_host: Resolved, before_it: tuple[Resolved, ...]) -> paramiko.SSHClient:
        connection, _ = _connect(node, jump_host, before_it, access, attempt, is_jump=True)
        client: paramiko.SSHClient = connection.client
        return client

    with contextlib.ExitStack() as stack:
        sock: Any
        if chain:
            jump = access.jump(chain)
            stack.enter_context(jump.slots)
            sock = jump.connect(node, target, log_in, access.connect_timeout)
        else:
            sock = dial(target.host, target.port, access.connect_timeout, attempt.cancelled)
        attempt.sock = sock
        try:
            if attempt.cancelled.is_set():
                raise InterruptedError
            yield sock
        except BaseException:
            hang_up(sock)
            raise


def _close(client: paramiko.SSHClient) -> None:
    """Close a client, one that failed to log in included (fabric's own close leaves its thread and socket)."""
    transport = client.get_transport()
    client.close()
    if transport is not None:
        transport.join(0.5)


class SshSession:
    """A `hosts.session.Session` over SSH."""

    def __init__(self, node: str, target: Resolved, access: Access) -> None:
        self.privilege = Privilege.NONE
        self._node = node
        self._target = target
        self._access = access
        self._connection: fabric.Connection | None = None
        self._attempt: _Attempt | None = None
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
        """Where the session leads, after the SSH configuration was asked."""
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
        attempt = self._attempt = _Attempt()
        try:
            connection, key = _connect(self._node, self._target, self._target.jumps, self._access, attempt)
        except HostError as error:
            self._access.echoes.hidden_in_error(error)
            raise
        first = self._host_key
        # It stays "new" for this run, also after a reconnection.
        self._host_key = first if first and first.fingerprint == key.fingerprint else key
        self._connection = connection
        if attempt.cancelled.is_set():
            self.close()
            raise connect_fault(self._node, self._target, InterruptedError(), 0)

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        """Run one command and wait for it; see `Session.run`. At most `command.capture` bytes are kept of each stream.

        Raises:
            ConnectionLost, CommandTimedOut: as `Session.run` says; the connection is closed then.
            ChannelRefused, CommandRefused: the server runs nothing; the connection stands.
            NoRoot: the command needs root, and there is no way to it, or sudo refused.
            CommandNotRun: the login ran something else instead, or its output does not arrive as it is.
            SecretEchoed: what the command wrote holds a password, and is not for people to read.
        """
        try:
            return self._run(command, on_line)
        except HostError as error:
            self._access.echoes.hidden_in_error(error)
            raise

    def _run(self, command: Command, on_line: OnLine | None) -> Result:
        if command.needs_root and self.privilege is Privilege.NONE:
            no_root = NoRoot(
                self._node, f"{self.user} is not root there and sudo does not help.", "Log in as root (--user)."
            )
            raise unfollowed(no_root, self._target)
        connection = self._connection
        if connection is None or not self.is_open:
            raise ConnectionLost(self._node, "the connection is gone.", "Try again.", nothing_ran=True)
        mark = f"kthw-routes-{secrets.token_hex(8)}"
        marks = marks_of(command, self.privilege)
        echoes = self._access.echoes
        live = Live(on_line, echoes.hidden_in) if on_line is not None else None
        out = Stream(mark, marks, live, capture=command.capture)
        err = Stream(mark, marks, live, is_error=True, capture=command.capture)
        seconds = min(command.timeout, self._access.silence)
        silence = max(self._access.silence, seconds + _GRACE)
        seconds += command.seconds_of_transfer  # not silent meanwhile
        exchange = Exchange(self._stdin(command), out, err, silence, longest=seconds + silence)
        line = render(command, self.privilege, mark, seconds)
        try:
            status = self._wait(connection, exchange, line)
        except (CommandTimedOut, ConnectionLost) as error:
            said = (out.preamble, err.preamble)
            is_late = isinstance(error, CommandTimedOut)
            if out.has_shell or not (any(said) if is_late else self.is_open):
                raise
            raise not_run(self._node, self.user, said, status=None if is_late else -1, seconds=silence) from None
        check_begun(self._node, self.user, out, err, status)
        stdout, stderr = out.kept, echoes.hidden_in_bytes(err.kept)
        if echoes.is_in(stdout):
            if on_line is None and not command.is_prose:
                raise echoed(self._node, command)
            stdout = echoes.hidden_in_bytes(stdout)
        return Result(status, stdout, stderr, out.is_cut, err.is_cut, live.untold if live else 0)

    def close(self) -> None:
        """End the connection, any command in flight, and any attempt to connect."""
        attempt, self._attempt = self._attempt, None
        connection, self._connection = self._connection, None
        if attempt is not None and connection is None:
            attempt.call_off()
        if connection is not None:
            # The transport may be half dead already, and closing must never raise.
            with contextlib.suppress(Exception):
                connection.client.close()

    def _stdin(self, command: Command) -> bytes:
        if not (command.needs_root and self.privilege is Privilege.SUDO_PASSWORD):
            return command.stdin
        password = self._access.sudo.known()
        if password is None:
            raise NoRoot(self._node, f"sudo wants the password of {self.user}, and there is none.", "Try again.")
        return password.reveal().encode() + b"\n" + command.stdin

    def _wait(self, connection: fabric.Connection, exchange: Exchange, line: str) -> int:
        runner = _LineRemote(connection, exchange)
        try:
            runner.run(line, hide=True, warn=True, in_stream=False, env={})
        except Silent:
            self.close()
            raise silent(self._node, exchange.silence) from None
        except Endless:
            self.close()
            raise endless(self._node, exchange.longest, exchange.received, has_begun=exchange.has_begun) from None
        except paramiko.ChannelException as error:
            raise channel_refused(self._node, self._target, error) from error
        except ExecRefused as error:
            raise unfollowed(command_refused(self._node, self._target), self._target) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise (lost if runner.was_sent else hung_up_before)(self._node) from error
        if exchange.status < 0:
            if connection.is_connected:
                raise ConnectionLost(
                    self._node, "the command was killed there, or ended without a status.", "Try again."
                )
            self.close()
            raise lost(self._node)
        return exchange.status


class _LineRemote(Remote):  # type: ignore[misc] # fabric has no types
    """fabric's runner without its threads, timers and decoding: an Exchange does the talking."""

    def __init__(self, connection: fabric.Connection, exchange: Exchange) -> None:
        super().__init__(context=connection, inline_env=False)
        self._exchange = exchange
        self._channel: paramiko.Channel | None = None
        self.was_sent = False
        """Whether the line may have reached the host."""

    def start(self, command: str, *_shell_and_env: object) -> None:
        """Ask the host to run the line."""
        answer = min(HANDSHAKE_TIMEOUT, self._exchange.silence)
        transport: QuietTransport = self.context.transport
        self._channel = transport.open_command_channel(answer, min(REFUSED_PATIENCE, self._exchange.silence))
        self._channel.settimeout(answer)
        self.was_sent = True
        try:
            run_in(self._channel, command, answer)
        except TimeoutError:
            raise Silent from None

    def create_io_threads(self) -> tuple[dict[Any, Any], list[str], list[str]]:
        """None."""
        return {}, [], []

    def start_timer(self, timeout: float | None) -> None:
        """None: the exchange keeps the time."""

    def wait(self) -> None:
        """Until the command is over. Raises Silent, Endless."""
        if self._channel is not None:
            self._exchange.talk(self._channel)

    def returncode(self) -> int:
        """The exit status; -1 where there is none."""
        return self._exchange.status

    def stop(self) -> None:
        """Close the channel. fabric's own would also reset the terminal's window signal."""
        if self._channel is not None:
            self._channel.close()
