"""Step 6: does traffic get through? The evidence, the matrix in words, why not, the tables, the way back."""

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Final

from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Button, Collapsible

from kthw_routes.errors import Cancelled
from kthw_routes.events import Phase
from kthw_routes.plan.changes import describe
from kthw_routes.proof.readings import Proof
from kthw_routes.undo.by_hand import manual_undo
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.base import StepScreen, Wizard
from kthw_routes.wizard.steps.routes import MAX_MATRIX
from kthw_routes.wizard.text import manual_commands
from kthw_routes.wizard.text import summaries as telling
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.wizard.widgets.findings import FindingList
from kthw_routes.wizard.widgets.paragraph import ErrorBox, Paragraph
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import NEXT_LAB, REBOOT, Tone, Words, count, explanations, proof_cell, undo_summary
from kthw_routes.workflow.results import Review

_MAX_LEFT: Final = 8
"""Lines that the question lists; all of them stand in the transcript."""


class ProofStep(StepScreen):
    """Headline, evidence, matrix, explanations; then what is worth keeping."""

    title_word = "Proof"
    purpose = "Three requests go from each worker's pod network to each other's."
    lesson_name = "proof"
    keys = (("r", "prove again"), ("u", "undo this run; asks"), ("Enter", "open and close what is folded"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "prove", "Prove again", show=False),
        Binding("u", "undo", "Undo", show=False),
    ]

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        self._column = self.first_focus = VerticalScroll(id="proof")
        self._headline = Paragraph(id="headline")
        self._error_box = ErrorBox(id="error")
        self._pairs = KeyedTable(id="pairs", pick=False)
        self._explained = Paragraph(id="explained")
        self._findings = FindingList(id="findings")
        self._tables, self._undo, self._rest = Paragraph(id="tables"), Paragraph(id="undo"), Paragraph(id="rest")
        self._fold_tables = Collapsible(self._tables, title="ip route of each worker, as read back", id="fold-tables")
        self._fold_undo = Collapsible(self._undo, title="How to undo, host by host", id="fold-undo")
        self._prove = Button("Prove again", id="prove", compact=True, action="screen.prove")
        self._take_back = Button("Undo this run", id="take-back", compact=True, action="screen.undo")

    def compose_body(self) -> ComposeResult:
        """All in one column that scrolls."""
        with self._column:
            yield from (self._headline, self._error_box, self._pairs, self._explained, self._findings)
            yield from (self._fold_tables, self._fold_undo, self._rest)

    def extra_buttons(self) -> Iterable[Button]:
        """Prove again, undo."""
        return self._prove, self._take_back

    @property
    def is_skipped(self) -> bool:
        """Whether the run was an undo: what was taken back cannot be proved."""
        return self.controller.is_undo

    def entered(self) -> None:
        """By itself, after the run."""
        if self.controller.proof is None and not self.busy:
            self.action_prove()

    def action_prove(self) -> None:
        """Look at the tables and send test traffic."""
        if not self.busy:
            self.controller.commands.pop(Phase.PROOF, None)
            self.work("reading the tables, sending test traffic", self.controller.prove, self._proved)

    def _proved(self, proof: Proof) -> None:
        if self.controller.is_stopping:
            self.error = Cancelled("Stopped before all was seen.", "Prove again begins anew.")
        else:
            self.controller.take_proof(proof)

    # --- taking it back ---

    @property
    def _can_undo(self) -> bool:
        return bool(self.controller.run_id) and not self.controller.is_undo and not self.busy

    def action_undo(self) -> None:
        """Read what stands on the hosts now, and ask."""
        if self._can_undo:
            self.work("reading what stands on the hosts now", self.controller.prepare_undo, self._ask_to_undo)
        else:
            self.app.bell()

    def _ask_to_undo(self, review: Review) -> None:
        if self.controller.is_stopping:
            self.error = Cancelled("Stopped before all was read. Nothing was changed.")
            return
        words = [undo_summary(review) if review.plan.is_empty else f"To be taken back: {undo_summary(review)}."]
        left = telling.left_alone(review)
        words += ["", "Left as it is:", *(f"  {line}" for line in left[:_MAX_LEFT])] if left else []
        words += [f"  and {len(left) - _MAX_LEFT} more"] if len(left) > _MAX_LEFT else []
        if review.plan.is_empty:
            self.app.push_screen(Confirm("Undo this run", "\n".join(words), "Close"))
            return
        words += ["", "All else is put back as it was before this run. The undo is a run of its own."]

        def answered(answer: str | None) -> None:
            if answer:
                self.controller.begin_undo(review)
                self.wizard.go(-1)

        self.app.push_screen(Confirm("Undo this run?", "\n".join(words), "Keep it", undo="Undo it"), answered)

    async def draw(self) -> None:
        """From what was seen."""
        controller, proof = self.controller, self.controller.proof
        self._prove.disabled = bool(self.busy)
        self._take_back.display = self._can_undo
        self._error_box.show_error(self.error)
        self._explained.display = self._fold_tables.display = proof is not None
        self._pairs.display = proof is not None and 0 < len(_sources(proof)) <= MAX_MATRIX
        if proof is None:
            self._headline.show(dim("Nothing was seen yet."))
        else:
            tone = Tone.GOOD if proof.is_proved else Tone.BAD if proof.failed else Tone.WARNING
            mark = "✓" if proof.is_proved else "✗" if proof.failed else "?"
            self._headline.show(Words(f"{mark} {proof.headline}", tone), dim(f"\nEvidence: {proof.evidence_words}."))
            self._draw_pairs(proof)
            lines = explanations(proof)
            width = self.body.size.width - 2
            self._explained.show("\n".join(_hanging(line, width) for line in lines))
            self._tables.show(_tables(proof))
        warnings = [f for f in controller.review().findings if f.acknowledge] if controller.inspection else []
        await self._findings.show(warnings if proof is None or not proof.is_proved else [])
        self._draw_rest()

    def _draw_pairs(self, proof: Proof) -> None:
        workers = _sources(proof) if len(_sources(proof)) <= MAX_MATRIX else []
        width = 14 if self.size.width < 100 else 24
        columns = ("from \\ to", *(cut_middle(w, width) for w in workers))
        rows: list[tuple[str, tuple[Words | str, ...]]] = [
            (s, (cut_middle(s, width), *(proof_cell(proof, s, t) for t in workers))) for s in workers
        ]
        self._pairs.show(rows, columns)

    def _draw_rest(self) -> None:
        report = self.controller.report
        ways = manual_undo(report.review.plan, report.outcomes) if report else ()
        self._fold_undo.display = bool(ways)
        self._undo.show(
            "\n".join(line for way in ways for line in (f"# on {way.host}, as root:", *way.lines, "")).rstrip()
        )
        parts: list[Words | str] = []
        if report is not None and report.folder is not None:
            parts += [dim("transcript\n"), f"  {_short(report.folder / 'transcript.md')}\n"]
            parts += [Words(f"{self.controller.end_problem}\n", Tone.BAD)] if self.controller.end_problem else []
            later = "" if self.controller.is_lab else f"; later: kthw-routes undo {self.controller.run_id}"
            parts += [dim("undo      "), f"u takes it back{later or ', and asks first'}\n"]
        width = self.body.size.width - 12
        for number, line in enumerate(self._after_reboot):
            text = textwrap.indent(_hanging(line, width), " " * 10)
            parts += [dim("reboot    "), f"{text.lstrip()}\n"] if number == 0 else [f"{text}\n"]
        parts += [dim("next lab  "), NEXT_LAB]
        self._rest.show(*parts)

    @property
    def _after_reboot(self) -> tuple[str, ...]:
        """Whether the routes survive a reboot, and by which files."""
        controller = self.controller
        return telling.after_reboot(controller.report, controller.review().plan) if controller.inspection else ()

    def refusal(self) -> str:
        """It ends when it was proved, or tried."""
        return ""

    def next_label(self) -> str:
        """The last step."""
        return "Finish"

    def commit(self) -> bool:
        """Leave."""
        self.wizard.leave()
        return False

    def status(self) -> Words | str:
        """What is left to do."""
        report = self.controller.report
        if report is not None and report.unfinished:
            return Words(f"Not done on {count(len(report.unfinished), 'host')}: Back, and Retry.", Tone.WARNING)
        reboot = self._after_reboot[:1]
        return Words(reboot[0], Tone.WARNING if reboot[0] == REBOOT else Tone.GOOD) if reboot else ""

    def by_hand(self) -> Iterable[str]:
        """What was run."""
        controller = self.controller
        commands = controller.commands.get(Phase.PROOF, {})
        return manual_commands.ran(
            "What Proof runs on each worker", commands, controller.cluster, controller.settings_of_source
        )

    def palette(self) -> Iterable[SystemCommand]:
        """Prove again, undo."""
        if not self.busy:
            yield SystemCommand("Prove again", "Read the tables and send test traffic", self.action_prove)
        if self._can_undo:
            yield SystemCommand("Undo this run", "Take back what it changed; asks", self.action_undo)


def _sources(proof: Proof) -> list[str]:
    return list(dict.fromkeys(p.source for p in proof.pairs))


def _hanging(text: str, width: int) -> str:
    """A paragraph whose indentation goes for all its lines; one without stands apart from what came before."""
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.fill(text.strip(), max(20, width), initial_indent=indent, subsequent_indent=indent + "  ")


def _tables(proof: Proof) -> str:
    lines: list[str] = []
    for name, facts in proof.facts.items():
        if proof.plan.host(name) is None or not any(p.source == name for p in proof.pairs):
            continue
        lines.append(f"{name}$ ip route")
        for route in facts.routes:
            device = f" dev {route.device}" if route.device and route.gateway is not None else ""
            lines.append(f"  {route.prefix} {describe(route)}{device} proto {route.protocol}")
        lines.append("")
    return "\n".join(lines).rstrip()


def _short(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)
