"""One run's folder, read: what the run was for, what it changed, how its hosts were reached.

A record that cannot be read is a run with a problem, and counts as one that changed something.
"""

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from kthw_routes.cluster import Cluster, Endpoint, Node, PodCidrSource, Role, Selection
from kthw_routes.errors import InvalidInput, UsageError
from kthw_routes.events import HostState
from kthw_routes.local_files import read_file
from kthw_routes.options import AS_USUAL, HOST_KEY_MODES, SshOptions
from kthw_routes.record.journal import Journal, UnreadableJournal, read_journal
from kthw_routes.record.json_values import EARLIEST, LATEST, Unfit, Value, parse
from kthw_routes.record.run import _JOURNAL, _PLAN, MAX_PLAN_BYTES, RUN_NAME, Place, place_of
from kthw_routes.sanitize import clean_line

_NO_NODES: Final = Cluster(())
ENDED_WELL: Final = frozenset({HostState.DONE, HostState.NOTHING_TO_DO})


class Kind(StrEnum):
    """What a run was for."""

    APPLY = "apply"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run's folder, read."""

    id: str
    folder: Path
    started: datetime | None
    """In UTC; None where the folder's name has none."""
    kind: Kind = Kind.APPLY
    undoes: str = ""
    """The run that it undid; empty where it made something so."""
    cluster: Cluster = _NO_NODES
    ssh: SshOptions = AS_USUAL
    """How the hosts were reached."""
    source: str = ""
    """Where the nodes came from, such as `Linode`."""
    journal: Journal = field(default_factory=Journal)
    """Without its records: those of all runs are too much to be kept; see `with_records`."""
    problem: str | None = None
    """Why the folder cannot be understood, as a clause; None where it can."""
    place: Place | None = None
    """Its place among the others; None where its record has none."""
    is_run: bool = True
    """Whether it may be the record of a run: False for a folder of another name in which no record lies."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts on which something was changed, or was about to be."""
        return self.journal.hosts

    @property
    def rows(self) -> frozenset[tuple[str, str]]:
        """What it was about: (host, row)."""
        return frozenset((host, row) for host, rows in self.journal.rows.items() for row in rows)

    def with_records(self) -> Self:
        """Return it with all that its journal holds. Raises UsageError where that cannot be read any more."""
        try:
            return replace(self, journal=read_journal(self.folder / _JOURNAL))
        except UnreadableJournal as error:
            raise UsageError(f"Run {self.id} cannot be undone: {error}.") from error

    @property
    def to_visit(self) -> Cluster:
        """The nodes then, of which those are visited that it changed, or was about to."""
        left_out = {Selection.VISIT: Selection.LEFT_OUT}
        nodes = (
            replace(n, selection=Selection.VISIT if n.name in self.hosts else left_out.get(n.selection, n.selection))
            for n in self.cluster
        )
        return replace(self.cluster, nodes=tuple(nodes))

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The hosts that did not end well."""
        states = self.journal.states
        names = dict.fromkeys((*self.hosts, *states))
        return tuple(n for n in names if states.get(n) not in ENDED_WELL)


def read_run(folder: Path) -> PastRun:
    """Return one run's folder; what is wrong with it is in `problem`."""
    place, started = place_of(folder), _started(folder.name)
    if started is None:
        is_run = any(os.path.lexists(folder / name) for name in (_JOURNAL, _PLAN))
        problem = "not the name of a run's folder"
        name = clean_line(folder.name) or ascii(folder.name)
        return PastRun(name, folder, None, problem=problem, place=place, is_run=is_run)
    empty = PastRun(folder.name, folder, started, place=place)
    plan_file = folder / _PLAN
    try:
        journal = read_journal(folder / _JOURNAL, rows_only=True)
    except UnreadableJournal as error:
        return replace(empty, problem=str(error))
    try:
        return _run(empty, parse(read_file(plan_file, MAX_PLAN_BYTES)), journal)
    except OSError as error:
        problem = error.strerror or str(error)
    except Unfit as error:
        problem = str(error)
    # Killed before the plan was whole: then nothing had begun, and there is nothing to undo.
    words = f"{clean_line(str(plan_file))} cannot be read: {problem}"
    return replace(empty, problem=words if journal.rows else None)


def _started(name: str) -> datetime | None:
    """Return the time in a run's name, in UTC; None for a name that no run can have."""
    found = RUN_NAME.fullmatch(name)
    try:
        started = datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if found else None
    except ValueError:  # the 99th of a 13th month
        return None
    return started if started is not None and EARLIEST <= started < LATEST else None


def _run(empty: PastRun, plan: Value, journal: Journal) -> PastRun:
    kind, undoes, reached = plan.get("kind"), plan.get("undoes"), plan.get("connection")
    return replace(
        empty,
        kind=kind.choice(Kind) if kind else Kind.APPLY,
        undoes=undoes.text() if undoes else "",
        cluster=Cluster(tuple(_node(n) for n in plan["nodes"].items()), plan["cluster_cidr"].network()),
        ssh=_ssh(reached) if reached else AS_USUAL,
        source=_source(reached) if reached else "",
        journal=journal,
    )


def _ssh(reached: Value) -> SshOptions:
    """Return what `SshOptions.record` wrote. Raises Unfit."""
    identity, config, folder = (_path(reached.get(key)) for key in ("identity", "ssh_config", "folder"))
    user, port, host_keys = (reached.get(key) for key in ("user", "port", "host_keys"))
    if host_keys and host_keys.text() not in HOST_KEY_MODES:
        host_keys.fail(f"is none of {', '.join(HOST_KEY_MODES)}")
    return SshOptions(
        identity=identity,
        user=user.text() if user else None,
        port=port.integer(1, 65535) if port else None,
        ssh_config=config,
        host_keys=host_keys.text() if host_keys else None,
        folder=folder,
    )


def _path(value: Value | None) -> Path | None:
    """Return a path that holds in any folder. Raises Unfit."""
    path = value.path() if value else None
    if value and path and not path.is_absolute():
        value.fail("is not an absolute path")
    return path


def _source(reached: Value) -> str:
    source = reached.get("source")
    return clean_line(str(source.path())) if source and source.raw else ""


def _node(entry: Value) -> Node:
    ssh, internal = entry["ssh"].or_none(), entry["internal_ip"].or_none()
    pod_cidr, region = entry["pod_cidr"].or_none(), entry["region"].or_none()
    identity, next_hop = (value.or_none() if (value := entry.get(key)) else None for key in ("identity", "next_hop"))
    try:
        endpoint = Endpoint.parse(ssh.text(), ipv6=True) if ssh else None
    except InvalidInput:
        entry["ssh"].fail("is not an address that ssh could reach")
    return Node(
        name=entry["name"].text(),
        role=entry["role"].choice(Role),
        ssh=endpoint,
        internal=internal.address() if internal else None,
        pod_cidr=pod_cidr.network() if pod_cidr else None,
        pod_cidr_source=entry["pod_cidr_source"].choice(PodCidrSource),
        region=region.text() if region else None,
        status=entry["status"].text(),
        selection=entry["selection"].choice(Selection),
        identity=_path(identity),
        next_hop=next_hop.address() if next_hop else None,
    )
