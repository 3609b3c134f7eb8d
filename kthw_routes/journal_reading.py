"""Reading a run's journal: what was to be done on each host, and how each ended. See `journal` for the writing."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path, PurePosixPath
from typing import Any

from kthw_routes.changes import FORWARDING, ChangeKind
from kthw_routes.documents import route_from_json
from kthw_routes.host_files import FileChange
from kthw_routes.observed import Route
from kthw_routes.switch import Fate, Switch


class UnreadableJournal(ValueError):
    """A line of the journal is not what was written there. The message is a sentence."""


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """The routes of one prefix: as they were read just before, and as they were to be."""

    prefix: IPv4Network
    before: tuple[Route, ...]
    after: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class HostsFileRecord:
    """/etc/hosts as it was read just before, and as it was to be."""

    before: bytes
    after: bytes
    names: tuple[str, ...]
    """The names that the edit was about."""


@dataclass(frozen=True, slots=True)
class HostRecord:
    """What was about to be done on one host, and perhaps was; on disk before anything was sent."""

    host: str
    routes: tuple[RouteRecord, ...] = ()
    files: tuple[FileChange, ...] = ()
    hosts_file: HostsFileRecord | None = None
    forwarding: bool | None = None
    """What net.ipv4.ip_forward was before it was set; None where it was left alone."""

    @property
    def rows(self) -> tuple[str, ...]:
        """What it touched, row by row: prefixes, names, paths."""
        names = self.hosts_file.names if self.hosts_file else ()
        forwarding = () if self.forwarding is None else (FORWARDING,)
        return (*(str(r.prefix) for r in self.routes), *(str(f.path) for f in self.files), *names, *forwarding)


@dataclass(frozen=True, slots=True)
class Journal:
    """All that a journal tells."""

    records: tuple[HostRecord, ...] = ()
    """Oldest first; several for a host where it was tried again."""
    states: Mapping[str, str] = field(default_factory=dict)
    """Host -> the word for how it ended. Hosts that were under way when the run broke off are not among them."""
    failed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Host -> the rows that failed there."""
    switches: Mapping[str, Switch] = field(default_factory=dict)
    """Host -> what is known of the switch by which it takes the changes back by itself; empty without one."""
    called_off: frozenset[tuple[str, str]] = frozenset()
    """(host, run): the earlier runs whose changes the host was told not to take back by itself any more."""
    is_closed: bool = False
    """Whether the run came to its end."""
    left: frozenset[str] = frozenset()
    """Of one that takes a run back: the hosts on which rows of that run wait until a later one is taken back."""

    def of(self, host: str) -> tuple[HostRecord, ...]:
        """The records of one host, newest first."""
        return tuple(r for r in reversed(self.records) if r.host == host)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts on which something was about to be changed."""
        return tuple(dict.fromkeys(r.host for r in self.records))


def read_journal(path: Path) -> Journal:
    """Read a journal; a last line that was cut when the run was killed does not count.

    Raises UnreadableJournal, OSError.
    """
    lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last newline was never finished
    records: list[HostRecord] = []
    states: dict[str, str] = {}
    failed: dict[str, frozenset[str]] = {}
    switches: dict[str, Switch] = {}
    called_off: set[tuple[str, str]] = set()
    closed, left = False, frozenset[str]()
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            if "end" in entry:
                closed = True
                states |= {str(host): str(state) for host, state in entry["end"].items()}
            elif "left" in entry:
                left = frozenset(str(host) for host in entry["left"])
            elif "state" in entry:
                states[entry["host"]] = str(entry["state"])
                failed[entry["host"]] = frozenset(entry.get("failed", ()))
            elif "dead_man" in entry:
                switches[entry["host"]] = _switch(entry, switches.get(entry["host"]))
            elif "called_off" in entry:
                called_off.add((str(entry["host"]), str(entry["called_off"])))
            elif "do" in entry:
                records.append(host_of(entry))
                states.pop(entry["host"], None)  # tried again: how it ended then is no longer how it stands
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnreadableJournal(f"line {number} of {path} cannot be read") from error
    return Journal(tuple(records), states, failed, switches, frozenset(called_off), closed, left)


def _switch(entry: Mapping[str, Any], before: Switch | None) -> Switch:
    at = datetime.fromisoformat(entry["fires_at"]).astimezone(UTC) if "fires_at" in entry else None
    return Switch(Fate(entry["dead_man"]), at or (before.fires_at if before else None))


def host_of(entry: Mapping[str, Any]) -> HostRecord:
    """What `journal.host_record` wrote. Raises what `read_journal` catches where it is another thing."""
    forwarding = entry.get("forwarding")
    names = entry.get("etc_hosts")
    return HostRecord(
        str(entry["host"]),
        tuple(
            RouteRecord(
                IPv4Network(row["prefix"]),
                tuple(route_from_json(r) for r in row["before"]),
                tuple(route_from_json(r) for r in row["after"]),
            )
            for row in entry["routes"]
        ),
        tuple(_file(f) for f in entry["files"]),
        _hosts_file(names) if names else None,
        bool(forwarding["before"]) if forwarding else None,
    )


def _hosts_file(entry: Mapping[str, Any]) -> HostsFileRecord:
    changed = (n["name"] for n in entry["names"] if ChangeKind(n["kind"]).is_change)
    return HostsFileRecord(_bytes(entry["before"]), _bytes(entry["after"]), tuple(dict.fromkeys(changed)))


def _file(entry: Mapping[str, Any]) -> FileChange:
    before = None if entry["before"] is None else _bytes(entry["before"])
    after = None if entry["after"] is None else _bytes(entry["after"])
    kind = ChangeKind.ADD if before is None else ChangeKind.REMOVE if after is None else ChangeKind.REPLACE
    return FileChange(
        kind,
        PurePosixPath(entry["path"]),
        before,
        after,
        int(entry["mode"]),
        "",
        None if entry["before_mode"] is None else int(entry["before_mode"]),
        bool(entry["is_ours"]),
        bool(entry["folder_is_ours"]),
        bool(entry.get("is_enabled", True)),
        bool(entry.get("was_enabled", True)),
    )


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
