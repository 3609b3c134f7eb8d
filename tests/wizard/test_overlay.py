"""The overlay in the wizard: where a filter was measured one key leads past it; among the options of the review."""

from dataclasses import replace

import pytest

from kthw_routes.errors import ExitCode
from kthw_routes.options import Settings
from kthw_routes.overlay.model import Overlay
from tests.model.lab import BreakableLab
from tests.wizard.driver import driving, said

pytestmark = pytest.mark.wizard


@pytest.mark.parametrize("region", ["eu-west"], indirect=True)
async def test_a_key_leads_past_the_filter_and_an_option_back(lab: BreakableLab, settings: Settings) -> None:
    """The changes are seen before they are run, and the warning that nothing is encrypted has to be ticked."""
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Proof")
        assert "Now: v carries them past it in an overlay (VXLAN)" in driver.text()
        await driver.press("v")
        await driver.at("Routes")
        text = driver.text()
        assert "3 overlay devices and 6 routes change on 3 nodes. Nothing is changed yet." in text
        assert "! 10.200.1.0 " in text
        await driver.press("f")
        await driver.until(lambda: "The request stops" in driver.text() or "reply stops" in driver.text(), "followed")
        assert "stops between the nodes" in driver.text(), "by the routes that are there, not by those to come"
        await driver.press("escape")
        assert ["worker-0", "+ add", "VXLAN kthw-routes0"] in [row[:3] for row in driver.rows("#changes")]
        assert "press Space on 1 warning in Notes (key 4)" in driver.status()
        await driver.to_row("Notes", "[ ] warning", "The overlay")
        assert "does not encrypt" in driver.text()
        await driver.press("space")
        await driver.press("f1")
        assert "VXLAN puts packets into others" in driver.text()
        await driver.press("f1", "ctrl+n")
        await driver.at("Run")
        await driver.until(lambda: not driver.is_disabled("next"), "the run is over")
        await driver.until(lambda: "$ nft -f -" in driver.text(), "its log from the top")
        await driver.go("Proof")
        assert "✓ Traffic between all pod CIDRs gets through." in driver.text()
        assert "overlay     packets between pods travel in VXLAN, not encrypted" in driver.text()
        assert driver.controller.exit_code is ExitCode.DONE
        assert "kthw-routes0" in said(lab, "worker-2", "ip route")
        await driver.press("v")
        assert driver.step.title_word == "Proof", "there is no filter any more to go past"


async def test_it_is_chosen_among_the_options(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        before = driver.controller.choices.options
        await driver.choose("tab", "tab", "tab", "right")
        assert driver.controller.choices.options == replace(before, overlay=Overlay.VXLAN)
        assert "3 overlay devices, 6 routes and 9 names change" in driver.text()
        await driver.choose("tab", "tab", "tab", "left")
        assert driver.controller.choices.options == before
        assert "overlay" not in driver.text().split("keys 1-4")[0]
