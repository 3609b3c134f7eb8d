"""The live log of a host, or of all: drawn line by line from a bounded list, so that a flood of lines costs nothing.

Lines can be selected and copied. The view follows the end only while the reader is at the end; a reader who scrolled
back keeps the same lines in view, also when old lines are dropped.
"""

from dataclasses import dataclass
from textwrap import wrap
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.geometry import Offset, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from kthw_routes.events import Event
from kthw_routes.sanitize import clean
from kthw_routes.wizard.themes import find_style
from kthw_routes.words import Tone, Words, event_line

MAX_LINES: Final = 5000
"""Lines kept in memory per log; the transcript has all."""

_INDENT: Final = " " * 11
"""Before what is wrapped of a line: it begins below what was said, after the time."""
_SLACK: Final = 500
"""How many more may be added before the oldest are dropped together."""


class LogBuffer:
    """The newest lines of one log, and how many came before them."""

    def __init__(self, *, wrap: int = 0) -> None:
        """`wrap`: columns at which a line goes on below itself; 0: never."""
        self.lines: list[Words] = []
        self.dropped = 0
        self.width = 0
        self.version = 0
        """Another one after each change."""
        self._wrap = wrap

    def add(self, event: Event) -> None:
        """Add the line of an event."""
        words = event_line(event)
        text = f"{event.time.astimezone():%H:%M:%S} {words.text}".expandtabs(4)
        for line in self._wrapped(text):
            self.lines.append(Words(line, words.tone))
            self.width = max(self.width, len(line))
        self.trim()

    def trim(self) -> None:
        """Note a change, and drop the oldest lines where there are too many."""
        self.version += 1
        if len(self.lines) >= MAX_LINES + _SLACK:
            spare = len(self.lines) - MAX_LINES
            del self.lines[:spare]
            self.dropped += spare

    def _wrapped(self, text: str) -> list[str]:
        if not self._wrap or len(text) <= self._wrap:
            return [text]
        return wrap(text, max(40, self._wrap), subsequent_indent=_INDENT, break_on_hyphens=False)

    def whole(self, number: int) -> str:
        """Return what was said in a line, without its time, and with what of it is wrapped below."""
        while number > 0 and self.lines[number].text.startswith(_INDENT):
            number -= 1
        texts = [self.lines[number].text.partition(" ")[2]]
        for line in self.lines[number + 1 :]:
            if not line.text.startswith(_INDENT):
                break
            texts.append(line.text)
        return " ".join(" ".join(texts).split())

    def clear(self) -> None:
        """Drop all lines."""
        self.lines.clear()
        self.version += 1
        self.dropped = self.width = 0


