"""The lessons: a list, and each with its question, answered by a key."""

import re
from string import ascii_lowercase
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from kthw_routes.cluster import Cluster
from kthw_routes.teaching.lesson import lesson, lesson_names
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.themes import style_content
from kthw_routes.wizard.widgets.paragraph import Paragraph
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
        self._answers = [Paragraph(classes="answer") for _ in self._lesson.answers]

    def compose_body(self) -> ComposeResult:
        """Yield the paragraphs, the question, and the answers."""
        for paragraph in self._lesson.paragraphs:
            yield Static(style_content(*_marked(paragraph)), classes="lesson-part", markup=False)
        asked = (Words(self._lesson.question, Tone.NEW), Words("  Press a, b or c.", Tone.QUIET))
        yield Static(style_content(*asked), markup=False)
        yield from self._answers

    def compose_buttons(self) -> ComposeResult:
        """Yield the next lesson, and Close."""
        yield Button("Next lesson (n)", id="next-lesson", variant="primary", compact=True)
        yield from super().compose_buttons()

    def on_mount(self) -> None:
        """Show the answers, not judged yet."""
        for number, (view, answer) in enumerate(zip(self._answers, self._lesson.answers, strict=True)):
            view.show(Words(f"  {ascii_lowercase[number]}  ", Tone.NEW), answer.text)

    def action_choose(self, number: int) -> None:
        """Judge an answer, with the reason."""
        answer = self._lesson.answers[number]
        mark, tone = ("✓ right", Tone.GOOD) if answer.is_right else ("✗ wrong", Tone.BAD)
        letter = Words(f"  {ascii_lowercase[number]}  ", Tone.NEW)
        self._answers[number].show(letter, f"{answer.text}  ", Words(f"{mark}: ", tone), answer.reason)
        self.call_after_refresh(lambda: self._answers[number].scroll_visible(animate=False))

    def action_next_lesson(self) -> None:
        """Go on to the next one."""
        self.dismiss(self._next)

    def answer(self, _button: str) -> None:
        """Go on to the next one."""
        self.action_next_lesson()


def _marked(text: str) -> list[Words | str]:
    """Return a paragraph in which `…` and **…** stand out."""
    parts = (part for part in re.split(r"(\*\*.+?\*\*|`.+?`)", text) if part)
    return [Words(part.strip("*`"), Tone.NEW) if part[0] in "*`" else part for part in parts]
