"""A table of rows with stable keys, which can be filled again without losing the cursor."""

from collections.abc import Iterable, Sequence
from typing import Literal

from rich.text import Text
from textual.geometry import Offset
from textual.widgets import DataTable

from kthw_routes.wizard.themes import style_cell
from kthw_routes.words import Words

_AT_ONCE = 200
"""Rows; a table of thousands is filled in several turns of the event loop."""

Cells = Sequence[Words | str]
Cursor = Literal["row", "cell", "none"]


class KeyedTable(DataTable[Text]):
    """Rows of words; the row under the cursor is identified by its key, never by its number."""

    DEFAULT_CSS = """
    KeyedTable {
        height: auto;
        background: transparent;
        scrollbar-size-horizontal: 1;
        & > .datatable--header { background: transparent; color: $foreground 60%; text-style: none; }
        & > .datatable--fixed { background: transparent; color: $foreground; }
        & > .datatable--even-row, & > .datatable--odd-row { background: transparent; }
    }
    """

    def __init__(self, *columns: str, id: str | None = None, cursor: Cursor = "row") -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, cursor_type=cursor, show_cursor=cursor != "none", cell_padding=1)
        self._titles = columns
        self._unfilled: list[tuple[str, tuple[Words | str, ...]]] = []
        self._rows: list[tuple[str, tuple[Words | str, ...]]] = []
        if cursor == "none":
            self.can_focus = False

    def on_mount(self) -> None:
        """Add the columns; the cells hold the colours, so another theme fills them again."""
        if self._titles:
            self.add_columns(*(Text(t, no_wrap=True) for t in self._titles))
        self.app.theme_changed_signal.subscribe(self, self._repaint)

    @property
    def key(self) -> str | None:
        """The key of the row under the cursor."""
        if not self.row_count or not self.is_valid_row_index(self.cursor_row):
            return None
        return self._rows[self.cursor_row][0]

    @property
    def cursor_offset(self) -> Offset:
        """Where the row, or the cell, under the cursor begins."""
        before = self.ordered_columns[: self.cursor_column] if self.cursor_type == "cell" else []
        x = sum(column.get_render_width(self) for column in before)
        return Offset(x + self.cell_padding, self.header_height + self.cursor_row)

    def show(self, rows: Iterable[tuple[str, Cells]], columns: Sequence[str] | None = None) -> None:
        """Fill the table; the cursor stays on its row where that still exists."""
        fresh = [(key, tuple(cells)) for key, cells in rows]
        if columns is not None and tuple(columns) == self._titles:
            columns = None
        if fresh == self._rows and columns is None:
            return
        before, row = self.key, self.cursor_row
        same = columns is None and not self._unfilled and [k for k, _ in fresh] == [k for k, _ in self._rows]
        old, self._rows = self._rows, fresh
        if same:
            self._change_cells(old)
            return
        self.clear(columns=columns is not None)
        if columns is not None:
            self._titles = tuple(columns)
            self.add_columns(*(Text(t, no_wrap=True) for t in columns))
        keys = [key for key, _ in fresh]
        self._unfilled = list(reversed(fresh))
        self._fill(keys.index(before) if before in keys else min(row, len(keys) - 1))

    def _fill(self, cursor: int) -> None:
        """Add the next rows; few enough at once that the screen never stalls."""
        for _ in range(min(_AT_ONCE, len(self._unfilled))):
            key, cells = self._unfilled.pop()
            self.add_row(*(style_cell(self.app, c) for c in cells), key=key)
        if 0 <= cursor < self.row_count:
            self.move_cursor(row=cursor)
            cursor = -1
        if self._unfilled:
            self.call_later(self._fill, cursor)

    def _change_cells(self, old: list[tuple[str, tuple[Words | str, ...]]]) -> None:
        names = list(self.columns)
        for (key, cells), (_, were) in zip(self._rows, old, strict=True):
            for name, now, was in zip(names, cells, were, strict=True):
                if now != was:
                    self.update_cell(key, name, style_cell(self.app, now), update_width=True)

    def _repaint(self, _theme: object) -> None:
        rows, self._rows = self._rows, []
        self.clear()
        self.show(rows)
