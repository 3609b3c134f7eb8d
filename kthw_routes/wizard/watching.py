"""Watching somebody type the changes by hand: what is right by now, and what is wrong. Knows nothing of screens."""

from collections.abc import Callable

from kthw_routes.errors import KthwRoutesError
from kthw_routes.teaching.by_hand import State, Typed, judge
from kthw_routes.wizard import inspecting
from kthw_routes.wizard.controller import Controller
from kthw_routes.wizard.errand import Errand
from kthw_routes.wizard.inspecting import InspectionResult
from kthw_routes.workflow.results import Review


class Watch:
    """Reads the hosts again and again; changes nothing there."""

    def __init__(self, controller: Controller, errand: Errand) -> None:
        self._controller = controller
        self._errand = errand
        self.review: Review = controller.review()
        """As the hosts are by the last look."""
        self._first = _state(self.review)
        self._last: InspectionResult | None = None

    @property
    def rows(self) -> list[Typed]:
        """Every row that was to be typed, or was typed besides, host by host."""
        return judge(self.review.inspection.cluster, self._first, _state(self.review))

    @property
    def is_done(self) -> bool:
        """Whether all of it is right, and nothing else is wrong."""
        all_read = not self.review.inspection.troubles
        return all_read and self.review.plan.is_empty and not any(row.wrong for row in self.rows)

    @property
    def is_looking(self) -> bool:
        """Whether the hosts are being read."""
        return self._errand.is_under_way

    def look(self, done: Callable[[], None], failed: Callable[[KthwRoutesError], None]) -> None:
        """Read the hosts in a thread, unless they are being read."""
        controller = self._controller

        def take(result: InspectionResult) -> None:
            self._last, self.review = result, result.review
            done()

        if not self.is_looking:
            self._errand.begin(
                lambda: inspecting.inspect(controller.workflow, controller.cluster, controller.choices.options),
                take,
                failed,
            )

    def end(self) -> None:
        """Stop looking; the review is of the last look from now on."""
        self._errand.stop()
        if self._last is not None:
            self._controller.take_inspection(self._last)


def _state(review: Review) -> State:
    return State(review.plan, review.inspection.facts)
