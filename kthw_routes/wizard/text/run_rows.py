"""The rows of *Run*: the changes of each host with their states; which lines of a log are the change itself. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from kthw_routes.events import Event, EventKind, HostOutcome, HostState
from kthw_routes.plan.changes import Change, ChangeKind, HostPlan, NameChange, Plan, RouteChange, describe
from kthw_routes.wizard.themes import cut_middle
from kthw_routes.words import KIND_TONE, Tone, Words, count, state_tone

MAX_WHOLE: Final = 10
"""With more hosts, each has one line."""

GLYPHS: Final = {
    HostState.WAITING: "…",
    HostState.READ: "✓",
    HostState.DONE: "✓",
    HostState.NOTHING_TO_DO: "✓",
    HostState.FAILED: "✗",
    HostState.NOT_CONFIRMED: "?",
    HostState.SKIPPED: "✗",
    HostState.NOT_STARTED: "–",
}
"""One character per state, next to its word. Other states are under way: `▸`."""

_PLUMBING: Final = re.compile(
    r"(stat|grep|find|cat|sha256sum|sync|dd|install|cp|networkctl|nft list|bridge|"
    r"ip (-json|-force|neigh show)|systemctl (show|is-)|test|sh) ?"
    r"|rm -f \S*/\.\S+$|mkdir "
)
_QUIET_STATES: Final = (HostState.WAITING, HostState.CONNECTING, HostState.READING, HostState.FAILED)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line: a change, the names of a host together, or a whole host."""

    host: str
    what: Words
    keys: frozenset[str]
    """Of the rows of the plan that it stands for."""


def rows_of(plan: Plan) -> Iterator[RunRow]:
    """Yield the lines of a run."""
    hosts = [host for host in plan.hosts if not host.is_empty]
    for host in hosts:
        if len(hosts) > MAX_WHOLE:
            found = Counter(row.noun for row in host.due)
            nouns = sorted(found, key=lambda noun: noun.rank)
            words = ", ".join(count(found[n], n.singular.removesuffix(" change")) for n in nouns)
            yield RunRow(host.node, Words(words), frozenset(row.key for row in host.due))
        else:
            yield from _of_host(host)


def _of_host(host: HostPlan) -> Iterator[RunRow]:
    names = [row for row in host.due if isinstance(row, NameChange)]
    for row in host.due:
        if not isinstance(row, NameChange):
            what = Words(f"{row.kind.mark} {cut_middle(_what(row), 40)}", KIND_TONE[row.kind])
            yield RunRow(host.node, what, frozenset((row.key,)))
        elif row is names[0]:
            kinds = {name.kind for name in names}
            kind = row.kind if len(kinds) == 1 else ChangeKind.REPLACE
            what = Words(f"{kind.mark} {count(len(names), 'name')} in /etc/hosts", KIND_TONE[kind])
            yield RunRow(host.node, what, frozenset(name.key for name in names))


def _what(row: Change) -> str:
    if not isinstance(row, RouteChange):
        return row.short
    if row.next_hop is not None:
        return f"{row.prefix} via {row.next_hop}"
    return f"{row.prefix} {describe(row.has[0])}" if row.has else str(row.prefix)


def state_of(row: RunRow, state: HostState, outcome: HostOutcome | None) -> Words:
    """Return how far a line is: planned, sent, read back, or why it failed."""
    failed = outcome.failed_rows if outcome is not None else {}
    if reason := next((failed[key] for key in row.keys if key in failed), None):
        return Words(f"failed: {reason}", Tone.BAD)
    match state:
        case HostState.WAITING | HostState.CONNECTING | HostState.READING:
            return Words("planned", Tone.QUIET)
        case HostState.CHANGING:
            return Words("being sent", Tone.NEW)
        case HostState.READING_BACK:
            return Words("sent", Tone.NEW)
        case HostState.DONE:
            return Words("read back", Tone.GOOD)
        case HostState.FAILED if outcome is not None and outcome.changes_sent and failed:
            return Words("read back", Tone.GOOD)
        case HostState.FAILED:
            return Words("failed, not sent" if outcome is not None and not outcome.changes_sent else "failed", Tone.BAD)
    return Words(str(state), state_tone(state))


def cells(
    rows: Iterable[RunRow], states: Mapping[str, HostState], outcomes: Mapping[str, HostOutcome], width: int
) -> Iterator[tuple[str, tuple[Words | str, ...]]]:
    """Yield key and cells of each line; a host's name is in the first of its lines. `width`: of the name."""
    before, number = "", 0
    for row in rows:
        number = number + 1 if row.host == before else 0
        state = states.get(row.host, HostState.WAITING)
        name = Words(f"{GLYPHS.get(state, '▸')} {cut_middle(row.host, width)}", state_tone(state))
        shown: Words | str = name if row.host != before else ""
        before = row.host
        yield f"{row.host} {number}", (shown, row.what, state_of(row, state, outcomes.get(row.host)))


def host_of(key: str) -> str:
    """Return the host of a line, by its key."""
    return key.rpartition(" ")[0]


def main_event(event: Event) -> Event | None:
    """Return the event as the log shows it without its plumbing; None where it is plumbing."""
    if event.kind is EventKind.STATE and event.state in _QUIET_STATES:
        return None  # of a failure all is said above the log
    if event.kind is not EventKind.COMMAND:
        return event
    for program, objects in (("ip", ("  route ", "  link ", "  address ", "  neigh ")), ("bridge", ("  fdb ",))):
        if event.text.startswith(objects):
            return replace(event, text=f"{program} {event.text.strip()}")
    return None if _PLUMBING.match(event.text) else event
