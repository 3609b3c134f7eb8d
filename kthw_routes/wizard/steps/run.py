"""Step 5: the run, started by the button of the review: state of each host, live log, stop, retry."""

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button

from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import Event, EventKind, HostState, Phase
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.steps.checks import GLYPHS
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.text import manual_commands, summaries
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.wizard.widgets.host_log import HostLog, LogBuffer
from kthw_routes.wizard.widgets.paragraph import ErrorBox, Paragraph
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import Tone, Words, count, state_tone
from kthw_routes.workflow.results import Report

_ALL = "*"
"""The key of the row of all hosts; not a valid hostname, so no node has it."""


class RunStep(StepScreen):
    """Hosts on the left, the log of the chosen one on the right."""

    title_word = "Run"
    purpose = "The hosts are changed in parallel. A failure stops only its own host."
    lesson_name = "run"
    can_cancel = False
    keys = (
        ("Up  Down", "the log of another host"),
        ("Tab", "into the log; arrows, Page keys and End scroll"),
        ("s", "stop (asks first)"),
        ("t", "retry what is not done"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "stop", "Stop", show=False),
        Binding("t", "retry", "Retry", show=False),
    ]

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        self._table = self.first_focus = KeyedTable("host", "state", id="hosts")
        self._bar = Paragraph(id="progress")
        self._error_box = ErrorBox(id="error")
        self._log = HostLog(id="log")
        self._outcome = Paragraph(id="outcome")
        self._stop = Button("Stop", id="stop", compact=True, action="screen.stop")
        self._retry = Button("Retry", id="retry", compact=True, action="screen.retry")
        self._states: dict[str, tuple[HostState, str]] = {}
        self._all = LogBuffer(names=True)
        self._logs: dict[str, LogBuffer] = {}
        self._stopping = False

    def compose_body(self) -> ComposeResult:
        """Yield the two columns."""
        with Horizontal(id="run"):
            with Vertical(id="run-hosts"):
                yield self._table
                yield self._bar
                yield self._error_box
            with Vertical(id="run-log"):
                yield self._log
                yield self._outcome

    @property
    def extra_buttons(self) -> Iterable[Button]:
        """Stop and retry."""
        return self._stop, self._retry

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
        self._all.clear()
        self._logs.clear()
        self._stopping = False
        words = f"undoing run {review.undoes}" if review.undoes else "running"
        self.start_work(words, lambda: self.controller.run(review), self._ended)

    def _ended(self, report: Report) -> None:
        self.controller.take_report(report)
        for name, outcome in report.outcomes.items():
            self._states[name] = (outcome.state, outcome.sentence)
        self._stopping = False
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
        self._all.add(event)
        if event.host is None:
            return
        self._logs.setdefault(event.host, LogBuffer()).add(event)
        if event.kind is EventKind.STATE and event.state is not None:
            self._states[event.host] = (event.state, event.text if event.text != event.state else "")

    async def draw(self) -> None:
        """Draw states, progress and the chosen log."""
        rows: list[tuple[str, tuple[Words | str, ...]]] = [(_ALL, ("  all hosts", ""))]
        rows += [(name, self._cells(name, state)) for name, (state, _) in self._states.items()]
        self._table.show(rows)
        self._show_log()
        self._log.catch_up()
        self._bar.show(*self._progress())
        self._error_box.show_error(self.error)
        self._stop.display, self._retry.display = bool(self.busy), not self.busy and self._can_retry
        self._stop.disabled = self.wizard.is_quitting

    def _cells(self, name: str, state: HostState) -> tuple[Words | str, ...]:
        width = 14 if self.size.width < 100 else 24
        glyph, tone = GLYPHS.get(state, "▸"), state_tone(state)
        return Words(f"{glyph} {cut_middle(name, width)}", tone), Words(str(state), tone)

    def _progress(self) -> Iterable[Words | str]:
        ended = sum(1 for state, _ in self._states.values() if state.is_final)
        total = len(self._states)
        width = 12
        full = width * ended // total if total else 0
        yield f" {ended} of {count(total, 'host')}  "
        yield Words("━" * full, Tone.NEW)
        yield dim("─" * (width - full))

    @property
    def _chosen(self) -> str:
        return self._table.key or _ALL

    def _show_log(self) -> None:
        chosen = self._chosen
        self._log.show(self._all if chosen == _ALL else self._logs.setdefault(chosen, LogBuffer()))
        state = self._states.get(chosen)
        outcome = self._outcome
        text = state[1] if state and state[0].is_final else ""
        report = self.last_run.report
        hint = report.outcomes[chosen].hint if report and chosen in report.outcomes else ""
        outcome.display = bool(text)
        undo = summaries.describe_undo(report, is_lab=self.controller.is_lab) if report and chosen == _ALL else []
        if undo:
            outcome.display = True
            outcome.show(*undo)
        elif state and text:
            outcome.show(Words(text, state_tone(state[0])), dim(f" {hint}"))

    @on(KeyedTable.RowHighlighted, "#hosts")
    def _moved(self) -> None:
        self._show_log()

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
        done = [n for n, (s, _) in self._states.items() if s in (HostState.DONE, HostState.NOTHING_TO_DO)]
        begun = [n for n, (s, _) in self._states.items() if not s.is_final and s is not HostState.WAITING]
        rest = [n for n, (s, _) in self._states.items() if s is HostState.WAITING]
        failed = [n for n, (s, _) in self._states.items() if s.is_final and n not in done]
        parts = (("Done", done), ("Started, cut off", begun), ("Not started, unchanged", rest), ("Not done", failed))
        lines = [f"{title}: {', '.join(names)}." for title, names in parts if names]
        words = "\n".join([*lines, "", "The transcript lists the undo command of each change."])
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
        return "Finish" if self.last_run.is_undo else "Next"

    @property
    def purpose_text(self) -> str:
        """What is run."""
        run = self.controller.review().undoes if self.last_run.is_undo else ""
        return f"Undoing run {run}. Later changes stay untouched." if run else self.purpose

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
        return manual_commands.planned(controller.review(), controller.last_run.report, controller.settings_of_source)

    def palette(self) -> Iterable[SystemCommand]:
        """Yield stop or retry."""
        if self.busy:
            yield SystemCommand("Stop", "Let started hosts finish, start no other", self.action_stop)
        elif self._can_retry:
            yield SystemCommand("Retry", "Run what is not done", self.action_retry)
