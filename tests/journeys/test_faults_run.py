"""Faults while a run is under way: changes by others, a second run, Ctrl-C, a state folder that fails."""

import json
import signal
import time
from pathlib import Path

import pytest

from kthw_routes.record.history import read_runs
from tests.journeys.faults import Faults
from tests.journeys.looking import NODES, is_done, others, pod_routes, state, tables
from tests.journeys.stage import ON_MODEL, WORKERS, RealNodes, Stage

APPLY = ("apply", "--yes", "--no-probe")
ENDED = {"done", "nothing to do", "not started", "failed", "sent, not confirmed"}


@ON_MODEL
def test_a_host_that_changed_since_the_review_is_left_alone(stage: Stage, faults: Faults) -> None:
    """Made between the reading and the change, while it is looked whether all is as it was."""
    hold = faults.hold("worker-1", "ip", "route show", "before")
    tool = stage.start(*APPLY)
    hold.wait()
    stage.run("worker-1", f"/usr/bin/ip route add 10.200.0.0/24 via {stage.internal('worker-2')}")
    hold.release()
    answer = tool.wait()
    assert answer.code == 1
    assert state(answer, "worker-1") == "failed"
    sentence = (
        "worker-1: changed since the review: 10.200.0.0/24 was “add”, is “replace”. Nothing was changed there.\n"
        "    Check again and review."
    )
    assert sentence in answer.out
    assert list(pod_routes(stage, "worker-1")) == ["10.200.0.0/24"]
    assert is_done(stage, *others("worker-1"))


@ON_MODEL
def test_a_second_run_on_the_same_cluster_is_refused(stage: Stage, faults: Faults) -> None:
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    first = stage.start(*APPLY)
    hold.wait()
    runs = len(list(stage.state.glob("runs/*")))
    second = stage.tool(*APPLY)
    assert second.code == 1
    assert (
        "kthw-routes: Another run on this cluster is under way from this machine.\n"
        "    Wait for it to end, then try again.\n"
    ) in second.err
    assert len(list(stage.state.glob("runs/*"))) == runs, "a run that never began has no folder"
    hold.release()
    assert first.wait().code == 0
    assert is_done(stage, *NODES)


def test_ctrl_c_lets_hosts_that_have_begun_finish_and_begins_no_other(stage: Stage, faults: Faults) -> None:
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    tool = stage.start(*APPLY, "--parallel", "1")
    hold.wait()
    tool.interrupt()
    tool.wait_for("Stopping: hosts that have begun are finished. Ctrl-C again ends them now.")
    hold.release()
    answer = tool.wait()
    assert answer.code == 130
    assert [state(answer, worker) for worker in WORKERS] == ["done", "done", "not started"]
    assert "worker-2: not started; nothing was changed there." in answer.out
    assert all(state(answer, node) in ENDED for node in NODES)
    assert is_done(stage, "worker-0", "worker-1")
    assert pod_routes(stage, "worker-2") == {}


def test_a_second_ctrl_c_ends_at_once_and_says_what_is_not_known(stage: Stage, faults: Faults) -> None:
    """On real nodes all processes of the host are frozen besides: nothing of it answers any more."""
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    tool = stage.start(*APPLY)
    hold.wait()
    if isinstance(stage, RealNodes):
        stage.lab.node("worker-1").freeze()
    tool.interrupt()
    tool.wait_for("Stopping:")
    tool.hurry()
    begun = time.monotonic()
    tool.interrupt()
    answer = tool.wait()
    assert time.monotonic() - begun < 1
    assert answer.code == 130
    assert state(answer, "worker-1") == "sent, not confirmed"
    assert all(state(answer, node) in ENDED for node in NODES)
    (journal,) = stage.state.glob("runs/*/journal.jsonl")
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [row["do"] for row in rows if "do" in row and row["host"] == "worker-1"], "what was sent is on disk"
    (transcript,) = stage.state.glob("runs/*/transcript.md")
    assert "- worker-1: sent, not confirmed." in transcript.read_text()


@ON_MODEL
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_hosts_are_read_changes_nothing(stage: Stage, faults: Faults, times: int) -> None:
    before = tables(stage)
    hold = faults.hold("worker-1", "ip", "-V", "before")
    tool = stage.start(*APPLY)
    hold.wait()
    tool.interrupt()
    tool.wait_for("Stopping:")
    tool.hurry()
    begun = time.monotonic()
    if times == 2:
        tool.interrupt()
    else:
        hold.release()
    answer = tool.wait()
    assert times == 1 or time.monotonic() - begun < 1
    assert answer.code == 130
    assert "kthw-routes: Interrupted. Nothing was changed." in answer.err
    assert tables(stage) == before


