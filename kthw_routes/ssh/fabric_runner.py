"""The frame of fabric's runner around one command, without its threads, timers and decoding.

Stock fabric reads the terminal, breaks characters apart and starts three threads per command.
"""

from typing import Any, Final

import fabric
import paramiko
from fabric.runners import Remote

from kthw_routes.ssh.exchange import Exchange, Silent
from kthw_routes.ssh.transport import HANDSHAKE_TIMEOUT, QuietTransport, run_in

REFUSED_PATIENCE: Final = 5.0
"""Seconds for which a channel that is refused is asked for again."""


class LineRunner(Remote):  # type: ignore[misc] # fabric has no types
    """fabric's runner without its threads, timers and decoding: an Exchange does the talking."""

    def __init__(self, connection: fabric.Connection, exchange: Exchange) -> None:
        super().__init__(context=connection, inline_env=False)
        self._exchange = exchange
        self._channel: paramiko.Channel | None = None
        self.was_sent = False
        """Whether the line may have reached the host."""

    def start(self, command: str, *_shell_and_env: object) -> None:
        """Ask the host to run the line."""
        answer = min(HANDSHAKE_TIMEOUT, self._exchange.silence)
        transport: QuietTransport = self.context.transport
        self._channel = transport.open_command_channel(answer, min(REFUSED_PATIENCE, self._exchange.silence))
        self._channel.settimeout(answer)
        self.was_sent = True
        try:
            run_in(self._channel, command, answer)
        except TimeoutError:
            raise Silent from None

    def create_io_threads(self) -> tuple[dict[Any, Any], list[str], list[str]]:
        """Start none."""
        return {}, [], []

    def start_timer(self, timeout: float | None) -> None:
        """Start none: the exchange keeps the time."""

    def wait(self) -> None:
        """Wait until the command is over. Raises Silent, Endless."""
        if self._channel is not None:
            self._exchange.talk(self._channel)

    def returncode(self) -> int:
        """Return the exit status; -1 where there is none."""
        return self._exchange.status

    def stop(self) -> None:
        """Close the channel. fabric's own would also reset the terminal's window signal."""
        if self._channel is not None:
            self._channel.close()
