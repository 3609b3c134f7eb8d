"""Sending what is to be done on a host, each kind of change in its way: `_SENDERS` has a function for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from kthw_routes.facts import HostFacts, HostFile
from kthw_routes.hosts import atomic_write, programs, write_files
from kthw_routes.hosts.task import HostTask
from kthw_routes.iproute2.commands import RouteCommand
from kthw_routes.iproute2.output import failed_lines
from kthw_routes.overlay import device as vxlan
from kthw_routes.persistence.managers import manager_of, parse
from kthw_routes.plan.changes import FORWARDING, HostPlan, Leftover, OverlayChange
from kthw_routes.ssh.command import Command
from kthw_routes.ssh.errors import TookTooLong


@dataclass(slots=True)
class Sending:
    """What is sent to one host, and what came of it so far."""

    task: HostTask
    todo: HostPlan
    fresh: HostFacts
    """What was read just before."""
    failed: dict[str, str] = field(default_factory=dict)
    """Row -> what went wrong with it."""
    broke_off: str = ""
    """The end of a sentence where the batch of routes broke off."""
    is_paused: bool = True
    """Whether our timer, which would put the old routes back, does nothing meanwhile."""
    unsure: frozenset[str] = frozenset()
    """The prefixes whose routes were refused, or may not have come to their turn."""


def send(task: HostTask, todo: HostPlan, fresh: HostFacts) -> Sending:
    """Send the changes. Raises what `Session.run` raises."""
    sending = Sending(task, todo, fresh)
    for sender in _SENDERS:
        sender(sending)
    return sending


def _pause_timer(now: Sending) -> None:
    now.failed |= write_files.pause_timer(now.task, now.todo.files)
    now.is_paused = not now.failed


def _change_overlay_first(now: Sending) -> None:
    """Make what of the overlay the routes are to lead through."""
    _change_overlay(now, [row for row in now.todo.of(OverlayChange) if not row.comes_last])


def _change_overlay_last(now: Sending) -> None:
    """Remove what of the overlay no route leads through any more."""
    _change_overlay(now, [row for row in now.todo.of(OverlayChange) if row.comes_last])


def _change_overlay(now: Sending, rows: Sequence[OverlayChange]) -> None:
    for row in rows:
        if not row.kind.is_change:
            continue
        commands: list[Command] = []
        if vxlan.writes_table(row.before, row.after) and row.after.accepts is not None:
            commands.append(programs.write_overlay_table(row.after.accepts))
        if row.ip_lines:
            commands.append(programs.change_overlay_device(row.ip_lines))
        if lines := tuple(vxlan.bridge_lines(row.before, row.after)):
            commands.append(programs.change_overlay_forwarding(lines))
        if vxlan.removes_device(row.before, row.after):
            commands.append(programs.remove_overlay_device())
        if vxlan.removes_table(row.before, row.after):
            commands.append(programs.remove_overlay_table())
        _run_until_one_fails(now, row, commands)


def _run_until_one_fails(now: Sending, row: OverlayChange, commands: Sequence[Command]) -> None:
    for command in commands:
        try:
            result = now.task.run(command)
            words = "" if result.ok else result.words or f"{command.argv[0]} ended with status {result.status}."
        except TookTooLong as error:
            words = error.complaint
        if words:
            now.failed[row.key] = words
            return


def _send_routes(now: Sending) -> None:
    commands = [command for row in now.todo.routes for command in row.edit.commands]
    if not commands:
        return
    refused, words = _send_batch(now.task, commands)
    now.failed |= refused
    now.broke_off = f" The batch broke off: {words}" if words else ""
    now.unsure = frozenset(str(c.route.prefix) for c in commands) if words else frozenset(refused)


def _send_batch(task: HostTask, commands: Sequence[RouteCommand]) -> tuple[dict[str, str], str]:
    """Send the batch; row -> the kernel's words against it, and why the batch did not come to its end, if so."""
    try:
        result = task.run(programs.change_routes(commands))
    except TookTooLong as error:
        return {}, error.complaint
    failed: dict[str, str] = {}
    refused = failed_lines(result.err)
    for number, words in refused.items():
        if 1 <= number <= len(commands):
            failed.setdefault(str(commands[number - 1].route.prefix), words)
    broke_off = not result.ok and not refused
    return failed, (result.words or f"ip ended with status {result.status}.") if broke_off else ""


def _send_files(now: Sending) -> None:
    files, kept = now.todo.files, _left_as_they_are(now)
    if kept:
        is_enabled = now.fresh.network.timer_is_enabled
        write_files.resume_timer(now.task, files, timer_was_enabled=is_enabled)
        now.failed = kept | now.failed
    now.failed |= write_files.write(now.task, [f for f in files if f.key not in kept])


def _left_as_they_are(now: Sending) -> dict[str, str]:
    """Return the files of routes that stay as they are, each with the reason; none where all of them may be changed.

    A route that the kernel refuses now is not planted for the next boot, where it might keep the network waiting. But
    what only takes a file away, or such a route out of it, goes on.
    """
    due = [f for f in now.todo.files if f.kind.is_change]
    wanted = (str(r.prefix) for f in due for r in parse(HostFile(f.path, f.mode, f.after or b"")))
    if now.is_paused and now.unsure.isdisjoint(wanted):
        return {}
    why = "routes that it is to hold were not added" if now.is_paused else "the timer could not be stopped"
    words = f"left as it is, as {why}; apply again to go on from there."
    return {f.key: words for f in due if manager_of(f.path) is not None}


def _send_names(now: Sending) -> None:
    edit = now.todo.hosts_file
    if edit is None or edit.is_empty:
        return
    if problem := atomic_write.write_etc_hosts(now.task, edit.before, edit.after):
        now.failed |= {n.key: problem for n in now.todo.names if n.kind.is_change}


def _set_forwarding(now: Sending) -> None:
    on = now.todo.forwarding
    if on is None:
        return
    try:
        result = now.task.run(programs.set_ip_forward(on))
    except TookTooLong as error:
        now.failed[FORWARDING] = error.complaint
        return
    if not result.ok:
        now.failed[FORWARDING] = result.words or f"sysctl ended with status {result.status}."


def _remove_leftovers(now: Sending) -> None:
    for left in now.todo.of(Leftover):
        now.task.run(programs.remove_folder(left.path) if left.is_folder else programs.remove_file(left.path))


_SENDERS: Final[tuple[Callable[[Sending], None], ...]] = (
    _pause_timer,
    _change_overlay_first,
    _send_routes,
    _change_overlay_last,
    _send_files,
    _send_names,
    _set_forwarding,
    _remove_leftovers,
)
"""In the order of a run."""
