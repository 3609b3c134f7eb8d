"""Saves the nodes as an inventory file: asks for its path, and again before a file is replaced."""

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input, Static

from kthw_routes.errors import UsageError
from kthw_routes.sanitize import clean_line
from kthw_routes.sources.inventory.write import save
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.themes import content
from kthw_routes.wizard.widgets.path_input import PathInput
from kthw_routes.words import Tone, Words

_HINT = "Tab completes the path."


class SaveForm(Dialog[str]):
    """Gives the path of the file that was written; None: none was."""

    heading = "Save the nodes as an inventory"

    def __init__(self, text: str, why: str, path: str = "nodes.toml") -> None:
        """`text`: of the file. `why`: what it is good for."""
        super().__init__()
        self._text = text
        self._why = why
        self._path = path
        self._replaces = ""
        """The path of which it was said that a file would be replaced."""

    def compose_body(self) -> ComposeResult:
        """What for, and where."""
        yield Static(self._why, markup=False)
        with Horizontal(classes="field"):
            yield Static("file", classes="field-title", markup=False)
            yield PathInput(self._path, id="save-path")
        yield Static(content(Words(_HINT, Tone.QUIET)), id="save-says", classes="field-says")

    def compose_buttons(self) -> ComposeResult:
        """Write it or not."""
        yield Button("Cancel", id="cancel", compact=True)
        yield Button("Save", id="save", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value.strip() != self._replaces:
            self._replaces = ""
            self._say(_HINT, Tone.QUIET)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.answer("save")

    def answer(self, _button: str) -> None:
        """Write it; where there is a file already, say so first, and wait for the second press."""
        path = self.query_one(Input).value.strip()
        if not path:
            self._say("✗ Enter the name of a file, such as nodes.toml.", Tone.BAD)
        elif path != self._replaces and _is_there(path):
            self._replaces = path
            self._say(f"▲ {clean_line(path)} is there already. Replace puts the new one in its place.", Tone.WARNING)
        else:
            try:
                save(Path(path), self._text, overwrite=path == self._replaces)
            except UsageError as error:
                self._say(f"✗ {error.sentence} {error.hint}", Tone.BAD)
            else:
                self.dismiss(path)

    def _say(self, text: str, tone: Tone) -> None:
        self.query_one("#save-says", Static).update(content(Words(text, tone)))
        self.query_one("#save", Button).label = "Replace" if self._replaces else "Save"
        self.query_one("#save", Button).refresh(layout=True)  # the label has another width


def _is_there(path: str) -> bool:
    try:
        return Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # ValueError: a NUL in it; RuntimeError: no such home
        return False
