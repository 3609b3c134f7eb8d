"""The rows of the review and their tabs: changes, and what there is to know before them. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import ClassVar, Final

from kthw_routes.findings import plan as finding_plan
from kthw_routes.findings.model import Finding, Level
from kthw_routes.options import Options
from kthw_routes.plan.changes import (
    BY_PRUNE,
    BY_REPAIR,
    Change,
    ChangeKind,
    Detail,
    HostPlan,
    NameChange,
    OverlayChange,
    RouteChange,
    describe,
)
from kthw_routes.plan.network_plugins import plugin_in, plugin_of
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.words import KIND_TONE, Words, count, counts, level_tone, level_word, unmet_request
from kthw_routes.workflow.results import Review

_OF_OVERLAY: Final = "overlay-"
"""How the codes begin of what follows from the choice of the overlay, which is made in this step."""
_SAID_ELSEWHERE: Final = frozenset(
    {
        "foreign-route",
        "own-pod-cidr-routed-away",
        "stale-route",
        "not-persisted",
        "persisted-not-read",
        "hosts-file-is-rewritten",
    }
)
"""Findings of the plan that are rows of the difference anyway, or choices above it."""

MAX_WHOLE: Final = 12
"""With more workers, what is merely added on a host is one row, with its count."""


class Tab(IntEnum):
    """Where a row is shown, in the order of the tabs."""

    ROUTES = 0
    NAMES = 1
    FILES = 2
    NOTES = 3


@dataclass(frozen=True, slots=True)
class Additions:
    """What is merely added on one of many hosts: one row."""

    rows: tuple[Change, ...]

    kind: ClassVar = ChangeKind.ADD
    key: ClassVar = "what is added"

    @property
    def title(self) -> str:
        """How many rows of each kind these are."""
        found = Counter(row.noun for row in self.rows)
        nouns = sorted(found, key=lambda noun: noun.rank)
        return ", ".join(f"{count(found[noun], noun.singular)}{noun.where}" for noun in nouns)

    @property
    def short(self) -> str:
        """How many rows these are."""
        return count(len(self.rows), "change")

    @property
    def reason(self) -> str:
        """Why, each reason once."""
        return "; ".join(dict.fromkeys(row.reason for row in self.rows))

    @property
    def details(self) -> tuple[Detail, ...]:
        """The commands of all rows."""
        return tuple(Detail(command) for row in self.rows for command in row.commands)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the review."""

    host: str
    change: Change | Additions | Finding

    @property
    def key(self) -> str:
        """What names it while it is there."""
        if isinstance(self.change, Finding):
            return f"finding {self.change.code} {self.host} {self.change.sentence}"
        return f"{self.host} {self.change.key}"


def rows_of(review: Review) -> Iterable[Row]:
    """Yield what is worth a look: warnings and skipped hosts first, then all that changes, then notices of the plan."""
    of_plan = () if review.undoes else finding_plan.of_plan(review.plan)
    before = review.findings[: len(review.findings) - len(of_plan)]
    for finding in (*before, *(f for f in of_plan if f.acknowledge)):
        is_of_choice = finding.code.startswith(_OF_OVERLAY)
        if finding.acknowledge or finding.level is not Level.NOTICE or is_of_choice:
            yield Row(finding.node or finding.region or "", finding)
    is_large = len(review.inspection.cluster.workers) > MAX_WHOLE
    for host in review.plan.hosts:
        yield from (Row(host.node, row) for row in (_in_counts(host) if is_large else _in_full(host)))
    for finding in of_plan:
        if finding.code not in _SAID_ELSEWHERE and not finding.acknowledge:
            yield Row(finding.node or "", finding)


def texts(row: Row) -> tuple[str, ...]:
    """Return what a search looks at; of what is merely added to one of many hosts not each command."""
    change = row.change
    if isinstance(change, Finding):
        return change.sentence, level_word(change)
    details = () if isinstance(change, Additions) else change.details
    return change.title, change.reason, str(change.kind), *(detail.text for detail in details)


def _in_full(host: HostPlan) -> Sequence[Change]:
    return [row for row in host.rows if row.kind is not ChangeKind.KEEP]


def _in_counts(host: HostPlan) -> Sequence[Change | Additions]:
    """Return one row for all that is merely added in a tab, then the others."""
    rows = _in_full(host)
    added: defaultdict[Tab, list[Change]] = defaultdict(list)
    for row in rows:
        if row.kind is ChangeKind.ADD:
            added[_tab_of(row)].append(row)
    together = [Additions(tuple(some)) for some in added.values() if len(some) > 1]
    counted = {row.key for some in together for row in some.rows}
    return [*together, *(row for row in rows if row.key not in counted)]


def _tab_of(change: Change | Additions | Finding) -> Tab:
    match change:
        case Finding():
            return Tab.NOTES
        case Additions(rows=rows):
            return _tab_of(rows[0])
        case RouteChange() | OverlayChange():
            return Tab.ROUTES
        case NameChange():
            return Tab.NAMES
    return Tab.FILES


def in_tabs(review: Review) -> Mapping[Tab, Sequence[Row]]:
    """Return the rows of each tab; in *Notes* what is dangerous comes first, also where it has a row elsewhere."""
    tabs: dict[Tab, list[Row]] = {tab: [] for tab in Tab}
    for row in rows_of(review):
        tabs[_tab_of(row.change)].append(row)
    dangerous = [row for row in tabs[Tab.ROUTES] if is_own_cidr(review, row) or is_foreign(row)]
    tabs[Tab.NOTES] = sorted([*dangerous, *tabs[Tab.NOTES]], key=lambda row: _rank(review, row))
    return tabs


