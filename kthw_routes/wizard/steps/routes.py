"""Step 4: the review. What would change on each host, why, and by which commands. Nothing is changed yet."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.events import DescendantFocus
from textual.widget import Widget

from kthw_routes.findings.model import Finding
from kthw_routes.options import Options, RoutesOn
from kthw_routes.plan.changes import ChangeKind, FileChange, RouteChange
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.base import StepScreen, refuse_stops, refuse_unticked
from kthw_routes.wizard.steps.route_choices import RouteChoices
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.text import manual_commands, persist_question, review_rows
from kthw_routes.wizard.text.review_rows import Row
from kthw_routes.wizard.themes import dim
from kthw_routes.wizard.widgets.matrix import Matrix
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.wizard.widgets.search import Search
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import KIND_TONE, Words, count, matrix_cell, matrix_sources, summary
from kthw_routes.workflow.results import Review


class RoutesStep(StepScreen):
    """Choices, matrix, changes, and the detail of what has the focus."""

    title_word = "Routes"
    purpose = "This will change. Nothing has been changed yet."
    lesson_name = "routes"
    keys = (
        ("Up  Down", "reason and command of another change"),
        ("Space", "mark an extra route for removal, or unmark it"),
        ("", "repair an overridden pod CIDR (asks first)"),
        ("Enter", "the whole text of a file"),
        ("/", "search among the changes; Escape shows all"),
        ("b", "keep the routes after a reboot, or not"),
        ("h", "which nodes get the names in /etc/hosts"),
        ("o", "routes on the controllers too, or on workers only"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", show=False),
        Binding("slash", "search", "Search", show=False),
        Binding("h", "names", "Names", show=False),
        Binding("b", "question", "Reboot", show=False),
        Binding("o", "routes_on", "Controllers too", show=False),
    ]

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        self._matrix = Matrix(id="matrix")
        self._changes = KeyedTable("host", "", "what", "why", id="changes")
        self._search = Search(self._changes, id="search")
        self._detail_box = VerticalScroll(id="detail-box", can_focus=False)
        self._detail = Paragraph(id="detail")
        self._rows: dict[str, Row] = {}
        self._topic: Widget = self._changes
        """What the detail explains: one of the choices, or the row under the cursor."""
        self._was_entered = False

    def compose_body(self) -> ComposeResult:
        """Yield choices, matrix, changes, detail."""
        self._choices = RouteChoices(self._options)
        with VerticalScroll(can_focus=False):
            yield self._choices
            yield from (self._matrix, self._search, self._changes)
            with self._detail_box:
                yield self._detail

    @property
    def review(self) -> Review:
        """The plan, with what is chosen now."""
        return self.controller.review()

    @property
    def purpose_text(self) -> str:
        """What the screen shows now, with the question while it applies."""
        if self.last_run.is_undo:
            return f"This undoes run {self.review.undoes}. Later changes stay untouched."
        if self.controller.inspection is None or self.last_run.report is not None:
            return self.purpose
        asked = persist_question.is_applicable(self.review)
        return "Nothing has been changed yet. Keep these routes after a reboot?" if asked else self.purpose

    def enter(self) -> None:
        """Focus the question while it needs an answer, else the changes."""
        if self.controller.inspection is None:
            return
        if persist_question.wants_answer(self.review):
            self._choices.focus_question()
        elif not self._was_entered:
            self._changes.focus()
        self._was_entered = True

    async def draw(self) -> None:
        """Draw the plan."""
        if self.controller.inspection is None:
            return
        review = self.review
        cluster, plan = review.inspection.cluster, review.plan
        workers, sources = [w.name for w in cluster.workers], matrix_sources(cluster, plan)
        self._matrix.show_pairs(sources, workers, lambda s, t: matrix_cell(plan.host(s), s, t))
        self._rows = {row.key: row for row in review_rows.rows_of(review)}
        room = max(12, self.body.size.width - 49)
        found = {k: row for k, row in self._rows.items() if self._search.finds(row.host, *review_rows.texts(row))}
        self._changes.show((key, review_rows.cells(row, room, self._box(row))) for key, row in found.items())
        self._changes.display = bool(self._rows)
        self._choices.show(review, is_over=self.last_run.report is not None)
        self._draw_detail()

    # --- the detail ---

    def _draw_detail(self) -> None:
        review, detail, row = self.review, self._detail, self._row
        if self._choices.owns(self._topic) and self._topic.display:
            detail.show(*self._choices.describe(self._topic, review))
        elif row is not None:
            detail.show(*self._row_detail(row, review))
        else:
            detail.show(Words(summary(review.plan), KIND_TONE[ChangeKind.KEEP]) if review.plan.is_empty else "")

    def laid_out(self) -> None:
        """Let Tab reach a detail that has to be scrolled."""
        box = self._detail_box
        box.can_focus = box.max_scroll_y > 0 or box.has_focus

    def _row_detail(self, row: Row, review: Review) -> Iterable[Words | str]:
        change = row.change
        if isinstance(change, Finding):
            known = change in self.controller.choices.acknowledged
            return review_rows.finding_detail(change, known=known, ticks=self._box(row) is not None)
        return review_rows.change_detail(row, change, review, self._options, can_mark=self._can_mark(row))

    @on(DescendantFocus)
    def _focused(self, event: DescendantFocus) -> None:
        if event.widget is self._changes or self._choices.owns(event.widget):
            self._topic = event.widget
            self._moved()

    @on(KeyedTable.RowHighlighted, "#changes")
    @on(RouteChoices.Moved)
    def _moved(self) -> None:
        if self.controller.inspection is not None:
            self._draw_detail()

    # --- the choices ---

    @property
    def _options(self) -> Options:
        return self.controller.choices.options

    def _choose(self, options: Options) -> None:
        self.controller.choose(options)
        self.redraw()

    @on(RouteChoices.Changed)
    def _chosen(self, event: RouteChoices.Changed) -> None:
        self._choose(event.options)

    def action_question(self) -> None:
        """Focus the question about the next reboot."""
        self._choices.focus_question()

    def action_names(self) -> None:
        """Write the names on other nodes, or on none."""
        self._choices.turn_names()

    def action_routes_on(self) -> None:
        """Make routes on the controllers too, or on the workers only."""
        if self.controller.inspection is None or self.last_run.report is not None or self.last_run.is_undo:
            self.app.bell()
        else:
            other = RoutesOn.WORKERS if self._options.routes_on is RoutesOn.ALL else RoutesOn.ALL
            self._choose(replace(self._options, routes_on=other))

    def action_search(self) -> None:
        """Narrow the changes to those that have some words."""
        self._search.begin()

    @on(Search.Changed, "#search")
    def _searched(self) -> None:
        self.redraw()

    # --- marking ---

    def _box(self, row: Row) -> bool | None:
        """Return whether the row's box is ticked; None where it has none."""
        if isinstance(change := row.change, Finding):
            before = (*self.controller.node_findings, *self.controller.host_findings)
            is_new = change.acknowledge and change not in before
            return change in self.controller.choices.acknowledged if is_new else None
        if review_rows.is_marked(row, self._options):
            return True
        return False if self._can_mark(row) else None

    def _can_mark(self, row: Row) -> bool:
        return self.last_run.report is None and review_rows.can_be_marked(row)

    @property
    def _row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows.get(self._changes.key or "")

    def action_mark(self) -> None:
        """Mark or unmark the foreign or stale entry under the cursor; tick the warning there."""
        row = self._row
        if row is None or self.last_run.report is not None:
            return
        if isinstance(row.change, Finding):
            if (known := self._box(row)) is not None:
                self.controller.choices.acknowledge(row.change, not known)
                self.redraw()
        elif (box := self._box(row)) is not None:
            marked = review_rows.toggled(row, self._options)
            if not box and isinstance(row.change, RouteChange) and review_rows.is_own_cidr(self.review, row):
                self._ask_for_repair(row, row.change, marked)
            else:
                self._choose(marked)

    def _ask_for_repair(self, row: Row, change: RouteChange, marked: Options) -> None:
        """Show what the repair of an own pod CIDR does, before it is marked."""
        host = self.controller.review_with(marked).plan.host(row.host)
        repairs = [c for c in host.routes if c.prefix == change.prefix] if host else []
        lines = [line for c in repairs for line in (*(f"  {command}" for command in c.commands), "", c.reason)]
        words = (
            f"Another route overrides {row.host}'s own pod CIDR {change.prefix}: its pods are unreachable.\n\n"
            f"{chr(10).join(lines)}\n\nThe commands are sent when you press Run, not before."
        )
        self.app.push_screen(
            Confirm(f"Repair {change.prefix} on {row.host}?", words, "Leave it", repair="Repair it"),
            lambda answer: self._choose(marked) if answer else None,
        )

    @on(KeyedTable.RowSelected, "#changes")
    def _selected(self) -> None:
        if (row := self._row) is not None and isinstance(row.change, FileChange):
            from kthw_routes.wizard.modals.text import WholeText  # its text area is slow to import

            text = "\n".join(review_rows.file_lines(row.change))
            self.app.push_screen(WholeText(review_rows.file_heading(row, row.change), text))
        else:
            self.action_mark()

    # --- going on ---

    @property
    def refusal(self) -> str | None:
        """Why the run cannot start: a stop, the open question, or a warning without a tick."""
        if self.controller.inspection is None:
            return "To continue: go Back and read the hosts."
        if stopped := refuse_stops(self.review.findings):
            return stopped
        if self.last_run.report is not None:
            return None
        if persist_question.wants_answer(self.review):
            return persist_question.REFUSAL
        unknown = [row for row in self._rows.values() if isinstance(row.change, Finding) and self._box(row) is False]
        return refuse_unticked(unknown, "press Space on")

    @property
    def next_label(self) -> str:
        """How many changes the button makes."""
        if self.controller.inspection is None or self.last_run.report is not None:
            return "Next"
        plan = self.review.plan
        return "Prove" if plan.is_empty else f"Run {count(plan.changes, 'change')}"

    @property
    def status(self) -> Words | str:
        """How much would change."""
        if self.last_run.report is not None and not self.review.plan.is_empty:
            return dim("These changes were run. For a new review: Back, then Read again.")
        if stale := review_rows.only_stale(self.review):
            return stale
        text = summary(self.review.plan, tuple(self.review.inspection.troubles))
        return text if len(text) <= self.size.width - 2 else review_rows.in_short(self.review)

    def commit(self) -> bool:
        """Record a run without changes where there is nothing to do."""
        if self.last_run.report is None and self.review.plan.is_empty:
            self.controller.work.begin()
            self.controller.take_report(self.controller.run(self.review))
        return True

    def list_commands(self) -> Iterable[str]:
        """Return the plan's commands."""
        if self.controller.inspection is None:
            return ()
        return manual_commands.planned(self.review, self.last_run.report, self.controller.settings_of_source)

    def palette(self) -> Iterable[SystemCommand]:
        """Yield the choices of this step."""
        yield SystemCommand("After a reboot", "Keep the routes after a reboot, or not", self.action_question)
        yield SystemCommand("Names in /etc/hosts", "Write them on other nodes, or on none", self.action_names)
        yield SystemCommand("Routes on controllers too", "Or on the workers only", self.action_routes_on)
        yield SystemCommand("Mark", "Remove an extra route, repair an overridden pod CIDR", self.action_mark)
