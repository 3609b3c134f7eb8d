"""A table of all pairs of workers: from a row to a column."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from textual.coordinate import Coordinate

from kthw_routes.wizard.themes import cut_middle
from kthw_routes.wizard.widgets.table import Cells, Cursor, KeyedTable
from kthw_routes.words import Words

MAX_WORKERS: Final = 12
"""A wider matrix is unreadable, so it is not shown."""


class Matrix(KeyedTable):
    """A table of pairs; its cursor, if any, is on one pair."""

    def __init__(self, *, id: str, cursor: Cursor = "none") -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, cursor=cursor)
        self.fixed_columns = 1
        self._targets: Sequence[str] = ()

    @property
    def pair(self) -> tuple[str, str] | None:
        """Source and target under the cursor; None where it is on neither."""
        column = self.cursor_column - 1
        if self.key is None or not 0 <= column < len(self._targets):
            return None
        return self.key, self._targets[column]

    def go_to(self, source: str, target: str) -> None:
        """Put the cursor on a pair, if it is shown."""
        if self.display and target in self._targets and source in self.rows:
            self.move_cursor(row=self.get_row_index(source), column=1 + list(self._targets).index(target))

    def validate_cursor_coordinate(self, value: Coordinate) -> Coordinate:
        """Keep the cursor off the names of the rows."""
        valid = super().validate_cursor_coordinate(value)
        return Coordinate(valid.row, max(1, valid.column)) if len(self.columns) > 1 else valid

    def show_pairs(
        self, sources: Iterable[str], targets: Sequence[str], cell: Callable[[str, str], Words], corner: str = "from"
    ) -> None:
        """Fill a cell per source and target; hide the table where there are no targets, or too many."""
        self.display = 0 < len(targets) <= MAX_WORKERS
        if not self.display:
            return
        self._targets = targets
        width = 17 if self.screen.size.width < 100 else 24
        columns = (corner, *(cut_middle(target, width) for target in targets))
        rows: list[tuple[str, Cells]] = [(s, (cut_middle(s, width), *(cell(s, t) for t in targets))) for s in sources]
        self.show(rows, columns)
