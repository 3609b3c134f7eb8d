"""A run under way: it starts, stops before each host where it is presented, is stopped, is retried."""

from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import HostState
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.text import run_words
from kthw_routes.workflow.results import Report, Review


class RunningStep(StepScreen):
    """The step that changes hosts; what of it is shown is for others."""

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        self._states: dict[str, tuple[HostState, str]] = {}
        self._stopping = False

    def begun(self, review: Review) -> None:
        """React to a run that begins."""

    def ended(self) -> None:
        """React to the end of a run."""

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
        self._stopping = False
        self.begun(review)
        words = f"undoing run {review.undoes}" if review.undoes else "running"
        self.start_work(words, lambda: self.controller.run(review), self._ended)

    def _ended(self, report: Report) -> None:
        self.controller.take_report(report)
        for name, outcome in report.outcomes.items():
            self._states[name] = (outcome.state, outcome.sentence)
        self._stopping = False
        self.ended()
        self.wizard.note_run_ended()

    def failed(self, error: KthwRoutesError) -> None:
        """Note that the run did not start."""
        self._stopping = False
        self.last_run.refused = error
        if self.last_run.report is None:
            self._states = dict.fromkeys(self._states, (HostState.NOT_STARTED, ""))
        self.wizard.note_run_ended()

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

    @property
    def back_refusal(self) -> str | None:
        """Why it cannot go back: the run is under way."""
        return "the run is under way: stop it first." if self.busy else None
