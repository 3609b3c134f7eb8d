"""stdout and stderr for the commands: writing to them never waits and never raises.

What reads them may be slow, full or gone: EPIPE, ENOSPC, EIO of a terminal that vanished, EBADF of a stream that was
closed from the beginning. None of that may decide about hosts. So a thread writes, the first failure is kept, and
what is printed after it goes nowhere.
"""

import contextlib
import errno
import io
import os
import queue
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from sys import is_finalizing  # by itself, as the module may be gone by then
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MAX_WAITING: Final = 16 * 1024 * 1024
"""Bytes that wait for a reader; while there are more, what is printed is left out."""
MAX_LAST_WAIT: Final = 2.0
"""Seconds that a reader is waited for at the most once the process was asked to end."""
INTERRUPTED: Final = 130
"""The exit code where somebody interrupts the wait for a reader."""


_POLL: Final = 0.1
_is_ending: Final = threading.Event()


def limit_waits() -> None:
    """Wait for a reader no longer than MAX_LAST_WAIT from now on: the process was asked to end."""
    _is_ending.set()


def is_ending() -> bool:
    """Return whether the process was asked to end."""
    return _is_ending.is_set()


class _Writer:
    """A thread that writes what is put into its queue, in that order."""

    def __init__(self) -> None:
        # A SimpleQueue, because a signal handler may print while its thread is printing.
        self._queue: queue.SimpleQueue[tuple[Outlet, bytes] | threading.Event] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="writer", daemon=True).start()

    def put(self, outlet: "Outlet", data: bytes) -> None:
        """Have this written, after all that was put before."""
        self._queue.put((outlet, data))

    def drain(self) -> bool:
        """Wait until all that was put before is written or lost; False where that took too long for an end."""
        reached, begun = threading.Event(), time.monotonic()
        self._queue.put(reached)
        while not reached.wait(_POLL):
            if _is_ending.is_set() and time.monotonic() - begun > MAX_LAST_WAIT:
                return False
        return True

    def _work(self) -> None:
        while True:
            item = self._queue.get()
            if isinstance(item, threading.Event):
                item.set()
            else:
                item[0].write_now(item[1])


class Outlet(io.RawIOBase):
    """The binary layer of one stream.

    Attributes:
        name: the stream's name.
        loss: the first error of writing; None while all was written.
        is_reported: whether the loss was reported.
        waits: whether `write` returns only when all is written or lost, as it must around a question.
    """

    def __init__(self, name: str, descriptor: int, writer: _Writer) -> None:
        super().__init__()
        self.name: Final = name
        self.loss: OSError | None = None
        self.is_reported = False
        self.waits = False
        self._descriptor = descriptor
        self._writer = writer
        self._waiting = 0
        self._lock = threading.RLock()  # a signal handler may print

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether it leads to a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Have `data` written. Never raises, and waits only where `waits` is set."""
        content = bytes(data)
        if is_finalizing():  # the writer is gone by then: what a destructor complains of would wait for it for ever
            with contextlib.suppress(OSError):
                os.write(self._descriptor, content)
            return len(content)
        with self._lock:
            if self._waiting > MAX_WAITING and not self.waits:
                self.loss = self.loss or OSError(errno.EAGAIN, "nobody read it in time")
                return len(content)
            self._waiting += len(content)
        self._writer.put(self, content)
        if self.waits:
            self.drain()
        return len(content)

    def drain(self) -> None:
        """Wait until all that was printed is written or lost."""
        if not self._writer.drain():
            self.loss = self.loss or OSError(errno.EAGAIN, "nobody read it in time")

    def write_now(self, data: bytes) -> None:
        """Write `data`, in the writer's thread; keep the error where that fails, and write no more."""
        rest = memoryview(data)
        while rest and (self.loss is None or self.loss.errno == errno.EAGAIN):
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # another process made the pipe or terminal non-blocking
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
            except OSError as error:
                self.loss = error
        with self._lock:
            self._waiting -= len(data)


def install() -> None:
    """Let stdout and stderr of this process be such streams, and see that stdin is there.

    A descriptor that was closed (`>&-`) is taken by /dev/null, open for reading only: else the next file that is
    opened, the journal for example, would get its number, and with it what libraries write there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    writer = _Writer()
    sys.stdout = _stream(sys.stdout, "<stdout>", 1, writer)
    sys.stderr = _stream(sys.stderr, "<stderr>", 2, writer if _is_same_file(1, 2) else _Writer())


def _stream(old: TextIO | None, name: str, descriptor: int, writer: _Writer) -> io.TextIOWrapper:
    if old is not None:
        with contextlib.suppress(OSError):
            old.flush()
    encoding = old.encoding if old is not None else "utf-8"
    # errors: a terminal that knows few letters gets `?` instead of a traceback.
    return io.TextIOWrapper(Outlet(name, descriptor, writer), encoding=encoding, errors="replace", write_through=True)


def _is_same_file(one: int, other: int) -> bool:
    """Return whether both lead to the same place, so that what they write has an order."""
    return os.path.sameopenfile(one, other)


def _outlet(stream: object) -> Outlet | None:
    """Return the binary layer of a stream; None where the stream is of another kind, as in tests."""
    layer = getattr(stream, "buffer", None)
    return layer if isinstance(layer, Outlet) else None


@contextlib.contextmanager
def in_order() -> Iterator[None]:
    """Have what is printed within it on the terminal when the call returns: a question is there before its answer."""
    outlets = [o for o in (_outlet(sys.stdout), _outlet(sys.stderr)) if o is not None]
    for outlet in outlets:
        outlet.waits = True
        outlet.drain()
    try:
        yield
    finally:
        for outlet in outlets:
            outlet.waits = False


def is_delivered() -> bool:
    """Return whether all that was printed to stdout reached its file or reader; waits until that is known.

    Where it did not, the reason is printed on stderr.
    """
    outlet = _outlet(sys.stdout)
    if outlet is None:
        return True
    outlet.drain()
    _print_loss(outlet)
    return outlet.loss is None


def finish() -> None:
    """Wait until all is written; report what was lost, except where the reader had enough (`| head`).

    From then on whatever is printed is written at once, and Ctrl-C has nothing left to end. Raises KeyboardInterrupt
    where somebody interrupts the wait.
    """
    outlets = [o for o in (_outlet(sys.stdout), _outlet(sys.stderr)) if o is not None]
    for outlet in outlets:
        outlet.drain()
        if outlet.loss is not None and outlet.loss.errno != errno.EPIPE:
            _print_loss(outlet)
        outlet.waits = True
    for outlet in outlets:
        outlet.drain()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _print_loss(outlet: Outlet) -> None:
    """Report once on stderr that something was lost; where that is stderr itself, it goes nowhere."""
    if outlet.loss is not None and not outlet.is_reported:
        outlet.is_reported = True
        sys.stderr.write(f"kthw-routes: the output could not be written: {outlet.loss.strerror}.\n")
