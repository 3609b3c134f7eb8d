"""A box to tick, and a choice of one of several: with marks that do without colour."""

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from kthw_routes.wizard.themes import content


class Tick(Widget, can_focus=True):
    """`[ ] words`, ticked with Space, Enter or a click."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space,enter", "tick", "Tick", show=False)]

    @dataclass
    class Changed(Message):
        """The person ticked it, or took the tick away."""

        tick: "Tick"
        value: bool

        @property
        def control(self) -> "Tick":
            """The box itself."""
            return self.tick

    value: reactive[bool] = reactive(False)

    def __init__(self, words: str, value: bool = False, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._words = words
        self.set_reactive(Tick.value, value)

    def render(self) -> Content:
        """The box and its words."""
        return content(f"[{'x' if self.value else ' '}] {self._words}")

    def action_tick(self) -> None:
        """Tick it, or take the tick away."""
        self.value = not self.value
        self.post_message(self.Changed(self, self.value))

    def on_click(self) -> None:
        """A click does the same."""
        self.action_tick()


@dataclass(frozen=True, slots=True)
class Option:
    """One row of a `Pick`."""

    title: str
    words: str


class Pick(Widget, can_focus=True):
    """One of several: `(●) title   words`. Up and Down choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("enter", "submit", "Next", show=False),
    ]

    @dataclass
    class Submitted(Message):
        """The choice is made."""

        pick: "Pick"

    @dataclass
    class Changed(Message):
        """Another row was chosen."""

        pick: "Pick"
        index: int

        @property
        def control(self) -> "Pick":
            """The choice itself."""
            return self.pick

    index: reactive[int] = reactive(0)

    def __init__(self, options: tuple[Option, ...], index: int = 0, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._options = options
        self.set_reactive(Pick.index, index)

    def render(self) -> Content:
        """A row per choice."""
        width = max(len(o.title) for o in self._options)
        roomy = self.size.width >= width + 7 + max(len(o.words) for o in self._options)
        lines = []
        for index, option in enumerate(self._options):
            mark = "(●)" if index == self.index else "( )"
            style = "bold $primary" if index == self.index else ""
            lines.append(
                Content.assemble(
                    (f"{mark} {option.title:<{width}}", style),
                    ("   " + option.words if roomy else "", "$foreground 70%"),
                )
            )
        return Content("\n").join(lines)

    def retell(self, options: tuple[Option, ...]) -> None:
        """Other words for the same rows."""
        if options != self._options:
            self._options = options
            self.refresh()

    def get_content_height(self, *_: object) -> int:
        """A line per choice, whatever the width."""
        return len(self._options)

    def action_move(self, by: int) -> None:
        """Choose the next or the previous one."""
        self._choose(self.index + by)

    def action_submit(self) -> None:
        """The choice is made."""
        self.post_message(self.Submitted(self))

    def on_click(self, event: object) -> None:
        """Choose the row that was clicked."""
        self._choose(int(getattr(event, "y", self.index)))

    def _choose(self, index: int) -> None:
        if 0 <= index < len(self._options) and index != self.index:
            self.index = index
            self.post_message(self.Changed(self, index))
