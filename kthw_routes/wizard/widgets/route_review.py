"""The review of the routes: tabs, the matrix of next hops, the list of the rest, and the detail of what is in focus."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical, VerticalScroll
from textual.events import DescendantFocus
from textual.message import Message
from textual.widget import Widget
from textual.widgets import DataTable

from kthw_routes.plan.changes import ChangeKind, RouteChange
from kthw_routes.wizard.text import review_rows, route_cells
from kthw_routes.wizard.text.review_rows import Row, Tab
from kthw_routes.wizard.widgets.matrix import Matrix
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.wizard.widgets.search import Search
from kthw_routes.wizard.widgets.tab_line import TabLine
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import KIND_TONE, Words, matrix_sources, summary
from kthw_routes.workflow.results import Review

_SIDE_COLUMNS = 98
"""Columns from which the detail is beside the routes."""


class RouteReview(Container):
    """Shows one review; reports what is pressed, and decides nothing."""

    DEFAULT_CSS = """
    RouteReview {
        layout: vertical;
        height: 1fr;
        #review-rows { height: auto; max-height: 60%; }
        #matrix { height: auto; max-height: 14; }
        #legend { padding: 0 1; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #changes { height: auto; max-height: 100%; overflow-x: hidden; }
        #detail-box { height: 1fr; min-height: 5; border-top: solid $foreground 12%; padding: 0 1; }
        #detail-box:focus { border-top: solid $primary; }
        #detail { margin: 0; height: auto; }
        &.-beside { layout: horizontal; }
        &.-beside #review-rows { width: auto; min-width: 56%; max-width: 66%; height: 1fr; max-height: 100%; }
        &.-beside #detail-box { height: 1fr; border-top: none; border-left: solid $foreground 20%; }
        &.-beside #detail-box:focus { border-left: solid $primary; }
    }
    """

    @dataclass
    class Pressed(Message):
        """Enter or a click on the row in focus."""

    @dataclass
    class Moved(Message):
        """Another row is in focus."""

    @dataclass
    class Turned(Message):
        """Another tab, or other words are searched for: the rows are to be shown again."""

    def __init__(
        self, box: Callable[[Row], bool | None], describe: Callable[[Row, Review], Iterable[Words | str]]
    ) -> None:
        """Take `box`: whether a row's box is ticked, None where it has none; `describe`: the detail of a row."""
        super().__init__(id="review")
        self._box = box
        self._describe = describe
        self._tabs = TabLine([tab.name.title() for tab in Tab], id="tabs")
        self._matrix = Matrix(id="matrix", cursor="cell")
        self._legend = Paragraph(id="legend")
        self._changes = KeyedTable("host", "", "what", "why", id="changes")
        self._search = Search(self._changes, id="search")
        self._detail_box = VerticalScroll(id="detail-box", can_focus=False)
        self._detail = Paragraph(id="detail")
        self._rows: dict[str, Row] = {}
        self._review: Review | None = None
        self._counts: Counter[Tab] = Counter()
        self._topic: Widget = self._matrix
        """Whose row the detail explains: the matrix's or the list's."""

    def compose(self) -> ComposeResult:
        """Yield tabs, matrix, list; then the detail."""
        with Vertical(id="review-rows"):
            yield from (self._tabs, self._matrix, self._legend, self._search, self._changes)
        with self._detail_box:
            yield self._detail

    @property
    def tab(self) -> Tab:
        """The tab that is shown."""
        return Tab(self._tabs.chosen)

    @property
    def row(self) -> Row | None:
        """The row in focus."""
        if self._review is None:
            return None
        if self._is_in_matrix:
            pair = self._matrix.pair
            return route_cells.row_of(self._review, *pair) if pair is not None else None
        return self._rows.get(self._changes.key or "")

    @property
    def pair(self) -> tuple[str, str] | None:
        """The two nodes in focus; None where no route is."""
        if self._is_in_matrix:
            return self._matrix.pair
        row = self.row
        worker = row.change.worker if row is not None and isinstance(row.change, RouteChange) else None
        return (row.host, worker) if row is not None and worker is not None else None

    @property
    def _is_in_matrix(self) -> bool:
        return self._topic is self._matrix and self._matrix.display

    def show(self, review: Review, in_tabs: Mapping[Tab, Sequence[Row]]) -> None:
        """Show a review; `in_tabs`: its rows."""
        if review is not self._review:
            self._review, self._counts = review, review_rows.changes_in_tabs(review)
        in_tab = in_tabs[self.tab]
        workers, sources = [w.name for w in review.inspection.cluster.workers], self._show_matrix(review)
        self._matrix.display &= self.tab is Tab.ROUTES
        self._legend.display = self._matrix.display
        if self._matrix.display and workers:
            self._legend.show(*route_cells.legend(review))
            in_tab = list(route_cells.without_cell(review, in_tab, sources))
        self._rows = {row.key: row for row in in_tab}
        room = max(12, 0 if self.has_class("-beside") else self.size.width - 66)
        found = {k: row for k, row in self._rows.items() if self._search.finds(row.host, *review_rows.texts(row))}
        self._changes.show((key, review_rows.cells(row, room, self._box(row))) for key, row in found.items())
        self._changes.display = bool(found) or self._search.display
        self._tabs.show([*(self._counts[tab] for tab in Tab if tab is not Tab.NOTES), len(in_tabs[Tab.NOTES])])
        self._show_detail()

    def _show_matrix(self, review: Review) -> tuple[str, ...]:
        cluster = review.inspection.cluster
        sources, workers = matrix_sources(cluster, review.plan), [w.name for w in cluster.workers]
        self._matrix.show_pairs(sources, workers, lambda s, t: route_cells.cell(review, s, t), "on \\ to")
        return sources

    def _show_detail(self) -> None:
        review, row = self._review, self.row
        if review is None:
            return
        if self._is_in_matrix and row is None and self._matrix.pair is not None:
            self._detail.show(*route_cells.cell_detail(review, *self._matrix.pair))
        elif row is not None:
            self._detail.show(*self._describe(row, review))
        else:
            words = summary(review.plan) if review.plan.is_empty else "Nothing here."
            self._detail.show(Words(words, KIND_TONE[ChangeKind.KEEP]))

    def on_resize(self) -> None:
        """Put the detail beside the routes where there is room."""
        self.set_class(self.size.width >= _SIDE_COLUMNS, "-beside")

    def laid_out(self) -> None:
        """Let Tab reach a detail that has to be scrolled."""
        box = self._detail_box
        box.can_focus = box.max_scroll_y > 0 or box.has_focus

    def focus_rows(self) -> None:
        """Focus the matrix, or the list where there is none; the tabs where there is nothing."""
        self._topic = self._matrix if self._matrix.display else self._changes
        (self._topic if self._topic.display else self._tabs).focus()
        self._show_detail()

    def choose_tab(self, number: int) -> None:
        """Show another tab."""
        self._tabs.choose(number)

    def begin_search(self) -> None:
        """Narrow the list to the rows that have some words."""
        if self._rows:
            self._search.begin()

    @on(TabLine.Chosen)
    @on(Search.Changed, "#search")
    def _turned(self, event: TabLine.Chosen | Search.Changed) -> None:
        event.stop()
        if isinstance(event, TabLine.Chosen):
            self._topic = self._matrix if self.tab is Tab.ROUTES else self._changes
        self.post_message(self.Turned())

    @on(DescendantFocus)
    def _focused(self, event: DescendantFocus) -> None:
        if event.widget in (self._changes, self._matrix):
            self._topic = event.widget
            self._moved()

    @on(KeyedTable.RowHighlighted, "#changes")
    @on(DataTable.CellHighlighted, "#matrix")
    def _moved(self) -> None:
        self._show_detail()
        self.post_message(self.Moved())

    @on(DataTable.CellSelected, "#matrix")
    @on(KeyedTable.RowSelected, "#changes")
    def _selected(self) -> None:
        self.post_message(self.Pressed())
