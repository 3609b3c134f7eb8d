"""The layers of a packet's way, in order: a function each, from what was read to a cause, or None where it is in order.

What was read of tables decides first, then what somebody answered; only what neither explains is taken from counters.
"""

from collections.abc import Callable
from typing import Final

from kthw_routes.proof import between, mtu, walls
from kthw_routes.proof.answers import AnswerKind
from kthw_routes.proof.case import Case
from kthw_routes.proof.causes import Cause, Layer, counted

Find = Callable[[Case], Cause | None]


def route_there(case: Case) -> Cause | None:
    """Find a table of the source that does not lead to the target."""
    a = case.pair.source
    if (astray := case.astray_there) is None:
        return None
    return Cause(
        layer=Layer.ROUTE, what=f"{a} {astray}.", seen=counted(case.pair), shows=f"On {a}: ip route", fix=_APPLY
    )


def own_routes(case: Case) -> Cause | None:
    """Find a route that takes packets for the very pod of this pair away from its own node.

    Packets of such pods get out and what comes back ends there: alike to a filter of the provider.
    """
    if (host := case.overridden) is None:
        return None
    return Cause(
        layer=Layer.OWN_ROUTES,
        what=f"Another route overrides {host}'s own pod CIDR: its pods are unreachable; --repair restores it.",
        seen=counted(case.pair),
        shows=f"On {host}: ip route",
        host=host,
    )


def neighbour_table(case: Case) -> Cause | None:
    """Find an end whose kernel dropped packets as its neighbour table was full."""
    if (host := case.pair.full_table) is None:
        return None
    return Cause(
        layer=Layer.NEIGHBOURS,
        what=f"{host}'s neighbour table is full: its kernel drops packets to nodes that are not in it.",
        seen=counted(case.pair),
        shows=f"On {host}: ip -s neigh; dmesg | grep -i neighbour",
        fix=f"On {host}: raise net.ipv4.neigh.default.gc_thresh3 (and gc_thresh2) with sysctl.",
        host=host,
    )


def rejected(case: Case) -> Cause | None:
    """Find who rejects the requests, by the address from which the rejection came."""
    answer, a, b = case.answer, case.pair.source, case.pair.target
    if answer is None or answer.by is None or answer.kind is not AnswerKind.REJECTED:
        return None
    words, seen = answer.words, _heard(case)
    host = case.owner(answer.by)
    if host is None:
        return Cause(
            layer=Layer.NETWORK_OUT,
            what=f"{answer.by}, an address of none of the nodes, rejects them ({words}): a router or a firewall there.",
            seen=seen,
            shows=f"On {a}: traceroute -n {case.pair.target_address}",
            host=str(answer.by),
        )
    if (hole := _refusing_route(case, host)) is not None:
        return Cause(
            layer=Layer.ROUTE,
            what=f"{host} itself rejects them ({words}): its table has {hole}.",
            seen=seen,
            shows=f"On {host}: ip route get {case.pair.target_address}",
            fix=f"On {host}: remove that route.",
            host=host,
        )
    chain = case.chain(host)
    if (hit := walls.rejecting(case, host)) is not None:
        return walls.dropped_by(case, host, hit, seen, words)
    way = "" if host in (a, b) else f" The packets from {a} to {b} should not come by there at all."
    return Cause(
        layer=Layer.FIREWALL,
        what=f"{host} itself rejects them ({words}): a rule in its {chain} chain.{way}",
        seen=seen,
        shows=f"On {host}: {show_rules(chain)}",
        fix=f"On {host}: accept packets from and to pods ({case.pods}) in that chain, before that rule.",
        host=host,
    )


def show_rules(chain: str) -> str:
    """Return the commands that show the rules of a chain, whatever they were made with."""
    return f"sudo iptables -S {chain}; sudo nft list ruleset"


def went_round(case: Case) -> Cause | None:
    """Find a circle of routes, by who ends the packets that go round in it."""
    answer, pair = case.answer, case.pair
    if answer is None or answer.kind is not AnswerKind.EXPIRED:
        return None
    who = case.owner(answer.by) if answer.by else None
    where = who or str(answer.by)
    return Cause(
        layer=Layer.ROUTE,
        what=f"The packets go round in a circle that {where} is part of (Time to live exceeded): it sends them on "
        f"instead of delivering them to {pair.target}'s pods.",
        seen=_heard(case),
        shows=f"On {who or pair.source}: ip route get {pair.target_address}",
        fix=_APPLY,
        host=where,
    )


def no_route_on_the_way(case: Case) -> Cause | None:
    """Find who has no route to the target, by who says so."""
    answer, pair = case.answer, case.pair
    if answer is None or answer.kind is not AnswerKind.NO_ROUTE:
        return None
    who = case.owner(answer.by) if answer.by else None
    where = who or f"{answer.by}, an address of none of the nodes,"
    return Cause(
        layer=Layer.ROUTE,
        what=f"{where} has no route to {pair.target_address} (Net Unreachable).",
        seen=_heard(case),
        shows=f"On {who or pair.source}: ip route get {pair.target_address}",
        host=who or str(answer.by),
    )


