"""A paramiko transport that is quick and quiet, and knows which channel was refused and why."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

import paramiko
from paramiko.common import (
    CONNECTION_FAILED_CODE,
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_FAILURE,
    cMSG_CHANNEL_REQUEST,
    cMSG_GLOBAL_REQUEST,
)
from paramiko.ssh_exception import IncompatiblePeer

from kthw_routes.ssh.dial import hang_up

HANDSHAKE_TIMEOUT: Final = 15.0
"""Seconds for each of banner, key exchange and the opening of a channel; paramiko waits an hour for the last."""
LOGIN_TIMEOUT: Final = 30.0
"""Seconds for one key; an agent may ask the person to touch something."""
_FIRST_PAUSE: Final = 0.05
_MAX_PAUSE: Final = 0.5
"""Seconds between two attempts to open a channel that is refused."""

logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False  # unconfigured, its warnings would be drawn over the wizard


class ExecRefused(paramiko.SSHException):
    """The server refused to run a command in a channel that it had opened."""


def _closed(channel: paramiko.Channel, message: paramiko.Message) -> None:
    channel._handle_close(message)  # type: ignore[attr-defined] # private, so not in the stubs
    channel.get_transport().note_closed()  # type: ignore[attr-defined] # it is one of ours


def _refused(channel: paramiko.Channel, message: paramiko.Message) -> None:
    channel.get_transport().note_refused(channel)  # type: ignore[attr-defined] # it is one of ours
    channel._request_failed(message)  # type: ignore[attr-defined] # private, so not in the stubs


class NoCommonAlgorithm(IncompatiblePeer):
    """The two ends have no algorithm of one kind in common.

    Attributes:
        kind: what kind, as people call it.
        option: what sshd_config calls it.
        theirs, ours: what each end offers.
    """

    def __init__(self, kind: str, option: str, theirs: Sequence[str], ours: Sequence[str]) -> None:
        super().__init__(f"no common {kind}")
        self.kind = kind
        self.option = option
        self.theirs = theirs
        self.ours = ours


class QuietTransport(paramiko.Transport):
    """A transport that wakes every two seconds instead of ten times a second, and closes without waiting.

    paramiko keeps one exception for all channels of a connection, so that one's refusal may be raised for another.
    Here each refusal is kept under the number of its channel.
    Where the two ends have no algorithm in common it says which.
    """

    _active_check_timeout = 2.0
    # First those that prove a packet's origin by themselves: paramiko compares each other packet's digest in Python.
    _preferred_ciphers = (
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        *(c for c in paramiko.Transport._preferred_ciphers if "-gcm" not in c),  # type: ignore[attr-defined] # private
    )
    _channel_handler_table: ClassVar[dict[int, Callable[[paramiko.Channel, paramiko.Message], None]]] = {
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined] # private, so not in the stubs
        MSG_CHANNEL_CLOSE: _closed,
        MSG_CHANNEL_FAILURE: _refused,
    }

    def __init__(self, sock: Any, **options: Any) -> None:
        super().__init__(sock, **options)
        self._offers: Mapping[str, Sequence[str]] = {}
        self.banner_timeout = self.handshake_timeout = self.channel_timeout = HANDSHAKE_TIMEOUT
        self.auth_timeout = LOGIN_TIMEOUT
        self._asking = threading.local()
        self._refusals: dict[int, paramiko.ChannelException] = {}
        self._exec_refused: set[int] = set()
        self._closings = threading.Condition()

    def _really_parse_kex_init(self, message: paramiko.Message, ignore_first_byte: bool = False) -> Any:
        parsed = super()._really_parse_kex_init(message, ignore_first_byte)  # type: ignore[misc] # private, not in the stubs
        if not ignore_first_byte:  # else it is our own offer
            self._offers = {
                name: [word for word in value if not word.startswith(("ext-info-", "kex-strict-"))]
                for name, value in parsed.items()
                if isinstance(value, list)
            }
        return parsed

    def _parse_kex_init(self, message: paramiko.Message) -> None:
        try:
            super()._parse_kex_init(message)  # type: ignore[misc] # private, so not in the stubs
        except IncompatiblePeer:
            options = self.get_security_options()
            for kind, option, ours, names in (
                ("key exchange", "KexAlgorithms", options.kex, ("kex_algo_list",)),
                ("host key algorithm", "HostKeyAlgorithms", options.key_types, ("server_key_algo_list",)),
                ("cipher", "Ciphers", options.ciphers, ("client_encrypt_algo_list", "server_encrypt_algo_list")),
                ("MAC", "MACs", options.digests, ("client_mac_algo_list", "server_mac_algo_list")),
                ("compression", "Compression", options.compression, ("client_compress_algo_list",)),
            ):
                for theirs in (self._offers.get(name, ()) for name in names):
                    if not set(theirs) & set(ours):
                        raise NoCommonAlgorithm(kind, option, theirs, ours) from None
            raise

    def close(self) -> None:
        """End the connection. The transport's thread is woken rather than waited for."""
        hang_up(self.sock)
        super().close()

    def open_channel(self, *arguments: Any, **options: Any) -> paramiko.Channel:
        """Open a channel as paramiko does, but raise what the server answered about this very channel.

        Raises:
            paramiko.ChannelException: the server refuses it; `text` is what it says.
            paramiko.SSHException, EOFError, OSError: the connection ended, or there was no answer.
        """
        self._asking.number = None
        try:
            return super().open_channel(*arguments, **options)
        except (paramiko.SSHException, EOFError, OSError):
            number: int | None = self._asking.number
            if number is not None:
                self.channel_events.pop(number, None)
                if refusal := self._refusals.pop(number, None):
                    raise refusal from None
            raise

    def open_command_channel(self, timeout: float, patience: float) -> paramiko.Channel:
        """Open a channel for a command. Refused, it is asked for again: a server counts one until it has closed it.

        Args:
            timeout: seconds for each answer.
            patience: seconds for all attempts, from the first refusal on.

        Raises:
            paramiko.ChannelException: it is refused still.
            paramiko.SSHException, EOFError, OSError: the connection ended, or there was no answer.
        """
        first: float | None = None
        pause = _FIRST_PAUSE
        while True:
            try:
                return self.open_channel("session", timeout=timeout)
            except paramiko.ChannelException:
                now = time.monotonic()
                first = now if first is None else first
                left = first + patience - now
                if left <= 0 or not self.is_active():
                    raise
                # The close of the one before is what is waited for. A busy server frees it somewhat later.
                self._wait_for_a_close(min(pause, left))
                pause = min(2 * pause, _MAX_PAUSE)

    def note_closed(self) -> None:
        """Note that the server has closed a channel. Called by the transport's thread."""
        with self._closings:
            self._closings.notify_all()

    def note_refused(self, channel: paramiko.Channel) -> None:
        """Note that the server has refused the request in this channel. Called by the transport's thread."""
        self._exec_refused.add(channel.get_id())

    def was_refused(self, channel: paramiko.Channel) -> bool:
        """Whether the server refused the request in this channel."""
        return channel.get_id() in self._exec_refused

    def _wait_for_a_close(self, seconds: float) -> None:
        with self._closings:
            self._closings.wait(seconds)

    def _next_channel(self) -> int:
        number: int = super()._next_channel()  # type: ignore[misc] # private, so not in the stubs
        self._asking.number = number
        return number

    def _parse_channel_open_failure(self, message: paramiko.Message) -> None:
        number, code = message.get_int(), message.get_int()
        words = CONNECTION_FAILED_CODE.get(code, f"code {code}")
        said = message.get_binary().decode("utf-8", "replace")
        text = words if said.lower() in ("", "open failed", words.lower()) else f"{words}: {said}"
        with self.lock:
            self._channels.delete(number)  # type: ignore[attr-defined] # private, so not in the stubs
            event = self.channel_events.pop(number, None)
            if event is not None:
                self._refusals[number] = paramiko.ChannelException(code, text)
                event.set()