@ON_MODEL
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_it_lets_hosts_that_have_begun_finish_however_often_it_comes(
    stage: Stage, faults: Faults, number: int
) -> None:
    """A terminal that is closed sends several, `timeout` two."""
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    tool = stage.start(*APPLY, "--parallel", "1")
    hold.wait()
    tool.end_by(number)
    tool.interrupt(number)
    hold.release()
    answer = tool.wait()
    assert answer.code == 130
    assert [state(answer, worker) for worker in WORKERS] == ["done", "done", "not started"]
    assert is_done(stage, "worker-0", "worker-1")
    (run,) = read_runs(stage.state)
    assert run.journal.is_closed
    assert stage.tool("undo", "--yes").code == 0
    assert pod_routes(stage, "worker-0") == pod_routes(stage, "worker-1") == {}


@ON_MODEL
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_an_undo_as_it_ends_a_run(stage: Stage, faults: Faults, number: int) -> None:
    assert stage.tool(*APPLY).code == 0
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    tool = stage.start("undo", "--yes", "--parallel", "1")
    hold.wait()
    tool.end_by(number)
    hold.release()
    answer = tool.wait()
    assert answer.code == 130
    assert [state(answer, worker) for worker in WORKERS] == ["done", "done", "not started"]
    assert pod_routes(stage, "worker-1") == {}
    assert is_done(stage, "worker-2")


@ON_MODEL
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", ["check", "plan"])
def test_a_signal_ends_what_only_reads(stage: Stage, faults: Faults, command: str, number: int) -> None:
    hold = faults.hold("worker-1", "ip", "-V", "before")
    tool = stage.start(command)
    hold.wait()
    tool.end_by(number)
    hold.release()
    assert tool.wait().code == 130


def test_ctrl_c_during_the_proof_takes_the_probe_addresses_away(stage: Stage, faults: Faults) -> None:
    """The pings that have begun are the whole proof where all answer: on each worker they have."""
    holds = [faults.hold(worker, "ping", "-c", "before") for worker in WORKERS]
    tool = stage.start("apply", "--yes")
    for hold in holds:
        hold.wait()
    tool.interrupt()
    tool.wait_for("Stopping:")
    for hold in holds:
        hold.release()
    answer = tool.wait()
    assert answer.code == 130
    assert [state(answer, node) for node in NODES] == ["done"] * len(NODES)
    assert "Traffic between all pod CIDRs gets through." in answer.out
    for worker in WORKERS:
        assert "10.200." not in stage.run(worker, "ip -4 -o address show dev lo")


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
def test_a_state_folder_that_cannot_be_made_is_said_before_anything_is_contacted(stage: Stage, tmp_path: Path) -> None:
    """Made by a file in its place: tests may run as root, whom no mode keeps out.

    On the model only, as the next two: nothing of a node takes part.
    """
    before = tables(stage)
    (tmp_path / "file").write_text("")
    answer = stage.tool(*APPLY, env={"XDG_STATE_HOME": str(tmp_path / "file")})
    assert answer.code == 2
    folder = tmp_path / "file" / "kthw-routes"
    assert f"kthw-routes: The folder {folder} cannot be made: Not a directory.\n    Set XDG_STATE_HOME." in answer.err
    assert tables(stage) == before


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
def test_nothing_is_changed_that_cannot_be_recorded(stage: Stage) -> None:
    """The folder of the runs is a file."""
    stage.state.mkdir(parents=True, mode=0o700)
    (stage.state / "runs").write_text("")
    before = tables(stage)
    answer = stage.tool(*APPLY)
    assert answer.code == 2
    assert f"kthw-routes: The folder {stage.state / 'runs'} cannot be made: File exists." in answer.err
    assert tables(stage) == before


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
def test_a_host_whose_key_cannot_be_recorded_is_not_trusted(stage: Stage) -> None:
    """The file of the host keys is a folder."""
    (stage.state / "known_hosts").mkdir(parents=True)
    answer = stage.tool(*APPLY)
    assert answer.code == 1
    sentence = f"worker-0: its host key cannot be recorded in {stage.state / 'known_hosts'}: Is a directory."
    assert f"✗ skip host: {sentence}" in answer.out
    assert all(pod_routes(stage, worker) == {} for worker in WORKERS)
