"""--commit-within: a host takes its changes back by itself, unless it is told in time that they are well."""

import re

import pytest

from kthw_routes.cli.prompts import TerminalAsker
from kthw_routes.errors import UsageError
from kthw_routes.events import discard
from kthw_routes.options import Options
from kthw_routes.rollback import RollbackState
from kthw_routes.workflow.connect import connect, linode_source
from kthw_routes.workflow.workflow import Workflow
from tests.journeys.faults import Faults
from tests.journeys.looking import NODES, comes_true, is_done, names_block, others, pod_routes, state, tables
from tests.journeys.stage import ON_MODEL, WORKERS, Stage

APPLY = ("apply", "--yes", "--commit-within", "20")


def rollbacks(stage: Stage) -> str:
    """What is left of switches on any node."""
    return "".join(stage.run(node, "ls -1 /run | grep kthw-routes-undo || true") for node in NODES)


def wait_until_all_is(stage: Stage, before: dict[str, str]) -> None:
    """Wait until the hosts have taken their changes back."""
    comes_true(lambda: not rollbacks(stage) and tables(stage) == before, 60)


def test_what_is_proved_stays(stage: Stage) -> None:
    answer = stage.tool(*APPLY)
    assert answer.code == 0, answer.out + answer.err
    for node in NODES:
        assert f"{node}: confirmed over a fresh connection; the changes stay." in answer.out
    assert rollbacks(stage) == ""
    assert is_done(stage, *NODES)
    assert stage.tool("undo", "--yes").code == 0


@pytest.mark.timeout(180)
def test_what_is_not_proved_goes_back_by_itself(london: Stage) -> None:
    london.run("worker-1", f"ip route add 10.200.2.0/24 via {london.internal('worker-0')}")
    london.run("controller-0", "printf '192.168.177.9 worker-1\\n10.0.0.1 elsewhere' >> /etc/hosts")
    before = tables(london)
    answer = london.tool(*APPLY)
    assert answer.code == 4, answer.out + answer.err
    assert "worker-0: rolls back automatically at " in answer.out
    assert "(the proof does not hold); a reboot before then keeps what is in files." in answer.out
    assert "These routes" not in answer.out, "they are not there to stay"
    wait_until_all_is(london, before)
    undo = london.tool("undo", "--yes")
    assert undo.code == 0
    assert "Nothing to undo: it is as before that run already" in undo.out


@pytest.mark.timeout(180)
def test_a_run_that_was_killed_goes_back_by_itself(stage: Stage, faults: Faults) -> None:
    before = tables(stage)
    hold = faults.hold("worker-1", "ping", "-c", "before")
    tool = stage.start(*APPLY)
    hold.wait()
    tool.kill()
    hold.release()
    assert is_done(stage, *NODES)
    wait_until_all_is(stage, before)


@ON_MODEL
def test_a_host_that_cannot_go_back_by_itself_is_not_changed(stage: Stage, faults: Faults) -> None:
    faults.remove("worker-1", "systemd-run")
    answer = stage.tool(*APPLY, "--no-probe")
    assert answer.code == 1
    assert state(answer, "worker-1") == "failed"
    assert "worker-1: the automatic rollback could not be set up: " in answer.out
    assert "Nothing was changed there." in answer.out
    assert pod_routes(stage, "worker-1") == {}
    assert is_done(stage, *others("worker-1"))
    assert rollbacks(stage) == ""


@pytest.mark.timeout(180)
def test_a_later_apply_calls_off_what_a_killed_run_left_armed(stage: Stage, faults: Faults) -> None:
    hold = faults.hold("worker-1", "ping", "-c", "before")
    tool = stage.start("apply", "--yes", "--commit-within", "86400")
    hold.wait()
    tool.kill()
    hold.release()
    assert is_done(stage, *NODES)
    pending = stage.tool("check", "--quiet")
    assert pending.code == 3, "no state that lasts"
    assert " rolls back automatically on " in pending.out
    assert "interrupted; rolls back automatically at " in stage.tool("runs").out
    again = stage.tool("apply", "--yes")
    assert again.code == 0, again.out + again.err
    assert re.search(r"^(\d) automatic rollbacks cancelled on \1 nodes$", again.out, re.MULTILINE), again.out
    assert rollbacks(stage) == ""
    for node in NODES:
        assert "kthw-routes-undo" not in stage.run(node, "systemctl list-timers --all 2>&1 || true")
    assert is_done(stage, *NODES)
    assert "rolls back automatically" not in stage.tool("runs").out
    assert stage.tool("check", "--quiet").code == 0


@ON_MODEL
def test_there_is_one_try_only(stage: Stage) -> None:
    """A second one would meet the first one's timed undo, and take it for its own that could not be set."""
    connections, folder = connect(stage.settings, TerminalAsker(), default_host_keys="accept-new")
    workflow = Workflow(connections, Options(probe=False, commit_within=86400), folder, discard)
    try:
        report = workflow.run(workflow.review(workflow.inspect(workflow.find(linode_source(stage.settings)).cluster)))
        pending = rollbacks(stage)
        assert pending.count("kthw-routes-undo") == len(NODES)
        with pytest.raises(UsageError, match="there is one try only"):
            workflow.retry(report)
        assert rollbacks(stage) == pending
        assert {one.rollback for one in workflow.commit(report, None)} == {RollbackState.CONFIRMED}
        workflow.finish(report, None)
    finally:
        workflow.close()
        connections.close()


@ON_MODEL
@pytest.mark.timeout(180)
def test_undo_calls_it_off_too(stage: Stage, faults: Faults) -> None:
    hold = faults.hold("worker-1", "ping", "-c", "before")
    tool = stage.start("apply", "--yes", "--commit-within", "86400")
    hold.wait()
    tool.kill()
    hold.release()
    undo = stage.tool("undo", "--yes")
    assert undo.code == 0, undo.out + undo.err
    assert rollbacks(stage) == ""
    assert [pod_routes(stage, worker) for worker in WORKERS] == [{}, {}, {}]
    assert names_block(stage) not in stage.run("controller-0", "cat /etc/hosts")
