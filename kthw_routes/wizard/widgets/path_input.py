"""A field for a path: Tab takes the completion, or goes to the next field where there is none."""

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from kthw_routes.wizard.path_suggester import PathSuggester


class PathInput(Input):
    """Tab and Right complete."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", "Complete", show=False)]

    def __init__(self, value: str = "", *, id: str | None = None, placeholder: str = "") -> None:  # noqa: A002 - Textual's name
        super().__init__(value, id=id, placeholder=placeholder, compact=True, suggester=PathSuggester())

    def action_complete(self) -> None:
        """Take the completion; where there is none, go to the next field."""
        before = self.value
        if self.cursor_at_end:
            self.action_cursor_right()
        if self.value == before:
            self.screen.focus_next()
