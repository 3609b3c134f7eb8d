"""By hand: what is typed on the nodes is ticked off, what is wrong is said, and the wizard types nothing."""

from dataclasses import replace

import pytest

from kthw_routes.options import Settings
from kthw_routes.wizard.modals import by_hand
from kthw_routes.wizard.modals.by_hand import ByHand
from tests.model.lab import BreakableLab
from tests.wizard.driver import Driver, driving, said

pytestmark = pytest.mark.wizard


class Person:
    """Somebody who types on the nodes of a lab, and looks at the wizard."""

    def __init__(self, lab: BreakableLab, driver: Driver) -> None:
        self._lab, self._driver = lab, driver

    async def types(self, host: str, command: str) -> None:
        """Type there; then have the wizard look."""
        assert said(self._lab, host, command) == ""
        await self._driver.press("r")

    async def reads(self, *words: str) -> None:
        """Wait until the wizard says so."""
        for some in words:
            await self._driver.until(lambda some=some: some in " ".join(self._driver.text().split()), some)  # type: ignore[misc]


async def test_what_is_typed_is_ticked_off_and_then_proved(
    lab: BreakableLab, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_hand, "EVERY", 3600)
    zero, one, two = (lab.topology.addresses[f"worker-{n}"][1] for n in range(3))
    async with driving(lab, replace(settings, persist="none", no_hosts_file=True)) as driver:
        person = Person(lab, driver)
        await driver.go("Routes")
        await driver.press("h")
        await person.reads("0 of 6 right.", "… 10.200.1.0/24 to be typed", f"# ip route add 10.200.1.0/24 via {one}")
        await person.reads("$ ssh -F ")
        await person.types("worker-0", f"ip route add 10.200.1.0/24 via {two}")
        await person.reads("0 of 6 right, 1 wrong.", "✗ 10.200.1.0/24 wrong", "the address of worker-2. Correct it: ip")
        await person.types("worker-0", f"ip route replace 10.200.1.0/24 via {one}")
        await person.reads("1 of 6 right.", "✓ 10.200.1.0/24 right", "✓ worker-0: 10.200.1.0/24 is right.")
        for host, number, hop in (
            *(("worker-0", 2, two), ("worker-1", 0, zero), ("worker-1", 2, two)),
            *(("worker-2", 0, zero), ("worker-2", 1, one)),
        ):
            await person.types(host, f"ip route add 10.200.{number}.0/24 via {hop}")
            await driver.until(lambda: "… reading" not in driver.text())
        await driver.press("r")
        await person.reads("✓ All of it is right (6 of 6). Close, then Next proves it.")
        await driver.press("escape")
        await driver.until(lambda: driver.app.screen is driver.step, "closed")
        await driver.settle()
        assert driver.step.next_label == "Prove"
        await driver.press("h")
        assert not isinstance(driver.app.screen, ByHand), "there is nothing to type any more"
        await driver.go("Proof")
        assert "✓ Traffic between all pod CIDRs gets through." in driver.text()
        assert "proto 200" not in said(lab, "worker-0", "ip route")


async def test_it_looks_again_by_itself_and_a_host_that_is_gone_is_said(
    lab: BreakableLab, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_hand, "EVERY", 0.05)
    async with driving(lab, replace(settings, persist="none"), (120, 36)) as driver:
        person = Person(lab, driver)
        await driver.go("Routes")
        await driver.press("h")
        await person.reads("0 of 15 right, 1 wrong.")
        address = lab.topology.addresses["worker-0"][1]
        assert said(lab, "controller-0", f"sh -c 'echo {address} worker-0 >> /etc/hosts'") == ""
        await person.reads("1 of 15 right")
        lab.servers["worker-2"].close()
        await person.reads("worker-2:")
