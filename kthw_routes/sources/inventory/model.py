"""What an inventory file says, once all of it is right. Frozen values."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network
from pathlib import Path

from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR, Cluster, Node
from kthw_routes.findings.model import Finding
from kthw_routes.options import OwnSettings


class InventoryKind(StrEnum):
    """What kind of file it is. The values are the words that people read."""

    TOML = "TOML inventory"
    MACHINES = "KTHW machines.txt"
    ANSIBLE_INI = "Ansible inventory (INI)"
    ANSIBLE_YAML = "Ansible inventory (YAML)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory(OwnSettings):
    """The nodes of a file and the file's own settings; whoever reads it lets the command line win over the latter."""

    path: Path
    kind: InventoryKind
    nodes: tuple[Node, ...]
    """Workers first, each role in natural order."""
    cidr: IPv4Network = DEFAULT_CLUSTER_CIDR
    """The cluster CIDR that the nodes' expected pod CIDRs were taken from: the one asked for, else the file's own, else
    the default."""
    findings: tuple[Finding, ...] = ()
    """Which kind was recognised, and what was ignored."""
    others: int = 0
    """How many machines of the file are neither worker nor controller, and ignored."""

    @property
    def cluster(self) -> Cluster:
        """The nodes as a cluster."""
        return Cluster(self.nodes, self.cidr)
