"""The last layers: what is lost between two nodes that are in order themselves, as far as that was read. Pure."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from kthw_routes.facts import HostFacts
from kthw_routes.netfilter import walk
from kthw_routes.netfilter.makers import maker_of
from kthw_routes.netfilter.rules import Hook, Packet
from kthw_routes.overlay.model import PORT
from kthw_routes.proof import walls
from kthw_routes.proof.case import Case
from kthw_routes.proof.causes import Cause, Layer, counted, in_words
from kthw_routes.proof.cloud import Judgement, Verdict, Way, judge
from kthw_routes.proof.readings import Evidence, PairReading

PAST_FILTER = (
    "Carry them past it: kthw-routes apply --overlay vxlan. Or let the provider pass packets with pod addresses (its "
    "source check, its firewall), or use a VLAN."
)
"""What helps where packets with pod addresses are dropped between nodes."""
_TUNNEL = f"Let UDP to port {PORT} pass between the workers' internal addresses."
_ITS_FIREWALL = ", or its firewall (Cloud Firewall, security group)"
"""Named as possible: it cannot be read from a node, and the provider's API has not been asked, or not answered."""


def lost_there(case: Case) -> Cause | None:
    """Find requests that left the source and never arrived at the target."""
    pair, nodes = case.pair, case.pair.nodes
    a, b = pair.source, pair.target
    if pair.at_target is None or pair.at_target.requests_in:
        return None
    if (cause := _dropped_by_cloud(case)) is not None:
        return cause
    or_firewall = _or_its_firewall(case, back=False)
    what = f"Something between the nodes drops packets with pod addresses: the provider's filter{or_firewall}"
    fix: str | None = PAST_FILTER
    shows = f"On {b}: {capture(case)}"
    if case.is_overlaid:
        what = (
            f"Something between the nodes drops the overlay's packets (UDP to port {PORT}): a firewall of the provider"
        )
        fix = _TUNNEL
        shows = f"On {b}: sudo tcpdump -ni any udp port {PORT}"
    if nodes is not None and not nodes.internal_answered:
        named = " (Cloud Firewall, security group)" if or_firewall == _ITS_FIREWALL else ""
        what = (
            f"The nodes do not get answers from each other's own addresses either: a firewall between them{named}, or "
            f"one on {b}"
        )
        fix = None
    elif not case.is_overlaid and case.is_of_pods and nodes is not None and nodes.arrived and not _is_masqueraded(case):
        what = (
            f"Packets from {a}'s pods' side reach {b} itself, and those to its pod do not: the provider's filter"
            f"{or_firewall}"
        )
    return Cause(
        layer=Layer.NETWORK_OUT,
        what=f"{what}{_or_nodes(case, back=False)}.",
        seen=f"{counted(pair)} {_between_nodes(pair)}".strip(),
        shows=shows,
        fix=fix,
        ruled_out=tuple(_in_order(case, back=False)),
    )


def not_answered(case: Case) -> Cause | None:
    """Find a target at which requests arrived and that did not reply."""
    b, at_target = case.pair.target, case.pair.at_target
    if at_target is None or not at_target.requests_in or at_target.replies_out:
        return None
    return Cause(
        layer=Layer.TARGET,
        what=f"{b} itself does not reply: a firewall there?",
        seen=counted(case.pair),
        shows=f"On {b}: sudo iptables -S; sudo nft list ruleset; sysctl net.ipv4.icmp_echo_ignore_all",
        host=b,
    )


def lost_back(case: Case) -> Cause | None:
    """Find replies that left the target and never arrived at the source."""
    pair, at_target = case.pair, case.pair.at_target
    if at_target is None or not at_target.requests_in or not at_target.replies_out:
        return None
    if case.is_overlaid:
        fix = _TUNNEL
        what = f"Something between the nodes drops the overlay's packets (UDP to port {PORT}) from {pair.target}"
    else:
        what = (
            "Something between the nodes drops replies whose source is a pod address: a source filter of the provider"
        )
        fix = PAST_FILTER
    other = next((p for p in case.proof.pairs if p.source == pair.target and p.nodes is not None), None)
    return Cause(
        layer=Layer.NETWORK_BACK,
        what=f"{what}{_or_its_firewall(case, back=True)}{_or_nodes(case, back=True)}.",
        seen=f"{counted(pair)} {_between_nodes(other) if other is not None else ''}".strip(),
        shows=f"On {pair.source}: {capture(case)}",
        fix=fix,
        ruled_out=tuple(_in_order(case, back=True)),
    )


def _dropped_by_cloud(case: Case) -> Cause | None:
    """Find a firewall of the provider, as its API describes it, that drops the requests for sure."""
    judged = _judgements(case, back=False)
    node, dropped = next(((n, j) for n, j in judged if j.verdict is Verdict.DROPPED), (None, None))
    if dropped is None:
        return None
    way, towards = ("outbound", "to") if node == case.pair.source else ("inbound", "from")
    what = f"TCP, UDP and ICMP {towards} {case.pods}"
    if case.is_overlaid:
        what = f"UDP to port {PORT} {towards} the workers' internal addresses"
    return Cause(
        layer=Layer.NETWORK_OUT,
        what=f"{dropped.words[:1].upper()}{dropped.words[1:]}.",
        seen=f"{counted(case.pair)} {_between_nodes(case.pair)}".strip(),
        shows=f"On {case.pair.target}: {capture(case)}",
        fix=f"In Cloud Manager, Firewalls: a rule that accepts {what}, {way}.",
        ruled_out=tuple(_in_order(case, back=False)),
    )


