"""What every step's screen has in common: the frame, going on and back, work beside it. A step knows no neighbours."""

from collections.abc import Callable, Iterable
from typing import ClassVar, Protocol, TypeVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Button, Footer

from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import Event
from kthw_routes.wizard.background import Job, Jobs
from kthw_routes.wizard.controller import Controller
from kthw_routes.wizard.lessons import lesson
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.prompts import WizardAsker
from kthw_routes.wizard.widgets.findings import FindingView
from kthw_routes.wizard.widgets.frame import ButtonRow, Header, Status, StepRail, WhyPanel, relabel
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.words import Tone, Words

T = TypeVar("T")


class Wizard(Protocol):
    """What a step knows of the application."""

    @property
    def controller(self) -> Controller:
        """What was chosen and what came of it."""

    @property
    def jobs(self) -> Jobs:
        """Work beside the interface."""

    @property
    def asker(self) -> WizardAsker:
        """Puts the questions of that work to the person."""

    @property
    def is_why_open(self) -> bool:
        """Whether *Why?* is shown."""

    @property
    def is_quitting(self) -> bool:
        """Whether the person wants to leave."""

    def go(self, by: int) -> None:
        """Go on (1) or back (-1)."""

    def redraw(self) -> None:
        """Have the step drawn again soon."""

    def leave(self) -> None:
        """End what is under way and go."""

    def run_ended(self) -> None:
        """The run has said how its hosts ended."""


