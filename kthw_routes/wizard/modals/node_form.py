"""Corrects a node: where SSH reaches it, its internal address, its pod CIDR; each refusal stands under its field."""

from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input

from kthw_routes.cluster import AddressKind, Cluster, Node, PodCidrSource
from kthw_routes.wizard import entries
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.widgets.field import FIELD_TITLES, Field
from kthw_routes.words import Tone


class NodeForm(Dialog[Node]):
    """Gives the node as corrected; None: nothing changed."""

    def __init__(self, node: Node, cluster: Cluster) -> None:
        super().__init__()
        self.heading = f"{node.name}, {node.role}" + (f" in {node.region}" if node.region else "")
        self._node = node
        self._cluster = cluster
        self._was = {"ssh": str(node.ssh or ""), "internal": str(node.internal or "")}
        if node.is_worker:
            self._was["pod_cidr"] = str(node.pod_cidr or "")
        hints = {
            "ssh": "user@host:port; user and port may be left out",
            "internal": "the next hop for the others",
            "pod_cidr": f"rests on: {node.pod_cidr_source}",
        }
        self._fields = {
            name: Field(name, FIELD_TITLES[name], Input(was, id=name, compact=True, classes="field-input"), hints[name])
            for name, was in self._was.items()
        }

    def compose_body(self) -> ComposeResult:
        """A line per field: its name, the text, what is wrong with it, and the addresses to choose from."""
        node = self._node
        yield self._fields["ssh"]
        public = [a for a in node.addresses if a.kind is AddressKind.PUBLIC]
        yield from self._choices("ssh", [(str(a.ip), str(a.kind)) for a in public] if len(public) > 1 else [])
        yield self._fields["internal"]
        inner = [a for a in node.addresses if a.kind is not AddressKind.PUBLIC]
        yield from self._choices("internal", [(str(a.ip), str(a.kind)) for a in inner])
        if node.is_worker:
            yield self._fields["pod_cidr"]

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> ComposeResult:
        if not choices:
            return
        with Horizontal(classes="field-choices"):
            for value, kind in choices:
                yield Button(f"{value} {kind}", compact=True, action=f"screen.take('{name}', '{value}')")

    def compose_buttons(self) -> ComposeResult:
        """Take it over or not."""
        yield Button("Cancel", id="cancel", compact=True)
        yield Button("OK", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Begin with what has to be filled in."""
        empty = next((field for field in self._fields.values() if not field.text), self._fields["internal"])
        empty.input.focus()

    @on(Input.Changed)
    def _judge(self, event: Input.Changed) -> None:
        event.stop()
        self._refusal(event.input.id or "")

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        self.answer("ok")

    def action_take(self, name: str, address: str) -> None:
        """Put an address into its field."""
        self._fields[name].input.value = address
        self._fields[name].input.focus()

    def answer(self, _button: str) -> None:
        """OK takes all over if nothing is refused."""
        refused = [name for name in self._fields if self._refusal(name)]
        if refused:
            self._fields[refused[0]].input.focus()
            return
        self.dismiss(self._corrected())

    def _refusal(self, name: str) -> str:
        """Why the field's text is refused, shown below it; empty where it is not, or was left as it was."""
        field = self._fields[name]
        if field.text == self._was[name]:
            field.say_hint()
            return ""
        try:
            self._read(name)
        except entries.InvalidInput as error:
            field.say(f"✗ {error}", Tone.BAD)
            return str(error)
        field.say("✓ can be used", Tone.GOOD)
        return ""

    def _read(self, name: str) -> Node:
        """The node with what the field says. Raises entries.Refused."""
        text = self._fields[name].text
        if name == "ssh":
            return replace(self._node, ssh=entries.endpoint(text))
        if name == "internal":
            clears = not self._node.is_worker and not text.strip()
            return replace(self._node, internal=None if clears else entries.address(text))
        cidr = entries.pod_cidr(text, self._cluster.cidr)
        return replace(self._node, pod_cidr=cidr, pod_cidr_source=PodCidrSource.TYPED)

    def _corrected(self) -> Node:
        for name, field in self._fields.items():
            if field.text != self._was[name]:
                self._node = self._read(name)
        return self._node
