"""What every step's screen has in common: the frame, going on and back, work beside it. A step knows no neighbours."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Button, Footer

from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import Event
from kthw_routes.wizard.background import Job
from kthw_routes.wizard.controller import Journey
from kthw_routes.wizard.lessons import lesson
from kthw_routes.wizard.widgets.frame import ButtonRow, Head, Rail, Status, WhyPanel
from kthw_routes.wizard.widgets.prose import Prose
from kthw_routes.words import Tone, Words

if TYPE_CHECKING:
    from kthw_routes.wizard.app import WizardApp

T = TypeVar("T")


class StepScreen(Screen[None]):
    """One step. Everything that it shows comes from the `Journey`, by `draw`; what is typed goes there by `commit`."""

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
    first_focus: ClassVar[str] = ""
    """A selector of what has the focus at first."""

    def __init__(self, titles: tuple[str, ...], here: int) -> None:
        super().__init__()
        self._titles = titles
        self._here = here
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

    @classmethod
    def is_skipped(cls, _journey: Journey) -> bool:
        """Whether there is nothing to do in this step."""
        return False

    # --- the frame ---

    @property
    def wizard(self) -> "WizardApp":
        """The application."""
        from kthw_routes.wizard.app import WizardApp

        assert isinstance(self.app, WizardApp)  # noqa: S101 - for the type checker
        return self.app

    @property
    def journey(self) -> Journey:
        """What was chosen and what came of it."""
        return self.wizard.journey

    def compose(self) -> ComposeResult:
        """The frame around the step's own widgets."""
        yield Head()
        yield Rail(self._titles, self._here)
        with Horizontal(id="middle"):
            with Vertical(id="step"):
                yield Prose(self.purpose, id="purpose", markup=False)
                with Vertical(id="body"):
                    yield from self.compose_body()
            yield WhyPanel(lesson(self.lesson_name))
        yield Status(id="status")
        yield ButtonRow(*self.extra_buttons(), Button("Cancel", id="cancel", compact=True))
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
        self.query_one(Head).show(self.journey.place)
        self.query_one("#purpose", Prose).show(self.purpose_words())
        refusal = self.refusal()
        go_on, back, cancel = (self.query_one(f"#{name}", Button) for name in ("next", "back", "cancel"))
        _label(go_on, self.next_label())
        go_on.disabled = bool(refusal or self.busy)
        back.disabled = bool(self.back_refusal())
        back.display = self._here > 0
        cancel.display = bool(self.busy) and self.can_cancel
        status = self.query_one(Status)
        if self.busy:
            status.show(Words(f"… {self.busy}", Tone.NEW))
        elif refusal:
            status.show(Words(f"Next waits: {refusal}", Tone.WARNING))
        else:
            status.show(self.status())
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
        run = self.journey.begin()
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
            self.journey.stop(now=True)
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
            self.wizard.walk(1)

    def action_back(self) -> None:
        """Go back, if nothing refuses."""
        if self._here == 0 or self.back_refusal():
            self.app.bell()
            return
        self.abandon_work()
        self.wizard.walk(-1)

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Grey out in the footer what would refuse."""
        if not self.is_mounted:
            return True
        if action == "next" and (self.busy or self.refusal()):
            return None
        if action == "back" and (self._here == 0 or self.back_refusal()):
            return None
        return True

    @on(Button.Pressed, "#next")
    def _next_pressed(self) -> None:
        self.action_next()

    @on(Button.Pressed, "#back")
    def _back_pressed(self) -> None:
        self.action_back()

    @on(Button.Pressed, "#cancel")
    def _cancel_pressed(self) -> None:
        self.cancel_work()

    @on(Button.Pressed, "#quit")
    async def _quit_pressed(self) -> None:
        await self.app.action_quit()


def _label(button: Button, text: str) -> None:
    if str(button.label) != text:
        button.label = text
        button.refresh(layout=True)  # a label has a width