def _rank(review: Review, row: Row) -> int:
    change = row.change
    if not isinstance(change, Finding):
        return 1 if is_own_cidr(review, row) else 4
    if change.level is not Level.NOTICE:
        return 0 if change.level is Level.STOP else 2
    return 3 if change.acknowledge else 5


def changes_in_tabs(review: Review) -> Counter[Tab]:
    """Count what changes in each tab."""
    return Counter(_tab_of(row) for host in review.plan.hosts for row in host.due)


def cells(row: Row, room: int, box: bool | None) -> tuple[Words | str, ...]:
    """Return the row of the table.

    Args:
        row: what it says.
        room: how many characters there are for the reason.
        box: whether its box is ticked; None where it has none.
    """
    change, host = row.change, cut_middle(row.host, 16)
    mark = "" if box is None else "[x]" if box else "[ ]"
    if isinstance(change, Finding):
        word = level_word(change)
        shown = f"{mark} {word.partition(' ')[2]}" if mark else word
        return host, Words(shown, level_tone(change)), "", dim(cut(change.sentence.removeprefix(f"{host}: "), room))
    kind = Words(f"{mark or change.kind.mark} {change.kind}", KIND_TONE[change.kind])
    return host, kind, _what(change), dim(cut(why(change), room))


def _what(change: Change | Additions) -> str:
    """Return what the row is of: of a route its next hop too, of a name its address."""
    if isinstance(change, NameChange):
        line = f"{change.address} {change.name}" if change.address else next(iter(change.has), change.name)
        return cut_middle(" ".join(line.split()), 36)
    if not isinstance(change, RouteChange):
        return cut_middle(change.short, 36)
    if change.next_hop is not None and change.kind is not ChangeKind.FOREIGN:
        return f"{change.prefix} via {change.next_hop}"
    return cut_middle(f"{change.prefix} {describe(change.has[0])}" if change.has else str(change.prefix), 36)


def why(change: Change | Additions) -> str:
    """Return the reason, with what one can do here."""
    words = change.reason.replace(BY_PRUNE, "Space marks it for removal")
    return words.replace(BY_REPAIR, "Space fixes it, and asks first")


def cut(text: str, room: int) -> str:
    """Return `text` in at most `room` characters."""
    return text if len(text) <= room else f"{text[: room - 1]}…"


def only_stale(review: Review) -> str:
    """Return what can be done where all that is left is stale; empty where there is more to do, or nothing to mark."""
    changes = (row.change for row in rows_of(review) if can_be_marked(row))
    is_any = any(not isinstance(c, Finding) and c.kind is ChangeKind.STALE for c in changes)
    if not is_any or not review.plan.is_empty or unmet_request(review.plan):
        return ""
    unread = len(review.inspection.troubles)
    but = f"; {count(unread, 'node')} not read" if unread else ""
    return f"Nothing to add or replace; Space marks what is stale for removal{but}."


def in_short(review: Review) -> str:
    """Return the counts on one line."""
    if review.plan.is_empty:
        return "Nothing that can be done here; what is not as it should be is listed above."
    hosts = [h for h in review.plan.hosts if not h.is_empty]
    parts = [count(number, noun.singular) for noun, number, _ in counts(review.plan)]
    unread = len(review.inspection.troubles)
    return f"{', '.join(parts)} on {count(len(hosts), 'node')}" + (f"; {unread} not read" if unread else "")


def is_own_cidr(review: Review, row: Row) -> bool:
    """Return whether the row is of a route that leads the host's own pods away."""
    pods = review.inspection.cluster.node(row.host).pod_cidr
    return isinstance(row.change, RouteChange) and pods is not None and row.change.prefix.subnet_of(pods)


def is_marked(row: Row, options: Options) -> bool:
    """Return whether the person marked what the row is of."""
    match row.change:
        case RouteChange(prefix=prefix):
            return (row.host, prefix) in options.marked
        case NameChange(name=name):
            return (row.host, name) in options.marked_names
    return False


def toggled(row: Row, options: Options) -> Options:
    """Return the options with the row marked, or not marked any more."""
    match row.change:
        case RouteChange(prefix=prefix):
            return replace(options, marked=options.marked ^ {(row.host, prefix)})
        case NameChange(name=name):
            return replace(options, marked_names=options.marked_names ^ {(row.host, name)})
    return options


def is_foreign(row: Row) -> bool:
    """Return whether the row is of a foreign route that no network plugin made."""
    change = row.change
    return isinstance(change, RouteChange) and change.kind is ChangeKind.FOREIGN and not plugin_in(change.has)


def can_be_marked(row: Row) -> bool:
    """Return whether Space marks what the row is of: for removal, or for the repair of an own pod CIDR."""
    change = row.change
    if isinstance(change, RouteChange | NameChange) and change.kind is ChangeKind.STALE:
        return BY_PRUNE in change.reason
    if not isinstance(change, RouteChange) or change.kind is not ChangeKind.FOREIGN:
        return False
    return change.next_hop is None and any(not r.is_kernel and plugin_of(r) is None for r in change.has)
