"""An Ansible inventory and a playbook: for fleets beyond one laptop.

The inventory holds the nodes, and `--inventory` reads it back as it is. The playbook holds no node, so that a worker
more is one entry more. It changes only what is not right, and says so truly.
"""

import shlex
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.cluster import Node
from kthw_routes.errors import UsageError
from kthw_routes.export import ansible_playbook
from kthw_routes.export.desired import Desired, Login
from kthw_routes.export.document import BY, Document, quoted

INVENTORY: Final = PurePosixPath("inventory.yml")
PLAYBOOK: Final = PurePosixPath("playbook.yml")
_RESERVED: Final = frozenset({"all", "ungrouped", "localhost", "workers", "controllers", ansible_playbook.LEFT_OUT})


def render(desired: Desired) -> tuple[Document, ...]:
    """Make the inventory and the playbook. Raises UsageError where Ansible could not take a node for what it is."""
    for node in desired.cluster:
        if node.is_member and node.name in _RESERVED:
            raise UsageError(f"Ansible has its own meaning for the name {node.name}.", "Rename the node.")
        if node.is_member and node.next_hop is not None:
            sentence = f"The playbook leads routes to the nodes themselves; {node.name} has a next hop of its own."
            raise UsageError(sentence, "Take another format, such as shell.")
    return (
        Document(INVENTORY, "".join(f"{line}\n" for line in _inventory(desired))),
        Document(PLAYBOOK, ansible_playbook.text(desired)),
    )


def _inventory(desired: Desired) -> Iterator[str]:
    yield f"# {BY}: the nodes. `kthw-routes --inventory` reads this file too."
    yield "all:"
    yield "  vars:"
    yield from (f"    {key}: {value}" for key, value in _shared(desired).items())
    yield "  children:"
    logins = {h.name: h.login for h in desired.hosts}
    # By pod CIDR, so that the playbook writes routes in the order in which kthw-routes itself does.
    workers = sorted((w for w in desired.cluster.workers if w.pod_cidr and w.internal), key=_by_pod_cidr)
    for group, nodes in (("workers", workers), ("controllers", desired.cluster.controllers)):
        yield f"    {group}:"
        yield f"      hosts:{'' if nodes else ' {}'}"
        for node in nodes:
            yield f"        {node.name}:"
            yield from (f"          {key}: {value}" for key, value in _of_host(node, logins.get(node.name)).items())
    if away := [n.name for n in (*workers, *desired.cluster.controllers) if not n.is_visited]:
        yield f"    {ansible_playbook.LEFT_OUT}:"
        yield "      hosts:"
        yield from (f"        {name}:" for name in away)


def _by_pod_cidr(worker: Node) -> tuple[int, str]:
    return (int(worker.pod_cidr.network_address) if worker.pod_cidr else 0, worker.name)


def _shared(desired: Desired) -> dict[str, str]:
    """Return the variables of all hosts."""
    found = {"ansible_python_interpreter": "auto_silent"}
    if desired.reach.whole_identity is not None:
        found["ansible_ssh_private_key_file"] = _plain(str(desired.reach.whole_identity))
    if desired.reach.whole_ssh_config is not None:
        found["ansible_ssh_common_args"] = _plain(shlex.join(["-F", str(desired.reach.whole_ssh_config)]))
    return found


def _of_host(node: Node, login: Login | None) -> dict[str, str]:
    """Return the variables of one host."""
    found: dict[str, str] = {}
    if login is not None:
        found |= {"ansible_host": quoted(login.host), "ansible_user": quoted(login.user)}
        if login.port is not None:
            found["ansible_port"] = str(login.port)
        if not login.is_root:
            found["ansible_become"] = "true"
    if node.identity is not None:
        found["ansible_ssh_private_key_file"] = _plain(str(node.identity.absolute()))
    if node.internal is not None:
        found["internal_ip"] = quoted(node.internal)
    if node.pod_cidr is not None:
        found["pod_cidr"] = quoted(node.pod_cidr)
    return found


def _plain(text: str) -> str:
    """Check a value that Ansible is to take as it is. Raises UsageError where it would take a part for a template."""
    if any(mark in text for mark in ("{{", "{%", "{#")):
        raise UsageError(f"Ansible would take {text!r} for a template.", "Give the file another name.")
    return quoted(text)
