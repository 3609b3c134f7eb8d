"""A field that narrows a table to the rows that have some words; hidden while nothing is searched for."""

from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input


class Search(Input):
    """What is searched for in a table. Enter goes to its rows, Escape shows all of them again."""

    DEFAULT_CSS = """
    Search { display: none; width: 1fr; margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Show all", show=False),
        Binding("enter,down", "go", "To the rows", show=False),
    ]

    def __init__(self, table: Widget, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(placeholder="search: a host, an address, a word", compact=True, id=id)
        self._table: Final = table

    def begin(self) -> None:
        """Show the field, and type there."""
        self.display = True
        self.focus()

    def action_close(self) -> None:
        """Show all rows again."""
        self.value = ""
        self.display = False
        self._table.focus()

    def action_go(self) -> None:
        """Go to the rows that were found."""
        self._table.focus()

    def finds(self, *texts: str) -> bool:
        """Return whether every word that is searched for is in one of these texts, in any case."""
        together = "\n".join(texts).casefold()
        return all(word in together for word in self.value.casefold().split())
