"""What an export has to know of hosts: what is missing, what reading them adds, what needs none."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from kthw_routes.cluster import Cluster, Node, PodCidrSource
from kthw_routes.export.formats import Format, Network
from kthw_routes.facts import HostFacts, LinkSetup, NetworkSetup
from kthw_routes.options import RoutesOn
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.plan.wanted import WantedRoutes

Networks = Mapping[str, tuple[tuple[PersistedRoute, ...], NetworkSetup]]
"""Node name -> its routes with their interfaces, and how its network is configured."""

_MAX_DEVICE_LENGTH = 15


def missing_facts(cluster: Cluster, wanted: Format, interface: str | None, routes_on: RoutesOn) -> Mapping[str, str]:
    """Map each node's name to what the format needs and is not known of it, a sentence. Nothing is asked for it."""
    missing: dict[str, list[str]] = {}
    for worker in _of_unsure_pods(cluster, wanted):
        guess = f" ({worker.pod_cidr} is what its number says)" if worker.pod_cidr else ""
        missing.setdefault(worker.name, []).append(f"its pod_cidr{guess}")
    what = "netplan's id of its interface" if wanted.network is Network.NETPLAN_ID else "its .network file"
    for node in _of_unknown_network(cluster, wanted, interface, routes_on):
        missing.setdefault(node.name, []).append(what)
    return {name: f"{name}: {' and '.join(words)}." for name, words in missing.items()}


def how_to_supply(cluster: Cluster, wanted: Format, interface: str | None, routes_on: RoutesOn) -> str:
    """Say what to do about `missing_facts`, in a sentence or two."""
    ways: list[str] = []
    if _of_unsure_pods(cluster, wanted):
        ways.append("Add each pod_cidr to the inventory.")
    if _of_unknown_network(cluster, wanted, interface, routes_on):
        name = "eth0" if wanted.network is Network.NETPLAN_ID else "05-eth0.network"
        ways.append(
            f"Name it with --interface, for example, --interface {name}; where hosts differ, one at a time (--only)."
        )
    return " ".join([*ways, "Or leave out --offline: the hosts are asked then."])


def _of_unsure_pods(cluster: Cluster, wanted: Format) -> list[Node]:
    """Map the workers whose pod CIDR must be certain and is not."""
    unsure = (PodCidrSource.LABEL, PodCidrSource.GUESS, PodCidrSource.UNKNOWN)
    return [w for w in cluster.workers if wanted.needs_pod_cidrs and w.pod_cidr_source in unsure]


def _of_unknown_network(cluster: Cluster, wanted: Format, interface: str | None, routes_on: RoutesOn) -> list[Node]:
    """Map the nodes that get routes in files of their network, which is not known."""
    if wanted.network is Network.NOTHING or interface is not None:
        return []
    routes = WantedRoutes(cluster, routes_on)
    return [n for n in cluster.visited if routes.of(n)]


def with_observed_pod_cidrs(cluster: Cluster, visited: Cluster) -> Cluster:
    """Take over the pod CIDRs that were read on some of the nodes."""
    known = {n.name: n for n in visited}

    def stated(node: Node) -> Node:
        other = known[node.name]
        return replace(node, pod_cidr=other.pod_cidr, pod_cidr_source=other.pod_cidr_source, next_hop=other.next_hop)

    return replace(cluster, nodes=tuple(stated(n) for n in cluster))


def from_hosts(cluster: Cluster, facts: Mapping[str, HostFacts], routes_on: RoutesOn) -> Networks:
    """Return the networks of the hosts that were read; `facts`: by the node's name."""
    found: dict[str, tuple[tuple[PersistedRoute, ...], NetworkSetup]] = {}
    wanted = WantedRoutes(cluster, routes_on)
    for name, read in facts.items():
        persisted = tuple(
            PersistedRoute(w.prefix, w.next_hop, device)
            for w in wanted.of(cluster.node(name))
            if (device := read.device_towards(w.next_hop)) is not None
        )
        found[name] = (persisted, read.network)
    return found


def from_option(cluster: Cluster, wanted: Format, interface: str, routes_on: RoutesOn) -> Networks:
    """Take the networks from the options, the same on all hosts.

    `interface`: netplan's id of it, or the name of the `.network` file that manages it.
    """
    if wanted.network is Network.NETPLAN_ID:
        device, file = interface, PurePosixPath(f"/run/systemd/network/10-netplan-{interface}.network")
    else:  # 05-eth0.network: the interface's name is in a comment only
        device = interface.removesuffix(".network").rpartition("-")[2]
        file = PurePosixPath(f"/etc/systemd/network/{interface}")
    device = device[:_MAX_DEVICE_LENGTH]
    link = LinkSetup(device, network_file=file, networkd_state="routable (configured)")
    network = NetworkSetup(links=(link,), has_systemd=True, has_netplan=wanted.network is Network.NETPLAN_ID)
    routes = WantedRoutes(cluster, routes_on)
    return {
        node.name: (
            tuple(PersistedRoute(w.prefix, w.next_hop, device) for w in routes.of(node)),
            network,
        )
        for node in cluster.visited
    }
