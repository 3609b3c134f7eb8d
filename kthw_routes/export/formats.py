"""Every format: its name, what it makes, and what it needs to know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from kthw_routes.export import (
    ansible,
    batch,
    cloud_init,
    host_files,
    machines,
    markdown,
    shell,
    toml,
)
from kthw_routes.export.desired import Desired
from kthw_routes.export.document import Document
from kthw_routes.persistence.model import Persist


class Network(Enum):
    """What a format needs to know of how a host's network is configured."""

    NOTHING = auto()
    NETPLAN_ID = auto()
    NETWORK_FILE = auto()


@dataclass(frozen=True, slots=True)
class Format:
    """A format."""

    name: str
    title: str
    """What it makes, in a few words."""
    render: Callable[[Desired], tuple[Document, ...]]
    """Raises UsageError where it cannot hold what is wanted."""
    is_folder: bool = False
    """Whether it makes several files."""
    needs_pod_cidrs: bool = True
    """Whether every worker's pod CIDR must be certain."""
    network: Network = Network.NOTHING
    knows_persist: bool = False
    """Whether it goes by `--persist`, or says itself what of it it cannot do."""
    knows_overlay: bool = False
    """Whether it can carry the overlay."""
    may_lack: bool = False
    """Whether it can leave open what is not known, to be filled in by hand."""
    remarks: Callable[[Desired], tuple[str, ...]] = lambda _: ()
    """What is lost in it, or else worth knowing; sentences."""

    def supports(self, persist: Persist) -> bool:
        """Return whether it makes what this asks for: one that makes a manager's files is that manager's alone."""
        if self.knows_persist:
            return True
        if self.network is Network.NOTHING:
            return persist is Persist.NONE
        return persist is Persist.AUTO or persist.value == self.name


_ALL: Final = (
    Format("shell", "a script for sh with the lab's own ssh lines", shell.render, knows_overlay=True),
    Format("batch", "a file per host for `ip -batch`", batch.render, is_folder=True),
    Format("netplan", "90-kthw-routes.yaml per host", host_files.netplan, is_folder=True, network=Network.NETPLAN_ID),
    Format("networkd", "drop-ins per host", host_files.networkd, is_folder=True, network=Network.NETWORK_FILE),
    Format("ansible", "a playbook and its inventory", ansible.render, is_folder=True, knows_persist=True),
    Format("cloud-init", "user data per host", cloud_init.render, is_folder=True, knows_persist=True),
    Format("machines.txt", "KTHW's own list of machines", machines.render, remarks=machines.remarks),
    Format(
        "toml",
        "an inventory for --inventory",
        toml.render,
        needs_pod_cidrs=False,
        knows_persist=True,
        knows_overlay=True,
        may_lack=True,
    ),
    Format("markdown", "a report for people", markdown.render, knows_overlay=True),
)
FORMATS: Final[Mapping[str, Format]] = {f.name: f for f in _ALL}
