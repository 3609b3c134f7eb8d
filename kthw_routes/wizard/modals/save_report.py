"""Saves what the proof read as a report, for `trace --report`; with other names and addresses where that is ticked."""

import json
from typing import Final

from textual.app import ComposeResult

from kthw_routes.record.documents import CheckDocument
from kthw_routes.record.redact import redact
from kthw_routes.wizard.modals.save_form import SaveForm
from kthw_routes.wizard.widgets.choices import TickBox

_WHY: Final = (
    "All that was read, as `check --json` prints it. Whoever has the file can follow packets, and reaches no host:"
    "\n  kthw-routes trace --report FILE"
)


class SaveReport(SaveForm):
    """Gives the path of the report that was written; None: none was."""

    heading = "Save a report"

    def __init__(self, document: CheckDocument) -> None:
        super().__init__("", _WHY, "report.json")
        self._document = document
        self._is_redacted = TickBox("other names and addresses in place of the real ones", id="redact")

    def compose_body(self) -> ComposeResult:
        """Show what for, where, and whether it is redacted."""
        yield from super().compose_body()
        yield self._is_redacted

    @property
    def text(self) -> str:
        """The report."""
        document = redact(self._document) if self._is_redacted.value else self._document
        return json.dumps(document, indent=2) + "\n"
