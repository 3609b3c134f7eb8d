"""Reading the hosts for the wizard: once for the review, and again to repair what the proof found. Blocks."""

from dataclasses import dataclass

from kthw_routes.cluster import Cluster
from kthw_routes.findings.model import Finding
from kthw_routes.options import Options
from kthw_routes.workflow.results import Review
from kthw_routes.workflow.workflow import Workflow


@dataclass(frozen=True, slots=True)
class InspectionResult:
    """What reading the hosts gave."""

    cluster: Cluster
    """As it was chosen when they were read."""
    findings: tuple[Finding, ...]
    review: Review


def inspect(workflow: Workflow, cluster: Cluster, options: Options) -> InspectionResult:
    """Read the hosts and review what would change with these options. Raises KthwRoutesError."""
    workflow.options = options
    inspection = workflow.inspect(cluster)
    return InspectionResult(cluster, inspection.findings, workflow.review(inspection))
