"""The connection below SSH: nothing follows the close of a jump host's channel, and each refusal has its own."""

import queue
import socket
from concurrent.futures import ThreadPoolExecutor

import paramiko
import pytest
from paramiko.common import cMSG_CHANNEL_CLOSE, cMSG_CHANNEL_DATA, cMSG_CHANNEL_EOF

from kthw_routes.ssh.jumps import JumpSocket, JumpTransport
from kthw_routes.ssh.transport import QuietTransport


def message(kind: bytes, number: int) -> paramiko.Message:
    made = paramiko.Message()
    made.add_byte(kind)
    made.add_int(number)
    return made


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What reaches the wire."""
    sent: list[bytes] = []
    monkeypatch.setattr(QuietTransport, "_send_user_message", lambda _self, data: sent.append(data.asbytes()[:1]))
    return sent


@pytest.mark.parametrize(
    ("active", "closed", "number", "passes"),
    [(True, False, 7, True), (True, True, 7, False), (False, False, 7, False), (True, False, 8, False)],
)
def test_data_passes_only_on_an_open_channel(
    sent: list[bytes], active: bool, closed: bool, number: int, passes: bool
) -> None:
    near, far = socket.socketpair()
    with near, far:
        transport = JumpTransport(near)
        channel = paramiko.Channel(1)
        channel.remote_chanid, channel.active, channel.closed = 7, active, closed
        transport._channels.put(1, channel)  # type: ignore[attr-defined] # private, so not in the stubs
        transport._send_user_message(message(cMSG_CHANNEL_DATA, number))
        assert sent == ([cMSG_CHANNEL_DATA] if passes else [])
        for kind in (cMSG_CHANNEL_EOF, cMSG_CHANNEL_CLOSE):
            transport._send_user_message(message(kind, number))
            assert sent[-1] == kind


def test_late_data_of_a_closed_channel_does_not_reach_the_next_one_of_its_number(sent: list[bytes]) -> None:
    """OpenSSH gives a number out again as soon as its channel is closed."""
    near, far = socket.socketpair()
    with near, far:
        transport = JumpTransport(near)
        old, new = paramiko.Channel(1), paramiko.Channel(2)
        for channel, closed in ((old, True), (new, False)):
            channel.remote_chanid, channel.active, channel.closed = 7, True, closed
        transport._channels.put(2, new)  # type: ignore[attr-defined] # private, so not in the stubs
        with transport.speaking(old):
            transport._send_user_message(message(cMSG_CHANNEL_DATA, 7))
        assert sent == []
        transport._send_user_message(message(cMSG_CHANNEL_DATA, 7))  # nobody speaks: judged by the number again
        assert sent == [cMSG_CHANNEL_DATA]
        sent.clear()
        with transport.speaking(new):
            transport._send_user_message(message(cMSG_CHANNEL_DATA, 7))
        assert sent == [cMSG_CHANNEL_DATA]


def test_what_is_sent_through_a_channel_that_closes_meanwhile_goes_to_nobody(sent: list[bytes]) -> None:
    class Closing(paramiko.Channel):
        def _wait_for_send_window(self, size: int) -> int:
            self.closed = True  # the other end's last word came just now, and its number is another's
            return size

    near, far = socket.socketpair()
    with near, far:
        transport = JumpTransport(near)
        old, new = Closing(1), paramiko.Channel(2)
        for channel in (old, new):
            channel.transport = transport
            channel.remote_chanid, channel.active = 7, True
            channel.out_window_size = channel.out_max_packet_size = 100
        transport._channels.put(2, new)  # type: ignore[attr-defined] # private, so not in the stubs
        JumpSocket(old, 1.0).send(b"late")
        assert sent == []
        JumpSocket(new, 1.0).send(b"in time")
        assert sent == [cMSG_CHANNEL_DATA]


def test_each_refusal_is_that_of_its_own_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    """paramiko keeps the last one for whoever asks first."""
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()
    monkeypatch.setattr(
        QuietTransport,
        "_send_user_message",
        lambda _self, sent: asked.put(int.from_bytes(sent.asbytes()[12:16], "big")),  # after the kind, "session"
    )
    near, far = socket.socketpair()
    with near, far:
        transport = QuietTransport(near)
        monkeypatch.setattr(transport, "active", True)

        def refused(_: int) -> tuple[int, int, str]:
            with pytest.raises(paramiko.ChannelException) as caught:
                transport.open_channel("session", timeout=60)
            return transport._asking.number, caught.value.code, caught.value.text

        with ThreadPoolExecutor(8) as pool:
            found = pool.map(refused, range(8))
            numbers = [asked.get(timeout=60) for _ in range(8)]
            for number in reversed(numbers):
                failure = paramiko.Message()
                for value in (number, number + 70):
                    failure.add_int(value)
                failure.add_string(f"no {number}")
                failure.rewind()
                transport._parse_channel_open_failure(failure)
            answers = list(found)
        assert sorted(numbers) == sorted(number for number, _, _ in answers) == list(range(8))
        assert all((code, text) == (n + 70, f"code {n + 70}: no {n}") for n, code, text in answers)
        assert transport.get_exception() is None, "what is left behind would be raised for something else"
        assert not transport._refusals
