"""The rows of *Nodes*, and what the line below them shows of a node. Pure: no widget."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.cluster import Node, Selection
from kthw_routes.findings.model import Finding, Level
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.words import Tone, Words

Stopped = set[tuple[str | None, str]]
"""Name of a node and column with a *stop*."""

COLUMNS: Final = ("node", "ssh", "internal address", "expected pod CIDR", "role", "region")
"""Titles of the table; the last two where there is room."""

_COLUMN_OF: Final = {
    "ssh-address-not-chosen": "ssh",
    "no-ssh-address": "ssh",
    "vpc-next-hop": "internal",
    "shared-internal-address": "internal",
    "internal-address-not-chosen": "internal",
    "no-internal-address": "internal",
    "duplicate-name": "name",
    "not-a-host-name": "name",
}


def find_stopped(findings: Iterable[Finding]) -> Stopped:
    """Return the cells in which something stops the run."""
    return {(f.node, _column_of(f)) for f in findings if f.level is Level.STOP}


def _column_of(finding: Finding) -> str:
    return "cidr" if finding.code.startswith("pod-cidr") else _COLUMN_OF.get(finding.code, "name")


def make_cells(node: Node, stopped: Stopped, width: int, *, is_wide: bool = False) -> tuple[Words | str, ...]:
    """Return the row of a node. `width`: of its name. `is_wide`: whether there is room for role and region."""

    def mark(column: str, text: str) -> Words | str:
        if (node.name, column) in stopped:
            return Words(f"{text}  ✗ stop", Tone.BAD)
        return text if node.is_visited else dim(text)

    short_name = cut_middle(node.name, width)
    name = mark("name", short_name)
    if node.selection is Selection.LEFT_OUT:
        name = dim(f"{short_name} left out")
    elif node.selection is Selection.REMOVED:
        name = Words(f"{short_name} removed", Tone.LOSS)
    return (
        name,
        mark("ssh", str(node.ssh or "none")),
        mark("internal", str(node.internal or "none")),
        mark("cidr", str(node.pod_cidr or "unknown") if node.is_worker else "–"),
        *((dim(str(node.role)), dim(node.region or "–")) if is_wide else ()),
    )


def describe(node: Node, width: int, *, is_own: bool, is_typed: bool) -> tuple[Words, Words]:
    """Return what the row does not show of a node, and the keys for it."""
    known = {node.internal, IPv4Address(node.ssh.host) if node.ssh and _is_address(node.ssh.host) else None}
    further = [f"{a.ip} ({a.kind})" for a in node.addresses if a.ip not in known]
    where = node.region or ""
    parts = [str(node.role), where] if is_own else [where, node.status.replace("_", " ")]
    if len(node.name) > width:
        parts.insert(0, node.name)
    if further:
        parts.append(f"also {', '.join(further)}")
    keys = f"Enter edit   l {'leave out' if node.is_visited else 'include'}"
    if is_typed:
        keys += "   x delete"
    elif node.selection is not Selection.REMOVED:
        keys += "   x remove for good"
    keys += "   a add a node" if is_own else ""
    return dim(f"{' · '.join(part for part in parts if part)}   "), Words(keys, Tone.NEW)


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
