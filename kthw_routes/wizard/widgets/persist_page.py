"""The question that comes before the review, by itself: keep the routes after a reboot?"""

from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import OptionList

from kthw_routes.wizard.widgets.choices import ChoiceList
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.words import Words


class PersistPage(VerticalScroll, can_focus=False):
    """Three answers with a sentence each, and what was found on each host."""

    DEFAULT_CSS = """
    PersistPage {
        #persist { height: auto; text-wrap: nowrap; }
        #persist-found { margin: 1 0 0 1; height: auto; }
    }
    """

    @dataclass
    class Answered(Message):
        """An answer is chosen, by its number."""

        number: int

    def __init__(self) -> None:
        super().__init__(id="persist-page")
        self._answers = ChoiceList(id="persist")
        self._found = Paragraph(id="persist-found")

    def compose(self) -> ComposeResult:
        """Yield the answers, then what was found."""
        yield self._answers
        yield self._found

    def show(self, answers: Sequence[tuple[str, str]], chosen: int | None, found: Sequence[Words | str]) -> None:
        """Show the answers and which of them is ticked; None: none is."""
        self._answers.show(answers, chosen)
        self._found.show(*found)

    def focus_answers(self) -> None:
        """Focus the answers."""
        self._answers.focus()

    @on(OptionList.OptionSelected, "#persist")
    def _answered(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Answered(event.option_index))
