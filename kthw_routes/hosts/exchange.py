"""One command on an open channel: its stdin in one piece, its output as it comes, its status, and a clock.

Done by the calling thread alone, with `poll` on the channel: no thread is started, and the terminal is not touched.
"""

import select
import time
from dataclasses import dataclass, field
from typing import Final

import paramiko

from kthw_routes.hosts.streams import Stream

_TICK: Final = 0.2
"""Seconds between two looks at the clock while nothing comes."""
_LEFT_BEHIND: Final = 1.0
"""Seconds of quiet after the exit status, when a process left behind still holds the streams open."""


class Silent(Exception):
    """The host said nothing for too long."""


@dataclass(slots=True)
class Exchange:
    """What goes to a command and what comes back."""

    stdin: bytes = field(repr=False)  # may begin with a password
    out: Stream
    err: Stream
    silence: float
    """Seconds without a byte after which the host counts as dead."""
    longest: float
    """Seconds after which it does even if it goes on talking."""
    status: int = -1
    """The exit status; -1 while there is none, or none came."""

    def talk(self, channel: paramiko.Channel) -> None:
        """Send stdin and its end to the command that `channel` runs, and listen until it is over. Raises Silent."""
        channel.settimeout(self.silence)
        try:
            channel.sendall(self.stdin)
            channel.shutdown_write()
        except TimeoutError:
            raise Silent from None
        except OSError:
            pass  # it ended before it had read everything, or the connection did: its status tells which
        self._listen(channel)
        self._take(channel)
        self.out.finish()
        self.err.finish()
        if channel.exit_status_ready():
            self.status = channel.recv_exit_status()

    def _listen(self, channel: paramiko.Channel) -> None:
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        begun = heard = time.monotonic()
        while True:
            poll.poll(_TICK * 1000)
            now = time.monotonic()
            if self._take(channel):
                heard = now
            elif channel.closed or (
                channel.exit_status_ready() and (channel.eof_received or now - heard > _LEFT_BEHIND)
            ):
                return
            elif channel.eof_received:
                channel.status_event.wait(_TICK)  # the poll is at once ready from now on
            if now - heard > self.silence or now - begun > self.longest:
                raise Silent

    def _take(self, channel: paramiko.Channel) -> bool:
        """Take what has come; whether anything had."""
        taken = False
        while channel.recv_ready():
            self.out.feed(channel.recv(65536))
            taken = True
        while channel.recv_stderr_ready():
            self.err.feed(channel.recv_stderr(65536))
            taken = True
        return taken
