"""Step 6: does traffic get through? The evidence, the matrix in words, why not, the tables, the way back."""

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Button, Collapsible

from kthw_routes.errors import Cancelled
from kthw_routes.events import Step
from kthw_routes.plan.changes import describe
from kthw_routes.proof.readings import Proof
from kthw_routes.undo.by_hand import ways_back
from kthw_routes.wizard.controller import Journey
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.steps.routes import WIDEST_MATRIX
from kthw_routes.wizard.text import manual_commands as by_hand
from kthw_routes.wizard.text import summaries as telling
from kthw_routes.wizard.themes import cut_middle
from kthw_routes.wizard.widgets.findings import FindingList
from kthw_routes.wizard.widgets.prose import ErrorBox, Prose
from kthw_routes.wizard.widgets.table import Rows, quiet
from kthw_routes.words import NEXT_LAB, REBOOT, Tone, Words, count, explanations, proof_cell, undo_summary
from kthw_routes.workflow.results import Review

_MOST_LEFT: Final = 8
"""Lines that the question lists; all of them stand in the transcript."""


class ProofStep(StepScreen):
    """Headline, evidence, matrix, explanations; then what is worth keeping."""

    title_word = "Proof"
    purpose = "Three requests go from each worker's pod network to each other's."
    lesson_name = "proof"
    first_focus = "#proof"
    keys = (("r", "prove again"), ("u", "undo this run; asks"), ("Enter", "open and close what is folded"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "prove", "Prove again", show=False),
        Binding("u", "undo", "Undo", show=False),
    ]

    def compose_body(self) -> ComposeResult:
        """All in one column that scrolls."""
        with VerticalScroll(id="proof"):
            yield Prose(id="headline")
            yield ErrorBox(id="error")
            yield Rows(id="pairs", pick=False)
            yield Prose(id="explained")
            yield FindingList(id="findings")
            yield Collapsible(Prose(id="tables"), title="ip route of each worker, as read back", id="fold-tables")
            yield Collapsible(Prose(id="undo"), title="How to undo, host by host", id="fold-undo")
            yield Prose(id="rest")

    def extra_buttons(self) -> Iterable[Button]:
        """Prove again, undo."""
        return (
            Button("Prove again", id="prove", compact=True),
            Button("Undo this run", id="take-back", compact=True),
        )

    @classmethod
    def is_skipped(cls, journey: Journey) -> bool:
        """What was taken back cannot be proved."""
        return journey.is_undo

    def entered(self) -> None:
        """By itself, after the run."""
        if self.journey.proof is None and not self.busy:
            self.action_prove()

    @on(Button.Pressed, "#prove")
    def action_prove(self) -> None:
        """Look at the tables and send test traffic."""
        if not self.busy:
            self.journey.commands.pop(Step.PROOF, None)
            self.work("reading the tables, sending test traffic", self.journey.prove, self._proved)

    def _proved(self, proof: Proof) -> None:
        if self.journey.is_stopping:
            self.error = Cancelled("Stopped before all was seen.", "Prove again begins anew.")
        else:
            self.journey.take_proof(proof)

    # --- taking it back ---

    @property
    def _can_undo(self) -> bool:
        return bool(self.journey.run_id) and not self.journey.is_undo and not self.busy

    @on(Button.Pressed, "#take-back")
    def action_undo(self) -> None:
        """Read what stands on the hosts now, and ask."""
        if self._can_undo:
            self.work("reading what stands on the hosts now", self.journey.prepare_undo, self._ask_to_undo)
        else:
            self.app.bell()

    def _ask_to_undo(self, review: Review) -> None:
        if self.journey.is_stopping:
            self.error = Cancelled("Stopped before all was read. Nothing was changed.")
            return
        words = [undo_summary(review) if review.plan.is_empty else f"To be taken back: {undo_summary(review)}."]
        left = telling.left_alone(review)
        words += ["", "Left as it is:", *(f"  {line}" for line in left[:_MOST_LEFT])] if left else []
        words += [f"  and {len(left) - _MOST_LEFT} more"] if len(left) > _MOST_LEFT else []
        if review.plan.is_empty:
            self.app.push_screen(Confirm("Undo this run", "\n".join(words), "Close"))
            return
        words += ["", "All else is put back as it was before this run. The undo is a run of its own."]

        def answered(answer: str | None) -> None:
            if answer:
                self.journey.begin_undo(review)
                self.wizard.walk(-1)

        self.app.push_screen(Confirm("Undo this run?", "\n".join(words), "Keep it", undo="Undo it"), answered)

    async def draw(self) -> None:
        """From what was seen."""
        journey, proof = self.journey, self.journey.proof
        self.query_one("#prove", Button).disabled = bool(self.busy)
        self.query_one("#take-back", Button).display = self._can_undo
        self.query_one(ErrorBox).show_error(self.error)
        headline = self.query_one("#headline", Prose)
        for name in ("#explained", "#fold-tables"):
            self.query_one(name).display = proof is not None
        self.query_one("#pairs").display = proof is not None and 0 < len(_sources(proof)) <= WIDEST_MATRIX
        if proof is None:
            headline.show(quiet("Nothing was seen yet."))
        else:
            tone = Tone.GOOD if proof.is_proved else Tone.BAD if proof.failed else Tone.WARNING
            mark = "✓" if proof.is_proved else "✗" if proof.failed else "?"
            headline.show(Words(f"{mark} {proof.headline}", tone), quiet(f"\nEvidence: {proof.evidence_words}."))
            self._draw_pairs(proof)
            lines = explanations(proof)
            width = self.query_one("#body").size.width - 2
            self.query_one("#explained", Prose).show("\n".join(_hanging(line, width) for line in lines))
            self.query_one("#tables", Prose).show(_tables(proof))
        warnings = [f for f in journey.review().findings if f.acknowledge] if journey.inspection else []
        await self.query_one(FindingList).show(warnings if proof is None or not proof.is_proved else [])
        self._draw_rest()

    def _draw_pairs(self, proof: Proof) -> None:
        workers = _sources(proof) if len(_sources(proof)) <= WIDEST_MATRIX else []
        width = 14 if self.size.width < 100 else 24
        columns = ("from \\ to", *(cut_middle(w, width) for w in workers))
        rows: list[tuple[str, tuple[Words | str, ...]]] = [
            (s, (cut_middle(s, width), *(proof_cell(proof, s, t) for t in workers))) for s in workers
        ]
        self.query_one("#pairs", Rows).show(rows, columns)

    def _draw_rest(self) -> None:
        report = self.journey.report
        ways = ways_back(report.review.plan, report.outcomes) if report else ()
        self.query_one("#fold-undo").display = bool(ways)
        self.query_one("#undo", Prose).show(
            "\n".join(line for way in ways for line in (f"# on {way.host}, as root:", *way.lines, "")).rstrip()
        )
        parts: list[Words | str] = []
        if report is not None and report.folder is not None:
            parts += [quiet("transcript\n"), f"  {_short(report.folder / 'transcript.md')}\n"]
            parts += [Words(f"{self.journey.end_problem}\n", Tone.BAD)] if self.journey.end_problem else []
            later = "" if self.journey.is_lab else f"; later: kthw-routes undo {self.journey.run_id}"
            parts += [quiet("undo      "), f"u takes it back{later or ', and asks first'}\n"]
        width = self.query_one("#body").size.width - 12
        for number, line in enumerate(self._after_reboot):
            text = textwrap.indent(_hanging(line, width), " " * 10)
            parts += [quiet("reboot    "), f"{text.lstrip()}\n"] if number == 0 else [f"{text}\n"]
        parts += [quiet("next lab  "), NEXT_LAB]
        self.query_one("#rest", Prose).show(*parts)

    @property
    def _after_reboot(self) -> tuple[str, ...]:
        """Whether the routes survive a reboot, and by which files."""
        journey = self.journey
        return telling.after_reboot(journey.report, journey.review().plan) if journey.inspection else ()

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
        report = self.journey.report
        if report is not None and report.unfinished:
            return Words(f"Not done on {count(len(report.unfinished), 'host')}: Back, and Retry.", Tone.WARNING)
        reboot = self._after_reboot[:1]
        return Words(reboot[0], Tone.WARNING if reboot[0] == REBOOT else Tone.GOOD) if reboot else ""

    def by_hand(self) -> Iterable[str]:
        """What was run."""
        return by_hand.proving(self.journey)

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
