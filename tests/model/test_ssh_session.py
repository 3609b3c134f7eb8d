"""One session: opening, running, closing; on the lab's server and on a real OpenSSH alike."""

import contextlib
import fcntl
import os
import pty
import re
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_REQUEST, MSG_CHANNEL_SUCCESS

from kthw_routes.demo.ssh import server as ssh_server
from kthw_routes.demo.ssh.server import SshServer
from kthw_routes.plan.changes import MAX_FILE
from kthw_routes.ssh.command import MAX_CAPTURE, Command
from kthw_routes.ssh.errors import CommandNotRun, CommandTimedOut, ConnectionLost, HostError
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.ssh.streams import FURTHER, MAX_LINES
from tests.model.ssh_hosts import SSHD, Bench, LocalShell, eventually, healthy, me, openssh


@pytest.fixture
def real(bench: Bench) -> Iterator[int]:
    """The port of a real sshd."""
    if SSHD is None:
        pytest.skip("there is no sshd on this machine")
    with openssh(bench) as port:
        yield port


@pytest.fixture(params=["lab", "openssh"])
def session(request: pytest.FixtureRequest, bench: Bench) -> SshSession:
    """An open session on either kind of host."""
    port = bench.server(manners=healthy(users=frozenset({me()}))).port if request.param == "lab" else None
    port = port or int(request.getfixturevalue("real"))
    session = bench.session(port, bench.access(user=me()))
    session.open()
    return session


def test_a_command_has_a_status_and_two_streams(session: SshSession) -> None:
    lines: list[tuple[str, bool]] = []
    script = "echo out; echo err >&2; printf 'no newline'; exit 7"
    result = session.run(Command(("sh", "-c", script)), lambda text, is_error: lines.append((text, is_error)))
    assert (result.status, result.stdout, result.stderr) == (7, b"out\nno newline", b"err\n")
    assert [text for text, is_error in lines if not is_error] == ["out", "no newline"]
    assert [text for text, is_error in lines if is_error] == ["err"]


def test_stdin_reaches_the_command_whole_and_ends(session: SshSession) -> None:
    data = bytes(range(256)) * 2000
    assert session.run(Command(("cat",), stdin=data)).stdout == data
    assert session.run(Command(("cat",))).stdout == b""


def test_a_command_that_does_not_read_its_stdin_is_no_failure(session: SshSession) -> None:
    assert session.run(Command(("true",), stdin=b"x" * 3_000_000)).status == 0


def test_arguments_arrive_as_they_are(session: SshSession) -> None:
    argv = ("printf", "%s|", "a b", "'", '"', "$HOME", "`id`", "é", "", "\\", "*", "a\nb")
    assert session.run(Command(argv)).out == "a b|'|\"|$HOME|`id`|é||\\|*|a\nb|"


def test_the_language_is_c_and_an_unknown_program_is_127(session: SshSession) -> None:
    assert session.run(Command(("sh", "-c", "echo $LC_ALL"))).out == "C\n"
    assert session.run(Command(("no-such-program",))).status == 127


def test_many_commands_use_one_connection(session: SshSession) -> None:
    threads = threading.active_count()
    for number in range(30):
        assert session.run(Command(("echo", str(number)))).out == f"{number}\n"
    assert eventually(lambda: threading.active_count() <= threads)


def test_a_hundred_thousand_lines_pass_quickly_and_are_told_up_to_a_bound(session: SshSession) -> None:
    lines: list[str] = []
    begun = time.monotonic()
    result = session.run(Command(("seq", "100000")), lambda text, _: lines.append(text))
    assert lines == [*(str(n + 1) for n in range(MAX_LINES)), FURTHER]
    assert result.stdout.endswith(b"\n100000\n")
    assert not result.is_cut
    assert result.not_shown == len(result.stdout) - sum(len(line) + 1 for line in lines[:-1]) - 1
    assert time.monotonic() - begun < 10  # measured: 0.2 s


@pytest.mark.parametrize("over", [0, 1, 5_000_000])
@pytest.mark.parametrize("redirection", ["", " >&2"])
def test_what_is_kept_of_a_long_output_is_bounded_and_marked(session: SshSession, over: int, redirection: str) -> None:
    script = f"head -c {MAX_CAPTURE + over} /dev/zero{redirection}"
    result = session.run(Command(("sh", "-c", script)))
    kept, is_cut = (result.stderr, result.is_err_cut) if redirection else (result.stdout, result.is_cut)
    assert len(kept) == MAX_CAPTURE
    assert is_cut is (over > 0)
    assert result.is_cut + result.is_err_cut == is_cut


FLOODS = {
    "short lines": "exec yes x",
    "stderr": "exec yes x >&2",
    "both": "yes x >&2 & exec yes x",
    "one line": "exec tr '\\0' x < /dev/zero",
    "carriage returns": "exec tr '\\0' '\\r' < /dev/zero",
    "NUL": "exec cat /dev/zero",
}


