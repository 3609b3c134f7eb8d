"""Many commands in one exec: framed, limited and reported each by itself; on the lab's server and on a real OpenSSH."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.facts import Privilege
from kthw_routes.ssh.command import MAX_CAPTURE, TIMED_OUT, Command, Result
from kthw_routes.ssh.errors import ConnectionLost, NoRoot, SecretEchoed
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.ssh.shell_line import Step
from kthw_routes.ssh.streams import BrokenFrame, Gate, Incoming, Stream
from tests.model.ssh_hosts import SSHD, Bench, healthy, me, openssh


@dataclass
class Heard:
    """All that was heard of a script."""

    begun: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    results: list[Result | SecretEchoed] = field(default_factory=list)

    def begins(self, step: Step) -> None:
        self.begun.append(str(step.command))

    def line(self, text: str, is_error: bool) -> None:
        self.lines.append(f"{'! ' if is_error else ''}{text}")

    def ends(self, step: Step, result: Result | SecretEchoed) -> None:
        self.results.append(result)

    @property
    def answers(self) -> list[tuple[int, bytes]]:
        return [(r.status, r.stdout) for r in self.results if isinstance(r, Result)]


@pytest.fixture(params=["lab", "openssh"])
def session(request: pytest.FixtureRequest, bench: Bench) -> Iterator[SshSession]:
    """An open session on either kind of host."""
    if request.param == "openssh" and SSHD is None:
        pytest.skip("there is no sshd on this machine")
    if request.param == "openssh":
        with openssh(bench) as port:
            session = bench.session(port, bench.access(user=me()))
            session.open()
            yield session
    else:
        session = bench.session(
            bench.server(manners=healthy(users=frozenset({me()}))).port, bench.access(user=me(), silence=5)
        )
        session.open()
        yield session


def sh(script: str, **choices: object) -> Command:
    return Command(("sh", "-c", script), **choices)  # type: ignore[arg-type]  # any field of Command


def test_each_command_has_its_own_status_streams_and_input(session: SshSession) -> None:
    heard = Heard()
    commands = [
        sh("printf 'no newline'; exit 7"),
        Command(("cat",), stdin=b"a'b\n$x \\ `id`\n\xff\n"),
        sh("echo out; echo err >&2"),
        Command(("no-such-program",)),
        Command(("printf", "%s|", "a b", "'", "$HOME", "", "\\")),
        Command(("cat",)),
    ]
    session.run_script([Step(command) for command in commands], heard)
    assert heard.begun == [str(command) for command in commands]
    assert heard.answers == [
        (7, b"no newline"),
        (0, b"a'b\n$x \\ `id`\n\xff\n"),
        (0, b"out\n"),
        (127, b""),
        (0, b"a b|'|$HOME||\\|"),
        (0, b""),
    ]
    assert [line for line in heard.lines if "err" in line] == ["! err"]


def test_it_is_one_exec(session: SshSession) -> None:
    heard = Heard()
    session.run_script([Step(sh("echo $PPID")) for _ in range(3)], heard)
    parents = {answer for _, answer in heard.answers}
    assert len(heard.answers) == 3
    # `timeout` is the parent of each; theirs is the one shell.
    session.run_script([Step(sh("ps -o ppid= -p $PPID")) for _ in range(3)], heard)
    assert len(parents) == 3
    assert len({answer for _, answer in heard.answers[3:]}) == 1


def test_a_step_that_ends_otherwise_than_expected_is_the_last(session: SshSession, tmp_path: Path) -> None:
    def run(step: Step) -> list[tuple[int, bytes]]:
        heard = Heard()
        session.run_script([step, Step(Command(("touch", str(mark))))], heard)
        assert len(heard.begun) == len(heard.results)
        return heard.answers

    mark = tmp_path / "made"
    this = Result(0, b"this\n", b"")
    unanswered = sh("echo any; exit 1", is_answered=False)
    assert run(Step(sh("echo other"), expected=this)) == [(0, b"other\n")]
    assert run(Step(sh("echo this; exit 1"), expected=this)) == [(1, b"this\n")]
    assert run(Step(unanswered, expected=this)) == [(1, b"any\n")]
    long = b"x" * 5000
    almost = sh(f"head -c {len(long) - 1} /dev/zero | tr '\\0' x; echo y")
    assert len(run(Step(almost, expected=Result(0, long, b"")))) == 1
    assert not mark.exists()
    assert run(Step(unanswered, expected=Result(1, b"", b""))) == [(1, b"any\n"), (0, b"")]
    assert mark.exists()
    two = b"it's two\n lines\n"
    whole = Command(("printf", "%s", two.decode()))
    assert run(Step(whole, expected=Result(0, two, b""))) == [(0, two), (0, b"")]
    same = sh(f"head -c {len(long)} /dev/zero | tr '\\0' x")
    assert len(run(Step(same, expected=Result(0, long, b"")))) == 2


def test_a_command_that_hangs_is_ended_and_the_next_one_follows(session: SshSession) -> None:
    heard = Heard()
    session.run_script([Step(Command(("sleep", "60"), timeout=1)), Step(sh("echo on"))], heard)
    assert heard.answers == [(TIMED_OUT, b""), (0, b"on\n")]


def test_a_flood_is_cut_and_the_next_one_follows(session: SshSession) -> None:
    heard = Heard()
    flood = sh(f"head -c {MAX_CAPTURE + 5} /dev/zero | tr '\\0' x")
    session.run_script([Step(flood, is_silent=True), Step(sh("echo on"))], heard)
    first, second = heard.results
    assert isinstance(first, Result)
    assert isinstance(second, Result)
    assert (len(first.stdout), first.is_cut) == (MAX_CAPTURE, True)
    assert (second.stdout, second.is_cut) == (b"on\n", False)


def test_where_it_breaks_off_is_known(session: SshSession) -> None:
    heard = Heard()
    kill = sh("kill -9 $(ps -o ppid= -p $PPID)")
    with pytest.raises(ConnectionLost, match=r"broke off there at .*number 2 of 3|killed|ended"):
        session.run_script([Step(sh("echo one")), Step(kill), Step(sh("echo three"))], heard)
    assert heard.answers == [(0, b"one\n")]
    assert len(heard.begun) == 2


def test_a_silent_step_shows_no_line(session: SshSession) -> None:
    heard = Heard()
    session.run_script([Step(sh("echo a"), is_silent=True), Step(sh("echo b; printf c"))], heard)
    assert heard.lines == ["b", "c"]


def test_without_root_nothing_is_sent(session: SshSession) -> None:
    heard = Heard()
    session.privilege = Privilege.NONE
    with pytest.raises(NoRoot):
        session.run_script([Step(sh("echo a")), Step(sh("echo b", needs_root=True))], heard)
    assert heard.begun == []


FRAME = "kthw-routes-89ab"


@given(
    st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 255)), min_size=1, max_size=5),
    st.lists(st.integers(0, 600), max_size=10),
)
def test_however_the_bytes_come_the_parts_are_the_same(parts: list[tuple[bytes, int]], places: list[int]) -> None:
    parts = [(body.replace(b"k", b"\x01k"), status) for body, status in parts]
    data = b"noise\nM\n" + b"".join(body + b"\x01%s %d\n" % (FRAME.encode(), status) for body, status in parts)
    edges = sorted({0, len(data), *(place % len(data) for place in places)})
    streams = [Stream() for _ in parts]
    statuses: list[int] = []
    incoming = Incoming(Gate("M", 1), streams, FRAME, statuses.append)
    for a, b in pairwise(edges):
        incoming.feed(data[a:b])
    incoming.finish()
    assert [stream.kept for stream in streams] == [body for body, _ in parts]
    assert statuses == [status for _, status in parts]


@pytest.mark.parametrize("status", [b"x\n", b"-1\n", b"\n", b"9999", b"12345\n", "¹\n".encode(), b"1 \n", b" 1\n"])
def test_a_frame_that_no_script_prints_is_an_error_at_once(status: bytes) -> None:
    """A hostile host knows the word; a flood behind it is neither kept nor searched."""
    stream = Stream()
    incoming = Incoming(Gate("M", 1), [stream], FRAME)
    incoming.feed(b"\nM\nbefore\x01" + FRAME.encode() + b" ")
    with pytest.raises(BrokenFrame):
        incoming.feed(status + b"0" * 1000)


def test_a_host_whose_frames_are_broken_is_left_with_a_sentence(session: SshSession) -> None:
    """Made by a program that knows the script's word."""
    heard = Heard()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kthw_routes.ssh.fabric_session._new_word", lambda: "kthw-routes-known")
        forge = sh("printf '\\001kthw-routes-known no status\\n'")
        with pytest.raises(ConnectionLost, match="cannot be attributed"):
            session.run_script([Step(forge), Step(sh("echo on"))], heard)
    assert heard.results == []
