"""Step 4: the review. What would change on each host, why, and the exact commands. Nothing has been changed yet."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import DescendantFocus
from textual.widget import Widget
from textual.widgets import Label, OptionList, Select

from kthw_routes.findings.model import Finding
from kthw_routes.options import NamesOn, Options, RoutesOn
from kthw_routes.persistence.model import Manager, Persist
from kthw_routes.plan.changes import ChangeKind, FileChange, NameChange, RouteChange
from kthw_routes.plan.files import FORWARDING_FILE
from kthw_routes.wizard.modals.choose_manager import ChooseManager
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.base import StepScreen, Wizard
from kthw_routes.wizard.text import manual_commands, persist_question, review_rows
from kthw_routes.wizard.text.review_rows import Row
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.wizard.widgets.choices import ChoiceList, LineSelect, TickBox
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import KIND_TONE, Words, count, matrix_cell, matrix_sources, summary
from kthw_routes.workflow.results import Review

MAX_MATRIX: Final = 12
"""Workers; a wider matrix is no picture any more, and the rows below it say the same."""


class RoutesStep(StepScreen):
    """The question, the matrix, the difference, the detail of what is chosen."""

    title_word = "Routes"
    purpose = "This will change. Nothing has been changed yet."
    lesson_name = "routes"
    keys = (
        ("Up  Down", "reason and command of another change"),
        ("Space", "mark what is foreign or stale for removal, or not"),
        ("", "mend an own pod CIDR that is routed away; asks"),
        ("Enter", "the whole text of a file"),
        ("b", "to the question about the next reboot"),
        ("h", "on which nodes the names go into /etc/hosts"),
        ("o", "routes on the controllers too, or on workers only"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", show=False),
        Binding("h", "names", "Names", show=False),
        Binding("b", "question", "Reboot", show=False),
        Binding("o", "routes_on", "Controllers too", show=False),
    ]

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        self._persist = ChoiceList(id="persist")
        self._forward = TickBox("forwarding on", id="forward")
        self._template = TickBox("cloud-init template", id="template")
        self._matrix = KeyedTable(id="matrix", pick=False)
        self._changes = KeyedTable("host", "", "what", "why", id="changes")
        self._detail_box = VerticalScroll(id="detail-box", can_focus=False)
        self._detail = Paragraph(id="detail")
        self._rows: dict[str, Row] = {}
        self._topic: Widget = self._changes
        """What the detail is of: one of the choices, or the row under the cursor."""
        self._came = False

    def compose_body(self) -> ComposeResult:
        """Question, choices, matrix, difference, detail."""
        # Not earlier: a Select reports its first value as a change, which would override what was chosen before.
        self._names = LineSelect(tuple(NamesOn), self._options.names_on, id="names")
        with VerticalScroll(can_focus=False):
            yield self._persist
            with Horizontal(id="choices"):
                yield Label("/etc/hosts of")
                yield from (self._names, self._forward, self._template)
            yield from (self._matrix, self._changes)
            with self._detail_box:
                yield self._detail

    @property
    def review(self) -> Review:
        """The comparison, with what is chosen now."""
        return self.controller.review()

    def purpose_words(self) -> str:
        """The question is asked in the largest letters that there are."""
        if self.controller.is_undo:
            return f"This takes run {self.review.undoes} back. What was changed since is left alone."
        if self.controller.inspection is None or self.controller.report is not None:
            return self.purpose
        asked = persist_question.is_applicable(self.review)
        return "Nothing has been changed yet. Shall these routes survive a reboot?" if asked else self.purpose

    def entered(self) -> None:
        """The eye falls on the question while it wants an answer, else on what changes."""
        if self.controller.inspection is None:
            return
        if persist_question.wants_answer(self.review):
            self._persist.focus()
        elif not self._came:
            self._changes.focus()
        self._came = True

    async def draw(self) -> None:
        """From the comparison."""
        if self.controller.inspection is None:
            return
        review = self.review
        cluster, plan = review.inspection.cluster, review.plan
        workers = [w.name for w in cluster.workers] if len(cluster.workers) <= MAX_MATRIX else []
        width = 14 if self.size.width < 100 else 24
        columns = ("from \\ to", *(cut_middle(w, width) for w in workers))
        self._matrix.display = bool(workers)
        self._matrix.show(
            [
                (s, (cut_middle(s, width), *(matrix_cell(plan.host(s), s, t) for t in workers)))
                for s in matrix_sources(cluster, plan)
            ],
            columns,
        )
        self._rows = {row.key: row for row in review_rows.rows_of(review)}
        room = max(12, self.body.size.width - 49)
        self._changes.show((key, review_rows.cells(row, room, self._box(row))) for key, row in self._rows.items())
        self._changes.display = bool(self._rows)
        self._draw_choices(review)
        self._draw_detail()

    def _draw_choices(self, review: Review) -> None:
        """The question and the further choices, each only where it applies."""
        options, over = review.options, self.controller.report is not None
        self._persist.show(persist_question.answers(review), persist_question.index_of(options.persist))
        self._persist.display = persist_question.is_applicable(review)
        self._names.show(options.names_on)
        self._forward.show(options.ip_forward)
        self._template.show(options.hosts_template)
        self._forward.display = bool(self._not_forwarding(review)) or options.ip_forward
        self._template.display = bool(self._templates(review)) or options.hosts_template
        for widget in (self._persist, self._names, self._forward, self._template):
            widget.disabled = over

    def _not_forwarding(self, review: Review) -> list[str]:
        """The nodes with routes on which forwarding is off."""
        inspection, on = review.inspection, review.options.routes_on
        nodes = (n for n in inspection.cluster.visited if n.name in inspection.facts and on.counts(n))
        return [n.name for n in nodes if not inspection.facts[n.name].ip_forward]

    def _templates(self, review: Review) -> list[str]:
        """The nodes with names on which cloud-init writes /etc/hosts anew at each boot."""
        inspection, on = review.inspection, review.options.names_on
        nodes = (n for n in inspection.cluster.visited if n.name in inspection.facts and on.counts(n))
        return [n.name for n in nodes if inspection.facts[n.name].network.hosts_template is not None]

    # --- the detail ---

    def _draw_detail(self) -> None:
        review, detail, row = self.review, self._detail, self._row
        if self._topic is self._persist and self._persist.display:
            detail.show(*persist_question.detail(review, self._persist.highlighted or 0))
        elif self._topic in (self._names, self._forward, self._template):
            detail.show(dim(self._about(self._topic, review)))
        elif row is None:
            nothing = review.plan.is_empty
            detail.show(Words(summary(review.plan), KIND_TONE[ChangeKind.KEEP]) if nothing else "")
        else:
            detail.show(*self._row_detail(row, review))
        self.call_after_refresh(self._let_scroll)

    def _let_scroll(self) -> None:
        """A detail that is longer than its place can be reached with Tab, and scrolled."""
        box = self._detail_box
        box.can_focus = box.max_scroll_y > 0 or box.has_focus

    def _row_detail(self, row: Row, review: Review) -> Iterable[Words | str]:
        match row.change:
            case Finding() as finding:
                known = finding in self.controller.choices.acknowledged
                return review_rows.finding_detail(finding, known=known, ticks=self._box(row) is not None)
            case RouteChange() as route:
                return review_rows.route_detail(row, route, review, self._options, can_mark=self._can_mark(row))
            case NameChange() as name:
                return review_rows.name_detail(row, name, self._options)
            case FileChange() as file:
                return review_rows.file_detail(row, file, review)
            case review_rows.RemovalRow() as left:
                return review_rows.removal_detail(row, left)
            case switch:
                return review_rows.rollback_detail(row, switch)

    def _about(self, topic: Widget, review: Review) -> str:
        """What one of the further choices is."""
        if topic is self._names:
            return (
                "The workers' names go into /etc/hosts of these nodes, in a block of our own; all else in the file "
                "stays byte for byte. Left and Right choose; none leaves the files as they are."
            )
        if topic is self._forward:
            where = ", ".join(self._not_forwarding(review)) or "these nodes"
            return (
                f"net.ipv4.ip_forward is 0 on {where}. The CNI plugin turns it on with the first pod; ticked, it is "
                f"turned on now and at each boot, by {FORWARDING_FILE.path}."
            )
        return (
            f"cloud-init writes /etc/hosts anew at each boot on {', '.join(self._templates(review))} "
            "(manage_etc_hosts), and the names are gone then. Ticked, they go into its template too, from which they "
            "come back."
        )

    @on(DescendantFocus)
    def _focused(self, event: DescendantFocus) -> None:
        if event.widget in (self._persist, self._names, self._forward, self._template, self._changes):
            self._topic = event.widget
            if self.controller.inspection is not None:
                self._draw_detail()

    @on(KeyedTable.RowHighlighted, "#changes")
    @on(OptionList.OptionHighlighted, "#persist")
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

    def action_question(self) -> None:
        """To the question about the next reboot."""
        self._persist.focus()

    @on(OptionList.OptionSelected, "#persist")
    def _answered(self, event: OptionList.OptionSelected) -> None:
        if event.option_index != persist_question.BY_NAME:
            is_no = event.option_index == persist_question.NO
            self._choose(replace(self._options, persist=Persist.NONE if is_no else Persist.AUTO))
            return

        def chosen(manager: Manager | None) -> None:
            if manager is not None:
                self._choose(replace(self._options, persist=Persist(manager.value)))

        self.app.push_screen(ChooseManager(self._options.persist.manager if self._options.persist else None), chosen)

    @on(Select.Changed, "#names")
    def _names_chosen(self) -> None:
        if (names_on := self._names.selection) not in (None, self._options.names_on):
            self._choose(replace(self._options, names_on=names_on))

    @on(TickBox.Changed, "#forward")
    def _forward_ticked(self, event: TickBox.Changed) -> None:
        self._choose(replace(self._options, ip_forward=event.value))

    @on(TickBox.Changed, "#template")
    def _template_ticked(self, event: TickBox.Changed) -> None:
        self._choose(replace(self._options, hosts_template=event.value))

    def action_names(self) -> None:
        """The names on other nodes, or on none."""
        if not self._names.disabled:
            self._names.action_turn(-1)

    def action_routes_on(self) -> None:
        """Routes on the controllers too, or on the workers only."""
        if self.controller.inspection is None or self.controller.report is not None or self.controller.is_undo:
            self.app.bell()
            return
        other = RoutesOn.WORKERS if self._options.routes_on is RoutesOn.ALL else RoutesOn.ALL
        self._choose(replace(self._options, routes_on=other))

    # --- marking ---

    def _box(self, row: Row) -> bool | None:
        """Whether the row's box is ticked; None where it has none."""
        change = row.change
        if isinstance(change, Finding):
            is_new = change.acknowledge and change not in (
                *self.controller.node_findings,
                *self.controller.host_findings,
            )
            return change in self.controller.choices.acknowledged if is_new else None
        if review_rows.is_marked(row, self._options):
            return True
        return False if self._can_mark(row) else None

    def _can_mark(self, row: Row) -> bool:
        return self.controller.report is None and review_rows.can_be_marked(row)

    @property
    def _row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows.get(self._changes.key or "")

    def action_mark(self) -> None:
        """Mark what is foreign or stale under the cursor, or unmark it; tick the warning there."""
        row = self._row
        if row is None or self.controller.report is not None:
            return
        if isinstance(row.change, Finding):
            if (known := self._box(row)) is not None:
                self.controller.acknowledge(row.change, not known)
                self.redraw()
        elif (box := self._box(row)) is not None:
            marked = review_rows.toggled(row, self._options)
            if not box and isinstance(row.change, RouteChange) and review_rows.is_own_cidr(self.review, row):
                self._ask_for_repair(row, row.change, marked)
            else:
                self._choose(marked)

    def _ask_for_repair(self, row: Row, change: RouteChange, marked: Options) -> None:
        """Show what mending an own pod CIDR does before it is marked."""
        host = self.controller.review_with(marked).plan.host(row.host)
        mended = next((c for c in host.routes if c.prefix == change.prefix), None) if host else None
        commands = "\n".join(f"  {c}" for c in mended.commands) if mended else ""
        words = (
            f"A route leads {row.host}'s own pods away, so they are cut off. {change.prefix} is theirs, and reached by "
            f"the bridge.\n\n{commands}\n\n{mended.reason if mended else ''}\n\nThis is sent with Run, not before."
        )
        self.app.push_screen(
            Confirm(f"Give {change.prefix} back to {row.host}?", words, "Leave it", mend="Mend it"),
            lambda answer: self._choose(marked) if answer else None,
        )

    @on(KeyedTable.RowSelected, "#changes")
    def _selected(self) -> None:
        row = self._row
        if row is not None and isinstance(row.change, FileChange):
            from kthw_routes.wizard.modals.text import WholeText  # its text area is slow to import

            text = "\n".join(review_rows.file_lines(row.change))
            self.app.push_screen(WholeText(review_rows.file_heading(row, row.change), text))
        else:
            self.action_mark()

    # --- going on ---

    def refusal(self) -> str:
        """A stop, the question, or a warning that nobody ticked."""
        if self.controller.inspection is None:
            return "the hosts were not looked at yet."
        if found := self.review.stops:
            return found[0].sentence
        if self.controller.report is not None:
            return ""
        if persist_question.wants_answer(self.review):
            return persist_question.REFUSAL
        unknown = [row for row in self._rows.values() if isinstance(row.change, Finding) and self._box(row) is False]
        return f"tick {count(len(unknown), 'warning')} above: Space on its row." if unknown else ""

    def next_label(self) -> str:
        """What the button does, in numbers."""
        if self.controller.inspection is None or self.controller.report is not None:
            return "Next"
        plan = self.review.plan
        return "Prove" if plan.is_empty else f"Run {count(plan.changes, 'change')}"

    def status(self) -> Words | str:
        """The counts."""
        if self.controller.report is not None and not self.review.plan.is_empty:
            return dim("This was run. For a new review: Back, and Look again.")
        if stale := review_rows.only_stale(self.review):
            return stale
        text = summary(self.review.plan, tuple(self.review.inspection.troubles))
        return text if len(text) <= self.size.width - 2 else review_rows.in_short(self.review)

    def commit(self) -> bool:
        """Where there is nothing to do, that is how the run ended."""
        if self.controller.report is None and self.review.plan.is_empty:
            self.controller.begin()
            self.controller.take_report(self.controller.run(self.review))
        return True

    def by_hand(self) -> Iterable[str]:
        """The plan's commands."""
        controller = self.controller
        if controller.inspection is None:
            return ()
        return manual_commands.planned(self.review, controller.report, controller.settings_of_source)

    def palette(self) -> Iterable[SystemCommand]:
        """What can be chosen here."""
        yield SystemCommand("Survive a reboot?", "Answer the question, or change the answer", self.action_question)
        yield SystemCommand("Names in /etc/hosts", "On other nodes, or on none", self.action_names)
        yield SystemCommand("Routes on controllers too", "Or on the workers only again", self.action_routes_on)
        yield SystemCommand("Mark", "What is foreign or stale for removal, an own pod CIDR to mend", self.action_mark)
