"""Undo of a run's edits of `/etc/hosts`, also of what is still its own in a file that was edited since. Pure."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.facts import HostFacts
from kthw_routes.plan.changes import ChangeKind, EtcHostsEdit, NameChange
from kthw_routes.plan.hosts_lines import lines_with
from kthw_routes.record.journal import HostRecord
from kthw_routes.sanitize import clean_line
from kthw_routes.undo.limits import Limits
from kthw_routes.undo.reasons import AS_BEFORE, changed_since, refused
from kthw_routes.undo.reverse_patch import reverse

_BLOCK: Final = "(the block)"


def undo_names(
    newest_first: Sequence[HostRecord], facts: HostFacts, by: Mapping[str, str], limits: Limits
) -> tuple[EtcHostsEdit | None, str | None]:
    """Return the edit that undoes the run's edits, or why there is none; nothing where the run left the file alone."""
    edits = [r.hosts_file for r in newest_first if r.hosts_file is not None]
    if not edits:
        return None, None
    now = facts.etc_hosts
    if now is None:
        why = facts.etc_hosts_problem or "there is no /etc/hosts that could be read"
        return None, f"{why}, so the workers' names in it are left as they are."
    taken = reverse(now, *((e.before, e.after) for e in edits))
    back = taken.content
    names = dict.fromkeys(name for e in edits for name in e.names)
    if none_of_ours := limits.names(now, back):
        kept = [
            NameChange(kind=ChangeKind.FOREIGN, name=name, reason=refused(none_of_ours)) for name in (*names, _BLOCK)
        ]
        return EtcHostsEdit(before=now, after=now, names=tuple(kept)), None
    differing = [name for name in names if _naming(back, name) != _naming(now, name)]
    if run := next((by[name] for name in differing if name in by), None):  # lines of one block: all of them stay
        left = bool(taken.left)
        rows = [_name(name, now, now, edits[-1].before, left or name in differing, by.get(name, run)) for name in names]
        return EtcHostsEdit(before=now, after=now, names=tuple(rows)), None
    rows = [_name(name, now, back, edits[-1].before, bool(taken.left), by.get(name, "")) for name in names]
    if back != now and not any(r.kind.is_change for r in rows):
        rows.append(NameChange(kind=ChangeKind.REPLACE, name=_BLOCK, reason="as before the run"))
    return EtcHostsEdit(before=now, after=back, names=tuple(rows)), None


def _name(name: str, now: bytes, back: bytes, before: bytes, left: bool, by: str) -> NameChange:
    has, gets = _naming(now, name), _naming(back, name)
    shown = tuple(clean_line(line.decode("utf-8", "replace")) for line in has)
    address = _address(gets) or _address(has)

    def row(kind: ChangeKind, reason: str) -> NameChange:
        return NameChange(kind=kind, name=name, address=address, has=shown, reason=reason)

    if has == gets:
        if left and has != _naming(before, name):
            return row(ChangeKind.FOREIGN, changed_since(by))
        return row(ChangeKind.KEEP, AS_BEFORE)
    if not gets:
        return row(ChangeKind.REMOVE, "added by the run")
    return row(ChangeKind.REPLACE if has else ChangeKind.ADD, "as before the run")


def _naming(content: bytes, name: str) -> list[bytes]:
    word = name.encode("utf-8", "replace")
    lines = (content[start:end] for start, end in lines_with(content, [word] if word else []))
    return [line.strip() for line in lines if word in line.split(b"#", 1)[0].split()[1:]]


def _address(lines: Sequence[bytes]) -> IPv4Address | None:
    try:
        return IPv4Address(lines[0].split()[0].decode("ascii")) if lines else None
    except ValueError:
        return None
