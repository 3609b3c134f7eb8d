"""The line in which a command is typed, behind its prompt, with what was typed before."""

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Key
from textual.message import Message
from textual.widgets import Input, Static


class CommandInput(Input):
    """The field itself: Up and Down go through what was typed before.

    Its keys are no bindings, which are found only after what was typed behind them.
    """

    @dataclass
    class Entered(Message):
        """A line was typed."""

        line: str

    @dataclass
    class Controlled(Message):
        """^C, ^D or ^L was pressed."""

        key: str

    def __init__(self) -> None:
        super().__init__(id="command", compact=True, select_on_focus=False)
        self.cursor_blink = False  # it would be drawn twice a second, in each visitor's process
        self.history: list[str] = []
        """What was typed before, the newest last."""
        self._place = 0

    def remember(self, line: str) -> None:
        """Note a line that was typed."""
        if line.strip() and self.history[-1:] != [line]:
            self.history.append(line)
        self._place = len(self.history)

    def use(self, history: list[str]) -> None:
        """Go through another history from now on."""
        self.history, self._place = history, len(history)

    async def _on_key(self, event: Key) -> None:
        match event.key:
            case "enter":
                line, self.value = self.value, ""
                self.post_message(self.Entered(line))
            case "ctrl+c" | "ctrl+d" if event.key == "ctrl+c" or not self.value:
                self.value = ""
                self.post_message(self.Controlled(event.key))
            case "ctrl+l":
                self.post_message(self.Controlled(event.key))
            case "up" | "down":
                self._recall(-1 if event.key == "up" else 1)
            case _:
                await super()._on_key(event)
                return
        event.stop()
        event.prevent_default()

    def _recall(self, by: int) -> None:
        """Show the line before, or the one after; behind the last an empty one."""
        self._place = max(0, min(len(self.history), self._place + by))
        self.value = self.history[self._place] if self._place < len(self.history) else ""
        self.cursor_position = len(self.value)


class CommandLine(Horizontal):
    """Prompt and field."""

    DEFAULT_CSS = """
    CommandLine {
        height: 1;
        #prompt { width: auto; }
        #command { width: 1fr; background: transparent; border: none; padding: 0; height: 1; }
        #command:focus { background: $surface; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._prompt = Static("", id="prompt", markup=False)
        self.input = CommandInput()

    def compose(self) -> ComposeResult:
        """Yield both."""
        yield self._prompt
        yield self.input

    def show_prompt(self, prompt: str) -> None:
        """Show another prompt."""
        if str(self._prompt.content) != prompt:
            self._prompt.update(prompt)
