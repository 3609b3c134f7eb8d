"""Where the focus is: it never jumps once a dialog is open or closed, and Tab goes through a step in its order."""

from dataclasses import replace

import pytest
from textual.widget import Widget

from kthw_routes.options import Settings
from kthw_routes.wizard.widgets.frame import ButtonRow
from tests.model.lab import BreakableLab
from tests.wizard.driver import Driver, driving

pytestmark = pytest.mark.wizard


def in_focus(driver: Driver) -> Widget | None:
    return driver.app.screen.focused


async def opens_and_closes(driver: Driver, *keys: str) -> None:
    """Open a dialog by keys: its focus stays where it was first; close it: the focus is where it was before."""
    before = in_focus(driver)
    await driver.press(*keys)
    await driver.until(lambda: driver.app.screen is not driver.step, f"{keys} open something")
    await driver.until(lambda: in_focus(driver) is not None, "something has the focus")
    first = in_focus(driver)
    for _ in range(3):
        await driver.settle()
        assert in_focus(driver) is first, f"the focus jumps after {keys}"
    await driver.press("escape")
    await driver.until(lambda: driver.app.screen is driver.step, "closed")
    for _ in range(3):
        await driver.settle()
        assert in_focus(driver) is before, f"the focus jumps after what {keys} opened is closed"


async def test_the_focus_never_jumps(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none", host_keys="ask")) as driver:
        for dialog in ("question_mark", "f2", "f4"):
            await opens_and_closes(driver, dialog)
        await driver.go("Nodes")
        for dialog in ("enter", "x"):
            await opens_and_closes(driver, dialog)
        await driver.press("ctrl+n")
        await driver.until(lambda: driver.app.screen is not driver.step, "the question about host keys")
        await driver.until(lambda: in_focus(driver) is not None, "something has the focus")
        first = in_focus(driver)
        assert first is not None
        for _ in range(3):
            await driver.settle()
            assert in_focus(driver) is first
        assert first.id == "trust"
        await driver.press("enter")
        await driver.at("Checks")
        for _ in range(2):
            await driver.settle()
            focused = in_focus(driver)
            assert focused is not None
            assert focused.id == "hosts"
        await driver.go("Routes")
        for dialog in ("o", "f", "h", "f2", "question_mark"):
            await opens_and_closes(driver, dialog)
        await driver.go("Proof")
        for dialog in ("f", "u", "s"):
            await opens_and_closes(driver, dialog)


async def test_tab_goes_through_the_step_from_top_to_bottom_and_then_along_the_buttons(
    lab: BreakableLab, settings: Settings
) -> None:
    async with driving(lab, replace(settings, persist="none")) as driver:
        for title in ("Source", "Nodes", "Checks", "Routes", "Run", "Proof"):
            await driver.go(title)
            chain = driver.step.focus_chain
            buttons = [w for w in chain if isinstance(w.parent, ButtonRow)]
            body = [w for w in chain if w not in buttons]
            assert chain == [*body, *buttons], title
            for group in (body, buttons):
                places = [(w.region.y, w.region.x) for w in group]
                assert places == sorted(places), title
