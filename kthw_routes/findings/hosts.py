"""What to warn of after the hosts were read: next hops, pod CIDRs, forwarding, names. Pure functions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from operator import itemgetter
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.cluster import PRIVATE_NETWORKS, SHORTEST_CLUSTER_PREFIX, Cluster, Node, PodCidrSource
from kthw_routes.facts import Devices, HostFacts
from kthw_routes.findings.model import Finding
from kthw_routes.node_names import shortened
from kthw_routes.options import RoutesOn
from kthw_routes.plan.network_plugins import SELF_ROUTING, plugin_within
from kthw_routes.plan.networks import ByNetwork
from kthw_routes.plan.wanted import Wanted, WantedRoutes

MAX_NAMED: Final = 12
"""Hosts that a sentence names one by one; more are shortened."""
_TURNS_IT_ON: Final = "`--ip-forward` (in the wizard: o in Routes) turns it on now and at each boot."
_WHY_MISSING: Final = "Was the private IP enabled and the Linode not rebooted since? Reboot it, or correct the address."
_WHY_NOT_ON_LINK: Final = (
    "Is the private IP enabled on both, and were both rebooted since? Or correct the internal address."
)
_NOT_ON_LINK: Final = (
    "`ip route get {ip}` shows how it is reached from there. Correct the internal address; or, where nodes are behind "
    "a router of the provider, name that: next_hop in the inventory."
)


def of_facts(
    cluster: Cluster, facts: Mapping[str, HostFacts], routes_on: RoutesOn = RoutesOn.WORKERS
) -> tuple[Finding, ...]:
    """Return what the readings of the hosts give cause to say.

    Args:
        cluster: with the pod CIDRs that the readings gave.
        facts: node name -> what was read there.
        routes_on: which nodes get routes.
    """
    seen = [(n, facts[n.name]) for n in cluster.visited if n.name in facts]
    next_hops: dict[IPv4Address | None, _NextHops] = {}
    pods = ByNetwork((w.pod_cidr, (number, w)) for number, w in enumerate(cluster.workers) if w.pod_cidr is not None)
    found: list[Finding] = []
    for node, host in seen:
        if routes_on.counts(node):
            if node.next_hop not in next_hops:
                next_hops[node.next_hop] = _NextHops(cluster, routes_on, node.next_hop)
            found += next_hops[node.next_hop].of_host(node, host)
        if node.is_worker:
            found += _of_internal_address(node, host)
            found += _of_pod_cidr(pods, node, host)
        found += _of_host_name(node, host)
    routed = [pair for pair in seen if routes_on.counts(pair[0])]
    found += _of_routers(routed)
    found += _of_public_cluster_cidr(cluster, routed)
    found += _of_plugins([host for _, host in seen], cluster.cidr)
    found += _of_same_keys(facts)
    found += _of_pods([host for node, host in seen if node.is_worker])
    return tuple(found)


def _of_internal_address(node: Node, host: HostFacts) -> Iterator[Finding]:
    if node.internal is not None and node.internal not in host.own_addresses:
        has = ", ".join(f"{a.address} on {a.device}" for a in host.addresses if a.device != "lo") or "none"
        yield Finding.stop(
            "internal-address-missing",
            f"{node.name}: its internal address {node.internal} is on none of its interfaces.",
            f"It has {has}. {_WHY_MISSING if node.region is not None else 'Correct the address.'}",
            node=node.name,
        )


class _NextHops:
    """The next hops of the wanted routes, judged host by host."""

    def __init__(self, cluster: Cluster, routes_on: RoutesOn, next_hop: IPv4Address | None) -> None:
        """`next_hop`: the one of the nodes that have one of their own, and are judged here."""
        self._wanted: Final = WantedRoutes(cluster, routes_on, next_hop)
        self._devices: Final = Devices(w.next_hop for w in self._wanted.all)
        self._places: Final[defaultdict[IPv4Address, set[int]]] = defaultdict(set)
        for place, wanted in enumerate(self._wanted.all):
            self._places[wanted.next_hop].add(place)

    def of_host(self, node: Node, host: HostFacts) -> Iterator[Finding]:
        """Yield which next hops are the host's own addresses, and which are not on-link there."""
        devices = self._devices.of(host.on_link)
        own = {place for address in host.own_addresses for place in self._places.get(address, ())}
        far = {place for place, device in enumerate(devices) if device is None} if None in devices else set()
        for place in sorted((own | far) - self._wanted.not_on(node)):
            wanted = self._wanted.all[place]
            yield _own_next_hop(node, wanted) if place in own else _far_next_hop(node, host, wanted)


