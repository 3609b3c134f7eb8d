"""What is to be done on a host, row by row: routes, names, files; each with its reason, and how it is taken back."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.cluster import Node
from kthw_routes.facts import HostFacts, Route
from kthw_routes.iproute2.commands import RouteCommand
from kthw_routes.persistence.model import Choice

BY_PRUNE: Final = "--prune removes it"
"""The end of the reason of a stale row. Who has another way to ask for it says that instead."""


BY_REPAIR: Final = "--repair mends it"
"""The end of the reason of a row of an own pod CIDR that is routed away; see `BY_PRUNE`."""


FORWARDING: Final = "net.ipv4.ip_forward"
"""The row of forwarding, which is named as the kernel names its setting."""


class ChangeKind(StrEnum):
    """What becomes of one route or one name on one host. The values are the words that people read."""

    KEEP = "keep"
    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"
    FOREIGN = "foreign"
    """In the cluster CIDR, neither wanted nor ours: shown, left alone."""
    STALE = "stale"
    """Ours, of a worker that is no longer listed: left alone unless asked to remove it."""

    @property
    def is_change(self) -> bool:
        """Whether something is sent to the host for it."""
        return self in (ChangeKind.ADD, ChangeKind.REPLACE, ChangeKind.REMOVE)

    @property
    def mark(self) -> str:
        """One character for it; the word always stands beside it."""
        return {"keep": "=", "add": "+", "replace": "!", "remove": "-", "foreign": "?", "stale": "~"}[self.value]


MAX_PASTED: Final = 128 * 1024
"""Bytes of a file's former content that are shown, to be pasted."""
MAX_FILE: Final = 64 * 1024 * 1024
"""Bytes of a file that is read whole, to be written back changed; a larger one is left alone."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a run that was killed left lying about, and nothing reads."""

    path: PurePosixPath
    is_folder: bool = False
    """Whether it is a folder that was made for a file of ours; it goes if nothing else is in it."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """What becomes of one file on one host."""

    kind: ChangeKind
    path: PurePosixPath
    before: bytes | None
    """The file as it is; None where there is none."""
    after: bytes | None
    """The file as it should be; None where it goes."""
    mode: int
    """The permission bits that it should have, such as 0o600."""
    reason: str
    before_mode: int | None = None
    """The permission bits that it has; None where there is none."""
    is_ours: bool = True
    """Whether the file is one of ours. Another's (cloud-init's template) keeps its owner, mode and attributes."""
    folder_is_ours: bool = False
    """Whether its folder goes with it, if that is empty then: the folder was made for it."""
    is_enabled: bool = True
    """Of our timer: whether systemd should start it at boot."""
    was_enabled: bool = True
    """Of our timer: whether systemd starts it at boot."""

    @property
    def inverse(self) -> "FileChange":
        """The change that takes this one back."""
        kind = {ChangeKind.ADD: ChangeKind.REMOVE, ChangeKind.REMOVE: ChangeKind.ADD}.get(self.kind, self.kind)
        return FileChange(
            kind,
            self.path,
            self.after,
            self.before,
            self.before_mode if self.before_mode is not None else self.mode,
            f"as before: {self.reason}",
            None if self.after is None else self.mode,
            self.is_ours,
            self.folder_is_ours,
            self.was_enabled,
            self.is_enabled,
        )


@dataclass(frozen=True, slots=True)
class NameChange:
    """What becomes of one worker's name in one `/etc/hosts`."""

    kind: ChangeKind
    name: str
    address: IPv4Address | None
    """The wanted address; None where the name goes."""
    has: tuple[str, ...]
    """The lines of the file that name it and are ours to change, as read."""
    reason: str


@dataclass(frozen=True, slots=True)
class EtcHostsEdit:
    """The file as it is, as it should be, and why."""

    before: bytes
    after: bytes
    names: tuple[NameChange, ...]
    odd_lines: tuple[str, ...]
    """Lines that name a worker beside other names or a comment: left alone, worth a look."""

    @property
    def is_empty(self) -> bool:
        """Whether the file is right as it is."""
        return self.before == self.after

    @property
    def changes(self) -> int:
        """How many names change."""
        return sum(1 for n in self.names if n.kind.is_change)


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
    own_cidr_overridden_by: Route | None = None
    """A route that leads the node's own pod CIDR away; touched only where its repair was asked for."""
    files: tuple[FileChange, ...] = ()
    """Files of ours, and cloud-init's template where that is asked for."""
    persistence: Choice | None = None
    """Who holds the routes over a reboot, and why; None where nothing is known of it."""
    forwarding: bool | None = None
    """What net.ipv4.ip_forward is set to now; None: left as it is."""
    leftovers: tuple[Leftover, ...] = ()
    """What a run that was killed left lying about; it goes. There is no way back for these, and no need of one."""
    rollbacks: tuple[str, ...] = ()
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
        return self.route_changes + self.name_changes + self.file_changes + len(self.rollbacks)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes

    @property
    def is_drift(self) -> bool:
        """Whether the host is not as it should be. Foreign routes are no drift; what is ours and stale is."""
        return not self.is_empty or self.lacks_names or self.own_cidr_overridden_by is not None or self.is_stale

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
