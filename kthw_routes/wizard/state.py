"""What the person chose: one plain value, from which every screen is rendered and to which it commits on *Next*."""

from dataclasses import dataclass
from enum import StrEnum

from kthw_routes.cluster import Cluster
from kthw_routes.findings.model import Finding
from kthw_routes.options import Options
from kthw_routes.sources.linode.token import Token


class SourceKind(StrEnum):
    """Where the nodes come from. The values are what the header says."""

    ACCOUNT = "Linode"
    INVENTORY = "inventory file"
    TYPED = "own machines"
    LAB = "practice lab"


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """One row of the first screen."""

    kind: SourceKind
    lab_region: str = ""
    """Of the practice lab; the account's regions are those of its nodes."""
    path: str = ""
    """Of the inventory file, as it was typed."""

    @property
    def is_own(self) -> bool:
        """Whether the nodes are machines of one's own: no account tells of them, so all of a node can be corrected."""
        return self.kind in (SourceKind.INVENTORY, SourceKind.TYPED)


@dataclass(slots=True)
class Choices:
    """Everything that was chosen so far; nothing of it lives only in a widget."""

    source: SourceChoice
    options: Options
    path: str = ""
    """Of an inventory file; stays what it was while another source is chosen."""
    token: Token | None = None
    """Typed here; None where the environment holds one, or nobody typed one yet."""
    cluster: Cluster | None = None
    """The nodes as they were found and corrected since."""
    acknowledged: frozenset[Finding] = frozenset()
    """The warnings that were ticked. One whose wording changes since stands again."""
    why_open: bool | None = None
    """Whether the *Why?* panel is open; None while nobody touched it: open where there is room beside the step."""
