"""What is the same on every screen: why, commands, help, palette, themes, any size of terminal, no colour."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Static, TextArea

from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.options import Settings
from kthw_routes.persistence.model import Persist
from kthw_routes.wizard.modals.keys import ShowKeys
from kthw_routes.wizard.modals.text import ShowCommands
from kthw_routes.wizard.themes import cut_middle
from kthw_routes.wizard.widgets.frame import StepRail, WhyPanel
from tests.model.lab import BreakableLab
from tests.wizard.driver import Driver, driving

pytestmark = pytest.mark.wizard


def shows_why(driver: Driver) -> bool:
    return driver.step.query_one(WhyPanel).display


async def test_why_is_beside_the_step_where_there_is_room_and_else_below_it(
    lab: EmbeddedLab, settings: Settings
) -> None:
    async with driving(lab, settings, (80, 24)) as driver:
        assert not shows_why(driver)
        await driver.press("f1")
        assert shows_why(driver)
        await driver.press("escape")
        assert not shows_why(driver)
        await driver.press("f1")
        await driver.go("Nodes")
        assert shows_why(driver), "it stays open from step to step"
        await driver.press("f1")
        await driver.pilot.resize_terminal(120, 36)
        await driver.settle()
        assert not shows_why(driver), "who closed it does not get it again"
    async with driving(lab, settings, (120, 36)) as driver:
        assert shows_why(driver)
        assert driver.step.query_one("#step").region.right <= driver.step.query_one(WhyPanel).region.x


async def test_every_step_tells_what_one_would_type_and_it_can_be_copied(lab: EmbeddedLab, settings: Settings) -> None:
    expected = {
        "Source": "linodes:read_only",
        "Nodes": "ssh -F",
        "Checks": "ip -json route show",
        "Routes": "ip route add 10.200.1.0/24 via 192.168.145.107 proto 200",
        "Run": "# To undo on worker-0",
        "Proof": "ping -n",
    }
    async with driving(lab, settings) as driver:
        for title, words in expected.items():
            await driver.go(title)
            await driver.press("f2")
            await driver.until(lambda: isinstance(driver.app.screen, ShowCommands), "the commands")
            text = driver.app.screen.query_one(TextArea).text
            assert words in text
            await driver.pilot.click("#copy")
            assert driver.app.clipboard == text
            await driver.press("escape")
            await driver.until(lambda: driver.app.screen is driver.step, "closed")


async def test_why_explains_the_row_in_focus_and_covers_nothing(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        await driver.to_cell("worker-1", "worker-2")
        await driver.press("f1")
        for size in ((80, 24), (120, 36)):
            await driver.pilot.resize_terminal(*size)
            await driver.settle()
            shown = " ".join(driver.text().split())
            assert "worker-1 + 192.168.138.48 own 10.200.1.0/24 + 192.168.152.166" in shown, "the row itself"
        why = " ".join(str(driver.step.query_one("#why-focus", Static).visual).split())
        assert why.startswith("ip route add 10.200.2.0/24 via 192.168.152.166 proto 200")
        assert "via 192.168.152.166 the next hop" in why
        assert "worker-2" in why, "in its own values"
        await driver.press("left", "left")
        why = " ".join(str(driver.step.query_one("#why-focus", Static).visual).split())
        assert "10.200.0.0/24" in why, "it follows the cursor"


async def test_commands_are_whole_and_copied_with_a_key(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        await driver.press("f2")
        await driver.until(lambda: isinstance(driver.app.screen, ShowCommands), "the commands")
        await driver.press("c")
        text = driver.app.clipboard
        assert text == driver.app.screen.query_one(TextArea).text
        written = text.split("sudo tee /etc/hosts >/dev/null <<'END-OF-HOSTS'")[1].split("END-OF-HOSTS")[0]
        assert "192.168.145.107 worker-1\n" in written, "names are commands too"
        assert "127.0.0.1 localhost\n" in written, "and nothing of the file is lost"
        await driver.press("question_mark")
        await driver.until(lambda: isinstance(driver.app.screen, ShowKeys), "the keys, over a dialog")
        await driver.settle()
        assert "copy the whole text" in driver.text()
        await driver.press("question_mark", "escape")
        await driver.until(lambda: isinstance(driver.app.screen, ShowCommands), "the dialog again")


async def test_the_rail_is_clicked_and_the_footer_says_what_next_does(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, replace(settings, persist="none")) as driver:
        await driver.go("Routes")
        assert "^n Run 15 changes" in driver.text().splitlines()[-2]
        rail = driver.text().splitlines()[1]
        assert rail.startswith(" Source ✓   Nodes ✓   Checks ✓   Routes ●   Run ▷   Proof ○ ")
        await driver.pilot.click(StepRail, offset=(rail.index("Nodes"), 0))
        await driver.at("Nodes")
        await driver.pilot.click(StepRail, offset=(rail.index("Proof"), 0))
        await driver.settle()
        assert driver.step.title_word == "Nodes", "what was not reached cannot be"
        await driver.pilot.click(StepRail, offset=(rail.index("Checks"), 0))
        await driver.at("Checks")


async def test_hosts_that_fail_for_one_cause_are_one_finding_and_all_can_be_reached(
    lab: BreakableLab, settings: Settings
) -> None:
    for name in ("worker-1", "worker-2"):
        lab.servers[name].close()
    async with driving(lab, settings) as driver:
        await driver.go("Checks")
        shown = " ".join(driver.text().split())
        assert "2 hosts (worker-1, worker-2): its address refuses the" in shown
        assert "r reads them again." in shown
        assert "There is no pod bridge" not in shown
        await driver.press("tab", "tab", "tab")
        assert "There is no pod bridge" in driver.text(), "by keyboard"
        await driver.press("f1")
        assert "There is no pod bridge" in str(driver.step.query_one("#why-focus", Static).visual)


async def test_source_says_where_all_is_kept_and_how_to_log_in_to_the_demo(
    lab: EmbeddedLab, settings: Settings, tmp_path: Path
) -> None:
    async with driving(lab, settings) as driver:
        config = str(settings.ssh_config)
        assert f"ssh -F {config} worker-0" in driver.text().replace("\n", "")
    (tmp_path / "folder" / "kubernetes.ed25519").write_text("")
    own = Settings(environ={}, personal=False)
    async with driving(None, own, (120, 36)) as driver:
        shown = " ".join(line.split("│")[0].strip() for line in driver.text().splitlines())
        assert "kthw-routes. SSH key: ./kubernetes.ed25519" in " ".join(shown.split())


async def test_help_lists_the_keys_and_the_palette_has_every_action(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Nodes")
        await driver.press("f3")
        await driver.until(lambda: isinstance(driver.app.screen, ShowKeys), "the keys")
        for words in ("leave the node out", "remove the node for good", "save the nodes"):
            assert words in driver.text()
        await driver.press("pagedown")
        assert "quit: always safe" in driver.text()
        await driver.press("escape")
        commands = {command.title for command in driver.app.get_system_commands(driver.app.screen)}
        assert {"Next", "Back", "Why", "Commands", "Help", "Quit", "Theme", "Edit node"} <= commands


async def test_the_footer_fits_and_greys_out_what_would_refuse(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        footer = driver.text().splitlines()[-2]
        assert footer.split() == ["^n", "Next", "^b", "Back", "F1", "Why", "F2", "Commands", "?", "Keys"]
        assert driver.step.check_action("back", ()) is None
        assert driver.step.check_action("next", ()) is True


@pytest.mark.parametrize("theme", ["kthw-day", "textual-dark", "nord"])
async def test_another_theme_goes_through_all_steps(lab: EmbeddedLab, settings: Settings, theme: str) -> None:
    async with driving(lab, settings) as driver:
        await driver.go("Routes")
        await driver.answer(Persist.NONE)
        driver.app.theme = theme
        await driver.settle()
        assert "+ 192.168.145.107" in driver.text()
        await driver.press("ctrl+b")
        await driver.at("Checks")
        assert "✓ read" in driver.text()


async def test_no_size_of_terminal_is_too_small(lab: EmbeddedLab, settings: Settings) -> None:
    async with driving(lab, settings) as driver:
        for step in driver.app.steps:
            await driver.go(step.title_word)
            for size in ((20, 5), (1, 1), (80, 24)):
                await driver.pilot.resize_terminal(*size)
                await driver.settle()
            assert f"{step.title_word} ●" in driver.text()


async def test_without_colour_every_state_is_still_said(
    lab: EmbeddedLab, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with driving(lab, settings) as driver:
        await driver.go("Run")
        assert driver.app.no_color
        assert "✓ worker-0" in driver.text()
        assert "done" in driver.text()


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [("worker-0", 8, "worker-0"), ("a-very-long-name-3", 9, "a-ve…me-3"), ("abc", 2, "ab"), ("", 5, "")],
)
def test_a_long_name_is_cut_in_the_middle(text: str, width: int, expected: str) -> None:
    assert cut_middle(text, width) == expected
