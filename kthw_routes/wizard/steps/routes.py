"""Step 4: the review. What would change on each host, why, and the exact commands. Nothing has been changed yet."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable

from kthw_routes import host_findings
from kthw_routes.changes import ChangeKind
from kthw_routes.findings import Finding, Level
from kthw_routes.options import NamesOn
from kthw_routes.plan import NameChange, RouteChange, describe
from kthw_routes.results import Review
from kthw_routes.wizard import by_hand
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.themes import cut_middle
from kthw_routes.wizard.widgets.prose import Prose
from kthw_routes.wizard.widgets.rows import Rows, quiet
from kthw_routes.wizard.widgets.tick import Tick
from kthw_routes.wording import KIND_TONE, Words, count, level_tone, level_word, matrix_cell, summary

WIDEST_MATRIX: Final = 12
"""Workers; a wider matrix is no picture any more, and the rows below it say the same."""

_SHOWN_AS_ROWS: Final = frozenset({"foreign-route", "stale-route"})
"""Findings of the plan whose routes are rows of the difference anyway."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the review: a change, or something to know before it."""

    host: str
    change: RouteChange | NameChange | Finding

    @property
    def key(self) -> str:
        """Stable while the row is there."""
        change = self.change
        if isinstance(change, Finding):
            return f"finding {change.code} {self.host} {change.sentence}"
        what = f"route {change.prefix}" if isinstance(change, RouteChange) else f"name {change.name}"
        return f"{self.host} {what}"


