"""The common shape of all dialogs: a title, a body, buttons in a row; Escape gives no answer."""

from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from kthw_routes.wizard.themes import style_content
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.words import Tone, Words

T = TypeVar("T")


class Dialog(ModalScreen[T | None], Generic[T]):
    """Asks or shows something. `dismiss(None)`: no answer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Close", show=False),
        Binding("question_mark,f3", "app.keys", "Keys", show=False),
        Binding("left", "move(-1)", "Left", show=False),
        Binding("right", "move(1)", "Right", show=False),
        Binding("up", "scroll_body(-1)", "Up", show=False),
        Binding("down", "scroll_body(1)", "Down", show=False),
        Binding("pageup", "scroll_body(-10)", "Page up", show=False),
        Binding("pagedown", "scroll_body(10)", "Page down", show=False),
    ]
    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        #dialog { width: 76; max-width: 100%; height: auto; max-height: 100%; background: $panel; padding: 1 2; }
        #dialog-title { text-style: bold; margin-bottom: 1; }
        #dialog-body { height: auto; max-height: 70vh; }
        #dialog-buttons { height: 1; margin-top: 1; }
        #dialog-buttons Button { margin-left: 1; }
        #dialog-spring { width: 1fr; }
        &.-short #dialog { padding: 0 1; }
        &.-short #dialog-title { margin-bottom: 0; }
        &.-short #dialog-buttons { margin-top: 0; }
    }
    """
    heading = ""
    keys: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Its own keys, for the help."""

    def __init__(self) -> None:
        super().__init__()
        self._body = VerticalScroll(id="dialog-body", can_focus=False)

    def compose(self) -> ComposeResult:
        """Yield title, body and buttons."""
        with Vertical(id="dialog"):
            yield Static(style_content(Words(self.heading, Tone.NEW)), id="dialog-title")
            with self._body:
                yield from self.compose_body()
            with Horizontal(id="dialog-buttons"):
                buttons = tuple(self.compose_buttons())
                closing = next(b for b in buttons if isinstance(b, Button) and b.id == "cancel")
                yield Static(f"Esc: {closing.label}", id="dialog-spring", classes="hint", markup=False)
                yield from buttons

    def compose_body(self) -> ComposeResult:
        """Yield the body."""
        yield from ()

    def compose_buttons(self) -> ComposeResult:
        """Yield the answers; Escape gives `cancel` too."""
        yield Button("Close", id="cancel", compact=True)

    def action_scroll_body(self, by: int) -> None:
        """Scroll what does not fit."""
        self._body.scroll_relative(y=by, animate=False)

    def action_move(self, by: int) -> None:
        """Focus the button, or whatever else can be focused, to the left or right; at the ends nothing moves."""
        chain = self.focus_chain
        place = chain.index(self.focused) + by if self.focused in chain else 0
        if 0 <= place < len(chain):
            chain[place].focus()

    def action_cancel(self) -> None:
        """Close without an answer."""
        self.dismiss(None)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Cancel, or answer with the button."""
        event.stop()
        if event.button.id == "cancel":
            self.action_cancel()
        else:
            self.answer(event.button.id or "")

    def answer(self, button: str) -> None:
        """React to a button other than Cancel."""
