"""What the command line prints: findings, the plan, live lines, how hosts ended, the matrix of the proof.

rich draws the tables; where stdout is no terminal it is plain text. Nothing from outside is ever read as markup.
"""

from collections.abc import Iterable
from typing import IO, Final

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from kthw_routes import diagnosis, transcript
from kthw_routes.changes import ChangeKind
from kthw_routes.cluster import Cluster
from kthw_routes.events import Event, EventKind, HostState
from kthw_routes.findings import Finding, Level
from kthw_routes.plan import HostPlan, Plan, RouteChange, describe
from kthw_routes.proof import Proof
from kthw_routes.workflow import Report

_PLAIN_WIDTH: Final = 200
"""Columns where the output goes into a file or a pipe, so that no sentence is cut."""

_KIND: Final = {
    ChangeKind.KEEP: "green",
    ChangeKind.ADD: "cyan",
    ChangeKind.REPLACE: "yellow",
    ChangeKind.REMOVE: "magenta",
    ChangeKind.FOREIGN: "yellow",
    ChangeKind.STALE: "yellow",
}
_STATE: Final = {
    HostState.DONE: "green",
    HostState.NOTHING_TO_DO: "green",
    HostState.READ: "green",
    HostState.FAILED: "red",
    HostState.NOT_CONFIRMED: "red",
    HostState.SKIPPED: "red",
    HostState.NOT_STARTED: "yellow",
}


def level_word(finding: Finding) -> str:
    """`✗ stop`, `✗ skip host`, `▲ warning`, `· notice`."""
    if finding.level is Level.STOP:
        return "✗ stop"
    if finding.level is Level.SKIP_HOST:
        return "✗ skip host"
    return "▲ warning" if finding.acknowledge else "· notice"


