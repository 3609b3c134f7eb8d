"""Taking a run back from its last step: asked first, read first, told what is left, run like any other run."""

from dataclasses import replace

import pytest

from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.errors import ExitCode
from kthw_routes.options import Settings
from kthw_routes.record.history import read_runs
from kthw_routes.wizard.modals.confirm import Confirm
from tests.wizard.driver import Driver, driving, said

pytestmark = pytest.mark.wizard


def ours(lab: EmbeddedLab) -> int:
    """How many routes of ours there are."""
    return sum(1 for host in lab.topology.workers for r in host.kernel.routes() if r.protocol == 200)


async def ask(driver: Driver) -> None:
    """Press the key, and wait for the question."""
    await driver.pilot.press("u")
    await driver.until(lambda: isinstance(driver.app.screen, Confirm), "the question")
    await driver.settle()


async def test_a_run_is_taken_back_and_what_was_changed_since_is_left(lab: EmbeddedLab, settings: Settings) -> None:
    before = {name: said(lab, name, "cat /etc/hosts") for name in lab.topology.hosts}
    async with driving(lab, settings) as driver:
        await driver.go("Proof")
        run = driver.controller.last_run.run_id
        said(lab, "worker-0", "ip route replace 10.200.1.0/24 via 192.168.152.166")
        await driver.pilot.resize_terminal(120, 36)
        await driver.settle()
        await ask(driver)
        assert "This undoes: 5 route changes" in driver.text().replace("\n", " ")
        assert "worker-0 10.200.1.0/24: changed since" in driver.text()
        await driver.pilot.press("tab", "enter")
        await driver.at("Run")
        assert driver.controller.review().undoes == run
        assert "Undone: 14 changes" in driver.status()
        assert f"as before run {run}" in driver.static("#outcome").replace("\n", " ")
        assert "Left untouched:" in driver.static("#outcome")
        assert driver.step.next_label == "Finish"
        await driver.press("ctrl+b")
        await driver.at("Routes")
        assert f"This undoes run {run}." in driver.static("#purpose").replace("\n", " ")
        await driver.press("ctrl+b")
        await driver.at("Checks")
        await driver.until(lambda: not driver.controller.is_stale, "the hosts were looked at again")
        assert not driver.controller.review().undoes
    assert ours(lab) == 0
    assert {name: said(lab, name, "cat /etc/hosts") for name in lab.topology.hosts} == before


async def test_who_thinks_better_of_it_can_prove_again(lab: EmbeddedLab, settings: Settings) -> None:
    """Also where the run changed nothing on one of the workers."""
    for route in ("10.200.0.0/24 via 192.168.138.48", "10.200.1.0/24 via 192.168.145.107"):
        said(lab, "worker-2", f"ip route add {route}")
    async with driving(lab, replace(settings, no_hosts_file=True)) as driver:
        await driver.go("Proof")
        await ask(driver)
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.step, "closed")
        assert ours(lab) == 4
        await driver.pilot.press("r")
        await driver.at("Proof")
        assert "✓ Traffic between all pod CIDRs gets through." in driver.static("#headline")
        await ask(driver)
        await driver.pilot.press("tab", "enter")
        await driver.at("Run")
        await driver.pilot.press("ctrl+n")
        await driver.pilot.pause()
    assert driver.app.return_value is ExitCode.DONE
    assert any("Undone: run" in line for line in driver.controller.last_words)


async def test_without_a_run_there_is_nothing_to_take_back(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Run")
    async with driving(lab, settings) as driver:
        await driver.go("Proof")
        assert not driver.step.query_one("#undo-run").display
        await driver.press("u")
        assert driver.app.screen is driver.step


async def test_where_nothing_is_left_of_a_run_it_counts_as_taken_back(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, no_hosts_file=True)) as driver:
        await driver.go("Proof")
        run = driver.controller.last_run.run_id
        for host in lab.topology.workers:
            for route in [r for r in host.kernel.routes() if r.protocol == 200]:
                said(lab, host.name, f"ip route del {route.prefix}")
        state = settings.state
        assert state is not None
        newest = read_runs(state).newest()
        assert newest is not None
        assert newest.id == run
        await ask(driver)
        assert "Nothing to undo" in driver.text()
        assert read_runs(state).newest() is None
        await driver.press("escape")
        await ask(driver)
        assert "Nothing to undo" in driver.text()
