"""What runs on an open channel: its stdin as it is taken, its output as it comes, its status, and a clock.

Done by the calling thread alone, with `poll` on the channel: no thread is started, and the terminal is not touched.
"""

import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import paramiko

from kthw_routes.ssh.command import Command
from kthw_routes.ssh.streams import Incoming
from kthw_routes.ssh.transport import answers

_TICK: Final = 0.2
"""Seconds between two readings of the clock while nothing comes, and while nothing can be sent."""
_QUIET: Final = 0.4
"""Seconds without output after the exit status before the host is asked whether it is on the way still."""
_ROUND_TRIPS: Final = 2
"""So many answers, and no output before any of them, are the end where a process left behind holds the streams open."""
_MAX_AFTERWARDS: Final = 8 * 1024 * 1024
"""Bytes after the exit status. The command's own are on the way by then, in windows of 2 MiB; more is another's."""
_PIECE: Final = 64 * 1024
_AT_ONCE: Final = 16
"""So many pieces of output are taken between two readings of the clock."""


class Silent(Exception):
    """The host did not reply for too long."""


class Endless(Exception):
    """The command took longer than it may, though the host went on talking."""


@dataclass(slots=True)
class Exchange:
    """What goes to a command, or a script of them, and what comes back."""

    stdin: bytes = field(repr=False)  # may begin with a password
    out: Incoming
    err: Incoming
    silence: float
    """Seconds without a byte, either way, after which the host counts as dead."""
    longest: float
    """Seconds after which it is given up even if it goes on talking."""
    unlimited: Callable[[], Command | None] = lambda: None
    """Returns the command that runs now, if the host itself would not end it in time."""
    status: int = -1
    """The exit status; -1 while there is none, or none came."""

    @property
    def received(self) -> int:
        """Bytes that came, on both streams."""
        return self.out.received + self.err.received

    @property
    def has_begun(self) -> bool:
        """Whether the command itself was reached."""
        return self.out.gate.is_open or self.err.gate.is_open

    def talk(self, channel: paramiko.Channel) -> None:
        """Send stdin and its end to the command that `channel` runs, and listen until it is over.

        Raises Silent, Endless.
        """
        channel.settimeout(_TICK)
        try:
            self._talk(channel)
        finally:
            self.out.finish()
            self.err.finish()
        if channel.exit_status_ready():
            self.status = channel.recv_exit_status()

    def _talk(self, channel: paramiko.Channel) -> None:
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        unsent: memoryview | None = memoryview(self.stdin)
        begun = heard = time.monotonic()
        over: tuple[float, int] | None = None  # when the status was there, and how much had come by then
        round_trips = 0
        while True:
            moved = False
            if unsent is not None and over is None:
                left = self._send(channel, unsent)
                moved = left is None or len(left) < len(unsent)
                unsent = left
            elif not channel.recv_ready() and not channel.recv_stderr_ready():
                poll.poll(_TICK * 1000)
            taken = self._take(channel)
            now = time.monotonic()
            if moved or taken:
                heard = now
            if over is None and channel.exit_status_ready():
                over = now, self.received
            if taken:
                round_trips = 0
            elif channel.closed or (over and channel.eof_received):
                break
            elif over and now - heard > _QUIET:
                # Quiet alone is no end: sshd may send the status before the last output, and a network may pause.
                if round_trips == _ROUND_TRIPS:
                    break
                if not answers(channel.get_transport(), self.silence):
                    raise Silent
                round_trips, heard = round_trips + 1, time.monotonic()
                continue
            if over and taken and (self.received - over[1] > _MAX_AFTERWARDS or now - over[0] > self.silence):
                self.out.cut()  # what is the command's own is not known any more
                self.err.cut()
                return
            if not taken and channel.eof_received:
                channel.status_event.wait(_TICK)  # the poll is at once ready from now on
            if now - heard > self.silence:
                raise Silent
            if now - begun > self.longest:
                raise Endless
        for _ in range(4):  # what came between the last look and the close; a window at most
            if not self._take(channel):
                return

    def _send(self, channel: paramiko.Channel, unsent: memoryview) -> memoryview | None:
        """Send a piece, and the end after the last one; return what is left, None where nothing has to be done."""
        try:
            if unsent:
                unsent = unsent[channel.send(bytes(unsent[:_PIECE])) :]
            if unsent:
                return unsent
            channel.shutdown_write()
        except TimeoutError:
            return unsent  # its window is full: it does not read
        except OSError:
            pass  # it ended before it had read everything, or the connection did: its status shows which
        return None

    def _take(self, channel: paramiko.Channel) -> bool:
        """Take some of what has come; return whether anything had. Not all: a host may send faster than it is taken."""
        taken = False
        for _ in range(_AT_ONCE):
            out, err = channel.recv_ready(), channel.recv_stderr_ready()
            if out:
                self.out.feed(channel.recv(_PIECE))
            if err:
                self.err.feed(channel.recv_stderr(_PIECE))
            if not out and not err:
                break
            taken = True
        return taken
