"""Asks once, for all hosts, whether to trust new host keys."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.widgets import Static

from kthw_routes.ssh.session import NewHostKey
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.themes import style_content
from kthw_routes.wizard.widgets.choices import Button
from kthw_routes.words import Tone, Words


class AskHostKeys(Dialog[str]):
    """Gives an answer if the keys are trusted; None if not."""

    AUTO_FOCUS = ""  # it comes by itself: a key that was meant for the step does not answer it

    heading = "New host keys"

    def __init__(self, keys: Sequence[NewHostKey]) -> None:
        super().__init__()
        self._keys = keys
        self._trust = Button("Trust them", id="trust", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Take keys once the keys can be read."""
        self.call_after_refresh(self._trust.focus)

    def compose_body(self) -> ComposeResult:
        """Yield the keys, and how to compare them."""
        yield Static(
            "This program has not seen these keys before. Trust them from now on? To rule out that somebody intercepts "
            "the connection, compare them with the output of this command on each node's console:\n"
            "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            markup=False,
        )
        width = max(len(k.node) for k in self._keys)
        yield Static()
        for key in self._keys:
            where = "" if key.node in key.host else f"\n  at {key.host}"
            kind = key.type.removeprefix("ssh-")
            yield Static(style_content(f"{key.node:<{width}}  ", Words(f"{kind} {key.fingerprint}", Tone.NEW), where))

    def compose_buttons(self) -> ComposeResult:
        """Yield both answers; without trust, these hosts are skipped."""
        yield Button("Skip these hosts", id="cancel", compact=True)
        yield self._trust

    def answer(self, button: str) -> None:
        """Return that they are trusted."""
        self.dismiss(button)
