"""The review as it can be marked: routes and names to remove, pod CIDRs to repair, warnings that are known."""

from collections.abc import Iterable

from textual import on

from kthw_routes.findings.model import Finding
from kthw_routes.options import Options
from kthw_routes.plan.changes import FileChange, RouteChange
from kthw_routes.wizard.marks import Marks
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.text import review_detail, review_rows
from kthw_routes.wizard.text.review_rows import Row
from kthw_routes.wizard.widgets.route_review import RouteReview
from kthw_routes.words import Words
from kthw_routes.workflow.results import Review


class MarkingStep(StepScreen):
    """A step that shows the review."""

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        self._marks = Marks(self.controller)
        self._shown = RouteReview(self._box, self._describe)

    @property
    def review(self) -> Review:
        """The plan, with what is chosen now."""
        return self.controller.review()

    @property
    def _is_asking(self) -> bool:
        """Whether a question is shown in place of the review."""
        return False

    @property
    def _options(self) -> Options:
        return self.controller.choices.options

    def _choose(self, options: Options) -> None:
        self.controller.choose(options)
        self.redraw()

    def _describe(self, row: Row, review: Review) -> Iterable[Words | str]:
        change = row.change
        if isinstance(change, Finding):
            known = change in self.controller.choices.acknowledged
            return review_detail.finding_detail(change, known=known, ticks=self._box(row) is not None)
        return review_detail.change_detail(row, change, review, self._options, can_mark=self._marks.can_mark(row))

    def _box(self, row: Row) -> bool | None:
        return self._marks.box(row)

    def action_mark(self) -> None:
        """Mark or unmark the foreign or stale entry in focus; tick the warning there."""
        row = None if self._is_asking else self._shown.row
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
        words = review_detail.repair_words(row.host, change, self.controller.review_with(marked))
        self.app.push_screen(
            Confirm(f"Repair {change.prefix} on {row.host}?", words, "Leave it", repair="Repair it"),
            lambda answer: self._choose(marked) if answer else None,
        )

    @on(RouteReview.Pressed)
    def _pressed(self) -> None:
        if (row := self._shown.row) is not None and isinstance(row.change, FileChange):
            from kthw_routes.wizard.modals.text import WholeText  # its text area is slow to import

            text = "\n".join(review_detail.file_lines(row.change))
            self.app.push_screen(WholeText(review_detail.file_heading(row, row.change), text))
        else:
            self.action_mark()
