"""Step 6: does traffic get through? The verdict, the matrix, what to do now; causes, routing tables, undo in folds."""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Collapsible

from kthw_routes.errors import Cancelled, RecordError
from kthw_routes.events import Phase
from kthw_routes.plan.overlay import is_overlaid
from kthw_routes.proof.readings import Proof
from kthw_routes.record.json_proof import check_document
from kthw_routes.sanitize import clean_line, text_lines
from kthw_routes.undo.by_hand import manual_undo
from kthw_routes.wizard.steps.changing import ChangingStep
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.text import manual_commands, proof_rest, proof_words, summaries
from kthw_routes.wizard.themes import dim
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.wizard.widgets.findings import FindingList
from kthw_routes.wizard.widgets.matrix import Matrix
from kthw_routes.wizard.widgets.paragraph import ErrorBox, Paragraph
from kthw_routes.wizard.widgets.search import Search
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import KEPT, Tone, Words, count, explanations, proof_cell


class ProofStep(ChangingStep):
    """Verdict, matrix, the one thing to do; then what is worth keeping, and in folds all that was seen."""

    title_word = "Proof"
    purpose = "Each worker sends three pings from its pod network to every other worker's."
    lesson_name = "proof"
    keys = (
        ("r", "prove again"),
        ("m", "repair a pod CIDR that another route overrides (asks first)"),
        ("v", "carry packets past a filter in an overlay (shows the changes first)"),
        ("u", "undo this run (asks first)"),
        ("s", "save all that was read as a report, to show it to others"),
        ("k", "keep a copy of the practice lab's transcript"),
        ("w", "what was seen, and why"),
        ("i", "`ip route` of each worker, as printed there"),
        ("f", "follow a packet, hop by hop, between the two workers in focus"),
        ("Enter", "open or close a section; on a pair, follow its packet"),
        ("/", "search among more than 12 workers; Escape shows all"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "prove", "Prove again", show=False),
        Binding("u", "undo", "Undo", show=False),
        Binding("m", "repair", "Repair", show=False),
        Binding("v", "overlay", "Overlay", show=False),
        Binding("k", "keep", "Keep", show=False),
        Binding("s", "save", "Save a report", show=False),
        Binding("w", "fold('why')", "Why", show=False),
        Binding("i", "fold('tables')", "ip route", show=False),
        Binding("slash", "search", "Search", show=False),
        Binding("f", "app.trace", "Follow a packet"),
    ]

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        self._column = self.first_focus = VerticalScroll(id="proof")
        self._headline = Paragraph(id="headline")
        self._error_box = ErrorBox(id="error")
        self._pairs = Matrix(id="pairs", cursor="cell")
        self._by_host = KeyedTable("worker", "from it", "to it", "first that fails", id="by-host")
        self._search = Search(self._by_host, id="search")
        self._now = Paragraph(id="now")
        self._explained = Paragraph(id="explained")
        self._findings = FindingList(id="findings")
        self._tables, self._undo, self._rest = Paragraph(id="tables"), Paragraph(id="undo"), Paragraph(id="rest")
        self._folds = {
            "why": Collapsible(self._explained, self._findings, title="Why, and what was seen (w)"),
            "tables": Collapsible(self._tables, title="ip route of each worker (i)"),
            "undo": Collapsible(self._undo, title="Commands to undo by hand, host by host"),
        }
        self._kept_as: Path | None = None
        """The copy of the transcript that was kept; None where none was."""
        self._seen: Proof | None = None
        """The proof whose first pair that fails the cursor was put on."""
        self._saved_as: str | None = None
        """Where the last report was saved; None where none was."""
        self._read_tables: tuple[Proof | None, str] = (None, "")
        """The tables as printed, and the proof that they belong to."""
        self._prove = Button("Prove again", id="prove", compact=True, action="screen.prove")
        self._repair = Button("Repair", id="repair", variant="primary", compact=True, action="screen.repair")
        self._overlay = Button("Overlay", id="overlay", variant="primary", compact=True, action="screen.overlay")
        self._undo_run = Button("Undo this run", id="undo-run", compact=True, action="screen.undo")

    def compose_body(self) -> ComposeResult:
        """Yield everything in one column that scrolls."""
        with self._column:
            yield from (self._headline, self._error_box, self._pairs, self._search, self._by_host, self._now)
            yield from (self._rest, *self._folds.values())

    @property
    def extra_buttons(self) -> Iterable[Button]:
        """Prove again, repair, overlay, undo."""
        return self._prove, self._repair, self._overlay, self._undo_run

    @property
    def is_skipped(self) -> bool:
        """Whether the run was an undo: then there is nothing to prove."""
        return self.last_run.is_undo

    def enter(self) -> None:
        """Prove automatically after the run."""
        if self.last_run.proof is None and not self.busy:
            self.action_prove()

    def action_prove(self) -> None:
        """Read the routing tables and send test traffic."""
        if not self.busy:
            self.controller.commands.pop(Phase.PROOF, None)
            self.start_work("reading the routing tables, sending test traffic", self.controller.prove, self._proved)

    def _proved(self, proof: Proof) -> None:
        if self.controller.work.is_stopping:
            self.error = Cancelled("Stopped before the proof was complete.", "Prove again starts over.")
        else:
            self._kept_as = self._saved_as = None
            self.controller.take_proof(proof)

    # --- sections ---

    def action_fold(self, name: str) -> None:
        """Open or close a section."""
        fold = self._folds[name]
        if fold.display:
            fold.collapsed = not fold.collapsed
            fold.scroll_visible(animate=False)

    @on(Collapsible.Expanded)
    def _opened(self, event: Collapsible.Expanded) -> None:
        proof = self.last_run.proof
        if event.collapsible is self._folds["tables"] and self._read_tables[0] is not proof and not self.busy:
            names, workflow = list(proof.facts) if proof is not None else [], self.controller.workflow
            self.start_work("reading ip route", lambda: workflow.print_tables(names), self._take_tables)

    def _take_tables(self, tables: dict[str, str]) -> None:
        text = "\n".join(
            f"{name}$ ip route\n{chr(10).join(text_lines(printed.encode()))}" for name, printed in tables.items()
        )
        self._read_tables = self.last_run.proof, text

    def action_search(self) -> None:
        """Narrow the list of workers to those that have some words."""
        if self._by_host.display:
            self._search.begin()

    @on(Search.Changed, "#search")
    def _searched(self) -> None:
        self.redraw()

    @property
    def pair_in_focus(self) -> tuple[str, str] | None:
        """The pair under the cursor of the matrix."""
        return self._pairs.pair if self._pairs.display else None

    @on(Matrix.CellSelected, "#pairs")
    async def _selected(self) -> None:
        await self.app.run_action("app.trace")

    @property
    def _can_keep(self) -> bool:
        return self.controller.is_lab and self.last_run.run_id is not None and not self._kept_as

    def action_save(self) -> None:
        """Save what was read as a report."""
        proof, inspection = self.last_run.proof, self.controller.inspection
        if proof is None or inspection is None:
            self.app.bell()
            return
        from kthw_routes.wizard.modals.save_report import SaveReport  # not needed for the first screen

        document = check_document(inspection.cluster, proof.plan, self.controller.review().findings, proof)
        self.app.push_screen(SaveReport(document), self._take_report_path)

    def _take_report_path(self, path: str | None) -> None:
        if path is not None:
            self._saved_as = path
            self.redraw()

    def action_keep(self) -> None:
        """Keep a copy of the practice lab's transcript in the current folder."""
        if not self._can_keep:
            self.app.bell()
            return
        try:
            self._kept_as = self.last_run.keep_transcript(Path())
            if self.app.is_web:  # the current folder is the visitor's own, and ends with the tab
                self.app.deliver_text(self._kept_as)
        except RecordError as error:
            self.error = error
        self.redraw()

    async def draw(self) -> None:
        """Draw what the proof found."""
        controller, proof, report = self.controller, self.last_run.proof, self.last_run.report
        self._prove.disabled = bool(self.busy)
        self._undo_run.display, self._repair.display = self._can_undo, self._can_repair
        self._overlay.display = self._can_overlay
        self._error_box.show_error(self.error)
        self._purpose.display = proof is None
        for widget in (self._now, self._folds["why"], self._folds["tables"]):
            widget.display = proof is not None
        if proof is None:
            self._pairs.display = self._by_host.display = False
            self._headline.show(dim("Nothing was tested yet."))
        else:
            self._headline.show(proof_words.headline(proof, report))
            self._draw_pairs(proof)
            self._now.show(*proof_words.now(proof, report))
            lines = (*explanations(proof), f"Evidence: {proof.evidence_words}.")
            self._explained.show("\n".join(proof_rest.hanging(line, self.body.size.width - 6) for line in lines))
            self._tables.show(self._read_tables[1] if self._read_tables[0] is proof else "…")
        warnings = [f for f in controller.review().findings if f.acknowledge] if controller.inspection else []
        await self._findings.show(warnings if proof is None or not proof.is_proved else [])
        self._draw_rest()

    def _draw_pairs(self, proof: Proof) -> None:
        workers = list(dict.fromkeys(p.source for p in proof.pairs))
        self._pairs.show_pairs(workers, workers, lambda s, t: proof_cell(proof, s, t))
        if self._seen is not proof and proof.pairs:
            self._seen, first = proof, (*proof.failed, *proof.pairs)[0]
            self._pairs.go_to(first.source, first.target)
        self._by_host.display = len(workers) > 0 and not self._pairs.display
        if self._by_host.display:
            self._by_host.show(row for row in proof_words.by_host(proof) if self._search.finds(row[0]))

    def _draw_rest(self) -> None:
        report = self.last_run.report
        ways = manual_undo(report.review.plan, report.outcomes) if report else ()
        self._folds["undo"].display = bool(ways)
        self._undo.show(
            "\n".join(line for way in ways for line in (f"# on {way.host}, as root:", *way.lines, "")).rstrip()
        )
        is_lab, config = self.controller.is_lab, self.shown_settings.ssh_config
        proof = self.last_run.proof
        of_lab = proof_rest.of_lab(config, self._kept_as, can_keep=self._can_keep) if is_lab else ()
        self._rest.show(
            *proof_rest.worth_keeping(
                report,
                problem=self.last_run.record_problem,
                of_lab=tuple(of_lab),
                is_lab=is_lab,
                after_reboot=self._after_reboot,
                has_overlay=proof is not None and is_overlaid(proof.facts, None),
                width=self.body.size.width,
            )
        )

    @property
    def _after_reboot(self) -> tuple[str, ...]:
        """Whether the routes are kept after a reboot, and by which files."""
        if self.controller.inspection is None:
            return ()
        return summaries.describe_reboot(self.last_run.report, self.controller.review().plan)

    @property
    def next_label(self) -> str:
        """The last button."""
        return "Finish"

    def commit(self) -> bool:
        """Quit."""
        self.wizard.leave()
        return False

    @property
    def status(self) -> Words | str:
        """What is left to do."""
        report = self.last_run.report
        if report is not None and report.unfinished:
            return Words(f"Not done on {count(len(report.unfinished), 'host')}. Back, then Retry.", Tone.WARNING)
        if self._saved_as is not None:
            return Words(f"Saved: kthw-routes trace --report {clean_line(self._saved_as)}", Tone.GOOD)
        reboot = self._after_reboot[:1]
        return Words(reboot[0], Tone.GOOD if reboot[0].startswith(KEPT) else Tone.WARNING) if reboot else ""

    def list_commands(self) -> Iterable[str]:
        """Return what was run."""
        controller = self.controller
        commands = controller.commands.get(Phase.PROOF, {})
        return manual_commands.ran("What Proof runs on each worker", commands, controller.cluster, self.shown_settings)

    def palette(self) -> Iterable[SystemCommand]:
        """Yield prove again and undo."""
        if not self.busy:
            yield SystemCommand("Prove again", "Read the routing tables and send test traffic", self.action_prove)
            yield SystemCommand("Save a report", "All that was read, for trace --report", self.action_save)
        if self._can_overlay:
            yield SystemCommand(
                "Overlay", "Carry packets past the filter (shows the changes first)", self.action_overlay
            )
        if self._can_undo:
            yield SystemCommand("Undo this run", "Undo what it changed (asks first)", self.action_undo)
