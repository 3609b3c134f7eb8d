"""The frame of every step: header, step rail, *Why?*, status line, buttons."""

from collections.abc import Iterable

from textual import events
from textual.app import ComposeResult
from textual.binding import ActiveBinding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Button, Static

from kthw_routes.wizard.themes import cut_middle, style_content
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
    """The steps: done, current, to come. On a narrow terminal only the current one and the count."""

    DEFAULT_CSS = "StepRail { height: 2; padding: 0 1; border-bottom: solid $foreground 20%; }"

    def __init__(self, titles: tuple[str, ...], here: int) -> None:
        super().__init__()
        self._titles = titles
        self._here = here

    def render(self) -> Content:
        """Return the steps; glyphs show the state, colour only repeats it."""
        number = f"{self._here + 1}/{len(self._titles)}"
        parts: list[tuple[str, str]] = []
        for index, title in enumerate(self._titles):
            glyph, style = ("✓", "$success") if index < self._here else ("○", "$foreground 50%")
            if index == self._here:
                glyph, style = "●", "bold $primary"
            parts.append((f"{title} {glyph}", style))
            parts.append(("   ", ""))
        length = sum(len(text) for text, _ in parts)
        if length + len(number) > self.size.width:
            parts = [(f"{self._titles[self._here]} ●", "bold $primary"), ("   ", "")]
            length = sum(len(text) for text, _ in parts)
        gap = " " * max(1, self.size.width - length - len(number))
        return Content.assemble(*parts, gap, (number, "$foreground 75%"))


class WhyPanel(VerticalScroll):
    """Why this step: next to it on a wide terminal, else over it."""

    def __init__(self, text: str) -> None:
        super().__init__(id="why", can_focus=False)
        self._text = text

    def compose(self) -> ComposeResult:
        """Yield a heading and the lesson's paragraphs."""
        yield Static(style_content(Words("Why?", Tone.NEW)), id="why-title")
        yield Static(self._text, id="why-text", markup=False)
        yield Static("F1 closes this", id="why-close")


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


class KeyFooter(Widget):
    """The last line: the keys. Textual's `Footer` has a widget for each, and makes them anew when the focus moves."""

    DEFAULT_CSS = "KeyFooter { dock: bottom; height: 1; color: $footer-foreground; background: $footer-background; }"
    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self._keys: tuple[ActiveBinding, ...] = ()

    def on_mount(self) -> None:
        """Hear of it when other keys do something."""
        self.screen.bindings_updated_signal.subscribe(self, self._show)

    def _show(self, screen: Screen[object]) -> None:
        keys = tuple(active for active in screen.active_bindings.values() if active.binding.show)
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def render(self) -> Content:
        """Each key and what it does; dim where it does nothing now."""
        parts: list[Content] = []
        for _, binding, enabled, _ in self._keys:
            key = Content.styled(f" {self.app.get_key_display(binding)} ", "bold $footer-key-foreground")
            part = Content.assemble(key, (f"{binding.description} ", "$footer-description-foreground"))
            part = part.stylize(Style.from_meta({"key": binding.key if enabled else ""}))
            parts.append(part if enabled else part.stylize("dim"))
        return Content.assemble(*parts)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Press the key that is clicked on."""
        key = event.style.meta.get("key")
        if key:
            self.app.simulate_key(key)
        elif key is not None:
            self.app.bell()


def relabel(button: Button, text: str) -> None:
    """Change a button's label, and its width."""
    if str(button.label) != text:
        button.label = text
        button.refresh(layout=True)
