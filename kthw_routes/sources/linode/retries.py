"""Work that can be given up at once: run next to the caller, tried again after a wait that is shown."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Protocol, TypeVar

from kthw_routes.errors import Cancelled
from kthw_routes.events import Emit, Event, EventKind, Phase, now
from kthw_routes.sources.linode.errors import LinodeError

TRIES: Final = 3
MAX_WAIT: Final = 30.0
"""Seconds; what Linode may ask for has no limit of its own."""

_LOOK_EVERY: Final = 0.05  # seconds between looks at `cancel`: two events cannot be waited for at once

T = TypeVar("T")


def note(emit: Emit, text: str, phase: Phase = Phase.FIND) -> None:
    """Report progress in finding the nodes, or in another phase."""
    emit(Event(phase, EventKind.NOTE, text, time=now()))


class HasSocket(Protocol):
    """A connection: its socket, once there is one, or a wrapper of it."""

    sock: Any


class OpenSockets:
    """The sockets of requests, so that another thread can end them: a read that waits then returns at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connecting: list[HasSocket] = []
        self._sockets: list[socket.socket] = []
        self._has_ended = False

    @contextmanager
    def connecting(self, connection: HasSocket) -> Iterator[None]:
        """Note a connection while it is opened, and its socket from then on.

        Raises:
            ConnectionAbortedError: all were ended, before or meanwhile; nothing may be sent.
        """
        with self._lock:
            self._check()
            self._connecting.append(connection)
        try:
            yield
        finally:
            with self._lock:
                self._connecting.remove(connection)
                self._check()
                still_open = [s for s in self._sockets if s.fileno() >= 0]
                self._sockets = [*still_open, *_socket_of(connection)]

    def end(self) -> None:
        """End all of them. Whoever is late opens no further one."""
        with self._lock:
            self._has_ended = True
            opened = [*self._sockets, *(s for c in self._connecting for s in _socket_of(c))]
        for each in opened:
            with suppress(OSError):  # it is closed already
                # that of the plain socket: SSLSocket's own first forgets its key, while another thread may be sending
                socket.socket.shutdown(each, socket.SHUT_RDWR)

    def _check(self) -> None:
        if self._has_ended:
            raise ConnectionAbortedError("the request was given up")


def _socket_of(connection: HasSocket) -> tuple[socket.socket, ...]:
    """Find the socket of a connection, from under what wraps it; None as long as there is none."""
    found = connection.sock
    while found is not None and not isinstance(found, socket.socket):
        found = getattr(found, "socket", None)
    return () if found is None else (found,)


def run_in_thread(work: Callable[[], T], *, cancel: threading.Event, seconds: float) -> T:
    """Run `work` in a daemon thread, so that nobody waits for its result longer than they want.

    Raises:
        Cancelled: `cancel` was set; the caller brings `work` to its end, as with `OpenSockets`.
        TimeoutError: it was not done within `seconds`; the same.
        Exception: whatever `work` raised.
    """
    results: list[T] = []
    errors: list[Exception] = []
    done = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:  # handed to the caller, whatever it is
            errors.append(error)
        finally:
            done.set()

    if cancel.is_set():
        raise Cancelled("Stopped asking Linode.")
    threading.Thread(target=run, name="linode-request", daemon=True).start()
    for _ in range(max(1, round(seconds / _LOOK_EVERY))):
        if done.wait(_LOOK_EVERY):
            break
        if cancel.is_set():
            raise Cancelled("Stopped asking Linode.")
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]


def persistently(work: Callable[[], T], *, emit: Emit, cancel: threading.Event, backoff: float) -> T:
    """Run `work`, up to three times while its error is temporary.

    Args:
        backoff: seconds to wait before the second try, twice as many before the third, where Linode asks for none.

    Raises:
        LinodeError: the last one.
        Cancelled: `cancel` was set, also during a wait.
    """
    for number in range(1, TRIES + 1):
        try:
            return work()
        except LinodeError as error:
            if not error.is_temporary:
                raise
            if number == TRIES:
                error.hint = f"Tried {TRIES} times. {error.hint}"
                raise
            asked = error.retry_after
            wait = min(backoff * number if asked is None else asked, MAX_WAIT)
            which = f"(try {number + 1} of {TRIES})"
            if asked is None:
                note(emit, f"{error.sentence} Trying again in {wait:.0f} s {which}")
            elif asked > MAX_WAIT:
                note(emit, f"Linode asks to wait {asked:.0f} s; trying again in {wait:.0f} s {which}")
            else:
                note(emit, f"Linode asks to wait {wait:.0f} s {which}")
        if cancel.wait(wait):
            raise Cancelled("Stopped asking Linode.")
    raise AssertionError("unreachable: the last try returns or raises")