class TextBuffer(LogBuffer):
    """What programs print, as a terminal shows it: the last line may go on, and one that is too long goes on below."""

    def __init__(self) -> None:
        super().__init__()
        self.columns = 80
        """At which a line goes on below."""
        self._is_open = False

    def write(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """Add text, which may end within a line."""
        for piece in text.splitlines(keepends=True):
            begun = self.lines.pop().text if self._is_open and self.lines else ""
            line = clean(f"{begun}{piece}").rstrip("\n").expandtabs()
            chunks = [line[at : at + self.columns] for at in range(0, len(line), self.columns)] or [""]
            self.lines += [Words(chunk, tone) for chunk in chunks]
            self.width = max(self.width, *map(len, chunks))
            self._is_open = not piece.endswith("\n")
        self.trim()


class HostLog(ScrollView, can_focus=True):
    """Shows one buffer at a time."""

    ALLOW_SELECT = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {"host-log--cursor"}
    DEFAULT_CSS = """
    HostLog > .host-log--cursor {
        background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold underline;
    }
    """

    @dataclass
    class Moved(Message):
        """Another line is in focus."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._buffer = LogBuffer()
        self._seen = self._gone = 0
        self._follows = True
        self._cursor: int | None = None
        """The line in focus, counted from the first that there was; None until a key moves it."""

    @property
    def line(self) -> str | None:
        """What was said in the line in focus; None where none is."""
        number = self._cursor_line
        return self._buffer.whole(number) if number is not None else None

    @property
    def cursor_offset(self) -> Offset:
        """Where the line in focus is; without one, the last that is shown."""
        last = min(len(self._buffer.lines), self.scroll_offset.y + self.scrollable_content_region.height) - 1
        number = self._cursor_line
        return Offset(self.scroll_offset.x, number if number is not None else max(0, last))

    @property
    def _cursor_line(self) -> int | None:
        if self._cursor is None or not self.has_focus or not self._buffer.lines:
            return None
        return max(0, min(len(self._buffer.lines) - 1, self._cursor - self._buffer.dropped))

    def action_scroll_up(self) -> None:
        """Go to the line above."""
        self._move(-1)

    def action_scroll_down(self) -> None:
        """Go to the line below."""
        self._move(1)

    def action_scroll_home(self) -> None:
        """Show the first lines, at once: the next key goes by them."""
        self.scroll_home(animate=False, immediate=True)

    def action_scroll_end(self) -> None:
        """Show the last lines, at once."""
        self.scroll_end(animate=False, immediate=True)

    def _move(self, by: int) -> None:
        """Move the line in focus, and the view with it; the first press takes what is at the edge of the view."""
        lines, top, height = len(self._buffer.lines), self.scroll_offset.y, self.scrollable_content_region.height
        if not lines:
            return
        here = self._cursor_line
        if here is None or not top <= here < top + height:
            here = top if by > 0 else min(lines - 1, top + height - 1)
        else:
            here = max(0, min(lines - 1, here + by))
        self._cursor = here + self._buffer.dropped
        if here < top:
            self.scroll_to(y=here, animate=False, immediate=True)
        elif here >= top + height:
            self.scroll_to(y=here - height + 1, animate=False, immediate=True)
        self.refresh()
        self.post_message(self.Moved())

    @property
    def buffer(self) -> LogBuffer:
        """The log that is shown."""
        return self._buffer

    @property
    def follows(self) -> bool:
        """Whether the view follows the newest line: it does until the reader scrolls back."""
        return self._follows

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Follow the end while the view is there."""
        super().watch_scroll_y(old, new)
        self._follows = round(new) >= self.max_scroll_y

    def on_resize(self) -> None:
        """Keep the end in view."""
        if self._follows:
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)

    def show(self, buffer: LogBuffer, *, from_top: bool = False) -> None:
        """Show another log, from its end or `from_top`."""
        if buffer is not self._buffer:
            self._buffer, self._cursor = buffer, None
            self._gone = buffer.dropped
            self._catch_up(follow=not from_top)
            if from_top:
                self.go_to_top()

    def go_to_top(self) -> None:
        """Show the first lines, and follow the end no more."""
        self._follows = False
        self.scroll_to(y=0, animate=False, immediate=True, force=True)

    def catch_up(self) -> None:
        """Draw what was added since the last time."""
        buffer = self._buffer
        if buffer.version != self._seen or buffer.dropped != self._gone:
            self._catch_up(follow=self._follows and self.text_selection is None)

    def _catch_up(self, *, follow: bool) -> None:
        buffer = self._buffer
        gone, self._gone = buffer.dropped - self._gone, buffer.dropped
        self._seen = buffer.version
        self.virtual_size = Size(buffer.width + 1, len(buffer.lines))
        if follow:
            self._follows = True
            self.scroll_end(animate=False, immediate=True, force=True, x_axis=False)
        elif gone:
            self.scroll_to(y=max(0, self.scroll_offset.y - gone), animate=False, immediate=True, force=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line of the view."""
        left, top = self.scroll_offset
        width, number, base = self.size.width, top + y, self.rich_style
        if number >= len(self._buffer.lines):
            return Strip.blank(width, base)
        words = self._buffer.lines[number]
        style = base + find_style(self.app, words.tone)
        if number == self._cursor_line:
            style += self.get_component_rich_style("host-log--cursor")
        segments = self._segments(words.text, number, style)
        return Strip(segments).crop_extend(left, left + width, style).apply_offsets(left, number)

    def _segments(self, text: str, number: int, style: RichStyle) -> list[Segment]:
        selection = self.text_selection
        span = selection.get_span(number) if selection is not None else None
        if span is None:
            return [Segment(text, style)]
        start, end = span[0], len(text) if span[1] == -1 else span[1]
        marked = style + self.screen.get_component_rich_style("screen--selection")
        pieces = [(text[:start], style), (text[start:end], marked), (text[end:], style)]
        return [Segment(piece, look) for piece, look in pieces if piece]

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the selected text."""
        return selection.extract("\n".join(words.text for words in self._buffer.lines)), "\n"

    def selection_updated(self, _selection: Selection | None) -> None:
        """Draw the selection."""
        self.refresh()
