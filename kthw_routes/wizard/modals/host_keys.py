"""Asks once, for all hosts, whether keys that were never seen before may be trusted."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.widgets import Button, Static

from kthw_routes.ssh.session import NewHostKey
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.themes import content
from kthw_routes.words import Tone, Words


class AskHostKeys(Dialog[str]):
    """Gives an answer where the keys may be trusted; None where not."""

    heading = "Host keys never seen before"

    def __init__(self, keys: Sequence[NewHostKey]) -> None:
        super().__init__()
        self._keys = keys
        self._trust = Button("Trust them", id="trust", variant="primary", compact=True)

    def compose_body(self) -> ComposeResult:
        """The keys, and how to compare them."""
        yield Static(
            "Trust these from now on? To be sure that nobody stands in between, compare them with what this says on "
            "each node's own console:\n  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            markup=False,
        )
        width = max(len(k.node) for k in self._keys)
        yield Static()
        for key in self._keys:
            where = "" if key.node in key.host else f"\n  at {key.host}"
            kind = key.type.removeprefix("ssh-")
            yield Static(content(f"{key.node:<{width}}  ", Words(f"{kind} {key.fingerprint}", Tone.NEW), where))

    def compose_buttons(self) -> ComposeResult:
        """Without trust, these hosts are skipped."""
        yield Button("Skip these hosts", id="cancel", compact=True)
        yield self._trust

    def on_mount(self) -> None:
        """The usual answer is one key away."""
        self._trust.focus()

    def answer(self, button: str) -> None:
        """They are trusted."""
        self.dismiss(button)