def run_in(channel: paramiko.Channel, command: str, timeout: float) -> None:
    """Have the server run a command in a channel. paramiko waits for its answer without end.

    Raises:
        ExecRefused: the server refuses.
        TimeoutError: no answer within `timeout` seconds.
        paramiko.SSHException: the connection ended.
    """
    request = paramiko.Message()
    request.add_byte(cMSG_CHANNEL_REQUEST)
    request.add_int(channel.remote_chanid)
    request.add_string("exec")
    request.add_boolean(True)
    request.add_string(command)
    channel._event_pending()  # type: ignore[attr-defined] # private, so not in the stubs
    transport = channel.get_transport()
    transport._send_user_message(request)  # type: ignore[attr-defined] # private, so not in the stubs
    # What was closed before the event was cleared sets it no more.
    if not channel.closed and not channel.event.wait(timeout):
        raise TimeoutError
    if isinstance(transport, QuietTransport) and transport.was_refused(channel):
        raise ExecRefused
    if not channel.event_ready:
        raise paramiko.SSHException("the channel was closed")


def answers(transport: paramiko.Transport, seconds: float) -> bool:
    """Whether the host answers a request within so long: what it had sent until then is there by now.

    Every server answers a global request that it does not know with a failure (RFC 4254, section 4).
    """
    request = paramiko.Message()
    request.add_byte(cMSG_GLOBAL_REQUEST)
    request.add_string("keepalive@kthw-routes")
    request.add_boolean(True)
    transport.completion_event = answered = threading.Event()
    transport._send_user_message(request)  # type: ignore[attr-defined] # private, so not in the stubs
    return answered.wait(seconds) and transport.is_active()
