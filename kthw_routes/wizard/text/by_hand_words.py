"""What the view of changes that are typed by hand says: how far it is, each row, and what to type for it. Pure."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.cluster import Node
from kthw_routes.options import Settings
from kthw_routes.persistence.paths import ETC_HOSTS
from kthw_routes.plan import shell
from kthw_routes.plan.changes import Change, NameChange, RouteChange
from kthw_routes.teaching.by_hand import Typed
from kthw_routes.wizard.text.manual_commands import log_in
from kthw_routes.wizard.themes import cut_middle, dim
from kthw_routes.words import Tone, Words
from kthw_routes.workflow.results import Review

_HOST_WIDTH: Final = 20
_WHAT_WIDTH: Final = 29
"""Characters: with them every column is in sight at 80 columns."""


def progress(rows: Sequence[Typed], review: Review, *, is_done: bool) -> Words:
    """Return how many rows are right, and how many are wrong."""
    right, wrong = sum(row.is_right for row in rows), sum(row.wrong is not None for row in rows)
    unread = [error.sentence for error in review.inspection.troubles.values()]
    if is_done:
        return Words(f"✓ All of it is right ({right} of {len(rows)}). Close, then Next proves it.", Tone.GOOD)
    parts = [f"{right} of {len(rows)} right{f', {wrong} wrong' if wrong else ''}.", *unread]
    return Words(" ".join(parts), Tone.WARNING if wrong or unread else Tone.NEW)


def cells(rows: Sequence[Typed]) -> Iterator[tuple[str, tuple[Words | str, ...]]]:
    """Yield a row of the table for each row, the wrong ones first: its key, then host, mark, what, and how it is."""
    before = ""
    for row in sorted(rows, key=lambda row: row.wrong is None):
        if row.wrong is not None:
            mark, word, tone = "✗", "wrong", Tone.BAD
        elif row.is_right:
            mark, word, tone = "✓", "right", Tone.GOOD
        else:
            mark, word, tone = "…", "to be typed", Tone.PLAIN
        host = cut_middle(row.host, _HOST_WIDTH) if row.host != before else ""
        # A file by its name, as on Run: the detail has its path.
        what = cut_middle(PurePosixPath(row.what).name if row.what.startswith("/") else row.what, _WHAT_WIDTH)
        yield key_of(row), (host, Words(mark, tone), what, Words(word, tone))
        before = row.host


def key_of(row: Typed) -> str:
    """Return what identifies a row."""
    return f"{row.host} {row.what}"


def detail(row: Typed, review: Review, settings: Settings) -> Iterator[Words | str]:
    """Yield what is wrong with a row, and what to type on which host."""
    if row.wrong is not None:
        yield Words(f"✗ {row.wrong}", Tone.BAD)
        yield "\n"
    if row.is_right:
        yield Words(f"✓ {row.host}: {row.what} is right.", Tone.GOOD)
        return
    node = review.inspection.cluster.node(row.host)
    yield dim(f"On {row.host}, in a terminal of your own:")
    yield Words(f"\n$ {log_in(settings, node)}", Tone.NEW)
    if row.wrong is None or "ip route" not in row.wrong:
        for line in commands(node, (due for due in _due(review, node) if _what(due) == row.what)):
            yield Words(f"\n# {line}", Tone.NEW)
    yield dim("\nc copies all that is to be typed on this host.")


def all_commands(row: Typed, review: Review) -> str:
    """Return all that is still to be typed on the host of a row."""
    node = review.inspection.cluster.node(row.host)
    return "\n".join(commands(node, _due(review, node)))


def _due(review: Review, node: Node) -> Sequence[Change]:
    host = review.plan.host(node.name)
    return host.due if host is not None else ()


def _what(change: Change) -> str:
    match change:
        case RouteChange():
            return str(change.prefix)
        case NameChange():
            return change.name
        case _:
            return change.title


def commands(node: Node, changes: Iterable[Change]) -> Iterator[str]:
    """Yield what makes some changes on a node, as its user types it."""
    is_root = node.ssh is None or node.ssh.user in (None, "root")
    for change in changes:
        if isinstance(change, NameChange):
            yield from _of_name(change, "" if is_root else "sudo ")
        else:
            yield from shell.lines(change.commands if is_root else shell.with_sudo(change.commands))


def _of_name(change: NameChange, sudo: str) -> Iterator[str]:
    for line in change.has:
        yield f"{sudo}sed -i {shlex.quote(f'/^{_escaped(line)}$/d')} {ETC_HOSTS}"
    if change.address is not None:
        yield f"echo {shlex.quote(f'{change.address} {change.name}')} | {sudo}tee -a {ETC_HOSTS}"


def _escaped(line: str) -> str:
    return "".join(f"\\{letter}" if letter in r"\/.*[]^$" else letter for letter in line.rstrip("\n"))
