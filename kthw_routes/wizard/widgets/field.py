"""A field of a form: its title, the text, and a line of hint or error below it."""

from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.words import Tone, Words

FIELD_TITLES: Final = {"name": "name", "ssh": "SSH", "internal": "internal address", "pod_cidr": "pod CIDR"}
"""Titles of the fields of a node."""


class Field(Vertical):
    """A titled input, with its hint or its error below."""

    DEFAULT_CSS = "Field { height: auto; }"

    def __init__(self, name: str, title: str, field: Input, hint: str) -> None:
        """`name`: the line below has the id `NAME-says`."""
        super().__init__(name=name)
        self.input = field
        self._title = title
        self._hint = hint
        self._says = Paragraph(id=f"{name}-says", classes="field-says", markup=False)
        self.say_hint()

    def compose(self) -> ComposeResult:
        """Yield title and input on one line, and the line below."""
        with Horizontal(classes="field"):
            yield Static(self._title, classes="field-title", markup=False)
            yield self.input
        yield self._says

    @property
    def text(self) -> str:
        """The text as typed."""
        return self.input.value

    def say(self, text: str, tone: Tone) -> None:
        """Show something about the text below it."""
        self._says.show(Words(text, tone))

    def say_hint(self) -> None:
        """Show what the field is for."""
        self.say(self._hint, Tone.QUIET)