@pytest.mark.parametrize("flood", FLOODS)
def test_no_flood_outlasts_the_time_of_its_command(session: SshSession, flood: str) -> None:
    """The host's own `timeout` ends it, and what is on the way by then is passed over."""
    lines: list[str] = []
    begun = time.monotonic()
    result = session.run(Command(("sh", "-c", FLOODS[flood]), timeout=2), lambda text, _: lines.append(text))
    assert time.monotonic() - begun < 20
    assert result.status == 124
    assert result.is_cut or result.is_err_cut
    assert len(lines) <= MAX_LINES + 1
    assert session.run(Command(("true",))).ok


@pytest.mark.parametrize("redirection", ["", " >&2"])
def test_a_flood_that_no_timeout_ends_is_given_up_and_said(bench: Bench, real: int, redirection: str) -> None:
    """One before the command, as of a .bashrc: `timeout` does not rule it."""
    session = bench.session(real, bench.access(user=me(), silence=1))
    session.open()
    command = Command(("sh", "-c", f"setsid yes x{redirection} & trap '' TERM; wait"), timeout=1)
    begun = time.monotonic()
    with pytest.raises(CommandTimedOut, match=r"was not over after 4 s, though it went on writing \(\d+ bytes\)"):
        session.run(command)
    assert time.monotonic() - begun < 30
    session.close()
    session.open()
    assert session.run(Command(("true",))).ok


def test_a_login_that_never_stops_writing_is_told_from_a_command(bench: Bench, real: int) -> None:
    (bench.folder / ".bashrc").write_text("yes noise\n")
    session = bench.session(real, bench.access(user=me(), silence=1))
    session.open()
    begun = time.monotonic()
    with pytest.raises(CommandNotRun, match=r"the login did not come to it within 3 s, and said: “.*noise noise"):
        session.run(Command(("true",), timeout=1))
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("writes", ["yes x", "yes x >&2", "while :; do echo x; sleep 0.2; done"])
def test_a_process_left_behind_that_goes_on_writing_holds_nothing_up(bench: Bench, real: int, writes: str) -> None:
    session = bench.session(real, bench.access(user=me(), silence=3))
    session.open()
    script = f"echo answer; setsid timeout 30 sh -c '{writes}' & exit 7"
    begun = time.monotonic()
    result = session.run(Command(("sh", "-c", script)))
    assert time.monotonic() - begun < 25
    assert result.status == 7
    assert result.stdout.startswith(b"answer\n")
    assert result.is_cut
    assert session.run(Command(("true",))).ok


def test_a_large_input_and_a_large_output_pass_whole(session: SshSession) -> None:
    content = os.urandom(1 << 20) * 60
    command = Command(("cat",), stdin=content, capture=MAX_FILE, expected=len(content))
    assert command.seconds_of_transfer == 480
    result = session.run(command)
    assert result.stdout == content
    assert not result.is_cut


def test_an_input_that_nobody_reads_is_given_up_in_time(bench: Bench, real: int) -> None:
    session = bench.session(real, bench.access(user=me(), silence=1))
    session.open()
    begun = time.monotonic()
    with pytest.raises(CommandTimedOut, match="no output for 3 s"):
        session.run(Command(("sleep", "30"), stdin=bytes(20_000_000), timeout=1))
    assert time.monotonic() - begun < 30


def test_a_program_that_takes_too_long_is_ended_there(session: SshSession) -> None:
    begun = time.monotonic()
    assert session.run(Command(("sleep", "30"), timeout=1)).status == 124
    assert time.monotonic() - begun < 4
    assert session.run(Command(("true",))).ok


