"""Saves the nodes as an inventory file: asks for its path, and again before a file is replaced.

In a browser it is downloaded: no file is written on the machine that serves it.
"""

from io import StringIO
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from kthw_routes.errors import UsageError
from kthw_routes.sanitize import clean_line
from kthw_routes.sources.inventory.write import save
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.wizard.widgets.field import Field
from kthw_routes.wizard.widgets.frame import relabel
from kthw_routes.wizard.widgets.path_input import PathInput
from kthw_routes.words import Tone


class SaveForm(Dialog[str]):
    """Gives the path of the file that was written; None: none was."""

    AUTO_FOCUS = "#save-path, #save"

    heading = "Save the nodes as an inventory"

    def __init__(self, text: str, why: str, path: str = "nodes.toml") -> None:
        """Take the `text` of the file, and `why` it is good to have."""
        super().__init__()
        self._text = text
        self._why = why
        self._path = Field("save", "file", PathInput(path, id="save-path"), "Tab completes the path.")
        self._save = Button("Save", id="save", variant="primary", compact=True)
        self._replaces: str | None = None
        """The path for which the warning was shown that a file will be replaced."""

    def compose_body(self) -> ComposeResult:
        """Show what for, and where."""
        yield Static(self._why, markup=False)
        if not self.app.is_web:
            yield self._path

    def compose_buttons(self) -> ComposeResult:
        """Write it or not."""
        if self.app.is_web:
            self._save.label = "Download"
        yield Button("Cancel", id="cancel", compact=True)
        yield self._save

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value.strip() != self._replaces:
            self._replaces = None
            self._path.say_hint()
            relabel(self._save, "Save")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.answer("save")

    @property
    def text(self) -> str:
        """What is written."""
        return self._text

    def answer(self, _button: str) -> None:
        """Write it; where there is a file already, say so first, and wait for the second press."""
        path = self._path.text.strip()
        if self.app.is_web:
            self.app.deliver_text(StringIO(self.text), save_filename=path)
            self.dismiss(path)
        elif not path:
            self._path.say("✗ Enter the name of a file, for example, nodes.toml.", Tone.BAD)
        elif path != self._replaces and _is_there(path):
            self._replaces = path
            relabel(self._save, "Replace")
            words = f"▲ {clean_line(path)} exists already. Replace puts the new one in its place."
            self._path.say(words, Tone.WARNING)
        else:
            try:
                save(Path(path), self.text, overwrite=path == self._replaces)
            except UsageError as error:
                self._path.say(f"✗ {error.sentence} {error.hint}", Tone.BAD)
            else:
                self.dismiss(path)


def _is_there(path: str) -> bool:
    try:
        return Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # ValueError: a NUL in it; RuntimeError: no such home
        return False