def _judgements(case: Case, *, back: bool) -> Iterator[tuple[str, Judgement]]:
    """Judge the requests, or the replies, by the provider's firewalls of both ends, as far as these were read.

    A pod's packet may carry its node's address; then it is dropped for sure only where both would be.
    """
    pair, proof = case.pair, case.proof
    a, b = (pair.target, pair.source) if back else (pair.source, pair.target)
    source, target = pair.source_address, pair.target_address
    if back:
        source, target = target, source
    inner_a, inner_b = _internal(case, a, b), _internal(case, b, a)
    if case.is_overlaid:
        sources, targets = [inner_a], [inner_b]
    else:
        sources = [source, inner_a] if case.is_of_pods and not back else [source]
        targets = [target, inner_b] if case.is_of_pods and back else [target]
    for node, way, others in ((a, Way.OUTBOUND, targets), (b, Way.INBOUND, sources)):
        known = [other for other in others if other is not None]
        if node not in proof.cloud or len(known) < len(others):
            continue
        protocol, port = ("UDP", PORT) if case.is_overlaid else ("ICMP", 0)
        found = [judge(node, proof.cloud[node], way, other, protocol=protocol, port=port) for other in known]
        worst = next((j for j in found if j.verdict is not Verdict.PASSES), found[0])
        if worst.verdict is Verdict.DROPPED and any(j.verdict is not Verdict.DROPPED for j in found):
            worst = Judgement(Verdict.UNSURE, worst.words)
        yield node, worst


def _internal(case: Case, host: str, other: str) -> IPv4Address | None:
    """Return the internal address of a host: the next hop of the other towards it."""
    table = case.table(other)
    return table.next_hops.get(host) if table is not None else None


def _or_its_firewall(case: Case, *, back: bool) -> str:
    """Name the provider's firewalls as possible, as far as they are not ruled out."""
    judged = [judgement for _, judgement in _judgements(case, back=back)]
    if len(judged) < 2:
        return _ITS_FIREWALL
    return "".join(f", or {j.words}" for j in judged if j.verdict is not Verdict.PASSES)


def capture(case: Case) -> str:
    """Return the command that shows which packets of this pair come by."""
    return f"sudo tcpdump -ni {_device(case.source, case.pair)} icmp and host {case.pair.target_address}"


def _or_nodes(case: Case, *, back: bool) -> str:
    """Name the nodes' own firewalls as far as they are not ruled out."""
    found = []
    for station in walls.stations(case, back=back):
        path = case.proof.paths.get(station.name)
        hit = walls.hit_at(case, station)
        if hit is not None:
            found.append(f"; or {station.name}: {walls.describe(hit, maker_of(hit, None).name)} may fit them")
        elif path is None:
            found.append(f"; or {station.name}'s own firewall, which was not read")
        elif path.unread:
            found.append(f"; or {station.name}'s own firewall, of which {', '.join(path.unread)} could not be read")
    return "".join(found)


def _between_nodes(pair: PairReading) -> str:
    """Tell what the two probes between the nodes themselves came to."""
    nodes = pair.nodes
    if nodes is None:
        return ""
    a, b = pair.source, pair.target
    was = "was" if nodes.internal_answered else "was not"
    own = f"Between the internal addresses of {a} and {b} a request {was} answered."
    if nodes.arrived is None or pair.evidence is not Evidence.POD:
        return own  # else the pair's own requests are those that the node counted
    side = f"{in_words(nodes.sent, 'request').capitalize()} from {a}'s own address on its pods' side to {b} itself: "
    return f"{side}{in_words(nodes.arrived)} arrived there. {own}"


def _in_order(case: Case, *, back: bool) -> Iterator[str]:
    """Yield what was read and is in order."""
    a, b = case.pair.source, case.pair.target
    if case.table(a) is not None and case.table(b) is not None and not case.astray_there and not case.astray_back:
        yield "the routes of both"
    if case.pair.nodes is not None and case.pair.nodes.internal_answered:
        yield "the next hops"
    hosts = [case.source, case.target]
    if case.is_of_pods and all(host is not None and host.ip_forward for host in hosts):
        yield "forwarding"
    ways = [(station, case.proof.paths.get(station.name)) for station in walls.stations(case, back=back)]
    looked = [path.lookups.get((station.way, station.other)) for station, path in ways if path is not None]
    if len(looked) == len(ways) and all(lookup is not None and not lookup.is_refused for lookup in looked):
        yield "policy rules and reverse path filters"
    judged = list(_judgements(case, back=back))
    if len(judged) == 2 and all(judgement.verdict is Verdict.PASSES for _, judgement in judged):
        has = [node for node, _ in judged if case.proof.cloud[node]]
        yield f"the Cloud Firewalls of {' and '.join(sorted(has))}" if has else "Cloud Firewalls: the nodes have none"
    closed = [s.name for s, path in ways if path is not None and not path.unread and walls.hit_at(case, s) is None]
    if closed:
        yield f"the firewall rules of {' and '.join(sorted(closed))}"


def _is_masqueraded(case: Case) -> bool:
    """Whether the source may have given its internal address to what it sent from its pods' side."""
    path, facts, target = case.proof.paths.get(case.pair.source), case.source, case.proof.table(case.pair.source)
    if path is None or path.unread or facts is None or facts.bridge is None or target is None:
        return True
    packet = Packet(source=facts.bridge.address.ip, destination=target.next_hops.get(case.pair.target), iif="")
    return walk.rewrites(path.tables, Hook.POSTROUTING, packet) is not False


def _device(facts: HostFacts | None, pair: PairReading) -> str:
    """Find the interface by which the source sends to the target; `any` where that is not known."""
    if facts is None or pair.target_address is None:
        return "any"
    through = [r for r in facts.routes if pair.target_address in r.prefix and r.device]
    best = max(through, key=lambda r: r.prefix.prefixlen, default=None)
    return best.device or "any" if best else "any"