class Printer:
    """Prints for people; one per command."""

    def __init__(self, stream: IO[str]) -> None:
        self.console: Final = Console(file=stream, highlight=False, emoji=False, markup=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = _PLAIN_WIDTH

    def say(self, text: str = "", style: str | Style = "") -> None:
        """One line of ours or from outside; never markup."""
        self.console.print(Text(text, style=style))

    def event(self, event: Event) -> None:
        """One line of the live log."""
        who = f"{event.host or 'run':<14}"
        clock = f"{event.time.astimezone():%H:%M:%S}"
        match event.kind:
            case EventKind.COMMAND:
                self.say(f"{clock}  {who} $ {event.text}", "bold")
            case EventKind.STATE:
                word = str(event.state) if event.state else ""
                text = word if event.text == word else f"{word}: {event.text}"
                self.say(f"{clock}  {who} {text}", _STATE.get(event.state, "") if event.state else "")
            case EventKind.ERROR:
                self.say(f"{clock}  {who} ! {event.text}", "red")
            case EventKind.OUTPUT | EventKind.NOTE:
                self.say(f"{clock}  {who}   {event.text}", "dim")

    def nodes(self, cluster: Cluster) -> None:
        """The table of what was found."""
        table = _table("node", "region", "ssh", "internal address", "pod CIDR", "rests on", "")
        for node in cluster:
            table.add_row(
                *(
                    Text(x)
                    for x in (
                        node.name,
                        node.region or "–",
                        str(node.ssh or "none"),
                        str(node.internal or "none"),
                        str(node.pod_cidr or "–"),
                        str(node.pod_cidr_source) if node.is_worker else "",
                        "" if node.is_visited else str(node.selection),
                    )
                )
            )
        self.console.print(table)

    def findings(self, findings: Iterable[Finding]) -> None:
        """Each finding with its level, sentence and hint."""
        for finding in findings:
            style = "red" if finding.level is not Level.NOTICE else "yellow" if finding.acknowledge else ""
            self.say(f"{level_word(finding)}: {finding.sentence}", style)
            if finding.hint:
                self.say(f"    {finding.hint}", "dim")

    def plan(self, cluster: Cluster, plan: Plan) -> None:
        """The route matrix, then the difference per host with reasons and exact commands."""
        workers = [w.name for w in cluster.workers]
        if len(workers) <= 8:
            self._matrix(workers, plan)
        for host in plan.hosts:
            self._host(host)
        self.say()
        self.say(summary(plan), "bold")

    def _matrix(self, workers: list[str], plan: Plan) -> None:
        table = _table("from \\ to", *workers)
        for source in workers:
            host = plan.host(source)
            row = [Text(source)]
            row += [matrix_cell(host, source, target) for target in workers]
            table.add_row(*row)
        self.console.print(table)

    def _host(self, host: HostPlan) -> None:
        interesting = [c for c in host.routes if c.kind is not ChangeKind.KEEP]
        names = [n for n in host.names if n.kind is not ChangeKind.KEEP]
        if not interesting and not names and not host.hosts_file_problem:
            return
        self.say()
        self.say(host.node, "bold")
        for change in interesting:
            self._route(change)
        for name in names:
            line = f"  {name.kind.mark} {name.kind:<8}{name.address or ''} {name.name}   in /etc/hosts: {name.reason}"
            self.say(line, _KIND[name.kind])
        if host.hosts_file_problem:
            self.say(f"  ? {host.hosts_file_problem}", "yellow")

    def _route(self, change: RouteChange) -> None:
        owner = f" ({change.worker})" if change.worker else ""
        self.say(f"  {change.kind.mark} {change.kind:<8}{change.prefix}{owner}   {change.reason}", _KIND[change.kind])
        for route in change.has if change.kind.is_change else ():
            self.say(f"      has    {describe(route)} (proto {route.protocol})", "dim")
        if change.next_hop:
            self.say(f"      wants  via {change.next_hop}", "dim")
        for command in change.commands:
            self.say(f"      {command}")

    def report(self, report: Report) -> None:
        """How every host ended."""
        self.say()
        for outcome in report.outcomes.values():
            self.say(f"{outcome.node}: {outcome.state}", _STATE.get(outcome.state, ""))
            if outcome.sentence:
                self.say(f"    {outcome.sentence}")
            if outcome.hint:
                self.say(f"    {outcome.hint}", "dim")

    def proof(self, proof: Proof) -> None:
        """The headline, the evidence, the matrix, and for what fails what was seen."""
        self.say()
        self.say(proof.headline, "bold green" if proof.is_proved else "bold yellow")
        if not proof.pairs:
            return
        self.say(f"Evidence: {proof.evidence.words}.")
        workers = list(dict.fromkeys(p.source for p in proof.pairs))
        if len(workers) <= 8:
            table = _table("from \\ to", *workers)
            for source in workers:
                table.add_row(Text(source), *(proof_cell(proof, source, target) for target in workers))
            self.console.print(table)
        for sentence in explanations(proof):
            self.say(sentence)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(Text(column), no_wrap=True, overflow="fold")
    return table


def matrix_cell(host: HostPlan | None, source: str, target: str) -> Text:
    """A cell of the route matrix: a mark and a word."""
    if source == target:
        return Text("own pod CIDR", "dim")
    change = next((c for c in host.routes if c.worker == target), None) if host else None
    if change is None:
        return Text("not read" if host is None else "–", "dim")
    by_hand = change.kind is ChangeKind.KEEP and change.has and not change.has[0].is_tagged
    return Text(f"{change.kind.mark} {change.kind}{' (by hand)' if by_hand else ''}", _KIND[change.kind])


def proof_cell(proof: Proof, source: str, target: str) -> Text:
    """A cell of the proof's matrix."""
    pair = proof.pair(source, target)
    if pair is None:
        return Text("–", "dim")
    words = transcript.pair_words(pair)
    if pair.ok:
        return Text(f"✓ {words}", "green")
    if not pair.tested:
        return Text("? not tested", "yellow")
    return Text(f"✗ {words}", "red")


def explanations(proof: Proof) -> tuple[str, ...]:
    """For each pair that fails, what was seen and what to look at; for each kernel that would not forward, why."""
    lines: list[str] = []
    for pair in proof.failed:
        found = transcript.explain(proof, pair)
        lines.append(f"{pair.source} → {pair.target}: {found.sentence}")
        lines.append(f"    Next: {found.next_step}")
    lines += [f"{p.source} → {p.target}: not tested, {p.problem}" for p in proof.untested]
    lines += [diagnosis.of_verdict(v) for v in proof.verdicts if not v.forwards]
    if proof.pairs and proof.evidence.value < 3 and not proof.failed and not proof.untested:
        lines.append("Forwarding was not tested by traffic: that takes pods on every worker.")
    lines += list(proof.unread)
    return tuple(lines)


def summary(plan: Plan) -> str:
    """`4 route changes on 3 workers, 3 names on 1 controller`, or `Nothing to do.`"""
    if plan.is_empty:
        return "Nothing to do: every route and name is as it should be."
    routes = sum(h.route_changes for h in plan.hosts)
    workers = sum(1 for h in plan.hosts if h.route_changes)
    names = sum(h.name_changes for h in plan.hosts)
    controllers = sum(1 for h in plan.hosts if h.name_changes)
    parts = []
    if routes:
        parts.append(f"{_count(routes, 'route change')} on {_count(workers, 'worker')}")
    if names:
        parts.append(f"{_count(names, 'name')} in /etc/hosts on {_count(controllers, 'controller')}")
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
