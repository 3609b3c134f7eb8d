"""The controls: marks that do without colour, the keys, what they tell, and that being shown anew tells nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widgets import Checkbox, OptionList, Select

from kthw_routes.options import NamesOn
from kthw_routes.wizard.widgets.choices import ChoiceList, LineSelect, PickList, TickBox
from tests.wizard.driver import drawn

pytestmark = pytest.mark.wizard

ROWS = (("No", ""), ("Yes, in a file", "networkd on all 3 hosts"), ("Yes, by name", "a very long reason " * 9))


class Controls(App[None]):
    """One of each."""

    def __init__(self) -> None:
        super().__init__()
        self.box = TickBox("I [/know] it")
        self.answers, self.sources = ChoiceList(id="answers"), PickList(id="sources")
        self.names = LineSelect(tuple(NamesOn), NamesOn.WORKERS)
        self.told: list[Message] = []
        self.answers.show(ROWS, None)
        self.sources.show(ROWS, 1)

    def compose(self) -> ComposeResult:
        """All below each other."""
        yield from (self.box, self.answers, self.sources, self.names)

    def lines(self) -> list[str]:
        """What is on the screen."""
        return [strip.text.rstrip() for strip in drawn(self.screen)]


@asynccontextmanager
async def shown(size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[Controls, Pilot[None]]]:
    app = Controls()

    def hear(message: Message) -> None:
        kinds = (Checkbox.Changed, OptionList.OptionSelected, PickList.Submitted, Select.Changed)
        if isinstance(message, kinds) and message not in app.told:
            app.told.append(message)

    async with app.run_test(size=size, message_hook=hear) as pilot:
        await pilot.pause()
        app.told.clear()
        yield app, pilot


@pytest.mark.parametrize("width", [80, 20])
async def test_a_glyph_says_what_is_chosen_and_a_long_row_stays_on_its_line(width: int) -> None:
    async with shown((width, 24)) as (app, pilot):
        assert app.lines()[0].startswith("[ ] I [/know] it"[:width])
        assert [line[:6] for line in app.lines()[1:7]] == ["( ) No", "( ) Ye", "( ) Ye", "( ) No", "(●) Ye", "( ) Ye"]
        app.box.focus()
        await pilot.press("space")
        app.answers.show(ROWS, 0)
        await pilot.pause()
        assert app.lines()[0].startswith("[x] I")
        assert app.lines()[1].startswith("(●) No")
        assert app.answers.size.height == app.sources.size.height == len(ROWS)


@pytest.mark.parametrize(("up", "down"), [("up", "down"), ("k", "j")])
async def test_the_cursor_ends_at_the_first_and_the_last_row(up: str, down: str) -> None:
    async with shown() as (app, pilot):
        app.answers.focus()
        await pilot.press(up)
        assert app.answers.highlighted == 0
        await pilot.press(*[down] * 4)
        assert app.answers.highlighted == 2
        assert not app.told, "moving chooses nothing"


@pytest.mark.parametrize("key", ["space", "enter"])
async def test_an_answer_is_given_with_space_and_enter(key: str) -> None:
    async with shown() as (app, pilot):
        app.answers.focus()
        await pilot.press("down", key)
        (told,) = app.told
        assert isinstance(told, OptionList.OptionSelected)
        assert told.option_index == 1


async def test_enter_submits_what_is_picked_and_a_click_only_picks() -> None:
    async with shown() as (app, pilot):
        await pilot.click(app.sources, offset=(3, 2))
        assert app.sources.highlighted == 2
        assert not any(isinstance(message, PickList.Submitted) for message in app.told)
        app.sources.focus()
        await pilot.press("enter")
        assert isinstance(app.told[-1], PickList.Submitted)


async def test_left_and_right_turn_and_enter_opens_all() -> None:
    async with shown() as (app, pilot):
        app.names.focus()
        values = tuple(NamesOn)
        start = values.index(NamesOn.WORKERS)
        for turns in range(1, len(values) + 1):
            await pilot.press("right")
            assert app.names.selection is values[(start + turns) % len(values)], "after the last comes the first"
        await pilot.press("left")
        assert app.names.selection is values[start - 1]
        await pilot.press("enter")
        assert app.names.expanded
        assert all(str(value) in "\n".join(app.lines()) for value in NamesOn)
        await pilot.press("escape")
        assert not app.names.expanded


async def test_what_is_only_shown_tells_nothing() -> None:
    async with shown() as (app, pilot):
        app.box.show(True)
        app.names.show(NamesOn.NONE)
        app.answers.show(ROWS, 2)
        await pilot.pause()
        assert app.told == []
        assert (app.box.value, app.names.selection) == (True, NamesOn.NONE)
