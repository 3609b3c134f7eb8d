"""The list of keys."""

from textual.app import ComposeResult
from textual.widgets import Static

from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.themes import style_content
from kthw_routes.words import Tone, Words

Keys = tuple[tuple[str, str], ...]

EVERYWHERE: Keys = (
    ("^n  >", "Next: go to the next step"),
    ("^b  <", "Back: nothing is lost"),
    ("F1", "Why: what this step is for"),
    ("F2", "Commands: what you would type by hand"),
    ("F4", "lessons: why it works, with a question each"),
    ("?  F3", "this list, in dialogs too"),
    ("^p", "palette: every action by its name, and themes"),
    ("^q", "quit: always safe"),
    ("Tab  Shift+Tab", "to the next field or button"),
    ("arrows  Page keys", "move and scroll"),
    ("Space  Enter", "tick, press, open"),
    ("^c", "copy what is selected with the mouse"),
)


IN_DIALOGS: Keys = (
    ("Escape", "no answer: nothing is changed"),
    ("Left  Right  Tab", "another button or field"),
    ("Enter", "press what has the focus"),
    ("Up  Down  Page keys", "scroll"),
    ("c", "copy the whole text, where there is one"),
)


class ShowKeys(Dialog[None]):
    """The keys of this step, and those of all steps."""

    heading = "Keys"

    def __init__(self, step: str, keys: Keys, everywhere: Keys = EVERYWHERE) -> None:
        """`everywhere`: the keys of all screens of the application."""
        super().__init__()
        self._step = step
        self._keys = keys
        self._everywhere = everywhere

    def compose_body(self) -> ComposeResult:
        """Yield two columns."""
        own = ((self._step, self._keys),) if self._keys else ()
        groups = (*own, ("Everywhere", self._everywhere))
        for title, keys in groups:
            yield Static(style_content(Words(title, Tone.QUIET)), classes="key-title")
            for key, words in keys:
                yield Static(style_content(Words(f"  {key:<19}", Tone.NEW), words))
