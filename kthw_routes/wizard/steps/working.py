"""A screen with blocking work in a thread, one piece at a time, which can be stopped."""

from collections.abc import Callable
from typing import ClassVar, TypeVar

from textual.screen import Screen

from kthw_routes.errors import KthwRoutesError
from kthw_routes.wizard.background import Job
from kthw_routes.wizard.controller import Controller
from kthw_routes.wizard.steps.wizard import Wizard

T = TypeVar("T")


class WorkingScreen(Screen[None]):
    """What is under way is in `busy`, what went wrong last in `error`."""

    def __init__(self, wizard: Wizard) -> None:
        super().__init__()
        self.wizard = wizard
        self.job: Job | None = None
        self.busy = ""
        """What is under way, in words; empty while nothing is."""
        self.error: KthwRoutesError | None = None
        """What went wrong last."""

    @property
    def controller(self) -> Controller:
        """What was chosen and what came of it."""
        return self.wizard.controller

    def redraw(self) -> None:
        """Draw everything again soon."""
        self.wizard.redraw()

    can_cancel: ClassVar[bool] = True
    """Whether *Cancel* ends the work of this step."""

    def start_work(self, words: str, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Run blocking work in a thread. `words` are shown meanwhile; an error is put in `error`."""
        self.error, self.busy = None, words
        run = self.controller.work.begin()
        self.wizard.asker.welcome()

        def finished(value: T) -> None:
            self.job, self.busy = None, ""
            done(value)
            self.redraw()

        def failed(error: KthwRoutesError) -> None:
            self.job, self.busy, self.error = None, "", error
            self.failed(error)
            self.redraw()

        self.job = self.wizard.jobs.start(lambda: run(work), finished, failed)
        self.redraw()

    def failed(self, error: KthwRoutesError) -> None:
        """React to an error of the work; it is in `error`."""

    def cancel_work(self) -> None:
        """Stop the work under way."""
        if self.busy:
            self.busy = "stopping"
            self.controller.work.stop(now=True)
            self.wizard.asker.withdraw()
            self.redraw()

    def abandon_work(self) -> None:
        """Stop the work under way and drop its result."""
        if self.job is not None:
            self.cancel_work()
            self.job.abandoned = True
            self.job, self.busy = None, ""
