"""What each step gives: the inspection, the review, the report of a run, and the exit code that follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kthw_routes.cluster import Cluster
from kthw_routes.errors import ExitCode, KthwRoutesError
from kthw_routes.events import HostOutcome, HostState
from kthw_routes.facts import HostFacts
from kthw_routes.findings import cluster as cluster_findings
from kthw_routes.findings import hosts as host_findings
from kthw_routes.findings import model as finding_model
from kthw_routes.findings import regions
from kthw_routes.findings.model import Finding, Level
from kthw_routes.options import Options, RoutesOn
from kthw_routes.plan.changes import Plan, Planner
from kthw_routes.proof.readings import Proof


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the read-only visits gave."""

    cluster: Cluster
    """With the pod CIDRs that the hosts themselves use."""
    facts: Mapping[str, HostFacts]
    troubles: Mapping[str, KthwRoutesError] = field(default_factory=dict)
    """Hosts that are skipped, and why."""
    routes_on: RoutesOn = RoutesOn.WORKERS
    """Which nodes get routes, and so have next hops to judge."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that there is to say before the plan: of the cluster, its region, each host."""
        skipped = (
            Finding(code=_code(error), level=Level.SKIP_HOST, sentence=error.sentence, hint=error.hint, node=node)
            for node, error in self.troubles.items()
        )
        return (
            *cluster_findings.of_cluster(self.cluster),
            *regions.findings(self.cluster),
            *skipped,
            *host_findings.of_facts(self.cluster, self.facts, self.routes_on),
        )


@dataclass(frozen=True, slots=True)
class Review:
    """What would be done, and what there is to say of it. Nothing has been changed yet."""

    inspection: Inspection
    options: Options
    plan: Plan
    findings: tuple[Finding, ...]
    planner: Planner
    """What made the plan; makes it again from fresh readings just before the change, and after it."""
    undoes: str = ""
    """The run that this one undoes; empty for an apply."""
    left: frozenset[str] = frozenset()
    """The hosts on which rows of that run wait until a later one is undone."""
    settles: frozenset[str] = frozenset()
    """The hosts on which nothing of that run is left after this one, while the record has it otherwise so far."""

    @property
    def stops(self) -> tuple[Finding, ...]:
        """Why nothing can run; empty where it can."""
        return finding_model.stops(self.findings)


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended, host by host."""

    review: Review
    outcomes: Mapping[str, HostOutcome]
    folder: Path | None
    """The run's folder; None where there was nothing to do."""
    read_back: Mapping[str, HostFacts] = field(default_factory=dict)
    """What was read of each host after its changes, or last where there was nothing to do."""

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The hosts on which not all is done: what a retry is for."""
        return tuple(n for n, o in self.outcomes.items() if o.state not in (HostState.DONE, HostState.NOTHING_TO_DO))

    @property
    def changed(self) -> int:
        """How many changes were sent."""
        return sum(o.changes_sent for o in self.outcomes.values())


def _code(error: KthwRoutesError) -> str:
    """`HostKeyChanged` -> `host-key-changed`."""
    name = type(error).__name__
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


def exit_code(inspection: Inspection, report: Report | None, proof: Proof | None, *, drift: bool) -> ExitCode:
    """Return what the command line and the wizard return. Where several hold, the first of 1, 3, 4.

    `drift`: whether hosts that are not as they should be count (`check`, `plan --exit-code`).
    """
    untested = proof.untested if proof else ()
    refused = report is not None and any(h.persistence and h.persistence.problem for h in report.review.plan.hosts)
    if inspection.troubles or refused or (report and report.unfinished) or (proof and proof.unread):
        return ExitCode.FAILED
    if any(not p.left_out for p in untested):
        return ExitCode.FAILED
    if not drift and proof and any(host.lacks_names for host in proof.plan.hosts):
        return ExitCode.FAILED
    if drift and proof and proof.plan.is_drift:
        return ExitCode.DRIFT
    if proof and (proof.failed or (proof.probed and proof.cut_off)):
        return ExitCode.NO_TRAFFIC
    return ExitCode.DONE
