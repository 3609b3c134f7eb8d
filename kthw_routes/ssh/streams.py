"""What a host writes while a command runs: bytes in, a bounded copy to keep, and a bounded number of clean lines.

What is beyond a bound is counted and nothing more, so that a flood costs no time.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from kthw_routes.sanitize import clean
from kthw_routes.ssh.command import MAX_CAPTURE
from kthw_routes.ssh.session import OnLine

MAX_LINE: Final = 4 * 1024
"""Bytes of a line that are shown."""
MAX_LINES: Final = 2000
"""Lines of one command that are shown, of both its streams together."""
MAX_SHOWN: Final = 256 * 1024
"""Bytes of one command that are shown."""
FURTHER: Final = "… (further output of this command is not shown, nor recorded)"
"""The last line that is shown of a command that writes too much."""
_STATUS: Final = re.compile(rb"([0-9]{1,3})\n")
"""How a frame ends: the exit status."""
_STATUS_SIZE: Final = 4
_MARGIN: Final = 1024
"""Bytes kept beyond MAX_LINE: what is to be hidden in a line is found before it is cut."""
_PREAMBLE_LIMIT: Final = 16 * 1024


def _as_it_is(text: str) -> str:
    return text


class Live:
    """The lines of one command as they are shown while it runs: up to MAX_LINES and MAX_SHOWN."""

    def __init__(self, on_line: OnLine, hide: Callable[[str], str] = _as_it_is) -> None:
        """Pass lines on after `hide` has masked what none may show."""
        self._on_line = on_line
        self._hide = hide
        self._lines = 0
        self._bytes = 0
        self.is_full = False
        """Whether no more is shown."""
        self.not_shown = 0
        """Bytes that came after that."""

    def show(self, line: bytes, left_out: int, *, is_error: bool) -> None:
        """Pass a line on of which `left_out` bytes more are not here.

        A carriage return becomes a newline: what a program draws over is a line of its own.
        """
        if left_out:
            whole = _whole(line)
            left_out += len(line) - len(whole)
            line = whole
        text = self._hide(clean(line.decode("utf-8", "replace")))
        size = len(text.encode("utf-8", "replace"))
        if left_out or size > MAX_LINE:
            # Without the end of what was kept: what is to be hidden may be torn apart there.
            shown = _beginning(text, min(MAX_LINE, size - _MARGIN if left_out else size))
            text = f"{shown} … ({size - len(shown.encode('utf-8', 'replace')) + left_out} bytes left out)"
        for part in text.split("\n"):
            cost = len(part.encode("utf-8", "replace"))
            if self.is_full or self._lines == MAX_LINES or self._bytes + cost > MAX_SHOWN:
                if not self.is_full:
                    self.is_full = True
                    self._on_line(FURTHER, is_error)
                self.not_shown += cost
                continue
            self._lines += 1
            self._bytes += cost
            self._on_line(part, is_error)


def _whole(line: bytes) -> bytes:
    """Cut the last character, which may be torn apart, off bytes that were cut somewhere."""
    end = len(line)
    while end > max(0, len(line) - 4) and line[end - 1] & 0xC0 == 0x80:
        end -= 1
    return line[: max(0, end - 1)]


def _beginning(text: str, size: int) -> str:
    """Return the first characters of a text, at most `size` bytes of them."""
    return text.encode("utf-8", "replace")[: max(size, 0)].decode("utf-8", "ignore")


class Gate:
    """What comes before a command's own output: a login's words, then a mark, seen `marks` times."""

    def __init__(self, mark: str, marks: int) -> None:
        self._mark = b"\n" + mark.encode() + b"\n"
        self._marks = self._left = marks
        self._pending = bytearray()
        self.preamble = b""
        """What came before the last mark that was seen, or after it while another is awaited."""

    @property
    def is_open(self) -> bool:
        """Whether all marks were seen."""
        return self._left == 0

    @property
    def is_reached(self) -> bool:
        """Whether a mark was seen."""
        return self._left < self._marks

    def pass_on(self, received: bytes) -> bytes:
        """Take the next bytes; return those that come after the last mark."""
        if not self._left:
            return received
        self._pending += received
        while self._left:
            at = self._pending.find(self._mark)
            if at < 0:
                self.preamble = bytes(self._pending[-_PREAMBLE_LIMIT:])
                del self._pending[:-_PREAMBLE_LIMIT]
                return b""
            self._left -= 1
            # The newline that ends this mark may begin the next one.
            self._pending = self._pending[at + len(self._mark) - (1 if self._left else 0) :]
        rest, self._pending = bytes(self._pending), bytearray()
        self.preamble = b""
        return rest


class Stream:
    """stdout or stderr of one command. Lines are split as bytes, so no character is ever torn apart."""

    def __init__(self, live: Live | None = None, *, is_error: bool = False, capture: int = MAX_CAPTURE) -> None:
        """
        Args:
            live: where its lines are shown; the same for both streams of a command.
            is_error: whether this is stderr.
            capture: bytes that are kept.
        """
        self._live = live
        self._is_error = is_error
        self._capture = capture
        self._pending = bytearray()
        self._left_out = 0
        self._kept: list[bytes] = []
        self._size = 0
        self.is_cut = False
        """Whether the command wrote more than is kept, or perhaps did."""

    @property
    def kept(self) -> bytes:
        """The command's output, up to `capture` bytes."""
        return b"".join(self._kept)

    def feed(self, received: bytes) -> None:
        """Take the next bytes."""
        room = self._capture - self._size
        if room > 0 and received:
            self._kept.append(received[:room])
        self._size += len(received)
        self.is_cut = self.is_cut or self._size > self._capture
        if self._live is not None:
            self._split(received, self._live)

    def finish(self) -> None:
        """Take the end of the stream: a last line without a newline is a line too."""
        if self._live is not None and (self._pending or self._left_out):
            self._tell(self._live)

    def _split(self, received: bytes, live: Live) -> None:
        at = 0
        while at < len(received) and not live.is_full:
            end = received.find(b"\n", at)
            stop = end if end >= 0 else len(received)
            room = MAX_LINE + _MARGIN - len(self._pending)
            self._pending += received[at : min(stop, at + room)]
            self._left_out += max(0, stop - at - room)
            at = stop + 1
            if end >= 0:
                self._tell(live)
        live.not_shown += max(0, len(received) - at)

    def _tell(self, live: Live) -> None:
        line, left_out = bytes(self._pending), self._left_out
        self._pending.clear()
        self._left_out = 0
        if live.is_full:
            live.not_shown += len(line) + left_out
        else:
            live.show(line.removesuffix(b"\r"), left_out, is_error=self._is_error)