def _own_next_hop(node: Node, wanted: Wanted) -> Finding:
    return Finding.stop(
        "next-hop-own-address",
        f"{node.name}: the next hop {wanted.next_hop} for {wanted.prefix} is an address of {node.name} itself.",
        f"The kernel would take it without a word and packets would go nowhere. Correct the internal address of "
        f"{wanted.worker}.",
        node=node.name,
    )


def _far_next_hop(node: Node, host: HostFacts, wanted: Wanted) -> Finding:
    device = host.device_of(node.internal) or "any interface"
    return Finding.stop(
        "next-hop-not-on-link",
        f"{node.name}: no route to {wanted.next_hop} ({wanted.worker}) from {device}: the address is not on-link.",
        _WHY_NOT_ON_LINK if node.region is not None else _NOT_ON_LINK.format(ip=wanted.next_hop),
        node=node.name,
    )


def _of_routers(routed: Sequence[tuple[Node, HostFacts]]) -> Iterator[Finding]:
    """Report once which nodes send packets for other pods to a router, as that has to know the pod CIDRs too."""
    names: dict[str, list[str]] = defaultdict(list)
    for node, _ in routed:
        if node.next_hop is not None:
            names[str(node.next_hop)].append(node.name)
    for router, through in names.items():
        yield Finding.notice(
            "next-hop-router",
            f"Routes lead to the router {router} on {names_of(through, len(routed), 'nodes')}, not to the nodes "
            "themselves.",
            "It must know each worker's pod CIDR: at Hetzner, for example, `hcloud network add-route NETWORK "
            "--destination POD-CIDR --gateway INTERNAL-ADDRESS`.",
        )


def _of_pod_cidr(pods: ByNetwork[tuple[int, Node]], node: Node, host: HostFacts) -> Iterator[Finding]:
    """`pods`: the workers with their places in natural order, by pod CIDR."""
    for problem in host.cidr_files.problems:
        certain = node.pod_cidr is not None and not node.is_guessed
        hint = (
            f"The pod CIDR {node.pod_cidr} comes from elsewhere." if certain else "Its pod CIDR is a guess until then."
        )
        yield Finding.notice(
            "pod-cidr-file-unusable", f"{node.name}: {problem}.", f"Correct it. {hint}", node=node.name
        )
    typed = node.pod_cidr_source is PodCidrSource.TYPED
    if typed and host.cni_cidr is not None and host.cni_cidr != node.pod_cidr:
        yield Finding.stop(
            "pod-cidr-disagrees",
            f"{node.name}: the pod CIDR typed is {node.pod_cidr}, but its CNI configuration "
            f"{_path(host.cidr_files.cni)}says {host.cni_cidr}.",
            "Pods get their addresses from the CNI configuration: take that one, or correct the file on the node.",
            node=node.name,
        )
    elif host.cni_cidr and host.kubelet_cidr and host.cni_cidr != host.kubelet_cidr:
        yield Finding.notice(
            "pod-cidr-two-readings",
            f"{node.name}: its CNI configuration {_path(host.cidr_files.cni)}says {host.cni_cidr}, its kubelet's "
            f"{_path(host.cidr_files.kubelet)}says {host.kubelet_cidr}.",
            "Pods get their addresses from the CNI configuration, so that one is used.",
            node=node.name,
        )
    for bridge in host.bridges:
        here = pods.around(IPv4Network(bridge.address.ip))
        _, owner = min(((number, w) for number, w in here if w.name != node.name), default=(0, None), key=itemgetter(0))
        if owner:
            yield Finding.stop(
                "bridge-in-foreign-pod-cidr",
                f"{node.name}: {bridge.device} has {bridge.address}, which lies in the pod CIDR of {owner.name} "
                f"({owner.pod_cidr}): the pod CIDRs overlap.",
                f"The bridge may be older than the CNI configuration: delete its pods and the bridge (`ip link del "
                f"{bridge.device}`), restart the kubelet.",
                node=node.name,
            )
        elif bridge.device.startswith("cni") and node.pod_cidr is not None and bridge.address.ip not in node.pod_cidr:
            yield Finding.notice(
                "bridge-in-old-pod-cidr",
                f"{node.name}: {bridge.device} has {bridge.address}, and the pod CIDR is {node.pod_cidr}: no route "
                "leads to the pods there.",
                f"The bridge is older than the CNI configuration: delete its pods and the bridge (`ip link del "
                f"{bridge.device}`), restart the kubelet.",
                node=node.name,
            )


