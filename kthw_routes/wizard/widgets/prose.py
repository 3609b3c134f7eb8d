"""Text that changes: drawn anew only if it did, and never read as markup."""

from textual.content import Content
from textual.widgets import Static

from kthw_routes.errors import KthwRoutesError
from kthw_routes.wizard.themes import content
from kthw_routes.wording import Tone, Words


class Prose(Static):
    """Words with tones."""

    _shown = Content("")

    def show(self, *parts: Words | str) -> None:
        """Say this from now on."""
        fresh = content(*parts)
        if not fresh.is_same(self._shown):
            self._shown = fresh
            self.update(fresh)


class ErrorBox(Prose):
    """What went wrong, where it went wrong: the sentence and what to do now."""

    def show_error(self, error: KthwRoutesError | None) -> None:
        """Show it, or nothing."""
        self.display = error is not None
        if error is not None:
            hint = f"\n  {error.hint}" if error.hint else ""
            self.show(Words(f"✗ {error.sentence}", Tone.BAD), Words(hint, Tone.QUIET))
