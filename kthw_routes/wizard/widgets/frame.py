"""The frame of every step: header, step rail, *Why?*, status line, buttons."""

from collections.abc import Iterable
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Static
from textual.widgets._footer import FooterKey

from kthw_routes.wizard.themes import cut_middle, style_content
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.wizard.widgets.paragraph import Paragraph
from kthw_routes.words import Tone, Words


class Header(Widget):
    """The first line: the program, the source and the region."""

    DEFAULT_CSS = "Header { height: 1; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._place = ""

    def show(self, place: str) -> None:
        """Show source and region."""
        if place != self._place:
            self._place = place
            self.refresh()

    def render(self) -> Content:
        """Return the name on the left, the place on the right."""
        room = max(0, self.size.width - len("kthw-routes") - 2)
        place = cut_middle(self._place, room)
        gap = " " * max(1, self.size.width - len("kthw-routes") - len(place))
        return Content.assemble(("kthw-routes", "bold $primary"), gap, (place, "$foreground 75%"))


class StepRail(Widget):
    """The steps: done ✓, current ●, next ▷ once it can be reached, to come ○; on a narrow terminal the current one.

    A click goes to a step that can be reached: its name is underlined.
    """

    DEFAULT_CSS = "StepRail { height: 2; padding: 0 1; border-bottom: solid $foreground 20%; }"

    @dataclass
    class Clicked(Message):
        """A step was clicked."""

        number: int

    def __init__(self, titles: tuple[str, ...], here: int) -> None:
        super().__init__()
        self._titles = titles
        self._here = here
        self._can_go = (False, False)
        self.tooltip = "A click goes to a step that is underlined: ✓ done before, ▷ the next, once nothing stops it."

    def show(self, *, can_back: bool, can_next: bool) -> None:
        """Show which steps can be reached from here."""
        if (can_back, can_next) != self._can_go:
            self._can_go = can_back, can_next
            self.refresh()

    def on_click(self, event: Click) -> None:
        """Report the step under the mouse, where all of them are shown."""
        at = 1  # the padding
        if sum(len(title) + 5 for title in self._titles) + 3 > self.size.width:
            return
        for number, title in enumerate(self._titles):
            if at <= event.x < at + len(title) + 2:
                self.post_message(self.Clicked(number))
            at += len(title) + 5

    def render(self) -> Content:
        """Return the steps; glyphs show the state, colour only repeats it."""
        number = f"{self._here + 1}/{len(self._titles)}"
        parts: list[tuple[str, str]] = []
        for index, title in enumerate(self._titles):
            glyph, style = ("✓", "$success") if index < self._here else ("○", "$foreground 50%")
            if index == self._here:
                glyph, style = "●", "bold $primary"
            elif index == self._here + 1 and self._can_go[1]:
                glyph, style = "▷", "$foreground 75%"
            is_open = self._can_go[0] if index < self._here else glyph == "▷"
            parts += [(title, f"{style} underline" if is_open else style), (f" {glyph}", style), ("   ", "")]
        length = sum(len(text) for text, _ in parts)
        if length + len(number) > self.size.width:
            parts = [(f"{self._titles[self._here]} ●", "bold $primary"), ("   ", "")]
            length = sum(len(text) for text, _ in parts)
        gap = " " * max(1, self.size.width - length - len(number))
        return Content.assemble(*parts, gap, (number, "$foreground 75%"))


class WhyPanel(VerticalScroll):
    """Why: what is in focus, then the step. Beside the step on a wide terminal, else below it."""

    def __init__(self, text: str) -> None:
        super().__init__(id="why", can_focus=False)
        self._text = text
        self._focus = Paragraph(id="why-focus")

    def compose(self) -> ComposeResult:
        """Yield a heading, what is in focus, and the lesson's paragraphs."""
        yield Static(style_content(Words("Why?", Tone.NEW), Words("   F1 closes this", Tone.QUIET)), id="why-title")
        yield self._focus
        yield Static(self._text, id="why-text", markup=False)

    def show(self, words: Iterable[Words | str]) -> None:
        """Show what is to be said of what is in focus."""
        parts = tuple(words)
        self._focus.display = bool(parts)
        self._focus.show(*parts)


class Status(Paragraph):
    """The line above the buttons: what stops *Next*, or what is happening."""

    DEFAULT_CSS = "Status { height: auto; max-height: 3; min-height: 1; padding: 0 1; }"


class ButtonRow(Horizontal):
    """Quit, the step's own buttons, Back, Next."""

    DEFAULT_CSS = """
    ButtonRow {
        height: 1;
        padding: 0 1;
        #spring { width: 1fr; }
        Button { margin-left: 1; }
        #quit { margin-left: 0; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="buttons")
        self.cancel = Button("Cancel", id="cancel", compact=True)
        self.back = Button("Back", id="back", compact=True, action="screen.back")
        self.next = Button("Next", id="next", variant="primary", compact=True, action="screen.next")

    def compose_around(self, extra: Iterable[Button]) -> ComposeResult:
        """Yield the buttons, with the step's own between Quit and Back."""
        yield Button("Quit", id="quit", compact=True, action="app.quit")
        yield from extra
        yield self.cancel
        yield Static(id="spring")
        yield self.back
        yield self.next


class KeyFooter(Footer):
    """The last line: the keys. Made again only where there are other keys, not whenever the focus moves."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False)
        self._shown: list[Binding] | None = None

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Compare the keys with those that are shown."""
        if not screen.app.app_focus:
            return
        active = {b: enabled for _, b, enabled, _ in screen.active_bindings.values() if b.show}
        if list(active) != self._shown:
            self._shown = list(active)
            self._bindings_ready = True
            self.call_next(self.recompose)  # not after a refresh: a screen that a question covers has none
            return
        for key, enabled in zip(self.query(FooterKey), active.values(), strict=False):
            key._disabled = not enabled
            key.set_class(not enabled, "-disabled")

    def show_next(self, label: str) -> None:
        """Name what *Next* does here."""
        for key in self.query(FooterKey):
            if key.action == "next" and key.description != label:
                key.description = label
                key.refresh(layout=True)


def relabel(button: Button, text: str) -> None:
    """Change a button's label, and its width."""
    if str(button.label) != text:
        button.label = text
        button.refresh(layout=True)