def _path(file: PurePosixPath | None) -> str:
    """Name a file within a sentence, if it is known."""
    return f"({file}) " if file else ""


def _of_plugins(hosts: Sequence[HostFacts], cidr: IPv4Network) -> Iterator[Finding]:
    """Report once which network plugins route pods by themselves."""
    found: dict[str, list[str]] = defaultdict(list)
    for host in hosts:
        plugin = SELF_ROUTING.get(host.cidr_files.plugin or "")
        if plugin := plugin or plugin_within(host.routes, cidr):
            found[plugin].append(host.node)
    for plugin, names in found.items():
        yield Finding.notice(
            "network-plugin",
            f"{plugin} routes pods by itself on {names_of(names, len(hosts), 'nodes')}.",
            "Its routes are left alone. Routes of the lab's kind are for clusters without such a plugin.",
            node=names[0] if len(names) == 1 else None,
        )


def _of_public_cluster_cidr(cluster: Cluster, routed: Sequence[tuple[Node, HostFacts]]) -> Iterator[Finding]:
    """Judge the cluster CIDR as undo does: a public network is a cluster's only where the host's own CNI says so."""
    is_private = any(cluster.cidr.subnet_of(net) for net in PRIVATE_NETWORKS)
    if is_private and cluster.cidr.prefixlen >= SHORTEST_CLUSTER_PREFIX:
        return
    is_short = cluster.cidr.prefixlen < SHORTEST_CLUSTER_PREFIX
    names = [node.name for node, host in routed if is_short or not node.is_worker or host.cni_cidr is None]
    if names:
        sentence = (
            f"The cluster CIDR {cluster.cidr} is larger than a /{SHORTEST_CLUSTER_PREFIX}."
            if is_short
            else f"The cluster CIDR {cluster.cidr} is not a private network, and no CNI configuration on "
            f"{names_of(names, len(routed), 'nodes')} confirms it."
        )
        hint = "Such routes would cut off a part of the internet, and undo refuses them. Correct the cluster CIDR."
        yield Finding.stop("cluster-cidr-public", sentence, hint)


def _of_pods(workers: Sequence[HostFacts]) -> Iterator[Finding]:
    off = [h for h in workers if not h.ip_forward]
    for host in off:
        if host.pods:
            yield Finding.notice(
                "forwarding-off",
                f"{host.node}: forwarding is off (net.ipv4.ip_forward = 0), and it has pods.",
                f"Until it is on, no packet from elsewhere reaches these pods. {_TURNS_IT_ON}",
                node=host.node,
            )
    if before := [h.node for h in off if not h.pods]:
        yield Finding.notice(
            "forwarding-off",
            f"Forwarding is off (net.ipv4.ip_forward = 0) on {names_of(before, len(workers))}.",
            f"Usual before the first pod: the CNI plugin turns it on then. {_TURNS_IT_ON}",
            node=before[0] if len(before) == 1 else None,
        )
    if bare := [h.node for h in workers if h.bridge is None]:
        yield Finding.notice(
            "no-pod-bridge",
            f"There is no pod bridge yet on {names_of(bare, len(workers))}.",
            "Usual at this point of the lab; Proof then uses probe addresses.",
            node=bare[0] if len(bare) == 1 else None,
        )


def names_of(names: Sequence[str], of: int, noun: str = "workers") -> str:
    """Return `worker-0`, `worker-0 and worker-2`, `all 3 workers`, or, of very many, how many others there are."""
    if len(names) == of > 1:
        return f"all {of} {noun}"
    if len(names) > MAX_NAMED:
        return shortened(names)
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _of_host_name(node: Node, host: HostFacts) -> Iterator[Finding]:
    short = host.hostname.split(".")[0]
    if short and short != node.name:
        yield Finding.notice(
            "other-host-name",
            f"{node.name}: the host calls itself {host.hostname}.",
            "Is the SSH address that of another node?",
            node=node.name,
        )


def _of_same_keys(facts: Mapping[str, HostFacts]) -> Iterator[Finding]:
    by_key: dict[str, list[str]] = defaultdict(list)
    for name, host in facts.items():
        by_key[host.host_key.fingerprint].append(name)
    for fingerprint, names in by_key.items():
        if len(names) > 1:
            yield Finding.notice(
                "same-host-key",
                f"{' and '.join(names)} present the same host key ({fingerprint}).",
                "One image cloned without new keys, one host under two addresses, or somebody in between.",
                node=names[0],
            )
