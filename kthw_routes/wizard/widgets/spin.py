"""A choice of one of several on one line: `words ‹ value ›`, turned with Left and Right."""

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Spin(Widget, can_focus=True):
    """Left and Right choose; Space, Enter and a click choose the next."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", "Before", show=False),
        Binding("right,space,enter", "turn(1)", "Next", show=False),
    ]

    @dataclass
    class Changed(Message):
        """Another value was chosen."""

        spin: "Spin"
        index: int

        @property
        def control(self) -> "Spin":
            """The choice itself."""
            return self.spin

    index: reactive[int] = reactive(0)

    def __init__(self, words: str, values: tuple[str, ...], index: int = 0, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._words = f"{words} " if words else ""
        self.values = values
        self.set_reactive(Spin.index, index)

    @property
    def value(self) -> str:
        """What is chosen."""
        return self.values[self.index]

    def render(self) -> Content:
        """The words, and the value between what turns it; as wide for each value."""
        width = max(map(len, self.values))
        return Content.assemble(self._words, "‹ ", (f"{self.value:^{width}}", "bold"), " ›")

    def get_content_width(self, *_: object) -> int:
        """As wide as the widest value wants."""
        return len(self._words) + max(map(len, self.values)) + 4

    def get_content_height(self, *_: object) -> int:
        """One line."""
        return 1

    def action_turn(self, by: int) -> None:
        """Choose the next or the one before; after the last comes the first."""
        self.index = (self.index + by) % len(self.values)
        self.post_message(self.Changed(self, self.index))

    def on_click(self, event: Click) -> None:
        """A click on `‹` goes back, elsewhere on."""
        self.action_turn(-1 if event.x < len(self._words) + 2 else 1)
