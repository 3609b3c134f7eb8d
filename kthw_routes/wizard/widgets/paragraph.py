"""Text that changes: drawn again only if it did, and never read as markup."""

from collections.abc import Iterable, Iterator

from textual.content import Content
from textual.widgets import Static

from kthw_routes.errors import KthwRoutesError
from kthw_routes.sources.inventory.problems import Problem
from kthw_routes.wizard.themes import style_content
from kthw_routes.words import Tone, Words


class Paragraph(Static):
    """Words with tones."""

    _shown = Content("")

    def show(self, *parts: Words | str) -> None:
        """Show this from now on."""
        fresh = style_content(*parts)
        if not fresh.is_same(self._shown):
            self._shown = fresh
            self.update(fresh)


class ErrorBox(Paragraph):
    """An error: the sentence and what to do now."""

    DEFAULT_CSS = "ErrorBox { height: auto; display: none; margin-top: 1; }"

    def show_error(self, error: KthwRoutesError | None) -> None:
        """Show the error, or nothing."""
        self.display = error is not None
        if error is not None:
            hint = f"\n{error.hint}".replace("\n", "\n  ") if error.hint else ""
            self.show(Words(f"✗ {error.sentence}", Tone.BAD), Words(hint, Tone.QUIET))


def problem_words(problems: Iterable[Problem], width: int) -> Iterator[Words | str]:
    """Yield each error of a file with its place, the offending line and a caret below it, in `width` columns."""
    for number, problem in enumerate(problems):
        yield Words(f"{'' if number == 0 else chr(10)}line {problem.line}, column {problem.column}", Tone.WARNING)
        yield f"  {problem.sentence}"
        if problem.shown:
            at = problem.caret if problem.caret is not None else 0
            start = max(0, min(at - width // 2, len(problem.shown) - width))
            yield Words(f"\n    {problem.shown[start : start + width]}", Tone.QUIET)
            if problem.caret is not None:
                yield Words(f"\n    {' ' * (at - start)}^", Tone.WARNING)
