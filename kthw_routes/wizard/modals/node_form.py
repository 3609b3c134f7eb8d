"""Corrects a node: where SSH reaches it, its internal address, its pod CIDR; each refusal stands under its field."""

from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input, Static

from kthw_routes.cluster import AddressKind, Cluster, Node, PodCidrSource
from kthw_routes.wizard import entries
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.themes import content
from kthw_routes.words import Tone, Words


class NodeForm(Dialog[Node]):
    """Gives the node as corrected; None: nothing changed."""

    def __init__(self, node: Node, cluster: Cluster) -> None:
        super().__init__()
        self.heading = f"{node.name}, {node.role}" + (f" in {node.region}" if node.region else "")
        self._node = node
        self._cluster = cluster
        self._hints: dict[str, str] = {}

    def compose_body(self) -> ComposeResult:
        """A line per field: its name, the text, what is wrong with it, and the addresses to choose from."""
        node = self._node
        yield from self._field("ssh", "SSH", str(node.ssh or ""), "user@host:port; user and port may be left out")
        public = [a for a in node.addresses if a.kind is AddressKind.PUBLIC]
        yield from self._choices("ssh", [(str(a.ip), str(a.kind)) for a in public] if len(public) > 1 else [])
        yield from self._field("internal", "internal address", str(node.internal or ""), "the next hop for the others")
        inner = [a for a in node.addresses if a.kind is not AddressKind.PUBLIC]
        yield from self._choices("internal", [(str(a.ip), str(a.kind)) for a in inner])
        if node.is_worker:
            rests = f"rests on: {node.pod_cidr_source}"
            yield from self._field("pod_cidr", "pod CIDR", str(node.pod_cidr or ""), rests)

    def _field(self, name: str, title: str, value: str, hint: str) -> ComposeResult:
        self._hints[name] = hint
        with Horizontal(classes="field"):
            yield Static(title, classes="field-title", markup=False)
            yield Input(value, id=name, compact=True, classes="field-input")
        yield Static(content(Words(hint, Tone.QUIET)), id=f"{name}-says", classes="field-says")

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> ComposeResult:
        if not choices:
            return
        with Horizontal(classes="field-choices"):
            for number, (value, kind) in enumerate(choices):
                yield Button(f"{value} {kind}", id=f"{name}-choice-{number}", name=value, compact=True)

    def compose_buttons(self) -> ComposeResult:
        """Take it over or not."""
        yield Button("Cancel", id="cancel", compact=True)
        yield Button("OK", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Begin with what has to be filled in."""
        empty = [i for i in self.query(Input) if not i.value]
        (empty[0] if empty else self.query_one("#internal", Input)).focus()

    @on(Input.Changed)
    def _judge(self, event: Input.Changed) -> None:
        event.stop()
        self._refusal(event.input)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        self.answer("ok")

    def answer(self, button: str) -> None:
        """An address is put into its field; OK takes all over if nothing is refused."""
        if button != "ok":
            pressed = self.query_one(f"#{button}", Button)
            field = self.query_one(f"#{button.partition('-')[0]}", Input)
            field.value = pressed.name or ""
            field.focus()
            return
        refused = [field for field in self.query(Input) if self._refusal(field)]
        if refused:
            refused[0].focus()
            return
        self.dismiss(self._corrected())

    def _refusal(self, field: Input) -> str:
        """Why the field's text is refused, shown below it; empty where it is not, or was left as it was."""
        says = self.query_one(f"#{field.id}-says", Static)
        if field.value == self._was(field):
            says.update(content(Words(self._hints[field.id or ""], Tone.QUIET)))
            return ""
        try:
            self._read(field)
        except entries.Refused as error:
            says.update(content(Words(f"✗ {error}", Tone.BAD)))
            return str(error)
        says.update(content(Words("✓ can be used", Tone.GOOD)))
        return ""

    def _was(self, field: Input) -> str:
        node = self._node
        value = {"ssh": node.ssh, "internal": node.internal, "pod_cidr": node.pod_cidr}[field.id or ""]
        return str(value or "")

    def _read(self, field: Input) -> Node:
        """The node with what the field says. Raises entries.Refused."""
        if field.id == "ssh":
            return replace(self._node, ssh=entries.endpoint(field.value))
        if field.id == "internal":
            clears = not self._node.is_worker and not field.value.strip()
            return replace(self._node, internal=None if clears else entries.address(field.value))
        cidr = entries.pod_cidr(field.value, self._cluster.cidr)
        return replace(self._node, pod_cidr=cidr, pod_cidr_source=PodCidrSource.TYPED)

    def _corrected(self) -> Node:
        for field in self.query(Input):
            if field.value != self._was(field):
                self._node = self._read(field)
        return self._node
