"""Textual's own controls with the usual keys and marks without colour: button, tick box, list, choice on a line."""

from collections.abc import Hashable, Sequence
from typing import ClassVar, TypeVar

from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Button as TextualButton
from textual.widgets import Checkbox, OptionList, Select

T = TypeVar("T", bound=Hashable)


class Button(TextualButton):
    """A button that Space presses too: else the step under it would take that key for its own."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "press", "Press", show=False)]


class TickBox(Checkbox):
    """`[ ] words`, ticked with Space, Enter or a click."""

    DEFAULT_CSS = """
    TickBox > .toggle--button, TickBox.-on > .toggle--button { background: transparent; color: $foreground; }
    TickBox { background: transparent; }
    TickBox:disabled { opacity: 60%; }
    """
    BUTTON_LEFT = BUTTON_RIGHT = ""
    BUTTON_INNER = "[ ]"

    def __init__(self, words: str, value: bool = False, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(Content(words), value, id=id, compact=True)

    def watch_value(self) -> None:
        """Change the mark: Textual's own differs by colour only."""
        self.BUTTON_INNER = "[x]" if self.value else "[ ]"
        super().watch_value()

    def show(self, value: bool) -> None:
        """Tick or clear it, without a message."""
        with self.prevent(self.Changed):
            self.value = value


class ChoiceList(OptionList):
    """Rows `( ) title   words` of which one can be chosen: arrows move; Space, Enter or a click chooses."""

    DEFAULT_CSS = """
    ChoiceList {
        width: 1fr;
        background: transparent;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        & > .option-list--option-highlighted { background: transparent; }
        &:disabled { opacity: 60%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor_up", "Up", show=False),
        Binding("down,j", "cursor_down", "Down", show=False),
        Binding("space", "select", "Choose", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, compact=True)
        self._prompts: list[Content] = []

    def show(self, rows: Sequence[tuple[str, str]], chosen: int | None) -> None:
        """Show these titles and words; the cursor starts at the row that is chosen, and stays.

        Words that begin with a new line are below their title, as they are.
        """
        width = max((len(title) for title, words in rows if words and "\n" not in words), default=0)
        prompts = [
            Content.assemble(
                (f"{'(●)' if number == chosen else '( )'} {title:<{width}}", "bold" if number == chosen else ""),
                (words if words.startswith("\n") else f"   {words}" if words else "", "$foreground 70%"),
            )
            for number, (title, words) in enumerate(rows)
        ]
        before, self._prompts = self._prompts, prompts
        if len(before) != len(prompts):
            self.set_options(prompts)
            self.highlighted = chosen or 0
            return
        for number, (old, new) in enumerate(zip(before, prompts, strict=True)):
            if not new.is_same(old):
                self.replace_option_prompt_at_index(number, new)

    def action_cursor_up(self) -> None:
        """Move up, but not past the first row."""
        if self.highlighted:
            super().action_cursor_up()

    def action_cursor_down(self) -> None:
        """Move down, but not past the last row."""
        if self.highlighted != self.option_count - 1:
            super().action_cursor_down()


class PickList(ChoiceList):
    """Rows of which the one under the cursor is chosen. Enter submits it, as in a field; a click only chooses."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "submit", "Next", show=False)]

    class Submitted(Message):
        """The choice is made."""

    def action_submit(self) -> None:
        """Report that the choice is made."""
        self.post_message(self.Submitted())

    def action_page_up(self) -> None:
        """Leave the key to what scrolls around the list."""
        raise SkipAction

    def action_page_down(self) -> None:
        """Leave the key to what scrolls around the list."""
        raise SkipAction


class LineSelect(Select[T]):
    """A choice on one line: Left and Right choose the next, Space or Enter opens the list."""

    DEFAULT_CSS = """
    LineSelect {
        height: 1;
        & > SelectCurrent { background: transparent; }
        &:focus > SelectCurrent { background: $block-cursor-background; }
        &:focus > SelectCurrent Static#label { color: $block-cursor-foreground; text-style: bold; }
        &:disabled { opacity: 60%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", "Before", show=False),
        Binding("right", "turn(1)", "Next", show=False),
    ]

    def __init__(self, values: Sequence[T], value: T, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(
            [(str(v), v) for v in values], allow_blank=False, value=value, type_to_search=False, id=id, compact=True
        )
        self._values = values
        self.styles.width = max(len(str(v)) for v in values) + 4

    def action_turn(self, by: int) -> None:
        """Choose the next or the previous one; the first follows the last."""
        if self.selection is not None:
            self.value = self._values[(self._values.index(self.selection) + by) % len(self._values)]

    def show(self, value: T) -> None:
        """Choose this one, without a message."""
        with self.prevent(self.Changed):
            self.value = value
