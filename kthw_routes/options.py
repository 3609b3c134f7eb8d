"""What a person may choose beside the nodes themselves: one plain value under the wizard and the command line."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from kthw_routes.cluster import Node
from kthw_routes.persistence.model import Persist

Marked = frozenset[tuple[str, IPv4Network]]
"""Routes that the person marked for removal: (host, prefix)."""

NOTHING_MARKED: Final[Marked] = frozenset()


class RoutesOn(StrEnum):
    """Which nodes get routes to the workers' pods."""

    WORKERS = "workers"
    ALL = "all"
    """The controllers too, as the newest edition of the tutorial has it on its server."""

    def counts(self, node: Node) -> bool:
        """Whether this node gets routes."""
        return node.is_worker or self is RoutesOn.ALL


class NamesOn(StrEnum):
    """Which nodes get the workers' names in /etc/hosts."""

    CONTROLLERS = "controllers"
    WORKERS = "workers"
    ALL = "all"
    NONE = "none"

    def counts(self, node: Node) -> bool:
        """Whether this node gets names."""
        match self:
            case NamesOn.CONTROLLERS:
                return not node.is_worker
            case NamesOn.WORKERS:
                return node.is_worker
            case NamesOn.ALL:
                return True
            case NamesOn.NONE:
                return False


HOST_KEY_MODES: Final = ("ask", "accept-new", "strict", "off")


@dataclass(frozen=True, slots=True)
class SshOptions:
    """How a person wants hosts reached: said for a run, recorded with it, and gone by when it is taken back."""

    identity: Path | None = None
    """The private key; None: `kubernetes.ed25519` in `folder` if it is there, else the agent and the configuration."""
    user: str | None = None
    """None: the SSH configuration's, else root."""
    port: int | None = None
    ssh_config: Path | None = None
    """None: `~/.ssh/config` and the machine's own, as ssh; the null device: no configuration."""
    host_keys: str | None = None
    """One of HOST_KEY_MODES; None: the wizard asks, commands accept new keys and print them."""
    folder: Path | None = None
    """Where relative paths begin, also those in the SSH configuration; None: the current folder."""

    @property
    def record(self) -> dict[str, str | int | None]:
        """What is recorded of them: the same choices, in a form that holds in any folder; never a secret."""
        folder = self.folder or Path.cwd()

        def whole(path: Path | None) -> str | None:
            return str(folder / path.expanduser()) if path else None

        return {
            "identity": whole(self.identity),
            "user": self.user,
            "port": self.port,
            "ssh_config": whole(self.ssh_config),
            "host_keys": self.host_keys,
            "folder": str(folder),
        }


AS_USUAL: Final = SshOptions()


@dataclass(frozen=True, slots=True)
class Options:
    """Choices that the steps render from."""

    only: frozenset[str] = frozenset()
    """Names of the hosts to visit; empty: all."""
    prune: bool = False
    """Whether routes of ours that lead to no worker listed are removed."""
    names_on: NamesOn = NamesOn.CONTROLLERS
    """Whose /etc/hosts gets the workers' names."""
    routes_on: RoutesOn = RoutesOn.WORKERS
    """Which nodes get routes."""
    persist: Persist | None = None
    """How the routes survive a reboot; None: not answered yet, which counts as `none`."""
    ip_forward: bool = False
    """Whether forwarding is turned on where it is off, now and at each boot."""
    hosts_template: bool = False
    """Whether the names also go into cloud-init's template, where that writes /etc/hosts anew at each boot."""
    repair: bool = False
    """Whether an own pod CIDR that was routed away is given back to the bridge."""
    probe: bool = True
    """Whether traffic is tested where that takes a probe address or a ping."""
    parallel: int = 32
    """How many hosts are worked on at once."""
    marked: Marked = NOTHING_MARKED
    """Foreign and stale routes that the person marked for removal; a mark on an own pod CIDR routed away asks for its
    repair."""
    marked_names: frozenset[tuple[str, str]] = frozenset()
    """Stale names in /etc/hosts that the person marked for removal: (host, name)."""
    commit_within: int | None = None
    """Seconds after which each host takes the changes back by itself, unless the proof holds; None: never."""


DEFAULT_OPTIONS: Final = Options()
