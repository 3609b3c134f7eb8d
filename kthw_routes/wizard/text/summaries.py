"""What is said of a walk in a line or two: where one is, how a run ended, what is left on the terminal. Pure."""

from collections.abc import Iterator
from pathlib import Path

from kthw_routes.cluster import Cluster
from kthw_routes.events import HostState
from kthw_routes.findings.hosts import names_of
from kthw_routes.persistence.managers import manager_of, short_name
from kthw_routes.plan.changes import ChangeKind, Plan
from kthw_routes.proof.readings import Proof
from kthw_routes.sanitize import clean_line
from kthw_routes.wizard.state import SourceChoice
from kthw_routes.words import reboot_summary
from kthw_routes.workflow.results import Report, Review


def place(source: SourceChoice, cluster: Cluster | None) -> str:
    """Where one is: `Linode · eu-west · 3 workers`. `cluster`: the nodes, where they were found."""
    parts = [clean_line(Path(source.path).name) or str(source.kind)]
    if cluster is None:
        parts += [source.lab_region] if source.lab_region else []
    else:
        parts += dict.fromkeys(w.region for w in cluster.workers if w.region)
        number = len(cluster.workers)
        parts.append(f"{number} worker" if number == 1 else f"{number} workers")
    return " · ".join(parts)


def last_words(report: Report, proof: Proof | None, *, is_lab: bool) -> Iterator[str]:
    """What to leave on the terminal after a run: what is done and what is not."""
    undoes = report.review.undoes
    done = [o.node for o in report.outcomes.values() if o.state is HostState.DONE]
    if undoes:
        yield f"Taken back run {undoes} on {', '.join(done)}." if done else "Nothing was confirmed as taken back."
    else:
        yield f"Done: {', '.join(done)}." if done else "Nothing was confirmed as done."
    yield from (f"{name}: {report.outcomes[name].state}." for name in report.unfinished)
    if not undoes:
        yield proof.headline if proof else "Nothing was proved."
    if is_lab:
        yield "The practice lab is gone, and its transcript with it."
    elif report.folder is not None:
        yield f"Transcript: {report.folder / 'transcript.md'}"
        yield f"To take it back: kthw-routes undo {report.folder.name}"


def after_reboot(report: Report | None, plan: Plan) -> tuple[str, ...]:
    """Whether the routes survive a reboot, and by which file on which hosts; of a run, of the hosts that it did."""
    if report is not None and report.folder is not None:
        well = {n for n, o in report.outcomes.items() if o.state in (HostState.DONE, HostState.NOTHING_TO_DO)}
        plan = Plan(tuple(h for h in plan.hosts if h.node in well))
    if not any(c.next_hop is not None for h in plan.hosts for c in h.routes):
        return ()
    by_file: dict[str, list[str]] = {}
    for host in plan.hosts:
        for file in host.files:
            stays = file.after is not None and file.kind is not ChangeKind.STALE
            if file.is_ours and stays and manager_of(file.path) is not None:
                by_file.setdefault(short_name(file.path), []).append(host.node)
    number = sum(1 for h in plan.hosts if any(c.next_hop is not None for c in h.routes))
    lines = (f"  {name} on {names_of(hosts, number, 'nodes')}" for name, hosts in by_file.items())
    return (reboot_summary(plan), *lines)


def left_alone(review: Review) -> tuple[str, ...]:
    """What an undo leaves as it is, because it was changed since: `worker-0 10.200.1.0/24: changed since …`."""
    left: list[str] = []
    for host in review.plan.hosts:
        rows = [(str(c.prefix), c.kind, c.reason) for c in host.routes]
        rows += [(f"name {n.name}", n.kind, n.reason) for n in host.names]
        rows += [(short_name(f.path), f.kind, f.reason) for f in host.files]
        dim = (ChangeKind.FOREIGN, ChangeKind.STALE)
        left += [f"{host.node} {what}: {reason}" for what, kind, reason in rows if kind in dim]
        left += [f"{host.node} /etc/hosts: {host.hosts_file_problem}"] if host.hosts_file_problem else []
    return (*left, *(f.sentence for f in review.findings))


def undone(report: Report) -> str:
    """How taking a run back ended, in a sentence."""
    done = [n for n, o in report.outcomes.items() if o.state is HostState.DONE]
    hosts = names_of(done, len(report.outcomes), "hosts") if done else ""
    return f"Taken back on {hosts}, and read back: as before run {report.review.undoes}." if done else ""
