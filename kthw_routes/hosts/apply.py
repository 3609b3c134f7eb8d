"""Making the plan so on one host: compare with the review, journal, change, read back.

Where the host was read a moment ago the journal comes first, and the comparison is in the change's own script.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from ipaddress import IPv4Network
from typing import Final

from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR, Node
from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import HostOutcome, HostState, now
from kthw_routes.facts import HostFacts
from kthw_routes.hosts import atomic_write, programs, read_network, rollback_timer
from kthw_routes.hosts.foresight import Expect, Mode
from kthw_routes.hosts.read_facts import read_addresses, read_forwarding, read_routes
from kthw_routes.hosts.read_overlay import read_overlay
from kthw_routes.hosts.send import send
from kthw_routes.hosts.sent import Sent
from kthw_routes.hosts.task import HostTask
from kthw_routes.overlay.device import print_device
from kthw_routes.persistence import paths as own_paths
from kthw_routes.plan.changes import (
    Change,
    ChangeKind,
    ForwardingChange,
    HostPlan,
    NameChange,
    OverlayChange,
    Planner,
    RollbackChange,
    RouteChange,
    describe,
)
from kthw_routes.ssh.command import Result
from kthw_routes.ssh.errors import CommandTimedOut, ConnectionLost, HostError

Journal = Callable[[HostPlan, HostFacts], None]
"""Brings to disk, before anything is changed: what is to be done, and what was read just before."""

StartTimer = Callable[[HostTask, HostPlan, HostFacts], None]
"""Starts the automatic rollback of what is about to be done on a host. Raises HostError where that cannot be."""

OnCancelled = Callable[[str], None]
"""Brings to disk that this earlier run's automatic rollback is cancelled."""

OnRead = Callable[[HostFacts], None]
"""Takes what was read of a host at the end of its run."""

_RECENT: Final = timedelta(seconds=10)
_UNREAD: Final = "it could not be read."
_AGAIN: Final = "Try again: the host is read again then."


def _nowhere(_run: str) -> None:
    """Record nothing."""


def _not_recorded() -> None:
    """Record nothing."""


def _not_kept(_facts: HostFacts) -> None:
    """Keep nothing."""


