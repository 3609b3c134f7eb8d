"""What a person may choose, apart from the nodes: one plain value under the wizard and the command line."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final, Literal, Self

from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR, Node
from kthw_routes.overlay.model import Overlay
from kthw_routes.persistence.model import Persist

Marked = frozenset[tuple[str, IPv4Network]]
"""Routes that the person marked for removal: (host, prefix)."""

NOTHING_MARKED: Final[Marked] = frozenset()

KUBERNETES_KEY: Final = Path("kubernetes.ed25519")
"""The key that Kubernetes The Hard Way makes; taken where it lies in the current folder."""


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
    """How a person wants hosts reached: chosen for a run, recorded with it, and used again when it is undone."""

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
    """How the routes are kept after a reboot; None: not answered yet, which counts as `none`."""
    overlay: Overlay | None = None
    """How packets between pods are carried; None: as they are now, which is without an overlay at first."""
    ip_forward: bool = False
    """Whether forwarding is turned on where it is off, now and at each boot."""
    hosts_template: bool = False
    """Whether the names also go into cloud-init's template, where that rewrites /etc/hosts at each boot."""
    repair: bool = False
    """Whether an own pod CIDR that another route overrides is given back to the bridge."""
    probe: bool = True
    """Whether traffic is tested where that takes a probe address or a ping."""
    parallel: int = 32
    """How many hosts are worked on at once."""
    marked: Marked = NOTHING_MARKED
    """Foreign and stale routes that the person marked for removal; a mark on an overridden own pod CIDR asks for its
    repair."""
    marked_names: frozenset[tuple[str, str]] = frozenset()
    """Stale names in /etc/hosts that the person marked for removal: (host, name)."""
    commit_within: int | None = None
    """Seconds after which each host rolls the changes back automatically, unless the proof holds; None: never."""


DEFAULT_OPTIONS: Final = Options()


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """What the file says next to its nodes; each None where it does not say."""

    cluster_cidr: IPv4Network | None = None
    user: str | None = None
    """The SSH user of nodes that name none of their own."""
    identity: Path | None = None
    """The private key: `~` expanded, relative paths taken from the file's folder. It need not exist."""
    hosts_file: bool | NamesOn | None = None
    """On which nodes /etc/hosts gets the workers' names; true: the controllers, false: none."""
    persist: Persist | None = None
    routes_on: RoutesOn | None = None
    overlay: Overlay | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Every option of the command line that is not a command's own."""

    workers: str = "worker-*"
    controllers: str = "controller-*"
    region: str | None = None
    tag: str | None = None
    inventory: Path | None = None
    """The file that lists the nodes; None: a Linode account."""
    worker_group: str | None = None
    """The group of an Ansible inventory that holds the workers; None: one of the usual names. So `controller_group`."""
    controller_group: str | None = None
    cluster_cidr: IPv4Network | None = None
    """None: the inventory file's, else the tutorial's."""
    via: Literal["private", "vlan", "vpc"] = "private"
    only: tuple[str, ...] = ()
    prune: bool = False
    persist: str | None = None
    overlay: str | None = None
    routes_on: str | None = None
    names_on: str | None = None
    no_hosts_file: bool = False
    cloud_template: bool = False
    ip_forward: bool = False
    repair: bool = False
    commit_within: int | None = None
    no_probe: bool = False
    identity: Path | None = None
    user: str | None = None
    port: int | None = None
    ssh_config: Path | None = None
    host_keys: str | None = None
    """None: the wizard asks, commands accept new keys and print them."""
    rebuilt: tuple[str, ...] = ()
    ask_sudo_password: bool = False
    parallel: int = 32
    timeout: float = 30.0
    present: bool = False
    """Whether the wizard's run stops before each host's change, and goes on by key."""
    verbose: bool = False
    """Whether all rows and commands are printed, however many hosts there are."""
    state: Path | None = None
    """Another state folder than the person's own; the embedded lab has one."""
    folder: Path | None = None
    """Where relative paths of an earlier run begin, and `kubernetes.ed25519` is looked for; None: the current one."""
    personal: bool = True
    """Whether the person's SSH files and agent count; not so in the embedded lab."""
    environ: Mapping[str, str] | None = field(default=None, repr=False)
    """Other environment variables than the process's own."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Make the settings from the options as click parsed them."""
        return cls(**given)

    def with_file(self, file: OwnSettings) -> Self:
        """Add what an inventory file says next to its nodes, where the command line does not say otherwise."""
        names = file.hosts_file
        if isinstance(names, bool):
            names = NamesOn.CONTROLLERS if names else NamesOn.NONE
        return replace(
            self,
            cluster_cidr=self.cluster_cidr or file.cluster_cidr,
            user=self.user or file.user,
            identity=self.identity or file.identity,
            names_on=self.names_on or names,
            persist=self.persist or file.persist,
            routes_on=self.routes_on or file.routes_on,
            overlay=self.overlay or file.overlay,
        )

    @property
    def ssh(self) -> SshOptions:
        """How the hosts are reached."""
        return SshOptions(
            identity=self.identity,
            user=self.user,
            port=self.port,
            ssh_config=self.ssh_config,
            host_keys=self.host_keys,
            folder=self.folder,
        )

    def with_ssh(self, recorded: SshOptions) -> Self:
        """Add the SSH choices that an earlier run recorded, where the command line does not say otherwise."""
        config = self.ssh_config.expanduser().absolute() if self.ssh_config else recorded.ssh_config
        return replace(
            self,
            identity=self.identity.expanduser().absolute() if self.identity else recorded.identity,
            user=self.user or recorded.user,
            port=self.port or recorded.port,
            ssh_config=config,
            host_keys=self.host_keys or recorded.host_keys,
            folder=recorded.folder if config == recorded.ssh_config else self.folder,
        )

    @property
    def cidr(self) -> IPv4Network:
        """The cluster CIDR that the pod CIDRs are expected in."""
        return self.cluster_cidr or DEFAULT_CLUSTER_CIDR

    @property
    def environment(self) -> Mapping[str, str]:
        """Where the token and LINODE_URL are looked for."""
        return os.environ if self.environ is None else self.environ

    @property
    def options(self) -> Options:
        """What the steps want to know."""
        return Options(
            only=frozenset(self.only),
            prune=self.prune,
            names_on=NamesOn.NONE if self.no_hosts_file else NamesOn(self.names_on or NamesOn.CONTROLLERS),
            routes_on=RoutesOn(self.routes_on or RoutesOn.WORKERS),
            persist=Persist(self.persist) if self.persist else None,
            overlay=Overlay(self.overlay) if self.overlay else None,
            ip_forward=self.ip_forward,
            hosts_template=self.cloud_template,
            repair=self.repair,
            commit_within=self.commit_within,
            probe=not self.no_probe,
            parallel=self.parallel,
        )
