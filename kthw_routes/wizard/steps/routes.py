"""Step 4: the review. The next hop of every route, why, and the exact commands. Nothing is changed yet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType

from kthw_routes.findings.model import Finding
from kthw_routes.wizard.modals.route_options import ChooseRouteOptions
from kthw_routes.wizard.steps.marking import MarkingStep
from kthw_routes.wizard.steps.persist_page import PersistPage
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.text import (
    manual_commands,
    persist_question,
    review_rows,
    route_cells,
    why_words,
)
from kthw_routes.wizard.text.refusals import refuse_stops, refuse_unticked
from kthw_routes.wizard.text.review_rows import Row, Tab
from kthw_routes.wizard.themes import dim
from kthw_routes.wizard.widgets.route_review import RouteReview
from kthw_routes.words import Words, count, summary
from kthw_routes.workflow.results import Review


class RoutesStep(MarkingStep):
    """The question about the next reboot, then the routes as a matrix, the other changes, and the detail in focus."""

    title_word = "Routes"
    purpose = "This will change. Nothing has been changed yet."
    lesson_name = "routes"
    why_columns = 150
    keys = (
        ("arrows", "reason, command and undo of another route"),
        ("1 2 3 4", "routes, names, files, notes"),
        ("Space", "mark an extra route for removal, or unmark it"),
        ("", "repair an overridden pod CIDR (asks first)"),
        ("Enter", "the whole text of a file"),
        ("/", "search in the list; Escape shows all"),
        ("b", "keep the routes after a reboot, or not"),
        ("o", "names, routes of the controllers, overlay, forwarding"),
        ("p", "have the run stop before each host's change, or not"),
        ("h", "type the changes by hand: shows them, and ticks off what is right"),
        ("f", "follow a packet between the two workers in focus"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(tab + 1), f"tab({tab.value})", tab.name.title(), show=False) for tab in Tab),
        Binding("space", "mark", "Mark", show=False),
        Binding("slash", "search", "Search", show=False),
        Binding("b", "question", "Reboot", show=False),
        Binding("o", "options", "Options", show=False),
        Binding("p", "present", "Present", show=False),
        Binding("h", "app.by_hand", "By hand"),
        Binding("f", "app.trace", "Follow"),
        Binding("escape", "close", "Close", show=False),
    ]

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard, titles, here)
        self._page = PersistPage()
        self._in_tabs: tuple[Review | None, Mapping[Tab, Sequence[Row]]] = (None, {})
        self._goes_to_rows = False
        """Whether the rows of another tab get the focus once they are drawn."""
        self._is_asked_again = False
        """Whether the question is shown although it is answered."""

    def compose_body(self) -> ComposeResult:
        """Yield the question, and the review."""
        yield self._page
        yield self._shown

    @property
    def _is_over(self) -> bool:
        return self.last_run.report is not None or self.last_run.is_undo

    @property
    def _is_asking(self) -> bool:
        if self.controller.inspection is None or self._is_over:
            return False
        return self._is_asked_again or persist_question.wants_answer(self.review)

    @property
    def purpose_text(self) -> Words | str:
        """The question, or what is dangerous and how much would change."""
        if self.last_run.is_undo:
            return f"This undoes run {self.review.undoes}. Later changes stay untouched."
        if self.controller.inspection is None or self.last_run.report is not None:
            return self.purpose
        if self._is_asking:
            return "Keep these routes after a reboot?"
        return route_cells.headline(self.review, self._rows_in_tabs[Tab.NOTES])

    @property
    def _rows_in_tabs(self) -> Mapping[Tab, Sequence[Row]]:
        """All rows by their tab, worked out once per review."""
        review = self.review
        if self._in_tabs[0] is not review:
            self._in_tabs = review, review_rows.in_tabs(review)
        return self._in_tabs[1]

    def enter(self) -> None:
        """Show the routes, or the question while it needs an answer."""
        self._is_asked_again = False
        if self.controller.inspection is not None:
            self._focus_main()

    def _focus_main(self) -> None:
        if self._is_asking:
            self._page.focus_answers()
        else:
            self._shown.focus_rows()

    async def draw(self) -> None:
        """Draw the question or the plan."""
        if self.controller.inspection is None:
            return
        review, asks, was_asking = self.review, self._is_asking, self._page.display
        self._page.show(review, self.body.size.width)
        self._page.display, self._shown.display = asks, not asks
        self._shown.show(review, self._rows_in_tabs)
        if asks is not was_asking:
            self._focus_main()

    def laid_out(self) -> None:
        """Adjust what can be scrolled."""
        self._shown.laid_out()

    def why_words(self) -> Iterable[Words | str]:
        """Explain the command of the row in focus, or the finding."""
        row = self._shown.row if self.controller.inspection is not None and not self._is_asking else None
        match row.change if row is not None else None:
            case Finding() as finding:
                return why_words.of_finding(finding)
            case None | review_rows.Additions():
                return ()
            case change:
                return why_words.of_change(change, self.review.inspection.cluster)

    @on(RouteReview.Moved)
    def _moved(self) -> None:
        if self.wizard.is_why_open:
            self.redraw()

    @on(RouteReview.Turned)
    async def _turned(self) -> None:
        await self.draw()
        if self._goes_to_rows:
            self._goes_to_rows = False
            self._focus_main()

    def action_tab(self, number: int) -> None:
        """Show another tab, its rows in focus."""
        if not self._is_asking:
            self._goes_to_rows = self._shown.tab != number
            self._shown.choose_tab(number)
            self._focus_main()

    def action_search(self) -> None:
        """Narrow the list to the rows that have some words."""
        if not self._is_asking:
            self._shown.begin_search()

    @property
    def pair_in_focus(self) -> tuple[str, str] | None:
        """The two workers of the route in focus."""
        return self._shown.pair

    @property
    def can_type_by_hand(self) -> bool:
        """Whether there are changes that nobody has made yet, and a terminal to type them in: a browser has none."""
        is_ready = (
            not self.app.is_web and self.controller.inspection is not None and not self._is_over and not self._is_asking
        )
        return is_ready and not self.review.plan.is_empty

    # --- the choices ---

    def action_question(self) -> None:
        """Ask again whether the routes are kept after a reboot."""
        if self.controller.inspection is None or self._is_over or not persist_question.is_applicable(self.review):
            self.app.bell()
        else:
            self._is_asked_again = True
            self.redraw()

    def action_close(self) -> None:
        """Close the question where it is answered, else *Why?*."""
        if self._is_asked_again:
            self._is_asked_again = False
            self.redraw()
        else:
            self.wizard.action_close_why()

    @on(PersistPage.Answered)
    def _answered(self, event: PersistPage.Answered) -> None:
        """Stay with the answer, so that *Next* opens the review and never runs what was not seen; twice goes on."""
        self._is_asked_again = self._options.persist != event.persist
        self._choose(replace(self._options, persist=event.persist))

    def action_present(self) -> None:
        """Have the run stop before each host's change, or not."""
        self.controller.pace.turn()
        self.redraw()

    def action_options(self) -> None:
        """Choose names, routes on the controllers, the overlay, forwarding, cloud-init's template."""
        if self.controller.inspection is None or self._is_over:
            self.app.bell()
            return
        dialog = ChooseRouteOptions(self._options, self.review.inspection)
        self.app.push_screen(dialog, lambda options: self._choose(options) if options is not None else None)

    # --- going on ---

    @property
    def refusal(self) -> str | None:
        """Why the run cannot start: a stop, the open question, or a warning without a tick."""
        if self.controller.inspection is None:
            return "To continue: go Back and read the hosts."
        if self._is_asking and not persist_question.wants_answer(self.review):
            return None
        if stopped := refuse_stops(self.review.findings):
            return stopped
        if self.last_run.report is not None:
            return None
        if persist_question.wants_answer(self.review):
            return persist_question.REFUSAL
        notes = self._rows_in_tabs[Tab.NOTES]
        unknown = [row for row in notes if isinstance(row.change, Finding) and self._box(row) is False]
        where = "above" if self._shown.tab is Tab.NOTES else "in Notes (key 4)"
        return refuse_unticked(unknown, "press Space on", where)

    @property
    def next_label(self) -> str:
        """How many changes the button makes."""
        if self.controller.inspection is None or self.last_run.report is not None:
            return "Next"
        if self._is_asking:
            return "Show the changes"
        plan = self.review.plan
        verb = "Present" if self.controller.pace.is_on else "Run"
        return "Prove" if plan.is_empty else f"{verb} {count(plan.changes, 'change')}"

    @property
    def status(self) -> Words | str:
        """What becomes of the routes after a reboot, and what can be chosen."""
        if self.last_run.report is not None and not self.review.plan.is_empty:
            return dim("These changes were run. For a new review: Back, then Read again.")
        if stale := review_rows.only_stale(self.review):
            return stale
        if self._is_over or self._is_asking:
            return summary(self.review.plan, tuple(self.review.inspection.troubles)) if self._is_over else ""
        return persist_question.in_short(self.review, self.size.width - 2)

    def commit(self) -> bool:
        """Go from the question to the review; record a run without changes where there is nothing to do."""
        if self._is_asking:
            self.action_close()
            return False
        if self.last_run.report is None and self.review.plan.is_empty:
            self.controller.work.begin()
            self.controller.take_report(self.controller.run(self.review))
        return True

    def list_commands(self) -> Iterable[str]:
        """Return the plan's commands."""
        if self.controller.inspection is None:
            return ()
        return manual_commands.planned(self.review, self.last_run.report, self.shown_settings)

    def palette(self) -> Iterable[SystemCommand]:
        """Yield the choices of this step."""
        yield SystemCommand("After a reboot", "Keep the routes after a reboot, or not", self.action_question)
        yield SystemCommand("Options", "Names, routes of the controllers, overlay, forwarding", self.action_options)
        yield SystemCommand("Mark", "Remove an extra route, repair an overridden pod CIDR", self.action_mark)
