"""What a host should have of the overlay, compared with what it has. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts
from kthw_routes.overlay.model import DEVICE, NOTHING, Overlay, OverlayState, wanted_state
from kthw_routes.plan.changes import ChangeKind, OverlayChange

_WHY_NOT: Final = "not asked for: packets between pods go from node to node as they are"


def carried(cluster: Cluster, facts: Mapping[str, HostFacts], asked: Overlay | None) -> Cluster:
    """Return the cluster with whether pods' packets are carried in the overlay.

    Where nobody said so they are carried as they are now: an overlay of ours that is there is kept right.
    """
    return replace(cluster, has_overlay=is_overlaid(facts, asked))


def is_overlaid(facts: Mapping[str, HostFacts], asked: Overlay | None) -> bool:
    """Whether pods' packets are carried in the overlay: it was asked for, or it is there and nobody said otherwise."""
    is_there = any(read.overlay.state.device is not None for read in facts.values())
    return asked is Overlay.VXLAN or (asked is None and is_there)


def takes_part(cluster: Cluster, node: Node) -> bool:
    """Whether a node has a device of the overlay."""
    is_known = node.is_member and node.pod_cidr is not None and node.internal is not None
    return cluster.has_overlay and node.is_worker and is_known


def wanted_on(cluster: Cluster, node: Node, mtu: int | None) -> OverlayState:
    """Return what a host should have of the overlay. `mtu`: of its interface with the internal address, if known."""
    if not takes_part(cluster, node) or node.internal is None or node.pod_cidr is None:
        return NOTHING
    peers = (
        (other.internal, other.pod_cidr)
        for other in cluster.workers
        if other.name != node.name and other.internal is not None and other.pod_cidr is not None
    )
    return wanted_state(node.internal, node.pod_cidr, mtu, peers)


def rows(wanted: OverlayState, facts: HostFacts) -> tuple[OverlayChange, ...]:
    """Return the row of a host's part of the overlay; none where nothing of it is there or wanted."""
    has, problem = facts.overlay.state, facts.overlay.problem
    if facts.overlay.is_unread:
        why = "what is there of it could not be read; left as it is"
        return (OverlayChange(kind=ChangeKind.FOREIGN, before=has, after=has, reason=why),)
    if problem is not None:
        why = f"{problem}; left as it is"
        return (OverlayChange(kind=ChangeKind.FOREIGN, before=has, after=has, reason=why),)
    if wanted.is_nothing and has.is_nothing:
        return ()
    kind, reason = _judged(has, wanted)
    routes = tuple(r for r in facts.routes if r.device == DEVICE and not r.is_kernel)
    last = kind is ChangeKind.REMOVE
    return (OverlayChange(kind=kind, before=has, after=wanted, routes=routes, reason=reason, comes_last=last),)


def _judged(has: OverlayState, wanted: OverlayState) -> tuple[ChangeKind, str]:
    if has == wanted:
        return ChangeKind.KEEP, "right as it is"
    if wanted.is_nothing:
        return ChangeKind.REMOVE, _WHY_NOT
    if has.is_nothing:
        return ChangeKind.ADD, "carries packets between pods in UDP packets between the nodes' internal addresses"
    return ChangeKind.REPLACE, _difference(has, wanted)


def _difference(has: OverlayState, wanted: OverlayState) -> str:
    """Return the first thing that is not as it should be."""
    now, should = has.device, wanted.device
    if now is None or should is None:
        return "there is no device"
    if not should.is_same_tunnel(now):
        return "the device has another number, port or address"
    if now.mtu != should.mtu:
        return f"its MTU is {now.mtu} instead of {should.mtu}"
    if not now.is_up:
        return "the device is down"
    if has.accepts != wanted.accepts:
        return "the table accepts others than the peers" if has.accepts is not None else "there is no table"
    if has.addresses != wanted.addresses or now.mac != should.mac:
        return "the device has other addresses"
    return _peers_differ(has.forwarding, wanted.forwarding) or "a next hop has another MAC address"


def _peers_differ(has: Iterable[object], wanted: Iterable[object]) -> str | None:
    return None if frozenset(has) == frozenset(wanted) else "the ways to the peers are others"
