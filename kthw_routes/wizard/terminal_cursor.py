"""The terminal's own cursor follows the focus: to the row, the cell or the letter that the keys are for.

It stays hidden, as Textual hides it. Screen readers and magnifiers go by its place.
"""

from typing import Protocol, TypeVar, runtime_checkable

from rich.console import RenderableType
from textual.app import App
from textual.events import DescendantFocus
from textual.geometry import Offset
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, OptionList, TextArea

T = TypeVar("T")


@runtime_checkable
class HasCursor(Protocol):
    """A widget of which the keys are for one part at a time."""

    @property
    def cursor_offset(self) -> Offset:
        """Where that part begins in the widget, as if nothing were scrolled."""


def place_of(widget: Widget) -> Offset:
    """Return where on the screen the keys are for, while a widget has the focus."""
    if isinstance(widget, Input | TextArea):
        return widget.cursor_screen_offset
    within = Offset(0, 0)
    if isinstance(widget, HasCursor):
        within = widget.cursor_offset
    elif isinstance(widget, OptionList):
        before = (widget.get_option_at_index(n).prompt for n in range(widget.highlighted or 0))
        within = Offset(0, sum(str(prompt).count("\n") + 1 for prompt in before))
    region = widget.content_region
    x, y = within - widget.scroll_offset
    return Offset(
        region.x + max(0, min(x, max(0, region.width - 1))), region.y + max(0, min(y, max(0, region.height - 1)))
    )


class FollowingApp(App[T]):
    """An application whose terminal cursor is where the focus is, each time that the screen is drawn."""

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Draw what has the focus now, also where it looks as before."""
        event.widget.refresh()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Put the cursor in its place before the drawing that moves it there."""
        focused = screen.focused
        if focused is not None and focused.is_attached:
            self.cursor_position = place_of(focused)
        super()._display(screen, renderable)
