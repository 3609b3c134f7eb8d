"""The words that both the wizard and the command line show: cells of the matrices, counts, explanations, undo.

A word carries a tone, never a colour: each front end has its own colours for the tones, and none where there are none.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kthw_routes.cluster import Cluster, PodCidrSource
from kthw_routes.events import Event, EventKind, HostState
from kthw_routes.findings.hosts import names_of
from kthw_routes.findings.model import Finding, Level
from kthw_routes.findings.plan import ends_at_reboot, kept_by
from kthw_routes.node_names import shortened
from kthw_routes.persistence.text import listed
from kthw_routes.plan.changes import ChangeKind, HostPlan, Noun, Plan, StatedFile
from kthw_routes.proof import diagnosis, refusals
from kthw_routes.proof.diagnosis import pair_words
from kthw_routes.proof.readings import PairReading, Proof
from kthw_routes.proof.selection import MAX_ALONE
from kthw_routes.workflow.results import Report, Review

NEXT_LAB: Final = "12, Deploying the DNS Cluster Add-on"
"""What the tutorial goes on with."""

KEPT: Final = "These routes are kept after a reboot"
"""How the sentence begins where something that is at work at boot holds them."""
REBOOT: Final = "These routes end at the next reboot."
"""Of routes that no file holds."""


CIDR_SOURCE_LABELS: Final = {
    PodCidrSource.TYPED: "typed",
    PodCidrSource.CNI: "CNI",
    PodCidrSource.KUBELET: "kubelet",
    PodCidrSource.LABEL: "name",
    PodCidrSource.GUESS: "guess",
    PodCidrSource.UNKNOWN: "?",
}
"""What a pod CIDR rests on, in a word."""


class Tone(StrEnum):
    """How a word is meant, in addition to what it says."""

    PLAIN = "plain"
    GOOD = "good"
    NEW = "new"
    WARNING = "warning"
    LOSS = "loss"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Words:
    """A text with its tone."""

    text: str
    tone: Tone = Tone.PLAIN


KIND_TONE: Final = {
    ChangeKind.KEEP: Tone.GOOD,
    ChangeKind.ADD: Tone.NEW,
    ChangeKind.REPLACE: Tone.WARNING,
    ChangeKind.REMOVE: Tone.LOSS,
    ChangeKind.FOREIGN: Tone.WARNING,
    ChangeKind.STALE: Tone.WARNING,
}
_STATE_TONE: Final = {
    HostState.DONE: Tone.GOOD,
    HostState.NOTHING_TO_DO: Tone.GOOD,
    HostState.READ: Tone.GOOD,
    HostState.FAILED: Tone.BAD,
    HostState.NOT_CONFIRMED: Tone.BAD,
    HostState.SKIPPED: Tone.BAD,
    HostState.NOT_STARTED: Tone.WARNING,
}


def state_tone(state: HostState | None) -> Tone:
    """Return how a host's state is meant."""
    return _STATE_TONE.get(state, Tone.PLAIN) if state else Tone.PLAIN


def level_word(finding: Finding) -> str:
    """Return `✗ stop`, `✗ skip host`, `▲ warning`, `· notice`."""
    if finding.level is Level.STOP:
        return "✗ stop"
    if finding.level is Level.SKIP_HOST:
        return "✗ skip host"
    return "▲ warning" if finding.acknowledge else "· notice"


def level_tone(finding: Finding) -> Tone:
    """Return how a finding is meant."""
    if finding.level is not Level.NOTICE:
        return Tone.BAD
    return Tone.WARNING if finding.acknowledge else Tone.PLAIN


def event_line(event: Event) -> Words:
    """Return what an event says in a log, without its time and host."""
    match event.kind:
        case EventKind.COMMAND:
            return Words(f"$ {event.text}")
        case EventKind.STATE:
            word = str(event.state) if event.state else ""
            return Words(event.text if event.text == word else f"{word}: {event.text}", state_tone(event.state))
        case EventKind.ERROR:
            return Words(f"! {event.text}", Tone.BAD)
        case EventKind.OUTPUT | EventKind.NOTE:
            return Words(f"  {event.text}", Tone.QUIET)


def matrix_sources(cluster: Cluster, plan: Plan) -> tuple[str, ...]:
    """Return the nodes with a row in the route matrix: the workers, and what else gets routes to them."""
    workers = [w.name for w in cluster.workers]
    others = [h.node for h in plan.hosts if h.node not in workers and h.is_routed]
    return (*workers, *others)


