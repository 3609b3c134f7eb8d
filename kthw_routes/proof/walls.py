"""The layers inside of a host that the main table does not show: policy rules, reverse path filter, firewall. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.netfilter import walk
from kthw_routes.netfilter.makers import maker_of
from kthw_routes.netfilter.rules import Hook, Packet
from kthw_routes.netfilter.walk import Hit
from kthw_routes.overlay.model import PORT
from kthw_routes.proof.case import Case
from kthw_routes.proof.causes import Cause, Layer, counted
from kthw_routes.proof.masquerading import masquerading
from kthw_routes.proof.path import HostPath, Way
from kthw_routes.proof.readings import Proof

_STRICT: Final = ("cross-device", "invalid argument")
"""What a kernel says of a packet that its reverse path filter drops (measured: old and new kernels)."""

_MAX_ALL_PAIRS: Final = 30
"""Workers of which every pair is judged by the rules of its ends."""


@dataclass(frozen=True, slots=True)
class _Station:
    """A host on the way of a packet, and whether the packet is a request, on the way there, or a reply."""

    name: str
    other: str
    way: Way
    is_reply: bool


def stations(case: Case, *, back: bool) -> tuple[_Station, _Station]:
    """List the hosts by which requests, or replies, of this pair come, in order."""
    a, b = (case.pair.target, case.pair.source) if back else (case.pair.source, case.pair.target)
    return _Station(a, b, Way.OUT, back), _Station(b, a, Way.IN, back)


def directions(case: Case) -> tuple[bool, ...]:
    """Return where packets may have been lost, by the counters: on the way there (False), back (True), or either."""
    at_source, at_target = case.pair.at_source, case.pair.at_target
    if at_target is None:
        return False, True
    if not at_target.requests_in:
        return (False,)
    return (True,) if at_target.replies_out and not (at_source and at_source.replies_in >= case.pair.sent) else ()


def policy_rules(case: Case) -> Cause | None:
    """Find a kernel that sends packets elsewhere than its main table says: another table, or a rule that refuses."""
    for station in _ways(case):
        path = case.proof.paths.get(station.name)
        lookup = path.lookups.get((Way.OUT, station.other)) if path is not None else None
        if station.way is not Way.OUT or path is None or _is_strict(case, station, path):
            continue
        table = case.proof.table(station.name)
        hop = table.next_hops.get(station.other) if table is not None else None
        if hop is None or (lookup is not None and not lookup.is_refused and f"via {hop} " in f"{lookup.words} "):
            continue
        source, destination = case.pair.source_address, case.pair.target_address
        own, other = (destination, source) if station.is_reply else (source, destination)
        fitting = [rule for rule in path.policy_rules if rule.may_fit(own, other)]
        astray = [rule for rule in fitting if rule.leads_astray(other, hop)]
        if lookup is None:  # then only what the tables say for sure
            fitting = [rule for rule in astray if rule.is_of_addresses_only and rule is fitting[0]]
        if not fitting:
            continue
        rule = (astray or fitting)[0]
        route = rule.route_for(other)
        does = (
            "refuses them" if lookup is not None and lookup.is_refused else "sends them elsewhere than the main table"
        )
        return Cause(
            layer=Layer.POLICY,
            what=f"A policy rule of {station.name}, `{rule.text}`, {does}{f': {lookup.words}' if lookup else ''}.",
            seen=" ".join(
                words
                for words in (f"Table {rule.table} has `{route[0]}`." if route else "", counted(case.pair))
                if words
            ),
            shows=f"On {station.name}: ip rule; ip route show table all",
            fix=f"On {station.name}: look pods up in the main table: sudo ip rule add to {case.pods} lookup main "
            "priority 10",
            host=station.name,
        )
    return None


def reverse_path(case: Case) -> Cause | None:
    """Find a kernel whose reverse path filter drops the packets where they come in."""
    for station in _ways(case):
        path = case.proof.paths.get(station.name)
        if path is None or not _is_strict(case, station, path):
            continue
        device = _came_in_by(case, station, path)
        mode = path.effective_rp_filter(device or "")
        return Cause(
            layer=Layer.REVERSE_PATH,
            what=f"{station.name}'s reverse path filter{'' if mode is None else f' (rp_filter = {mode})'} drops them: "
            f"they come in by {device}, and its own route back to their source does not lead there.",
            seen=f"{station.name}'s kernel: {path.lookups[station.way, station.other].words}. "
            f"{counted(case.pair)}".rstrip(),
            shows=f"On {station.name}: sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.{device}.rp_filter",
            fix=f"On {station.name}: sudo sysctl -w net.ipv4.conf.{device}.rp_filter=2, or give it the route back by "
            f"{device}.",
            host=station.name,
        )
    return None


def _came_in_by(case: Case, station: _Station, path: HostPath) -> str | None:
    return path.in_device if station.way is Way.IN else case.bridge(station.name) if case.is_of_pods else None


def _is_strict(case: Case, station: _Station, path: HostPath) -> bool:
    """Whether the kernel's answer is that of its reverse path filter; a `blackhole` is answered alike (measured)."""
    lookup, device = path.lookups.get((station.way, station.other)), _came_in_by(case, station, path)
    if lookup is None or device is None or not lookup.is_refused or path.effective_rp_filter(device) == 0:
        return False
    return any(words in lookup.words.lower() for words in _STRICT)


