"""A question with a safe answer and others that go ahead."""

from textual.app import ComposeResult
from textual.widgets import Static

from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.widgets.choices import Button


class Confirm(Dialog[str]):
    """Gives the id of the button that was chosen; None: the safe answer."""

    def __init__(self, heading: str, words: str, safe: str, **choices: str) -> None:
        """`safe`: the label that changes nothing, focused first; `choices`: id -> label of the others."""
        super().__init__()
        self.heading = heading
        self.words = Static(words, markup=False)
        self._safe = safe
        self._choices = choices

    def compose_body(self) -> ComposeResult:
        """Yield what would happen."""
        yield self.words

    def say(self, words: str) -> None:
        """Say what would happen by now."""
        if words != str(self.words.content):
            self.words.update(words)

    def compose_buttons(self) -> ComposeResult:
        """Yield the safe answer first: it has the focus."""
        yield Button(self._safe, id="cancel", compact=True)
        for name, label in self._choices.items():
            yield Button(label, id=name, variant="warning", compact=True)

    def answer(self, button: str) -> None:
        """Return the answer."""
        self.dismiss(button)
