"""The wizard as an application: moves through the steps, collects what threads left, asks their questions."""

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from kthw_routes.errors import ExitCode
from kthw_routes.events import Event
from kthw_routes.options import Settings
from kthw_routes.wizard import palette
from kthw_routes.wizard.background import Jobs
from kthw_routes.wizard.controller import Controller
from kthw_routes.wizard.dialog_actions import DialogActions
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.prompts import WizardAsker
from kthw_routes.wizard.question_screens import QuestionScreens
from kthw_routes.wizard.steps import STEPS
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.themes import CONTRAST, DAY, NIGHT

if TYPE_CHECKING:
    from kthw_routes.demo.lab import EmbeddedLab

_TICK = 0.05
"""Seconds between two collections of what threads left."""

_QUIT_SECONDS = 0.6
"""How long quitting waits for a run to report how its hosts ended."""


def _warm_up() -> None:
    """Import what the next step needs while the person reads the first: it takes a quarter of a second."""
    import kthw_routes.sources.linode.source  # noqa: F401 - kept for the next step


class WizardApp(DialogActions):
    """One person going through the steps once."""

    CSS_PATH = Path(__file__).with_name("wizard.tcss")
    TITLE = "kthw-routes"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", show=False, priority=True)]

    def __init__(self, settings: Settings, lab: "EmbeddedLab | None" = None) -> None:
        """`lab`: the running practice lab where it is the only source offered."""
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (100, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-short"), (18, "-tall"), (29, "-high")]
        self.jobs = Jobs()
        self.asker = WizardAsker(lambda question: self.jobs.call(lambda: self._questions.ask(question)))
        self._questions = QuestionScreens(self, self.asker)
        self.controller = Controller(settings, lab, self.asker, self.jobs.emit)
        self.controller.pace.changed = lambda: self.jobs.call(lambda: None)
        titles = tuple(step.title_word for step in STEPS)
        self.steps = tuple(step(self, titles, number) for number, step in enumerate(STEPS))
        self.here = 0
        self._dirty = True
        self._ticking = False
        self._quit_question: Confirm | None = None
        self._has_ended_meanwhile = False
        """Whether the question is about a run that ended while it was asked."""
        self._quitting = False
        for theme in (NIGHT, DAY, CONTRAST):
            self.register_theme(theme)
        if "TEXTUAL_THEME" not in os.environ:
            self.theme = NIGHT.name

    async def on_mount(self) -> None:
        """Show the first step, and start the one timer."""
        for number, step in enumerate(self.steps):
            self.install_screen(step, str(number))
        await self.push_screen("0")
        self.theme_changed_signal.subscribe(self, lambda _theme: self.redraw())
        self.step.enter()
        self._focus_first()
        self.set_interval(_TICK, self.tick)
        self.call_after_refresh(threading.Thread(target=_warm_up, name="warm-up", daemon=True).start)

    # --- the steps ---

    @property
    def step(self) -> StepScreen:
        """The current step, also while a dialog is over it."""
        return self.steps[self.here]

    def go(self, by: int) -> None:
        """Go on (1) or back (-1, or further), past steps with nothing to do."""
        target = self.here + by
        while 0 <= target < len(self.steps) and self.steps[target].is_skipped:
            target += 1 if by > 0 else -1
        if 0 <= target < len(self.steps):
            self.run_worker(self._show_step(target), exclusive=True, group="go")

    async def _show_step(self, number: int) -> None:
        self.here = number
        first = not self.step.is_mounted
        await self.switch_screen(str(number))
        self.step.enter()
        self.redraw()
        if first:
            self._focus_first()

    def _focus_first(self) -> None:
        widget = self.step.first_focus
        if widget is not None and widget.focusable:
            widget.focus()

    # --- what threads left ---

    def redraw(self) -> None:
        """Draw the step again soon."""
        self._dirty = True
        self.call_later(self.tick)

    async def tick(self) -> None:
        """Collect events, results and questions; draw the step if anything changed."""
        if self._ticking or not self.screen_stack:
            return
        self._ticking = True
        try:
            changed = self.jobs.drain(self._handle_event)
            self._questions.drop()
            self._renew_quit_question()
            if (changed or self._dirty) and self.step.is_mounted and self.step.is_attached:
                self._dirty = False
                await self.step.draw_all()
            self.ticked()
        finally:
            self._ticking = False

    def ticked(self) -> None:
        """Do nothing, after each tick: tests wait for it instead of for time."""

    def _handle_event(self, event: Event) -> None:
        self.controller.note(event)
        for step in self.steps:
            step.handle_event(event)

    # --- help ---

    @property
    def is_why_open(self) -> bool:
        """Whether *Why?* is shown: as the person chose, else where the terminal is wide."""
        chosen = self.controller.choices.why_open
        return self.size.width >= self.step.why_columns if chosen is None else chosen

    def action_why(self) -> None:
        """Open or close *Why?*."""
        self.controller.choices.why_open = not self.is_why_open
        self.redraw()

    def action_close_why(self) -> None:
        """Close *Why?*."""
        if self.is_why_open:
            self.action_why()

    def on_resize(self) -> None:
        """Redraw for the new size."""
        self.redraw()

    def get_key_display(self, binding: Binding) -> str:
        """Return how the footer shows a key: browsers keep some for themselves, such as Ctrl-N."""
        in_browser = {"next": ">", "back": "<"}.get(binding.action) if self.is_web else None
        return in_browser or super().get_key_display(binding)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield every action by its name, for the palette."""
        yield from palette.list_commands(self.step, self.action_why, self.action_commands, self.action_keys)
        if self.controller.inspection is not None:
            yield SystemCommand("Follow a packet", "From pod to pod and back, hop by hop", self.action_trace)
        if self.step.can_type_by_hand:
            yield SystemCommand("By hand", "Type the changes yourself; see what is right by now", self.action_by_hand)
        yield SystemCommand("Lessons", "Why it works, in nine short lessons with questions", self.action_lessons)
        for command in super().get_system_commands(screen):
            if command.title == "Quit":
                yield SystemCommand("Quit", "Quit; always safe", self.action_quit)
            elif command.title != "Keys":
                yield command

    # --- the end ---

    async def action_quit(self) -> None:
        """Quit; ask first where a step has a question. Quitting again answers it."""
        question = self._question_of_steps()
        if question is None or self._quit_question is not None:
            self.leave()
        else:
            self._ask_whether_to_quit(question)

    def _question_of_steps(self) -> Confirm | None:
        questions = (step.quit_question() for step in (self.step, *self.steps))
        return next((question for question in questions if question is not None), None)

    def _renew_quit_question(self) -> None:
        """Have the question say what is true by now; where its reason is gone, say so and ask again."""
        asked = self._quit_question
        if asked is None or asked is not self.screen:
            return
        if (question := self._question_of_steps()) is not None:
            asked.say(str(question.words.content))
        elif not self._has_ended_meanwhile:
            asked.dismiss(None)
            self._has_ended_meanwhile = True
            words = self.step.status
            text = words if isinstance(words, str) else words.text
            self._ask_whether_to_quit(Confirm("The run has ended meanwhile.", text, "Stay", quit="Quit"))

    def _ask_whether_to_quit(self, question: Confirm) -> None:

        def answered(answer: str | None) -> None:
            if self._quit_question is question:
                self._quit_question = None
                self._has_ended_meanwhile = False
            if answer:
                self.leave()

        self._quit_question = question
        self.push_screen(question, answered)

    def leave(self) -> None:
        """End the work under way and quit; never waits for a host."""
        if self._quitting:
            return
        self._quitting = True
        running = self.step.is_changing_hosts
        self.controller.work.stop(now=True)
        self.asker.withdraw()
        if running:
            self.step.busy = "ending"
            self.set_timer(_QUIT_SECONDS, self._quit_now)  # in case the run does not report in time
            return
        self._quit_now()

    @property
    def is_quitting(self) -> bool:
        """Whether the person is quitting."""
        return self._quitting

    def note_run_ended(self) -> None:
        """Note that the run has reported how its hosts ended."""
        if self._quitting:
            self._quit_now()

    def _quit_now(self) -> None:
        self.exit(self.controller.exit_code)

    def end_work(self, patience: float) -> None:
        """Stop the work and write the end of its record, from any thread."""
        self.asker.withdraw()
        self.controller.end(patience)

    def discard_labs(self) -> None:
        """Remove the files of the practice labs, from any thread."""
        self.controller.discard_labs()

    async def end(self) -> None:
        """Quit because of a signal, once the work has ended."""
        self._quitting = True
        await self.tick()
        self.exit(ExitCode.INTERRUPTED)
