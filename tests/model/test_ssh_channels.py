"""Channels that a server refuses: asked for again while it may free one, and told apart from a lost connection."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from paramiko.common import (
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_FAILED_RESOURCE_SHORTAGE,
    OPEN_SUCCEEDED,
)

from kthw_routes.cluster import Endpoint
from kthw_routes.ssh import fabric_runner
from kthw_routes.ssh.command import Command
from kthw_routes.ssh.errors import (
    ChannelRefused,
    CommandRefused,
    CommandTimedOut,
    ConnectionLost,
    HostError,
    Unreachable,
)
from kthw_routes.ssh.fabric_session import SshSession
from tests.model import ssh_server
from tests.model.ssh_hosts import SSHD, Bench, healthy, me, openssh

needs_sshd = pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine")


@pytest.fixture
def session(bench: Bench) -> SshSession:
    """An open session on the lab's server."""
    session = bench.session(bench.server().port, bench.access(silence=20))
    session.open()
    return session


@needs_sshd
def test_one_session_at_a_time_is_enough(bench: Bench) -> None:
    """OpenSSH counts a session until it has seen the close of its channel, which the next request overtakes."""
    with openssh(bench, MaxSessions="1", PermitTTY="no") as port:
        access = bench.access(user=me())

        def task(node: int) -> list[str]:
            session = bench.session(port, access, f"worker-{node}")
            session.open()
            return [session.run(Command(("echo", str(n)))).out.strip() for n in range(15)]

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(task, range(4))) == [[str(n) for n in range(15)]] * 4


@needs_sshd
def test_a_process_left_behind_does_not_hold_the_only_session(bench: Bench) -> None:
    with openssh(bench, MaxSessions="1") as port:
        session = bench.session(port, bench.access(user=me()))
        session.open()
        assert session.run(Command(("sh", "-c", "sleep 3 & echo here"))).out == "here\n"
        assert session.run(Command(("echo", "again"))).out == "again\n"


@needs_sshd
def test_no_session_at_all_is_said(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fabric_runner, "REFUSED_PATIENCE", 0.3)
    with openssh(bench, MaxSessions="0") as port:
        session = bench.session(port, bench.access(user=me()))
        session.open()
        for _ in range(2):
            with pytest.raises(ChannelRefused) as caught:
                session.run(Command(("true",)))
        assert caught.value.sentence == (
            f"worker-0: the server at 127.0.0.1:{port} refuses a channel for a command (Connect failed); it was not "
            "sent."
        )
        assert "MaxSessions 0" in caught.value.hint
        assert session.is_open


@pytest.mark.parametrize(
    "code", [OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED, OPEN_FAILED_CONNECT_FAILED, OPEN_FAILED_RESOURCE_SHORTAGE]
)
def test_a_refused_channel_is_asked_for_again(session: SshSession, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    answers = iter([code, OPEN_SUCCEEDED, code, code, code, OPEN_SUCCEEDED])
    monkeypatch.setattr(ssh_server.FaultyClient, "check_channel_request", lambda *_: next(answers))
    for word in ("one", "two"):
        assert session.run(Command(("echo", word))).out == f"{word}\n"
    assert next(answers, None) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED, "Administratively prohibited"),
        (OPEN_FAILED_RESOURCE_SHORTAGE, "Resource shortage"),
        (77, "code 77"),
    ],
)
def test_a_channel_that_stays_refused_is_not_a_lost_connection(
    session: SshSession, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    monkeypatch.setattr(fabric_runner, "REFUSED_PATIENCE", 0.3)
    with monkeypatch.context() as patch:
        patch.setattr(ssh_server.FaultyClient, "check_channel_request", lambda *_: code)
        with pytest.raises(ChannelRefused, match=words):
            session.run(Command(("true",)))
    assert session.is_open
    assert session.run(Command(("true",))).ok


def test_a_command_that_is_refused_is_said(session: SshSession, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ssh_server.FaultyClient, "check_channel_exec_request", lambda *_: False)
        with pytest.raises(CommandRefused, match="refuses to run commands for root: nothing was run") as caught:
            session.run(Command(("true",)))
    assert "--user" in caught.value.hint
    assert session.is_open
    assert session.run(Command(("true",))).ok


def test_a_connection_that_ends_before_the_command_is_sent_is_told_apart(
    session: SshSession, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(client: ssh_server.FaultyClient, *_: object) -> int:
        client.transport.close()
        return OPEN_SUCCEEDED

    monkeypatch.setattr(ssh_server.FaultyClient, "check_channel_request", hang_up)
    with pytest.raises(ConnectionLost, match=r"the connection ended before the command was sent\."):
        session.run(Command(("true",)))


def test_a_connection_that_ends_at_the_command_may_have_run_it(
    session: SshSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(client: ssh_server.FaultyClient, *_: object) -> bool:
        client.transport.close()
        return True

    monkeypatch.setattr(ssh_server.FaultyClient, "check_channel_exec_request", hang_up)
    with pytest.raises(ConnectionLost, match=r"the connection ended while a command ran\.") as caught:
        session.run(Command(("true",)))
    assert "unknown" in caught.value.hint


def test_a_server_that_never_answers_the_request_is_silent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def wait(*_: object) -> bool:
        over.wait(60)
        return False

    monkeypatch.setattr(ssh_server.FaultyClient, "check_channel_exec_request", wait)
    session = bench.session(bench.server().port, bench.access(silence=0.5))
    session.open()
    with pytest.raises(CommandTimedOut, match="no output"):
        session.run(Command(("true",), timeout=0.2))
    over.set()


@pytest.fixture(params=["lab", "openssh"])
def closed_bastion(request: pytest.FixtureRequest, bench: Bench) -> Iterator[int]:
    """The port of a jump host that forwards to nobody."""
    if request.param == "lab":
        yield bench.server(manners=healthy(users=frozenset({me()}))).port
    elif SSHD is None:
        pytest.skip("there is no sshd on this machine")
    else:
        with openssh(bench, AllowTcpForwarding="no") as port:
            yield port


def test_what_a_jump_host_says_is_said_of_the_host_it_was_said_of(bench: Bench, closed_bastion: int) -> None:
    """All refusals come over one connection, at the same time."""
    target = bench.server()
    access = bench.access(config=f"Host 127.0.0.1\n ProxyJump {me()}@localhost:{closed_bastion}\n")
    together = threading.Barrier(6)

    def refused(number: int) -> HostError:
        session = SshSession(f"worker-{number}", Endpoint("127.0.0.1", "root", target.port), access)
        together.wait()
        with pytest.raises(HostError) as caught:
            session.open()
        return caught.value

    with ThreadPoolExecutor(6) as pool:
        for _ in range(8):
            for number, error in enumerate(pool.map(refused, range(6))):
                assert isinstance(error, Unreachable)
                assert error.sentence == (
                    f"worker-{number}: the jump host localhost:{closed_bastion} does not forward to "
                    f"127.0.0.1:{target.port}: Administratively prohibited."
                )
