"""Nodes that people type: what a new one is likely called, which pod CIDR it is likely to have; all as a file. Pure."""

import re
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.cluster import Cluster, Endpoint, Node, PodCidrSource, Role
from kthw_routes.node_names import expected_pod_cidr, natural_order
from kthw_routes.options import DEFAULT_OPTIONS, Options, Settings
from kthw_routes.sources.inventory.values import address_of

_FIRST: Final = {Role.WORKER: "worker-0", Role.CONTROLLER: "controller-0"}
_NUMBERED: Final = re.compile(r"(.*?)(\d{1,6})", re.ASCII)


def likely_name(cluster: Cluster, role: Role) -> str:
    """Guess the next name of this role, such as `node-1` after `node-0`; else the tutorial's."""
    taken = {n.name.casefold() for n in cluster}
    last = next((n.name for n in reversed(cluster.nodes) if n.role is role), "")
    match = _NUMBERED.fullmatch(last)
    if match is None:
        return "" if _FIRST[role] in taken else _FIRST[role]
    number = int(match[2]) + 1
    while f"{match[1]}{number}".casefold() in taken:
        number += 1
    return f"{match[1]}{number}"


def likely_pod_cidr(cluster: Cluster, name: str) -> IPv4Network | None:
    """Guess by the number in the name; for a name without one, the first that no other worker has."""
    expected = expected_pod_cidr(name, cluster.cidr)
    if expected is not None or cluster.cidr.prefixlen > 24 or any(c.isdigit() for c in name):
        return expected
    taken = {w.pod_cidr for w in cluster.workers}
    return next((n for n in cluster.cidr.subnets(new_prefix=24) if n not in taken), None)


def typed(cluster: Cluster, old: Node, name: str, role: Role, ssh: Endpoint, internal: IPv4Address | None) -> Node:
    """Give `old`, or a new node, what was typed, and the pod CIDR that its name lets expect."""
    addresses = (address_of(internal),) if internal else ()
    node = replace(old, name=name, role=role, ssh=ssh, internal=internal, addresses=addresses)
    likely = likely_pod_cidr(cluster, name) if role is Role.WORKER else None
    return replace(node, pod_cidr=likely, pod_cidr_source=PodCidrSource.LABEL if likely else PodCidrSource.UNKNOWN)


def with_added(cluster: Cluster, node: Node) -> Cluster:
    """Add a node: workers first, each role in natural order."""
    nodes = sorted((*cluster, node), key=lambda n: (not n.is_worker, natural_order(n.name)))
    return replace(cluster, nodes=tuple(nodes))


def without(cluster: Cluster, node: Node) -> Cluster:
    """Remove this very node."""
    return replace(cluster, nodes=tuple(n for n in cluster if n is not node))


def inventory_text(cluster: Cluster, settings: Settings, options: Options) -> str:
    """Make an inventory file of the nodes and of what was chosen. Raises UsageError where they cannot be one."""
    from kthw_routes.sources.inventory.write import to_toml

    return to_toml(
        cluster,
        user=settings.user,
        identity=settings.identity.expanduser().absolute() if settings.identity else None,
        hosts_file=None if options.names_on is DEFAULT_OPTIONS.names_on else options.names_on,
        persist=options.persist,
        routes_on=None if options.routes_on is DEFAULT_OPTIONS.routes_on else options.routes_on,
        overlay=options.overlay,
    )


def why_save(text: str, *, is_own: bool) -> str:
    """Return what a saved file is good for. `is_own`: whether the nodes come from no account."""
    from kthw_routes.sources.inventory.write import is_draft

    unfinished = "These nodes are not complete, so this is a draft, which loads again. " if is_draft(text) else ""
    own = "" if is_own else " and needs no API token"
    file = f"The next run can read the nodes from this file{own}: kthw-routes --inventory FILE."
    return f"{unfinished}{file} It contains no secret."
