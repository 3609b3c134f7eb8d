"""A text to read, select and copy: the commands to type by hand, or a file to be written."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static, TextArea

from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.widgets.choices import Button


class WholeText(Dialog[None]):
    """A read-only text under its name; lines that are too long are wrapped, `c` copies all."""

    AUTO_FOCUS = "TextArea"

    DEFAULT_CSS = """
    WholeText {
        #dialog { width: 100%; max-width: 120; }
        TextArea { height: auto; max-height: 62vh; min-height: 3; background: $surface; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("c", "copy", "Copy all", show=False)]

    def __init__(self, heading: str, text: str) -> None:
        super().__init__()
        self.heading = heading
        self.area = TextArea(text, read_only=True, soft_wrap=True, compact=True, show_cursor=False)

    def action_copy(self) -> None:
        """Copy everything."""
        self.app.copy_to_clipboard(self.area.text)

    def compose_body(self) -> ComposeResult:
        """Yield the text."""
        yield self.area

    def compose_buttons(self) -> ComposeResult:
        """Yield Close."""
        yield Button("Close", id="cancel", variant="primary", compact=True)


class ShowCommands(WholeText):
    """Commands; ctrl+c copies a selection, `c` or a button copies all."""

    DEFAULT_CSS = """
    ShowCommands {
        #copied { margin-top: 1; color: $foreground 60%; }
        &.-short #copied { display: none; }
    }
    """

    def __init__(self, step: str, lines: Iterable[str]) -> None:
        super().__init__(f"By hand: {step}", "\n".join(lines).strip("\n"))
        self._copied = Static("c copies all; select with the mouse and press ^c for a part.", id="copied")

    def compose_body(self) -> ComposeResult:
        """Yield the commands."""
        yield from super().compose_body()
        yield self._copied

    def compose_buttons(self) -> ComposeResult:
        """Yield Copy all and Close."""
        yield Button("Copy all", id="copy", compact=True)
        yield from super().compose_buttons()

    def answer(self, _button: str) -> None:
        """Copy everything."""
        self.action_copy()

    def action_copy(self) -> None:
        """Copy everything. The terminal does not confirm, so the words are careful."""
        super().action_copy()
        self._copied.update("Sent to the terminal's clipboard. Nothing there? Select with Shift and the mouse.")
