"""A field of a form: its title, the text, and below it what there is to say of the text."""

from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.words import Tone, Words

FIELD_TITLES: Final = {"name": "name", "ssh": "SSH", "internal": "internal address", "pod_cidr": "pod CIDR"}
"""What the fields of a node are called."""


class Field(Vertical):
    """A titled input; its hint, or why its text is refused, stands below it."""

    DEFAULT_CSS = "Field { height: auto; }"

    def __init__(self, name: str, title: str, field: Input, hint: str) -> None:
        """`name`: of the line below, as an id: `NAME-says`."""
        super().__init__(name=name)
        self.input = field
        self._title = title
        self._hint = hint
        self._says = Paragraph(id=f"{name}-says", classes="field-says", markup=False)
        self.say_hint()

    def compose(self) -> ComposeResult:
        """Title and input on one line."""
        with Horizontal(classes="field"):
            yield Static(self._title, classes="field-title", markup=False)
            yield self.input
        yield self._says

    @property
    def text(self) -> str:
        """What is typed."""
        return self.input.value

    def say(self, text: str, tone: Tone) -> None:
        """Say something of the text."""
        self._says.show(Words(text, tone))

    def say_hint(self) -> None:
        """Say what the field is for."""
        self.say(self._hint, Tone.QUIET)
