"""What was said on the command line, checked and typed; the wizard starts from the same."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR
from kthw_routes.options import NamesOn, Options, RoutesOn, SshOptions
from kthw_routes.persistence.model import Persist

if TYPE_CHECKING:
    from kthw_routes.sources.inventory.model import OwnSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """Every option of the command line that is not a command's own."""

    workers: str = "worker-*"
    controllers: str = "controller-*"
    region: str | None = None
    tag: str | None = None
    inventory: Path | None = None
    """The file in which the nodes stand; None: a Linode account."""
    cluster_cidr: IPv4Network | None = None
    """None: the inventory file's, else the tutorial's."""
    via: Literal["private", "vlan"] = "private"
    only: tuple[str, ...] = ()
    prune: bool = False
    persist: str | None = None
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
        """From the options as click parsed them."""
        return cls(**given)

    def with_file(self, file: "OwnSettings") -> Self:
        """With what an inventory file says beside its nodes, where the command line does not say otherwise."""
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
        )

    @property
    def ssh(self) -> SshOptions:
        """How the hosts are reached."""
        return SshOptions(self.identity, self.user, self.port, self.ssh_config, self.host_keys, self.folder)

    def with_ssh(self, recorded: SshOptions) -> Self:
        """With the ways to the hosts that an earlier run recorded, where the command line does not say otherwise."""
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
            ip_forward=self.ip_forward,
            hosts_template=self.cloud_template,
            repair=self.repair,
            commit_within=self.commit_within,
            probe=not self.no_probe,
            parallel=self.parallel,
        )
