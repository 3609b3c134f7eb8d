"""KTHW's own `machines.txt`: a line `IP FQDN HOST SUBNET` per machine.

The address is the one at which the machines reach each other: the tutorial takes it for the next hop. There is no
room for another one to log in at.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.cluster import Node
from kthw_routes.errors import UsageError
from kthw_routes.export.desired import Desired
from kthw_routes.export.document import Document

_DOMAIN: Final = "kubernetes.local"
"""The tutorial's."""


def render(desired: Desired) -> tuple[Document, ...]:
    """Make the file. Raises UsageError where a node has no internal address, or a worker no pod CIDR."""
    members = (*desired.cluster.controllers, *desired.cluster.workers)
    if missing_facts := [word for node in members for word in _lacks(node)]:
        raise UsageError("machines.txt cannot hold these nodes.", "\n".join(missing_facts))
    text = "".join(f"{_line(node)}\n" for node in members)  # no comment: the tutorial's loops would take it for a line
    return (Document(PurePosixPath("machines.txt"), text),)


def remarks(desired: Desired) -> tuple[str, ...]:
    """List what the file has no room for."""
    elsewhere = [h.name for h in desired.hosts if h.login and h.node.internal and h.login.host != str(h.node.internal)]
    if not elsewhere:
        return ()
    return (
        "machines.txt has room for one address of a machine, and holds the internal one. Reached by SSH at another: "
        f"{', '.join(elsewhere)}. The format toml holds both.",
    )


def _lacks(node: Node) -> Iterator[str]:
    if node.internal is None:
        yield f"{node.name} has no internal address."
    if node.is_worker and node.pod_cidr is None:
        yield f"{node.name} has no pod CIDR."


def _line(node: Node) -> str:
    full_name = node.name if "." in node.name else f"{node.name}.{_DOMAIN}"
    words = [str(node.internal), full_name, node.name]
    return " ".join([*words, str(node.pod_cidr)] if node.is_worker else words)
