"""By hand: what to type on which host; looks again every few seconds, ticks off what is right, says what is wrong."""

from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.timer import Timer

from kthw_routes.errors import KthwRoutesError
from kthw_routes.options import Settings
from kthw_routes.teaching.by_hand import Typed
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.text import by_hand_words
from kthw_routes.wizard.watching import Watch
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import Tone, Words

EVERY: Final = 3.0
"""Seconds between two looks, unless r is pressed."""


class ByHand(Dialog[None]):
    """The changes as somebody types them. The wizard types nothing."""

    AUTO_FOCUS = "#typed"
    DEFAULT_CSS = """
    ByHand {
        #dialog { width: 100%; height: 100%; padding: 0 1; }
        #dialog-title { margin-bottom: 0; }
        #dialog-body { height: 1fr; max-height: 100%; }
        #dialog-buttons { margin-top: 0; }
        #by-hand-progress { height: auto; margin-bottom: 1; }
        #typed { max-height: 60%; overflow-x: hidden; }
        #by-hand-detail { height: 1fr; min-height: 4; border-top: solid $foreground 20%; padding: 0 1; }
        #by-hand-detail:focus { border-top: solid $primary; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "look", "Look again", show=False),
        Binding("c", "copy", "Copy", show=False),
    ]
    heading = f"By hand: kthw-routes types nothing, and looks again every {EVERY:.0f} seconds"
    keys = (
        ("Up  Down", "what to type for another row, or what is wrong with it"),
        ("r", "look again now"),
        ("c", "copy all that is to be typed on this host"),
    )

    def __init__(self, watch: Watch, settings: Settings) -> None:
        super().__init__()
        self._watch = watch
        self._settings = settings
        self._rows: dict[str, Typed] = {}
        self._error: KthwRoutesError | None = None
        self._timer: Timer | None = None
        self._is_open = True
        self._progress = Paragraph(id="by-hand-progress")
        self._table = KeyedTable("host", "", "what", "", id="typed")
        self._detail = Paragraph()

    def compose_body(self) -> ComposeResult:
        """Yield how far it is, the rows, and what to type for the one in focus."""
        yield self._progress
        yield self._table
        with VerticalScroll(id="by-hand-detail"):
            yield self._detail

    def compose_buttons(self) -> ComposeResult:
        """Yield Look again and Close."""
        yield Button("Look again (r)", id="look", compact=True)
        yield Button("Close", id="cancel", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Show what is to be typed, and look."""
        self._show()
        self.action_look()

    def on_unmount(self) -> None:
        """Stop looking."""
        self._is_open = False
        self._watch.end()

    def action_look(self) -> None:
        """Look again now."""
        if self._timer is not None:
            self._timer.stop()
        self._watch.look(self._looked, self._failed)

    def _looked(self) -> None:
        self._error = None
        self._go_on()

    def _failed(self, error: KthwRoutesError) -> None:
        self._error = error
        self._go_on()

    def _go_on(self) -> None:
        """Show how it is, and look again later unless all is right."""
        if self._is_open:
            self._show()
            if not self._watch.is_done:
                self._timer = self.set_timer(EVERY, self.action_look)

    def _show(self) -> None:
        rows = self._watch.rows
        self._rows = {by_hand_words.key_of(row): row for row in rows}
        self._table.show(by_hand_words.cells(rows))
        if self._error is not None:
            self._progress.show(Words(f"✗ {self._error.sentence}", Tone.BAD))
        else:
            self._progress.show(by_hand_words.progress(rows, self._watch.review, is_done=self._watch.is_done))
        self._show_detail()

    @on(KeyedTable.RowHighlighted, "#typed")
    def _show_detail(self) -> None:
        row = self._rows.get(self._table.key or "")
        self._detail.show(*(by_hand_words.detail(row, self._watch.review, self._settings) if row is not None else ()))

    def action_copy(self) -> None:
        """Copy all that is still to be typed on the host in focus."""
        row = self._rows.get(self._table.key or "")
        if row is not None:
            self.app.copy_to_clipboard(by_hand_words.all_commands(row, self._watch.review))

    def answer(self, _button: str) -> None:
        """Look again."""
        self.action_look()