def dead_next_hop(case: Case) -> Cause | None:
    """Find who gets no answer from the next one on its link, on the way there or back."""
    a, b, seen, answer = case.pair.source, case.pair.target, counted(case.pair), case.answer
    if answer is not None and answer.kind is AnswerKind.NO_NEIGHBOUR:
        who = case.owner(answer.by) if answer.by else a
        if who is None:
            who = str(answer.by)
        if who == a:
            return Cause(
                layer=Layer.NEXT_HOP,
                what=f"{a} gets no answer from the next hop itself: {b} is down, or has another address by now.",
                seen=seen,
                shows=f"On {a}: ip neigh",
                host=b,
            )
        return Cause(
            layer=Layer.TARGET if who == b else Layer.NEXT_HOP,
            what=f"{who} gets no answer from {case.pair.target_address} itself (Host Unreachable): "
            f"{'that pod is gone' if who == b else 'it is not there'}.",
            seen=_heard(case),
            shows=f"On {who}: ip neigh show {case.pair.target_address}",
            host=who,
        )
    if case.pair.silent_hop_back:
        return Cause(
            layer=Layer.NEXT_HOP,
            what=f"{b} gets no answer from the next hop back to {a} itself: {a} has another address by now.",
            seen=seen,
            shows=f"On {b}: ip neigh",
            host=a,
        )
    return None


def kernel_refuses(case: Case) -> Cause | None:
    """Find a source whose own kernel or firewall would not send the requests."""
    answer, a = case.answer, case.pair.source
    if answer is None or answer.by is not None:
        return None
    if answer.kind is AnswerKind.FILTERED:
        return Cause(
            layer=Layer.FIREWALL,
            what=f"{a}'s own firewall refuses to send: {answer.words}",
            shows=f"On {a}: {show_rules('OUTPUT')}",
            host=a,
        )
    if answer.kind is AnswerKind.REFUSED:
        to = case.pair.target_address
        return Cause(
            layer=Layer.ROUTE,
            what=f"{a}'s kernel refuses to send: {answer.words}",
            shows=f"On {a}: ip route get {to}" if to else f"On {a}: ip route",
        )
    return None


def forwarding(case: Case) -> Cause | None:
    """Find an end that does not forward: of importance to pods only."""
    closed = next((host for host in (case.source, case.target) if host and not host.ip_forward), None)
    if closed is None or not case.is_of_pods:
        return None
    return Cause(
        layer=Layer.FORWARDING,
        what=f"{closed.node} does not forward (net.ipv4.ip_forward = 0): no packet gets to its pods or away from them.",
        seen=counted(case.pair),
        shows=f"On {closed.node}: sysctl net.ipv4.ip_forward",
        fix=f"On {closed.node}: sudo sysctl -w net.ipv4.ip_forward=1",
        host=closed.node,
    )


def nothing_sent(case: Case) -> Cause | None:
    """Find a source that sent nothing at all."""
    pair = case.pair
    if not pair.at_source or pair.at_source.requests_out:
        return None
    return Cause(
        layer=Layer.SOURCE,
        what=f"{pair.source} sent nothing: is it very busy?",
        seen=counted(pair),
        shows=f"On {pair.source}: uptime",
    )


def route_back(case: Case) -> Cause | None:
    """Find a table of the target that does not lead back, where requests arrived: no reply left, or none came."""
    b, at_target = case.pair.target, case.pair.at_target
    if at_target is None or not at_target.requests_in or (astray := case.astray_back) is None:
        return None
    return Cause(
        layer=Layer.ROUTE_BACK, what=f"{b} {astray}.", seen=counted(case.pair), shows=f"On {b}: ip route", fix=_APPLY
    )


def unknown(case: Case) -> Cause:
    """Say what was seen, where nothing explains it."""
    pair = case.pair
    what = pair.words if not counted(pair) and pair.words else "No answer came."
    return Cause(layer=Layer.UNKNOWN, what=what, seen=counted(pair), shows=f"On {pair.target}: {between.capture(case)}")


WITHOUT_COUNTERS: Final[tuple[Find, ...]] = (
    route_there,
    own_routes,
    walls.only_pings,
    mtu.full_size,
    neighbour_table,
    rejected,
    went_round,
    no_route_on_the_way,
    dead_next_hop,
    kernel_refuses,
    forwarding,
)
"""Those that need no counters of the ends of the pair."""
BY_COUNTERS: Final[tuple[Find, ...]] = (
    nothing_sent,
    route_back,
    walls.policy_rules,
    walls.reverse_path,
    walls.tunnel,
    walls.firewall,
    between.lost_there,
    between.not_answered,
    between.lost_back,
)
"""Those that the counters of the ends point to."""

_APPLY: Final = "Run kthw-routes apply: it makes the right routes."


def _heard(case: Case) -> str:
    """Quote what was answered, and count what the ends saw."""
    return f"{case.pair.source} heard: {case.pair.words}. {counted(case.pair)}".rstrip()


def _refusing_route(case: Case, host: str) -> str | None:
    """Return a host's route for the target that refuses, such as `prohibit 10.200.1.0/24`; None where it has none."""
    table, address = case.proof.table(host), case.pair.target_address
    best = table.best(address) if table is not None and address is not None else None
    return f"a route of type {best.type} for {best.prefix}" if best is not None and best.type != "unicast" else None
