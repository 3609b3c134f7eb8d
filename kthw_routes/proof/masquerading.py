"""Whether a node gives its own address to what its pods send to other workers' pods, by its nat rules. Pure."""

from kthw_routes.netfilter import walk
from kthw_routes.netfilter.rules import Hook, Packet
from kthw_routes.proof.case import Case
from kthw_routes.proof.readings import Masquerading


def masquerading(case: Case) -> Masquerading:
    """Judge the requests of a pair of pods where they leave the source's node."""
    pair, path = case.pair, case.proof.paths.get(case.pair.source)
    if path is None or path.unread:
        return Masquerading(None)
    request = Packet(
        source=pair.source_address,
        destination=pair.target_address,
        iif=case.bridge(pair.source),
        oif=case.uplink(pair.source, pair.target),
    )
    happens, rule = walk.rewriting(path.tables, Hook.POSTROUTING, request)
    return Masquerading(happens, rule.text if rule is not None else None)
