"""What was said on the command line, checked and typed; the wizard starts from the same."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final, Literal, Self

from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR
from kthw_routes.options import NamesOn, Options

HOST_KEY_MODES: Final = ("ask", "accept-new", "strict", "off")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every option of the command line that is not a command's own."""

    workers: str = "worker-*"
    controllers: str = "controller-*"
    region: str | None = None
    tag: str | None = None
    cluster_cidr: IPv4Network = DEFAULT_CLUSTER_CIDR
    via: Literal["private", "vlan"] = "private"
    only: tuple[str, ...] = ()
    prune: bool = False
    no_hosts_file: bool = False
    no_probe: bool = False
    identity: Path | None = None
    user: str | None = None
    port: int | None = None
    ssh_config: Path | None = None
    host_keys: str | None = None
    """None: the wizard asks, commands accept new keys and print them."""
    ask_sudo_password: bool = False
    parallel: int = 32
    timeout: float = 30.0
    state: Path | None = None
    """Another state folder than the person's own; the embedded lab has one."""
    personal: bool = True
    """Whether the person's SSH files and agent count; not so in the embedded lab."""
    environ: Mapping[str, str] | None = field(default=None, repr=False)
    """Other environment variables than the process's own."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """From the options as click parsed them."""
        return cls(**given)

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
            names_on=NamesOn.NONE if self.no_hosts_file else NamesOn.CONTROLLERS,
            probe=not self.no_probe,
            parallel=self.parallel,
        )
