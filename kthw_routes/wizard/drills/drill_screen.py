"""A drill: the symptom, the hints, a shell on each node, the views, the question and the check."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer

from kthw_routes.drills.checking import Check
from kthw_routes.drills.practice import Practice
from kthw_routes.errors import KthwRoutesError, RecordError
from kthw_routes.sanitize import clean_line
from kthw_routes.wizard.background import Jobs
from kthw_routes.wizard.drills.shells import NodeShells
from kthw_routes.wizard.drills.views import (
    AskCause,
    ChooseView,
    DrillTracer,
    ExplainLine,
    ShowNodes,
    ShowProof,
    plan_lines,
)
from kthw_routes.wizard.modals.confirm import Confirm
from kthw_routes.wizard.modals.trace import ShowTrace
from kthw_routes.wizard.text.marked import marked
from kthw_routes.wizard.themes import dim
from kthw_routes.wizard.widgets.frame import Header
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.words import Tone, Words

_UNREPAIRABLE = "Nothing on the nodes repairs this: to recognise it was the task. "


class DrillScreen(Screen[None]):
    """One drill under way."""

    AUTO_FOCUS = "CommandInput"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "why", "Why", key_display="F1"),
        Binding("f5", "hint", "Hint", key_display="F5"),
        Binding("f6", "cause", "Name it", key_display="F6"),
        Binding("f7", "check", "Check", key_display="F7"),
        Binding("f8", "views", "Look", key_display="F8"),
        Binding("f9", "node(1)", "Node", key_display="F9"),
        Binding("ctrl+b", "app.show_list", "Drills"),
        Binding("ctrl+n", "app.next_drill", "Next drill", show=False),
        Binding("f10", "solution", "Give up", show=False),
        Binding("f3", "app.keys", "Keys", key_display="F3"),
        Binding("f4", "app.lessons", "Lessons", show=False),
        Binding("pageup", "scroll_log(-1)", "Scroll", show=False),
        Binding("pagedown", "scroll_log(1)", "Scroll", show=False),
    ]
    DEFAULT_CSS = """
    DrillScreen {
        #told { height: auto; max-height: 45%; padding: 0 1; }
        #told Paragraph { height: auto; }
        #symptom { text-style: bold; }
        #story, #hints, #solved { margin-top: 1; }
        #state { height: auto; max-height: 3; padding: 0 1; }
        &.-short #story, &.-short #hints, &.-short #solved { margin-top: 0; }
        &.-short #story { display: none; }
    }
    """
    keys = (
        ("F1", "why: the command that is typed, or was last, word by word"),
        ("F5", "the next of three hints"),
        ("F6", "say what it is"),
        ("F7", "have it checked: is it repaired?"),
        ("F8", "look: nodes, proof, a packet's way, plan"),
        ("F9", "a shell on the next node"),
        ("F10", "give up: show the repair (asks first)"),
        ("^n", "another drill"),
        ("^b", "the list; the drill goes on when you come back"),
        ("Up  Down", "what was typed before on this node"),
        ("^c  ^d", "end the program that runs; end what it reads"),
        ("^l", "empty the view, as `clear` does"),
        ("Page keys", "scroll what was printed"),
    )

    def __init__(self, practice: Practice, jobs: Jobs, place: str, solved: Callable[[Practice], None]) -> None:
        """
        Args:
            practice: not started yet.
            jobs: work in threads.
            place: which of how many, for the header.
            solved: notes that it is solved. Raises RecordError.
        """
        super().__init__()
        self.practice = practice
        self.title_word = practice.drill.name
        self._jobs, self._place, self._note_solved = jobs, place, solved
        self._header = Header()
        self._symptom = Paragraph(practice.drill.title, id="symptom", markup=False)
        self._story = Paragraph(id="story")
        self._hints, self._solved = Paragraph(id="hints"), Paragraph(id="solved")
        self._told = VerticalScroll(self._symptom, self._story, self._hints, self._solved, id="told")
        self._shells = NodeShells(practice)
        self._state = Paragraph(id="state")
        self._given: list[str] = []
        self._is_noted = False
        self.busy = "making a working cluster, and breaking something in it"
        self._result: Words | str = ""
        """What came of the last check."""

    def compose(self) -> ComposeResult:
        """Yield the symptom, the shells, the state, the keys."""
        yield self._header
        yield self._told
        yield self._shells
        yield self._state
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Start the lab."""
        self._header.show(self._place)
        self._story.show(*marked(self.practice.drill.story))
        self._work(self.busy, self.practice.start, lambda _none: self._shells.begin())

    def _work(self, words: str, work: Callable[[], object], done: Callable[..., None]) -> None:
        """Run blocking work in a thread; an error of it is shown."""
        self.busy, self._result = words, ""

        def finished(value: object) -> None:
            self.busy = ""
            done(value)
            self.draw()

        def failed(error: KthwRoutesError) -> None:
            self.busy = ""
            self._result = Words(f"✗ {error.sentence} {error.hint}".rstrip(), Tone.BAD)
            self.draw()

        self._jobs.start(work, finished, failed)
        self.draw()

    @property
    def node(self) -> str:
        """The node whose shell is shown."""
        return self._shells.node

    def action_node(self, by: int) -> None:
        """Show the shell of the next node."""
        self._shells.turn(by)

    def action_scroll_log(self, by: int) -> None:
        """Scroll what was printed."""
        self._shells.scroll_pages(by)

    @on(NodeShells.Typed)
    def _typed(self, event: NodeShells.Typed) -> None:
        """Forget the last check: something may be otherwise by now."""
        event.stop()
        self._result = ""
        self.draw()

    def collect(self) -> None:
        """Show what programs printed since the last time."""
        self._shells.collect()

    # --- the drill ---

    def action_hint(self) -> None:
        """Show the next hint."""
        hint = self.practice.hint()
        if hint is None:
            self._result = "There are no more hints. F10 shows the repair."
        else:
            self._given.append(f"Hint {self.practice.hints} of {len(self.practice.drill.hints)}: {hint}")
            self.call_after_refresh(lambda: self._told.scroll_end(animate=False))
        self.draw()

    def action_cause(self) -> None:
        """Ask what it is."""
        self.app.push_screen(AskCause(self.practice.drill.answers, self._answer))

    def _answer(self, number: int) -> None:
        self.practice.answer(number + 1)
        self._judge()

    def action_check(self) -> None:
        """Read all nodes, and say whether it is repaired."""
        self._read(self._take_check)

    def _read(self, done: Callable[[Check], None]) -> None:
        if self.busy or not self._shells.has_begun:
            self.app.bell()
        else:
            self._work("reading the nodes, sending test traffic", self.practice.read, done)

    def _take_check(self, found: Check) -> None:
        self.practice.take_check(found)
        if found.is_good:
            left = "" if self.practice.is_named else " It is repaired. F6: say what it was."
            self._result = Words(f"✓ {found.headline}{left}", Tone.GOOD)
        elif self.practice.drill.is_repairable:
            self._result = Words(f"✗ {found.headline} Not repaired yet.", Tone.WARNING)
        else:
            self._result = Words(f"✗ {found.headline}", Tone.WARNING)
        self._judge()

    def _judge(self) -> None:
        """Explain and note it where it is solved."""
        if self.practice.is_solved and not self._is_noted:
            self._is_noted = True
            try:
                self._note_solved(self.practice)
            except RecordError as error:
                self._result = Words(f"▲ {error.sentence}", Tone.WARNING)
            self.call_after_refresh(lambda: self._told.scroll_end(animate=False))
        self.draw()

    def action_solution(self) -> None:
        """Ask whether to give up, and show the repair."""

        def answered(answer: str | None) -> None:
            if answer:
                self.practice.is_shown = True
                drill = self.practice.drill
                lines = [f"on {host}: {line}" for host, lines in drill.solution.items() for line in lines]
                self._given += [f"It is: {drill.answers[drill.right - 1].text}.", *lines, drill.explanation]
                self.draw()

        words = "The repair and the explanation are shown, and the drill does not count as solved by yourself."
        self.app.push_screen(Confirm("Give up?", words, "Go on", show="Show it"), answered)

    # --- views ---

    def action_why(self) -> None:
        """Explain what is selected, what is typed, or the command that was typed last, word by word."""
        line = clean_line(self.get_selected_text() or "") or self._shells.line
        if line:
            self.app.push_screen(ExplainLine(line))
        else:
            self._result = "Type a command: F1 explains it word by word. Or select a line with the mouse."
            self.draw()

    def action_views(self) -> None:
        """Ask what to look at, read the nodes, and show it."""

        def chosen(view: str | None) -> None:
            if view is not None:
                self._read(lambda check: self._show_view(view, check))

        self.app.push_screen(ChooseView(), chosen)

    def _show_view(self, view: str, check: Check) -> None:
        if view == "nodes":
            self.app.push_screen(ShowNodes(check))
        elif view == "plan":
            from kthw_routes.wizard.modals.text import ShowCommands  # its text area is slow to import

            self.app.push_screen(ShowCommands("what kthw-routes would type", plan_lines(check)))
        elif check.proof is None:
            self._result = Words(f"✗ {check.headline}", Tone.WARNING)
        elif view == "proof":
            self.app.push_screen(ShowProof(check.proof))
        else:
            tracer = DrillTracer(self.practice, self._jobs, check)
            self.app.push_screen(ShowTrace(tracer, tracer.first))

    # --- drawing ---

    def draw(self) -> None:
        """Show what is known."""
        if not self.is_mounted:
            return
        practice = self.practice
        self._hints.display = bool(self._given)
        self._hints.show(*marked("\n".join(self._given)))
        self._solved.display = practice.is_solved
        if practice.is_solved:
            before = Words(f"✓ Solved. {'' if practice.drill.is_repairable else _UNREPAIRABLE}", Tone.GOOD)
            self._solved.show(
                before,
                *marked(practice.drill.explanation),
                dim("  ^b: the list of drills" if self.app.is_web else "  ^n: next drill"),
            )
        self._state.show(*self._state_words())

    def _state_words(self) -> tuple[Words | str, ...]:
        practice = self.practice
        if self.busy:
            return (Words(f"… {self.busy}", Tone.NEW),)
        if self._result:
            return (self._result,)
        named = Words("✓ named", Tone.GOOD) if practice.is_named else dim("○ not named (F6)")
        if not practice.drill.is_repairable and practice.is_solved:
            return (named,)
        repaired = Words("✓ repaired", Tone.GOOD) if practice.is_repaired else dim("○ not repaired (F7 checks)")
        return (named, "   ", repaired)
