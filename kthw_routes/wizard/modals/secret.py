"""Asks for a passphrase or password, which is masked and kept in memory only."""

from textual.app import ComposeResult
from textual.widgets import Input, Static

from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.widgets.choices import Button


class AskSecret(Dialog[str]):
    """Gives what was typed; None: no answer."""

    AUTO_FOCUS = "#secret"

    def __init__(self, heading: str, words: str) -> None:
        super().__init__()
        self.heading = heading
        self._words = words
        self._secret = Input(password=True, id="secret", compact=True)

    def compose_body(self) -> ComposeResult:
        """Yield the question and a masked field."""
        yield Static(self._words, markup=False)
        yield self._secret
        yield Static("It stays in memory and is never written anywhere.", classes="hint")

    def compose_buttons(self) -> ComposeResult:
        """Yield OK and Skip; without an answer, the hosts that need it are skipped."""
        yield Button("Skip", id="cancel", compact=True)
        yield Button("OK", id="ok", variant="primary", compact=True)

    def on_input_submitted(self) -> None:
        """Answer on Enter."""
        self.answer("ok")

    def answer(self, _button: str) -> None:
        """Return what was typed; an empty answer is none."""
        self.dismiss(self._secret.value or None)
