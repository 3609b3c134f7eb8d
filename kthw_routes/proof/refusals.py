"""Why a worker's kernel would not forward packets for other workers' pods, by its verdict and the host's facts."""

from collections.abc import Iterable, Iterator, Mapping

from kthw_routes.facts import HostFacts
from kthw_routes.node_names import shortened
from kthw_routes.proof.readings import ForwardingCheck


def of_verdict(verdict: ForwardingCheck, facts: HostFacts | None = None) -> str:
    """Explain a forwarding verdict that says no.

    The kernel has the same words for several causes (measured): forwarding off and an `unreachable` route, the
    reverse path filter and a `blackhole`. The facts of the host distinguish them.
    """
    return f"{verdict.source} would not forward to {verdict.prefix} ({verdict.target}){_refusal(verdict, facts)}"


def of_verdicts(verdicts: Iterable[ForwardingCheck], facts: Mapping[str, HostFacts]) -> Iterator[str]:
    """Explain the verdicts that say no: each reason once for each worker, however many pod CIDRs it is about."""
    alike: dict[tuple[str, str], list[ForwardingCheck]] = {}
    for verdict in verdicts:
        if not verdict.forwards:
            reason = _refusal(verdict, facts.get(verdict.source))
            alike.setdefault((verdict.source, reason), []).append(verdict)
    for (source, reason), found in alike.items():
        if len(found) == 1:
            yield of_verdict(found[0], facts.get(source))
        else:
            yield f"{source} would not forward to the pod CIDRs of {shortened(v.target for v in found)}{reason}"


def _refusal(verdict: ForwardingCheck, facts: HostFacts | None) -> str:
    if facts is not None and not facts.ip_forward:
        return ": forwarding is off there (net.ipv4.ip_forward = 0). The CNI plugin turns it on."
    hole = (
        next((r for r in facts.routes if r.prefix == verdict.prefix and r.type != "unicast"), None) if facts else None
    )
    if hole is not None:
        return f": its table has a route of type {hole.type} for it."
    words = verdict.words.lower()
    if "no route to host" in words:
        return ": forwarding is off there, or there is no route. The CNI plugin turns forwarding on."
    if "cross-device" in words or "invalid argument" in words:
        return ": the reverse path filter (rp_filter) drops packets of that source on that interface."
    if "unreachable" in words:
        return ": it has no route to it."
    return f" through the right next hop: {verdict.words}"
