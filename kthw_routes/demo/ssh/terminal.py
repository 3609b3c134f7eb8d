"""The streams of one channel on a modelled node, and its terminal if it has one: echo, line editing, ^C and ^D."""

import contextlib
import queue
import threading
from typing import Final

import paramiko

from kthw_routes.demo.linux.process import Readable

_INTERRUPT: Final = 0x03
_END: Final = 0x04
_ERASE: Final = (0x08, 0x7F)
_KILL_LINE: Final = 0x15
_ESCAPE: Final = 0x1B
_PIECE: Final = 65536


class Output:
    """stdout or stderr of a channel, to be called. What nobody reads any more is dropped."""

    def __init__(self, terminal: "Terminal", is_error: bool) -> None:
        self._terminal = terminal
        self._is_error = is_error

    def __call__(self, written: bytes, /) -> None:
        """Write."""
        self._terminal.send(written, self._is_error)


class Terminal:
    """The streams of one channel; with a keyboard in between where the client asked for a terminal."""

    def __init__(self, channel: paramiko.Channel, has_keyboard: bool) -> None:
        self._channel = channel
        self.stdout = Output(self, is_error=False)
        self.stderr = Output(self, is_error=True)
        self.keyboard = Keyboard(channel, self) if has_keyboard else None
        self.stdin: Readable = self.keyboard or _Plain(channel)
        self.is_over = False
        """Whether the client is gone."""
        self.is_at_prompt = False
        """Whether the shell itself waits for a line."""
        self._running = threading.Event()

    def ask(self, prompt: str) -> bytes:
        """Prompt, and read the next line for a shell; empty at ^D. ^C there begins a new line."""
        self.send(prompt.encode())
        self.is_at_prompt = True
        line = self.stdin.readline()
        self.is_at_prompt = False
        return line

    def begin(self) -> threading.Event:
        """Return the event that ends the command which begins now: the client went, or typed ^C."""
        self._running = threading.Event()
        if self.is_over:
            self._running.set()
        return self._running

    def interrupt(self) -> None:
        """End the running command."""
        self._running.set()

    def hang_up(self) -> None:
        """End the running command, and every later one: the client is gone."""
        self.is_over = True
        self._running.set()

    def send(self, written: bytes, is_error: bool = False) -> None:
        """Write to the client. A terminal has one stream, and ends its lines with CR LF."""
        data = memoryview(written.replace(b"\n", b"\r\n") if self.keyboard else written)
        send = self._channel.sendall_stderr if is_error and not self.keyboard else self._channel.sendall
        try:
            for at in range(0, len(data), _PIECE):  # paramiko copies what is left with each packet
                send(bytes(data[at : at + _PIECE]))
        except (OSError, EOFError):
            self.hang_up()


class _Plain:
    """stdin as the client sends it."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._file = channel.makefile("rb")

    def read(self, size: int = -1, /) -> bytes:
        """See Readable."""
        try:
            return self._file.read(None if size < 0 else size)
        except OSError:  # the client is gone
            return b""

    def readline(self) -> bytes:
        """See Readable."""
        try:
            line = self._file.readline()
        except OSError:
            return b""
        return line if isinstance(line, bytes) else line.encode()


class Keyboard:
    """What is typed, made into lines as a kernel's terminal does. A thread reads it, so that ^C works at any time."""

    def __init__(self, channel: paramiko.Channel, terminal: Terminal) -> None:
        self._channel = channel
        self._terminal = terminal
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._line = bytearray()
        self._rest = b""
        self._in_escape = False
        self._is_awaited = False
        threading.Thread(target=self._listen, name="ssh-keyboard", daemon=True).start()

    def readline(self) -> bytes:
        """Read the next line; empty at ^D, and when the client has gone."""
        if self._rest:
            line, self._rest = self._rest, b""
            return line
        self._is_awaited = True
        line = self._lines.get() or b""
        self._is_awaited = False
        return line

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, never more than a line; all lines until ^D if negative."""
        if size < 0:
            return b"".join(iter(self.readline, b""))
        line = self.readline()
        self._rest = line[size:]
        return line[:size]

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while received := self._channel.recv(4096):
                for byte in received:
                    self._press(byte)
        self._lines.put(None)

    def _press(self, byte: int) -> None:
        if self._in_escape:  # arrow keys and the like: passed over up to their last letter
            self._in_escape = not (0x40 <= byte <= 0x7E and byte not in b"[O")
        elif byte == _ESCAPE:
            self._in_escape = True
        elif byte in b"\r\n":
            self._terminal.send(b"\n")
            self._lines.put(bytes(self._line) + b"\n")
            self._line.clear()
        elif byte == _INTERRUPT:
            self._terminal.send(b"^C\n")
            self._line.clear()
            with contextlib.suppress(queue.Empty):  # what was typed ahead is forgotten
                while True:
                    self._lines.get_nowait()
            self._terminal.interrupt()
            if self._terminal.is_at_prompt:
                self._lines.put(b"\n")  # the shell prompts again
            elif self._is_awaited:
                self._lines.put(None)  # a program that waits for a line gets no more
        elif byte == _END:
            if not self._line:
                self._lines.put(None)
        elif byte in _ERASE:
            self._erase(1)
        elif byte == _KILL_LINE:
            self._erase(len(self._line))
        elif byte >= 0x20:
            self._line.append(byte)
            self._terminal.send(bytes([byte]))

    def _erase(self, count: int) -> None:
        for _ in range(min(count, len(self._line))):
            last = self._line.pop()
            while last & 0xC0 == 0x80 and self._line:  # the rest of a character
                last = self._line.pop()
            self._terminal.send(b"\b \b")
