"""What is ticked in the review: warnings that are known, routes and names to remove, pod CIDRs to repair."""

from typing import Final

from kthw_routes.findings.model import Finding
from kthw_routes.wizard.controller import Controller
from kthw_routes.wizard.text import review_rows
from kthw_routes.wizard.text.review_rows import Row


class Marks:
    """The boxes of the rows, as they follow from what was chosen."""

    def __init__(self, controller: Controller) -> None:
        self._controller: Final = controller

    def box(self, row: Row) -> bool | None:
        """Return whether the row's box is ticked; None where it has none."""
        choices = self._controller.choices
        if isinstance(change := row.change, Finding):
            before = (*self._controller.node_findings, *self._controller.host_findings)
            is_new = change.acknowledge and change not in before
            return change in choices.acknowledged if is_new else None
        if review_rows.is_marked(row, choices.options):
            return True
        return False if self.can_mark(row) else None

    def can_mark(self, row: Row) -> bool:
        """Return whether the row can be marked: not once it was run."""
        return self._controller.last_run.report is None and review_rows.can_be_marked(row)
