"""Drives the real wizard on the embedded lab, by keys; waits for what the wizard did, never for time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Button, Static

from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.errors import ExitCode
from kthw_routes.options import Settings
from kthw_routes.persistence.model import Persist
from kthw_routes.wizard.app import WizardApp
from kthw_routes.wizard.controller import Controller
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.steps.persist_page import PersistPage
from kthw_routes.wizard.widgets.choices import ChoiceList, TickBox
from kthw_routes.wizard.widgets.findings import FindingView
from kthw_routes.wizard.widgets.frame import Status
from kthw_routes.wizard.widgets.matrix import Matrix
from kthw_routes.wizard.widgets.table import KeyedTable

W = TypeVar("W", bound=Widget)

SECONDS = 20.0
"""How long anything may take on a busy machine."""


async def until(moved: asyncio.Event, condition: Callable[[], object], what: str, text: Callable[[], str]) -> None:
    """Wait until it holds, looking whenever the application moved; `text`: what is shown where it never does."""
    try:
        async with asyncio.timeout(SECONDS):
            while not condition():
                moved.clear()
                await moved.wait()
    except TimeoutError:
        raise AssertionError(f"never: {what or condition}\n{text()}") from None


class DrivenWizard(WizardApp):
    """Tells when it has looked at what threads left."""

    def __init__(self, settings: Settings, lab: EmbeddedLab | None) -> None:
        super().__init__(settings, lab)
        self.moved = asyncio.Event()

    def ticked(self) -> None:
        """Wake whoever waits."""
        self.moved.set()


class Driver:
    """A person at the keyboard."""

    def __init__(self, app: DrivenWizard, pilot: Pilot[ExitCode]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def controller(self) -> Controller:
        """What was chosen and what came of it."""
        return self.app.controller

    @property
    def step(self) -> StepScreen:
        """The step one is at."""
        return self.app.step

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until it holds, looking whenever the wizard moved."""
        await until(self.app.moved, condition, what, self.text)

    async def settle(self) -> None:
        """Let the wizard look at what threads left, and draw what changed; then what changed by that."""
        for _ in range(2):
            self.app.moved.clear()
            self.app.call_later(self.app.tick)
            await self.app.moved.wait()
            await self.pilot.pause(0)

    async def press(self, *keys: str) -> None:
        """Press keys, and let the wizard draw."""
        await self.pilot.press(*keys)
        await self.settle()

    async def at(self, title: str) -> None:
        """Wait until one is at this step, and nothing is under way there."""
        await self.until(
            lambda: self.step.title_word == title and self.app.screen is self.step and not self.step.busy, f"at {title}"
        )
        await self.settle()

    async def go(self, title: str) -> None:
        """Next, until this step."""
        for _ in range(len(self.app.steps)):
            if self.step.title_word == title:
                break
            here = self.app.here
            await self.settle()
            await self.acknowledge()
            await self.answer(Persist.NONE)
            await self.pilot.press("ctrl+n")
            await self.until(lambda here=here: self.app.here > here and not self.step.busy, f"past step {here + 1}")  # type: ignore[misc]
        await self.at(title)

    async def acknowledge(self) -> None:
        """Tick every warning."""
        unknown = [box for view in self.step.query(FindingView) for box in view.query(TickBox) if not box.value]
        for box in unknown:
            box.toggle()
        if unknown:
            await self.settle()

    async def answer(self, persist: Persist) -> None:
        """Answer the question whether the routes shall survive a reboot, with the keys, where it stands unanswered."""
        options = self.controller.choices.options
        if self.step.title_word != "Routes" or options.persist is not None:
            return
        answers = self.step.query_one("#persist", ChoiceList)
        if self.step.query_one(PersistPage).display:
            answers.focus()
            await self.press("up", "up", *(("down",) if persist is Persist.AUTO else ()), "space", "ctrl+n")

    def one(self, kind: type[W], selector: str = "") -> W:
        """A widget of the step or the dialog on top."""
        return self.app.screen.query_one(f"{kind.__name__}{selector}", kind)

    def status(self) -> str:
        """The line above the buttons."""
        return str(self.step.query_one(Status).visual)

    def static(self, selector: str) -> str:
        """The text of a `Static`."""
        return str(self.app.screen.query_one(selector, Static).visual)

    def is_disabled(self, button: str) -> bool:
        """Whether a button of the step does nothing now."""
        return self.step.query_one(f"#{button}", Button).disabled

    async def choose(self, *keys: str) -> None:
        """Press keys in the dialog with the further options of the review, then OK."""
        await self.press("o")
        await self.until(lambda: self.app.screen is not self.step, "the options")
        await self.press(*keys)
        await self.pilot.click("#ok")
        await self.until(lambda: self.app.screen is self.step, "closed")
        await self.settle()

    async def tab(self, title: str) -> None:
        """Show a tab of the review."""
        await self.press({"Routes": "1", "Names": "2", "Files": "3", "Notes": "4"}[title])

    async def to_row(self, title: str, *cells: str) -> None:
        """Move the cursor to the first row of a tab whose cells begin with these."""
        await self.tab(title)
        rows = self.rows("#changes")
        number = next(n for n, row in enumerate(rows) if all(any(c.startswith(w) for c in row) for w in cells))
        self.step.query_one("#changes").focus()
        await self.press(*["up"] * len(rows), *["down"] * number)

    async def to_cell(self, source: str, target: str) -> None:
        """Move the cursor to a cell of the matrix."""
        await self.tab("Routes")
        matrix = self.step.query_one("#matrix", Matrix)
        matrix.focus()
        await self.press(*["up"] * matrix.row_count, *["left"] * len(matrix.columns))
        while matrix.pair != (source, target):
            assert matrix.pair is not None
            await self.press("down" if matrix.pair[0] != source else "right")

    def rows(self, selector: str) -> list[list[str]]:
        """The cells of a table."""
        table = self.step.query_one(selector, KeyedTable)
        return [[str(cell) for cell in table.get_row_at(n)] for n in range(table.row_count)]

    def text(self) -> str:
        """What is on the screen."""
        width, height = self.app.size
        lines = drawn(self.app.screen)
        return "\n".join(strip.text.rstrip() for strip in lines[:height]) + f"\n({width}x{height})"


def drawn(screen: Screen[object]) -> list[Strip]:
    """The lines of a screen as it is by now, though the next time to draw has not come."""
    if screen._layout_required:
        screen._on_timer_update()  # all that its timer does: a layout by itself would put off what waits for the timer
        screen.check_idle()
    return screen._compositor.render_strips()


def said(lab: EmbeddedLab, host: str, command: str) -> str:
    """What a host of the lab prints, asked without the wizard."""
    printed: list[bytes] = []
    lab.topology.hosts[host].execute(command, stdout=printed.append, stderr=printed.append)
    return b"".join(printed).decode()


@asynccontextmanager
async def driving(
    lab: EmbeddedLab | None, settings: Settings, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[Driver]:
    """The wizard under way; everything is closed at the end."""
    app = DrivenWizard(settings, lab)
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            driver = Driver(app, pilot)
            await driver.settle()
            yield driver
    finally:
        app.controller.close()
