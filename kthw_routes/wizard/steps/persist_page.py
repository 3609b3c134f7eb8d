"""The question that comes before the review, by itself: keep the routes after a reboot?"""

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import OptionList

from kthw_routes.persistence.model import Manager, Persist
from kthw_routes.wizard.modals.choose_manager import ChooseManager
from kthw_routes.wizard.text import persist_question
from kthw_routes.wizard.widgets.choices import ChoiceList
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.workflow.results import Review


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
        """An answer is chosen."""

        persist: Persist

    def __init__(self) -> None:
        super().__init__(id="persist-page")
        self._answers = ChoiceList(id="persist")
        self._found = Paragraph(id="persist-found")
        self._manager: Manager | None = None
        self._review: Review | None = None

    def compose(self) -> ComposeResult:
        """Yield the answers, then what was found."""
        yield self._answers
        yield self._found

    def show(self, review: Review, width: int) -> None:
        """Show the answers, which of them is ticked, if any, and what was found, in so many columns."""
        self._review = review
        persist = review.options.persist
        self._manager = persist.manager if persist is not None else None
        self._answers.show(persist_question.list_answers(review, width), persist_question.find_index(persist))
        self._found.show(*persist_question.explain(review))

    def on_resize(self) -> None:
        """Wrap the sentences again."""
        if self._review is not None and self.size.width:
            self.show(self._review, self.size.width)

    def focus_answers(self) -> None:
        """Focus the answers."""
        self._answers.focus()

    @on(OptionList.OptionSelected, "#persist")
    def _answered(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index == persist_question.BY_NAME:
            self.app.push_screen(ChooseManager(self._manager), self._take_manager)
        else:
            is_no = event.option_index == persist_question.NO
            self.post_message(self.Answered(Persist.NONE if is_no else Persist.AUTO))

    def _take_manager(self, manager: Manager | None) -> None:
        if manager is not None:
            self.post_message(self.Answered(Persist(manager.value)))