class StepScreen(Screen[None]):
    """One step. All that it shows comes from the `Controller`, by `draw`; what is typed goes there by `commit`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n", "next", "Next"),
        Binding("ctrl+b", "back", "Back"),
        Binding("f1", "app.why", "Why", key_display="F1"),
        Binding("f2", "app.commands", "Commands", key_display="F2"),
        Binding("f3", "app.keys", "Keys", key_display="F3"),
        Binding("escape", "app.close_why", "Close", show=False),
    ]
    title_word: ClassVar[str]
    """In the rail."""
    purpose: ClassVar[str]
    """One sentence that says what the screen is for."""
    lesson_name: ClassVar[str]
    keys: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Keys of this step's own, for the help."""
    first_focus: Widget | None = None
    """What has the focus at first."""

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__()
        self.wizard = wizard
        self._here = here
        self._header = Header()
        self._rail = StepRail(titles, here)
        self._purpose = Paragraph(self.purpose, id="purpose", markup=False)
        self.body = Vertical(id="body")
        self._status = Status(id="status")
        self._buttons = ButtonRow()
        self.job: Job | None = None
        self._shut = (False, False)
        self.busy = ""
        """What is under way, in words; empty while nothing is."""
        self.error: KthwRoutesError | None = None
        """What went wrong last, shown at its place."""

    # --- for each step ---

    def compose_body(self) -> ComposeResult:
        """The step's own widgets."""
        yield from ()

    def extra_buttons(self) -> Iterable[Button]:
        """Buttons of this step's own, beside Quit."""
        return ()

    async def draw(self) -> None:
        """Show what the journey knows. Called whenever something changed; cheap where nothing did."""

    def entered(self) -> None:
        """The person came to this step."""

    def heard(self, event: Event) -> None:
        """Something happened on a host or at the API."""

    def purpose_words(self) -> str:
        """What the screen is for, now."""
        return self.purpose

    def refusal(self) -> str:
        """Why *Next* does not go on; empty where it does."""
        return ""

    def back_refusal(self) -> str:
        """Why *Back* does not; empty where it does."""
        return ""

    def next_label(self) -> str:
        """What *Next* is called here."""
        return "Next"

    def commit(self) -> bool:
        """Take over what was typed. Returns whether to go on now (or the step goes on by itself later)."""
        return True

    def by_hand(self) -> Iterable[str]:
        """What one would type."""
        return ()

    def status(self) -> Words | str:
        """What stands above the buttons while nothing refuses."""
        return ""

    def palette(self) -> Iterable[SystemCommand]:
        """Actions of this step's own, for the palette."""
        return ()

    @property
    def is_skipped(self) -> bool:
        """Whether there is nothing to do in this step."""
        return False

    @property
    def is_changing_hosts(self) -> bool:
        """Whether a run is under way, whose hosts have to be heard before the end."""
        return False

    def quit_question(self) -> Confirm | None:
        """What to ask a person who wants to quit; None where nothing would be lost."""
        return None

    # --- the frame ---

    @property
    def controller(self) -> Controller:
        """What was chosen and what came of it."""
        return self.wizard.controller

    def compose(self) -> ComposeResult:
        """The frame around the step's own widgets."""
        yield self._header
        yield self._rail
        with Horizontal(id="middle"):
            with Vertical(id="step"):
                yield self._purpose
                with self.body:
                    yield from self.compose_body()
            yield WhyPanel(lesson(self.lesson_name))
        yield self._status
        with self._buttons:
            yield from self._buttons.around(self.extra_buttons())
        yield Footer(show_command_palette=False)

    def on_screen_resume(self) -> None:
        """Entered, or come back to from a dialog."""
        self.redraw()

    def redraw(self) -> None:
        """Have everything drawn again soon."""
        self.wizard.redraw()

    async def draw_all(self) -> None:
        """The frame and the step."""
        await self.draw()
        self._header.show(self.controller.place)
        self._purpose.show(self.purpose_words())
        refusal = self.refusal()
        go_on, back, cancel = self._buttons.next, self._buttons.back, self._buttons.cancel
        relabel(go_on, self.next_label())
        go_on.disabled = bool(refusal or self.busy)
        back.disabled = bool(self.back_refusal())
        back.display = self._here > 0
        cancel.display = bool(self.busy) and self.can_cancel
        if self.busy:
            self._status.show(Words(f"… {self.busy}", Tone.NEW))
        elif refusal:
            self._status.show(Words(f"Next waits: {refusal}", Tone.WARNING))
        else:
            self._status.show(self.status())
        self.set_class(self.wizard.is_why_open, "-why")
        shut = (go_on.disabled, back.disabled)
        if shut != self._shut:
            self._shut = shut
            self.refresh_bindings()

    can_cancel: ClassVar[bool] = True
    """Whether work under way here is ended by *Cancel*."""

    # --- work beside the interface ---

    def work(self, words: str, work: Callable[[], T], done: Callable[[T], None]) -> None:
        """Do something that blocks, saying so in words at once; errors are shown at their place."""
        self.error, self.busy = None, words
        run = self.controller.begin()
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
        """The work ended in an error; it is in `error`."""

    def cancel_work(self) -> None:
        """End what is under way."""
        if self.busy:
            self.busy = "stopping"
            self.controller.stop(now=True)
            self.wizard.asker.withdraw()
            self.redraw()

    def abandon_work(self) -> None:
        """End what is under way, and never hear of it again."""
        if self.job is not None:
            self.cancel_work()
            self.job.abandoned = True
            self.job, self.busy = None, ""

    # --- going on and back ---

    def action_next(self) -> None:
        """Go on, if nothing refuses."""
        if self.busy or self.refusal():
            self.app.bell()
            return
        if self.commit():
            self.wizard.go(1)

    def action_back(self) -> None:
        """Go back, if nothing refuses."""
        if self._here == 0 or self.back_refusal():
            self.app.bell()
            return
        self.abandon_work()
        self.wizard.go(-1)

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Grey out in the footer what would refuse."""
        if not self.is_mounted:
            return True
        if action == "next" and (self.busy or self.refusal()):
            return None
        if action == "back" and (self._here == 0 or self.back_refusal()):
            return None
        return True

    @on(Button.Pressed, "#cancel")
    def _cancel_pressed(self) -> None:
        self.cancel_work()

    @on(FindingView.Acknowledged)
    def _acknowledged(self, event: FindingView.Acknowledged) -> None:
        self.controller.acknowledge(event.finding, event.known)
        self.redraw()
