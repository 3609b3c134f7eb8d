"""Undo of a run's changes of files: each goes back while it is as the run left it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from kthw_routes.facts import HostFacts, HostFile
from kthw_routes.persistence.managers import Persisted, persisted_in
from kthw_routes.persistence.paths import is_own
from kthw_routes.persistence.unit import BATCH, TIMER
from kthw_routes.plan.changes import ChangeKind, FileChange, Leftover, unread_file
from kthw_routes.record.journal import HostRecord
from kthw_routes.undo.limits import Limits
from kthw_routes.undo.reasons import AS_BEFORE, changed_since, refused
from kthw_routes.undo.reverse_patch import reverse


def undo_files(
    newest_first: Sequence[HostRecord], facts: HostFacts, by: Mapping[str, str], limits: Limits
) -> tuple[FileChange, ...]:
    tries: dict[PurePosixPath, list[FileChange]] = {}
    for record in newest_first:
        for change in record.files:
            tries.setdefault(change.path, []).append(change)
    rows = [_within(limits, changes, facts, by.get(str(path), "")) for path, changes in tries.items()]
    others = sorted(path for path in facts.network.unread if is_own(path) and path not in tries)
    return (*rows, *map(unread_file, others))


def _within(limits: Limits, newest_first: Sequence[FileChange], facts: HostFacts, by: str) -> FileChange:
    """Return the row of one file, unless what the record asks for is none of a run's."""
    first = newest_first[-1]
    if why := next((why for change in newest_first if (why := limits.path(change))), None):
        return FileChange(kind=ChangeKind.FOREIGN, path=first.path, mode=0, reason=refused(why), is_ours=False)
    row = _file(newest_first, facts, by)
    if not row.kind.is_change or row.after is None:
        return row
    if row.is_ours:
        why = limits.content(HostFile(row.path, row.mode, row.after))
    else:
        why = limits.names(row.before or b"", row.after, template=True)
    return replace(row, kind=ChangeKind.FOREIGN, after=row.before, reason=refused(why)) if why else row


def _file(newest_first: Sequence[FileChange], facts: HostFacts, by: str) -> FileChange:
    first, last = newest_first[-1], newest_first[0]
    if facts.network.is_unread(last.path):
        return unread_file(last.path, is_ours=last.is_ours)
    template = facts.network.hosts_template
    if last.is_ours:
        found = facts.network.file(last.path)
    else:
        found = template if template is not None and template.path == last.path else None
    now = found.content if found is not None else None
    mode = found.mode if found is not None and last.is_ours else None
    modes = {m for c in newest_first for m in (c.before_mode, c.mode)}
    starts = facts.network.timer_is_enabled if last.path == TIMER and now is not None else None

    def row(kind: ChangeKind, after: bytes | None, reason: str) -> FileChange:
        return FileChange(
            kind=kind,
            path=last.path,
            before=now,
            after=after,
            mode=first.before_mode if first.before_mode is not None else last.mode,
            reason=reason,
            before_mode=found.mode if found is not None else None,
            is_ours=last.is_ours,
            folder_is_ours=last.folder_is_ours or first.folder_is_ours,
            is_enabled=first.was_enabled if kind.is_change or starts is None else starts,
            was_enabled=first.was_enabled if starts is None else starts,
        )

    has_mode = mode is None or first.before_mode in (None, mode)
    is_switched = starts is not None and starts != first.was_enabled and starts == last.is_enabled
    if now == first.before and has_mode and not is_switched:
        return row(ChangeKind.KEEP, now, AS_BEFORE)
    if last.is_ours:
        if all(now not in (c.before, c.after) for c in newest_first):
            return row(ChangeKind.FOREIGN, now, changed_since(by))
        if mode is not None and mode not in modes:
            return row(ChangeKind.FOREIGN, now, changed_since(by, f"its mode is {mode:04o}"))
        if by:
            return row(ChangeKind.FOREIGN, now, changed_since(by))
        kind = ChangeKind.REMOVE if first.before is None else ChangeKind.ADD if now is None else ChangeKind.REPLACE
        return row(kind, first.before, "as before the run")
    if now is None:
        return row(ChangeKind.FOREIGN, now, "it is not used any more; left as it is")
    back = reverse(now, *((c.before or b"", c.after or b"") for c in newest_first))
    if back.content != now and by:
        return row(ChangeKind.FOREIGN, now, changed_since(by))
    if back.content != now:
        return row(ChangeKind.REPLACE, back.content, "as before the run")
    if back.left:
        return row(ChangeKind.FOREIGN, now, changed_since(by))
    return row(ChangeKind.KEEP, now, AS_BEFORE)


def staying(files: Sequence[FileChange], facts: HostFacts, by: Mapping[str, str]) -> Persisted:
    """Return what files hold that the run did not find so, and that stay: edited since, or a later run's.

    The unit's batch counts in any case where it stays: its timer would have the route back in seconds.
    """
    going = {f.path for f in files if f.kind.is_change}
    news = {f.path for f in files if f.kind is ChangeKind.FOREIGN} | {PurePosixPath(path) for path in by}
    news |= {BATCH} if facts.network.timer_is_enabled else set()
    return persisted_in(f for f in facts.network.files if f.path in news - going)


def empty_folders(records: Sequence[HostRecord], facts: HostFacts) -> tuple[Leftover, ...]:
    """Return the folders that were made for files which were never written."""
    made = {f.path.parent for r in records for f in r.files if f.folder_is_ours and f.before is None and is_own(f.path)}
    standing = {f.path.parent for f in facts.network.files}
    return tuple(Leftover(p, is_folder=True) for p in sorted(made & facts.network.folders - standing))
