"""The TCP connection below SSH: dialled within a time, cancelled by another thread, and noticing a dead peer."""

import contextlib
import errno
import select
import socket
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final

import paramiko

KEEPALIVE: Final = 15
"""Seconds between keepalives."""
UNANSWERED: Final = 20.0
"""Seconds that sent bytes may stay unacknowledged before the kernel gives the connection up."""
_SLICE: Final = 0.05
"""Seconds between two checks whether the attempt was cancelled."""


class NameTimeout(TimeoutError):
    """A name did not resolve in time."""


def hang_up(sock: Any) -> None:
    """Close a socket, or a channel that plays one, so that whoever reads from it wakes up."""
    if isinstance(sock, socket.socket):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        sock.close()


def dial(host: str, port: int, timeout: float, cancelled: threading.Event) -> socket.socket:
    """Connect over TCP to the first address of `host` that answers; `timeout` seconds for all of them together.

    Raises:
        NameTimeout: the name did not resolve in time.
        TimeoutError: none answered in time.
        OSError: the error of the last address; `socket.gaierror` where the name does not resolve.
        InterruptedError: `cancelled` was set.
    """
    deadline = time.monotonic() + timeout
    failure: OSError = TimeoutError(errno.ETIMEDOUT, "no answer")
    for family, kind, protocol, _, address in _addresses(host, port, deadline, cancelled):
        sock = socket.socket(family, kind, protocol)
        try:
            _connect(sock, address, deadline, cancelled)
            _tune(sock)
            return sock
        except OSError as error:
            sock.close()
            failure = error
            if isinstance(error, InterruptedError):
                break
        except BaseException:
            sock.close()
            raise
    raise failure


def _addresses(host: str, port: int, deadline: float, cancelled: threading.Event) -> Sequence[Any]:
    """Look a name up in a thread of its own: a resolver may wait for name servers far longer than anybody asked for."""
    answer: SimpleQueue[Sequence[Any] | OSError | UnicodeError] = SimpleQueue()

    def look_up() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that is empty or too long
            answer.put(error)

    threading.Thread(target=look_up, name=f"resolve-{host[:64]}", daemon=True).start()
    while True:
        if cancelled.is_set():
            raise InterruptedError(errno.EINTR, "stopped")
        left = deadline - time.monotonic()
        if left <= 0:
            raise NameTimeout(errno.ETIMEDOUT, "no answer")
        with contextlib.suppress(Empty):
            found = answer.get(timeout=min(left, _SLICE))
            break
    if isinstance(found, UnicodeError):
        raise socket.gaierror(socket.EAI_NONAME, "not a name")
    if isinstance(found, OSError):
        raise found
    return found


def _connect(sock: socket.socket, address: Any, deadline: float, cancelled: threading.Event) -> None:
    sock.setblocking(False)
    code = sock.connect_ex(address)
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while code in (errno.EINPROGRESS, errno.EALREADY):
        if cancelled.is_set():
            raise InterruptedError(errno.EINTR, "stopped")
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "no answer")
        if poll.poll(min(left, _SLICE) * 1000):
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, errno.errorcode.get(code, "error"))
    sock.setblocking(True)


def _tune(sock: socket.socket) -> None:
    """Turn Nagle off (it costs more than the cryptography), and have the kernel notice a dead peer."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wanted = {
        "TCP_USER_TIMEOUT": int(UNANSWERED * 1000),  # Linux, milliseconds
        "TCP_KEEPIDLE": KEEPALIVE,
        "TCP_KEEPALIVE": KEEPALIVE,  # macOS' name of it
        "TCP_KEEPINTVL": 5,
        "TCP_KEEPCNT": 4,
    }
    for name, value in wanted.items():
        option = getattr(socket, name, None)
        if option is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
