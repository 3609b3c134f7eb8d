"""Step 5: the run, started by the button of the review: state of each host, live log, stop, retry."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from kthw_routes.events import Event, EventKind, HostState, Phase
from kthw_routes.wizard.run_logs import RunLogs
from kthw_routes.wizard.steps.running import RunningStep
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.text import manual_commands, run_rows, run_words, summaries, why_words
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.wizard.widgets.host_log import HostLog
from kthw_routes.wizard.widgets.paragraph import ErrorBox, Paragraph
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import Tone, Words, count, state_tone
from kthw_routes.workflow.results import Review


class RunStep(RunningStep):
    """The changes of each host with their states; below, the log of the host in focus."""

    title_word = "Run"
    purpose = "The hosts are changed in parallel. A failure stops only its own host."
    lesson_name = "run"
    why_columns = 150
    can_cancel = False
    keys = (
        ("Up  Down", "the log of another host"),
        ("Tab", "into the log; arrows choose a line, Page keys and End scroll"),
        ("F1", "what the line of the log, or the change, in focus means"),
        ("v", "every command of the log, or the changes only"),
        ("p", "stop before each host's change, or no more"),
        ("Space", "go on with the next host, while the run is stopped there"),
        ("s", "stop (asks first)"),
        ("t", "retry what is not done"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", "Stop", show=False),
        Binding("t", "retry", "Retry", show=False),
        Binding("v", "verbose", "Every command", show=False),
        Binding("p", "present", "Present", show=False),
        Binding("space", "go_on", "Go on", show=False),
    ]

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        self._table = self.first_focus = KeyedTable("host", "change", "state", id="hosts")
        self._error_box = ErrorBox(id="error")
        self._log = HostLog(id="log")
        self._outcome = Paragraph(id="outcome")
        self._stop = Button("Stop", id="stop", compact=True, action="screen.stop")
        self._go_on = Button("Go on", id="go-on", variant="primary", compact=True, action="screen.go_on")
        self._retry = Button("Retry", id="retry", compact=True, action="screen.retry")
        self._rows: tuple[run_rows.RunRow, ...] = ()
        self._logs = RunLogs()
        self._failed: str | None = None
        """The host that failed first; None where none did. It takes the cursor once."""
        self._has_ended = False
        """Whether the run has ended since it was drawn: then its log is shown from the top."""
        self._has_cursor = False
        """Whether the cursor was put on it."""

    def compose_body(self) -> ComposeResult:
        """Yield the changes, the outcome of the host in focus, its log."""
        with Vertical(id="run"):
            yield from (self._table, self._error_box, self._outcome, self._log)

    @property
    def extra_buttons(self) -> Iterable[Button]:
        """Go on, stop and retry."""
        return self._go_on, self._stop, self._retry

    # --- what is shown ---

    def begun(self, review: Review) -> None:
        """Show the changes of a run that begins, and empty logs."""
        self._rows = tuple(run_rows.rows_of(review.plan))
        self._logs.clear()
        self._failed, self._has_cursor = None, False

    def ended(self) -> None:
        """Show the log from its top soon."""
        self._has_ended = True

    def handle_event(self, event: Event) -> None:
        """Add a line to the logs, and note a state."""
        if event.step is not Phase.RUN:
            return
        if event.host is None:
            return
        self._logs.add(event.host, event)
        if event.kind is EventKind.STATE and event.state is not None:
            self._states[event.host] = (event.state, event.text if event.text != event.state else "")
            if state_tone(event.state) is Tone.BAD:
                self._failed = self._failed or event.host

    async def draw(self) -> None:
        """Draw the changes, the outcome and the log of the host in focus."""
        report = self.last_run.report
        states = {name: state for name, (state, _) in self._states.items()}
        width = 16 if self.size.width < 100 else 24
        self._table.show(run_rows.cells(self._rows, states, report.outcomes if report else {}, width))
        self._follow()
        self._show_log()
        self._log.catch_up()
        if self._has_ended:
            self._has_ended = False
            self._log.go_to_top()
        self._error_box.show_error(self.error)
        held = self.controller.pace.held if self.busy else ()
        self._go_on.display = bool(held)
        self._stop.display, self._retry.display = bool(self.busy), not self.busy and self._can_retry
        self._stop.disabled = self.wizard.is_quitting

    def _follow(self) -> None:
        """Put the cursor on the host that failed, once; else on the one that is held back."""
        held = self.controller.pace.held if self.busy else ()
        host = self._failed if self._failed is not None and not self._has_cursor else next(iter(held), None)
        if host is None or host == self._chosen:
            return
        self._has_cursor = host == self._failed
        number = next((n for n, row in enumerate(self._rows) if row.host == host), None)
        if number is not None:
            self._table.move_cursor(row=number)

    @property
    def _chosen(self) -> str:
        return run_rows.host_of(self._table.key or "")

    def _show_log(self) -> None:
        chosen = self._chosen
        self._log.border_title = self._logs.title(chosen)
        is_over = self.last_run.report is not None and not self.busy
        self._log.show(self._logs.of(chosen, self._log.size.width - 2), from_top=is_over)
        words = tuple(self._describe(chosen))
        self._outcome.display = bool(words)
        self._outcome.show(*words)

    def _describe(self, host: str) -> Iterator[Words | str]:
        """Yield what came of a host, and the one thing to do; what is to come where it is held back."""
        report = self.last_run.report
        if self.busy and host in self.controller.pace.held[:1]:
            yield from run_words.held_back(host, self.controller.review().plan.host(host))
            return
        state, text = self._states.get(host, (HostState.WAITING, ""))
        outcome = report.outcomes.get(host) if report else None
        words = list(run_words.ending(state, text, outcome, can_retry=self._can_retry and not self.busy))
        if report is not None and not words:
            words = summaries.describe_undo(report, is_lab=self.controller.is_lab)
        yield from words

    @on(KeyedTable.RowHighlighted, "#hosts")
    def _moved(self) -> None:
        self._show_log()
        self._explain_again()

    @on(HostLog.Moved)
    def _explain_again(self) -> None:
        if self.wizard.is_why_open:
            self.redraw()

    def why_words(self) -> Iterable[Words | str]:
        """Explain the line of the log in focus; else the change."""
        if not self._rows:
            return ()
        cluster = self.controller.review().inspection.cluster
        if (line := self._log.line) is not None:
            return why_words.of_line(line, cluster)
        row = self._rows[min(self._table.cursor_row, len(self._rows) - 1)]
        host = self.controller.review().plan.host(row.host)
        changes = (change for change in (host.due if host is not None else ()) if change.key in row.keys)
        return (words for change in changes for words in (*why_words.of_change(change, cluster), "\n"))

    def action_verbose(self) -> None:
        """Show every command in the log, or the changes only."""
        self._logs.turn()
        self.redraw()

    # --- going on ---

    @property
    def refusal(self) -> str | None:
        """Why it cannot go on: the run never started."""
        if self.last_run.report is None:
            return "Cannot continue: the run did not start. Retry tries again."
        return None

    @property
    def next_label(self) -> str:
        """What comes next; after an undo there is nothing to prove."""
        return "Finish" if self.last_run.is_undo else "Prove"

    @property
    def purpose_text(self) -> Words | str:
        """How far the run is; an undo says what it undoes."""
        undoes = self.controller.review().undoes if self.last_run.is_undo else ""
        is_presenting = self.controller.pace.is_on and bool(self.busy)
        return run_words.headline(self._states, undoes, is_presenting=is_presenting)

    def commit(self) -> bool:
        """Quit after an undo, else go on."""
        if self.last_run.is_undo:
            self.wizard.leave()
            return False
        return True

    @property
    def status(self) -> Words | str:
        """How it ended."""
        report = self.last_run.report
        if report is None:
            return ""
        if report.unfinished:
            number = count(len(report.unfinished), "host")
            return Words(f"Not done on {number}: {', '.join(report.unfinished)}. Retry runs only these.", Tone.WARNING)
        if report.review.undoes:
            return Words(f"Undone: {count(report.changed, 'change')}. Back reads the hosts again.", Tone.GOOD)
        words = f"Done: {count(report.changed, 'change')} made and read back."
        whole = " ".join((words, *summaries.describe_reboot(report, report.review.plan)[:1]))
        return Words(whole if len(whole) < self.size.width - 1 else words, Tone.GOOD)

    def list_commands(self) -> Iterable[str]:
        """Return the plan's commands, and those that undo them."""
        controller = self.controller
        return manual_commands.planned(controller.review(), controller.last_run.report, self.shown_settings)

    def palette(self) -> Iterable[SystemCommand]:
        """Yield stop or retry, and how the run is shown."""
        yield SystemCommand("Every command", "In the log, or the changes only", self.action_verbose)
        yield SystemCommand("Present", "Stop before each host's change, or no more", self.action_present)
        if self.busy:
            yield SystemCommand("Stop", "Let started hosts finish, start no other", self.action_stop)
        elif self._can_retry:
            yield SystemCommand("Retry", "Run what is not done", self.action_retry)
