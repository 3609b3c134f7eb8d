"""Chooses one program that keeps the routes on all hosts, and shows where each would keep them."""

from typing import Final

from textual.app import ComposeResult
from textual.widgets import OptionList, Static

from kthw_routes.persistence import ifupdown, netplan
from kthw_routes.persistence.model import Manager
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.widgets.choices import Button, PickList

_WHAT: Final = {
    Manager.NETPLAN: str(netplan.PATH),
    Manager.NETWORKD: "a drop-in next to the interface's .network file",
    Manager.IFUPDOWN: f"a script in {ifupdown.PATH.parent}",
    Manager.NETWORKMANAGER: "a dispatcher script",
    Manager.UNIT: "a systemd timer; works next to all others",
}
_WHY: Final = (
    "This program keeps the routes on every host. A host that it does not manage gets no file, and is reported: the "
    "next reboot deletes its routes."
)


class ChooseManager(Dialog[Manager]):
    """Gives the manager; None: no answer."""

    AUTO_FOCUS = "#manager"

    heading = "Which program keeps the routes after a reboot?"

    def __init__(self, chosen: Manager | None) -> None:
        super().__init__()
        self._managers = PickList(id="manager")
        self._show(list(Manager).index(chosen or Manager.NETPLAN))

    def compose_body(self) -> ComposeResult:
        """Yield what that means, and the managers."""
        yield Static(_WHY, markup=False)
        yield Static()
        yield self._managers

    def compose_buttons(self) -> ComposeResult:
        """Yield OK and Cancel."""
        yield Button("Cancel", id="cancel", compact=True)
        yield Button("OK", id="ok", variant="primary", compact=True)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Choose the row under the cursor."""
        event.stop()
        self._show(event.option_index)

    def on_pick_list_submitted(self, event: PickList.Submitted) -> None:
        """Answer with the row under the cursor."""
        event.stop()
        self.answer("ok")

    def _show(self, chosen: int) -> None:
        self._managers.show([(str(m), _WHAT[m]) for m in Manager], chosen)

    def answer(self, _button: str) -> None:
        """Return the manager that is chosen."""
        self.dismiss(list(Manager)[self._managers.highlighted or 0])
