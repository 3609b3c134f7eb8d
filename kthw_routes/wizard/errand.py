"""Blocking work for a dialog, one piece at a time, which ends with it. Knows nothing of screens."""

from collections.abc import Callable
from typing import TypeVar

from kthw_routes.errors import KthwRoutesError
from kthw_routes.wizard.background import Job, Jobs
from kthw_routes.wizard.prompts import WizardAsker
from kthw_routes.wizard.work_turn import WorkTurn

T = TypeVar("T")


class Errand:
    """Begins work, and stops it once nobody waits for its result."""

    def __init__(self, work: WorkTurn, jobs: Jobs, asker: WizardAsker) -> None:
        self._work, self._jobs, self._asker = work, jobs, asker
        self._job: Job | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a result is waited for."""
        return self._job is not None

    def begin(
        self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[KthwRoutesError], None]
    ) -> None:
        """Run blocking work in a thread; what is under way is stopped."""
        self.stop()
        run = self._work.begin()
        self._asker.welcome()

        def finished(value: T) -> None:
            self._job = None
            done(value)

        def ended(error: KthwRoutesError) -> None:
            self._job = None
            failed(error)

        self._job = self._jobs.start(lambda: run(work), finished, ended)

    def stop(self) -> None:
        """Stop what is under way and drop its result."""
        if self._job is not None:
            self._job.abandoned = True
            self._work.stop(now=True)
            self._asker.withdraw()
            self._job = None
