"""The runs so far, as their folders tell: what each changed, how it ended, whether it was taken back.

A folder that cannot be read is told and never in the way of the others.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, Final

from kthw_routes import switch
from kthw_routes.cluster import Cluster, Endpoint, Node, PodCidrSource, Role, Selection
from kthw_routes.errors import UsageError
from kthw_routes.events import HostState, now
from kthw_routes.journal_reading import Journal, UnreadableJournal, read_journal
from kthw_routes.switch import Fate, Switch
from kthw_routes.untrusted import clean_line

_ID: Final = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{4}")
_NO_NODES: Final = Cluster(())
_WELL: Final = frozenset({HostState.DONE, HostState.NOTHING_TO_DO})


class Kind(StrEnum):
    """What a run was for."""

    APPLY = "apply"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class PastConnection:
    """How the hosts were reached; never a secret."""

    identity: Path | None = None
    user: str | None = None
    port: int | None = None
    ssh_config: Path | None = None
    source: str = ""
    """Where the nodes came from, such as `Linode`."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run's folder, read."""

    id: str
    folder: Path
    started: datetime | None
    """In UTC; None where the folder's name does not tell."""
    kind: Kind = Kind.APPLY
    undoes: str = ""
    """The run that it took back; empty where it made something so."""
    cluster: Cluster = _NO_NODES
    connection: PastConnection = PastConnection()
    journal: Journal = field(default_factory=Journal)
    problem: str = ""
    """Why the folder cannot be understood, as a clause; empty where it can."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts on which something was changed, or was about to be."""
        return self.journal.hosts

    @property
    def rows(self) -> frozenset[tuple[str, str]]:
        """What it was about: (host, row)."""
        return frozenset((r.host, row) for r in self.journal.records for row in r.rows)

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
        return tuple(n for n in names if states.get(n) not in _WELL)


class Runs(Sequence[PastRun]):
    """All runs, newest first, and which of them were taken back."""

    def __init__(self, runs: Iterable[PastRun]) -> None:
        self._runs = sorted(runs, key=lambda r: r.id, reverse=True)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._runs)

    def __getitem__(self, index: Any) -> Any:
        """By number, the newest first."""
        return self._runs[index]

    def undone(self, run: PastRun) -> Mapping[str, str]:
        """Host -> the run that took this one back there, unless that was itself taken back."""
        done: dict[str, str] = {}
        for other in self._runs:
            if run.id and other.undoes == run.id:
                redone = self.undone(other)
                journal = other.journal
                well = (
                    h for h, s in journal.states.items() if s in _WELL and h not in redone and h not in journal.left
                )
                done |= {host: other.id for host in well if host not in done}
        return done

    def is_undone(self, run: PastRun) -> bool:
        """Whether all that it changed was taken back."""
        return bool(run.hosts) and set(run.hosts) <= self.undone(run).keys()

    def outcome(self, run: PastRun) -> str:
        """How it ended and what became of it, in a few words."""
        if run.problem:
            return f"unreadable: {run.problem}"
        if not run.hosts:
            return "nothing was changed" if run.journal.is_closed else "broke off before anything was changed"
        undone = self.undone(run)
        if self.is_undone(run) and not any(r.hosts for r in self._runs if r.id in undone.values()):
            return "nothing left to take back"
        if self.is_undone(run):
            return f"undone by {', '.join(dict.fromkeys(undone[h] for h in run.hosts))}"
        words = "done"
        if not run.journal.is_closed:
            words = "interrupted"
        elif run.unfinished:
            words = f"not done on {', '.join(run.unfinished)}"
        partly = [h for h in run.hosts if h in undone]
        by_hosts = switch.words({h: one for h, one in self.switches(run).items() if h not in undone}, now())
        return "; ".join((words, *by_hosts, *([f"undone on {', '.join(partly)}"] if partly else ())))

    def switches(self, run: PastRun) -> Mapping[str, Switch]:
        """Host -> the switch by which it takes this run's changes back by itself, or would have."""
        kept = {host for other in self._runs for host, off in other.journal.called_off if off == run.id}
        switches = run.journal.switches.items()
        return {h: replace(one, fate=Fate.KEPT) if h in kept and one.fate is Fate.ARMED else one for h, one in switches}

    def newest(self, before: PastRun | None = None) -> PastRun | None:
        """What `undo` takes back where no run is named: the newest that changed something and is not undone.

        `before`: only older ones than this.
        """
        older = (r for r in self._runs if before is None or r.id < before.id)
        return next((r for r in older if r.kind is Kind.APPLY and r.hosts and not self.is_undone(r)), None)

    def named(self, word: str) -> PastRun:
        """The run of this name, or whose name begins or ends so. Raises UsageError where there is not exactly one."""
        found = [r for r in self._runs if r.id == word] or [
            r for r in self._runs if word and (r.id.startswith(word) or r.id.endswith(word))
        ]
        if not found:
            raise UsageError(f"There is no run {clean_line(word)}.", "`kthw-routes runs` lists them.")
        if len(found) > 1:
            raise UsageError(f"Several runs are named so: {', '.join(r.id for r in found)}.", "Name one of them.")
        return found[0]

    def later_rows(self, run: PastRun) -> Mapping[tuple[str, str], str]:
        """(host, row) -> the newest later run that was about it and was not taken back."""
        rows: dict[tuple[str, str], str] = {}
        for other in self._runs:
            # An undo of this run or a later one is no news: together with what it took back it comes to nothing.
            if other.id > run.id and (not other.undoes or other.undoes < run.id):
                undone = self.undone(other)
                rows |= {row: other.id for row in other.rows if row not in rows and row[0] not in undone}
        return rows


