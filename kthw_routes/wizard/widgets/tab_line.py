"""A line of tabs with their counts: Left and Right, the digits or a click choose one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.geometry import Offset
from textual.message import Message
from textual.widget import Widget


class TabLine(Widget, can_focus=True):
    """`Routes 4    Names 3`: the tab that is shown is underlined."""

    DEFAULT_CSS = """
    TabLine { height: 1; padding: 0 1; }
    TabLine:focus { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", "Before", show=False),
        Binding("right", "turn(1)", "Next", show=False),
    ]

    @dataclass
    class Chosen(Message):
        """Another tab is chosen."""

        number: int

    def __init__(
        self,
        titles: Sequence[str],
        *,
        id: str,  # noqa: A002 - Textual's name
        keys: str | None = None,
        gap: int = 4,
    ) -> None:
        """
        Args:
            titles: a tab each.
            id: the widget's own.
            keys: what chooses a tab, for the end of the line; by default their digits.
            gap: blanks between two tabs.
        """
        super().__init__(id=id)
        self._titles = tuple(titles)
        self._counts: tuple[int, ...] = ()
        self._keys = keys or f"keys 1-{len(titles)}"
        self._gap = " " * gap
        self.chosen = 0

    def show(self, counts: Sequence[int]) -> None:
        """Show how much is in each tab."""
        if tuple(counts) != self._counts:
            self._counts = tuple(counts)
            self.refresh()

    def choose(self, number: int) -> None:
        """Choose a tab by its number, the first is 0."""
        if number != self.chosen:
            self.chosen = number
            self.refresh()
            self.post_message(self.Chosen(number))

    @property
    def cursor_offset(self) -> Offset:
        """Where the tab that is shown begins."""
        return Offset(sum(len(label) + len(self._gap) for label in self._labels[: self.chosen]), 0)

    def action_turn(self, by: int) -> None:
        """Choose the next tab or the one before."""
        self.choose((self.chosen + by) % len(self._titles))

    def render(self) -> Content:
        """Return all tabs on one line, and the keys at its end."""
        parts: list[Content | str | tuple[str, str]] = []
        for number, label in enumerate(self._labels):
            style = "bold underline $primary" if number == self.chosen else "$foreground 75%"
            parts += [(label, style), self._gap]
        length = sum(len(label) + len(self._gap) for label in self._labels)
        if length + len(self._keys) <= self.size.width:
            parts += [" " * (self.size.width - length - len(self._keys)), (self._keys, "$foreground 60%")]
        return Content.assemble(*parts)

    def on_click(self, event: Click) -> None:
        """Choose the tab under the mouse."""
        at = 1  # the padding
        for number, label in enumerate(self._labels):
            if at <= event.x < at + len(label):
                self.choose(number)
            at += len(label) + len(self._gap)

    @property
    def _labels(self) -> list[str]:
        if not self._counts:
            return list(self._titles)
        return [f"{title} {number}" for title, number in zip(self._titles, self._counts, strict=True)]