def matrix_cell(host: HostPlan | None, source: str, target: str) -> Words:
    """Return a cell of the route matrix: a mark and a word."""
    if source == target:
        return Words("own pod CIDR", Tone.QUIET)
    change = next((c for c in host.routes if c.worker == target), None) if host else None
    if change is None:
        return Words("not looked at" if host is None else "–", Tone.QUIET)
    by_hand = change.kind is ChangeKind.KEEP and change.has and not change.has[0].is_tagged
    return Words(f"{change.kind.mark} {change.kind}{' (by hand)' if by_hand else ''}", KIND_TONE[change.kind])


def proof_cell(proof: Proof, source: str, target: str) -> Words:
    """Return a cell of the proof's matrix."""
    pair = proof.pair(source, target)
    if pair is None:
        return Words("–", Tone.QUIET)
    if pair.ok:
        return Words(f"✓ {pair_words(pair)}", Tone.GOOD)
    if not pair.tested:
        return Words("? not tested", Tone.WARNING)
    return Words(f"✗ {pair_words(pair)}", Tone.BAD)


def explanations(proof: Proof) -> tuple[str, ...]:
    """Return what was seen of the pairs that fail, each cause once, what to look at, why kernels would not forward."""
    lines: list[str] = []
    for found, (first, *others) in diagnosis.grouped(proof):
        lines.append(f"{first.source} → {first.target}: {found.sentence}")
        if others:
            lines.append(f"    The same: {_names_of_pairs(others)}.")
        lines += [f"    Ruled out: {', '.join(found.ruled_out)}."] if found.ruled_out else []
        lines.append(f"    Next: {found.shows}")
        lines += [f"    Fix: {found.fix}"] if found.fix else []
    lines += diagnosis.untested_reasons(proof)
    lines += _forwarding(proof)
    lines += diagnosis.bridge_filters(proof)
    lines += [proof.caveat] if proof.caveat else []
    lines += list(proof.unread)
    return tuple(lines)


def _names_of_pairs(pairs: Sequence[PairReading]) -> str:
    """Name pairs of workers; of many, how many there are, and the worker that is in all of them."""
    if len(pairs) <= MAX_ALONE:
        return ", ".join(f"{p.source} → {p.target}" for p in pairs)
    common = set.intersection(*({p.source, p.target} for p in pairs))
    return f"{len(pairs)} other pairs{f', all of {min(common)}' if common else ''}"


def _forwarding(proof: Proof) -> Iterator[str]:
    """Yield the kernels' own verdicts, where they say no; one sentence for all workers on which forwarding is off."""
    refused = [v for v in proof.verdicts if not v.forwards]
    judged = len({v.source for v in proof.verdicts})
    off = list(dict.fromkeys(v.source for v in refused if not proof.facts[v.source].ip_forward))
    if waiting := [name for name in off if not proof.facts[name].pods]:
        yield f"Not yet on {names_of(waiting, judged)}: forwarding is off until the first pod starts. Nothing to do."
    if closed := [name for name in off if proof.facts[name].pods]:
        yield f"Forwarding is off on {names_of(closed, judged)}, in spite of pods there (net.ipv4.ip_forward = 0)."
    explained = {(pair.source, pair.target) for pair in proof.failed}
    rest = (v for v in refused if v.source not in off and (v.source, v.target) not in explained)
    yield from refusals.of_verdicts(rest, proof.facts)


def summary(plan: Plan, unread: Sequence[str] = ()) -> str:
    """Return `4 route changes on 3 workers, 3 names on 1 controller`, or `Nothing to do.`

    `unread`: the names of the hosts that were to be visited and could not be read: nothing is known of those.
    """
    if unread and not plan.hosts:
        return "Nothing is known: no host could be read."
    but = f"; not read: {shortened(unread)}" if unread else ""
    if plan.is_empty and unread:
        return f"Nothing to do on {shortened(h.node for h in plan.hosts)}{but}"
    if plan.is_empty:
        if wish := unmet_request(plan):
            return f"Nothing that can be done. {wish}"
        if any(row.kind is ChangeKind.STALE and not isinstance(row, StatedFile) for h in plan.hosts for row in h.rows):
            return "Nothing to add or replace; what is stale is listed above, and stays until you ask to remove it."
        if plan.is_drift or any(h.hosts_file_problem for h in plan.hosts):
            return "Nothing that can be done here; what is not as it should be is listed above."
        return "Nothing to do: every route and name is as it should be."
    parts = (f"{count(n, noun.singular)}{noun.where} on {count(hosts, 'node')}" for noun, n, hosts in counts(plan))
    return f"{', '.join(parts)}{but}"


