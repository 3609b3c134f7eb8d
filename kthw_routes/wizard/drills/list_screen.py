"""The list of drills: which there are, which are solved."""

from typing import ClassVar, Final, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Footer

from kthw_routes.drills.catalogue import Catalogue
from kthw_routes.drills.progress import Progress
from kthw_routes.wizard.themes import dim
from kthw_routes.wizard.widgets.frame import Header
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.wizard.widgets.table import Cells, KeyedTable
from kthw_routes.words import Tone, Words

_WIDE: Final = 110
"""Columns from which the names are shown too."""


class Drills(Protocol):
    """The application as its list sees it."""

    @property
    def catalogue(self) -> Catalogue:
        """The drills."""

    @property
    def progress(self) -> Progress:
        """What was solved."""

    def open_drill(self, name: str) -> None:
        """Show a drill."""


class ListScreen(Screen[None]):
    """A row per drill; Enter starts one."""

    AUTO_FOCUS = "KeyedTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Start", priority=True),
        Binding("question_mark,f3", "app.keys", "Keys", key_display="?"),
        Binding("f4", "app.lessons", "Lessons", key_display="F4"),
        Binding("ctrl+q", "app.quit", "Quit"),
    ]
    DEFAULT_CSS = """
    ListScreen {
        #list { height: 1fr; padding: 0 1; }
        #intro { height: auto; margin: 1 0; text-style: bold; }
        KeyedTable { height: 1fr; overflow-x: hidden; }
    }
    """
    title_word = "Drills"
    keys = (("Enter", "start the drill under the cursor, or go on with it"), ("Up  Down", "another drill"))

    def __init__(self, drills: Drills) -> None:
        super().__init__()
        self._drills = drills
        self._header = Header()
        self._intro = Paragraph(id="intro")
        self._table = KeyedTable(id="drills")

    def compose(self) -> ComposeResult:
        """Yield header, introduction, list, keys."""
        yield self._header
        with Vertical(id="list"):
            yield self._intro
            yield self._table
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill the list, with the cursor on the first drill that is not solved."""
        self.draw()
        catalogue = self._drills.catalogue
        first = catalogue.next_after(None, self._drills.progress.solved)
        self._table.move_cursor(row=catalogue.names.index(first))

    def on_screen_resume(self) -> None:
        """Fill it again: something may be solved by now."""
        self.draw()

    def on_resize(self) -> None:
        """Fill it again: there may be room for more."""
        self.draw()

    def draw(self) -> None:
        """Show what is solved."""
        if not self._table.is_mounted:
            return
        catalogue, entries = self._drills.catalogue, self._drills.progress.read()
        solved = [name for name in catalogue.names if name in entries and not entries[name].is_shown]
        self._header.show(f"drills · {len(solved)} of {len(catalogue.names)} solved · seed {catalogue.seed}")
        self._intro.show("In a working cluster one thing is broken. Find it, name it, repair it.")
        rows: list[tuple[str, Cells]] = []
        for name in catalogue.names:
            entry = entries.get(name)
            mark = Words("✓", Tone.GOOD) if name in solved else dim("○")
            is_wide = self.app.size.width >= _WIDE
            told = (dim(name), catalogue.drill(name).title) if is_wide else (catalogue.drill(name).title,)
            rows.append((name, (mark, *told, dim(entry.words if entry is not None else ""))))
        self._table.show(rows, ("", "name", "symptom", "") if is_wide else ("", "symptom", ""))

    @on(KeyedTable.RowSelected)
    def action_open(self) -> None:
        """Start the drill under the cursor."""
        if self._table.key is not None:
            self._drills.open_drill(self._table.key)
