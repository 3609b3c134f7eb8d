"""What *Proof* says first: all that is wrong, or that all is well; then the one thing to do. Pure."""

from collections.abc import Iterator
from typing import Final

from kthw_routes.node_names import shortened
from kthw_routes.plan.changes import ChangeKind, NameChange
from kthw_routes.proof.between import PAST_FILTER
from kthw_routes.proof.causes import Cause
from kthw_routes.proof.diagnosis import explain_all, pair_words
from kthw_routes.proof.readings import Proof
from kthw_routes.wizard.text.summaries import list_untouched
from kthw_routes.wizard.themes import dim
from kthw_routes.words import NEXT_LAB, Tone, Words, count, undo_summary
from kthw_routes.workflow.results import Report, Review

Parts = Iterator[Words | str]
_MAX_LEFT: Final = 8
"""Lines that a question lists; the transcript has all."""
_MAX_STALE: Final = 3
"""Stale entries that the first line names."""


def headline(proof: Proof, report: Report | None) -> Words:
    """Return the first line: everything that is wrong; where nothing is, that all is well."""
    broken = [*_unfinished(report), *_broken(proof)]
    doubtful = [*_doubtful(proof)]
    if broken:
        return Words(f"✗ {' '.join([*broken, *doubtful])}", Tone.BAD)
    if doubtful:
        is_fine = not proof.untested and bool(proof.pairs) and proof.probed
        good = [proof.headline] if is_fine else []
        return Words(f"▲ {' '.join([*doubtful, *good])}", Tone.WARNING)
    return Words(f"✓ {proof.headline}", Tone.GOOD)


def _unfinished(report: Report | None) -> Iterator[str]:
    if report is not None and report.unfinished:
        yield f"The run is not done on {shortened(report.unfinished)}."


def _broken(proof: Proof) -> Iterator[str]:
    if proof.cut_off:
        them = "its own pod CIDR" if len(proof.cut_off) == 1 else "their own pod CIDRs"
        yield f"The pods of {shortened(proof.cut_off)} are unreachable: another route overrides {them}."
    if proof.failed:
        verb = "does" if len(proof.failed) == 1 else "do"
        yield f"{len(proof.failed)} of {len(proof.pairs)} pairs of workers {verb} not get through."
        causes = dict.fromkeys(cause.what for cause in explain_all(proof).values())
        yield from list(causes) if len(causes) == 1 else ()
    closed = [name for name, facts in proof.facts.items() if facts.pods and not facts.ip_forward]
    if closed:
        yield f"Forwarding is off on {shortened(closed)} in spite of pods there."
    if proof.unread:
        yield " ".join(proof.unread)


def _doubtful(proof: Proof) -> Iterator[str]:
    if not proof.probed or not proof.pairs:
        yield proof.headline
    elif proof.untested:
        yield f"{len(proof.untested)} of {len(proof.pairs)} pairs of workers could not be tested."
    if not proof.plan.is_empty:
        hosts = [host.node for host in proof.plan.hosts if not host.is_empty]
        yield f"{count(proof.plan.changes, 'change')} still to be made on {shortened(hosts)}."
    stale = [
        f"{row.name} in /etc/hosts of {host.node}" if isinstance(row, NameChange) else f"{row.short} on {host.node}"
        for host in proof.plan.hosts
        for row in host.rows
        if row.kind is ChangeKind.STALE
    ]
    if stale:
        more = f" and {len(stale) - _MAX_STALE} more" if len(stale) > _MAX_STALE else ""
        yield f"Stale: {', '.join(stale[:_MAX_STALE])}{more}."


def now(proof: Proof, report: Report | None) -> Parts:
    """Yield the one thing to do."""
    yield Words("Now: ", Tone.NEW)
    if report is not None and report.unfinished:
        yield "Back, then t retries what is not done."
    elif proof.cut_off:
        yield Words("m", Tone.NEW)
        yield " repairs it, and shows the commands first. Or: kthw-routes apply --repair"
    elif proof.failed:
        yield from _of_cause(next(iter(explain_all(proof).values())))
    elif proof.unread:
        yield "see that these hosts can be reached, then r proves again."
    elif not proof.plan.is_empty:
        yield "Back to Checks, r reads the hosts again; then run what is missing."
    elif proof.plan.is_drift:
        yield "Back to Checks, r reads the hosts again; Space in Routes marks what is stale for removal."
    elif proof.untested or not proof.pairs:
        yield "r proves again."
    else:
        yield f"go on with lab {NEXT_LAB}."


def _of_cause(cause: Cause) -> Parts:
    if cause.fix == PAST_FILTER:
        yield Words("v", Tone.NEW)
        yield " carries them past it in an overlay (VXLAN), and shows the changes first. Or let the provider pass pod "
        yield "addresses, or use a VLAN."
    else:
        yield cause.fix or f"see where they are lost. {cause.shows}"
    yield dim(" w: why, and what shows it; f: follow a packet there.")


def by_host(proof: Proof) -> Iterator[tuple[str, tuple[Words | str, ...]]]:
    """Yield a line per worker with what gets through from it and to it, those with failures first."""
    names = list(dict.fromkeys(p.source for p in proof.pairs))
    out = {name: [p for p in proof.pairs if p.source == name] for name in names}
    into = {name: [p for p in proof.pairs if p.target == name] for name in names}
    bad = {name: [p for p in (*out[name], *into[name]) if not p.ok] for name in names}
    for name in sorted(names, key=lambda name: -len(bad[name])):
        tone = Tone.BAD if bad[name] else Tone.GOOD
        first = bad[name][0] if bad[name] else None
        words = f"{first.source} → {first.target}: {pair_words(first)}" if first is not None else ""
        yield (
            name,
            (
                Words(f"{'✗' if bad[name] else '✓'} {name}", tone),
                f"{sum(p.ok for p in out[name])} of {len(out[name])}",
                f"{sum(p.ok for p in into[name])} of {len(into[name])}",
                dim(words),
            ),
        )


def repair_commands(review: Review) -> tuple[str, bool]:
    """Return the commands that repair what is overridden, host by host; and whether there are any."""
    rows = ((host.node, row) for host in review.plan.hosts for row in host.due)
    lines = [f"{host}$ {command}" for host, row in rows for command in row.commands]
    more = [f"and {len(lines) - _MAX_LEFT} more"] if len(lines) > _MAX_LEFT else []
    return "\n".join([*lines[:_MAX_LEFT], *more]) or "Nothing to do: no pod CIDR is overridden any more.", bool(lines)


def undoing(review: Review) -> str:
    """Return what an undo does and what it leaves."""
    words = [undo_summary(review) if review.plan.is_empty else f"This undoes: {undo_summary(review)}."]
    left = list_untouched(review)
    words += ["", "Left untouched:", *(f"  {line}" for line in left[:_MAX_LEFT])] if left else []
    words += [f"  and {len(left) - _MAX_LEFT} more"] if len(left) > _MAX_LEFT else []
    if not review.plan.is_empty:
        words += ["", "The hosts become as they were before this run. The undo can be undone too."]
    return "\n".join(words)
