"""A question's answers, none of them ticked until the person ticks one: the cursor moves, Space or Enter ticks."""

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from kthw_routes.wizard.widgets.tick import Option


class Answers(Widget, can_focus=True):
    """`▸ ( ) answer   words`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("space,enter", "tick", "Tick", show=False),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is at another answer."""

        answers: "Answers"

    @dataclass
    class Ticked(Message):
        """The person answered."""

        answers: "Answers"
        index: int

        @property
        def control(self) -> "Answers":
            """The question itself."""
            return self.answers

    cursor: reactive[int] = reactive(0)
    ticked: reactive[int | None] = reactive(None)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._options: tuple[Option, ...] = ()

    def show(self, options: tuple[Option, ...], ticked: int | None) -> None:
        """Show these answers; the cursor stays, and begins at the one that is ticked."""
        if options != self._options:
            is_first = not self._options
            self._options = options
            if is_first:
                self.cursor = ticked or 0
            self.refresh(layout=True)
        self.ticked = ticked

    def render(self) -> Content:
        """A row per answer."""
        width = max((len(o.title) for o in self._options), default=0)
        lines = []
        for index, option in enumerate(self._options):
            here = index == self.cursor and self.has_focus
            style = "bold $primary" if index == self.ticked else "bold" if here else ""
            mark = f"{'▸' if here else ' '} {'(●)' if index == self.ticked else '( )'} "
            room = self.size.width - width - len(mark) - 3
            words = option.words if len(option.words) <= room else f"{option.words[: max(0, room - 1)]}…"
            lines.append(
                Content.assemble(
                    (f"{mark}{option.title:<{width}}", style), (f"   {words}" if room > 8 else "", "$foreground 70%")
                )
            )
        return Content("\n").join(lines)

    def get_content_height(self, *_: object) -> int:
        """A line per answer, whatever the width."""
        return len(self._options)

    def action_move(self, by: int) -> None:
        """To the next answer or the one before; nothing is ticked by that."""
        self.cursor = max(0, min(len(self._options) - 1, self.cursor + by))
        self.post_message(self.Moved(self))

    def action_tick(self) -> None:
        """Give the answer at the cursor."""
        if self._options:
            self.post_message(self.Ticked(self, self.cursor))

    def on_click(self, event: Click) -> None:
        """A click answers."""
        if 0 <= event.y < len(self._options):
            self.cursor = event.y
            self.action_tick()
