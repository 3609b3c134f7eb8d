"""Adds or corrects a machine of one's own: all of it can be typed, an SSH address is enough."""

from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Button, Input, Static

from kthw_routes.cluster import Cluster, Node, PodCidrSource, Role
from kthw_routes.wizard import entries
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.own_nodes import likely_name, likely_pod_cidr, typed
from kthw_routes.wizard.themes import content
from kthw_routes.wizard.widgets.spin import Spin
from kthw_routes.words import Tone, Words

_ROLES = tuple(Role)
_HINTS = {
    "name": "as the other nodes shall know it",
    "ssh": "user@host:port; user and port may be left out",
    "internal": "the next hop for the others; empty: the SSH address",
    "pod_cidr": "what the node's own CNI configuration says counts more",
}
_TITLES = {"name": "name", "ssh": "SSH", "internal": "internal address", "pod_cidr": "pod CIDR"}


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

    def compose_body(self) -> ComposeResult:
        """Name, role, SSH, internal address, pod CIDR."""
        node = self._node
        same = node.ssh is not None and str(node.internal) == node.ssh.host
        yield from self._field("name", node.name)
        with Horizontal(classes="field"):
            yield Static("role", classes="field-title", markup=False)
            yield Spin("", tuple(str(r) for r in _ROLES), _ROLES.index(node.role), id="role")
        yield from self._field("ssh", str(node.ssh or ""))
        yield from self._field("internal", "" if same else str(node.internal or ""))
        yield from self._field("pod_cidr", self._pods)

    def _field(self, name: str, value: str) -> ComposeResult:
        with Horizontal(classes="field", id=f"{name}-field"):
            yield Static(_TITLES[name], classes="field-title", markup=False)
            yield Input(value, id=name, compact=True, classes="field-input")
        yield Static(content(Words(_HINTS[name], Tone.QUIET)), id=f"{name}-says", classes="field-says")

    def compose_buttons(self) -> ComposeResult:
        """Take it over or not."""
        yield Button("Cancel", id="cancel", compact=True)
        yield Button("OK", id="ok", variant="primary", compact=True)

    def on_mount(self) -> None:
        """Begin with what has to be filled in."""
        self._show_pods()
        name = self.query_one("#name", Input)
        (self.query_one("#ssh", Input) if name.value else name).focus()

    @property
    def _role(self) -> Role:
        return _ROLES[self.query_one("#role", Spin).index]

    def _likely_pods(self, name: str) -> str:
        return str(likely_pod_cidr(self._cluster, name) or "")

    def _show_pods(self) -> None:
        for name in ("pod_cidr-field", "pod_cidr-says"):
            self.query_one(f"#{name}").display = self._role is Role.WORKER

    @on(Spin.Changed, "#role")
    def _role_chosen(self) -> None:
        """Another role, another likely name."""
        self._show_pods()
        name = self.query_one("#name", Input)
        if name.value == self._likely_name:
            self._likely_name = name.value = likely_name(self._cluster, self._role)

    @on(Input.Changed)
    def _judge(self, event: Input.Changed) -> None:
        event.stop()
        if event.input.id == "name":
            pods = self.query_one("#pod_cidr", Input)
            if pods.value == self._pods and not self._is_stated:
                self._pods = pods.value = self._likely_pods(event.value.strip())
        if event.input.id == "ssh":
            self._refusal(self.query_one("#internal", Input), quietly=True)
        self._refusal(event.input, quietly=not event.value)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        self.answer("ok")

    def answer(self, button: str) -> None:
        """OK takes all over if nothing is refused."""
        if button != "ok":
            return
        refused = [field for field in self.query(Input) if self._refusal(field)]
        if refused:
            refused[0].focus()
            return
        self.dismiss(self._read())

    def _refusal(self, field: Input, *, quietly: bool = False) -> str:
        """Why the field's text is refused, shown below it unless `quietly`; empty where it is not."""
        says = self.query_one(f"#{field.id}-says", Static)
        name = field.id or ""
        if name == "pod_cidr" and self._role is not Role.WORKER:
            return ""
        try:
            self._read_field(name)
        except entries.Refused as error:
            says.update(content(Words(_HINTS[name], Tone.QUIET) if quietly else Words(f"✗ {error}", Tone.BAD)))
            return str(error)
        says.update(content(Words(_HINTS[name], Tone.QUIET) if not field.value else Words("✓ can be used", Tone.GOOD)))
        return ""

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value

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
