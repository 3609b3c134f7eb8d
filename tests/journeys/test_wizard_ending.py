"""The wizard ends when it is told to, and when its terminal goes away: in each step, in a run, before each dialog.

No time is measured here, as the machine may be busy: what ends the process is the wizard's own limit, which is
asserted by itself. A process that waits for its terminal, or for a host, never ends.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kthw_routes.record.history import read_runs
from kthw_routes.record.past_run import PastRun
from kthw_routes.wizard import ending
from tests.journeys.faults import Faults
from tests.journeys.looking import is_done, pod_routes, tables
from tests.journeys.stage import WORKERS, Model, Stage, free_environment
from tests.journeys.wizard_terminal import NEXT, WAYS, WizardTerminal
from tests.model.lab import BreakableLab

SOURCE = "Where do the nodes come from"
RUN = "A failure stops only its own host"
PATH = (
    ("", SOURCE),
    (NEXT, "These nodes were found"),
    (NEXT, "New host keys"),
    ("\r" + NEXT, "Nothing is changed yet"),
    (NEXT, RUN),
    (NEXT, "Each worker sends three pings"),
)
"""The keys that lead from step to step, and what is shown there. Checks asks for the host keys."""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """The embedded lab alone: no node has a part in how the wizard ends."""
    with BreakableLab("ca-central") as lab:
        yield Model(lab, tmp_path)


def start(stage: Stage, home: Path, way: str = "", *more: str) -> WizardTerminal:
    assert isinstance(stage, Model)
    env = free_environment(home) | stage.lab.environment
    return WizardTerminal(["--persist", "none", *more], env, home, is_controlling="nobody" not in way)


def walk(wizard: WizardTerminal, to: str) -> None:
    for keys, words in PATH:
        wizard.wait_for(words, typing=keys)
        if words == to:
            return
    raise AssertionError(to)


def lock_is_free(stage: Stage) -> bool:
    for path in stage.state.glob("locks/*"):
        handle = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(handle)
    return True


def outcome(stage: Stage) -> tuple[PastRun, str]:
    """The one run, and how it ended, as `runs` says it."""
    runs = read_runs(stage.state)
    (run,) = runs
    assert isinstance(run, PastRun)
    assert not run.problem
    return run, runs.outcome(run)


def test_the_limits_leave_room_within_two_seconds() -> None:
    assert ending.MAX_FINISHING < ending.MAX_ENDING - 0.5
    assert ending.MAX_ENDING <= 1.7


@pytest.mark.parametrize(
    ("place", "way"),
    [
        *(("Nothing is changed yet", way) for way in WAYS),
        *(
            (words, way)
            for _, words in PATH
            for way in ("closed", "SIGTERM, unread")
            if words not in ("Nothing is changed yet", RUN)
        ),
    ],
)
def test_it_ends_in_each_step(stage: Stage, tmp_path: Path, place: str, way: str) -> None:
    wizard = start(stage, tmp_path, way)
    walk(wizard, place)
    assert wizard.end(way) == 130
    assert lock_is_free(stage)
    assert not [run.problem for run in read_runs(stage.state) if run.problem]


@pytest.mark.parametrize("way", ["SIGTERM", "closed"])
def test_it_ends_while_hosts_are_read(stage: Stage, faults: Faults, tmp_path: Path, way: str) -> None:
    before = tables(stage)
    hold = faults.hold("worker-1", "ip", "-V", "before")
    wizard = start(stage, tmp_path, way)
    walk(wizard, "New host keys")
    wizard.wait_for("connecting", typing="\r")
    hold.wait()
    assert wizard.end(way) == 130
    assert tables(stage) == before


@pytest.mark.parametrize(
    ("key", "heading", "way"),
    [("\x1bOR", "Everywhere", "SIGTERM"), ("\x1bOQ", "Close", "SIGTERM, unread"), ("\x10", "Search", "closed")],
)
def test_it_ends_under_a_dialog(stage: Stage, tmp_path: Path, key: str, heading: str, way: str) -> None:
    """The keys, the commands, the palette."""
    wizard = start(stage, tmp_path, way)
    walk(wizard, SOURCE)
    wizard.wait_for(heading, typing=key)
    assert wizard.end(way) == 130


@pytest.mark.parametrize("way", WAYS)
def test_in_a_run_what_was_begun_is_cut_off_and_recorded(
    stage: Stage, faults: Faults, tmp_path: Path, way: str
) -> None:
    """One host has done all, one has begun and does not go on, one has not begun.

    On a machine so busy that the limit comes before the record's end, what is on disk says that it was interrupted.
    """
    before = tables(stage)
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    wizard = start(stage, tmp_path, way, "--parallel", "1")
    walk(wizard, RUN)
    hold.wait()
    assert wizard.end(way) == 130
    assert lock_is_free(stage)
    run, words = outcome(stage)
    assert run.journal.states["worker-0"] == "done"
    if run.journal.is_closed:
        assert run.journal.states["worker-1"] == "sent, not confirmed"
        assert words.startswith("not done on worker-1")
    else:
        assert words == "interrupted"
    assert is_done(stage, "worker-0")
    assert pod_routes(stage, "worker-2") == {}
    undone = stage.tool("undo", "--yes")
    assert undone.code == 0, undone.out + undone.err
    assert tables(stage) == before


@pytest.mark.parametrize("way", ["SIGHUP", "closed"])
def test_in_a_run_it_ends_under_the_question_whether_to_stop(
    stage: Stage, faults: Faults, tmp_path: Path, way: str
) -> None:
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    wizard = start(stage, tmp_path, way)
    walk(wizard, RUN)
    hold.wait()
    wizard.wait_for("Stop the run?", typing="s")
    assert wizard.end(way) == 130
    run, words = outcome(stage)
    assert "worker-1" in run.unfinished
    # On a busy machine hosts beside the held one may have been cut off too.
    assert words == "interrupted" or (words.startswith("not done on ") and "worker-1" in words)


def test_a_terminal_that_takes_nothing_for_a_while_ends_nothing(stage: Stage, faults: Faults, tmp_path: Path) -> None:
    """As in screen's copy mode, or where the network stalls: the run goes on, and is shown once it is read again."""
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    wizard = start(stage, tmp_path)
    walk(wizard, RUN)
    hold.wait()
    wizard.fill()
    hold.release()
    wizard.read_again()
    wizard.wait_for("made and read back")
    assert is_done(stage, *WORKERS)
    assert wizard.end("SIGTERM") == 130
