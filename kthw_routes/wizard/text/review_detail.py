"""What a row of the review says in full: has, wants, why, the exact commands, how to undo them. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from kthw_routes.findings.model import Finding
from kthw_routes.options import Options
from kthw_routes.plan.changes import Change, ChangeKind, FileChange, RouteChange
from kthw_routes.sanitize import text_lines
from kthw_routes.wizard.text import review_rows
from kthw_routes.wizard.text.review_rows import Additions, Row, why
from kthw_routes.wizard.themes import dim
from kthw_routes.words import KIND_TONE, Tone, Words, level_tone, level_word
from kthw_routes.workflow.results import Review

Parts = Iterator[Words | str]
_ADDRESS: Final = re.compile(r"(?<![\d.])\d+\.\d+\.\d+\.\d+(?![\d./])")


def finding_detail(finding: Finding, *, known: bool, ticks: bool) -> Parts:
    """Yield a finding in full. `known`: it was ticked. `ticks`: Space ticks it here."""
    yield Words(f"{level_word(finding)}: ", level_tone(finding))
    yield finding.sentence
    if ticks:
        more = " Space takes the tick away." if known else " Space ticks it: I know."
    else:
        more = " You ticked it before." if known else ""
    yield dim(f"\n{finding.hint}{more}")


def change_detail(row: Row, change: Change | Additions, review: Review, options: Options, *, can_mark: bool) -> Parts:
    """Yield a change in full: what is there, what should be, the commands, the reason, and what Space or Enter does."""
    yield f"{row.host}{' to' if isinstance(change, RouteChange) else ''} {change.title}   "
    yield Words(f"{change.kind.mark} {change.kind}", KIND_TONE[change.kind])
    commands: list[str] = []
    if isinstance(change, FileChange):
        tone = Tone.QUIET if change.after is None else Tone.PLAIN
        yield from (Words(f"\n  {line}", tone) for line in file_lines(change))
    else:
        for detail in change.details:
            if detail.label:
                yield from (dim(f"\n  {detail.label:<7}"), _with_owners(detail.text, review))
            else:
                commands.append(detail.text)
    yield dim(f"\n  why    {why(change)}")
    if isinstance(change, FileChange):
        yield from _more_of_file(row, change, review)
    elif review_rows.is_marked(row, options):
        yield dim("; Space unmarks it")
    elif can_mark and change.kind is ChangeKind.FOREIGN and not review_rows.is_own_cidr(review, row):
        yield dim("; left alone. Space marks it for removal")
    yield from (Words(f"\n$ {command}", Tone.NEW) for command in commands)
    if isinstance(change, RouteChange):
        yield from (dim(f"\n  undo   {command}") for command in change.undo_commands)


def _with_owners(text: str, review: Review) -> str:
    """Return the text with the node's name behind each address of one."""
    names = {str(n.internal): n.name for n in review.inspection.cluster if n.internal is not None}
    return _ADDRESS.sub(lambda found: f"{found[0]} ({names[found[0]]})" if found[0] in names else found[0], text)


def _more_of_file(row: Row, change: FileChange, review: Review) -> Parts:
    yield dim(f"; its mode is {change.mode:04o}")
    host = review.plan.host(row.host)
    if change.is_ours and host is not None and host.persistence is not None and host.persistence.reason:
        yield dim(f"\n  found  {host.persistence.reason}")
    yield dim("\n  Enter shows it by itself.")


def file_lines(change: FileChange) -> tuple[str, ...]:
    """Return the file's whole text as it will be; of one that goes, as it is."""
    return text_lines(change.after if change.after is not None else change.before or b"")


def file_heading(row: Row, change: FileChange) -> str:
    """Return what a file is called over its text."""
    return f"{row.host} {change.path}" + (", which goes" if change.after is None else "")


def repair_words(host: str, change: RouteChange, repaired: Review) -> str:
    """Return what the repair of an own pod CIDR does. `repaired`: the review with it."""
    plan = repaired.plan.host(host)
    repairs = [c for c in plan.routes if c.prefix == change.prefix] if plan else []
    lines = [line for c in repairs for line in (*(f"  {command}" for command in c.commands), "", c.reason)]
    return (
        f"Another route overrides {host}'s own pod CIDR {change.prefix}: its pods are unreachable.\n\n"
        f"{chr(10).join(lines)}\n\nThe commands are sent when you press Run, not before."
    )
