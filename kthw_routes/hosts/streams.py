"""What a host writes while a command runs: bytes in, clean lines out, and a bounded copy to keep."""

from collections.abc import Callable
from typing import Final

from kthw_routes.untrusted import clean

CAPTURE_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of a stream that are kept; what comes after them only passes by as lines."""
_LINE_LIMIT: Final = 16 * 1024
_LOOK_AHEAD: Final = 4 * 1024
"""Bytes beyond its limit up to which a line is gathered: more than a secret has."""
_PREAMBLE_LIMIT: Final = 16 * 1024


class Stream:
    """stdout or stderr of one command. Lines are split as bytes, so no character is ever torn apart."""

    def __init__(
        self,
        mark: str,
        marks: int,
        on_line: Callable[[str], None] | None,
        hide: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """The command's own output begins after the line `mark` was seen `marks` times.

        `hide` masks secrets in a line before it is cut, so that none is cut in two.
        """
        self._mark = b"\n" + mark.encode() + b"\n"
        self._marks = self._marks_left = marks
        self._hide = hide
        self._on_line = on_line
        self._pending = bytearray()
        self._kept: list[bytes] = []
        self._size = 0
        self.preamble = b""
        """What came before the last mark that was seen, or after it while another is awaited."""

    @property
    def has_begun(self) -> bool:
        """Whether the command itself was reached."""
        return self._marks_left == 0

    @property
    def has_shell(self) -> bool:
        """Whether our own shell was reached, which prints the first mark. If not, no command was run."""
        return self._marks_left < self._marks

    @property
    def kept(self) -> bytes:
        """The command's output, up to CAPTURE_LIMIT."""
        return b"".join(self._kept)

    def feed(self, received: bytes) -> None:
        """Take the next bytes."""
        if self._marks_left:
            received = self._skip_to_mark(received)
            if self._marks_left:
                return
        if self._size < CAPTURE_LIMIT:
            self._kept.append(received[: CAPTURE_LIMIT - self._size])
            self._size += len(received)
        if self._on_line is not None:
            self._split(received)

    def finish(self) -> None:
        """No more comes: a last line without a newline is a line too."""
        if self._on_line is None:
            return
        if self._marks_left:
            self._pending = bytearray()
        elif self._pending:
            self._tell(bytes(self._pending))
            self._pending.clear()

    def _skip_to_mark(self, received: bytes) -> bytes:
        self._pending += received
        while self._marks_left:
            at = self._pending.find(self._mark)
            if at < 0:
                self.preamble = bytes(self._pending[-_PREAMBLE_LIMIT:])
                del self._pending[:-_PREAMBLE_LIMIT]
                return b""
            self._marks_left -= 1
            # The newline that ends this mark may begin the next one.
            rest = bytes(self._pending[at + len(self._mark) - (1 if self._marks_left else 0) :])
            self._pending = bytearray(rest)
        self._pending = bytearray()
        self.preamble = b""
        return rest

    def _split(self, received: bytes) -> None:
        *lines, rest = received.split(b"\n")
        if lines:
            self._tell(bytes(self._pending) + lines[0])
            for line in lines[1:]:
                self._tell(line)
            self._pending = bytearray(rest)
        else:
            self._pending += rest
        while len(self._pending) > _LINE_LIMIT + _LOOK_AHEAD:
            if self._hide is not None:
                self._pending = bytearray(self._hide(bytes(self._pending)))
            cut = _LINE_LIMIT
            while self._pending[cut] & 0xC0 == 0x80 and cut > _LINE_LIMIT - 4:  # not within a character
                cut -= 1
            self._tell(bytes(self._pending[:cut]))
            del self._pending[:cut]

    def _tell(self, line: bytes) -> None:
        if self._on_line is not None:
            # A carriage return becomes a newline: what a program draws over is a line of its own.
            for text in clean(line.removesuffix(b"\r").decode("utf-8", "replace")).split("\n"):
                self._on_line(text)
