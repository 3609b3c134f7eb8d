"""A host that falls silent while a command runs: noticed in time, whatever the reason, and nothing goes on there."""

import re
import time

import pytest

from tests.journeys.faults import Faults
from tests.journeys.looking import comes_true, is_done, others, state
from tests.journeys.stage import RealNodes, Stage

APPLY = ("apply", "--yes", "--no-probe")


@pytest.mark.nodes
@pytest.mark.parametrize("stage", ["real nodes"], indirect=True)
def test_a_dead_host_is_noticed_within_fifty_seconds(stage: Stage, faults: Faults) -> None:
    """On real nodes only, and slow: with the default times, a cable that is cut while the batch runs."""
    assert isinstance(stage, RealNodes)
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    tool = stage.start(*APPLY)
    hold.wait()
    stage.lab.node("worker-1").cut()
    begun = time.monotonic()
    tool.wait_for(
        f"{'worker-1':<14} sent, not confirmed: worker-1: no output for 32 s. Changes were sent; whether they "
        "took effect is not confirmed."
    )
    assert time.monotonic() - begun < 50
    assert is_done(stage, *others("worker-1"))
    tool.interrupt()  # it tries to reach the host once more, for the proof; quitting does not wait for that
    tool.wait_for("Stopping:")
    tool.hurry()
    begun = time.monotonic()
    tool.interrupt()
    assert tool.wait().code == 130
    assert time.monotonic() - begun < 1


def test_a_host_that_takes_connections_and_says_nothing_is_skipped(stage: Stage, faults: Faults) -> None:
    """Made by freezing all its processes; on the model, by a server that never greets."""
    faults.freeze("worker-1")
    answer = stage.tool(*APPLY, "--timeout", "2")
    assert answer.code == 1
    found = re.search(
        r"✗ skip host: worker-1: (\S+|\S+ \(port 22\)) accepts connections and then does not reply\.\n", answer.out
    )
    assert found, answer.out
    assert "    The node may be overloaded or frozen: look at its console.\n" in answer.out
    assert is_done(stage, *others("worker-1"))


@pytest.mark.nodes
@pytest.mark.parametrize("stage", ["real nodes"], indirect=True)
def test_a_host_that_freezes_while_it_is_changed_is_not_confirmed(stage: Stage, faults: Faults) -> None:
    """On real nodes only: a modelled host cannot be stopped in the middle of an answer."""
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    tool = stage.start(*APPLY, "--timeout", "2")
    hold.wait()
    faults.freeze("worker-1")
    answer = tool.wait()
    assert answer.code == 1
    assert state(answer, "worker-1") == "sent, not confirmed"
    assert "worker-1: no output for 4 s." in answer.out
    assert is_done(stage, *others("worker-1"))


@pytest.mark.nodes
@pytest.mark.parametrize("stage", ["real nodes"], indirect=True)
def test_no_program_of_ours_outlives_its_time_on_a_host_that_we_lost(stage: Stage, faults: Faults) -> None:
    """On real nodes only: programs on a modelled host end with their session."""
    assert isinstance(stage, RealNodes)
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    tool = stage.start(*APPLY, "--timeout", "2")
    hold.wait()
    tool.kill()
    assert faults.is_running("worker-1", "ip -force -batch")
    comes_true(lambda: not faults.is_running("worker-1", "ip -force -batch"), 4)
