"""What is to be done on a host, row by row; the shell that does it and the shell that undoes it. Pure."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, TypeVar

from kthw_routes.cluster import Node
from kthw_routes.facts import HostFacts, Route
from kthw_routes.persistence.model import Choice
from kthw_routes.plan.changes.file import FileChange, file_commands, pause_commands, reader_commands
from kthw_routes.plan.changes.forwarding import ForwardingChange
from kthw_routes.plan.changes.name import EtcHostsEdit, NameChange
from kthw_routes.plan.changes.route import RouteChange
from kthw_routes.plan.changes.row import Change, ChangeKind

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What is to be done on one host."""

    node: str
    rows: tuple[Change, ...] = ()
    """In the order in which they are shown."""
    _: KW_ONLY
    hosts_file: EtcHostsEdit | None = None
    """The edit that makes the rows of names so; None where the names are not asked for."""
    hosts_file_problem: str | None = None
    """Why the names cannot be edited, as a sentence."""
    lacks_names: bool = False
    """Whether names that are wanted cannot be written for that reason."""
    hosts_file_is_rewritten: bool = False
    """Whether cloud-init rewrites /etc/hosts at each boot, from a template that is left alone."""
    own_cidr_overridden_by: Route | None = None
    """A route that overrides the node's own pod CIDR; touched only where its repair was asked for."""
    persistence: Choice | None = None
    """Who keeps the routes after a reboot, and why; None where nothing is known of it."""
    due: tuple[Change, ...] = field(init=False, repr=False, compare=False)
    """The rows that change something: few among many, in most plans."""

    _of: dict[type[Any], tuple[Any, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)
    """The rows by class, as far as they were asked for."""

    def __post_init__(self) -> None:
        """Find the rows that change something."""
        object.__setattr__(self, "due", tuple(row for row in self.rows if row.kind.is_change))

    def of(self, kind: type[C]) -> tuple[C, ...]:
        """Return the rows of one class."""
        if kind not in self._of:
            self._of[kind] = tuple(row for row in self.rows if isinstance(row, kind))
        found: tuple[C, ...] = self._of[kind]
        return found

    @property
    def routes(self) -> tuple[RouteChange, ...]:
        """The rows of routes."""
        return self.of(RouteChange)

    @property
    def is_routed(self) -> bool:
        """Whether routes are wanted on the host."""
        return any(row.next_hop is not None for row in self.routes)

    @property
    def names(self) -> tuple[NameChange, ...]:
        """The rows of names in `/etc/hosts`."""
        return self.of(NameChange)

    @property
    def files(self) -> tuple[FileChange, ...]:
        """The rows of files."""
        return self.of(FileChange)

    @property
    def unread(self) -> tuple[FileChange, ...]:
        """The rows of files that could not be read, so that nobody knows whether there is anything to do."""
        return tuple(file for file in self.files if file.is_unread)

    @property
    def is_readable(self) -> bool:
        """Whether all was read that decides what is to be done."""
        return not self.unread and not self.lacks_names

    @property
    def forwarding(self) -> bool | None:
        """What net.ipv4.ip_forward is set to now; None where it is left as it is."""
        return next((row.on for row in self.of(ForwardingChange)), None)

    @property
    def changes(self) -> int:
        """How many rows change something."""
        return len(self.due)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.due

    @property
    def is_drift(self) -> bool:
        """Whether the host is not as it should be. Foreign routes are no drift; what is ours and stale is."""
        return not self.is_empty or self.lacks_names or self.own_cidr_overridden_by is not None or self.is_stale

    @property
    def is_stale(self) -> bool:
        """Whether something of ours is there that is not wanted, or not known to be right, and that nothing repairs.

        The routes of a controller that gets none now are such, too, though they lead to workers that are listed.
        """
        return any(row.kind is ChangeKind.STALE for row in self.rows)

    @property
    def commands(self) -> tuple[str, ...]:
        """The shell commands for root that do all of it, in the order of a run."""
        ahead, behind = self._around_files
        return (
            *pause_commands(self.files),
            *(command for row in ahead for command in row.commands),
            *file_commands(self.files),
            *(command for row in behind for command in row.commands),
        )

    @property
    def undo_commands(self) -> tuple[str, ...]:
        """The shell commands for root that undo all of it, as long as nobody changed anything since."""
        ahead, behind = self._around_files
        files = [f.undone for f in reversed(self.files)]
        return (
            *pause_commands(files),
            *(command for row in reversed(ahead) for command in row.undo_commands),
            *file_commands(files),
            *(command for row in reversed(behind) for command in row.undo_commands),
            *(self.hosts_file.undo_commands if self.hosts_file else ()),
        )

    @property
    def guarded_undo(self) -> tuple[str, ...]:
        """The lines of plain sh that undo what is still as the run left it."""
        ahead, behind = self._around_files
        files = [f.undone for f in reversed(self.files)]
        return (
            *pause_commands(files),
            *(line for row in reversed(ahead) for line in row.guarded_undo),
            *(line for file in reversed(self.files) if file.kind.is_change for line in file.guarded_undo),
            *reader_commands([f for f in files if f.kind.is_change], files),
            *(line for row in reversed(behind) for line in row.guarded_undo),
            *(self.hosts_file.guarded_undo if self.hosts_file else ()),
        )

    @property
    def _around_files(self) -> tuple[list[Change], list[Change]]:
        """What is done before the files change, while our timer is paused, and after it."""
        first = next((i for i, row in enumerate(self.rows) if isinstance(row, FileChange)), len(self.rows))
        others = [row for row in self.rows[first:] if not isinstance(row, FileChange)]
        return [r for r in self.rows[:first] if r.kind.is_change], [r for r in others if r.kind.is_change]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done on every host that was read, in the cluster's order."""

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
        """Return the plan for one host, if it was read."""
        return next((h for h in self.hosts if h.node == name), None)


Planner = Callable[[Node, HostFacts], HostPlan]
"""What is to be done on one host, from what was read there: to apply the plan, or to undo a run."""
