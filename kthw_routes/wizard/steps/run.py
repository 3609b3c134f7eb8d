"""Step 5: the run, started by the button of the review: hosts with their state, a live log, stop, retry."""

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
from kthw_routes.wizard.steps.base import StepScreen, Wizard
from kthw_routes.wizard.steps.checks import GLYPHS
from kthw_routes.wizard.text import manual_commands
from kthw_routes.wizard.text import summaries as telling
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.wizard.widgets.host_log import HostLog, LogBuffer
from kthw_routes.wizard.widgets.paragraph import ErrorBox, Paragraph
from kthw_routes.wizard.widgets.table import KeyedTable
from kthw_routes.words import Tone, Words, count, state_tone
from kthw_routes.workflow.results import Report

_ALL = "*"
"""The key of the row of all hosts; no node has this name, as it is no host name."""


class RunStep(StepScreen):
    """Hosts on the left, the log of the chosen one on the right."""

    title_word = "Run"
    purpose = "All hosts are worked on side by side; a failure stops only its own host."
    lesson_name = "run"
    can_cancel = False
    keys = (
        ("Up  Down", "the log of another host"),
        ("Tab", "into the log: scroll with arrows, Page and End keys"),
        ("s", "stop"),
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
        """The two columns."""
        with Horizontal(id="run"):
            with Vertical(id="run-hosts"):
                yield self._table
                yield self._bar
                yield self._error_box
            with Vertical(id="run-log"):
                yield self._log
                yield self._outcome

    def extra_buttons(self) -> Iterable[Button]:
        """Stop and retry."""
        return self._stop, self._retry

    @property
    def is_skipped(self) -> bool:
        """Whether there is nothing to do."""
        return self.controller.inspection is not None and self.controller.review().plan.is_empty

    @property
    def is_changing_hosts(self) -> bool:
        """Whether hosts are worked on."""
        return bool(self.busy)

    def entered(self) -> None:
        """The button of the review was the start."""
        if self.controller.report is None and not self.busy:
            self._start()

    def _start(self) -> None:
        review = self.controller.review()
        self._states = {h.node: (HostState.WAITING, "") for h in review.plan.hosts}
        self._all.clear()
        self._logs.clear()
        self._stopping = False
        words = f"taking back run {review.undoes}" if review.undoes else "running"
        self.work(words, lambda: self.controller.run(review), self._ended)

    def _ended(self, report: Report) -> None:
        self.controller.take_report(report)
        for name, outcome in report.outcomes.items():
            self._states[name] = (outcome.state, outcome.sentence)
        self._stopping = False
        self.wizard.run_ended()

    def failed(self, error: KthwRoutesError) -> None:
        """The run did not begin."""
        self._stopping = False
        self.controller.run_refused = error
        if self.controller.report is None:
            self._states = dict.fromkeys(self._states, (HostState.NOT_STARTED, ""))
        self.wizard.run_ended()

    # --- what is seen ---

    def heard(self, event: Event) -> None:
        """A line for the logs, perhaps a state."""
        if event.step is not Phase.RUN:
            return
        self._all.add(event)
        if event.host is None:
            return
        self._logs.setdefault(event.host, LogBuffer()).add(event)
        if event.kind is EventKind.STATE and event.state is not None:
            self._states[event.host] = (event.state, event.text if event.text != event.state else "")

    async def draw(self) -> None:
        """States, progress, the chosen log."""
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
        word = f"{state}"
        return (
            Words(f"{GLYPHS.get(state, '▸')} {cut_middle(name, width)}", state_tone(state)),
            Words(word, state_tone(state)),
        )

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
        report = self.controller.report
        hint = report.outcomes[chosen].hint if report and chosen in report.outcomes else ""
        outcome.display = bool(text)
        if chosen == _ALL and report is not None and (told := self._told_of_undo(report)):
            outcome.display = True
            outcome.show(*told)
        elif state and text:
            outcome.show(Words(text, state_tone(state[0])), dim(f" {hint}"))

    def _told_of_undo(self, report: Report) -> list[Words | str]:
        """What was taken back, what was left, and how to have it again."""
        if not report.review.undoes:
            return []
        left = telling.left_alone(report.review)
        parts: list[Words | str] = [Words(telling.undone(report), Tone.GOOD)]
        parts += [Words("\nLeft as it is:", Tone.WARNING)] if left else []
        parts += [f"\n  {line}" for line in left]
        if report.folder is not None and not self.controller.is_lab:
            parts.append(dim(f"\nTo take this back in turn: kthw-routes undo {report.folder.name}"))
        return parts

    @on(KeyedTable.RowHighlighted, "#hosts")
    def _moved(self) -> None:
        self._show_log()

    # --- stop, retry ---

    def action_stop(self) -> None:
        """Stop: asked once; pressed again, hosts that have begun are ended too."""
        if not self.busy:
            return
        if self._stopping:
            self.busy = "ending the hosts that have begun"
            self.controller.stop(now=True)
            self.redraw()
            return

        def answered(answer: str | None) -> None:
            if answer and self.busy:
                self._stopping = True
                now = answer == "now"
                self.busy = "ending now" if now else "stopping: hosts that have begun are finished; Stop ends them now"
                self.controller.stop(now=now)
                self.redraw()

        words = (
            "Stop: hosts that have begun are finished and read back, no other host is begun. Retry goes on later.\n\n"
            "End now: hosts that have begun are cut off; what was sent there is read again on Retry."
        )
        self.app.push_screen(Confirm("Stop the run?", words, "Keep running", stop="Stop", now="End now"), answered)

    @property
    def _can_retry(self) -> bool:
        report = self.controller.report
        return bool(report.unfinished) if report is not None else self.error is not None

    def action_retry(self) -> None:
        """Run what is not done, and only that."""
        if self.busy or not self._can_retry:
            return
        report = self.controller.report
        if report is None:
            self._start()
            return
        for name in report.unfinished:
            self._states[name] = (HostState.WAITING, "")
        self.work("running what is not done", lambda: self.controller.retry(report), self._ended)

    def quit_question(self) -> Confirm | None:
        """What is done and what is not, for those who want to quit now."""
        if not self.busy:
            return None
        done = [n for n, (s, _) in self._states.items() if s in (HostState.DONE, HostState.NOTHING_TO_DO)]
        begun = [n for n, (s, _) in self._states.items() if not s.is_final and s is not HostState.WAITING]
        rest = [n for n, (s, _) in self._states.items() if s is HostState.WAITING]
        failed = [n for n, (s, _) in self._states.items() if s.is_final and n not in done]
        parts = [
            ("Done", done),
            ("Begun, ended where they are", begun),
            ("Not started, nothing changed there", rest),
            ("Not done", failed),
        ]
        lines = [f"{title}: {', '.join(names)}." for title, names in parts if names]
        words = "\n".join([*lines, "", "The transcript says what takes each change back."])
        return Confirm("Quit in the middle of the run?", words, "Keep running", quit="End it and quit")

    # --- going on ---

    def refusal(self) -> str:
        """The run is under way, or never began."""
        if self.controller.report is None:
            return "the run did not begin. Retry tries again."
        return ""

    def back_refusal(self) -> str:
        """The run is under way."""
        return "the run is under way: stop it first." if self.busy else ""

    def next_label(self) -> str:
        """What comes next; after an undo there is nothing to prove."""
        return "Finish" if self.controller.is_undo else "Next"

    def purpose_words(self) -> str:
        """What is run."""
        run = self.controller.review().undoes if self.controller.is_undo else ""
        return f"Taking back run {run}: what was changed since is left alone." if run else self.purpose

    def commit(self) -> bool:
        """An undo is the end."""
        if self.controller.is_undo:
            self.wizard.leave()
            return False
        return True

    def status(self) -> Words | str:
        """How it ended."""
        report = self.controller.report
        if report is None:
            return ""
        if report.unfinished:
            number = count(len(report.unfinished), "host")
            return Words(f"Not done on {number}: {', '.join(report.unfinished)}. Retry runs only these.", Tone.WARNING)
        if report.review.undoes:
            return Words(f"Taken back: {count(report.changed, 'change')}. Back looks at the hosts again.", Tone.GOOD)
        words = f"Done: {count(report.changed, 'change')} made and read back."
        whole = " ".join((words, *telling.after_reboot(report, report.review.plan)[:1]))
        return Words(whole if len(whole) < self.size.width - 1 else words, Tone.GOOD)

    def by_hand(self) -> Iterable[str]:
        """The plan's commands, and what takes them back."""
        controller = self.controller
        return manual_commands.planned(controller.review(), controller.report, controller.settings_of_source)

    def palette(self) -> Iterable[SystemCommand]:
        """Stop or retry."""
        if self.busy:
            yield SystemCommand("Stop", "Let begun hosts finish, begin no other", self.action_stop)
        elif self._can_retry:
            yield SystemCommand("Retry", "Run what is not done", self.action_retry)
