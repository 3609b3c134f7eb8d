"""Every wait for a host ends by `--timeout`: for its name, for its login, and for it to take what is sent."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import paramiko
import pytest
from paramiko.common import AUTH_FAILED

from kthw_routes.cluster import Endpoint
from kthw_routes.ssh.command import Command
from kthw_routes.ssh.dial import NameTimeout, dial
from kthw_routes.ssh.errors import CommandTimedOut, ConnectTimedOut, KeyRejected
from kthw_routes.ssh.fabric_session import SshSession
from tests.model.ssh_hosts import Bench, healthy, me
from tests.model.ssh_server import FaultyClient

LONG = 60.0
"""Seconds that a wait without a bound would take at least."""


@pytest.fixture
def silent_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Name servers that do not reply until the test is over; the event is set once one is asked."""
    asked, over = threading.Event(), threading.Event()

    def wait(*_: object, **__: object) -> list[object]:
        asked.set()
        over.wait(LONG)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    yield asked
    over.set()


def test_a_name_that_does_not_resolve_in_time(bench: Bench, silent_names: threading.Event) -> None:
    session = SshSession("worker-0", Endpoint("worker-0.example.org"), bench.access(connect_timeout=0.3))
    begun = time.monotonic()
    with pytest.raises(ConnectTimedOut) as caught:
        session.open()
    assert time.monotonic() - begun < LONG / 4
    assert caught.value.complaint == "the name worker-0.example.org did not resolve within 0.3 s."


def test_a_look_up_can_be_cancelled(silent_names: threading.Event) -> None:
    cancelled = threading.Event()

    def cancel() -> None:
        silent_names.wait(LONG)
        cancelled.set()

    threading.Thread(target=cancel, daemon=True).start()
    with pytest.raises(InterruptedError):
        dial("worker-0.example.org", 22, LONG, cancelled)


@pytest.mark.parametrize("name", ["a..b", "x" * 70 + ".org", "no-such-host.invalid"])
def test_what_is_no_name_does_not_resolve(name: str) -> None:
    with pytest.raises(socket.gaierror):
        dial(name, 22, LONG, threading.Event())


def test_a_time_out_of_names_is_one_of_time_outs() -> None:
    assert issubclass(NameTimeout, TimeoutError)


def test_a_login_that_gets_no_reply(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the key of a file: an agent's was bounded before."""
    over = threading.Event()

    def wait(_self: FaultyClient, _user: str, _key: paramiko.PKey) -> int:
        over.wait(LONG)
        return int(AUTH_FAILED)

    monkeypatch.setattr(FaultyClient, "check_auth_publickey", wait)
    session = bench.session(bench.server().port, bench.access(silence=0.5))
    begun = time.monotonic()
    try:
        with pytest.raises(KeyRejected, match=r"did not reply within 0\.5 s during the login as root"):
            session.open()
        assert time.monotonic() - begun < 15, "paramiko's own bound is 30 s"
    finally:
        over.set()


class Relay:
    """Carries the bytes of one connection to a port, and takes no more after so many of them."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        self.left = 2**63
        """Bytes that it takes still."""
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = socket.create_connection(("127.0.0.1", self._target))
        self._sockets += [near, far]
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        while self.left > 0 and (data := source.recv(4096)):
            self.left -= len(data)
            sink.sendall(data)

    def close(self) -> None:
        """Close everything."""
        for sock in (self._listener, *self._sockets):
            sock.close()


def test_a_host_behind_a_jump_host_that_takes_no_more_data(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jump host stops to take data then; here soon, as its window and its buffers are small."""
    check = FaultyClient.check_channel_direct_tcpip_request

    def with_little_room(client: FaultyClient, number: int, *arguments: Any) -> int:
        client.transport.default_window_size = 32768
        answer = check(client, number, *arguments)
        client.forwards[number].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        return answer

    monkeypatch.setattr(FaultyClient, "check_channel_direct_tcpip_request", with_little_room)
    with closing(Relay(bench.server().port)) as relay:
        there = relay.port
        jump = bench.server(forward=lambda _: ("127.0.0.1", there), manners=healthy(users=frozenset({me()})))
        config = f"Host 127.0.0.1\n ProxyJump {me()}@localhost:{jump.port}\n"
        session = bench.session(there, bench.access(config=config, silence=1.0))
        session.open()
        assert session.run(Command(("cat",), stdin=b"mine")).stdout == b"mine"
        relay.left = 100_000
        with pytest.raises(CommandTimedOut) as caught:
            session.run(Command(("cat",), stdin=bytes(8_000_000), capture=8_000_000))
        assert caught.value.complaint == "it took no data for 1 s, by way of its jump host."
        assert not session.is_open
