"""Streams between programs: a pipe with two ends, and bytes that are read like a stream."""

import io
import threading
from typing import Final

from kthw_routes.demo.linux.process import BrokenPipe, Interrupted

CAPACITY: Final = 65536
POLL: Final = 0.1
"""Seconds between checks of the cancellation while a pipe is full or empty."""


class Pipe:
    """A pipe of a pipeline: blocks the writer when full and the reader when empty."""

    def __init__(self, cancelled: threading.Event) -> None:
        self._condition = threading.Condition()
        self._data = bytearray()
        self._cancelled = cancelled
        self._writer_closed = False
        self._reader_closed = False

    def write(self, data: bytes) -> None:
        """Put bytes in. Raises BrokenPipe when the reader has gone, Interrupted."""
        with self._condition:
            while len(self._data) >= CAPACITY and not self._reader_closed:
                self._wait()
            if self._reader_closed:
                raise BrokenPipe
            self._data += data
            self._condition.notify_all()

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes; all until end of file if negative. Raises Interrupted."""
        with self._condition:
            if size < 0:
                whole = bytearray()
                while self._fill():
                    whole += self._take(len(self._data))
                return bytes(whole)
            self._fill()
            return self._take(size)

    def readline(self) -> bytes:
        """Read one line; what is left at end of file. Raises Interrupted."""
        with self._condition:
            while b"\n" not in self._data and not self._writer_closed and len(self._data) < CAPACITY:
                self._wait()
            end = self._data.find(b"\n")
            return self._take(end + 1 if end >= 0 else len(self._data))

    def close_writer(self) -> None:
        """End of file for the reader, once it has read what is left."""
        with self._condition:
            self._writer_closed = True
            self._condition.notify_all()

    def close_reader(self) -> None:
        """Break the pipe for the writer."""
        with self._condition:
            self._reader_closed = True
            self._condition.notify_all()

    def _fill(self) -> bool:
        while not self._data and not self._writer_closed:
            self._wait()
        return bool(self._data)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        self._condition.notify_all()
        return taken

    def _wait(self) -> None:
        if self._cancelled.is_set():
            raise Interrupted
        self._condition.wait(POLL)


def reading(data: bytes) -> io.BytesIO:
    """Make a stream that holds these bytes."""
    return io.BytesIO(data)
