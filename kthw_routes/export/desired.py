"""What every format is made from: which routes and names each host should have, and how it is reached.

Every text in it that comes from outside was checked: names are hostnames, users and SSH targets plain words.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from kthw_routes.cluster import Cluster, Node, parse_host, parse_user
from kthw_routes.errors import InvalidInput, UsageError
from kthw_routes.facts import NetworkSetup
from kthw_routes.node_names import is_host_name
from kthw_routes.options import DEFAULT_OPTIONS, Options
from kthw_routes.overlay.model import NOTHING, OverlayState
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.plan.overlay import wanted_on
from kthw_routes.plan.wanted import Wanted, WantedRoutes, wanted_names
from kthw_routes.sanitize import quoted
from kthw_routes.sources.inventory.values import read_value


@dataclass(frozen=True, slots=True)
class Login:
    """How a host is reached by SSH."""

    host: str
    user: str = "root"
    port: int | None = None
    """None: the SSH configuration's, else 22."""

    @property
    def is_root(self) -> bool:
        """Whether this user needs no sudo."""
        return self.user == "root"


@dataclass(frozen=True, slots=True)
class SshAccess:
    """With what of the person's hosts are reached."""

    identity: Path | None = None
    """The private key, as the person names it; None: whatever ssh offers."""
    ssh_config: Path | None = None
    """None: ssh's own."""
    user: str | None = None
    """The user that was named for all hosts, if one was."""
    folder: Path = Path()
    """From where relative paths count."""

    @property
    def whole_identity(self) -> Path | None:
        """The private key, from wherever it is used."""
        return self.folder / self.identity if self.identity else None

    @property
    def whole_ssh_config(self) -> Path | None:
        """The SSH configuration, from wherever it is used."""
        return self.folder / self.ssh_config if self.ssh_config else None


@dataclass(frozen=True, slots=True)
class DesiredHost:
    """What one host should have."""

    node: Node
    login: Login | None
    """None where the node has no SSH address."""
    routes: tuple[Wanted, ...]
    names: Mapping[str, IPv4Address]
    """Worker -> internal address, for `/etc/hosts`; empty where no names are wanted."""
    persisted: tuple[PersistedRoute, ...] = ()
    """The routes with their interfaces, where those are known."""
    network: NetworkSetup = field(default_factory=NetworkSetup)
    """How its network is configured, where that is known."""
    overlay: OverlayState = NOTHING
    """Its part of the overlay; the MTU is that of usual interfaces, as none was read."""

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.name


@dataclass(frozen=True, slots=True)
class Desired:
    """What all hosts should have."""

    cluster: Cluster
    hosts: tuple[DesiredHost, ...]
    """The hosts that are not left out, in the cluster's order."""
    options: Options = DEFAULT_OPTIONS
    reach: SshAccess = field(default_factory=SshAccess)

    @property
    def routed(self) -> tuple[DesiredHost, ...]:
        """The hosts that get routes."""
        return tuple(h for h in self.hosts if h.routes)

    @property
    def named(self) -> tuple[DesiredHost, ...]:
        """The hosts that get names."""
        return tuple(h for h in self.hosts if h.names)

    @property
    def busy(self) -> tuple[DesiredHost, ...]:
        """The hosts that get anything."""
        return tuple(h for h in self.hosts if h.routes or h.names)


def desired(
    cluster: Cluster,
    options: Options = DEFAULT_OPTIONS,
    *,
    logins: Mapping[str, Login] | None = None,
    reach: SshAccess | None = None,
    networks: Mapping[str, tuple[tuple[PersistedRoute, ...], NetworkSetup]] | None = None,
) -> Desired:
    """Work out what each host should have.

    Args:
        cluster: with the pod CIDRs known; *stop* findings are for the caller to respect.
        options: whose routes and names are wanted.
        logins: node name -> how it is reached; by default as the cluster says, as root.
        reach: the key and the SSH configuration.
        networks: node name -> its routes with their interfaces, and its network, for formats that need to know.

    Raises:
        UsageError: a name, a user or an SSH target is not one that a file can hold.
    """
    known, reached = networks or {}, logins or {}
    wanted = WantedRoutes(cluster, options.routes_on)
    hosts: list[DesiredHost] = []
    for node in cluster.visited:
        login = reached.get(node.name)
        if login is None and node.ssh is not None:
            login = Login(node.ssh.host, node.ssh.user or "root", node.ssh.port)
        names = wanted_names(cluster, node) if options.names_on.counts(node) else {}
        persisted, network = known.get(node.name, ((), NetworkSetup()))
        routes = wanted.of(node)
        host = DesiredHost(
            node=node,
            login=login,
            routes=routes,
            names=names,
            persisted=persisted,
            network=network,
            overlay=wanted_on(cluster, node, None),
        )
        hosts.append(host)
    found = Desired(cluster=cluster, hosts=tuple(hosts), options=options, reach=reach or SshAccess())
    if faults := list(_unfit(found)):
        raise UsageError("These nodes cannot be exported.", "\n".join(faults))
    return found


def _unfit(desired: Desired) -> Iterator[str]:
    """List what a file cannot hold as it is, a sentence each."""
    for node in desired.cluster:
        if node.is_member and not is_host_name(node.name):
            yield f"{quoted(node.name)} is not a valid hostname. Rename the node."
    for host in desired.hosts:
        if host.login is None:
            continue
        try:
            read_value(host.login.user, parse_user)
            read_value(host.login.host, parse_host)
        except InvalidInput as error:
            yield f"{host.name}: {error}."
    for path in (desired.reach.whole_identity, desired.reach.whole_ssh_config):
        if path is not None and not str(path).isprintable():
            yield f"{quoted(str(path))} is not a path that a file can hold."
