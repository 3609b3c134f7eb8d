"""The transcript of a run, in Markdown: what was planned and why, how each host ended, the proof, the way back."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from kthw_routes import __version__
from kthw_routes.cluster import Cluster
from kthw_routes.events import HostOutcome
from kthw_routes.findings.model import Finding
from kthw_routes.plan.changes import MAX_PASTED, FileChange, HostPlan, Plan
from kthw_routes.proof import diagnosis
from kthw_routes.proof.diagnosis import explain, pair_words
from kthw_routes.proof.readings import Proof
from kthw_routes.sanitize import cell, clean, inline

_BACKTICKS: Final = re.compile("`+")


def head(cluster: Cluster, plan: Plan, findings: Iterable[Finding]) -> Iterator[str]:
    """What stands before the log: nodes, findings, the plan."""
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
    for host in plan.hosts:
        yield from _host(host)
    yield "## Log"
    yield ""


def _host(host: HostPlan) -> Iterator[str]:
    yield f"### {host.node}"
    yield ""
    for change in host.routes:
        owner = f" ({inline(change.worker)})" if change.worker else ""
        yield f"- {change.kind} `{change.prefix}`{owner}: {inline(change.reason)}"
        for command in change.commands:
            yield f"  - `{command}`"
    for name in host.names:
        yield f"- {name.kind} `{name.address or ''} {name.name}` in /etc/hosts: {inline(name.reason)}"
    for file in host.files:
        yield from _file(file)
    if host.forwarding is not None:
        yield f"- replace `net.ipv4.ip_forward`: is {int(not host.forwarding)}, becomes {int(host.forwarding)}"
    for left in host.leftovers:
        yield f"- remove `{left.path}`: a run that was killed left it"
    for run in host.rollbacks:
        yield f"- remove the timed undo of run {inline(run)}: what it did stays"
    if host.is_empty:
        yield "- nothing to do"
    yield ""


def _file(change: FileChange) -> Iterator[str]:
    """A file's row, and where it changes its whole text, before and after."""
    modes = [f"{mode:04o}" for mode in (change.before_mode, change.mode if change.after is not None else None) if mode]
    yield f"- {change.kind} `{change.path}` ({' → '.join(dict.fromkeys(modes))}): {inline(change.reason)}"
    if not change.kind.is_change:
        return
    for word, content in (("is", change.before), ("becomes", change.after)):
        if content is not None and len(content) > MAX_PASTED:
            yield from ("", f"{word}: {len(content)} bytes, too many to show here; journal.jsonl has them (base64)", "")
            continue
        lines = clean(content.decode("utf-8", "replace")).splitlines() if content is not None else []
        yield from ("", f"{word}:" if content is not None else f"{word}: no such file", "")
        if content is not None:
            yield from (*_fenced(lines), "")


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
    yield f"`kthw-routes undo {run}` takes back what is still as this run left it."
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
        yield f"- {pair.source} → {pair.target}: {inline(pair_words(pair))}"
    if proof.caveat:
        yield f"- {proof.caveat}"
    for pair in proof.failed:
        yield f"- {inline(explain(proof, pair).sentence)}"
    for verdict in proof.verdicts:
        if not verdict.forwards:
            yield f"- {inline(diagnosis.of_verdict(verdict, proof.facts.get(verdict.source)))}"
    yield ""


def _fenced(lines: Sequence[str], language: str = "") -> tuple[str, ...]:
    longest = max((len(ticks) for line in lines for ticks in _BACKTICKS.findall(line)), default=0)
    fence = "`" * max(3, 1 + longest)
    return (f"{fence}{language}", *lines, fence)
