"""Scripts on hosts that flood, forge, echo or fall silent in the middle: each command still has what is its own."""

import threading
import time
from pathlib import Path

import pytest

from kthw_routes.secret import Secret
from kthw_routes.ssh.command import MAX_CAPTURE, TIMED_OUT, Result
from kthw_routes.ssh.errors import CommandTimedOut, ConnectionLost, HostError, SecretEchoed
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.ssh.shell_line import Step
from kthw_routes.ssh.streams import FURTHER, MAX_LINES
from tests.model.ssh_hosts import Bench, me
from tests.model.test_ssh_script import Heard, sh
from tests.model.test_ssh_script import session as session
from tests.model.test_ssh_session import FLOODS, Frozen

WORD = "kthw-routes-known"
PASSWORD = "correct horse"


def heard(session: SshSession, *steps: Step) -> Heard:
    found = Heard()
    session.run_script(steps, found)
    return found


@pytest.mark.parametrize("is_silent", [True, False])
@pytest.mark.parametrize("flood", FLOODS)
def test_no_flood_outlasts_the_time_of_its_command_and_the_next_one_follows(
    session: SshSession, flood: str, is_silent: bool
) -> None:
    begun = time.monotonic()
    found = heard(session, Step(sh(FLOODS[flood], timeout=1), is_silent=is_silent), Step(sh("echo on; echo err >&2")))
    assert time.monotonic() - begun < 20
    first, second = found.results
    assert isinstance(first, Result)
    assert first.status == TIMED_OUT
    assert first.is_cut or first.is_err_cut
    assert len(first.stdout) <= MAX_CAPTURE
    assert len(first.stderr) <= MAX_CAPTURE
    assert second == Result(0, b"on\n", b"err\n")
    assert found.lines[-2:] == ["on", "! err"] or found.lines[-2:] == ["! err", "on"]
    assert len(found.lines) <= 2 + (0 if is_silent else MAX_LINES + 1)
    if not is_silent and flood in ("short lines", "stderr", "both"):
        assert any(line.endswith(FURTHER) for line in found.lines)
        assert first.not_shown > 0


@pytest.mark.parametrize("redirection", ["", " >&2"])
def test_a_flood_of_a_command_without_a_limit_of_its_own_ends_with_the_script(bench: Bench, redirection: str) -> None:
    session = bench.session(bench.server().port, bench.access(silence=1))
    session.open()
    begun = time.monotonic()
    flood = Step(sh(f"exec yes x{redirection}", is_quick=True), is_silent=True)
    found = heard(session, Step(sh("echo one")), flood, Step(sh("echo three", is_quick=True)))
    assert time.monotonic() - begun < 20
    assert [r.status for r in found.results if isinstance(r, Result)] == [0, TIMED_OUT]
    assert session.run(sh("echo on")).stdout == b"on\n"


@pytest.mark.parametrize("redirection", ["", " >&2"])
def test_a_flood_that_no_timeout_ends_is_given_up_and_said(bench: Bench, redirection: str) -> None:
    session = bench.session(bench.server().port, bench.access(silence=1))
    session.open()
    found = Heard()
    flood = sh(f"setsid timeout 60 yes x{redirection} & trap '' TERM; while :; do wait; done", timeout=1)
    begun = time.monotonic()
    with pytest.raises(CommandTimedOut, match=r"was not over after \d+ s, though it went on writing"):
        session.run_script([Step(sh("echo one")), Step(flood, is_silent=True)], found)
    assert time.monotonic() - begun < 30
    assert found.answers == [(0, b"one\n")]
    session.open()
    assert session.run(sh("echo on")).stdout == b"on\n"


