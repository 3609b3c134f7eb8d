"""What else a run may change: names, routes of the controllers, the overlay, forwarding, cloud-init's template."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Label, Static

from kthw_routes.cluster import Node
from kthw_routes.facts import HostFacts
from kthw_routes.options import NamesOn, Options, RoutesOn
from kthw_routes.overlay.model import Overlay
from kthw_routes.persistence.paths import FORWARDING_FILE
from kthw_routes.plan.overlay import is_overlaid
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.widgets.choices import Button, LineSelect, TickBox
from kthw_routes.workflow.results import Inspection

_NAMES: Final = "The workers' names, in a marked block; the rest of each file does not change. Left and Right choose."
_OVERLAY: Final = "vxlan carries pods' packets between the nodes' own addresses, past a filter; it does not encrypt."
_ROUTES: Final = (
    "Workers need them for their pods. With all, the controllers reach pods too, as in the newest tutorial."
)


class ChooseRouteOptions(Dialog[Options]):
    """Gives the options as they are chosen; None: as they were."""

    AUTO_FOCUS = "#names"

    DEFAULT_CSS = """
    ChooseRouteOptions {
        .option { height: 1; }
        .option Label { width: 18; }
        .words { margin: 0 0 1 2; color: $foreground 60%; height: auto; }
        &.-short .words { margin-bottom: 0; }
    }
    """

    heading = "What else is changed"

    def __init__(self, options: Options, inspection: Inspection) -> None:
        super().__init__()
        self._options = options
        self._names = LineSelect(tuple(NamesOn), options.names_on, id="names")
        self._routes = LineSelect(tuple(RoutesOn), options.routes_on, id="routes-on")
        self._is_there = is_overlaid(inspection.facts, None)
        chosen = Overlay.VXLAN if is_overlaid(inspection.facts, options.overlay) else Overlay.NONE
        self._overlay = LineSelect(tuple(Overlay), chosen, id="overlay")
        self._forward = TickBox("turn forwarding on", options.ip_forward, id="forward")
        self._template = TickBox("names in cloud-init's template too", options.hosts_template, id="template")
        self._not_forwarding = [
            n.name for n, facts in _read(inspection) if options.routes_on.counts(n) and not facts.ip_forward
        ]
        self._rewritten = [n.name for n, facts in _read(inspection) if facts.network.hosts_template is not None]

    def compose_body(self) -> ComposeResult:
        """Yield each choice with a sentence; those that apply here."""
        yield Horizontal(Label("/etc/hosts of"), self._names, classes="option")
        yield _words(_NAMES)
        yield Horizontal(Label("routes on"), self._routes, classes="option")
        yield _words(_ROUTES)
        if self._not_forwarding or self._options.ip_forward:
            where = ", ".join(self._not_forwarding) or "no node"
            yield self._forward
            yield _words(
                f"net.ipv4.ip_forward is 0 on {where}. The CNI plugin sets it with the first pod; this sets it now and "
                f"at each boot ({FORWARDING_FILE.path})."
            )
        if self._rewritten or self._options.hosts_template:
            yield self._template
            yield _words(
                f"cloud-init rewrites /etc/hosts at each boot on {', '.join(self._rewritten)}: names are lost."
            )
        yield Horizontal(Label("overlay"), self._overlay, classes="option")
        yield _words(_OVERLAY)

    def compose_buttons(self) -> ComposeResult:
        """Yield OK and Cancel."""
        yield Button("Cancel", id="cancel", compact=True)
        yield Button("OK", id="ok", variant="primary", compact=True)

    def answer(self, _button: str) -> None:
        """Return what is chosen."""
        old = self._options
        overlay = self._overlay.selection or Overlay.NONE
        is_as_found = (overlay is Overlay.VXLAN) is self._is_there
        chosen = replace(
            old,
            overlay=None if is_as_found else overlay,
            names_on=self._names.selection or old.names_on,
            routes_on=self._routes.selection or old.routes_on,
            ip_forward=self._forward.value,
            hosts_template=self._template.value,
        )
        self.dismiss(chosen)


def _read(inspection: Inspection) -> Iterator[tuple[Node, HostFacts]]:
    return ((n, inspection.facts[n.name]) for n in inspection.cluster.visited if n.name in inspection.facts)


def _words(text: str) -> Widget:
    return Static(text, classes="words", markup=False)