class RoutesStep(StepScreen):
    """The matrix, the difference, the detail of the chosen row."""

    title_word = "Routes"
    purpose = "This will change. Nothing has been changed yet."
    lesson_name = "routes"
    first_focus = "#changes"
    keys = (
        ("Up  Down", "reason and command of another change"),
        ("Space  Enter", "mark a foreign route for removal, or unmark it"),
        ("h", "write the names in /etc/hosts, or not"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark", show=False),
        Binding("h", "names", "Names", show=False),
    ]

    def __init__(self, titles: tuple[str, ...], here: int) -> None:
        super().__init__(titles, here)
        self._rows: dict[str, _Row] = {}

    def compose_body(self) -> ComposeResult:
        """Matrix, choice, difference, detail, warnings."""
        with VerticalScroll(can_focus=False):
            yield Rows(id="matrix", pick=False)
            yield Tick("write the workers' names into /etc/hosts on the controllers", True, id="names")
            yield Rows("host", "", "what", "why", id="changes")
            with VerticalScroll(id="detail-box", can_focus=False):
                yield Prose(id="detail")

    @property
    def review(self) -> Review:
        """The comparison, with what is chosen now."""
        return self.journey.review()

    async def draw(self) -> None:
        """From the comparison."""
        if self.journey.inspection is None:
            return
        review = self.review
        cluster, plan = review.inspection.cluster, review.plan
        workers = [w.name for w in cluster.workers] if len(cluster.workers) <= WIDEST_MATRIX else []
        width = 14 if self.size.width < 100 else 24
        columns = ("from \\ to", *(cut_middle(w, width) for w in workers))
        matrix = self.query_one("#matrix", Rows)
        matrix.display = bool(workers)
        matrix.show(
            [(s, (cut_middle(s, width), *(matrix_cell(plan.host(s), s, t) for t in workers))) for s in workers],
            columns,
        )
        self._rows = {row.key: row for row in _rows_of(review)}
        changes = self.query_one("#changes", Rows)
        changes.show((key, self._cells(row)) for key, row in self._rows.items())
        changes.display = bool(self._rows)
        tick = self.query_one("#names", Tick)
        tick.value = self.journey.choices.options.names_on is not NamesOn.NONE
        tick.display = bool(cluster.controllers)
        tick.disabled = self.journey.report is not None
        self._draw_detail()

    def _cells(self, row: _Row) -> tuple[Words | str, ...]:
        change = row.change
        room = max(12, self.query_one("#body").size.width - 49)
        if isinstance(change, Finding):
            word = Words(level_word(change), level_tone(change))
            return (
                cut_middle(row.host, 16),
                word,
                "",
                quiet(_cut(change.sentence.removeprefix(f"{row.host}: "), room)),
            )
        kind = Words(f"{change.kind.mark} {change.kind}", KIND_TONE[change.kind])
        if isinstance(change, RouteChange):
            what = str(change.prefix)
            if self._is_marked(row):
                kind = Words(f"[x] {change.kind}", KIND_TONE[change.kind])
            elif self._can_mark(row):
                kind = Words(f"[ ] {change.kind}", KIND_TONE[change.kind])
        else:
            what = f"name {change.name}"
        return (cut_middle(row.host, 16), kind, what, quiet(_cut(change.reason, room)))

    def _draw_detail(self) -> None:
        row = self._rows.get(self.query_one("#changes", Rows).key or "")
        detail = self.query_one("#detail", Prose)
        if row is None:
            nothing = self.review.plan.is_empty
            detail.show(Words(summary(self.review.plan), KIND_TONE[ChangeKind.KEEP]) if nothing else "")
        elif isinstance(row.change, Finding):
            words = Words(f"{level_word(row.change)}: ", level_tone(row.change))
            known = " You ticked it in step 2." if row.change.acknowledge else ""
            detail.show(words, row.change.sentence, quiet(f"\n{row.change.hint}{known}"))
        elif isinstance(row.change, RouteChange):
            detail.show(*self._route_detail(row, row.change))
        else:
            detail.show(*_name_detail(row, row.change))

    def _route_detail(self, row: _Row, change: RouteChange) -> Iterable[Words | str]:
        owner = f" ({change.worker})" if change.worker else ""
        yield f"{row.host} → {change.prefix}{owner}   "
        yield Words(f"{change.kind.mark} {change.kind}", KIND_TONE[change.kind])
        for route in change.has:
            yield quiet(f"\n  has    {describe(route)}{self._owner(route.gateway)}, proto {route.protocol}")
        if change.next_hop is not None:
            yield quiet(f"\n  wants  via {change.next_hop}{self._owner(change.next_hop)}")
        for command in change.commands:
            yield f"\n  {command}"
        yield quiet(f"\n  why    {change.reason}")
        if self._is_marked(row):
            yield quiet("; Space unmarks it")
        elif self._can_mark(row):
            yield quiet("; left alone. Space marks it for removal")

    def _owner(self, ip: IPv4Address | None) -> str:
        owner = next((n.name for n in self.review.inspection.cluster if ip is not None and n.internal == ip), None)
        return f" ({owner})" if owner else ""

    # --- marking foreign routes, and the names ---

    def _is_marked(self, row: _Row) -> bool:
        change = row.change
        return isinstance(change, RouteChange) and (row.host, change.prefix) in self.journey.choices.options.marked

    def _can_mark(self, row: _Row) -> bool:
        change = row.change
        if not isinstance(change, RouteChange) or self.journey.report is not None:
            return False
        host = self.review.plan.host(row.host)
        away = host.own_cidr_routed_away if host else None
        removable = any(not r.is_kernel for r in change.has) and change.next_hop is None and away not in change.has
        return change.kind is ChangeKind.FOREIGN and removable

    def action_mark(self) -> None:
        """Mark the foreign route under the cursor for removal, or unmark it."""
        row = self._rows.get(self.query_one("#changes", Rows).key or "")
        if row is None or not isinstance(row.change, RouteChange):
            return
        entry = (row.host, row.change.prefix)
        options = self.journey.choices.options
        if self._is_marked(row):
            marked = options.marked - {entry}
        elif self._can_mark(row):
            marked = options.marked | {entry}
        else:
            return
        self.journey.choices.options = replace(options, marked=marked)
        self.redraw()

    @on(DataTable.RowSelected, "#changes")
    def _selected(self) -> None:
        self.action_mark()

    @on(DataTable.RowHighlighted, "#changes")
    def _moved(self) -> None:
        if self.journey.inspection is not None:
            self._draw_detail()

    @on(Tick.Changed, "#names")
    def _names(self, event: Tick.Changed) -> None:
        self.journey.choices.options = replace(
            self.journey.choices.options, names_on=NamesOn.CONTROLLERS if event.value else NamesOn.NONE
        )
        self.redraw()

    def action_names(self) -> None:
        """Write the names, or not."""
        tick = self.query_one("#names", Tick)
        if tick.display and not tick.disabled:
            tick.action_tick()

    # --- going on ---

    def refusal(self) -> str:
        """A stop."""
        if self.journey.inspection is None:
            return "the hosts were not looked at yet."
        found = self.review.stops
        return found[0].sentence if found else ""

    def next_label(self) -> str:
        """What the button does, in numbers."""
        if self.journey.inspection is None or self.journey.report is not None:
            return "Next"
        plan = self.review.plan
        return "Prove" if plan.is_empty else f"Run {count(plan.changes, 'change')}"

    def status(self) -> Words | str:
        """The counts."""
        if self.journey.report is not None and not self.review.plan.is_empty:
            return quiet("This was run. For a new review: Back, and Look again.")
        return summary(self.review.plan, tuple(self.review.inspection.troubles))

    def commit(self) -> bool:
        """Where there is nothing to do, that is how the run ended."""
        if self.journey.report is None and self.review.plan.is_empty:
            self.journey.begin()
            self.journey.take_report(self.journey.run(self.review))
        return True

    def by_hand(self) -> Iterable[str]:
        """The plan's commands."""
        return by_hand.changing(self.journey)

    def palette(self) -> Iterable[SystemCommand]:
        """What can be chosen here."""
        yield SystemCommand("Names in /etc/hosts", "Write them, or not", self.action_names)
        yield SystemCommand("Mark foreign route", "For removal, or unmark it", self.action_mark)


def _rows_of(review: Review) -> Iterable[_Row]:
    """What is worth a look: warnings and skipped hosts first, then all that changes, then notices of the plan."""
    of_plan = host_findings.of_plan(review.plan)
    before = review.findings[: len(review.findings) - len(of_plan)]
    for finding in before:
        if finding.acknowledge or finding.level is not Level.NOTICE:
            yield _Row(finding.node or finding.region or "", finding)
    for host in review.plan.hosts:
        changes: tuple[RouteChange | NameChange, ...] = (*host.routes, *host.names)
        yield from (_Row(host.node, c) for c in changes if c.kind is not ChangeKind.KEEP)
    for finding in of_plan:
        if finding.code not in _SHOWN_AS_ROWS:
            yield _Row(finding.node or "", finding)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _name_detail(row: _Row, change: NameChange) -> Iterable[Words | str]:
    yield f"{row.host} /etc/hosts: {change.name}   "
    yield Words(f"{change.kind.mark} {change.kind}", KIND_TONE[change.kind])
    yield quiet(f"  {change.reason}")
    for line in change.has:
        yield quiet(f"\n  has    {line}")
    if change.address is not None:
        yield quiet("\n  wants  ")
        yield f"{change.address} {change.name}"
