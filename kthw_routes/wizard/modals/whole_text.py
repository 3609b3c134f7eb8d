"""A text of a host's, whole: to read, scroll, select and copy."""

from textual.app import ComposeResult
from textual.widgets import Button, TextArea

from kthw_routes.wizard.modals.dialog import Dialog


class WholeText(Dialog[None]):
    """A read-only text under its name."""

    def __init__(self, heading: str, text: str) -> None:
        super().__init__()
        self.heading = heading
        self._text = text

    def compose_body(self) -> ComposeResult:
        """The text."""
        yield TextArea(self._text, read_only=True, soft_wrap=False, compact=True, show_cursor=False, id="whole-text")

    def compose_buttons(self) -> ComposeResult:
        """Nothing but to close it."""
        yield Button("Close", id="cancel", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Read and scroll at once."""
        self.query_one(TextArea).focus()
