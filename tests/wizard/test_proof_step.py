"""The proof as it is seen: the first line in all situations, what to do now, mending, what `ip route` prints."""

from dataclasses import replace
from pathlib import Path

import pytest

from kthw_routes.demo.pods import with_pods
from kthw_routes.errors import ExitCode
from kthw_routes.options import Settings
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.widgets import matrix as matrix_widget
from tests.model.lab import BreakableLab
from tests.wizard.driver import Driver, driving, said

pytestmark = pytest.mark.wizard

SIZES = ((80, 24), (120, 36))
LAST = ("transcript ", "undo ", "next lab ")


def shown(driver: Driver) -> str:
    """What is seen of the step, without *Why?* beside it, on one line."""
    lines = (line.split("│")[0] for line in driver.text().splitlines()[3:-4])
    return " ".join(" ".join(lines).split())


def code(driver: Driver) -> ExitCode:
    """How the program would end now."""
    return driver.controller.exit_code


async def first_lines(driver: Driver) -> list[str]:
    """What the step begins with at each size."""
    await driver.go("Proof")
    found = []
    for size in SIZES:
        await driver.pilot.resize_terminal(*size)
        await driver.settle()
        text = shown(driver)
        assert "Now: " in text, "what to do is in sight"
        assert all(word in text for word in LAST), "and what is worth keeping"
        found.append(text)
    return found


async def test_all_is_well(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="auto")) as driver:
        for text in await first_lines(driver):
            assert text.startswith("✓ Traffic between all pod CIDRs gets through. from ")
            assert "Now: go on with lab 12" in text
            assert "Not yet" not in text, "folded"
        await driver.press("k")
        (copy,) = Path().glob("transcript-*.md")
        assert f"✓ kept as {copy}" in shown(driver)
        assert "## How to undo" in copy.read_text()
        await driver.press("w")
        assert "forwarding is off until the first pod starts. Nothing to do." in " ".join(
            driver.static("#explained").split()
        )
        await driver.press("i")
        await driver.at("Proof")
        for worker in ("worker-0", "worker-1", "worker-2"):
            assert f"{worker}$ ip route\n{said(lab, worker, 'ip route').rstrip()}" in driver.static("#tables")


@pytest.mark.parametrize("region", ["eu-west"], indirect=True)
async def test_the_provider_drops_all(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none")) as driver:
        for text in await first_lines(driver):
            assert text.startswith("✗ 6 of 6 pairs of workers do not get through. Something between the nodes drops")
            assert "none arrived" not in text
        assert "none arrived" in " ".join(driver.static("#explained").split())


async def test_an_own_pod_cidr_is_overridden_and_mended_from_here(lab: BreakableLab, settings: Settings) -> None:
    said(lab, "worker-1", "ip route add 10.200.1.0/24 via 192.168.138.48")
    async with driving(lab, replace(settings, persist="none")) as driver:
        for text in await first_lines(driver):
            wrong = "✗ The pods of worker-1 are unreachable: another route overrides its own pod CIDR. from "
            assert text.startswith(wrong)
            assert "Now: m repairs it, and shows the commands first. Or: kthw-routes apply --repair" in text
        assert code(driver) is ExitCode.NO_TRAFFIC
        await driver.press("m")
        await driver.until(lambda: isinstance(driver.app.screen, Confirm), "the commands")
        await driver.settle()
        assert "worker-1$ ip route del 10.200.1.0/24 via 192.168.138.48" in driver.text()
        await driver.pilot.press("tab", "enter")
        await driver.at("Run")
        assert driver.step.next_label == "Prove"
        await driver.go("Proof")
        assert shown(driver).startswith("✓ Traffic between all pod CIDRs gets through.")
        assert code(driver) is ExitCode.DONE
    assert "192.168.138.48" not in said(lab, "worker-1", "ip route show 10.200.1.0/24")


async def test_one_host_is_unreachable(lab: BreakableLab, settings: Settings) -> None:
    lab.servers["worker-2"].close()
    async with driving(lab, replace(settings, persist="none")) as driver:
        for text in await first_lines(driver):
            assert text.startswith("✗ worker-2: ")
            assert "could not be tested" in text
            assert "Now: see that these hosts can be reached, then r proves again." in text
            assert "? from" not in text


async def test_stale_names_are_said_beside_traffic_that_gets_through(lab: BreakableLab, settings: Settings) -> None:
    hosts = "127.0.0.1 localhost\n# BEGIN kthw-routes\n192.168.145.109 worker-9\n# END kthw-routes\n"
    lab.topology.hosts["controller-0"].files.put("/etc/hosts", hosts)
    async with driving(lab, replace(settings, persist="none")) as driver:
        for text in await first_lines(driver):
            start = "▲ Stale: worker-9 in /etc/hosts of controller-0. Traffic between all pod CIDRs gets through. from "
            assert text.startswith(start)
            assert "Space in Routes marks what is stale for removal" in text


async def test_forwarding_is_off_in_spite_of_pods(lab: BreakableLab, settings: Settings) -> None:
    with_pods(lab.topology)
    said(lab, "worker-1", "sysctl -w net.ipv4.ip_forward=0")
    async with driving(lab, replace(settings, persist="none")) as driver:
        for text in await first_lines(driver):
            assert text.startswith("✗ 4 of 6 pairs of workers do not get through.")
            assert "Forwarding is off on worker-1 in spite of pods there." in text


@pytest.mark.parametrize("region", ["eu-west"], indirect=True)
async def test_many_workers_are_a_list_that_can_be_searched(
    lab: BreakableLab, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix_widget, "MAX_WORKERS", 2)
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Proof")
        assert "✗ worker-0 0 of 2 0 of 2 worker-0 → worker-1: no answer" in shown(driver)
        assert driver.step.query("#pairs").first().display is False
        await driver.press("slash", *"worker-2")
        assert "✗ worker-2 0 of 2 0 of 2" in shown(driver)
        assert "✗ worker-0" not in shown(driver)
        await driver.press("escape")
        assert "✗ worker-0" in shown(driver)
