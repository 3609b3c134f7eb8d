"""What a source found."""

from dataclasses import dataclass

from kthw_routes.cluster import Cluster
from kthw_routes.findings.model import Finding


@dataclass(frozen=True, slots=True)
class Discovery:
    """The answer of a source."""

    cluster: Cluster
    findings: tuple[Finding, ...] = ()
    """What the source itself reports (a token that may do too much, a pattern that nothing matches). What follows
    from the cluster is not here: `findings.of_cluster` and `regions.findings` say it, again after each correction."""
    others: int = 0
    """How many instances were found and ignored."""
    token_scopes: frozenset[str] | None = None
    """What the token may do; None where the source has no token or does not report it."""
