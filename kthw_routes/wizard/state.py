"""What the person chose: one plain value that every screen shows, and commits to on *Next*."""

from dataclasses import dataclass, replace
from enum import StrEnum

from kthw_routes.cluster import Cluster, Node, Selection
from kthw_routes.findings.model import Finding
from kthw_routes.options import Options
from kthw_routes.sources.linode.token import Token
from kthw_routes.wizard import own_nodes


class SourceKind(StrEnum):
    """Where the nodes come from. The values are the header's words."""

    ACCOUNT = "Linode"
    INVENTORY = "inventory file"
    TYPED = "own machines"
    LAB = "practice lab"


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """One row of the first screen."""

    kind: SourceKind
    lab_region: str = ""
    """Of the practice lab; an account's regions are those of its nodes."""
    path: str = ""
    """Of the inventory file, as it was typed."""

    @property
    def is_own(self) -> bool:
        """Whether the nodes are the person's own machines: no account knows them, so every field can be corrected."""
        return self.kind in (SourceKind.INVENTORY, SourceKind.TYPED)


@dataclass(slots=True)
class Choices:
    """Everything that was chosen so far; nothing of it lives only in a widget."""

    source: SourceChoice
    options: Options
    path: str = ""
    """Of an inventory file; kept while another source is chosen."""
    token: Token | None = None
    """Typed here; None where the environment has one, or none was typed yet."""
    cluster: Cluster | None = None
    """The nodes as found, and corrected since."""
    acknowledged: frozenset[Finding] = frozenset()
    """The warnings that were ticked. One whose wording changes has to be ticked again."""
    why_open: bool | None = None
    """Whether the *Why?* panel is open; None until the person decides: open on a wide terminal."""

    @property
    def nodes(self) -> Cluster:
        """The nodes as chosen. Raises AssertionError before they were found."""
        assert self.cluster is not None, "no nodes were found yet"  # noqa: S101 - a fault of ours
        return self.cluster

    def change_node(self, old: Node, new: Node) -> None:
        """Replace a node by its correction."""
        self.cluster = self.nodes.with_swapped(old, new)

    def add_node(self, node: Node) -> None:
        """Add a node that was typed."""
        self.cluster = own_nodes.with_added(self.nodes, node)

    def delete_node(self, node: Node) -> None:
        """Forget a node that was typed."""
        self.cluster = own_nodes.without(self.nodes, node)

    def toggle_left_out(self, node: Node) -> None:
        """Leave a node out, or include it again."""
        selection = Selection.LEFT_OUT if node.is_visited else Selection.VISIT
        self.change_node(node, replace(node, selection=selection))

    def remove_node(self, node: Node) -> None:
        """Remove a node for good."""
        self.change_node(node, replace(node, selection=Selection.REMOVED))

    def unacknowledged(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """Return the warnings among them that are not ticked yet."""
        return tuple(f for f in findings if f.acknowledge and f not in self.acknowledged)

    def acknowledge(self, finding: Finding, known: bool) -> None:
        """Tick a warning, or clear it."""
        rest = self.acknowledged - {finding}
        self.acknowledged = rest | {finding} if known else rest
