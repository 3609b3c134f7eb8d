"""Many hosts at once: a failure stops one host, a stop starts no more, a hard stop waits for none."""

import threading
import time
from collections.abc import Sequence

import pytest

from kthw_routes.errors import OwnFault
from kthw_routes.facts import HostKey, Privilege
from kthw_routes.hosts.fleet import Fleet, Stop
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import ConnectionLost
from kthw_routes.ssh.session import OnLine, Session, Watch
from kthw_routes.ssh.shell_line import Step


class Quiet:
    """A session that does nothing."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.user = "root"
        self.host_key = HostKey("ssh-ed25519", "SHA256:x")
        self.privilege = Privilege.ROOT
        self.closed = threading.Event()

    def open(self) -> None: ...

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        return Result(0, b"", b"")

    def run_script(self, steps: Sequence[Step], watch: Watch, /) -> None:
        """Run nothing ahead."""

    def close(self) -> None:
        self.closed.set()


def fleet(count: int, parallel: int = 4) -> Fleet:
    return Fleet([Quiet(f"h{n}") for n in range(count)], parallel=parallel)


def test_every_host_is_worked_on_and_never_more_than_allowed() -> None:
    at_once, most, lock = 0, 0, threading.Lock()
    gate = threading.Barrier(3, timeout=5)

    def work(session: Session) -> str:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        gate.wait()
        with lock:
            at_once -= 1
        return session.node

    outcomes = fleet(12, parallel=3).each(work)
    assert [o.value for o in outcomes.values()] == [f"h{n}" for n in range(12)]
    assert most == 3


def test_a_failure_stops_only_its_host() -> None:
    def work(session: Session) -> int:
        if session.node == "h1":
            raise ConnectionLost("h1", "gone")
        return 1

    outcomes = fleet(3).each(work)
    assert {n: o.value for n, o in outcomes.items()} == {"h0": 1, "h1": None, "h2": 1}
    assert isinstance(outcomes["h1"].error, ConnectionLost)


def test_a_fault_of_ours_is_said_and_stops_only_its_host() -> None:
    def work(session: Session) -> int:
        if session.node == "h0":
            raise ZeroDivisionError("by nothing")
        return 1

    outcomes = fleet(2).each(work)
    assert outcomes["h1"].value == 1
    assert isinstance(outcomes["h0"].error, OwnFault)
    assert "ZeroDivisionError: by nothing" in outcomes["h0"].error.sentence


class WithoutWords(Exception):
    """An error that fails as it is put into words, in the handler of the thread itself."""

    def __str__(self) -> str:
        raise SystemExit(2)


@pytest.mark.parametrize(
    "error",
    [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), MemoryError(), RecursionError("deep"), StopIteration()],
)
@pytest.mark.parametrize("parallel", [1, 3])
def test_nothing_that_is_raised_ends_more_than_its_host(error: BaseException, parallel: int) -> None:
    def work(session: Session) -> int:
        if session.node == "h0":
            raise error
        return 1

    outcomes = fleet(3, parallel).each(work)
    assert {n: o.value for n, o in outcomes.items()} == {"h0": None, "h1": 1, "h2": 1}
    assert isinstance(outcomes["h0"].error, OwnFault)
    assert type(error).__name__ in outcomes["h0"].error.sentence


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_not_waited_for() -> None:
    """The hosts that nobody works on then are told; h0, whose work began, has no word of its own."""

    def work(session: Session) -> int:
        raise WithoutWords

    outcomes = fleet(3, parallel=1).each(work)
    assert [o.started for o in outcomes.values()] == [True, False, False]
    for name in ("h1", "h2"):
        assert isinstance(outcomes[name].error, OwnFault)


@pytest.mark.parametrize("allowed", [0, 1])
def test_without_more_threads_those_that_run_do_the_work_of_all(allowed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as a limit of processes allows."""
    begun, real = 0, threading.Thread.start

    def start(thread: threading.Thread) -> None:
        nonlocal begun
        begun += 1
        if begun > allowed:
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    outcomes = fleet(3, parallel=3).each(lambda session: session.node)
    assert [o.value for o in outcomes.values()] == (["h0", "h1", "h2"] if allowed else [None] * 3)
    for outcome in outcomes.values():
        assert allowed or (outcome.error and "can't start new thread" in outcome.error.sentence)


def test_after_a_soft_stop_no_host_begins() -> None:
    several = fleet(5, parallel=1)

    def work(session: Session) -> bool:
        several.stop.request()
        return True

    outcomes = several.each(work)
    assert [o.started for o in outcomes.values()] == [True, False, False, False, False]
    assert outcomes["h0"].value is True


def test_a_hard_stop_waits_for_no_host() -> None:
    stop, hanging, never = Stop(), threading.Event(), threading.Event()
    one = Fleet([Quiet("h0")], parallel=1, stop=stop)

    def work(session: Session) -> None:
        hanging.set()
        never.wait(30)

    def end() -> None:
        hanging.wait(5)
        stop.request(now=True)

    threading.Thread(target=end, daemon=True).start()
    began = time.monotonic()
    outcomes = one.each(work)
    assert time.monotonic() - began < 10, "the host would work for 30 s"
    assert outcomes["h0"].started
    assert outcomes["h0"].value is None
    session = one.sessions["h0"]
    assert isinstance(session, Quiet)
    assert session.closed.is_set()
    never.set()
