"""What one would type by hand for this step: to read, select and copy."""

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.widgets import Button, Static, TextArea

from kthw_routes.wizard.modals.dialog import Dialog


class ShowCommands(Dialog[None]):
    """A read-only text; selecting copies with ctrl+c, a button copies all."""

    def __init__(self, step: str, lines: Iterable[str]) -> None:
        super().__init__()
        self.heading = f"By hand: {step}"
        self._text = "\n".join(lines).strip("\n")

    def compose_body(self) -> ComposeResult:
        """The commands."""
        yield TextArea(self._text, read_only=True, soft_wrap=False, compact=True, show_cursor=False, id="commands")
        yield Static("Mark with the mouse and ^c, or copy all.", id="copied")

    def compose_buttons(self) -> ComposeResult:
        """Copy and close."""
        yield Button("Copy all", id="copy", compact=True)
        yield Button("Close", id="cancel", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Read and scroll at once."""
        self.query_one(TextArea).focus()

    def answer(self, _button: str) -> None:
        """Copy. The terminal gives no answer, so the words are careful."""
        self.app.copy_to_clipboard(self._text)
        self.query_one("#copied", Static).update(
            "Sent to the terminal's clipboard. Nothing there? Mark with Shift and mouse."
        )


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
