"""The lab's SSH server with bad manners, and as a jump host."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_PARTIALLY_SUCCESSFUL,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_SUCCEEDED,
)

from kthw_routes.demo.ssh.login import Executes
from kthw_routes.demo.ssh.server import LOOPBACK, Client, SshServer

Destination = tuple[str, int]
Forward = Callable[[Destination], Destination | None]
"""Where a jump host really connects to for a destination that a client names; None: it may not."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a server behaves; the defaults are a healthy node."""

    users: frozenset[str] = frozenset({"root"})
    banner: str = ""
    """Shown before the login."""
    takes_no_key: bool = False
    """Keys are refused, all of them."""
    methods: str = "publickey"
    """What the server says may be tried."""
    second_factor: bool = False
    """Whether a key is not enough."""
    hangs: bool = False
    """Whether it accepts connections and then does not reply."""
    hangs_up: bool = False
    """Whether it closes connections at once."""
    max_sessions: int | None = None
    """How many commands may run at once on one connection; each counts until its channel is closed."""


@dataclass(slots=True)
class FaultyClient(Client):
    """What one client may do, by the server's manners."""

    forwards: dict[int, socket.socket] = field(default_factory=dict)

    @property
    def _server(self) -> "FaultyServer":
        assert isinstance(self.server, FaultyServer)
        return self.server

    def get_allowed_auths(self, _username: str) -> str:
        manners = self._server.manners
        return "keyboard-interactive" if self.user and manners.second_factor else manners.methods

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        manners = self._server.manners
        known = key.asbytes() in self.server.authorized and username in manners.users
        if not known or manners.takes_no_key or "publickey" not in manners.methods:
            return AUTH_FAILED
        self.user = username
        return AUTH_PARTIALLY_SUCCESSFUL if manners.second_factor else AUTH_SUCCESSFUL

    def get_banner(self) -> tuple[str | None, str | None]:
        banner = self._server.manners.banner
        return (banner, "en-US") if banner else (None, None)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        most = self._server.manners.max_sessions
        with self.server.lock:
            running = sum(running.channel.get_transport() is self.transport for running in self.server.running)
        if kind == "session" and most is not None and running >= most:
            return OPEN_FAILED_CONNECT_FAILED
        return Client.check_channel_request(self, kind, chanid)

    def check_channel_direct_tcpip_request(self, chanid: int, _origin: Destination, destination: Destination) -> int:
        forward = self._server.forward
        target = forward(destination) if forward else None
        if target is None:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        try:
            self.forwards[chanid] = socket.create_connection(target, timeout=2)
        except OSError:
            return OPEN_FAILED_CONNECT_FAILED
        threading.Thread(target=self._carry, name=f"ssh-forward-{chanid}", daemon=True).start()
        return OPEN_SUCCEEDED

    def _carry(self) -> None:
        """Carry bytes between some forwarding channel that waits for it and its socket."""
        channel = None
        while channel is None or channel.get_id() not in self.forwards:  # a session's is not waited for here
            if not self.forwards or not self.transport.is_active():
                return
            channel = self.transport.accept(1)  # None as well when another thread was quicker
        sock = self.forwards.pop(channel.get_id())
        sock.settimeout(None)
        with contextlib.closing(sock), contextlib.suppress(OSError, EOFError), selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            selector.register(channel, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    source, sink = (sock, channel) if key.fileobj is sock else (channel, sock)
                    received = source.recv(65536)
                    if not received:
                        channel.close()
                        return
                    sink.sendall(received)


class FaultyServer(SshServer):
    """A node's server with manners of its own; with `forward` it is a jump host."""

    client_type = FaultyClient

    def __init__(
        self,
        host: Executes,
        authorized: Collection[bytes],
        *,
        manners: Manners | None = None,
        forward: Forward | None = None,
        key: paramiko.PKey | None = None,
        port: int = 0,
        is_up: Callable[[], bool] | None = None,
    ) -> None:
        self.manners = manners or Manners()
        self.forward = forward
        super().__init__(host, authorized, key=key, port=port, is_up=is_up)

    @property
    def known_hosts_line(self) -> str:
        """The line of a known_hosts file for this server, without a newline."""
        return f"[{LOOPBACK}]:{self.port} {self.key.get_name()} {self.key.get_base64()}"

    def greet(self, sock: socket.socket) -> None:
        """Hang up or hang, where the manners say so."""
        if self.manners.hangs_up:
            sock.close()
        elif self.manners.hangs:
            self.leave_silent(sock)
        else:
            super().greet(sock)
