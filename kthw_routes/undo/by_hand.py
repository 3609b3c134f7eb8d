"""How a run is taken back by hand, host by host: shell lines for root, to paste. Pure."""

import base64
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from textwrap import wrap

from kthw_routes.events import HostOutcome, HostState
from kthw_routes.persistence import netplan, unit
from kthw_routes.persistence.paths import ETC_HOSTS
from kthw_routes.plan.changes import MAX_PASTED, FileChange, HostPlan, Plan
from kthw_routes.sanitize import clean


@dataclass(frozen=True, slots=True)
class ManualUndo:
    """What takes back, on one host, what was sent to it; to be run there as root."""

    host: str
    lines: tuple[str, ...]
    """All of it, to paste."""


def manual_undo(plan: Plan, outcomes: Mapping[str, HostOutcome]) -> tuple[ManualUndo, ...]:
    """The way back for every host on which something was sent, or may have been."""
    ways: list[ManualUndo] = []
    for host in plan.hosts:
        outcome = outcomes.get(host.node)
        was_sent = outcome is not None and (outcome.changes_sent or outcome.state is HostState.NOT_CONFIRMED)
        if was_sent and (lines := _lines(host)):
            ways.append(ManualUndo(host.node, lines))
    return tuple(ways)


def _lines(host: HostPlan) -> tuple[str, ...]:
    edit = host.hosts_file
    names = _content(f"cat > {ETC_HOSTS}", ETC_HOSTS, edit.before) if edit is not None and not edit.is_empty else ()
    return (*_first(host), *(str(c) for c in host.inverse), *_then(host), *names)


def _first(host: HostPlan) -> Iterator[str]:
    """What comes before the routes: a timer that runs would have them back within seconds."""
    changed = [f for f in host.files if f.kind.is_change and f.path in unit.PATHS]
    if any(f.path == unit.TIMER and (f.before is None or not f.was_enabled) for f in changed):
        yield f"systemctl disable --now {unit.TIMER.name}"
    elif any(f.after is not None for f in changed):
        yield f"systemctl stop {unit.TIMER.name}"


def _then(host: HostPlan) -> Iterator[str]:
    """The files as they were, and what reads them told of it."""
    changed = [f for f in host.files if f.kind.is_change]
    for change in changed:
        yield from _back(change)
    paths = {f.path for f in changed}
    if netplan.PATH in paths:
        yield "netplan generate"
    if paths & set(unit.PATHS):
        yield "systemctl daemon-reload"
        timer = next((f for f in host.files if f.path == unit.TIMER), None)
        if timer is None:
            yield f"systemctl is-enabled {unit.TIMER.name} && systemctl start {unit.TIMER.name}"
        elif timer.before is not None and timer.was_enabled:
            yield f"systemctl enable --now {unit.TIMER.name}"
    if host.forwarding is not None:
        yield f"sysctl -w net.ipv4.ip_forward={int(not host.forwarding)}"


def _back(change: FileChange) -> Iterator[str]:
    path = shlex.quote(str(change.path))
    folder = shlex.quote(str(change.path.parent))
    if change.before is None:
        yield f"rm -f {path}"
        if change.folder_is_ours:
            yield f"rmdir --ignore-fail-on-non-empty {folder}"
        return
    if change.after is None:
        yield f"mkdir -p {folder}"
    mode = change.before_mode if change.before_mode is not None else change.mode
    # Another's file keeps its owner and attributes, so it is written in place.
    target = f"install -m {mode:04o} /dev/stdin {path}" if change.is_ours else f"cat > {path}"
    yield from _content(target, change.path, change.before)


def _content(command: str, path: PurePosixPath, content: bytes) -> tuple[str, ...]:
    """A command that gets this content, or a comment that says where it stands if it is too long to paste."""
    if len(content) <= MAX_PASTED:
        return here_document(command, path, content)
    return (
        f"# {path}: its {len(content)} bytes are too many to paste; `kthw-routes undo` puts them back, and the run's",
        "# journal.jsonl has them (base64).",
    )


def here_document(command: str, path: PurePosixPath, content: bytes) -> tuple[str, ...]:
    """A command that gets this content on its stdin, for people to paste."""
    delimiter = f"END-OF-{path.name.split('.')[0].upper()}"
    text = content.decode("utf-8", "replace")
    lines = text.split("\n")
    if text.encode() == content and clean(text) == text and lines[-1] == "" and delimiter not in lines:
        return (f"{command} <<'{delimiter}'", *lines[:-1], delimiter)
    # Not a text that could be shown and pasted as it is: control characters, no newline at the end, …
    coded = wrap(base64.b64encode(content).decode(), 76)
    decode = (
        f"base64 -d > {command.removeprefix('cat > ')}" if command.startswith("cat > ") else f"base64 -d | {command}"
    )
    head, _, rest = decode.partition(" | ")
    return (f"{head} <<'{delimiter}'{f' | {rest}' if rest else ''}", *coded, delimiter)
