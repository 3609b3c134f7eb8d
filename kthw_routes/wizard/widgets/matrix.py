"""A table of all pairs of workers: from a row to a column."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from kthw_routes.wizard.themes import cut_middle
from kthw_routes.wizard.widgets.table import Cells, KeyedTable
from kthw_routes.words import Words

MAX_WORKERS: Final = 12
"""A wider matrix is unreadable, so it is not shown."""


class Matrix(KeyedTable):
    """A table to read only: it has no cursor."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, pick=False)

    def show_pairs(self, sources: Iterable[str], targets: Sequence[str], cell: Callable[[str, str], Words]) -> None:
        """Fill a cell per source and target; hide the table where there are no targets, or too many."""
        self.display = 0 < len(targets) <= MAX_WORKERS
        if not self.display:
            return
        width = 14 if self.screen.size.width < 100 else 24
        columns = ("from \\ to", *(cut_middle(target, width) for target in targets))
        rows: list[tuple[str, Cells]] = [(s, (cut_middle(s, width), *(cell(s, t) for t in targets))) for s in sources]
        self.show(rows, columns)
