"""What the command line prints: findings, the plan, live lines, how hosts ended, the matrix of the proof.

rich draws the tables; where stdout is not a terminal it is plain text. Nothing from outside is ever read as markup.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import IO, Final

from rich.console import Console
from rich.measure import Measurement
from rich.segment import Segments
from rich.style import Style
from rich.table import Table
from rich.text import Text

from kthw_routes.cluster import Cluster
from kthw_routes.events import Event, EventKind
from kthw_routes.findings.model import Finding
from kthw_routes.node_names import shortened
from kthw_routes.plan.changes import Change, ChangeKind, FileChange, HostPlan, Plan
from kthw_routes.proof.readings import Proof
from kthw_routes.words import (
    CIDR_SOURCE_LABELS,
    KIND_TONE,
    Tone,
    Words,
    event_line,
    explanations,
    level_tone,
    level_word,
    matrix_cell,
    matrix_sources,
    proof_cell,
    state_tone,
)
from kthw_routes.workflow.results import Report

_PLAIN_WIDTH: Final = 200
"""Columns where the output goes into a file or a pipe, so that no sentence is cut."""

_UNBOUNDED: Final = 10_000

MAX_HOSTS_WHOLE: Final = 12
"""With more workers, or hosts, a line per host is printed, and in full only what is neither kept nor merely added."""
_MAX_MATRIX: Final = 8
_USUAL: Final = frozenset({ChangeKind.KEEP, ChangeKind.ADD})

_STYLE: Final = {
    Tone.PLAIN: "",
    Tone.GOOD: "green",
    Tone.NEW: "cyan",
    Tone.WARNING: "yellow",
    Tone.LOSS: "magenta",
    Tone.BAD: "red",
    Tone.QUIET: "dim",
}


class Printer:
    """Prints for people; one per command."""

    def __init__(self, stream: IO[str], *, verbose: bool = False) -> None:
        """`verbose`: whether every row is printed, with its commands, however many there are."""
        self._verbose: Final = verbose
        self.console: Final = Console(file=stream, highlight=False, emoji=False, markup=False, soft_wrap=True)
        self._is_plain: Final = not self.console.is_terminal
        if self._is_plain:
            self.console.width = _PLAIN_WIDTH

    def say(self, text: str = "", style: str | Style = "") -> None:
        """Print one line of ours or from outside; never markup. Where nothing is coloured, without rich's work."""
        if self._is_plain:
            self.say_at_once(text)
        else:
            self.console.print(Text(text, style=style))

    def say_at_once(self, text: str) -> None:
        """Print a line from a signal handler, which may have broken into another print: not by way of rich."""
        self.console.file.write(f"{text}\n")

    def event(self, event: Event) -> None:
        """Print one line of the live log."""
        who = f"{event.host or 'run':<14}"
        clock = f"{event.time.astimezone():%H:%M:%S}"
        words = event_line(event)
        style = "bold" if event.kind is EventKind.COMMAND else _STYLE[words.tone]
        self.say(f"{clock}  {who} {words.text}", style)

    def nodes(self, cluster: Cluster) -> None:
        """Print the table of what was found."""
        regions = any(node.region for node in cluster)
        table = _table("node", *(("region",) if regions else ()), "ssh", "internal address", "pod CIDR", "rests on", "")
        for node in cluster:
            cells = (
                node.name,
                *((node.region or "–",) if regions else ()),
                str(node.ssh or "none"),
                str(node.internal or "none"),
                str(node.pod_cidr or "–"),
                CIDR_SOURCE_LABELS[node.pod_cidr_source] if node.is_worker else "",
                "" if node.is_visited else str(node.selection),
            )
            table.add_row(*(Text(cell) for cell in cells))
        self._whole(table)

    def findings(self, findings: Iterable[Finding]) -> None:
        """Print each finding with its level, sentence and hint; whoever wants all gets what explains it too."""
        for finding in findings:
            self.say(f"{level_word(finding)}: {finding.sentence}", _STYLE[level_tone(finding)])
            if finding.hint:
                self.say(f"    {finding.hint}", "dim")
            if self._verbose:
                self.say(f"    Why: kthw-routes explain {finding.code}", "dim")

    def plan(self, cluster: Cluster, plan: Plan) -> None:
        """Print the route matrix, then the difference per host with reasons and exact commands."""
        workers = [w.name for w in cluster.workers]
        if len(workers) <= _MAX_MATRIX:
            self._matrix(matrix_sources(cluster, plan), workers, plan)
        self.hosts(cluster, plan)

    def hosts(self, cluster: Cluster, plan: Plan) -> None:
        """Print the difference per host; of many workers what is usual in counts, the rest in full."""
        workers = {w.name for w in cluster.workers}
        is_large = sum(host.node in workers for host in plan.hosts) > MAX_HOSTS_WHOLE and not self._verbose
        width = max((len(host.node) for host in plan.hosts), default=0)
        if is_large:
            self.say()
        for host in plan.hosts:
            if is_large:
                self._counts(host, width)
            else:
                self._host(host)

    def _counts(self, host: HostPlan, width: int) -> None:
        """Print how many rows of each kind a host has, and those that need a look in full."""
        found = Counter(row.kind for row in host.rows)
        counts = ", ".join(f"{found[kind]} {kind}" for kind in ChangeKind if found[kind])
        self.say(f"{host.node:<{width}}  {counts or 'nothing to do'}")
        self._rows(host, [row for row in host.rows if row.kind not in _USUAL] if found.keys() - _USUAL else [])

    def _matrix(self, sources: Iterable[str], workers: list[str], plan: Plan) -> None:
        table = _table("from \\ to", *workers)
        for source in sources:
            host = plan.host(source)
            row = [Text(source)]
            row += [_text(matrix_cell(host, source, target)) for target in workers]
            table.add_row(*row)
        self._whole(table)

    def _host(self, host: HostPlan) -> None:
        rows = [row for row in host.rows if self._verbose or row.kind is not ChangeKind.KEEP]
        if rows or host.hosts_file_problem:
            self.say()
            self.say(host.node, "bold")
            self._rows(host, rows)

    def _rows(self, host: HostPlan, rows: Sequence[Change]) -> None:
        """Print rows of a host, and what is wrong with its files."""
        for row in rows:
            self._row(row)
        if host.persistence and host.persistence.reason and any(isinstance(row, FileChange) for row in rows):
            self.say(f"  found  {host.persistence.reason}", "dim")
        if host.hosts_file_problem:
            self.say(f"  ? {host.hosts_file_problem}", "yellow")

    def _row(self, row: Change) -> None:
        """Print a row, with all its details where it changes something."""
        self.say(f"  {row.kind.mark} {row.kind:<8}{row.title}   {row.reason}", _STYLE[KIND_TONE[row.kind]])
        for detail in row.details if row.kind.is_change else ():
            line = f"{detail.label:<7}{detail.text}" if detail.label else detail.text
            for part in line.split("\n"):
                self.say(f"      {part}", "dim" if detail.label else "")

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        """Print a table of plain words."""
        table = _table(*columns)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._whole(table)

    def _whole(self, table: Table) -> None:
        """Print a table of which nothing is cut, however narrow the terminal: a cut address is another address."""
        wide = self.console.options.update(width=_UNBOUNDED)
        drawn = self.console.render(table, wide.update(width=Measurement.get(self.console, wide, table).maximum))
        self.console.print(Segments(drawn), end="")

    def report(self, report: Report) -> None:
        """Print how every host ended; of many, those of which there is nothing more to say, in a line."""
        self.say()
        outcomes = list(report.outcomes.values())
        usual = [o for o in outcomes if not o.sentence and not o.hint]
        if len(usual) > MAX_HOSTS_WHOLE and not self._verbose:
            for state, alike in groupby(sorted(usual, key=lambda o: o.state), key=lambda o: o.state):
                self.say(f"{shortened(o.node for o in alike)}: {state}", _STYLE[state_tone(state)])
            outcomes = [o for o in outcomes if o.sentence or o.hint]
        for outcome in outcomes:
            self.say(f"{outcome.node}: {outcome.state}", _STYLE[state_tone(outcome.state)])
            if outcome.sentence:
                self.say(f"    {outcome.sentence}")
            if outcome.hint:
                self.say(f"    {outcome.hint}", "dim")

    def proof(self, proof: Proof) -> None:
        """Print the evidence, the matrix, and for what fails what was seen. The headline is for the verdict."""
        if not proof.pairs:
            return
        self.say()
        self.say(f"Evidence: {proof.evidence_words}.")
        workers = list(dict.fromkeys(p.source for p in proof.pairs))
        if len(workers) <= _MAX_MATRIX:
            table = _table("from \\ to", *workers)
            for source in workers:
                table.add_row(Text(source), *(_text(proof_cell(proof, source, target)) for target in workers))
            self._whole(table)
        for sentence in explanations(proof):
            self.say(sentence)

    def verdict(self, words: str, *, is_good: bool) -> None:
        """Print the last line: how it ended."""
        self.say()
        self.say(words, "bold green" if is_good else "bold yellow")


def _text(words: Words) -> Text:
    return Text(words.text, _STYLE[words.tone])


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(Text(column), no_wrap=True, overflow="fold")
    return table