def read_runs(state: Path) -> Runs:
    """Every run below the state folder. Raises UsageError where it cannot be read."""
    return runs_in(state / "runs")


def runs_in(folder: Path) -> Runs:
    """Every run whose folder lies in this one. Raises UsageError where it cannot be read."""
    return Runs(_folders(folder))


def _folders(folder: Path) -> Iterator[PastRun]:
    try:
        for entry in folder.iterdir():
            if entry.is_dir():
                yield read_run(entry)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be read: {error.strerror}.") from error


def read_run(folder: Path) -> PastRun:
    """One run's folder; what is wrong with it is in `problem`."""
    name = _ID.fullmatch(folder.name)
    if name is None:
        return PastRun(clean_line(folder.name), folder, None, problem="not the name of a run's folder")
    started = datetime.strptime(name[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    empty = PastRun(folder.name, folder, started)
    try:
        journal = read_journal(folder / "journal.jsonl")
    except UnreadableJournal as error:
        return _problem(empty, str(error))
    except OSError as error:
        return _problem(empty, f"its journal cannot be read: {error.strerror}")
    try:
        plan = json.loads((folder / "plan.json").read_bytes())
        return _run(empty, plan, journal)
    except OSError as error:
        problem = f"its plan cannot be read: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        problem = "its plan cannot be read"
    # Killed before the plan was whole: then nothing had begun, and there is nothing to take back.
    return empty if not journal.records else _problem(empty, problem)


def _problem(run: PastRun, words: str) -> PastRun:
    return PastRun(run.id, run.folder, run.started, problem=words)


def _run(empty: PastRun, plan: Mapping[str, Any], journal: Journal) -> PastRun:
    reached = plan.get("connection") or {}
    connection = PastConnection(
        Path(reached["identity"]) if reached.get("identity") else None,
        reached.get("user"),
        reached.get("port"),
        Path(reached["ssh_config"]) if reached.get("ssh_config") else None,
        str(reached.get("source") or ""),
    )
    nodes = tuple(_node(n) for n in plan["nodes"])
    return PastRun(
        empty.id,
        empty.folder,
        empty.started,
        Kind(plan.get("kind", "apply")),
        str(plan.get("undoes") or ""),
        Cluster(nodes, IPv4Network(plan["cluster_cidr"])),
        connection,
        journal,
    )


def _node(entry: Mapping[str, Any]) -> Node:
    return Node(
        entry["name"],
        Role(entry["role"]),
        _endpoint(entry["ssh"]) if entry["ssh"] else None,
        IPv4Address(entry["internal_ip"]) if entry["internal_ip"] else None,
        IPv4Network(entry["pod_cidr"]) if entry["pod_cidr"] else None,
        PodCidrSource(entry["pod_cidr_source"]),
        region=entry["region"],
        status=entry["status"],
        selection=Selection(entry["selection"]),
    )


def _endpoint(text: str) -> Endpoint:
    """`[user@]host[:port]`, as `Endpoint` writes itself."""
    user, _, rest = text.rpartition("@")
    host, _, port = rest.partition(":")
    return Endpoint(host, user or None, int(port) if port else None)
