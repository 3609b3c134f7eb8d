"""What is to be done on a host, row by row: routes, names, files; each with its reason, and how it is taken back."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.changes import ChangeKind
from kthw_routes.cluster import Node
from kthw_routes.etc_hosts import EtcHostsEdit, NameChange
from kthw_routes.facts import HostFacts, Route
from kthw_routes.host_files import FileChange, Leftover
from kthw_routes.iproute2.commands import RouteCommand
from kthw_routes.persistence.model import Choice


@dataclass(frozen=True, slots=True)
class RouteChange:
    """What becomes of one prefix in one host's main table."""

    kind: ChangeKind
    prefix: IPv4Network
    worker: str | None
    """The worker whose pod CIDR this is; None where it belongs to no worker."""
    next_hop: IPv4Address | None
    """The wanted next hop; None where no route is wanted."""
    has: tuple[Route, ...]
    """The routes of this prefix that the host has, in the kernel's order."""
    reason: str
    commands: tuple[RouteCommand, ...] = ()
    inverse: tuple[RouteCommand, ...] = ()
    """What takes the commands back, in the order in which it is to be run."""


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What is to be done on one host."""

    node: str
    routes: tuple[RouteChange, ...] = ()
    hosts_file: EtcHostsEdit | None = None
    """None where the names are not asked for."""
    hosts_file_problem: str = ""
    """Why the names cannot be edited; a sentence, or empty."""
    lacks_names: bool = False
    """Whether names that are wanted cannot be written for that reason."""
    hosts_file_is_rewritten: bool = False
    """Whether cloud-init writes /etc/hosts anew at each boot, from a template that is left alone."""
    own_cidr_routed_away: Route | None = None
    """A route that leads the node's own pod CIDR away; touched only where its repair was asked for."""
    files: tuple[FileChange, ...] = ()
    """Files of ours, and cloud-init's template where that is asked for."""
    persistence: Choice | None = None
    """Who holds the routes over a reboot, and why; None where nothing is known of it."""
    forwarding: bool | None = None
    """What net.ipv4.ip_forward is set to now; None: left as it is."""
    leftovers: tuple[Leftover, ...] = ()
    """What a run that was killed left lying about; it goes. There is no way back for these, and no need of one."""
    switches: tuple[str, ...] = ()
    """The earlier runs whose changes the host would take back by itself later on; it is told not to."""

    @property
    def commands(self) -> tuple[RouteCommand, ...]:
        """Every command on routes, in order; line N of the batch is the Nth of these, from 1."""
        return tuple(c for change in self.routes for c in change.commands)

    @property
    def inverse(self) -> tuple[RouteCommand, ...]:
        """What takes the commands on routes back, newest first."""
        return tuple(c for change in reversed(self.routes) for c in change.inverse)

    @property
    def names(self) -> tuple[NameChange, ...]:
        """The names in `/etc/hosts`, row by row."""
        return self.hosts_file.names if self.hosts_file else ()

    @property
    def route_changes(self) -> int:
        """How many rows of the routes change something."""
        return sum(1 for c in self.routes if c.kind.is_change)

    @property
    def name_changes(self) -> int:
        """How many names change."""
        return self.hosts_file.changes if self.hosts_file else 0

    @property
    def file_changes(self) -> int:
        """How many files change, the switch of forwarding and leftovers among them."""
        return sum(1 for f in self.files if f.kind.is_change) + (self.forwarding is not None) + len(self.leftovers)

    @property
    def changes(self) -> int:
        """How many rows change something."""
        return self.route_changes + self.name_changes + self.file_changes + len(self.switches)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes

    @property
    def is_drift(self) -> bool:
        """Whether the host is not as it should be. Foreign routes are no drift; what is ours and stale is."""
        return not self.is_empty or self.lacks_names or self.own_cidr_routed_away is not None or self.is_stale

    @property
    def is_stale(self) -> bool:
        """Whether something of ours is there that is not wanted, or not known to be right, and that nothing mends.

        The routes of a controller that gets none now are such, too, though they lead to workers that are listed.
        """
        rows: tuple[RouteChange | NameChange | FileChange, ...] = (*self.routes, *self.names, *self.files)
        return any(row.kind is ChangeKind.STALE for row in rows)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done on every host that was looked at, in the cluster's order."""

    hosts: tuple[HostPlan, ...]

    @property
    def changes(self) -> int:
        """How many rows change something, on all hosts."""
        return sum(h.changes for h in self.hosts)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do on any host."""
        return all(h.is_empty for h in self.hosts)

    @property
    def is_drift(self) -> bool:
        """Whether any host is not as it should be."""
        return any(h.is_drift for h in self.hosts)

    def host(self, name: str) -> HostPlan | None:
        """The plan for one host, if it was looked at."""
        return next((h for h in self.hosts if h.node == name), None)


Planner = Callable[[Node, HostFacts], HostPlan]
"""What is to be done on one host, from what was read there: to make it so, or to take a run back."""


def describe(route: Route) -> str:
    """A route in a few words: `via 192.168.138.48 metric 100`, `blackhole`, `dev cnio0`."""
    if route.type != "unicast":
        text = route.type
    elif route.multipath:
        text = "via " + " and ".join(str(h) for h in route.multipath)
    elif route.gateway is not None:
        text = f"via {route.gateway}"
    else:
        text = f"dev {route.device}"
    return f"{text} metric {route.metric}" if route.metric else text
