"""Drives the drills by keys; waits for what the application did, never for time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static

from kthw_routes.drills.catalogue import Catalogue
from kthw_routes.drills.progress import Progress
from kthw_routes.errors import ExitCode
from kthw_routes.wizard.drills.app import DrillsApp
from kthw_routes.wizard.drills.drill_screen import DrillScreen
from tests.wizard.driver import drawn, until


class DrivenDrills(DrillsApp):
    """Tells when it has looked at what threads left."""

    def __init__(self, catalogue: Catalogue, progress: Progress, name: str | None) -> None:
        super().__init__(catalogue, progress, name, with_pods=False)
        self.moved = asyncio.Event()

    def ticked(self) -> None:
        """Wake whoever waits."""
        self.moved.set()


class DrillsDriver:
    """A person at the keyboard."""

    def __init__(self, app: DrivenDrills, pilot: Pilot[ExitCode]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def drill(self) -> DrillScreen:
        """The drill under way."""
        assert self.app.drill is not None
        return self.app.drill

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until it holds, looking whenever the application moved."""
        await until(self.app.moved, condition, what, self.text)

    async def press(self, *keys: str) -> None:
        """Press keys, and let the application draw."""
        await self.pilot.press(*keys)
        self.app.moved.clear()
        await self.app.moved.wait()
        await self.pilot.pause(0)

    async def sees(self, *words: str) -> None:
        """Wait until these words are on the screen, wherever lines end."""
        for word in words:
            await self.until(lambda word=word: " ".join(word.split()) in " ".join(self.text().split()), word)  # type: ignore[misc]

    async def runs(self, line: str, *words: str) -> None:
        """Type a command, and wait until it has ended and printed these words."""
        await self.press(*line, "enter")
        await self.until(lambda: "# " in self.prompt(), f"the end of {line}")
        await self.sees(*words)

    async def to_node(self, name: str) -> None:
        """Show the shell of a node."""
        while self.drill.node != name:
            await self.press("f9")

    def prompt(self) -> str:
        """The prompt of the shell that is shown."""
        return str(self.drill.query_one("#prompt", Static).visual)

    def text(self) -> str:
        """What is on the screen."""
        width, height = self.app.size
        lines = drawn(self.app.screen)
        return "\n".join(strip.text.rstrip() for strip in lines[:height]) + f"\n({width}x{height})"


@asynccontextmanager
async def practising(
    name: str | None, state: Path, size: tuple[int, int] = (80, 24), seed: str = "1"
) -> AsyncIterator[DrillsDriver]:
    """The drills under way; everything is closed at the end."""
    app = DrivenDrills(Catalogue.load(seed=seed), Progress(state), name)
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            yield DrillsDriver(app, pilot)
    finally:
        app.discard_labs()
