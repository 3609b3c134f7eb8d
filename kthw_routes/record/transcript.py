"""The transcript of a run, in Markdown: what was planned and why, how each host ended, the proof, how to undo."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from kthw_routes import __version__
from kthw_routes.cluster import Cluster
from kthw_routes.events import HostOutcome
from kthw_routes.findings.model import Finding
from kthw_routes.plan.changes import Change, ChangeKind, FileChange, HostPlan, Plan
from kthw_routes.plan.shell import MAX_PASTED
from kthw_routes.proof import diagnosis, refusals
from kthw_routes.proof.diagnosis import explain_all, pair_words
from kthw_routes.proof.readings import Proof
from kthw_routes.sanitize import cell, clean_line, inline, text_lines

_BACKTICKS: Final = re.compile("`+")
_OFTEN_ALIKE: Final = frozenset({ChangeKind.KEEP, ChangeKind.ADD})
_MAX_KNOWN: Final = 1 << 15
"""How many rows are remembered with their lines."""


def head(cluster: Cluster, plan: Plan, findings: Iterable[Finding]) -> Iterator[str]:
    """Yield what comes before the log: nodes, findings, the plan."""
    yield f"# kthw-routes {__version__}: a run"
    yield ""
    yield "## Nodes"
    yield ""
    yield "| node | role | region | SSH | internal address | pod CIDR | rests on | |"
    yield "|---|---|---|---|---|---|---|---|"
    for n in cluster:
        cells = (n.name, n.role, n.region, n.ssh, n.internal, n.pod_cidr, n.pod_cidr_source, n.selection)
        yield "| " + " | ".join(cell(c) for c in cells) + " |"
    yield ""
    yield "## Findings"
    yield ""
    for finding in findings:
        mark = "warning" if finding.acknowledge else str(finding.level)
        yield f"- {mark}: {inline(finding.sentence)} {inline(finding.hint)}".rstrip()
    yield ""
    yield "## Plan"
    yield ""
    known: dict[int, tuple[str, ...]] = {}
    for host in plan.hosts:
        yield from _host(host, known)
    yield "## Log"
    yield ""


def _host(host: HostPlan, known: dict[int, tuple[str, ...]]) -> Iterator[str]:
    """Yield the rows of a host. `known`: the lines of rows that many hosts have, by the row's identity."""
    yield f"### {host.node}"
    yield ""
    for row in host.rows:
        lines = known.get(id(row))
        if lines is None:
            lines = tuple(_row(row))
            if row.kind in _OFTEN_ALIKE and len(known) < _MAX_KNOWN:
                known[id(row)] = lines
        yield from lines
    if host.is_empty:
        yield "- nothing to do"
    yield ""


def _row(row: Change) -> Iterator[str]:
    title = clean_line(row.title).replace("`", "'")
    yield f"- {row.kind} `{title}`: {inline(row.reason)}"
    if isinstance(row, FileChange):
        yield from _texts(row)
    elif row.kind.is_change:
        yield from (f"  - `{command}`" for command in row.commands if not command.startswith("#"))


def _texts(change: FileChange) -> Iterator[str]:
    """Yield of a file that changes its mode and its whole text, before and after."""
    if not change.kind.is_change:
        return
    texts = (("is", change.before, change.before_mode), ("becomes", change.after, change.mode))
    for word, content, mode in texts:
        if content is None:
            yield from ("", f"{word}: no such file", "")
        elif len(content) > MAX_PASTED:
            yield from ("", f"{word}: {len(content)} bytes, too many to show here; journal.jsonl has them (base64)", "")
        else:
            yield from ("", f"{word} (mode {mode or 0:04o}):", "", *_fenced(text_lines(content)), "")


def tail(
    outcomes: Mapping[str, HostOutcome], proof: Proof | None, run: str, undo_commands: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield what follows the log: how hosts ended, the proof, how to undo.

    Args:
        outcomes: by the host's name.
        proof: None where there was none.
        run: its name.
        undo_commands: the host's name -> the shell lines that undo the run there by hand, for root.
    """
    yield ""
    yield "## Result"
    yield ""
    for outcome in outcomes.values():
        yield f"- {outcome.node}: {outcome.state}. {inline(outcome.sentence)} {inline(outcome.hint)}".rstrip()
    yield ""
    if proof is not None:
        yield from _proof(proof)
    yield "## How to undo"
    yield ""
    yield f"`kthw-routes undo {run}` undoes what is still as this run left it."
    yield "By hand, as long as nobody changed anything since:"
    yield ""
    for host, lines in undo_commands.items():
        # A fence, not indentation: a here-document has to begin at the margin to be pasted.
        yield from (f"On {host}, as root:", "", *_fenced(lines, "sh"), "")


def _proof(proof: Proof) -> Iterator[str]:
    yield "## Proof"
    yield ""
    yield f"{proof.headline} Evidence: {proof.evidence_words}."
    yield ""
    for pair in proof.pairs:
        if pair.tested:
            yield f"- {pair.source} → {pair.target}: {inline(pair_words(pair))}"
    yield from (f"- {inline(sentence)}" for sentence in (*diagnosis.untested_reasons(proof), *proof.unread))
    if proof.caveat:
        yield f"- {proof.caveat}"
    for sentence, found in {found.sentence: found for found in explain_all(proof).values()}.items():
        yield f"- {inline(sentence)}"
        yield from (f"  - {inline(text)}" for text in (found.shows, found.fix) if text)
    yield from (f"- {inline(sentence)}" for sentence in diagnosis.bridge_filters(proof))
    yield from (f"- {inline(sentence)}" for sentence in refusals.of_verdicts(proof.verdicts, proof.facts))
    yield ""


def _fenced(lines: Sequence[str], language: str = "") -> tuple[str, ...]:
    longest = max((len(ticks) for line in lines for ticks in _BACKTICKS.findall(line)), default=0)
    fence = "`" * max(3, 1 + longest)
    return (f"{fence}{language}", *lines, fence)
