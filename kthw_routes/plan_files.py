"""Which files of ours a host should have: the routes over a reboot, forwarding. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from kthw_routes.cluster import Node
from kthw_routes.host_files import FileChange
from kthw_routes.observed import HostFacts
from kthw_routes.options import Options
from kthw_routes.persistence.model import Choice, HeldRoute


@dataclass(frozen=True, slots=True)
class FilesPlan:
    """What becomes of one host's files."""

    choice: Choice | None = None
    changes: tuple[FileChange, ...] = ()
    forwarding: bool | None = None
    """What net.ipv4.ip_forward is set to now; None: left as it is."""


def of_host(
    node: Node,
    facts: HostFacts,
    wanted: Sequence[HeldRoute],
    drops: Callable[[IPv4Network], bool],
    options: Options,
) -> FilesPlan:
    """What becomes of the files of ours on one host.

    Args:
        node: the host.
        facts: what was read there.
        wanted: the routes that should survive a reboot there.
        drops: whether a prefix that a file holds, beside the wanted ones, goes from it; else it stays.
        options: what was chosen.
    """
    return FilesPlan()
