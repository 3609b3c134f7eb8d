"""A journal's record of one host: what was, what is done, how it is undone. On disk before anything is changed.

It holds all that an undo needs, so that this works after a crash in the middle of the run. No code reads its `table`,
`undo`, `overlay_undo`, `leftovers` and `rollbacks`: these are for whoever has to repair a host by hand.
"""

import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path, PurePosixPath
from typing import Final

from kthw_routes.facts import HostFacts, Route
from kthw_routes.iproute2.edits import outcome
from kthw_routes.local_files import read_lines
from kthw_routes.overlay.model import OverlayState
from kthw_routes.persistence.unit import TIMER
from kthw_routes.plan.changes import (
    FORWARDING,
    ChangeKind,
    FileChange,
    HostPlan,
    Leftover,
    OverlayChange,
    RollbackChange,
)
from kthw_routes.plan.shell import encode
from kthw_routes.record.json_facts import Json, route_from_json, route_json
from kthw_routes.record.json_overlay import overlay_from_json, overlay_json
from kthw_routes.record.json_plan import name_json
from kthw_routes.record.json_values import Unfit, Value, parse
from kthw_routes.record.run import MAX_JOURNAL_BYTES
from kthw_routes.rollback import Rollback, RollbackState
from kthw_routes.sanitize import clean_line


def host_record(todo: HostPlan, facts: HostFacts) -> Json:
    """Return the record of what is about to be done on one host.

    Args:
        todo: what is to be done.
        facts: what was read there just before.
    """
    routes = [c for c in todo.routes if c.kind.is_change]
    record: dict[str, object] = {
        "host": todo.node,
        "table": [route_json(r) for r in facts.routes],
        "do": [c.line() for row in routes for c in row.edit.commands],
        "undo": [c.line() for row in reversed(routes) for c in row.edit.undo_commands],
        "routes": [
            {
                "prefix": str(c.prefix),
                "reason": c.reason,
                "before": [route_json(r) for r in c.has],
                "after": [route_json(r) for r in outcome(c.edit.commands, c.has)],
            }
            for c in routes
        ],
        "files": [_file(f, facts) for f in todo.files if f.kind.is_change],
        "leftovers": [str(row.path) for row in todo.of(Leftover)],
        "switches": [row.run for row in todo.of(RollbackChange)],
    }
    if todo.hosts_file is not None and not todo.hosts_file.is_empty:
        record["etc_hosts"] = {
            "before": encode(todo.hosts_file.before),
            "after": encode(todo.hosts_file.after),
            "names": [name_json(n) for n in todo.names],
        }
    for row in todo.of(OverlayChange):
        if row.kind.is_change:
            record["overlay"] = {"before": overlay_json(row.before), "after": overlay_json(row.after)}
            record["overlay_undo"] = list(row.undo_commands)
    if todo.forwarding is not None:
        record["forwarding"] = {"before": facts.ip_forward, "after": todo.forwarding}
    return record


def _file(change: FileChange, facts: HostFacts) -> Json:
    timer = {
        "is_enabled": change.after is not None and change.is_enabled,
        "was_enabled": facts.network.timer_is_enabled,
    }
    return {
        "path": str(change.path),
        "before": encode(change.before) if change.before is not None else None,
        "after": encode(change.after) if change.after is not None else None,
        "mode": change.mode,
        "before_mode": change.before_mode,
        "is_ours": change.is_ours,
        "folder_is_ours": change.folder_is_ours,
        **(timer if change.path == TIMER else {}),
    }


MAX_MODE: Final = 0o7777


class UnreadableJournal(ValueError):
    """A journal, or a line of it, is not what was written there. The message is a clause with the line and the file."""


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
class OverlayRecord:
    """The overlay as it was read just before, and as it was to be."""

    before: OverlayState
    after: OverlayState


