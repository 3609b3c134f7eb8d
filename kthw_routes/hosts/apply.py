"""Making the plan so on one host: read again, compare with the review, journal, change, read back."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from kthw_routes.cluster import Node
from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import HostOutcome, HostState
from kthw_routes.facts import HostFacts, HostFile
from kthw_routes.hosts import atomic_write, programs, read_network, rollback_timer, write_files
from kthw_routes.hosts.read_facts import read_addresses, read_forwarding, read_routes
from kthw_routes.hosts.sent import Sent
from kthw_routes.hosts.task import HostTask
from kthw_routes.iproute2.commands import RouteCommand
from kthw_routes.iproute2.output import failed_lines
from kthw_routes.persistence import paths as own_paths
from kthw_routes.persistence.managers import manager_of, parse
from kthw_routes.plan.changes import FORWARDING, ChangeKind, HostPlan, Planner, RouteChange, describe
from kthw_routes.ssh.errors import CommandTimedOut, ConnectionLost, HostError, TookTooLong

Journal = Callable[[HostPlan, HostFacts], None]
"""Brings to disk, before anything is changed: what is to be done, and what was read just before."""

StartTimer = Callable[[HostTask, Node, HostPlan, HostFacts], None]
"""Lets a host take back by itself what is about to be done there. Raises HostError where that cannot be."""

OnCancelled = Callable[[str], None]
"""Brings to disk that what this earlier run did is not taken back by the host itself any more."""

_AGAIN: Final = "Try again: the host is read anew then."


def _nowhere(_run: str) -> None:
    """Where no record is kept."""


class ChangedSinceReview(HostError):
    """The host is not as it was when the plan was shown."""

    def __init__(self, node: str, what: str) -> None:
        super().__init__(node, f"changed since the review: {what}.", "Look again and review.")


def apply(
    task: HostTask,
    node: Node,
    reviewed: HostPlan,
    facts: HostFacts,
    plan: Planner,
    journal: Journal,
    *,
    start: StartTimer | None = None,
    cancelled: OnCancelled = _nowhere,
    again: bool = False,
) -> HostOutcome:
    """Do on one host what the review showed.

    Args:
        task: an open session.
        node: the host.
        reviewed: its plan as the person saw it.
        facts: what the plan rests on.
        plan: makes the plan from facts read now.
        journal: called before anything is changed.
        start: called after it, where the host is to take the change back by itself.
        cancelled: called for each earlier run as soon as the host does not take that back by itself any more.
        again: whether this is a retry: rows that are right by now are no difference.

    Raises HostError, or what `journal` or `cancelled` raise, where nothing of what was reviewed was sent; `ended` has
    the words for it. A HostError after that becomes an outcome.
    """
    task.state(HostState.READING)
    fresh = reread(task, facts)
    todo = plan(node, fresh)
    _compare(node.name, reviewed, todo, again)
    if todo.is_empty:
        outcome = nothing_to_do(todo)
        task.state(outcome.state)
        return outcome
    journal(todo, fresh)
    # What these send is not counted as changes: it is told by itself.
    aside = replace(task, sent=Sent(beside=task.sent))
    _cancel_timers(aside, todo.rollbacks, cancelled, task.sent)
    if start is not None and todo.changes > len(todo.rollbacks):
        start(aside, node, todo, fresh)
    sent = task.sent.rows = todo.changes
    task.state(HostState.CHANGING)
    try:
        failed, broke_off = _send(task, todo, fresh)
        task.state(HostState.READING_BACK)
        after = reread(task, facts)
    except HostError as error:
        return ended(node.name, error, task.sent)
    back = plan(node, after)
    for route in (r for row in back.routes for r in row.has):
        task.note(f"{route.prefix} {describe(route)} proto {route.protocol}")
    failed |= _not_there(replace(back, rollbacks=tuple(x for x in back.rollbacks if x in todo.rollbacks)), failed)
    if todo.hosts_file is not None and back.hosts_file is None:
        words = back.hosts_file_problem or "/etc/hosts could not be read back."
        failed = {n.name: words for n in todo.names if n.kind.is_change} | failed
    if failed:
        sentence = f"{node.name}: {len(failed)} of {sent} changes failed: {_by_cause(failed)}{broke_off}"
        return HostOutcome(node.name, HostState.FAILED, sentence, "", failed, sent)
    return _without_names(todo, sent) or HostOutcome(node.name, HostState.DONE, changes_sent=sent)


def nothing_to_do(plan: HostPlan) -> HostOutcome:
    """How a host ends on which nothing can be done: well, unless names that are wanted cannot be written."""
    return _without_names(plan, 0) or HostOutcome(plan.node, HostState.NOTHING_TO_DO)


def _without_names(plan: HostPlan, sent: int) -> HostOutcome | None:
    """How a host ends whose wanted names could not be written; None for any other."""
    if not plan.lacks_names:
        return None
    sentence = f"{plan.node}: the workers' names were not written: {plan.hosts_file_problem}"
    hint = "Mend that there, then check and review again."
    failed = {str(own_paths.ETC_HOSTS): plan.hosts_file_problem}
    return HostOutcome(plan.node, HostState.FAILED, sentence, hint, failed, sent)


def ended(node: str, error: KthwRoutesError | None, sent: Sent) -> HostOutcome:
    """Return how a host ended whose work broke off. What is said of it follows from what was sent to it.

    Args:
        node: the host.
        error: why it broke off; None where the person stopped it.
        sent: what was sent there until then. Nothing is sent there any more.
    """
    sent.end()
    why = error.sentence if error is not None else f"{node}: stopped in the middle."
    hint = error.hint if error is not None else ""
    state = HostState.FAILED if error is not None else HostState.NOT_STARTED
    if sent.is_unconfirmed:
        state = HostState.NOT_CONFIRMED
        hint = _AGAIN if error is None or isinstance(error, HostError) else hint
    elif sent.cancelled:
        hint = hint or _AGAIN
    elif isinstance(error, ConnectionLost | CommandTimedOut):
        hint = _AGAIN
    return HostOutcome(node, state, f"{why} {sent.words}", hint, changes_sent=sent.rows if sent.changes else 0)


def reread(task: HostTask, facts: HostFacts) -> HostFacts:
    """The facts, with what the plan compares read again."""
    routes = read_routes(task, facts.routes_within)
    addresses = read_addresses(task)
    content, problem = (
        atomic_write.read_etc_hosts(task) if facts.etc_hosts is not None else (None, facts.etc_hosts_problem)
    )
    network = read_network.read(task, [link.device for link in facts.network.links])
    forward = read_forwarding(task)
    return replace(
        facts,
        routes=routes,
        addresses=addresses,
        etc_hosts=content,
        etc_hosts_problem=problem,
        network=network,
        ip_forward=forward,
    )


def _rows(plan: HostPlan) -> dict[str, tuple[ChangeKind, tuple[object, ...]]]:
    rows: dict[str, tuple[ChangeKind, tuple[object, ...]]] = {
        str(c.prefix): (c.kind, (c.has, c.commands)) for c in plan.routes
    }
    rows |= {n.name: (n.kind, (n.has, n.address)) for n in plan.names}
    rows |= {str(f.path): (f.kind, (f.before, f.after)) for f in plan.files}
    rows |= {str(x.path): (ChangeKind.REMOVE, ()) for x in plan.leftovers}
    rows |= {rollback_row(x): (ChangeKind.REMOVE, ()) for x in plan.rollbacks}
    if plan.forwarding is not None:
        rows[FORWARDING] = (ChangeKind.REPLACE, (plan.forwarding,))
    return rows


def _compare(node: str, reviewed: HostPlan, todo: HostPlan, again: bool) -> None:
    seen, found = _rows(reviewed), _rows(todo)
    if todo.hosts_file_problem and not reviewed.hosts_file_problem:
        raise ChangedSinceReview(node, todo.hosts_file_problem)
    for row in seen | found:
        before, now = seen.get(row), found.get(row)
        if before == now:
            continue
        if again and before is not None and before[0].is_change:
            continue  # ours to finish, whatever the first try left of it
        raise ChangedSinceReview(
            node, f"{row} was “{before[0] if before else 'absent'}”, is “{now[0] if now else 'absent'}”"
        )


def rollback_row(run: str) -> str:
    """The row of an earlier run's dead man's switch."""
    return f"the timed undo of run {run}"


def _cancel_timers(task: HostTask, runs: Sequence[str], cancelled: OnCancelled, sent: Sent) -> None:
    """Before anything else: what earlier runs did is not taken back by the host itself any more. Noted in `sent`."""
    for run in runs:
        before, sent.cancelling = task.sent.changes, run
        try:
            is_off = rollback_timer.cancel(task, run)
        except HostError as error:
            if isinstance(error, rollback_timer.StillSet) or task.sent.changes == before:
                sent.cancelling = ""
            raise
        sent.cancelling = ""
        if not is_off:
            raise ChangedSinceReview(task.node, f"it took back by itself what run {run} had done")
        sent.cancelled.append(run)
        cancelled(run)
        task.note(f"what run {run} did is not taken back by the host itself any more")


def _send(task: HostTask, todo: HostPlan, fresh: HostFacts) -> tuple[dict[str, str], str]:
    """Send the changes; row -> what went wrong with it, and the end of a sentence where the batch broke off."""
    failed = dict(write_files.pause_timer(task, todo.files))
    stopped = not failed
    broke_off = ""
    refused: dict[str, str] = {}
    if todo.commands:
        refused, words = _send_routes(task, todo.commands)
        failed |= refused
        broke_off = f" The batch broke off: {words}" if words else ""
    tried = {str(c.route.prefix) for c in todo.commands} if broke_off else set(refused)
    kept = _left_as_they_are(todo, tried, stopped=stopped)
    if kept:
        write_files.resume_timer(task, todo.files, timer_was_enabled=fresh.network.timer_is_enabled)
        failed = kept | failed
    failed |= write_files.write(task, [f for f in todo.files if str(f.path) not in kept])
    if todo.hosts_file and not todo.hosts_file.is_empty:
        problem = atomic_write.write_etc_hosts(task, todo.hosts_file.before, todo.hosts_file.after)
        if problem:
            failed |= {n.name: problem for n in todo.names if n.kind.is_change}
    if todo.forwarding is not None and (problem := _set_forwarding(task, todo.forwarding)):
        failed[FORWARDING] = problem
    for left in todo.leftovers:
        task.run(programs.remove_folder(left.path) if left.is_folder else programs.remove_file(left.path))
    return failed, broke_off


def _left_as_they_are(todo: HostPlan, refused: Collection[str], *, stopped: bool) -> dict[str, str]:
    """The files of routes that stay as they are, each with the reason; none where all of them may be changed.

    A route that the kernel refuses now is not planted for the next boot, where it might keep the network waiting. But
    what only takes a file away, or such a route out of it, goes on.
    """
    held = {c: {str(r.prefix) for r in parse(HostFile(c.path, c.mode, c.after or b""))} for c in todo.files}
    if stopped and not any(prefixes & set(refused) for c, prefixes in held.items() if c.kind.is_change):
        return {}
    why = "routes that it is to hold were not added" if stopped else "the timer could not be stopped"
    words = f"left as it is, as {why}; apply again to go on from there."
    return {str(c.path): words for c in todo.files if c.kind.is_change and manager_of(c.path) is not None}


def _send_routes(task: HostTask, commands: Sequence[RouteCommand]) -> tuple[dict[str, str], str]:
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


def _set_forwarding(task: HostTask, on: bool) -> str:
    try:
        result = task.run(programs.set_ip_forward(on))
    except TookTooLong as error:
        return error.complaint
    return "" if result.ok else result.words or f"sysctl ended with status {result.status}."


def _by_cause(failed: Mapping[str, str]) -> str:
    """The rows that failed with what was said of them, each cause once."""
    rows: dict[str, list[str]] = {}
    for row, words in failed.items():
        rows.setdefault(words, []).append(row)
    return "; ".join(f"{', '.join(names)}: {words}" for words, names in rows.items())


def _not_there(after: HostPlan, failed: Mapping[str, str]) -> dict[str, str]:
    """Rows that are not as they should be, though the host did not complain of them."""
    rows: dict[str, str] = {str(c.prefix): _seen(c) for c in after.routes if c.kind.is_change}
    rows |= {n.name: "the line is not in /etc/hosts as read back." for n in after.names if n.kind.is_change}
    rows |= {str(f.path): "the file as read back is another." for f in after.files if f.kind.is_change}
    rows |= {str(x.path): "it is there still." for x in after.leftovers if not x.is_folder}
    rows |= {rollback_row(x): "it is there still." for x in after.rollbacks}
    rows |= {FORWARDING: "it was read back otherwise."} if after.forwarding is not None else {}
    return {row: words for row, words in rows.items() if row not in failed}


def _seen(change: RouteChange) -> str:
    if not change.has:
        return "the route is not in the table as read back."
    return f"the table as read back has it {' and '.join(describe(r) for r in change.has)}."
