"""What an inventory file says, once all of it is right. Frozen values."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kthw_routes.cluster import Cluster, Node
from kthw_routes.findings.model import Finding
from kthw_routes.options import OwnSettings


class InventoryKind(StrEnum):
    """What kind of file it is. The values are the words that people read."""

    TOML = "TOML inventory"
    MACHINES = "KTHW machines.txt"
    ANSIBLE_INI = "Ansible inventory (INI)"
    ANSIBLE_YAML = "Ansible inventory (YAML)"
    ANSIBLE_JSON = "Ansible inventory (JSON)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The nodes of a file and the file's own settings; whoever reads it lets the command line win over the latter."""

    path: Path
    kind: InventoryKind
    cluster: Cluster
    """Its CIDR, from which the expected pod CIDRs follow: the one asked for, else the file's own, else the default."""
    settings: OwnSettings
    findings: tuple[Finding, ...]
    """Which kind was recognised, and what was ignored."""
    others: int
    """How many machines of the file are neither worker nor controller, and ignored."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes: workers first, each role in natural order."""
        return self.cluster.nodes