class BrokenFrame(Exception):
    """What ends a command's output is not as the script prints it: the output cannot be attributed any more."""


class Incoming:
    """stdout or stderr of a channel: what comes before the mark, then the output of one command after the other.

    A command's output ends where its frame ends it: a byte that no text has, a word that only this script knows, the
    exit status and a newline. Without a frame there is one command, whose output goes on to the end.
    """

    def __init__(
        self,
        gate: Gate,
        parts: Sequence[Stream],
        frame: str | None = None,
        on_end: Callable[[int], None] = lambda _status: None,
    ) -> None:
        """
        Args:
            gate: before which the commands' own output does not begin.
            parts: of each command the stream that takes its output.
            frame: the word that ends each.
            on_end: called with the exit status of each command where its output has ended.
        """
        self.gate = gate
        self.received = 0
        """Bytes that came, what came before the mark included."""
        self.ended = 0
        """How many commands' output has ended."""
        self._parts = parts
        self._frame = b"" if frame is None else b"\x01" + frame.encode() + b" "
        self._on_end = on_end
        self._held = b""

    @property
    def current(self) -> Stream | None:
        """The stream of the command whose output comes now; None after the last one."""
        return self._parts[self.ended] if self.ended < len(self._parts) else None

    def feed(self, received: bytes) -> None:
        """Take the next bytes. Raises BrokenFrame."""
        self.received += len(received)
        received = self.gate.pass_on(received)
        if not self.gate.is_open:
            return
        if not self._frame:
            self._parts[0].feed(received)
            return
        received, self._held = self._held + received, b""
        while (stream := self.current) is not None and received:
            at = received.find(self._frame)
            begins = at + len(self._frame)
            status = received[begins : begins + _STATUS_SIZE] if at >= 0 else b""
            if at < 0 or (b"\n" not in status and len(status) < _STATUS_SIZE):
                self._held = received[at:] if at >= 0 else _beginning_of(self._frame, received)
                stream.feed(received[: len(received) - len(self._held)])
                return
            if (found := _STATUS.match(status)) is None:
                raise BrokenFrame
            stream.feed(received[:at])
            stream.finish()
            self.ended += 1
            self._on_end(int(found[1]))
            received = received[begins + found.end() :]

    def finish(self) -> None:
        """Take the end of the channel."""
        if self.gate.is_open and (stream := self.current) is not None:
            stream.finish()

    def cut(self) -> None:
        """Take it that what comes is not the command's own any more."""
        if (stream := self.current) is not None:
            stream.is_cut = True


def _beginning_of(frame: bytes, received: bytes) -> bytes:
    """Return the end of `received` that may be the beginning of a frame; empty where it is none."""
    at = received.rfind(frame[:1], max(0, len(received) - len(frame)))
    return received[at:] if at >= 0 and frame.startswith(received[at:]) else b""