@dataclass(frozen=True, slots=True)
class HostRecord:
    """What was about to be done on one host, and perhaps was; on disk before anything was sent."""

    host: str
    routes: tuple[RouteRecord, ...] = ()
    files: tuple[FileChange, ...] = ()
    hosts_file: HostsFileRecord | None = None
    forwarding: bool | None = None
    """What net.ipv4.ip_forward was before it was set; None where it was left alone."""
    overlay: OverlayRecord | None = None

    @property
    def rows(self) -> tuple[str, ...]:
        """What it touched, row by row: prefixes, names, paths."""
        names = self.hosts_file.names if self.hosts_file else ()
        forwarding = () if self.forwarding is None else (FORWARDING,)
        overlay = (OverlayChange.key,) if self.overlay is not None else ()
        routes, files = (str(r.prefix) for r in self.routes), (str(f.path) for f in self.files)
        return (*routes, *files, *names, *forwarding, *overlay)


@dataclass(frozen=True, slots=True)
class Journal:
    """All that a journal holds."""

    records: tuple[HostRecord, ...] = ()
    """Oldest first; several for a host where it was tried again. None where only the rows are kept."""
    rows: Mapping[str, AbstractSet[str]] = field(default_factory=dict)
    """Host -> the rows that were about to be changed there."""
    states: Mapping[str, str] = field(default_factory=dict)
    """Host -> the word for how it ended. Hosts that were under way when the run broke off are not among them."""
    failed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Host -> the rows that failed there."""
    rollbacks: Mapping[str, Rollback] = field(default_factory=dict)
    """Host -> what is known of its automatic rollback; empty without one."""
    cancelled: frozenset[tuple[str, str]] = frozenset()
    """(host, run): the earlier runs whose automatic rollback was cancelled on that host."""
    is_closed: bool = False
    """Whether the run came to its end."""
    left: frozenset[str] = frozenset()
    """Of an undo: the hosts on which rows of its run wait until a later one is undone."""

    def of(self, host: str) -> tuple[HostRecord, ...]:
        """Return the records of one host, newest first."""
        return tuple(r for r in reversed(self.records) if r.host == host)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts on which something was about to be changed."""
        return tuple(self.rows)


def read_journal(path: Path, *, rows_only: bool = False) -> Journal:
    """Read a journal; a last line that was cut when the run was killed does not count.

    Args:
        path: of its file.
        rows_only: whether its records are left out, which hold whole files.

    Raises:
        UnreadableJournal: it cannot be read, or a line is not what was written there.
    """
    journal = _Reading(rows_only)
    number = 0
    try:
        for line in read_lines(path, MAX_JOURNAL_BYTES):
            number += 1
            if line.endswith(b"\n"):  # else it was never finished
                journal.take(parse(line[:-1]))
    except Unfit as error:
        words = f"line {number} of {clean_line(str(path))} cannot be read: {error}"
        raise UnreadableJournal(words) from error
    except OSError as error:
        raise UnreadableJournal(f"{clean_line(str(path))} cannot be read: {error.strerror}") from error
    return journal.whole