@pytest.mark.parametrize(
    "text",
    [
        r"\1",
        r"\1kthw-routes-",
        r"\1kthw-routes-0123456789abcdef 0\n",
        r"\1kthw-routes-known",
        r"\1kthw-routes-know \1\1\1",
        r"\nkthw-routes-0123456789abcdef\n",
    ],
)
@pytest.mark.parametrize("redirection", ["", " >&2"])
def test_what_is_like_a_frame_is_output(
    session: SshSession, text: str, redirection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kthw_routes.ssh.fabric_session._new_word", lambda: WORD)
    found = heard(session, Step(sh(f"printf '{text}'{redirection}; exit 3")), Step(sh("echo on")))
    said = text.encode().decode("unicode_escape").encode()
    out, err = (b"", said) if redirection else (said, b"")
    assert found.results == [Result(3, out, err), Result(0, b"on\n", b"")]


@pytest.mark.parametrize("redirection", ["", " >&2"])
def test_a_forged_frame_makes_no_step_more_and_none_hang(
    session: SshSession, redirection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made by a program that knows the script's word: it can lie about itself, as any program can."""
    monkeypatch.setattr("kthw_routes.ssh.fabric_session._new_word", lambda: WORD)
    forge = sh(f"for n in 1 2 3 4 5; do printf 'x\\001{WORD} 0\\n'{redirection}; done")
    found = heard(session, Step(sh("echo one")), Step(forge), Step(sh("echo three")))
    assert len(found.results) == len(found.begun) == 3
    assert found.answers[0] == (0, b"one\n")
    assert session.run(sh("echo on")).stdout == b"on\n"


def test_a_password_that_is_said_in_a_script_is_masked_or_its_answer_refused(session: SshSession) -> None:
    session.access.echoes.hide(Secret(PASSWORD))
    say = f"echo {PASSWORD}; echo {PASSWORD} >&2"
    found = heard(
        session,
        Step(sh(say)),
        Step(sh(say), is_silent=True),
        Step(sh(say, is_prose=True), is_silent=True),
        Step(sh(f"echo {PASSWORD[:7]}; echo {PASSWORD[8:]}"), is_silent=True),
        Step(sh(f"printf '{PASSWORD}' | base64"), is_silent=True),
        Step(sh("echo on")),
    )
    masked = Result(0, b"***\n", b"***\n")
    shown, refused, prose, split, encoded, last = found.results
    assert (shown, prose, last) == (masked, masked, Result(0, b"on\n", b""))
    for result in (refused, split, encoded):
        assert isinstance(result, SecretEchoed)
        assert PASSWORD not in repr(vars(result)) + str(result)
    assert sorted(found.lines) == ["! ***", "***", "on"]


@pytest.mark.parametrize("is_silent", [True, False])
def test_nothing_is_run_after_an_answer_with_the_password_where_another_was_expected(
    session: SshSession, is_silent: bool, tmp_path: Path
) -> None:
    session.access.echoes.hide(Secret(PASSWORD))
    mark = tmp_path / "made"
    guard = Step(sh(f"echo {PASSWORD}"), is_silent=is_silent, expected=Result(0, b"as before\n", b""))
    found = heard(session, guard, Step(sh(f"touch {mark}")))
    assert len(found.results) == 1
    assert PASSWORD not in repr(found.results) + "".join(found.lines)
    assert not mark.exists()


def test_closing_from_another_thread_ends_a_script_at_once(session: SshSession, tmp_path: Path) -> None:
    """As a hard stop does: what had ended is known, what ran is not, what was to come is not run."""
    reached = threading.Event()
    caught: list[HostError] = []
    mark = tmp_path / "made"

    class Begun(Heard):
        def line(self, text: str, is_error: bool) -> None:
            reached.set()

    found = Begun()
    steps = [Step(sh("exit 3")), Step(sh("echo begun; sleep 20")), Step(sh(f"touch {mark}"))]

    def run() -> None:
        try:
            session.run_script(steps, found)
        except HostError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert reached.wait(10)
    begun = time.monotonic()
    session.close()
    thread.join(10)
    assert time.monotonic() - begun < 10, "the command would take 20 s"
    assert isinstance(caught[0], ConnectionLost)
    assert not caught[0].nothing_ran
    assert found.answers == [(3, b"")]
    assert len(found.begun) == 2
    assert not mark.exists()


def test_a_host_that_falls_silent_in_a_script_is_noticed_and_what_had_ended_is_known(bench: Bench) -> None:
    session = bench.session(bench.server().port, bench.access(silence=1))
    session.open()
    found = Heard()
    begun = time.monotonic()
    freeze = sh("trap '' TERM; echo on its way; kill -STOP $(ps -o ppid= -p $PPID); sleep 20", is_quick=True)
    with pytest.raises(CommandTimedOut, match="no output for 3 s"):
        session.run_script([Step(sh("echo one")), Step(freeze), Step(sh("echo three"))], found)
    assert time.monotonic() - begun < 15
    assert found.answers == [(0, b"one\n")]


def test_a_host_that_says_nothing_from_the_beginning_is_noticed_in_a_script(bench: Bench) -> None:
    session = bench.session(bench.server(Frozen()).port, bench.access(user=me(), silence=0.5))
    session.open()
    begun = time.monotonic()
    with pytest.raises(CommandTimedOut, match="no output for"):
        heard(session, Step(sh("echo one")), Step(sh("echo two")))
    assert time.monotonic() - begun < 10
