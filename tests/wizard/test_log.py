"""The live log: bounded, never in the way, at the reader's place, selectable; nothing in it is markup or control."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from kthw_routes.events import Event, EventKind, Phase
from kthw_routes.wizard.background import Jobs
from kthw_routes.wizard.widgets.host_log import MAX_LINES, HostLog, LogBuffer

pytestmark = pytest.mark.wizard


def line(text: str) -> Event:
    return Event(Phase.RUN, EventKind.OUTPUT, text, "worker-0")


class LogApp(App[None]):
    """A log, fed as the wizard feeds it."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs = Jobs()
        self.buffer = LogBuffer()
        self.moved = asyncio.Event()
        self.log_view = HostLog()

    def compose(self) -> ComposeResult:
        yield self.log_view

    def on_mount(self) -> None:
        self.log_view.show(self.buffer)
        self.set_interval(0.05, self._tick)

    def _tick(self) -> None:
        self.jobs.drain(self.buffer.add)
        if self.log_view.is_attached:  # the timer outlives the screen
            self.log_view.catch_up()
        self.moved.set()

    async def drawn(self, pilot: Pilot[None], lines: int) -> None:
        async with asyncio.timeout(20):
            while len(self.buffer.lines) + self.buffer.dropped < lines:
                self.moved.clear()
                await self.moved.wait()
        await pilot.pause()


@asynccontextmanager
async def logging_app(lines: int) -> AsyncIterator[tuple[LogApp, Pilot[None]]]:
    app = LogApp()
    async with app.run_test(size=(60, 12)) as pilot:
        for number in range(lines):
            app.jobs.emit(line(f"line {number}"))
        await app.drawn(pilot, lines)
        yield app, pilot


def shown(app: LogApp) -> list[str]:
    log = app.log_view
    return [log.render_line(y).text.rstrip() for y in range(log.size.height)]


async def test_it_follows_the_end_and_keeps_so_many_lines_only() -> None:
    async with logging_app(20_000) as (app, _):
        assert shown(app)[-1].endswith("line 19999") or shown(app)[-2].endswith("line 19999")
        assert len(app.buffer.lines) <= MAX_LINES + 500


async def test_the_first_lines_that_do_not_fit_are_followed_too() -> None:
    """There is no scroll bar before them, and nothing comes after them."""
    async with logging_app(3) as (app, pilot):
        for number in range(3, 40):
            app.buffer.add(line(f"line {number}"))
        app.log_view.catch_up()
        await pilot.pause()
        assert shown(app)[-1].endswith("line 39") or shown(app)[-2].endswith("line 39")


async def test_a_reader_who_scrolled_back_is_not_yanked_even_when_old_lines_go() -> None:
    async with logging_app(5000) as (app, pilot):
        app.log_view.scroll_to(y=3000, animate=False, immediate=True)
        await pilot.pause()
        before = shown(app)
        assert not app.log_view.follows
        for number in range(1500):
            app.jobs.emit(line(f"more {number}"))
        await app.drawn(pilot, 6500)
        assert app.buffer.dropped > 0
        assert shown(app) == before
        app.log_view.scroll_end(animate=False, immediate=True)
        await pilot.pause()
        app.jobs.emit(line("the last"))
        await app.drawn(pilot, 6501)
        assert any(text.endswith("the last") for text in shown(app))


async def test_lines_can_be_selected_and_copied() -> None:
    async with logging_app(3) as (app, pilot):
        await pilot.mouse_down(HostLog, offset=(9, 1))
        await pilot.hover(HostLog, offset=(17, 1))
        await pilot.mouse_up(HostLog, offset=(17, 1))
        await pilot.pause()
        selected = app.screen.get_selected_text()
        assert selected is not None
        assert "line 1" in selected
        await pilot.press("ctrl+c")
        assert "line 1" in app.clipboard


async def test_what_looks_like_markup_is_text() -> None:
    async with logging_app(0) as (app, pilot):
        app.jobs.emit(line("[/foo] [bold]x[/] [red"))
        await app.drawn(pilot, 1)
        assert shown(app)[0].endswith("[/foo] [bold]x[/] [red")


async def test_a_hundred_thousand_lines_do_not_stall_the_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    worst = 0.0
    turn = asyncio.BaseEventLoop._run_once  # type: ignore[attr-defined] # private, so not in the stubs

    def measured(loop: asyncio.BaseEventLoop) -> None:
        nonlocal worst
        spent = time.thread_time()  # of this thread alone: what else the machine does is no matter
        turn(loop)
        worst = max(worst, time.thread_time() - spent)

    async with logging_app(1) as (app, pilot):
        gc.collect()
        gc.freeze()  # what other tests left behind is no matter here
        for number in range(100_000):
            app.jobs.emit(line(f"line {number} of a long listing that goes on and on"))
        monkeypatch.setattr(asyncio.BaseEventLoop, "_run_once", measured)
        await app.drawn(pilot, 100_001)
        assert 0 < worst < 0.1, f"the interface stood still for {worst * 1000:.0f} ms"