def firewall(case: Case) -> Cause | None:
    """Find the rule of a node's own firewall that drops the packets for sure."""
    for back in directions(case):
        for station in stations(case, back=back):
            if (hit := hit_at(case, station)) is not None and hit.is_certain:
                return dropped_by(case, station.name, hit, counted(case.pair))
    return None


def tunnel(case: Case) -> Cause | None:
    """Find the rule of a node's own firewall that drops the overlay's UDP packets for sure."""
    for back in directions(case) if case.is_overlaid else ():
        there, here = stations(case, back=back)
        addresses = [_internal(case, station.name) for station in (there, here)]
        packet = Packet(source=addresses[0], destination=addresses[1], protocol="udp", port=PORT)
        for station, hook, iif, oif in ((there, Hook.OUTPUT, "", None), (here, Hook.INPUT, None, "")):
            path = case.proof.paths.get(station.name)
            hit = walk.drops(path.tables, hook, replace(packet, iif=iif, oif=oif)) if path is not None else None
            if path is None or hit is None or not hit.is_certain:
                continue
            maker = maker_of(hit, case.proof.pods)
            return Cause(
                layer=Layer.FIREWALL,
                what=f"{station.name} itself drops the overlay's packets (UDP to port {PORT}): "
                f"{describe(hit, maker.name)}.",
                seen=counted(case.pair),
                shows=f"On {station.name}: {maker.shows}",
                fix=f"On {station.name}: accept UDP port {PORT} from the workers' internal addresses there: "
                f"{_accepting(maker.name, addresses[0])}",
                host=station.name,
            )
    return None


def _internal(case: Case, host: str) -> IPv4Address | None:
    """Return the address of a host that the overlay's packets come from, and go to."""
    facts = case.proof.facts.get(host)
    return facts.overlay.state.device.local if facts is not None and facts.overlay.state.device is not None else None


def _accepting(maker: str, source: IPv4Address | None) -> str:
    """Return the command that accepts the overlay's packets from one peer, in the words of what made the rule."""
    match maker:
        case "ufw":
            return f"sudo ufw allow proto udp from {source} to any port {PORT}"
        case "firewalld":
            return f"sudo firewall-cmd --permanent --add-port={PORT}/udp; sudo firewall-cmd --reload"
        case _:
            return f"sudo iptables -I INPUT -s {source} -p udp --dport {PORT} -j ACCEPT"


def only_pings(case: Case) -> Cause | None:
    """Find a node whose firewall lets pings pass, as this pair's, and no connections: ufw does so by default."""
    hit = None
    if case.pair.is_answered and case.pair.only_pings is not None:
        hit = _drops_connections(case)
    if hit is None:
        return None
    cause = dropped_by(case, hit[0], hit[1], "")
    dropped = describe(hit[1], maker_of(hit[1], None).name)
    return replace(cause, what=f"Pings get through, and {hit[0]} itself drops connections between pods: {dropped}.")


def with_connections(proof: Proof) -> Proof:
    """Return a proof in which pairs that answered are marked where a firewall drops all but pings, by its own rules.

    Of many workers each is judged once as the source and once as the target.
    """
    workers = list(dict.fromkeys(pair.source for pair in proof.pairs))
    next_one = dict(zip(workers, (*workers[1:], *workers[:1]), strict=True))
    found = []
    for pair in proof.pairs:
        is_judged = pair.ok and (len(workers) <= _MAX_ALL_PAIRS or next_one[pair.source] == pair.target)
        hit = _drops_connections(Case(pair=pair, proof=proof)) if is_judged else None
        found.append(replace(pair, only_pings=hit[0]) if hit is not None else pair)
    return replace(proof, pairs=tuple(found)) if any(pair.only_pings for pair in found) else proof


