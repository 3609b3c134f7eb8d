"""One manager by its name, for all hosts: what each of them would hold the routes in."""

from typing import Final

from textual.app import ComposeResult
from textual.widgets import Button, OptionList, Static

from kthw_routes.persistence import ifupdown, netplan
from kthw_routes.persistence.model import Manager
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.widgets.choices import PickList

_WHAT: Final = {
    Manager.NETPLAN: str(netplan.PATH),
    Manager.NETWORKD: "a drop-in beside the interface's .network file",
    Manager.IFUPDOWN: f"a script in {ifupdown.PATH.parent}",
    Manager.NETWORKMANAGER: "a dispatcher script",
    Manager.UNIT: "a systemd timer of our own; works beside all others",
}
_WHY: Final = (
    "On every host, whatever rules its interfaces. A host on which that manager does not rule is refused, and said: "
    "its routes end at the next reboot then."
)


class ChooseManager(Dialog[Manager]):
    """Gives the manager; None: no answer."""

    heading = "Held over a reboot by one manager, by name"

    def __init__(self, chosen: Manager | None) -> None:
        super().__init__()
        self._managers = PickList(id="manager")
        self._show(list(Manager).index(chosen or Manager.NETPLAN))

    def compose_body(self) -> ComposeResult:
        """What that means, and the managers."""
        yield Static(_WHY, markup=False)
        yield Static()
        yield self._managers

    def compose_buttons(self) -> ComposeResult:
        """Take it or not."""
        yield Button("Cancel", id="cancel", compact=True)
        yield Button("OK", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Choose at once."""
        self._managers.focus()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The cursor chooses."""
        event.stop()
        self._show(event.option_index)

    def on_pick_list_submitted(self, event: PickList.Submitted) -> None:
        """Enter takes it."""
        event.stop()
        self.answer("ok")

    def _show(self, chosen: int) -> None:
        self._managers.show([(str(m), _WHAT[m]) for m in Manager], chosen)

    def answer(self, _button: str) -> None:
        """The one that is chosen."""
        self.dismiss(list(Manager)[self._managers.highlighted or 0])
