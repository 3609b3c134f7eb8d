"""Faults of the record in the middle of a run: its folder removed or replaced, its disk full; and of who listens.

What is said of a host follows from what was sent to it. On the model only: nothing of a node takes part.
"""

import contextlib
import errno
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kthw_routes.cli.prompts import TerminalAsker
from kthw_routes.events import Emit, Event, EventKind, HostState, Phase, discard
from kthw_routes.hosts.rollback_timer import RollbackTimer
from kthw_routes.options import Options
from kthw_routes.record.run import Run
from kthw_routes.rollback import RollbackState
from kthw_routes.workflow.connect import connect, linode_source
from kthw_routes.workflow.results import Report
from kthw_routes.workflow.workflow import Workflow
from tests.journeys.faults import Faults
from tests.journeys.looking import NODES, is_done, others, pod_routes, state
from tests.journeys.stage import WORKERS, Stage

APPLY = ("apply", "--yes", "--no-probe")
NOTHING = "Nothing was changed there."

pytestmark = pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def replace(folder: Path) -> None:
    """Put a copy in its place, as a backup program does that restores it."""
    shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)


def move_away(folder: Path) -> None:
    folder.parent.rename(folder.parent.with_name("elsewhere"))


def remove_journal(folder: Path) -> None:
    (folder / "journal.jsonl").unlink()


def remove_plan(folder: Path) -> None:
    (folder / "plan.json").unlink()


@pytest.mark.parametrize("fault", [remove, replace, move_away, remove_journal, remove_plan])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_folder_that_goes_in_mid_run_is_said_and_no_other_host_is_changed(
    stage: Stage, faults: Faults, fault: Callable[[Path], None], form: tuple[str, ...]
) -> None:
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    tool = stage.start(*APPLY, "--parallel", "1", *form)
    hold.wait()
    (folder,) = stage.state.glob("runs/*")
    fault(folder)
    hold.release()
    answer = tool.wait()
    said = f"The run's folder {folder} was removed or replaced while the run was under way."
    assert answer.code == 1
    assert said in answer.err
    report = answer.err if form else answer.out
    assert "worker-1: done\n    worker-1 was changed; the record of how it ended could not be written." in report
    assert f"worker-2: failed\n    {said} {NOTHING}" in report
    assert is_done(stage, "worker-0", "worker-1")
    assert pod_routes(stage, "worker-2") == {}
    assert "Transcript:" not in report
    assert "kthw-routes undo" not in report
    if form:
        assert (answer.json["run"], answer.json["record_problem"]) == (None, said)
    else:
        assert "# as root on worker-1" in report, "what takes it back by hand is all that is left"


def test_a_folder_that_goes_after_the_last_host_is_said_too(stage: Stage, faults: Faults) -> None:
    hold = faults.hold("worker-1", "ping", "-c", "before")
    tool = stage.start("apply", "--yes")
    hold.wait()
    (folder,) = stage.state.glob("runs/*")
    remove(folder)
    hold.release()
    answer = tool.wait()
    assert answer.code == 1
    assert "was removed or replaced while the run was under way." in answer.err
    assert [state(answer, node) for node in NODES] == ["done"] * len(NODES)
    assert "Traffic between all pod CIDRs gets through." in answer.out
    assert "Transcript:" not in answer.out


# --- the disk of the record, and who listens, within the test's own process -------------------------------------


@contextlib.contextmanager
def walking(stage: Stage, emit: Emit = discard, **options: Any) -> Iterator[Workflow]:
    """A walk through the steps, of one host after the other."""
    connections, folder = connect(stage.settings, TerminalAsker(), default_host_keys="accept-new")
    workflow = Workflow(connections, Options(probe=False, parallel=1, **options), folder, emit)
    try:
        yield workflow
    finally:
        workflow.close()
        connections.close()


def run(workflow: Workflow, stage: Stage) -> Report:
    return workflow.run(workflow.review(workflow.inspect(workflow.find(linode_source(stage.settings)).cluster)))


