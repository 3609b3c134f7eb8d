"""The lessons: a list, and each with its question, answered by a key."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from kthw_routes.cluster import Cluster
from kthw_routes.teaching.lesson import lesson, lesson_names
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.text.marked import marked
from kthw_routes.wizard.themes import style_content
from kthw_routes.wizard.widgets.answers import AnswerList
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.words import Tone, Words


class ChooseLesson(Dialog[str]):
    """The list of lessons; answered with a name."""

    AUTO_FOCUS = "OptionList"
    DEFAULT_CSS = """
    ChooseLesson OptionList {
        height: auto; max-height: 60vh; border: none; padding: 0; background: $panel;
        &:focus { border: none; }
    }
    """
    heading = "Lessons"

    def compose_body(self) -> ComposeResult:
        """Yield their titles."""
        yield OptionList(
            *(Option(f"{n}. {lesson(name).title}", name) for n, name in enumerate(lesson_names(), start=1))
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open it."""
        self.dismiss(event.option.id)


class ShowLesson(Dialog[str]):
    """A lesson with this cluster's values. A letter answers its question; answered with the next lesson's name."""

    AUTO_FOCUS = "#next-lesson"
    DEFAULT_CSS = """
    ShowLesson {
        #dialog { max-width: 100; width: 100%; padding: 0 2; }
        #dialog-body { max-height: 84vh; }
        #dialog-buttons { margin-top: 0; }
        .lesson-part { margin-bottom: 1; }
        &.-short .lesson-part { margin-bottom: 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(letter, f"choose({number})", show=False) for number, letter in enumerate("abc")),
        Binding("n", "next_lesson", show=False),
    ]

    def __init__(self, name: str, cluster: Cluster | None) -> None:
        """`cluster`: whose names and addresses are in it; None: the tutorial's."""
        super().__init__()
        self._lesson = lesson(name, cluster)
        names = lesson_names()
        self._next = names[(names.index(name) + 1) % len(names)]
        self.heading = self._lesson.title
        self._answers = AnswerList(self._lesson.answers)

    def compose_body(self) -> ComposeResult:
        """Yield the paragraphs, the question, and the answers."""
        for paragraph in self._lesson.paragraphs:
            yield Static(style_content(*marked(paragraph)), classes="lesson-part", markup=False)
        asked = (Words(self._lesson.question, Tone.NEW), Words("  Press a, b or c.", Tone.QUIET))
        yield Static(style_content(*asked), markup=False)
        yield self._answers

    def compose_buttons(self) -> ComposeResult:
        """Yield the next lesson, and Close."""
        yield Button("Next lesson (n)", id="next-lesson", variant="primary", compact=True)
        yield from super().compose_buttons()

    def action_choose(self, number: int) -> None:
        """Judge an answer, with the reason."""
        self._answers.judge(number)

    def action_next_lesson(self) -> None:
        """Go on to the next one."""
        self.dismiss(self._next)

    def answer(self, _button: str) -> None:
        """Go on to the next one."""
        self.action_next_lesson()
