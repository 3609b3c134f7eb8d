"""Summaries in a line or two: the header, how a run ended, what is left on the terminal. Pure."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kthw_routes.cluster import Cluster
from kthw_routes.events import HostState
from kthw_routes.findings.hosts import names_of
from kthw_routes.persistence.managers import manager_of, short_name
from kthw_routes.plan.changes import ChangeKind, Plan
from kthw_routes.proof.readings import Proof
from kthw_routes.sanitize import clean_line
from kthw_routes.wizard.state import SourceChoice
from kthw_routes.wizard.themes import dim
from kthw_routes.words import Tone, Words, reboot_summary
from kthw_routes.workflow.results import Report, Review

_UNTOUCHED: Final = (ChangeKind.FOREIGN, ChangeKind.STALE)


def describe_place(source: SourceChoice, cluster: Cluster | None) -> str:
    """Return the header: `Linode · eu-west · 3 workers`. `cluster`: the nodes, where they were found."""
    parts = [clean_line(Path(source.path).name) or str(source.kind)]
    if cluster is None:
        parts += [source.lab_region] if source.lab_region else []
    else:
        parts += dict.fromkeys(w.region for w in cluster.workers if w.region)
        number = len(cluster.workers)
        parts.append(f"{number} worker" if number == 1 else f"{number} workers")
    return " · ".join(parts)


def list_last_words(report: Report, proof: Proof | None, *, is_lab: bool) -> Iterator[str]:
    """Yield what to leave on the terminal after a run: what is done and what is not."""
    undoes = report.review.undoes
    done = [o.node for o in report.outcomes.values() if o.state is HostState.DONE]
    if undoes:
        yield f"Undone: run {undoes} on {', '.join(done)}." if done else "Nothing was confirmed as undone."
    else:
        yield f"Done: {', '.join(done)}." if done else "Nothing was confirmed as done."
    yield from (f"{name}: {report.outcomes[name].state}." for name in report.unfinished)
    if not undoes:
        yield proof.headline if proof else "Nothing was proved."
    if is_lab:
        yield "The practice lab and its transcript are deleted."
    elif report.folder is not None:
        yield f"Transcript: {report.folder / 'transcript.md'}"
        yield f"To undo it: kthw-routes undo {report.folder.name}"


def describe_reboot(report: Report | None, plan: Plan) -> tuple[str, ...]:
    """Return whether the routes are kept after a reboot, and the files; of a run, for the hosts that it changed."""
    if report is not None and report.folder is not None:
        well = {n for n, o in report.outcomes.items() if o.state in (HostState.DONE, HostState.NOTHING_TO_DO)}
        plan = Plan(tuple(h for h in plan.hosts if h.node in well))
    if not any(h.is_routed for h in plan.hosts):
        return ()
    by_file: dict[str, list[str]] = {}
    for host in plan.hosts:
        for file in host.files:
            stays = file.after is not None and file.kind is not ChangeKind.STALE
            if file.is_ours and stays and manager_of(file.path) is not None:
                by_file.setdefault(short_name(file.path), []).append(host.node)
    number = sum(1 for h in plan.hosts if h.is_routed)
    lines = (f"  {name} on {names_of(hosts, number, 'nodes')}" for name, hosts in by_file.items())
    return (reboot_summary(plan), *lines)


def list_untouched(review: Review) -> tuple[str, ...]:
    """List what an undo leaves untouched, as it was changed since: `worker-0 10.200.1.0/24: changed since …`."""
    left: list[str] = []
    for host in review.plan.hosts:
        left += [f"{host.node} {row.short}: {row.reason}" for row in host.rows if row.kind in _UNTOUCHED]
        left += [f"{host.node} /etc/hosts: {host.hosts_file_problem}"] if host.hosts_file_problem else []
    return (*left, *(f.sentence for f in review.findings))


def describe_undo(report: Report, *, is_lab: bool) -> list[Words | str]:
    """Return what an undo undid, what it left, and how to undo it; nothing of another run."""
    if not report.review.undoes:
        return []
    done = [n for n, o in report.outcomes.items() if o.state is HostState.DONE]
    hosts = names_of(done, len(report.outcomes), "hosts") if done else ""
    undone = f"Undone on {hosts} and read back: as before run {report.review.undoes}." if done else ""
    left = list_untouched(report.review)
    parts: list[Words | str] = [Words(undone, Tone.GOOD)]
    parts += [Words("\nLeft untouched:", Tone.WARNING)] if left else []
    parts += [f"\n  {line}" for line in left]
    if report.folder is not None and not is_lab:
        parts.append(dim(f"\nTo undo this undo: kthw-routes undo {report.folder.name}"))
    return parts
