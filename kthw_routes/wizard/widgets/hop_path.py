"""The way of a packet, drawn: the request on the left, its reply on the right, one hop in focus."""

from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.geometry import Offset, Region
from textual.message import Message
from textual.widget import Widget

from kthw_routes.teaching.hops import Hop, Passage, Trace
from kthw_routes.wizard.themes import cut_middle, style_content
from kthw_routes.words import Tone, Words

MAX_COLUMN: Final = 56
"""Columns of the screen for one way, at most."""
_MIN_VALUE: Final = 10
"""Columns that are left for a value, so that it is worth beginning it."""
_KIND: Final = 14
_TONES: Final = {
    Passage.PASSES: Tone.GOOD,
    Passage.STOPS: Tone.BAD,
    Passage.MAY_STOP: Tone.WARNING,
    Passage.NOT_REACHED: Tone.QUIET,
}
_CURSOR: Final = "bold $block-cursor-foreground on $block-cursor-background"
_BLURRED: Final = "on $block-cursor-blurred-background"
_WORDS: Final = {Passage.STOPS: "stops", Passage.MAY_STOP: "stops?"}


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of one way: a host's name, or one of its hops by its number among all."""

    host: str
    number: int | None = None


class HopPath(Widget, can_focus=True):
    """Two columns of hops; Up and Down go along the way, Left and Right to the other way."""

    DEFAULT_CSS = """
    HopPath { height: auto; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Hop before", show=False),
        Binding("down,j,space", "move(1)", "Next hop", show=False),
        Binding("left", "turn(False)", "The request", show=False),
        Binding("right", "turn(True)", "The reply", show=False),
        Binding("home", "move(-1000)", "First", show=False),
        Binding("end", "move(1000)", "Last", show=False),
    ]

    @dataclass
    class Moved(Message):
        """Another hop is in focus."""

        hop: Hop

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._hops: tuple[Hop, ...] = ()
        self._ways: tuple[list[_Line], list[_Line]] = ([], [])
        self._number = 0

    @property
    def hop(self) -> Hop | None:
        """The hop in focus."""
        return self._hops[self._number] if self._hops else None

    @property
    def cursor_offset(self) -> Offset:
        """Where the hop in focus is."""
        x, y = self._place
        return Offset(x * self._column, y + 1)

    def show(self, trace: Trace | None) -> None:
        """Show a way, the hop at which it stops in focus; None: nothing yet."""
        self._hops = trace.hops if trace is not None else ()
        self._ways = (self._lines(is_back=False), self._lines(is_back=True))
        stop = trace.stop if trace is not None else None
        self._number = self._hops.index(stop) if stop is not None else 0
        self.refresh(layout=True)
        self.call_after_refresh(self._go_to, self._number)

    def _lines(self, *, is_back: bool) -> list[_Line]:
        lines = []
        hops = ((n, hop) for n, hop in enumerate(self._hops) if hop.is_back == is_back)
        for host, those in groupby(hops, key=lambda item: item[1].host):
            lines += [_Line(host)] if host is not None else []
            lines += [_Line(host or "", number) for number, _ in those]
        return lines

    def action_move(self, by: int) -> None:
        """Go along the way."""
        self._go_to(max(0, min(len(self._hops) - 1, self._number + by)))

    def action_turn(self, is_back: bool) -> None:
        """Go to the line of the other way that is beside this one."""
        x, y = self._place
        if x != is_back:
            self._go_to_line(self._ways[is_back], y)

    def on_focus(self) -> None:
        """Show that the keys are for the hops."""
        self.refresh()

    def on_blur(self) -> None:
        """Show that they are not."""
        self.refresh()

    def on_click(self, event: Click) -> None:
        """Go to the hop under the mouse."""
        is_back = event.x >= self._column
        self._go_to_line(self._ways[is_back], event.y - 1)

    def _go_to_line(self, lines: list[_Line], y: int) -> None:
        there = [line.number for line in lines[max(0, y) :] if line.number is not None]
        there = there or [line.number for line in lines if line.number is not None][-1:]
        if there:
            self._go_to(there[0])

    def _go_to(self, number: int) -> None:
        if not self._hops:
            return
        self._number = number
        self.refresh()
        x, y = self._place
        self.scroll_to_region_of_line(x, y)
        self.post_message(self.Moved(self._hops[number]))

    def scroll_to_region_of_line(self, x: int, y: int) -> None:
        """Bring a line into view, where the screen is too small for all."""
        if self.parent is not None and isinstance(self.parent, Widget):
            line = Region(x * self._column, y + 1, self._column, 1)
            self.parent.scroll_to_region(line, animate=False, force=True)

    @property
    def _place(self) -> tuple[int, int]:
        """The way of the hop in focus (0 there, 1 back), and its line there."""
        for x, lines in enumerate(self._ways):
            for y, line in enumerate(lines):
                if line.number == self._number:
                    return x, y
        return 0, 0

    @property
    def _column(self) -> int:
        return max(1, self.size.width // 2)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:  # noqa: ARG002 - Textual's
        """Return one line for the heading, and those of the longer way."""
        return 1 + max(len(lines) for lines in self._ways)

    def render(self) -> Content:
        """Return both ways, side by side."""
        if not self._hops:
            return Content("")
        width = self._column
        rows = [Content.assemble(*(style_content(Words(f"{t:<{width}}", Tone.QUIET)) for t in ("There", "Back")))]
        for y in range(max(len(lines) for lines in self._ways)):
            cells = (self._cell(lines[y], width) if y < len(lines) else Content(" " * width) for lines in self._ways)
            rows.append(Content.assemble(*cells))
        return Content("\n").join(rows)

    def _cell(self, line: _Line, width: int) -> Content:
        if line.number is None:
            return style_content(Words(f"{cut_middle(line.host, width - 1):<{width}}", Tone.NEW))
        hop, is_here = self._hops[line.number], line.number == self._number
        word = _WORDS.get(hop.passage, "")
        kind = str(hop.kind) if hop.host is not None else f"── {hop.kind} ──"
        text = f"{kind:<{_KIND}}{word}" if word else kind
        room = width - 4 - max(_KIND, len(text)) - 1
        if room >= _MIN_VALUE:
            value = hop.value if len(hop.value) <= room else f"{hop.value[: room - 1]}…"
            text = f"{text:<{_KIND}} {value}"
        tone = Tone.PLAIN if hop.passage is Passage.PASSES else _TONES[hop.passage]
        cell = style_content(
            "▸" if is_here else " ",
            Words(hop.passage.mark, _TONES[hop.passage]),
            Words(f" {text[: width - 4]:<{width - 3}}", tone),
        )
        return cell.stylize(_CURSOR if self.has_focus else _BLURRED, 0, width - 1) if is_here else cell
