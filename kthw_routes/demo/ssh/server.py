"""The SSH server of a modelled node: real SSH on a loopback port, and whatever executes commands behind it.

One thread waits for connections and watches the running commands; each connection and each command has one more.
"""

import contextlib
import os
import selectors
import socket
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import ClassVar, Final, cast

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    MSG_CHANNEL_REQUEST,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from kthw_routes.demo.ssh.keys import new_key
from kthw_routes.demo.ssh.login import Executes, converse, execute
from kthw_routes.demo.ssh.terminal import Terminal
from kthw_routes.ssh.transport import QuietTransport

LOOPBACK: Final = "127.0.0.1"
_WATCH: Final = 0.1
"""Seconds between two checks whether the client of a running command has gone."""


@dataclass(slots=True)
class Running:
    """A channel with a command or a shell."""

    channel: paramiko.Channel
    terminal: Terminal
    thread: threading.Thread


def _handle_request(channel: paramiko.Channel, request: paramiko.Message) -> None:
    try:
        channel._handle_request(request)  # type: ignore[attr-defined] # private, so not in the stubs
    finally:
        cast(ServerTransport, channel.get_transport()).answered.set()


class ServerTransport(QuietTransport):
    """Tells when a request was answered: a command that ends sooner would close its channel before the answer."""

    _channel_handler_table: ClassVar[dict[int, Callable[[paramiko.Channel, paramiko.Message], None]]] = {
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined] # private, so not in the stubs
        MSG_CHANNEL_REQUEST: _handle_request,
    }

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.answered = threading.Event()


@dataclass(slots=True)
class Client(paramiko.ServerInterface):
    """Decides what one client may do. Called by its transport's thread."""

    server: "SshServer"
    transport: ServerTransport
    user: str = ""
    terminals: set[int] = field(default_factory=set)

    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if key.asbytes() not in self.server.authorized or username != "root":
            return AUTH_FAILED
        self.user = username
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, _chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_pty_request(self, channel: paramiko.Channel, *_terminal: object) -> bool:
        self.terminals.add(channel.get_id())
        return True

    def check_channel_window_change_request(self, *_size: object) -> bool:
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._begin(channel, command.decode("utf-8", "surrogateescape"))
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        self._begin(channel, None)
        return True

    def _begin(self, channel: paramiko.Channel, command: str | None) -> None:
        terminal = Terminal(channel, has_keyboard=channel.get_id() in self.terminals)
        host, user = self.server.host, self.user
        answered = self.transport.answered = threading.Event()
        if command is None:
            self.server.watch(channel, terminal, answered, lambda: converse(host, user, terminal))
        else:
            self.server.watch(channel, terminal, answered, lambda: execute(host, user, terminal, command))


class SshServer:
    """One node's server. It listens as soon as it is made; `close` ends it and everything that it runs."""

    client_type: ClassVar[type[Client]] = Client

    def __init__(
        self,
        host: Executes,
        authorized: Collection[bytes],
        *,
        key: paramiko.PKey | None = None,
        port: int = 0,
        is_up: Callable[[], bool] | None = None,
    ) -> None:
        """
        Args:
            host: runs the commands.
            authorized: the public keys (wire format) that may log in.
            key: its host key; a new one by default.
            port: the loopback port; by default one that the system hands out.
            is_up: whether the host has its network; while not, nothing answers. By default it always has.
        """
        self.host = host
        self.authorized = frozenset(authorized)
        self.key = key or new_key()
        self.is_up = is_up
        self.lock = threading.Lock()
        self.running: list[Running] = []
        self._transports: list[paramiko.Transport] = []
        self._silent: list[socket.socket] = []
        self._wake_end, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._closing = False
        self._listener = socket.create_server((LOOPBACK, port), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name=f"ssh-server-{self.port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, hang up on every client, end every command, and wait for the threads."""
        with self.lock:
            if self._closing:
                return
            self._closing = True
        self.poke()
        self._thread.join(1.0)
        self._listener.close()
        self.hang_up()
        with self.lock:
            running = list(self.running)
        for command in running:
            command.terminal.hang_up()
        for command in running:
            command.thread.join(0.5)
        os.close(self._wake)
        os.close(self._wake_end)

    def hang_up(self) -> None:
        """Drop every connection, as a host that goes down does."""
        with self.lock:
            transports, self._transports = self._transports, []
            silent, self._silent = self._silent, []
        for transport in transports:
            transport.close()
        for sock in silent:
            sock.close()
        for transport in transports:
            transport.join(0.5)

    def watch(
        self, channel: paramiko.Channel, terminal: Terminal, answered: threading.Event, work: Callable[[], int]
    ) -> None:
        """Run `work` in a thread and send the status it returns; end it when the client of the channel is gone.

        It begins when `answered` is set: when the client knows that its request is granted, if it asked for that.
        """

        def run() -> None:
            answered.wait()
            try:
                status = work()
                with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                    channel.send_exit_status(status)
            finally:
                with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                    channel.close()
                with self.lock:
                    self.running = [r for r in self.running if r.channel is not channel]

        thread = threading.Thread(target=run, name=f"ssh-command-{self.port}", daemon=True)
        with self.lock:
            self.running.append(Running(channel, terminal, thread))
        thread.start()
        self.poke()

    def poke(self) -> None:
        """Wake the waiting thread."""
        with contextlib.suppress(OSError):
            os.write(self._wake, b".")

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_end, selectors.EVENT_READ)
            while not self._closing:
                for key, _ in selector.select(_WATCH if self.running else None):
                    if key.fileobj is self._listener:
                        self._accept()
                    else:
                        os.read(self._wake_end, 4096)
                self._sweep()

    def _sweep(self) -> None:
        with self.lock:
            running = list(self.running)
            self._transports = [t for t in self._transports if t.is_alive()]
        for command in running:
            if command.channel.closed:
                command.terminal.hang_up()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:  # the client has gone again
            return
        self.greet(sock)

    def greet(self, sock: socket.socket) -> None:
        """Begin to talk to a client, or keep silent while the host is down."""
        if self.is_up and not self.is_up():
            self.leave_silent(sock)
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = ServerTransport(sock)
        transport.add_server_key(self.key)
        with self.lock:
            self._transports.append(transport)
        # With an event it does not wait for the client, who may be slow or no SSH client at all.
        transport.start_server(threading.Event(), self.client_type(self, transport))

    def leave_silent(self, sock: socket.socket) -> None:
        """Keep a connection and never reply on it."""
        with self.lock:
            self._silent.append(sock)