def _drops_connections(case: Case) -> tuple[str, Hit] | None:
    """Return the node that drops the packets of a TCP connection between two pods for sure, and its rule."""
    for back in (False, True) if case.is_of_pods else ():
        for station in stations(case, back=back):
            hit = hit_at(case, station, "tcp")
            if hit is not None and hit.is_certain:
                return station.name, hit
    return None


def rejecting(case: Case, host: str) -> Hit | None:
    """Return the rule by which a host rejects the requests, as it said that it does; None where none is known."""
    found = (station for station in stations(case, back=False) if station.name == host)
    return next((hit for station in found if (hit := hit_at(case, station)) is not None and hit.rejects), None)


def dropped_by(case: Case, host: str, hit: Hit, seen: str, words: str = "") -> Cause:
    """Return the cause that a rule of a host's firewall is. `words`: what it answered, if anything."""
    maker = maker_of(hit, case.proof.pods)
    does = f"rejects them ({words})" if words else "rejects them" if hit.rejects else "drops them"
    return Cause(
        layer=Layer.FIREWALL,
        what=f"{host} itself {does}: {describe(hit, maker.name)}.",
        seen=seen,
        shows=f"On {host}: {maker.shows}",
        fix=f"On {host}: {maker.lets_pass}",
        host=host,
    )


def describe(hit: Hit, maker: str) -> str:
    """Name a rule and where it is: `the policy of its FORWARD chain is to drop (Docker)`."""
    chain = hit.base.name
    if hit.table.program == "nft":
        chain = f"{chain} chain (table {hit.table.family} {hit.table.name})"
    else:
        chain = f"{chain} chain"
    if hit.rule is None:
        return f"the policy of its {chain} is to drop ({maker})"
    through = f", come to by {hit.chain.name}" if hit.chain is not hit.base else ""
    return f"the rule `{hit.text}` in its {chain}{through} ({maker})"


def hit_at(case: Case, station: _Station, protocol: str = "icmp") -> Hit | None:
    """Return where a host's rules drop, or may drop, the packets of this pair; None where they pass, or are unread."""
    path = case.proof.paths.get(station.name)
    if path is None:
        return None
    found = [
        _drops(path, _hooks(case, station), replace(packet, protocol=protocol)) for packet in _packets(case, station)
    ]
    first = next((hit for hit in found if hit is not None), None)
    if first is None or all(hit is not None and hit.is_certain for hit in found):
        return first
    return replace(first, is_certain=False)  # it depends on what is not understood, or on the packet's address


def _drops(path: HostPath, hooks: Iterable[Hook], packet: Packet) -> Hit | None:
    hits = [hit for hook in hooks if (hit := walk.drops(path.tables, hook, packet)) is not None]
    return next((hit for hit in hits if hit.is_certain), hits[0] if hits else None)


def _ways(case: Case) -> Iterator[_Station]:
    for back in directions(case):
        yield from stations(case, back=back)


def _hooks(case: Case, station: _Station) -> tuple[Hook, ...]:
    if case.is_of_pods:
        return Hook.PREROUTING, Hook.FORWARD, Hook.POSTROUTING
    return (Hook.OUTPUT, Hook.POSTROUTING) if station.way is Way.OUT else (Hook.PREROUTING, Hook.INPUT)


def _packets(case: Case, station: _Station) -> Iterator[Packet]:
    """Yield the packets as they may look at a host: with a pod's address, or with its node's where that masquerades."""
    pair = case.pair
    bridge = case.bridge(station.name) if case.is_of_pods else ""
    uplink = case.uplink(station.name, station.other)
    iif, oif = (bridge, uplink) if station.way is Way.OUT else (uplink, bridge)
    faces = [pair.source_address]
    if case.is_of_pods and station.name != pair.source and (is_masked := masquerading(case).happens) is not False:
        table = case.proof.table(pair.target)
        node = table.next_hops.get(pair.source) if table is not None else None
        faces = [node] if is_masked else [*faces, node]
    for face in faces:
        source, destination = (pair.target_address, face) if station.is_reply else (face, pair.target_address)
        yield Packet(source=source, destination=destination, iif=iif, oif=oif, is_reply=station.is_reply)
