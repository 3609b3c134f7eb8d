"""The run as it is seen: each change with its state, the log of the host in focus, presenting."""

from dataclasses import replace

import pytest

from kthw_routes.demo.linux.process import Process
from kthw_routes.options import Settings
from kthw_routes.wizard.text import run_rows
from kthw_routes.wizard.widgets.host_log import HostLog
from tests.model.hosts import Program, wrap_programs
from tests.model.lab import BreakableLab
from tests.wizard.driver import Driver, driving, said

pytestmark = pytest.mark.wizard

ADDED = "ip route add 10.200.0.0/24 via 192.168.138.48 proto 200"


def lines(driver: Driver) -> list[str]:
    return [" ".join(line.split()) for line in driver.text().splitlines()]


async def test_changes_are_whole_with_their_states_and_the_log_has_the_change_itself(
    lab: BreakableLab, settings: Settings
) -> None:
    def refuse(process: Process, real: Program) -> int:
        if process.argv[:1] == ["ip"] and "-force" in process.argv:
            process.err("".join(f"RTNETLINK answers: Operation not permitted\nCommand failed -:{n}\n" for n in (1, 2)))
            return 2
        return real(process)

    wrap_programs(lab.topology.hosts["worker-1"], refuse)
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Run")
        for size in ((80, 24), (120, 36)):
            await driver.pilot.resize_terminal(*size)
            await driver.settle()
            shown = lines(driver)
            assert "✗ Not done on worker-1. 6 of 6 hosts ended. A failure stops only its own host." in shown
            assert "✓ worker-0 + 10.200.1.0/24 via 192.168.145.107 read back" in shown
            assert any(line.startswith("✗ worker-1 + 10.200.0.0/24 via 192.168.138.48 failed: ") for line in shown)
            assert any("Operation not permitted" in line for line in shown), "the reason"
            assert "t retries." in driver.static("#outcome"), "one piece of advice, with its key"
            assert any(line.startswith("─worker-1─") for line in shown), "it has the focus"
            assert any(line.endswith(f"$ {ADDED}") for line in shown), "whole, and first"
            assert not any("ip -json" in line for line in shown), "no plumbing"
        await driver.press("v")
        assert any(line.startswith("─worker-1, every command─") for line in lines(driver))
        driver.step.query_one("#log").focus()
        await driver.press("home")
        assert any("$ ip -json route show" in line for line in lines(driver))
        await driver.press("v", "home", "down")
        log = driver.one(HostLog)
        while log.line != f"$ {ADDED}":
            assert log.line is not None
            await driver.press("down")
        await driver.press("f1")
        why = driver.static("#why-focus")
        assert why.startswith(ADDED), "the line in focus is explained"
        assert "via 192.168.138.48  the next hop" in why
        driver.step.query_one("#hosts").focus()
        await driver.press("up", "up")
        await driver.until(
            lambda: "ip route add 10.200.1.0/24 via" in driver.static("#why-focus"), "the change instead"
        )


async def test_of_many_hosts_each_has_one_line(
    lab: BreakableLab, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_rows, "MAX_WHOLE", 5)
    async with driving(lab, replace(settings, persist="auto")) as driver:
        await driver.go("Run")
        shown = lines(driver)
        assert "✓ worker-0 2 routes, 1 file read back" in shown
        assert "✓ controller-0 3 names read back" in shown


async def test_presenting_stops_before_each_host_and_goes_on_by_key(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none", present=True)) as driver:
        await driver.go("Routes")
        assert driver.step.next_label == "Present 15 changes"
        await driver.press("ctrl+n")
        held = driver.controller.pace
        for number in range(2):
            await driver.until(lambda: held.held, "held back")
            await driver.pilot.resize_terminal(*((80, 24), (120, 36))[number])
            await driver.settle()
            host = held.held[0]
            shown = lines(driver)
            assert f"{number} of 6 hosts ended. Presenting: the run stops before each host's change." in shown
            assert any(line.startswith(f"Next: {host}. Space changes it") for line in shown)
            assert not ours(lab, host)
            await driver.press("space")
            await driver.until(lambda host=host: driver.step._states[host][0].is_final, "changed")  # type: ignore[attr-defined, misc]
            if host.startswith("worker"):
                assert ours(lab, host)
        await driver.until(lambda: held.held, "the next is held back")
        await driver.press("p")
        await driver.at("Run")
        assert "6 of 6 hosts ended. A failure stops only its own host." in driver.text()
        assert all(ours(lab, f"worker-{number}") for number in range(3))


async def test_who_stops_while_it_is_held_back_changes_nothing_more(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        await driver.press("p", "ctrl+n")
        await driver.until(lambda: driver.controller.pace.held, "held back")
        await driver.press("s")
        await driver.until(lambda: driver.app.screen is not driver.step, "the question")
        await driver.press("tab", "enter")
        await driver.at("Run")
        assert "not started" in driver.text()
        assert not any(ours(lab, f"worker-{number}") for number in range(3))


def ours(lab: BreakableLab, host: str) -> str:
    return said(lab, host, "ip route show proto 200")
