"""Follow a packet: choose two workers, and step along the way there and back, to where it stops."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Select, Static

from kthw_routes.errors import KthwRoutesError
from kthw_routes.teaching.hops import Trace
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.text import trace_words
from kthw_routes.wizard.tracing import Traces
from kthw_routes.wizard.widgets.choices import Button, LineSelect
from kthw_routes.wizard.widgets.hop_path import HopPath
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.words import Tone, Words


class ShowTrace(Dialog[None]):
    """The way of a packet between two pods, from what was read of both nodes."""

    AUTO_FOCUS = "HopPath"
    DEFAULT_CSS = """
    ShowTrace {
        #dialog { width: 100%; height: 100%; padding: 0 1; }
        #dialog-title { display: none; }
        #dialog-body { height: 1fr; max-height: 100%; }
        #dialog-buttons { margin-top: 0; }
        #trace-ends { height: 1; }
        #trace-ends Static { width: auto; }
        #trace-ends .trace-title { text-style: bold; margin-right: 2; }
        #trace-verdict { height: auto; }
        #trace-both { height: 1fr; }
        #trace-path { width: 46; height: 100%; }
        #trace-detail { width: 1fr; height: 100%; padding: 1 0 0 1; border-left: solid $foreground 20%; }
        #trace-detail:focus { border-left: solid $primary; }
        &.-wide #trace-path { width: 66%; }
        &.-tiny #trace-both { layout: vertical; }
        &.-tiny #trace-path { width: 1fr; height: 1fr; }
        &.-tiny #trace-detail { width: 1fr; height: 1fr; border-left: none; padding: 0; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "Test again", show=False),
        Binding("x", "swap", "Swap", show=False),
    ]
    heading = "Follow a packet"
    keys = (
        ("Up  Down", "the hop before, the next one"),
        ("Left  Right", "the request, its reply"),
        ("x", "the other way round: exchange the two pods"),
        ("r", "read both nodes and test again"),
        ("Tab", "to the two pods; Left and Right choose others"),
    )

    def __init__(self, tracer: Traces, ends: tuple[str, str]) -> None:
        super().__init__()
        # From 70 columns on an address fits beside the path.
        self.HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (70, "-narrow"), (100, "-wide")]
        self._tracer = tracer
        self._ends = ends
        self._trace: Trace | None = None
        self._is_open = True
        self._from, self._to = (LineSelect(tracer.workers, end, id=f"trace-{n}") for n, end in enumerate(ends))
        self._verdict = Paragraph(id="trace-verdict")
        self._path = HopPath(id="hops")
        self._detail = Paragraph()
        self._box = VerticalScroll(self._detail, id="trace-detail")

    def compose_body(self) -> ComposeResult:
        """Yield the two pods, the verdict, the way, the hop in focus."""
        with Horizontal(id="trace-ends"):
            yield Static(self.heading, classes="trace-title")
            yield Static("from ")
            yield self._from
            yield Static(" to ")
            yield self._to
        yield self._verdict
        with Horizontal(id="trace-both"):
            with VerticalScroll(id="trace-path", can_focus=False):
                yield self._path
            yield self._box

    def compose_buttons(self) -> ComposeResult:
        """Yield Test again and Close."""
        yield Button("Test again (r)", id="again", compact=True)
        yield Button("Close", id="cancel", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Follow the packet."""
        self._follow()

    def on_unmount(self) -> None:
        """Stop what is under way."""
        self._is_open = False
        self._tracer.stop()

    def _follow(self, *, anew: bool = False) -> None:
        """Show the way as it is known, or read it."""
        source, target = self._ends
        if source == target:
            words = "Choose two workers: a packet to a pod of the same node leaves no node."
            self._show(None, Words(words, Tone.WARNING))
            return
        known = None if anew else self._tracer.known(source, target)
        if known is not None:
            self._take(known)
            return
        words = f"… reading {source} and {target}, sending three requests each way"
        self._show(None, Words(words, Tone.NEW))
        self._tracer.begin(source, target, self._take, self._fail)

    def _take(self, trace: Trace) -> None:
        self._show(trace, trace_words.verdict(trace))

    def _fail(self, error: KthwRoutesError) -> None:
        self._show(None, Words(f"✗ {error.sentence} {error.hint}", Tone.BAD))

    def _show(self, trace: Trace | None, verdict: Words) -> None:
        if self._is_open:
            self._trace = trace
            self._verdict.show(verdict)
            self._path.show(trace)
            self._detail.show("")

    @on(HopPath.Moved)
    def _moved(self, event: HopPath.Moved) -> None:
        event.stop()
        if self._trace is not None:
            self._detail.show(*trace_words.detail(self._trace, event.hop))
            self._box.scroll_home(animate=False)

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        ends = (str(self._from.value), str(self._to.value))
        if ends != self._ends:
            self._ends = ends
            self._follow()

    def action_swap(self) -> None:
        """Exchange the two pods."""
        self._ends = (self._ends[1], self._ends[0])
        self._from.show(self._ends[0])
        self._to.show(self._ends[1])
        self._follow()

    def action_again(self) -> None:
        """Read both nodes and test again."""
        self._follow(anew=True)

    def answer(self, _button: str) -> None:
        """Test again."""
        self.action_again()
