"""What all steps share: the frame, Next and Back, work in a thread. A step does not know its neighbours."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus
from textual.widget import Widget

from kthw_routes.events import Event
from kthw_routes.options import Settings
from kthw_routes.wizard.last_run import LastRun
from kthw_routes.wizard.lessons import read_lesson
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.steps.wizard import Wizard
from kthw_routes.wizard.steps.working import WorkingScreen
from kthw_routes.wizard.text import why_words
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.wizard.widgets.findings import FindingView
from kthw_routes.wizard.widgets.frame import ButtonRow, Header, KeyFooter, Status, StepRail, WhyPanel, relabel
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.words import Tone, Words


class StepScreen(WorkingScreen):
    """One step. `draw` shows what the `Controller` knows; `commit` hands over what was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+n,greater_than_sign", "next", "Next"),
        Binding("ctrl+b,less_than_sign", "back", "Back"),
        Binding("f1", "app.why", "Why", key_display="F1"),
        Binding("f2", "app.commands", "Commands", key_display="F2"),
        Binding("question_mark,f3", "app.keys", "Keys", key_display="?"),
        Binding("f4", "app.lessons", "Lessons", show=False),
        Binding("escape", "app.close_why", "Close", show=False),
    ]
    title_word: ClassVar[str]
    """The name in the rail."""
    purpose: ClassVar[str]
    """One sentence on what the screen is for."""
    lesson_name: ClassVar[str]
    keys: ClassVar[tuple[tuple[str, str], ...]] = ()
    """The keys of this step only, for the help."""
    why_columns: ClassVar[int] = 100
    """The width of a terminal from which *Why?* is open until the person decides."""
    first_focus: Widget | None = None
    """What has the focus at first."""

    def __init__(self, wizard: Wizard, titles: tuple[str, ...], here: int) -> None:
        super().__init__(wizard)
        self._here = here
        self._header = Header()
        self._rail = StepRail(titles, here)
        self._purpose = Paragraph(self.purpose, id="purpose", markup=False)
        self.body = Vertical(id="body")
        self._status = Status(id="status")
        self._buttons = ButtonRow()
        self._why = WhyPanel(read_lesson(self.lesson_name))
        self._footer = KeyFooter()
        self._shut = (False, False)

    # --- for each step ---

    def compose_body(self) -> ComposeResult:
        """Yield the step's own widgets."""
        yield from ()

    @property
    def extra_buttons(self) -> Iterable[Button]:
        """The step's own buttons, next to Quit."""
        return ()

    async def draw(self) -> None:
        """Show what the controller knows. Called after every change; cheap where nothing changed."""

    def enter(self) -> None:
        """React to the person coming to this step."""

    def laid_out(self) -> None:
        """React to a new layout of the screen. (What is called "after a refresh" may come before it.)"""

    def handle_event(self, event: Event) -> None:
        """React to an event on a host or at the API."""

    @property
    def purpose_text(self) -> Words | str:
        """The first line: what is true now, else what the screen is for."""
        return self.purpose

    @property
    def refusal(self) -> str | None:
        """What stops *Next*: `Cannot continue: …` or `To continue: …`; None where nothing does."""
        return None

    @property
    def back_refusal(self) -> str | None:
        """What stops *Back*; None where nothing does."""
        return None

    @property
    def next_label(self) -> str:
        """The label of *Next* here."""
        return "Next"

    def commit(self) -> bool:
        """Take over what was typed. Returns whether to go on now; else the step does so later."""
        return True

    def list_commands(self) -> Iterable[str]:
        """Return the commands to type by hand."""
        return ()

    @property
    def status(self) -> Words | str:
        """The line above the buttons while nothing stops *Next*."""
        return ""

    def why_words(self) -> Iterable[Words | str]:
        """Return what *Why?* says of what is in focus: by itself, what a finding means."""
        focused = self.focused
        view = next((w for w in focused.ancestors_with_self if isinstance(w, FindingView)), None) if focused else None
        return why_words.of_finding(view.finding) if view is not None else ()

    def palette(self) -> Iterable[SystemCommand]:
        """Yield the step's own actions, for the palette."""
        return ()

    @property
    def pair_in_focus(self) -> tuple[str, str] | None:
        """The two workers in focus, between which a packet can be followed; None where none are."""
        return None

    @property
    def can_type_by_hand(self) -> bool:
        """Whether the changes can be typed by hand from here."""
        return False

    @property
    def is_skipped(self) -> bool:
        """Whether there is nothing to do in this step."""
        return False

    @property
    def is_changing_hosts(self) -> bool:
        """Whether a run is under way, so that quitting waits for what its hosts report."""
        return False

    def quit_question(self) -> Confirm | None:
        """Return what to ask before quitting; None where nothing would be lost."""
        return None

    # --- the frame ---

    @property
    def shown_settings(self) -> Settings:
        """The settings that commands by hand go by: who uses the wizard in a browser has none of the lab's files."""
        settings = self.controller.settings_of_source
        return replace(settings, ssh_config=None) if self.app.is_web else settings

    @property
    def last_run(self) -> LastRun:
        """What came of the last run."""
        return self.wizard.controller.last_run

    def compose(self) -> ComposeResult:
        """Yield the frame around the step's own widgets."""
        yield self._header
        yield self._rail
        with Horizontal(id="middle"):
            with Vertical(id="step"):
                yield self._purpose
                with self.body:
                    yield from self.compose_body()
            yield self._why
        yield self._status
        with self._buttons:
            yield from self._buttons.compose_around(self.extra_buttons)
        yield self._footer

    def on_mount(self) -> None:
        """Follow each layout."""
        self.screen_layout_refresh_signal.subscribe(self, lambda _: self.laid_out(), immediate=True)

    def on_screen_resume(self) -> None:
        """Redraw when entered, and after a dialog."""
        self.redraw()

    async def draw_all(self) -> None:
        """Draw the frame and the step."""
        await self.draw()
        self._header.show(self.controller.place)
        self._purpose.show(self.purpose_text)
        refusal = self.refusal
        go_on, back, cancel = self._buttons.next, self._buttons.back, self._buttons.cancel
        relabel(go_on, self.next_label)
        go_on.disabled = bool(refusal or self.busy)
        back.disabled = bool(self.back_refusal)
        back.display = self._here > 0
        self._rail.show(can_back=not back.disabled, can_next=not go_on.disabled)
        cancel.display = bool(self.busy) and self.can_cancel
        if self.busy:
            self._status.show(Words(f"… {self.busy}", Tone.NEW))
        elif refusal:
            self._status.show(Words(refusal, Tone.WARNING))
        else:
            self._status.show(self.status)
        self.set_class(self.wizard.is_why_open, "-why")
        self._why.show(self.why_words() if self.wizard.is_why_open else ())
        self._footer.show_next(self.next_label)
        shut = (go_on.disabled, back.disabled)
        if shut != self._shut:
            self._shut = shut
            self.refresh_bindings()

    # --- next and back ---

    def action_next(self) -> None:
        """Go on, if nothing stops it."""
        if self.busy or self.refusal:
            self.app.bell()
            return
        if self.commit():
            self.wizard.go(1)

    def action_back(self) -> None:
        """Go back, if nothing stops it."""
        if self._here == 0 or self.back_refusal:
            self.app.bell()
            return
        self.abandon_work()
        self.wizard.go(-1)

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Grey out what cannot be done, in the footer."""
        if not self.is_mounted:
            return True
        if action == "next" and (self.busy or self.refusal):
            return None
        if action == "back" and (self._here == 0 or self.back_refusal):
            return None
        return True

    @on(DescendantFocus)
    def _focus_moved(self) -> None:
        if self.wizard.is_why_open:
            self.redraw()

    @on(StepRail.Clicked)
    def _rail_clicked(self, event: StepRail.Clicked) -> None:
        if event.number == self._here + 1:
            self.action_next()
        elif event.number < self._here and not self.back_refusal:
            self.abandon_work()
            self.wizard.go(event.number - self._here)
        elif event.number != self._here:
            self.app.bell()

    @on(Button.Pressed, "#cancel")
    def _cancel_pressed(self) -> None:
        self.cancel_work()

    @on(FindingView.Acknowledged)
    def _acknowledged(self, event: FindingView.Acknowledged) -> None:
        self.controller.choices.acknowledge(event.finding, event.known)
        self.redraw()
