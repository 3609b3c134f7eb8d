"""Who does not see colours, or hears the screen, gets all of it: the terminal's cursor, words, a small terminal."""

from dataclasses import replace

import pytest

from kthw_routes.options import Settings
from kthw_routes.wizard.widgets.host_log import HostLog
from tests.model.lab import BreakableLab
from tests.wizard.driver import Driver, driving

pytestmark = pytest.mark.wizard


async def at_cursor(driver: Driver, words: str, *keys: str) -> None:
    """Press keys; then the terminal's cursor is before these words."""
    await driver.press(*keys)

    def text() -> str:
        lines = driver.text().splitlines()
        x, y = driver.app.cursor_position
        return lines[y][x:]

    await driver.until(lambda: text().lstrip().startswith(words), f"{words!r} at the cursor, not {text()!r}")


async def test_the_terminals_cursor_follows_the_focus(lab: BreakableLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none")) as driver:
        await at_cursor(driver, "(●) Practice lab, ca-central")
        await at_cursor(driver, "(●) Practice lab, eu-west", "down")
        await driver.press("up")
        await driver.go("Nodes")
        await at_cursor(driver, "worker-0")
        await at_cursor(driver, "worker-2", "down", "down")
        await at_cursor(driver, "192.168.152.166", "enter", "home")
        await driver.press("escape")
        await driver.go("Checks")
        await at_cursor(driver, "worker-1", "down")
        await driver.go("Routes")
        await at_cursor(driver, "+ 192.168.152.166", "right", "right", "right")
        await at_cursor(driver, "Names 9", "2", "shift+tab")
        await at_cursor(driver, "controller-0", "2")
        await at_cursor(driver, "Notes 0", "4")
        await at_cursor(driver, "Quit", "1", "tab")
        await at_cursor(driver, "▸✗ routing table", "1", "f")
        await at_cursor(driver, "▸· interface", *["down"] * 4)
        await driver.press("escape")
        await driver.go("Run")
        await at_cursor(driver, "✓ worker-0")
        driver.one(HostLog).focus()
        await driver.press("home")
        line = driver.one(HostLog).buffer.lines[1].text
        await at_cursor(driver, line[:40], "down", "down")
