"""Corrects a node, or adds one of your own: each text is judged as in an inventory, its error shown below it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Select, Static

from kthw_routes.cluster import AddressKind, Cluster, Endpoint, Node, PodCidrSource, Role
from kthw_routes.errors import InvalidInput
from kthw_routes.sources.inventory.values import (
    ONE_EACH,
    check_inside,
    internal_ip,
    internal_ip_of,
    node_name,
    pod_cidr,
    read_value,
)
from kthw_routes.wizard.modals.dialog import Dialog
from kthw_routes.wizard.own_nodes import likely_name, likely_pod_cidr, typed
from kthw_routes.wizard.widgets.choices import Button, LineSelect
from kthw_routes.wizard.widgets.field import FIELD_TITLES, Field
from kthw_routes.words import Tone

_SSH_HINT: Final = "user@host:port; user and port may be left out"


class _NodeDialog(Dialog[Node]):
    """Gives the node as its fields state it; None: nothing changed."""

    def __init__(
        self, old: Node | None, node: Node, cluster: Cluster, texts: Mapping[str, str], hints: Mapping[str, str]
    ) -> None:
        """Make the fields. `old`: the one that is replaced. `texts`: what they hold at first."""
        super().__init__()
        self._node = node
        self._cluster = cluster
        self._others = [n for n in cluster if n is not old]
        self._before = texts
        self._fields = {
            name: Field(name, FIELD_TITLES[name], Input(t, id=name, compact=True, classes="field-input"), hints[name])
            for name, t in texts.items()
        }
        self._readers: Mapping[str, Callable[[], object]] = {
            "name": self._read_name,
            "ssh": self._read_ssh,
            "internal": self._read_internal,
            "pod_cidr": self._read_pod_cidr,
        }

    def compose_buttons(self) -> ComposeResult:
        """Take it over or not."""
        yield Button("Cancel", id="cancel", compact=True)
        yield Button("OK", id="ok", variant="primary", compact=True)

    @on(Input.Changed)
    def _judge(self, event: Input.Changed) -> None:
        event.stop()
        self.error_in(event.input.id or "", quietly=not event.value)

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        self.answer("ok")

    def answer(self, _button: str) -> None:
        """Take all over if nothing is refused."""
        refused = [name for name in self._fields if self.error_in(name)]
        if refused:
            self._fields[refused[0]].input.focus()
        else:
            self.dismiss(self.result())

    def error_in(self, name: str, *, quietly: bool = False) -> str | None:
        """Judge the text of a field, and show what is wrong with it unless `quietly`; None: nothing is."""
        field, error, is_judged = self._fields[name], None, self._is_judged(name)
        try:
            if is_judged:
                self._readers[name]()
        except InvalidInput as refused:
            error = str(refused)
        if error and not quietly:
            field.say(f"✗ {error}", Tone.BAD)
        elif error or not is_judged or not field.text:
            field.say_hint()
        else:
            field.say("✓ can be used", Tone.GOOD)
        return error

    def _is_judged(self, name: str) -> bool:
        """Whether the text of the field counts."""
        raise NotImplementedError

    def result(self) -> Node:
        """Make the node that the fields state. Raises InvalidInput."""
        raise NotImplementedError

    # --- what the fields state; each raises InvalidInput with a sentence for people ---

    def _text(self, name: str) -> str:
        return self._fields[name].text

    def _read_name(self) -> str:
        name = read_value(self._text("name"), node_name)
        self._check_unused(name, name.casefold(), lambda n: n.name.casefold())
        return name

    def _read_ssh(self) -> Endpoint:
        ssh = read_value(self._text("ssh"), Endpoint.parse)
        self._check_unused(str(ssh), ssh.target, lambda n: n.ssh.target if n.ssh and n.is_member else None)
        return ssh

    def _read_internal(self) -> IPv4Address | None:
        return self._unused_ip(read_value(self._text("internal"), internal_ip))

    def _unused_ip(self, ip: IPv4Address) -> IPv4Address:
        self._check_unused(str(ip), ip, lambda n: n.internal if n.is_member else None)
        return ip

    def _read_pod_cidr(self) -> IPv4Network | None:
        def inside(text: str) -> IPv4Network:
            cidr = pod_cidr(text)
            check_inside(cidr, self._cluster.cidr)
            return cidr

        return read_value(self._text("pod_cidr"), inside)

    def _check_unused(self, text: str, key: object, of: Callable[[Node], object]) -> None:
        owner = next((n for n in self._others if of(n) == key), None)
        if owner is not None:
            raise InvalidInput(f'"{text}" is already that of {owner.name}; {ONE_EACH}')


class NodeEditor(_NodeDialog):
    """Corrects a node that a source found: its addresses, its pod CIDR. A text left as it was is not judged."""

    def __init__(self, node: Node, cluster: Cluster, *, can_change_ssh: bool = True) -> None:
        """`can_change_ssh`: whether it may be reached elsewhere than the source says."""
        texts = {"ssh": str(node.ssh or "")} if can_change_ssh else {}
        texts["internal"] = str(node.internal or "")
        if node.is_worker:
            texts["pod_cidr"] = str(node.pod_cidr or "")
        rests = f"rests on: {node.pod_cidr_source}"
        hints = {"ssh": _SSH_HINT, "internal": "the next hop for the others", "pod_cidr": rests}
        super().__init__(node, node, cluster, texts, hints)
        self._can_change_ssh = can_change_ssh
        self.heading = f"{node.name}, {node.role}" + (f" in {node.region}" if node.region else "")

    def compose_body(self) -> ComposeResult:
        """Show a line per field: its name, the text, what is wrong with it, and the addresses to choose from."""
        node = self._node
        if self._can_change_ssh:
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

    def on_mount(self) -> None:
        """Begin with what has to be filled in."""
        empty = next((field for field in self._fields.values() if not field.text), self._fields["internal"])
        empty.input.focus()

    def action_take(self, name: str, address: str) -> None:
        """Put an address into its field."""
        self._fields[name].input.value = address
        self._fields[name].input.focus()

    def _is_judged(self, name: str) -> bool:
        return self._text(name) != self._before[name]

    def _read_internal(self) -> IPv4Address | None:
        if not self._node.is_worker and not self._text("internal").strip():
            return None
        return super()._read_internal()

    def result(self) -> Node:
        changes: dict[str, Any] = {name: self._readers[name]() for name in self._fields if self._is_judged(name)}
        if "pod_cidr" in changes:
            changes["pod_cidr_source"] = PodCidrSource.TYPED
        return replace(self._node, **changes)


class OwnNodeEditor(_NodeDialog):
    """Adds or corrects a machine of your own: all of it can be typed, an SSH address is enough."""

    AUTO_FOCUS = ""  # what is typed before `on_mount` has chosen goes into no field

    def __init__(self, node: Node | None, cluster: Cluster) -> None:
        """Prepare the fields. `node`: the one to correct; None: a new one."""
        hints = {
            "name": "as the other nodes shall know it",
            "ssh": _SSH_HINT,
            "internal": "the next hop for the others; empty: the SSH address",
            "pod_cidr": "what the node's own CNI configuration says counts more",
        }
        start = node or Node(likely_name(cluster, Role.WORKER), Role.WORKER, None)
        ssh, internal = start.ssh, str(start.internal or "")
        texts = {
            "name": start.name,
            "ssh": str(ssh or ""),
            "internal": "" if ssh is not None and internal == ssh.host else internal,
            "pod_cidr": str((start.pod_cidr if node else likely_pod_cidr(cluster, start.name)) or ""),
        }
        super().__init__(node, start, cluster, texts, hints)
        self.heading = f"{node.name}, {node.role}" if node else "A new node"
        self._likely_name = start.name
        """What was put into the field; while it still says so, it follows the role."""
        self._likely_pods = texts["pod_cidr"]
        """What was put into the field; while it still says so, it follows the name."""
        self._is_stated = start.pod_cidr_source is PodCidrSource.TYPED
        self._role = start.role
        self._select = LineSelect(tuple(Role), self._role, id="role")

    def compose_body(self) -> ComposeResult:
        """Show name, role, SSH, internal address, pod CIDR."""
        yield self._fields["name"]
        with Horizontal(classes="field"):
            yield Static("role", classes="field-title", markup=False)
            yield self._select
        yield from (self._fields[name] for name in ("ssh", "internal", "pod_cidr"))

    def on_mount(self) -> None:
        """Begin with what has to be filled in."""
        self._fields["pod_cidr"].display = self._role is Role.WORKER
        self.set_focus(self._fields["ssh" if self._text("name") else "name"].input)

    @on(Select.Changed, "#role")
    def _role_chosen(self, event: Select.Changed) -> None:
        """Follow the role with the likely name."""
        event.stop()
        if (role := self._select.selection) in (None, self._role):
            return
        self._role = role
        self._fields["pod_cidr"].display = role is Role.WORKER
        name = self._fields["name"].input
        if name.value == self._likely_name:
            self._likely_name = name.value = likely_name(self._cluster, role)

    @on(Input.Changed, "#name")
    def _name_changed(self, event: Input.Changed) -> None:
        pods = self._fields["pod_cidr"].input
        if pods.value == self._likely_pods and not self._is_stated:
            self._likely_pods = pods.value = str(likely_pod_cidr(self._cluster, event.value.strip()) or "")

    @on(Input.Changed, "#ssh")
    def _ssh_changed(self) -> None:
        self.error_in("internal", quietly=True)

    def _is_judged(self, name: str) -> bool:
        return name != "pod_cidr" or (self._role is Role.WORKER and bool(self._text("pod_cidr").strip()))

    def _read_internal(self) -> IPv4Address | None:
        if self._text("internal").strip():
            return super()._read_internal()
        try:
            ssh = self._read_ssh()
        except InvalidInput:  # shown below its own field
            return None
        return self._unused_ip(internal_ip_of(ssh))

    def result(self) -> Node:
        name, ssh, internal = self._read_name(), self._read_ssh(), self._read_internal()
        node = typed(self._cluster, self._node, name, self._role, ssh, internal)
        pods = self._text("pod_cidr").strip()
        if not node.is_worker or not pods or (pods == self._likely_pods and not self._is_stated):
            return node
        return replace(node, pod_cidr=self._read_pod_cidr(), pod_cidr_source=PodCidrSource.TYPED)
