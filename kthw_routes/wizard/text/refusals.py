"""What stops *Next*. Pure."""

from collections.abc import Iterable, Sequence

from kthw_routes.findings.model import Finding, stops
from kthw_routes.words import count


def refuse_stops(findings: Iterable[Finding]) -> str | None:
    """Return what stops *Next*: the first *stop* among the findings, and how many more there are."""
    found = stops(findings)
    if not found:
        return None
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"Cannot continue: {found[0].sentence}{more}"


def refuse_unticked(findings: Sequence[object], how: str = "tick “I know” at", where: str = "above") -> str | None:
    """Return what stops *Next*: warnings without a tick. `how`: what to do with each, `where`: in which list."""
    return f"To continue: {how} {count(len(findings), 'warning')} {where}." if findings else None
