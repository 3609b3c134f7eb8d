"""Who does not see colours, or hears the screen, gets all of it: the terminal's cursor, words, a small terminal."""

import re
from dataclasses import replace

import pytest
from textual.color import Color

from kthw_routes.events import HostState
from kthw_routes.findings.model import Finding, Level
from kthw_routes.options import Settings
from kthw_routes.plan.changes import ChangeKind, Plan
from kthw_routes.proof.readings import Proof
from kthw_routes.teaching.by_hand import Typed
from kthw_routes.teaching.hops import Passage
from kthw_routes.wizard.text import by_hand_words, run_rows
from kthw_routes.wizard.themes import CONTRAST
from kthw_routes.wizard.widgets.host_log import HostLog
from kthw_routes.words import Words, level_word, proof_cell
from tests.model.lab import BreakableLab
from tests.unit.builders import pair_reading
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
        await driver.press("v")
        await driver.press("end", "up")
        log = driver.one(HostLog)
        assert log.scroll_offset.y, "it is longer than the screen"
        await at_cursor(driver, log.buffer.lines[-1].text[:40])


async def test_40_by_12_shows_the_sentence_of_every_step(lab: BreakableLab, settings: Settings) -> None:
    sentences = {
        "Source": "Where do the nodes come from?",
        "Nodes": "These nodes were found.",
        "Checks": "Each host is read over SSH.",
        "Routes": "6 routes and 9 names change on 6 nodes.",
        "Run": "6 of 6 hosts ended.",
        "Proof": "✓ Traffic between all pod CIDRs gets through.",
    }
    async with driving(lab, replace(settings, persist="none"), (40, 12)) as driver:
        for title, sentence in sentences.items():
            await driver.go(title)
            assert " ".join(driver.text().split()).split(f"/{len(sentences)} ")[1].startswith(sentence), driver.text()


def test_the_high_contrast_theme_has_high_contrast() -> None:
    """At least 7:1 (WCAG AAA) for whatever is written, on what it is written on."""
    black = Color.parse(CONTRAST.background or "")
    names = ("foreground", "primary", "secondary", "accent", "success", "warning", "error")
    inks = {name: Color.parse(getattr(CONTRAST, name)) for name in names}
    inks["quiet"] = black.blend(inks["foreground"], 0.6, alpha=1)
    for name, ink in inks.items():
        assert _contrast(ink, black) >= 7, name
    cursor = CONTRAST.variables
    ink, ground = (Color.parse(cursor[f"block-cursor-{part}"]) for part in ("foreground", "background"))
    assert _contrast(ink, ground) >= 7


def _contrast(a: Color, b: Color) -> float:
    dark, light = sorted(_luminance(colour) for colour in (a, b))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    parts = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in colour.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _typed(*, right: bool = False, wrong: str | None = None) -> str:
    ((_, cells),) = by_hand_words.cells([Typed(host="worker-0", what="10.200.1.0/24", is_right=right, wrong=wrong)])
    return " ".join(plain(cell) for cell in cells[1:])


def plain(words: Words | str) -> str:
    """What is left of words without their colour."""
    return words.text if isinstance(words, Words) else words


PAIR = pair_reading("worker-0", "worker-1")
STATES: dict[str, list[str]] = {
    "changes": [f"{kind.mark} {kind}" for kind in ChangeKind],
    "hosts of a run": [f"{run_rows.GLYPHS.get(state, '▸')} {state}" for state in HostState],
    "hops": [f"{passage.mark} {passage}" for passage in Passage],
    "rows typed by hand": [_typed(), _typed(right=True), _typed(wrong="The wrong next hop.")],
    "findings": [
        level_word(Finding(code="x", level=level, sentence="", acknowledge=asks))
        for level, asks in ((Level.STOP, False), (Level.SKIP_HOST, False), (Level.NOTICE, True), (Level.NOTICE, False))
    ],
    "pairs": [
        plain(proof_cell(Proof(Plan(()), (), (pair,)), "worker-0", "worker-1"))
        for pair in (
            replace(PAIR, received=3, round_trip=0.4),
            replace(PAIR, received=0),
            replace(PAIR, received=1),
            replace(PAIR, problem="worker-1 was left out"),
        )
    ],
}


@pytest.mark.parametrize("kind", STATES)
def test_without_colours_each_state_has_a_sign_and_a_word_of_its_own(kind: str) -> None:
    found = STATES[kind]
    assert len(set(found)) == len(found)
    for text in found:
        assert re.match(r"[^\w\s] ", text), f"{text}: no sign"
        assert re.search(r"\w", text), f"{text}: no word"