@pytest.fixture
def full_from(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], threading.Event]:
    """Let the disk be full from the first write to a record on that has these bytes, half of which still fit."""

    def fill(words: bytes) -> threading.Event:
        is_full, real = threading.Event(), os.write

        def write(handle: int, data: Any) -> int:
            content = bytes(data)
            if words in content and not is_full.is_set():
                is_full.set()
                return real(handle, content[: len(content) // 2])
            name = os.readlink(f"/proc/self/fd/{handle}")
            if is_full.is_set() and name.endswith((".jsonl", ".md")):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(handle, content)

        monkeypatch.setattr(os, "write", write)
        return is_full

    return fill


def journal(stage: Stage) -> list[dict[str, Any]]:
    (path,) = stage.state.glob("runs/*/journal.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_disk_that_fills_between_the_two_records_of_a_host(
    stage: Stage, full_from: Callable[[bytes], threading.Event]
) -> None:
    """It was changed, and that is said; the next host is not."""
    full_from(b'"host": "worker-1", "state"')
    with walking(stage) as workflow:
        report = run(workflow, stage)
        workflow.finish(report, None)
    states = {name: outcome.state for name, outcome in report.outcomes.items()}
    assert [states[name] for name in WORKERS] == [HostState.DONE, HostState.DONE, HostState.FAILED]
    assert report.outcomes["worker-1"].sentence == (
        "worker-1 was changed; the record of how it ended could not be written."
    )
    assert report.outcomes["worker-2"].sentence.endswith(f"cannot be written: No space left on device. {NOTHING}")
    assert is_done(stage, "worker-0", "worker-1")
    assert pod_routes(stage, "worker-2") == {}
    assert workflow.record is not None
    assert str(workflow.record.problem).endswith("cannot be written: No space left on device.")
    assert not workflow.record.is_gone
    assert str(workflow.record.transcript_problem).startswith("The transcript lacks ")
    assert {row["host"] for row in journal(stage) if "do" in row} == {"worker-0", "worker-1"}, "and no torn line"
    assert stage.tool("undo", "--yes").code == 0
    assert all(pod_routes(stage, worker) == {} for worker in WORKERS)


def test_a_disk_that_is_full_before_a_host_leaves_it_as_it_is(
    stage: Stage, full_from: Callable[[bytes], threading.Event]
) -> None:
    full_from(b'"host": "worker-1", "table"')
    with walking(stage) as workflow:
        report = run(workflow, stage)
        workflow.finish(report, None)
    assert report.outcomes["worker-0"].state is HostState.DONE
    for name in others("worker-0"):
        assert report.outcomes[name].state is HostState.FAILED
        assert report.outcomes[name].sentence.endswith(NOTHING)
    assert is_done(stage, "worker-0")
    assert pod_routes(stage, "worker-1") == {}


def test_a_switch_that_cannot_be_recorded_is_not_left_set(
    stage: Stage, full_from: Callable[[bytes], threading.Event]
) -> None:
    full_from(b'"dead_man": "armed"')
    with walking(stage, commit_within=86400) as workflow:
        report = run(workflow, stage)
        assert workflow.commit(report, None) == ()
    assert report.outcomes["worker-0"].sentence.endswith(NOTHING)
    assert stage.run("worker-0", "ls -1 /run | grep kthw-routes-undo || true") == ""
    assert pod_routes(stage, "worker-0") == {}


def test_what_became_of_every_switch_is_told_though_none_can_be_recorded(
    stage: Stage, full_from: Callable[[bytes], threading.Event]
) -> None:
    full_from(b'"dead_man": "kept"')
    with walking(stage, commit_within=86400) as workflow:
        report = run(workflow, stage)
        told: tuple[RollbackTimer, ...] = workflow.commit(report, None)
        workflow.finish(report, None)
    assert {one.node: one.rollback for one in told} == dict.fromkeys(report.outcomes, RollbackState.CONFIRMED)
    assert workflow.record is not None
    assert workflow.record.problem


def test_a_transcript_that_cannot_be_written_ends_nothing_and_is_told_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def write(handle: int, data: Any) -> int:
        if os.readlink(f"/proc/self/fd/{handle}").endswith(".md"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data)

    monkeypatch.setattr(os, "write", write)
    with walking(stage) as workflow:
        report = run(workflow, stage)
        workflow.finish(report, None)
    assert not report.unfinished
    assert is_done(stage, *NODES)
    assert workflow.record is not None
    assert workflow.record.problem is None
    assert str(workflow.record.transcript_problem).endswith(
        " parts that could not be written: No space left on device."
    )
    assert "end" in journal(stage)[-1]


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(1), KeyboardInterrupt(), MemoryError(), RecursionError(), GeneratorExit()]
)
def test_whoever_listens_can_end_no_host(stage: Stage, error: BaseException) -> None:
    """It raises at each event, in the threads of the hosts and in the main thread."""

    def listen(event: Event) -> None:
        if event.step is Phase.RUN:
            raise error

    with walking(stage, listen) as workflow:
        report = run(workflow, stage)
        workflow.finish(report, None)
    if not isinstance(error, KeyboardInterrupt):  # in the main thread it is somebody's wish to stop
        assert not report.unfinished
        assert is_done(stage, *NODES)
    assert all(outcome.state in (HostState.DONE, HostState.NOT_STARTED) for outcome in report.outcomes.values())
    assert type(error).__name__ in str(workflow.listener_problem)
    assert {row["host"] for row in journal(stage) if "do" in row} == {
        name for name, outcome in report.outcomes.items() if outcome.state is HostState.DONE
    }


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(1), MemoryError(), KeyboardInterrupt()])
def test_a_fault_after_the_change_does_not_say_that_nothing_was_changed(
    stage: Stage, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the thread of worker-1, between the batch and the end of its work; the others are done."""
    changed = set()

    def watch(event: Event) -> None:
        if event.kind is EventKind.STATE and event.state is HostState.READING_BACK:
            changed.add(event.host)

    with walking(stage, watch) as workflow:
        inspection = workflow.inspect(workflow.find(linode_source(stage.settings)).cluster)
        review = workflow.review(inspection)
        planner = review.planner

        def plan(node: Any, facts: Any) -> Any:
            if node.name == "worker-1" and "worker-1" in changed:
                raise error
            return planner(node, facts)

        object.__setattr__(review, "planner", plan)
        report = workflow.run(review)
        workflow.finish(report, None)
    outcome = report.outcomes["worker-1"]
    assert outcome.state is HostState.NOT_CONFIRMED
    assert outcome.changes_sent == 2
    assert outcome.sentence.startswith(f"A fault in kthw-routes itself: {type(error).__name__}")
    assert outcome.sentence.endswith("Changes were sent; whether they took effect is not confirmed.")
    assert is_done(stage, *NODES), "it took effect, as it happens"
    assert report.unfinished == ("worker-1",)


def test_a_run_that_is_over_is_recorded_by_nobody(stage: Stage) -> None:
    """A host that ends later finds the files closed, and its change is not made."""
    with walking(stage) as workflow:
        report = run(workflow, stage)
        record: Run | None = workflow._run  # nobody else has it
        workflow.finish(report, None)
    assert record is not None
    assert not record.note({"host": "worker-9", "do": []})
