"""Adds or corrects a machine of one's own: all of it can be typed, an SSH address is enough."""

from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input, Select, Static

from kthw_routes.cluster import Cluster, Node, PodCidrSource, Role
from kthw_routes.wizard import entries
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.own_nodes import likely_name, likely_pod_cidr, typed
from kthw_routes.wizard.widgets.choices import LineSelect
from kthw_routes.wizard.widgets.field import FIELD_TITLES, Field
from kthw_routes.words import Tone

_HINTS = {
    "name": "as the other nodes shall know it",
    "ssh": "user@host:port; user and port may be left out",
    "internal": "the next hop for the others; empty: the SSH address",
    "pod_cidr": "what the node's own CNI configuration says counts more",
}


class OwnNodeForm(Dialog[Node]):
    """Gives the node; None: nothing changed."""

    def __init__(self, node: Node | None, cluster: Cluster) -> None:
        """`node`: the one to correct; None: a new one."""
        super().__init__()
        self.heading = f"{node.name}, {node.role}" if node else "A new node"
        self._node = node or Node(likely_name(cluster, Role.WORKER), Role.WORKER, None)
        self._cluster = cluster
        self._taken = [n.name for n in cluster if n is not node]
        self._likely_name = self._node.name
        """What was put into the field; while it says it still, it follows the role."""
        self._pods = str(self._node.pod_cidr or "") if node else self._likely_pods(self._node.name)
        """What was put into the field; while it says it still, it follows the name."""
        self._is_stated = self._node.pod_cidr_source is PodCidrSource.TYPED
        self._role = self._node.role
        self._select = LineSelect(tuple(Role), self._role, id="role")
        ssh, internal = self._node.ssh, str(self._node.internal or "")
        texts = {
            "name": self._node.name,
            "ssh": str(ssh or ""),
            "internal": "" if ssh is not None and internal == ssh.host else internal,
            "pod_cidr": self._pods,
        }
        self._fields = {
            name: Field(name, FIELD_TITLES[name], Input(t, id=name, compact=True, classes="field-input"), _HINTS[name])
            for name, t in texts.items()
        }

    def compose_body(self) -> ComposeResult:
        """Name, role, SSH, internal address, pod CIDR."""
        yield self._fields["name"]
        with Horizontal(classes="field"):
            yield Static("role", classes="field-title", markup=False)
            yield self._select
        yield from (self._fields[name] for name in ("ssh", "internal", "pod_cidr"))

    def compose_buttons(self) -> ComposeResult:
        """Take it over or not."""
        yield Button("Cancel", id="cancel", compact=True)
        yield Button("OK", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Begin with what has to be filled in."""
        self._fields["pod_cidr"].display = self._role is Role.WORKER
        self._fields["ssh" if self._text("name") else "name"].input.focus()

    def _likely_pods(self, name: str) -> str:
        return str(likely_pod_cidr(self._cluster, name) or "")

    @on(Select.Changed, "#role")
    def _role_chosen(self, event: Select.Changed) -> None:
        """Another role, another likely name."""
        event.stop()
        if (role := self._select.selection) in (None, self._role):
            return
        self._role = role
        self._fields["pod_cidr"].display = role is Role.WORKER
        name = self._fields["name"].input
        if name.value == self._likely_name:
            self._likely_name = name.value = likely_name(self._cluster, role)

    @on(Input.Changed)
    def _judge(self, event: Input.Changed) -> None:
        event.stop()
        if event.input.id == "name":
            pods = self._fields["pod_cidr"].input
            if pods.value == self._pods and not self._is_stated:
                self._pods = pods.value = self._likely_pods(event.value.strip())
        if event.input.id == "ssh":
            self._refusal("internal", quietly=True)
        self._refusal(event.input.id or "", quietly=not event.value)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        self.answer("ok")

    def answer(self, _button: str) -> None:
        """OK takes all over if nothing is refused."""
        refused = [name for name in self._fields if self._refusal(name)]
        if refused:
            self._fields[refused[0]].input.focus()
            return
        self.dismiss(self._read())

    def _refusal(self, name: str, *, quietly: bool = False) -> str:
        """Why the field's text is refused, shown below it unless `quietly`; empty where it is not."""
        field = self._fields[name]
        if name == "pod_cidr" and self._role is not Role.WORKER:
            return ""
        try:
            self._read_field(name)
        except entries.InvalidInput as error:
            if quietly:
                field.say_hint()
            else:
                field.say(f"✗ {error}", Tone.BAD)
            return str(error)
        if field.text:
            field.say("✓ can be used", Tone.GOOD)
        else:
            field.say_hint()
        return ""

    def _text(self, name: str) -> str:
        return self._fields[name].text

    def _read_field(self, name: str) -> object:
        """What a field says. Raises entries.Refused."""
        text = self._text(name)
        if name == "name":
            return entries.node_name(text, self._taken)
        if name == "ssh":
            return entries.endpoint(text)
        if name == "internal":
            return entries.internal_address(text, self._text("ssh"))
        return entries.pod_cidr(text, self._cluster.cidr) if text.strip() else None

    def _read(self) -> Node:
        """The node as typed. Raises entries.Refused."""
        name, ssh = entries.node_name(self._text("name"), self._taken), entries.endpoint(self._text("ssh"))
        internal = entries.internal_address(self._text("internal"), self._text("ssh"))
        node = typed(self._cluster, self._node, name, self._role, ssh, internal)
        pods = self._text("pod_cidr").strip()
        if not node.is_worker or not pods or (pods == self._pods and not self._is_stated):
            return node
        cidr = entries.pod_cidr(pods, self._cluster.cidr)
        return replace(node, pod_cidr=cidr, pod_cidr_source=PodCidrSource.TYPED)