def counts(plan: Plan) -> Iterator[tuple[Noun, int, int]]:
    """Yield how many rows of each kind change something, and on how many hosts."""
    found: defaultdict[Noun, Counter[str]] = defaultdict(Counter)
    for host in plan.hosts:
        for row in host.due:
            found[row.noun][host.node] += 1
    for noun in sorted(found, key=lambda noun: noun.rank):
        yield noun, found[noun].total(), len(found[noun])


def unmet_request(plan: Plan) -> str:
    """Return what was asked for and cannot be, a sentence; empty where all can."""
    routed = [h for h in plan.hosts if h.is_routed]
    hosts = [h.node for h in plan.hosts if h.persistence is not None and h.persistence.problem]
    if not hosts:
        return ""
    where = names_of(hosts, len(routed), "nodes")
    return f"Not as asked for: nothing can keep the routes after a reboot that way on {where}; why is listed above."


def reboot_summary(plan: Plan, but_on: Collection[str] = ()) -> str:
    """Return whether the routes are kept after a reboot, and by what, in one sentence; empty where there are none.

    `but_on`: the hosts on which the plan was not carried out, or does not last.
    """
    routed = [h for h in plan.hosts if h.is_routed]
    there = [h for h in routed if h.node not in but_on]
    if not there:
        return ""
    others = [(h.node, file.path) for h in there for file in h.of(StatedFile) if file.stale]
    wrong = [f" On {node} others come back from {path}." for node, path in others]
    ends = [h.node for h in there if h.node not in dict(others) and ends_at_reboot(h)]
    persisted: dict[str, list[str]] = {}
    for host in there:
        if host.node not in ends and host.node not in dict(others):
            persisted.setdefault(_kept_by(host), []).append(host.node)
    if not persisted:
        return "".join([*([REBOOT] if ends else []), *wrong]).lstrip()
    by = "; ".join(f"by {what} on {names_of(hosts, len(routed), 'nodes')}" for what, hosts in persisted.items())
    but = f" On {names_of(ends, len(routed), 'nodes')} they end at the next reboot." if ends else ""
    return f"{KEPT}, {by}.{but}{''.join(wrong)}"


def _kept_by(host: HostPlan) -> str:
    """Name what keeps a host's routes: the manager that reads our file, files of its own configuration, or both."""
    manager = host.persistence.manager if host.persistence is not None else None
    return listed([*([str(manager)] if manager else []), *kept_by(host)]) or "a file"


def undo_summary(review: Review) -> str:
    """Return what an undo comes to: as `summary`, in the words of an undo where there is nothing to do."""
    read = [h.node for h in review.plan.hosts if h.is_readable]
    unread = [n.name for n in review.inspection.cluster.visited if n.name not in read]
    if not review.plan.is_empty or not review.plan.hosts:
        return summary(review.plan, unread)
    if unread:
        where = f"Nothing to undo on {shortened(read)}" if read else "Nothing can be undone"
        return f"{where}; not read: {shortened(unread)}."
    return "Nothing to undo: it is as before that run already, or was changed since."


def plan_verdict(review: Review) -> str:
    """Return what would change, in one sentence, which names the hosts that could not be read."""
    planned = {host.node for host in review.plan.hosts}
    return summary(review.plan, [n.name for n in review.inspection.cluster.visited if n.name not in planned])


def check_verdict(review: Review, proof: Proof) -> str:
    """Return whether hosts are as they should be, and whether traffic gets through."""
    drift = ("Drift.",) if review.plan.is_drift else ()
    return _sentences(*drift, plan_verdict(review), proof.headline)


def apply_verdict(report: Report, proof: Proof | None) -> str:
    """Return how an apply ended, and whether traffic gets through."""
    wish = unmet_request(report.review.plan)
    done = plan_verdict(report.review) if report.review.plan.is_empty else _what_was_done(report, "Done")
    headline = proof.headline if proof is not None else "Traffic was not tested."
    return _sentences(done, *((wish,) if wish and wish not in done else ()), headline)


def undo_verdict(report: Report) -> str:
    """Return how an undo ended."""
    return _sentences(undo_summary(report.review) if report.review.plan.is_empty else _what_was_done(report, "Undone"))


def _what_was_done(report: Report, word: str) -> str:
    if report.unfinished:
        return f"Not {word.lower()} on {shortened(report.unfinished)}"
    hosts = sum(outcome.changes_sent > 0 for outcome in report.outcomes.values())
    unread = report.review.inspection.troubles
    but = f"; not read: {shortened(unread)}" if unread else ""
    return f"{word}: {count(report.changed, 'change')} on {count(hosts, 'node')}{but}"


def _sentences(*parts: str) -> str:
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts)


def count(number: int, noun: str) -> str:
    """Return `1 route`, `2 routes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
