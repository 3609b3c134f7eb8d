"""Answers to choose from, each behind its letter; one that was chosen is judged where it is, with the reason."""

from collections.abc import Sequence
from string import ascii_lowercase

from textual.app import ComposeResult
from textual.containers import Vertical

from kthw_routes.teaching.lesson import Answer
from kthw_routes.wizard.text.marked import marked
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.words import Tone, Words


class AnswerList(Vertical):
    """The answers, not judged yet."""

    DEFAULT_CSS = "AnswerList { height: auto; }"

    def __init__(self, answers: Sequence[Answer]) -> None:
        super().__init__()
        self._answers = tuple(answers)
        self._views = [Paragraph(classes="answer") for _ in answers]

    def compose(self) -> ComposeResult:
        """Yield a paragraph per answer."""
        yield from self._views

    def on_mount(self) -> None:
        """Show them with their letters."""
        for number, (view, answer) in enumerate(zip(self._views, self._answers, strict=True)):
            view.show(Words(f"  {ascii_lowercase[number]}  ", Tone.NEW), answer.text)

    def judge(self, number: int) -> None:
        """Judge the answer of this place, from 0."""
        answer, view = self._answers[number], self._views[number]
        mark, tone = ("✓ right", Tone.GOOD) if answer.is_right else ("✗ wrong", Tone.BAD)
        letter = Words(f"  {ascii_lowercase[number]}  ", Tone.NEW)
        view.show(letter, f"{answer.text}  ", Words(f"{mark}: ", tone), *marked(answer.reason))
        self.call_after_refresh(lambda: view.scroll_visible(animate=False))
