"""Step 5: the run, started by the button of the review: state of each host, live log, stop, retry."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Button

from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import Event, EventKind, HostState, Phase
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.run_logs import RunLogs
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.text import manual_commands, run_rows, run_words, summaries
from kthw_routes.wizard.widgets.host_log import HostLog
from kthw_routes.wizard.widgets.paragraph import ErrorBox, Paragraph
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import Tone, Words, count, state_tone
from kthw_routes.workflow.results import Report


class RunStep(StepScreen):
    """The changes of each host with their states; below, the log of the host in focus."""

    title_word = "Run"
    purpose = "The hosts are changed in parallel. A failure stops only its own host."
    lesson_name = "run"
    why_columns = 150
    can_cancel = False
    keys = (
        ("Up  Down", "the log of another host"),
        ("Tab", "into the log; arrows, Page keys and End scroll"),
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
        self._states: dict[str, tuple[HostState, str]] = {}
        self._rows: tuple[run_rows.RunRow, ...] = ()
        self._logs = RunLogs()
        self._failed: str | None = None
        """The host that failed first; None where none did. It takes the cursor once."""
        self._has_ended = False
        """Whether the run has ended since it was drawn: then its log is shown from the top."""
        self._has_cursor = False
        """Whether the cursor was put on it."""
        self._stopping = False

    def compose_body(self) -> ComposeResult:
        """Yield the changes, the outcome of the host in focus, its log."""
        with Vertical(id="run"):
            yield from (self._table, self._error_box, self._outcome, self._log)

    @property
    def extra_buttons(self) -> Iterable[Button]:
        """Go on, stop and retry."""
        return self._go_on, self._stop, self._retry

    @property
    def is_skipped(self) -> bool:
        """Whether there is nothing to do."""
        return self.controller.inspection is not None and self.controller.review().plan.is_empty

    @property
    def is_changing_hosts(self) -> bool:
        """Whether hosts are being changed."""
        return bool(self.busy)

    def enter(self) -> None:
        """Start the run: the button of the review asked for it."""
        if self.last_run.report is None and not self.busy:
            self._start()

    def _start(self) -> None:
        review = self.controller.review()
        self._states = {h.node: (HostState.WAITING, "") for h in review.plan.hosts}
        self._rows = tuple(run_rows.rows_of(review.plan))
        self._logs.clear()
        self._failed, self._has_cursor = None, False
        self._stopping = False
        words = f"undoing run {review.undoes}" if review.undoes else "running"
        self.start_work(words, lambda: self.controller.run(review), self._ended)

    def _ended(self, report: Report) -> None:
        self.controller.take_report(report)
        for name, outcome in report.outcomes.items():
            self._states[name] = (outcome.state, outcome.sentence)
        self._stopping, self._has_ended = False, True
        self.wizard.note_run_ended()

    def failed(self, error: KthwRoutesError) -> None:
        """Note that the run did not start."""
        self._stopping = False
        self.last_run.refused = error
        if self.last_run.report is None:
            self._states = dict.fromkeys(self._states, (HostState.NOT_STARTED, ""))
        self.wizard.note_run_ended()

    # --- what is shown ---

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

    def action_verbose(self) -> None:
        """Show every command in the log, or the changes only."""
        self._logs.turn()
        self.redraw()

    # --- presenting ---

    def action_present(self) -> None:
        """Stop before each host's change from now on, or no more."""
        self.controller.pace.turn()
        self.redraw()

    def action_go_on(self) -> None:
        """Let the next host go."""
        self.controller.pace.go_on()

    # --- stop, retry ---

    def action_stop(self) -> None:
        """Ask once, then stop; pressed again, end the hosts that have started too."""
        if not self.busy:
            return
        if self._stopping:
            self.busy = "ending the hosts that have started"
            self.controller.work.stop(now=True)
            self.redraw()
            return

        def answered(answer: str | None) -> None:
            if answer and self.busy:
                self._stopping = True
                now = answer == "now"
                finishing = "stopping: hosts that have started are finishing. Stop again ends them now"
                self.busy = "ending now" if now else finishing
                self.controller.work.stop(now=now)
                self.redraw()

        words = (
            "Stop: hosts that have started finish and are read back; no other host starts. Retry continues later.\n\n"
            "End now: hosts that have started are cut off. Retry reads them again first."
        )
        self.app.push_screen(Confirm("Stop the run?", words, "Keep running", stop="Stop", now="End now"), answered)

    @property
    def _can_retry(self) -> bool:
        report = self.last_run.report
        return bool(report.unfinished) if report is not None else self.error is not None

    def action_retry(self) -> None:
        """Run what is not done, and only that."""
        if self.busy or not self._can_retry:
            return
        report = self.last_run.report
        if report is None:
            self._start()
            return
        for name in report.unfinished:
            self._states[name] = (HostState.WAITING, "")
        self.start_work("running what is not done", lambda: self.controller.retry(report), self._ended)

    def quit_question(self) -> Confirm | None:
        """Ask before the run is ended, with what is done and what is not."""
        if not self.busy:
            return None
        words = run_words.quitting(self._states)
        return Confirm("Quit in the middle of the run?", words, "Keep running", quit="End it and quit")

    # --- going on ---

    @property
    def refusal(self) -> str | None:
        """Why it cannot go on: the run never started."""
        if self.last_run.report is None:
            return "Cannot continue: the run did not start. Retry tries again."
        return None

    @property
    def back_refusal(self) -> str | None:
        """Why it cannot go back: the run is under way."""
        return "the run is under way: stop it first." if self.busy else None

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
