"""What the keys of all steps open over a step: commands, lessons, the way of a packet, by hand, the keys."""

from kthw_routes.errors import ExitCode
from kthw_routes.wizard.background import Jobs
from kthw_routes.wizard.controller import Controller
from kthw_routes.wizard.errand import Errand
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.modals.keys import IN_DIALOGS, ShowKeys
from kthw_routes.wizard.prompts import WizardAsker
from kthw_routes.wizard.steps.base import StepScreen
from kthw_routes.wizard.terminal_cursor import FollowingApp
from kthw_routes.wizard.tracing import Tracer
from kthw_routes.wizard.watching import Watch


class DialogActions(FollowingApp[ExitCode]):
    """The dialogs that need nothing but what the steps know. Those that few open are imported when they are."""

    jobs: Jobs
    asker: WizardAsker
    controller: Controller

    @property
    def step(self) -> StepScreen:
        """The current step, also while a dialog is over it."""
        raise NotImplementedError

    def action_commands(self) -> None:
        """Show the commands to type by hand."""
        from kthw_routes.wizard.modals.text import ShowCommands  # its text area is slow to import

        self.push_screen(ShowCommands(self.step.title_word, self.step.list_commands()))

    def action_lessons(self) -> None:
        """Show the lessons, one after the other, with the cluster's own values once it is known."""
        from kthw_routes.wizard.modals.lessons import ChooseLesson, ShowLesson  # not needed for the first screen

        def show(name: str | None) -> None:
            if name is not None:
                self.push_screen(ShowLesson(name, self.controller.cluster), show)

        if not isinstance(self.screen, Dialog):
            self.push_screen(ChooseLesson(), show)

    def action_trace(self) -> None:
        """Follow a packet between two workers, those in focus first."""
        from kthw_routes.wizard.modals.trace import ShowTrace  # not needed for the first screen

        tracer = Tracer(self.controller, self._errand())
        ends = tracer.choose(self.step.pair_in_focus)
        if ends is None or self.step.busy or isinstance(self.screen, Dialog):
            self.bell()
        else:
            self.push_screen(ShowTrace(tracer, ends))

    def action_by_hand(self) -> None:
        """Have the changes typed by hand, and watch."""
        from kthw_routes.wizard.modals.by_hand import ByHand  # not needed for the first screen

        if not self.step.can_type_by_hand or isinstance(self.screen, Dialog):
            self.bell()
            return
        watch = Watch(self.controller, self._errand())
        self.push_screen(ByHand(watch, self.step.shown_settings))

    def _errand(self) -> Errand:
        return Errand(self.controller.work, self.jobs, self.asker)

    def action_keys(self) -> None:
        """Show the keys; over a dialog too, but not over themselves."""
        if isinstance(self.screen, ShowKeys):
            return
        if isinstance(self.screen, Dialog):
            self.push_screen(ShowKeys("This dialog", (*self.screen.keys, *IN_DIALOGS)))
            return
        self.push_screen(ShowKeys(self.step.title_word, self.step.keys))