class ChangedSinceReview(HostError):
    """The host is not as it was when the plan was shown."""

    def __init__(self, node: str, what: str) -> None:
        super().__init__(node, f"changed since the review: {what}.", "Check again and review.")


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
    unsent: Callable[[], None] = _not_recorded,
    read_back: OnRead = _not_kept,
    cluster_cidr: IPv4Network = DEFAULT_CLUSTER_CIDR,
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
        start: called after it, where the host is to roll back automatically.
        cancelled: called for each earlier run as soon as its automatic rollback is cancelled.
        unsent: called where nothing of what `journal` was called with last was sent, as the host is not as it was.
        read_back: called with what was read of the host after the change, or last where there is nothing to do; not
            where the facts are older: what `reread` takes over from them (pods, bridges) is not of now then.
        cluster_cidr: within which routes are planned.
        again: whether this is a retry: what a first try may have left is no difference.

    Raises HostError, or what `journal` or `cancelled` raise, where nothing of what was reviewed was sent; `ended` has
    the words for it. A HostError after that becomes an outcome.
    """
    is_fresh = is_recent(facts)
    if not is_fresh:
        read_back = _not_kept
    change = partial(_change, task, node, plan, read_back, cluster_cidr)
    if is_fresh and not again:
        if reviewed.is_empty:
            return _nothing_done(task, reviewed, facts, read_back)
        if start is None and _can_be_guarded(reviewed, facts):
            journal(reviewed, facts)
            try:
                return change(reviewed, facts, is_guarded=True)
            except ChangedSinceReview:  # what is not as it was is found by reading it
                unsent()
    task.state(HostState.READING)
    task.ahead(lambda t: reread(t, facts, cluster_cidr))
    fresh = reread(task, facts, cluster_cidr)
    todo = plan(node, fresh)
    check_as_reviewed(node.name, reviewed, todo, again)
    if todo.is_empty:
        return _nothing_done(task, todo, fresh, read_back)
    journal(todo, fresh)
    # What these send is not counted as changes: it is reported by itself.
    aside = replace(task, sent=Sent(outer=task.sent))
    rollbacks = todo.of(RollbackChange)
    _cancel_timers(aside, [row.run for row in rollbacks], cancelled, task.sent)
    if start is not None and todo.changes > len(rollbacks):
        start(aside, todo, fresh)
    return change(todo, fresh, is_guarded=False)


def is_recent(facts: HostFacts) -> bool:
    """Whether a host was read so shortly before that it need not be read again unless it is to be changed."""
    return timedelta() <= now() - facts.read_at < _RECENT


def _can_be_guarded(reviewed: HostPlan, facts: HostFacts) -> bool:
    """Whether one script can look whether all is as it was, and change it: not where lifetimes of addresses run."""
    return not reviewed.of(RollbackChange) and not any(address.is_temporary for address in facts.addresses)


def _nothing_done(task: HostTask, todo: HostPlan, fresh: HostFacts, read_back: OnRead) -> HostOutcome:
    read_back(fresh)
    outcome = nothing_to_do(todo)
    task.state(outcome.state)
    return outcome


def _change(
    task: HostTask,
    node: Node,
    plan: Planner,
    read_back: OnRead,
    cluster_cidr: IPv4Network,
    todo: HostPlan,
    fresh: HostFacts,
    *,
    is_guarded: bool,
) -> HostOutcome:
    """Send what is to be done and read it back, in one exec where all goes well.

    `is_guarded`: whether it is sent only if all is as in `fresh` still. Raises ChangedSinceReview where it is not.
    """
    sent = task.sent.rows = todo.changes

    def read(on: HostTask) -> HostFacts:
        return reread(on, fresh, cluster_cidr, todo, with_names=False)

    try:
        reached = task.ahead(
            read,
            after=lambda t: send(t, todo, fresh),
            guard=(lambda t: reread(t, fresh, cluster_cidr, todo)) if is_guarded else None,
            expect=_files_after(task, todo),
        )
    except HostError as error:
        return ended(node.name, error, task.sent)
    if is_guarded and reached in (None, Mode.GUARD):
        task.sent.rows = 0
        raise ChangedSinceReview(node.name, "it is not as it was")
    if reached is None:
        task.state(HostState.CHANGING)
    try:
        made = send(task, todo, fresh)
        if reached is not Mode.READ:
            task.state(HostState.READING_BACK)
            task.ahead(read)
        after = read(task)
    except HostError as error:
        return ended(node.name, error, task.sent)
    read_back(after)
    back = plan(node, after)
    for route in (r for row in back.routes for r in row.has):
        task.note(f"{route.prefix} {describe(route)} proto {route.protocol}")
    failed = made.failed | {key: words for key, words in unmet_rows(back, todo).items() if key not in made.failed}
    if failed:
        sentence = f"{node.name}: {len(failed)} of {sent} changes failed: {_by_cause(failed)}{made.broke_off}"
        return HostOutcome(
            node=node.name, state=HostState.FAILED, sentence=sentence, hint="", failed_rows=failed, changes_sent=sent
        )
    return _unread(todo, sent) or HostOutcome(node.name, HostState.DONE, changes_sent=sent)


def nothing_to_do(plan: HostPlan) -> HostOutcome:
    """Return how a host ends on which nothing can be done: well, unless a file that decides it could not be read."""
    return _unread(plan, 0) or HostOutcome(plan.node, HostState.NOTHING_TO_DO)


def _unread(plan: HostPlan, sent: int) -> HostOutcome | None:
    """Return how a host ends that has files which could not be read or may not be written; None for any other."""
    failed = {row.key: _UNREAD for row in plan.unread}
    words = [f"{' and '.join(failed)} could not be read, so what is there is left as it is."] if failed else []
    if plan.lacks_names and plan.hosts_file_problem is not None:
        failed[str(own_paths.ETC_HOSTS)] = plan.hosts_file_problem
        words.insert(0, f"the workers' names were not changed: {plan.hosts_file_problem}")
    if not words:
        return None
    sentence, hint = f"{plan.node}: {' '.join(words)}", "Correct that there, then check and review again."
    return HostOutcome(
        node=plan.node, state=HostState.FAILED, sentence=sentence, hint=hint, failed_rows=failed, changes_sent=sent
    )


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
    return HostOutcome(
        node=node, state=state, sentence=f"{why} {sent.words}", hint=hint, changes_sent=sent.rows if sent.changes else 0
    )


_READ_BY_THEMSELVES: Final = (RouteChange, NameChange, ForwardingChange, OverlayChange)
"""The kinds of change that are seen without reading files of ours and what manages the network."""


def reread(
    task: HostTask,
    facts: HostFacts,
    cluster_cidr: IPv4Network = DEFAULT_CLUSTER_CIDR,
    todo: HostPlan | None = None,
    *,
    with_names: bool = True,
) -> HostFacts:
    """Return the facts, with what the plan compares read again.

    Args:
        task: an open session.
        facts: what was read before.
        cluster_cidr: within which routes are planned.
        todo: of files, names and forwarding only what this changes is read. None: all.
        with_names: whether /etc/hosts is read though it is not to be changed.
    """
    routes = read_routes(task, facts.routes_within)
    addresses = read_addresses(task)
    content, problem, network, forward = facts.etc_hosts, facts.etc_hosts_problem, facts.network, facts.ip_forward
    overlay = facts.overlay
    if todo is None or todo.of(OverlayChange):
        overlay = read_overlay(task, addresses)
    if content is not None and (with_names or todo is None or todo.hosts_file is not None):
        content, problem = atomic_write.read_etc_hosts(task)
    if todo is None or not all(isinstance(row, _READ_BY_THEMSELVES) for row in todo.due):
        network = read_network.read(task, [link.device for link in facts.network.links], cluster_cidr)
    if todo is None or todo.forwarding is not None:
        forward = read_forwarding(task)
    return replace(
        facts,
        routes=routes,
        addresses=addresses,
        etc_hosts=content,
        etc_hosts_problem=problem,
        network=network,
        overlay=overlay,
        ip_forward=forward,
        read_at=now(),
    )


def _files_after(task: HostTask, todo: HostPlan) -> Expect:
    """Return what the host is going to answer when it is asked for files of ours, or the overlay, after that."""
    command = programs.files_of_ours()
    before = task.known.last.get(command)
    paths = set(before.out.splitlines() if before is not None else ())
    for change in todo.files:
        paths = paths - {str(change.path)} if change.after is None else paths | {str(change.path)}
    answers = {command: "".join(f"{path}\n" for path in sorted(paths))}
    answers |= {programs.vxlan_devices(): print_device(row.after.device) for row in todo.of(OverlayChange)}
    return lambda asked: Result(0, answers[asked].encode(), b"") if asked in answers else None


def check_as_reviewed(node: str, reviewed: HostPlan, todo: HostPlan, again: bool) -> None:
    """Raise ChangedSinceReview where a row is not as the review showed it."""
    if todo.hosts_file_problem and not reviewed.hosts_file_problem:
        raise ChangedSinceReview(node, todo.hosts_file_problem)
    seen, found = ({row.key: row for row in plan.rows} for plan in (reviewed, todo))
    for key in seen | found:
        before, now = seen.get(key), found.get(key)
        if before and now and (before.kind, before.compared) == (now.kind, now.compared):
            continue
        if again and _may_be_ours(before, now, seen):
            continue
        was, is_now = (row.kind if row else "absent" for row in (before, now))
        raise ChangedSinceReview(node, f"{key} was “{was}”, is “{is_now}”")


def _may_be_ours(before: Change | None, now: Change | None, reviewed: Mapping[str, Change]) -> bool:
    """Return whether a first try may have led from what was reviewed to what is there now; so it is ours to finish."""
    if now is None:
        return before is not None and before.may_vanish
    return now.kind is not ChangeKind.FOREIGN and now.may_follow(reviewed)


def _cancel_timers(task: HostTask, runs: Sequence[str], cancelled: OnCancelled, sent: Sent) -> None:
    """Cancel the automatic rollbacks of earlier runs, before anything else. Noted in `sent`."""
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
            raise ChangedSinceReview(task.node, f"it rolled back automatically what run {run} had done")
        sent.cancelled.append(run)
        cancelled(run)
        task.note(f"the automatic rollback of run {run} is cancelled")


def _by_cause(failed: Mapping[str, str]) -> str:
    """Return the rows that failed with what was said of them, each cause once."""
    rows: dict[str, list[str]] = {}
    for row, words in failed.items():
        rows.setdefault(words, []).append(row)
    return "; ".join(f"{', '.join(names)}: {words}" for words, names in rows.items())


def unmet_rows(back: HostPlan, todo: HostPlan) -> dict[str, str]:
    """Return the rows that are due still, though the host did not complain of them; row -> what is to be said of it."""
    cancelled = todo.of(RollbackChange)  # another is this run's own
    rows = (row for row in back.due if not isinstance(row, RollbackChange) or row in cancelled)
    unmet = {row.key: row.unmet for row in rows if row.unmet is not None}
    changed = {row.key for row in todo.due}
    unmet |= {row.key: _UNREAD for row in back.unread if row.key in changed}
    if todo.hosts_file is not None and back.hosts_file is None:
        words = back.hosts_file_problem or "/etc/hosts could not be read back."
        unmet |= {n.key: words for n in todo.names if n.kind.is_change}
    return unmet
