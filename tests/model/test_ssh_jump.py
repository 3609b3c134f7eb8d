"""Hosts behind a jump host: many at once, checked on every hop."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import paramiko
import pytest

from kthw_routes.cluster import Endpoint
from kthw_routes.demo.ssh.keys import new_key
from kthw_routes.demo.ssh.server import SshServer
from kthw_routes.ssh.access import Access
from kthw_routes.ssh.command import Command
from kthw_routes.ssh.config import Resolved
from kthw_routes.ssh.errors import HostError, HostKeyChanged, HostKeyUnknown, KeyRejected, Unreachable
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.ssh.jumps import Jump
from kthw_routes.ssh.known_hosts import HostKeyMode
from tests.model.ssh_hosts import SSHD, Bench, eventually, healthy, me, openssh


@pytest.fixture(params=["lab", "openssh"])
def jump(request: pytest.FixtureRequest, bench: Bench) -> Iterator[int]:
    """The port of a jump host."""
    if request.param == "lab":
        yield bench.server(forward=lambda destination: destination, manners=healthy(users=frozenset({me()}))).port
    elif SSHD is None:
        pytest.skip("there is no sshd on this machine")
    else:
        with openssh(bench) as port:
            yield port
            bench.close()


def through(bench: Bench, jump: int, mode: HostKeyMode = HostKeyMode.ACCEPT_NEW) -> Access:
    return bench.access(config=f"Host 127.0.0.1\n ProxyJump {me()}@localhost:{jump}\n", mode=mode)


def test_fifty_hosts_through_one_jump_host(bench: Bench, jump: int) -> None:
    targets = [bench.server() for _ in range(5)]
    access = through(bench, jump)

    def task(number: int) -> str:
        session = SshSession(f"worker-{number}", Endpoint("127.0.0.1", "root", targets[number % 5].port), access)
        answers = []
        for round_ in range(2):  # every close races with what the others send
            session.open()
            answers.append(session.run(Command(("echo", f"{number}.{round_}"))).out)
            session.close()
        return "".join(answers)

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(task, range(50))) == [f"{n}.0\n{n}.1\n" for n in range(50)]
    assert len(access._jumps) == 1


def test_the_jump_host_s_key_is_checked(bench: Bench) -> None:
    bastion, target = bench.server(forward=lambda d: d, manners=healthy(users=frozenset({me()}))), bench.server()
    with pytest.raises(HostKeyUnknown) as caught:
        bench.session(target.port, through(bench, bastion.port, HostKeyMode.ASK)).open()
    assert caught.value.host == f"[localhost]:{bastion.port}"
    bench.session(target.port, through(bench, bastion.port)).open()
    assert bench.known_hosts.read_text().count("\n") == 2
    bastion.close()
    bench.server(forward=lambda d: d, key=new_key(), port=bastion.port)
    access = through(bench, bastion.port)
    access.rebuilt.add("worker-0")
    with pytest.raises(HostKeyChanged, match=f"the host key of localhost:{bastion.port} has changed") as changed:
        bench.session(target.port, access).open()
    assert "--rebuilt" not in changed.value.hint, "it is not the node that was rebuilt"
    assert access.rebuilt == {"worker-0"}, "that still counts for the node itself"


def test_a_host_that_the_jump_host_cannot_reach(bench: Bench, jump: int) -> None:
    target = bench.server()
    target.close()
    with pytest.raises(Unreachable, match=rf"the jump host localhost:{jump} cannot reach 127.0.0.1:{target.port}"):
        bench.session(target.port, through(bench, jump)).open()


def test_a_jump_host_that_does_not_forward(bench: Bench) -> None:
    bastion, target = bench.server(manners=healthy(users=frozenset({me()}))), bench.server()
    with pytest.raises(Unreachable, match="does not forward"):
        bench.session(target.port, through(bench, bastion.port)).open()


def test_a_jump_host_that_refuses_the_key(bench: Bench) -> None:
    bastion = bench.server(manners=healthy(takes_no_key=True))
    with pytest.raises(KeyRejected, match=f"{me()} at localhost:{bastion.port} rejected all"):
        bench.session(bench.server().port, through(bench, bastion.port)).open()


class Counted:
    """A lock that counts who has come to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.entered = 0

    def __enter__(self) -> None:
        self.entered += 1
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_hosts_that_wait_for_a_jump_host_do_not_each_try_it_anew() -> None:
    """A jump host that is silent takes the whole time limit for one attempt: once for all that wait, not once each."""
    waiting, attempts = threading.Event(), []

    def log_in(_jump: Resolved, _chain: tuple[Resolved, ...]) -> paramiko.SSHClient:
        attempts.append(1)
        waiting.wait(20)
        raise Unreachable("worker-0", "the jump host does not reply.", "Is it up?")

    target, lock = Resolved("127.0.0.1"), Counted()
    jump = Jump((target,), _lock=lock)  # type: ignore[arg-type]  # a lock all the same
    errors: list[HostError] = []

    def connect(node: str) -> None:
        try:
            jump.connect(node, target, log_in, 1.0, 1.0)
        except HostError as error:
            errors.append(error)

    threads = [threading.Thread(target=connect, args=(f"worker-{n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: lock.entered == 5)
    waiting.set()
    for thread in threads:
        thread.join()
    assert len(attempts) == 1
    assert sorted(e.sentence for e in errors) == [f"worker-{n}: the jump host does not reply." for n in range(5)]
    assert {(type(e), e.hint) for e in errors} == {(Unreachable, "Is it up?")}
    with pytest.raises(Unreachable):
        jump.connect("worker-9", target, log_in, 1.0, 1.0)
    assert len(attempts) == 2, "whoever comes later tries again"


def test_a_jump_host_that_dies_is_opened_again(bench: Bench) -> None:
    bastion = bench.server(forward=lambda d: d, manners=healthy(users=frozenset({me()})))
    access = through(bench, bastion.port)
    session = bench.session(bench.server().port, access)
    session.open()
    bastion.hang_up()
    while session.is_open:
        pass
    session.open()
    assert session.run(Command(("true",))).ok


def chained(bench: Bench, first: SshServer, second: SshServer) -> SshSession:
    jumps = f"{me()}@localhost:{first.port},{me()}@localhost:{second.port}"
    return bench.session(bench.server().port, bench.access(config=f"Host 127.0.0.1\n ProxyJump {jumps}\n"))


def test_a_chain_of_jump_hosts(bench: Bench) -> None:
    passed: list[tuple[str, int]] = []

    def note(destination: tuple[str, int]) -> tuple[str, int]:
        passed.append(destination)
        return destination

    manners = healthy(users=frozenset({me()}))
    first, second = bench.server(forward=note, manners=manners), bench.server(forward=note, manners=manners)
    session = chained(bench, first, second)
    session.open()
    assert session.run(Command(("echo", "here"))).out == "here\n"
    assert passed == [("localhost", second.port), ("127.0.0.1", session.target.port)]
