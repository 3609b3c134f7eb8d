"""Jump hosts: each is connected to once, and all hosts behind it share that connection."""

import contextlib
import errno
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import paramiko

from kthw_routes.ssh.config import Resolved
from kthw_routes.ssh.errors import HostError
from kthw_routes.ssh.transport import QuietTransport

MAX_OPENS: Final = 16
"""Hosts that are connected to at once through one jump host."""

LogIn = Callable[[Resolved, tuple[Resolved, ...]], paramiko.SSHClient]
"""Logs in to a host through a chain of jump hosts. Raises HostError."""


class JumpTransport(QuietTransport):
    """The transport to a jump host, which carries the connections of many hosts as channels.

    paramiko may send data on a channel whose close is already on its way; OpenSSH answers that by dropping the
    whole connection, with all the hosts behind it. Here nothing follows a close.
    """

    def __init__(self, sock: Any, **options: Any) -> None:
        super().__init__(sock, **options)
        self._order = threading.Lock()
        self._speaker = threading.local()

    @contextlib.contextmanager
    def speaking(self, channel: paramiko.Channel) -> Iterator[None]:
        """Send only what is of this channel from this thread: its number may be another's by then."""
        self._speaker.channel = channel
        try:
            yield
        finally:
            self._speaker.channel = None

    def _send_user_message(self, data: paramiko.Message) -> None:
        raw = data.asbytes()
        with self._order:
            if raw[0] != paramiko.common.MSG_CHANNEL_DATA or self._is_open(int.from_bytes(raw[1:5], "big")):
                super()._send_user_message(data)  # type: ignore[misc] # private, so not in the stubs

    def _is_open(self, number: int) -> bool:
        """Whether we may still speak on the channel that the jump host numbers so."""
        speaker = getattr(self._speaker, "channel", None)
        if speaker is not None:
            return bool(speaker.active and not speaker.closed)
        channels = self._channels.values()  # type: ignore[attr-defined] # private, so not in the stubs
        return any(c.remote_chanid == number and c.active and not c.closed for c in channels)


class JumpSocket:
    """A channel of a jump host, as the socket of the connection behind it. Closing it never raises.

    paramiko sends again and again as long as its socket only times out; here that ends, as nobody else can end it.
    """

    def __init__(self, channel: paramiko.Channel, silence: float) -> None:
        """`silence`: seconds in which the jump host may take no data before the connection is given up."""
        self._channel = channel
        self._sending = threading.Lock()
        self._silence = silence
        self._waited = 0.0
        self.stalled_for: float | None = None
        """The seconds in which no data was taken, where the connection was given up for that."""

    @property
    def _closed(self) -> bool:  # paramiko's transport asks its socket for this
        return self._channel.closed

    def settimeout(self, seconds: float | None) -> None:
        """Set the timeout, as of a socket."""
        self._channel.settimeout(seconds)

    def recv(self, size: int) -> bytes:
        """Receive, as of a socket."""
        return self._channel.recv(size)

    def send(self, data: bytes) -> int:
        """Send, as of a socket. Raises ConnectionAbortedError where nothing was taken for too long."""
        begun = time.monotonic()
        try:
            sent = self._send(data)
        except TimeoutError:
            # Counted over the attempts that follow one another, not over the time in which nothing was to be sent.
            self._waited += time.monotonic() - begun
            if self._waited < self._silence:
                raise
            self.stalled_for = self._silence
            raise ConnectionAbortedError(errno.ECONNABORTED, "no data was taken") from None
        self._waited = 0.0
        return sent

    def _send(self, data: bytes) -> int:
        transport = self._channel.get_transport()
        with self._sending:
            if not isinstance(transport, JumpTransport):
                return self._channel.send(data)
            with transport.speaking(self._channel):
                return self._channel.send(data)

    def close(self) -> None:
        """Close the channel, after what is being sent; but not later than 0.1 s, should the way be blocked."""
        held = self._sending.acquire(timeout=0.1)
        try:
            self._channel.close()
        except (OSError, EOFError, paramiko.SSHException):
            pass  # the jump host is gone, and the channel with it
        finally:
            if held:
                self._sending.release()


def stalled_for(transport: Any) -> float | None:
    """Return for how many seconds a host behind a jump host took nothing, where its connection was ended for that."""
    sock = getattr(transport, "sock", None)
    return sock.stalled_for if isinstance(sock, JumpSocket) else None


@dataclass(slots=True)
class Jump:
    """The last host of a chain of jump hosts."""

    chain: tuple[Resolved, ...]
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_OPENS))
    """One is held by each host that is being connected to through this one."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _client: paramiko.SSHClient | None = None
    _failures: list[HostError] = field(default_factory=list)
    """Of each attempt to log in to it that failed."""

    def connect(self, node: str, target: Resolved, log_in: LogIn, timeout: float, silence: float) -> JumpSocket:
        """Open a channel to `target` through this host, after logging in to it unless that is done.

        Args:
            node: the name of the host that is connected to.
            target: where it is, from this one.
            log_in: how to log in to this one.
            timeout: seconds for the way from here to `target`.
            silence: seconds in which `target` may take no data.

        Raises:
            HostError: this host cannot be logged in to.
            paramiko.SSHException: it does not open the way.
        """
        failed = len(self._failures)
        with self._lock:
            transport = self._client.get_transport() if self._client else None
            if transport is None or not transport.is_active():
                if len(self._failures) > failed:
                    raise self._failures[-1].of(node)  # while this host waited: once more would take as long
                try:
                    self._client = log_in(self.chain[-1], self.chain[:-1])
                except HostError as error:
                    self._failures.append(error)
                    raise
                transport = self._client.get_transport()
        if transport is None:
            raise paramiko.SSHException("the jump host hung up")
        there, here = (target.host, target.port), ("127.0.0.1", 0)
        return JumpSocket(transport.open_channel("direct-tcpip", there, here, timeout=timeout), silence)

    def close(self) -> None:
        """Hang up."""
        client = self._client
        if client is not None:
            client.close()