@dataclass(slots=True)
class _Reading:
    """What the lines so far hold."""

    rows_only: bool
    records: list[HostRecord] = field(default_factory=list)
    rows: dict[str, set[str]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    failed: dict[str, frozenset[str]] = field(default_factory=dict)
    rollbacks: dict[str, Rollback] = field(default_factory=dict)
    cancelled: set[tuple[str, str]] = field(default_factory=set)
    is_closed: bool = False
    left: frozenset[str] = frozenset()

    def take(self, entry: Value) -> None:
        """Take in one line more. Raises Unfit."""
        if "end" in entry:
            self.is_closed = True
            self.states |= {host: state.text() for host, state in entry["end"].members()}
        elif "left" in entry:
            self.left = frozenset(host.text() for host in entry["left"].items())
        elif "state" in entry:
            host = entry["host"].text()
            self.states[host] = entry["state"].text()
            self.failed[host] = _failed(entry)
        elif "dead_man" in entry:
            host = entry["host"].text()
            self.rollbacks[host] = _rollback(entry, self.rollbacks.get(host))
        elif "called_off" in entry:
            self.cancelled.add((entry["host"].text(), entry["called_off"].text()))
        elif "void" in entry:  # nothing of what was to be done was sent
            host = entry["host"].text()
            self.records = [record for record in self.records if record.host != host]
            self.rows.pop(host, None)
        elif "do" in entry:
            record = host_of(entry)
            self.rows.setdefault(record.host, set()).update(map(sys.intern, record.rows))
            if not self.rows_only:
                self.records.append(record)
            self.states.pop(record.host, None)  # tried again: how it ended then is no longer how it is

    @property
    def whole(self) -> Journal:
        """All of them together."""
        return Journal(
            records=tuple(self.records),
            rows=self.rows,
            states=self.states,
            failed=self.failed,
            rollbacks=self.rollbacks,
            cancelled=frozenset(self.cancelled),
            is_closed=self.is_closed,
            left=self.left,
        )


def _failed(entry: Value) -> frozenset[str]:
    """Return the rows that failed: the keys of an object; of the first versions, an array."""
    rows = entry.get("failed")
    if rows is None:
        return frozenset()
    if isinstance(rows.raw, list):
        return frozenset(row.text() for row in rows.items())
    return frozenset(row for row, _ in rows.members())


def _rollback(entry: Value, before: Rollback | None) -> Rollback:
    at = entry.get("fires_at")
    state = entry["dead_man"].choice(RollbackState)
    return Rollback(state, at.moment() if at else before.fires_at if before else None)


def host_of(entry: Value) -> HostRecord:
    """Return what `journal.host_record` wrote. Raises Unfit where it is another thing."""
    forwarding, names, overlay = entry.get("forwarding"), entry.get("etc_hosts"), entry.get("overlay")
    return HostRecord(
        host=entry["host"].text(),
        routes=tuple(_routes(row) for row in entry["routes"].items()),
        files=tuple(_file_change(f) for f in entry["files"].items()),
        hosts_file=_hosts_file(names) if names else None,
        forwarding=forwarding["before"].flag() if forwarding else None,
        overlay=_overlay(overlay) if overlay else None,
    )


def _overlay(entry: Value) -> OverlayRecord:
    before, after = (overlay_from_json(entry[key].or_none()) for key in ("before", "after"))
    return OverlayRecord(before, after)


def _routes(row: Value) -> RouteRecord:
    prefix = row["prefix"].network()
    before, after = (tuple(route_from_json(r) for r in row[key].items()) for key in ("before", "after"))
    if any(route.prefix != prefix for route in (*before, *after)):
        row.fail(f"has a route of another prefix than {prefix}")
    return RouteRecord(prefix, before, after)


def _hosts_file(entry: Value) -> HostsFileRecord:
    changed = (n["name"].text() for n in entry["names"].items() if n["kind"].choice(ChangeKind).is_change)
    return HostsFileRecord(entry["before"].content(), entry["after"].content(), tuple(dict.fromkeys(changed)))


def _file_change(entry: Value) -> FileChange:
    content = [value.content() if (value := entry[key].or_none()) else None for key in ("before", "after")]
    before, after = content
    before_mode = entry["before_mode"].or_none()
    is_enabled, was_enabled = (
        value.flag() if (value := entry.get(key)) else True for key in ("is_enabled", "was_enabled")
    )
    return FileChange(
        kind=ChangeKind.ADD if before is None else ChangeKind.REMOVE if after is None else ChangeKind.REPLACE,
        path=PurePosixPath(entry["path"].text()),
        before=before,
        after=after,
        mode=entry["mode"].integer(0, MAX_MODE),
        reason="",
        before_mode=before_mode.integer(0, MAX_MODE) if before_mode else None,
        is_ours=entry["is_ours"].flag(),
        folder_is_ours=entry["folder_is_ours"].flag(),
        is_enabled=is_enabled,
        was_enabled=was_enabled,
    )