def test_closing_from_another_thread_ends_a_command_at_once(session: SshSession) -> None:
    reached = threading.Event()
    ended: list[float] = []
    caught: list[Exception] = []

    def run() -> None:
        try:
            session.run(Command(("sh", "-c", "echo begun; sleep 20")), lambda *_: reached.set())
        except HostError as error:
            caught.append(error)
        ended.append(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    assert reached.wait(10)
    begun = time.monotonic()
    session.close()
    thread.join(10)
    assert ended[0] - begun < 10, "the command would take 20 s"
    assert isinstance(caught[0], ConnectionLost)
    assert caught[0].sentence == "worker-0: the connection ended while a command ran."


def test_a_session_opens_again(session: SshSession) -> None:
    key = session.host_key
    session.close()
    with pytest.raises(ConnectionLost):
        session.run(Command(("true",)))
    session.open()
    session.open()
    assert session.run(Command(("true",))).ok
    assert session.host_key == key


def test_closing_twice_or_before_opening_is_no_failure(bench: Bench) -> None:
    session = bench.session(1)
    session.close()
    session.close()
    with pytest.raises(HostError, match="not connected yet"):
        _ = session.host_key


def test_the_host_key_is_told_and_new_only_once(bench: Bench) -> None:
    port = bench.server().port
    first = bench.session(port)
    first.open()
    assert first.host_key.is_new
    assert first.host_key.type == "ssh-ed25519"
    again = bench.session(port)
    again.open()
    assert not again.host_key.is_new
    assert again.host_key.fingerprint == first.host_key.fingerprint


class Torn(LocalShell):
    """Writes each byte on its own."""

    def execute(self, command: str, *, stdout: object, **streams: object) -> int:
        def one_by_one(data: bytes) -> None:
            for byte in data:
                stdout(bytes([byte]))  # type: ignore[operator]

        return super().execute(command, stdout=one_by_one, **streams)  # type: ignore[arg-type]


def test_output_that_follows_the_status_after_a_pause_is_the_commands_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sshd sends the status before what is left in the pipe, and a network may pause between the two."""
    asked = threading.Event()
    send_status = paramiko.Channel.send_exit_status

    def note(self: ssh_server.Client, _kind: str, _message: paramiko.Message) -> bool:
        asked.set()
        return False

    def send_late(channel: paramiko.Channel, status: int) -> None:
        send_status(channel, status)
        asked.wait(20)
        channel.sendall(b"late\n")

    monkeypatch.setattr(ssh_server.Client, "check_global_request", note)
    monkeypatch.setattr(paramiko.Channel, "send_exit_status", send_late)
    session = bench.session(bench.server().port)
    session.open()
    result = session.run(Command(("echo", "early")))
    assert (result.out, result.status, result.is_cut) == ("early\nlate\n", 0, False)


@pytest.mark.parametrize("answer", [False, True], ids=["no answer", "answers"])
def test_a_host_that_is_quiet_after_the_status_is_asked_before_the_command_is_over(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, answer: bool
) -> None:
    """Neither the end of the output nor an answer: what came is not taken as all there was."""
    over = threading.Event()
    send_status = paramiko.Channel.send_exit_status

    def send_nothing_more(channel: paramiko.Channel, status: int) -> None:
        send_status(channel, status)
        over.wait(30)

    def note(self: ssh_server.Client, _kind: str, _message: paramiko.Message) -> bool:
        if not answer:
            over.wait(30)
        return False

    monkeypatch.setattr(ssh_server.Client, "check_global_request", note)
    monkeypatch.setattr(paramiko.Channel, "send_exit_status", send_nothing_more)
    session = bench.session(bench.server().port, bench.access(silence=2.0))
    session.open()
    try:
        if answer:
            assert session.run(Command(("echo", "all"))).out == "all\n"
        else:
            with pytest.raises(HostError, match="worker-0"):
                session.run(Command(("echo", "all")))
    finally:
        over.set()


def test_a_character_that_comes_in_pieces_stays_whole(bench: Bench) -> None:
    session = bench.session(bench.server(Torn()).port)
    session.open()
    lines: list[str] = []
    session.run(Command(("echo", "é世界")), lambda text, _: lines.append(text))
    assert lines == ["é世界"]


class Instant(LocalShell):
    """Is done before the client knows that it began."""

    def execute(self, command: str, **streams: object) -> int:
        for mark in set(re.findall(r"kthw-routes-[0-9a-f]+", command)):
            for name in ("stdout", "stderr"):
                write = streams[name]
                assert callable(write)
                write(f"\n{mark}\n".encode())
        return 3


def test_a_command_that_ends_at_once_still_has_its_status(bench: Bench) -> None:
    session = bench.session(bench.server(Instant()).port)
    session.open()
    assert {session.run(Command(("true",))).status for _ in range(300)} == {3}


def test_it_does_however_late_a_busy_machine_grants_the_request(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = threading.Event()
    watch = SshServer.watch

    class Grant:
        """The request's answer, which shows that somebody waits for it."""

        def __init__(self, answered: threading.Event) -> None:
            self._answered = answered

        def wait(self) -> None:
            ready.set()
            self._answered.wait()

    def watched(server: SshServer, channel: Any, terminal: Any, answered: threading.Event, work: Any) -> None:
        watch(server, channel, terminal, Grant(answered), work)  # type: ignore[arg-type] # all that is done with it

    def late(self: paramiko.Transport, message: paramiko.Message) -> None:
        if message.asbytes()[0] == MSG_CHANNEL_SUCCESS:
            assert ready.wait(10), "the command waits for the answer"
        paramiko.Transport._send_user_message(self, message)  # type: ignore[attr-defined] # private, so not in the stubs

    monkeypatch.setattr(SshServer, "watch", watched)
    monkeypatch.setattr(ssh_server.ServerTransport, "_send_user_message", late, raising=False)
    session = bench.session(bench.server(Instant()).port)
    session.open()
    assert session.run(Command(("true",))).status == 3


def test_a_client_that_wants_no_answer_is_served_too(bench: Bench) -> None:
    session = bench.session(bench.server(Instant()).port)
    session.open()
    assert session._connection is not None
    transport = session._connection.transport
    channel = transport.open_session()
    request = paramiko.Message()
    request.add_byte(bytes([MSG_CHANNEL_REQUEST]))
    request.add_int(channel.remote_chanid)
    request.add_string("exec")
    request.add_boolean(False)
    request.add_string("true")
    transport._send_user_message(request)
    assert channel.recv_exit_status() == 3


class Frozen(LocalShell):
    """Says nothing until the client is gone."""

    def execute(self, command: str, *, cancelled: threading.Event, **streams: object) -> int:
        cancelled.wait(30)
        return 0


def test_a_host_that_falls_silent_is_noticed(bench: Bench) -> None:
    session = bench.session(bench.server(Frozen()).port, bench.access(silence=0.5))
    session.open()
    begun = time.monotonic()
    with pytest.raises(CommandTimedOut, match="no output for"):
        session.run(Command(("true",)))
    assert time.monotonic() - begun < 5
    with pytest.raises(ConnectionLost):
        session.run(Command(("true",)))


def test_a_host_that_goes_down_in_a_command_is_noticed_at_once(bench: Bench) -> None:
    server = bench.server(Frozen())
    session = bench.session(server.port)
    session.open()
    threading.Timer(0.2, server.hang_up).start()
    begun = time.monotonic()
    with pytest.raises(ConnectionLost):
        session.run(Command(("true",)))
    assert time.monotonic() - begun < 3
    session.open()


@pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine")
def test_noise_of_a_bashrc_and_a_banner_are_not_output(bench: Bench) -> None:
    (bench.folder / ".bashrc").write_text("echo noise; echo more noise >&2; printf unfinished\n")
    (bench.folder / "noise").write_text("echo noise; echo more noise >&2; printf unfinished\n")
    (bench.folder / "banner").write_text("Authorised use only\n")
    home = f"HOME={bench.folder} BASH_ENV={bench.folder}/noise"
    with openssh(bench, SetEnv=home, Banner=str(bench.folder / "banner")) as port:
        session = bench.session(port, bench.access(user=me()))
        session.open()
        lines: list[str] = []
        result = session.run(Command(("cat",), stdin=b"mine\n"), lambda text, _: lines.append(text))
        assert (result.stdout, result.stderr, lines) == (b"mine\n", b"", ["mine"])
        session.close()


def test_nothing_is_left_running_on_a_host_we_left(bench: Bench, real: int) -> None:
    session = bench.session(real, bench.access(user=me()))
    session.open()
    seconds = f"30.{os.getpid()}"

    def runs() -> bool:
        return subprocess.run(["pgrep", "-f", f"^sleep {seconds}"], capture_output=True, check=False).returncode == 0

    reached = threading.Event()
    script = f"echo begun; exec sleep {seconds}"

    def run() -> None:
        with contextlib.suppress(ConnectionLost):
            session.run(Command(("sh", "-c", script), timeout=2), lambda *_: reached.set())

    thread = threading.Thread(target=run)
    thread.start()
    assert reached.wait(10)
    session.close()
    thread.join()
    assert eventually(lambda: not runs(), 8)


def test_the_person_s_files_are_neither_run_nor_read(
    bench: Bench, real: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".fabric.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n HostName 192.0.2.1\n User nobody\n Port 1\n")
    session = bench.session(real, bench.access(user=me()))
    session.open()
    assert session.run(Command(("true",))).ok
    assert not (tmp_path / "ran").exists()


TYPIST = """
import sys
from pathlib import Path
from kthw_routes.cluster import Endpoint
from kthw_routes.ssh.command import Command
from kthw_routes.ssh.keys import Keys
from kthw_routes.ssh.known_hosts import KnownHosts
from kthw_routes.ssh.access import Access
from kthw_routes.ssh.fabric_session import SshSession
access = Access(KnownHosts(None), keys=Keys(Path(sys.argv[1])))
session = SshSession("worker-0", Endpoint("127.0.0.1", "root", int(sys.argv[2])), access)
session.open()
assert session.run(Command(("cat",), stdin=b"mine")).stdout == b"mine"
session.close()
"""


def test_the_terminal_is_left_alone(bench: Bench) -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    os.write(ours, b"typed\n")
    done = subprocess.run(
        [sys.executable, "-c", TYPIST, str(bench.key), str(bench.server().port)],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert termios.tcgetattr(theirs) == before
    fcntl.fcntl(theirs, fcntl.F_SETFL, os.O_NONBLOCK)
    assert os.read(theirs, 100) == b"typed\n"
    os.close(ours)
    os.close(theirs)
