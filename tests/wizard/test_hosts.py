"""Hosts that fail, hang or lie: what is said and where, stop, retry, leaving in the middle of a run."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from kthw_routes.demo.linux.process import Process
from kthw_routes.errors import ExitCode
from kthw_routes.events import HostState
from kthw_routes.options import Settings
from kthw_routes.persistence.model import Persist
from kthw_routes.record.lock import ClusterLock
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.modals.host_keys import AskHostKeys
from kthw_routes.wizard.steps.run import RunStep
from kthw_routes.wizard.widgets.table import KeyedTable
from tests.model.hosts import Program, greet, wrap_programs
from tests.model.lab import BreakableLab
from tests.model.ssh_server import Manners
from tests.wizard.driver import Driver, driving

pytestmark = pytest.mark.wizard


def hold(lab: BreakableLab, name: str, when: Callable[[Process], bool]) -> threading.Event:
    """Let a host wait in the middle of a program until the event is set, or its session ends."""
    go = threading.Event()

    def around(process: Process, real: Program) -> int:
        if when(process):
            while not go.wait(0.01):
                process.check()
        return real(process)

    wrap_programs(lab.topology.hosts[name], around)
    return go


def is_change(process: Process) -> bool:
    return process.argv[:1] == ["ip"] and "-force" in process.argv


async def test_host_keys_are_asked_for_once_and_may_be_declined(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, host_keys=None)) as driver:
        await driver.go("Nodes")
        await driver.pilot.press("ctrl+n")
        await driver.until(lambda: isinstance(driver.app.screen, AskHostKeys), "the question")
        await driver.settle()
        assert driver.text().count("SHA256:") == 6
        await driver.pilot.press("escape")
        await driver.at("Checks")
        assert "no host could be read" in driver.status()
        assert [row[1] for row in driver.rows("#hosts")] == ["✗ skipped"] * 6
        await driver.press("r")
        await driver.until(lambda: isinstance(driver.app.screen, AskHostKeys), "the question again")
        await driver.settle()
        await driver.pilot.press("right", "left", "left", "right", "space")  # at both ends nothing moves; Space presses
        await driver.at("Checks")
        assert [row[1] for row in driver.rows("#hosts")] == ["✓ read"] * 6


async def test_cancelling_the_checks_answers_their_question(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, host_keys=None)) as driver:
        await driver.go("Nodes")
        await driver.pilot.press("ctrl+n")
        await driver.until(lambda: isinstance(driver.app.screen, AskHostKeys), "the question")
        driver.step.cancel_work()
        await driver.at("Checks")
        assert driver.app.screen is driver.step


async def test_a_host_that_is_down_is_skipped_and_the_others_go_on(lab: BreakableLab, settings: Settings) -> None:
    lab.servers["worker-2"].close()
    async with driving(lab, settings) as driver:
        await driver.go("Checks")
        assert driver.rows("#hosts")[2][1] == "✗ skipped"
        assert "1 skipped" in driver.status()
        await driver.go("Run")
        assert driver.controller.last_run.report is not None
        assert "worker-2" not in driver.controller.last_run.report.outcomes
        await driver.pilot.press("ctrl+q")
        await driver.pilot.pause()
    assert driver.app.return_value is ExitCode.FAILED


async def test_a_changed_host_key_is_taken_only_when_the_person_says_that_the_node_was_rebuilt(
    lab: BreakableLab, settings: Settings
) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Checks")
        lab.rebuild("worker-1")
        for answer in ("escape", "enter"):
            await driver.press("r")
            await driver.at("Checks")
            assert driver.rows("#hosts")[1][1] == "✗ skipped"
            driver.step.query_one("#hosts", KeyedTable).move_cursor(row=1)
            await driver.settle()
            assert "k trusts its new key" in driver.text()
            await driver.press("k")
            assert isinstance(driver.app.screen, Confirm)
            assert driver.text().count("SHA256:") == 2
            await driver.pilot.press(*(("tab",) if answer == "enter" else ()), answer)
            await driver.at("Checks")
        assert [row[1] for row in driver.rows("#hosts")] == ["✓ read"] * 6


async def test_the_checks_can_be_cancelled_and_begun_again(lab: BreakableLab, settings: Settings) -> None:
    go = hold(lab, "worker-1", lambda p: p.argv[:1] == ["ip"])
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        await driver.pilot.press("ctrl+n")
        await driver.until(lambda: any("read" in r[1] for r in driver.rows("#hosts")), "states live")
        await driver.pilot.click("#cancel")
        await driver.at("Checks")
        go.set()
        await driver.press("r")
        await driver.at("Checks")
        assert [row[1] for row in driver.rows("#hosts")] == ["✓ read"] * 6


async def _running(driver: Driver) -> RunStep:
    """To the run, while a host is held in the middle of its change."""
    await driver.go("Routes")
    await driver.answer(Persist.NONE)
    await driver.pilot.press("ctrl+n")
    await driver.until(lambda: driver.step.title_word == "Run" and driver.step.busy, "running")
    step = driver.step
    assert isinstance(step, RunStep)
    await driver.until(lambda: _ended(step) >= 5, "the others are done")
    await driver.settle()
    return step


def _ended(step: RunStep) -> int:
    return sum(1 for state, _ in step._states.values() if state.is_final)


async def test_a_run_is_stopped_once_asked_and_then_ended(lab: BreakableLab, settings: Settings) -> None:
    go = hold(lab, "worker-1", is_change)
    async with driving(lab, settings) as driver:
        step = await _running(driver)
        assert driver.is_disabled("back")
        await driver.press("ctrl+b")
        assert driver.step is step
        await driver.press("s")
        await driver.until(lambda: isinstance(driver.app.screen, Confirm), "the question")
        await driver.press("tab", "enter")
        await driver.until(lambda: "hosts that have started are finishing" in driver.status(), "the answer")
        await driver.until(lambda: driver.app.screen is step, "the dialog closed")
        assert step.busy
        await driver.pilot.press("s")
        await driver.until(lambda: not step.busy, "the end")
        await driver.settle()
        report = driver.controller.last_run.report
        assert report is not None
        assert report.unfinished == ("worker-1",)
        assert "Retry runs only these" in driver.status()
        go.set()
        await driver.press("t")
        await driver.at("Run")
        assert driver.controller.last_run.report is not None
        assert driver.controller.last_run.report.unfinished == ()
        await driver.go("Proof")
        assert "gets through" in driver.static("#headline")


async def test_leaving_in_the_middle_says_what_is_done_and_takes_no_second(
    lab: BreakableLab, settings: Settings
) -> None:
    hold(lab, "worker-1", is_change)
    async with driving(lab, settings) as driver:
        await _running(driver)
        await driver.pilot.press("ctrl+q")
        await driver.until(lambda: isinstance(driver.app.screen, Confirm), "the question")
        await driver.settle()
        assert "Done: worker-0" in driver.text()
        assert "Started, cut off: worker-1." in driver.text()
        start = time.monotonic()
        await driver.pilot.press("tab", "enter")
        await driver.until(lambda: not driver.app.is_running or driver.app.return_value is not None, "the end")
    assert time.monotonic() - start < 10, "a host may stay silent for 30 s"
    assert driver.app.return_value is ExitCode.INTERRUPTED
    words = "\n".join(driver.controller.last_words)
    assert "Done: worker-0, worker-2" in words
    assert "worker-1: " in words
    report = driver.controller.last_run.report
    assert report is not None
    assert report.folder is not None
    assert "## Result" in (report.folder / "transcript.md").read_text()


async def test_a_host_that_hangs_does_not_hold_the_way_out(lab: BreakableLab, settings: Settings) -> None:
    lab.servers["worker-0"].manners = Manners(hangs=True)
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        await driver.pilot.press("ctrl+n")
        await driver.until(lambda: driver.step.title_word == "Checks" and driver.step.busy, "looking")
        start = time.monotonic()
        await driver.pilot.press("ctrl+q")
        await driver.until(lambda: not driver.app.is_running or driver.app.return_value is not None, "the end")
    driver.controller.close()
    assert time.monotonic() - start < 10, "a host may stay silent for 30 s"


async def test_a_host_changed_since_the_review_is_left_alone_and_said_so(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        host = lab.topology.hosts["worker-0"]
        host.execute("ip route add 10.200.1.0/24 via 192.168.145.107", stdout=lambda _: None, stderr=lambda _: None)
        await driver.go("Run")
        report = driver.controller.last_run.report
        assert report is not None
        assert report.outcomes["worker-0"].state is HostState.FAILED
        assert "✗ Not done on worker-0." in driver.text()
        assert "changed since the review" in driver.static("#outcome"), "it has the cursor"
        assert "Check again and review." in driver.static("#outcome")


async def test_what_hosts_say_is_no_markup_and_no_escape(lab: BreakableLab, settings: Settings) -> None:
    greet(lab.topology.hosts["worker-0"], b"[/foo] \x1b]52;c;aGVsbG8=\x07 [bold]\x9b31m\n")
    controller = lab.topology.hosts["controller-0"]
    controller.files.put("/etc/hosts", "127.0.0.1 localhost\n10.0.0.1 worker-0 [/foo]\x1b]52;c;aGk=\x07 # [red\n")
    async with driving(lab, settings) as driver:
        for step in driver.app.steps[1:]:
            await driver.go(step.title_word)
            assert not set("\x1b\x07\x9b") & set(driver.text())
            if step.title_word == "Routes":
                assert any("[/foo]" in finding.sentence for finding in driver.controller.review().findings)
        await driver.press("f2")
        assert not set("\x1b\x07\x9b") & set(driver.text())


async def test_a_foreign_route_is_left_alone_until_it_is_marked(lab: BreakableLab, settings: Settings) -> None:
    host = lab.topology.hosts["worker-0"]
    host.execute("ip route add 10.200.77.0/24 via 192.168.145.107", stdout=lambda _: None, stderr=lambda _: None)
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        await driver.answer(Persist.NONE)
        await driver.to_row("Routes", "worker-0", "10.200.77.0/24", "[ ] foreign")
        assert "1 foreign route in the cluster CIDR." in driver.text()
        assert "Space marks it for removal" in driver.static("#detail")
        await driver.press("space")
        assert "[x] remove" in [row[1] for row in driver.rows("#changes")]
        assert driver.step.next_label == "Run 16 changes"
        await driver.press("enter")
        assert driver.step.next_label == "Run 15 changes"
        await driver.press("space")
        await driver.go("Run")
    assert not [r for r in host.kernel.routes() if str(r.prefix) == "10.200.77.0/24"]


async def test_the_names_can_be_left_out(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        await driver.answer(Persist.NONE)
        await driver.choose("left")
        assert driver.step.next_label == "Run 6 changes"
        await driver.choose("right")
        assert driver.step.next_label == "Run 15 changes"


async def test_another_look_after_the_run_begins_a_new_review(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Proof")
        report = driver.controller.last_run.report
        assert report is not None
        folder = report.folder
        for title in ("Run", "Routes", "Checks"):
            await driver.press("ctrl+b")
            await driver.at(title)
        await driver.press("r")
        await driver.at("Checks")
        assert driver.controller.last_run.report is None
        await driver.go("Routes")
        assert driver.step.next_label == "Prove"
        assert folder is not None
        assert (folder / "transcript.md").read_text().count("## Result") == 1


async def test_the_proof_can_be_cancelled_and_made_again(lab: BreakableLab, settings: Settings) -> None:
    go = hold(lab, "worker-1", lambda p: p.argv[:1] == ["ping"])
    async with driving(lab, settings) as driver:
        await driver.go("Run")
        await driver.pilot.press("ctrl+n")
        await driver.until(lambda: driver.step.title_word == "Proof" and driver.step.busy, "proving")
        await driver.settle()
        await driver.pilot.click("#cancel")
        await driver.at("Proof")
        assert driver.controller.last_run.proof is None
        assert "Stopped before the proof was complete" in driver.static("#error")
        go.set()
        await driver.press("r")
        await driver.at("Proof")
        assert "gets through" in driver.static("#headline")


async def test_a_run_that_may_not_begin_says_so_and_is_no_success(lab: BreakableLab, settings: Settings) -> None:
    """Another run on the same cluster is under way."""
    assert settings.state is not None
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        await driver.answer(Persist.NONE)
        nodes = [f"{node.name} {node.ssh}" for node in driver.controller.cluster]
        with ClusterLock(settings.state, nodes):
            await driver.pilot.press("ctrl+n")
            await driver.at("Run")
            assert driver.step.error is not None
            assert driver.step.error.sentence.startswith("Another run on this cluster is under way")
            assert "Another run" in driver.text()
            assert {row[2] for row in driver.rows("#hosts")} == {"not started"}
            assert driver.controller.exit_code is ExitCode.FAILED


async def test_the_question_whether_to_quit_says_what_is_true_by_now(lab: BreakableLab, settings: Settings) -> None:
    """The run goes on behind it; where it ends, that is said, and asked anew."""
    first, second = hold(lab, "worker-1", is_change), hold(lab, "worker-2", is_change)
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        await driver.answer(Persist.NONE)
        await driver.pilot.press("ctrl+n")
        await driver.until(lambda: driver.step.title_word == "Run" and driver.step.busy, "running")
        await driver.pilot.press("ctrl+q")
        await driver.until(lambda: "Started, cut off: worker-1, worker-2." in driver.text(), "both held up")
        first.set()
        await driver.until(lambda: "Started, cut off: worker-2." in driver.text(), "one is done")
        assert "Not started" not in driver.text()
        second.set()
        await driver.until(lambda: "The run has ended meanwhile." in driver.text(), "the end of the run")
        assert "changes made and read back." in driver.text()
        await driver.pilot.press("enter")
        await driver.until(lambda: not isinstance(driver.app.screen, Confirm), "the step again")
        await driver.pilot.press("ctrl+q")
        await driver.until(lambda: driver.app.return_value is not None, "the end")
