"""What to warn of before anything runs: names, addresses, regions, pod CIDRs. Pure functions from values to values.

What a route is built from is judged on every member, visited or not, because the wanted routes follow from all members.
What only a visit needs is judged on the visited nodes. A left-out worker whose next hop or pod CIDR is missing gets no
route, which is worth a notice and no stop.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from itertools import chain, groupby
from operator import itemgetter
from typing import Final

from kthw_routes.cluster import (
    DOCKER_CIDR,
    LINODE_PRIVATE,
    SERVICE_CIDR,
    AddressKind,
    Cluster,
    Node,
    PodCidrSource,
)
from kthw_routes.findings.model import Finding, Level
from kthw_routes.node_names import is_address, is_host_name
from kthw_routes.plan.networks import ByNetwork

SUFFICIENT_SCOPES: Final = frozenset({"linodes:read_only"})
"""What a token needs for finding the nodes; the regions need no scope (Linode's X-Accepted-OAuth-Scopes)."""
_BY_HAND: Final = (
    "in the wizard (Nodes), or in the file that `kthw-routes export toml -o FILE` writes, then --inventory FILE."
)

FILLED_IN_LATER: Final = frozenset(
    {
        *("no-internal-address", "internal-address-not-chosen", "no-vlan-address"),
        *("no-ssh-address", "ssh-address-not-chosen", "pod-cidr-unknown"),
    }
)
"""What an inventory file can leave open, to be filled in by hand."""


def of_cluster(cluster: Cluster) -> tuple[Finding, ...]:
    """Return what is wrong with, or worth knowing of, these nodes; to be asked again after every correction."""
    return (
        *_of_membership(cluster),
        *_of_names(cluster),
        *_of_next_hops(cluster),
        *_of_ssh_addresses(cluster),
        *_of_regions(cluster),
        *_of_status(cluster),
        *_of_pod_cidrs(cluster),
    )


def before_visit(cluster: Cluster) -> tuple[Finding, ...]:
    """Return what `of_cluster` does, without judging the pod CIDRs that reading the hosts will set: the untyped."""
    unsettled = {n.name for n in cluster.workers if n.pod_cidr_source is not PodCidrSource.TYPED}
    return tuple(f for f in of_cluster(cluster) if not (f.code.startswith("pod-cidr") and f.node in unsettled))


def of_token(scopes: frozenset[str] | None) -> tuple[Finding, ...]:
    """Return whether the token may do more than this program needs. `scopes` None: not known."""
    extra = sorted((scopes or frozenset()) - SUFFICIENT_SCOPES)
    if not extra:
        return ()
    what = "everything in the account" if "*" in extra else f"more than reading Linodes ({', '.join(extra)})"
    return (
        Finding.notice(
            "token-over-privileged",
            f"The token may do {what}.",
            "The scope linodes:read_only suffices here; a token with no more is safer to keep on a machine.",
        ),
    )


def _of_membership(cluster: Cluster) -> Iterator[Finding]:
    if not cluster.workers:
        hint = "Check the account, the region, and the pattern that workers' labels are found by."
        yield Finding.stop("no-worker", "There is no worker.", hint)
    elif not cluster.visited:
        yield Finding.stop("all-left-out", "Every node is left out.", "Take at least one of them in again.")
    elif len(cluster.workers) == 1:
        name = cluster.workers[0].name
        sentence = f"{name} is the only worker, so there is nothing to route."
        yield Finding.notice("only-one-worker", sentence, "Routes lead from one worker to another.", node=name)


def _of_names(cluster: Cluster) -> Iterator[Finding]:
    members = [*cluster.workers, *cluster.controllers]
    by_name: dict[str, list[Node]] = defaultdict(list)
    for node in members:
        by_name[node.name.casefold()].append(node)
    for nodes in by_name.values():
        if len(nodes) > 1:
            where = _and(str(n.ssh) if n.ssh else "no SSH address" for n in nodes)
            sentence = f"{len(nodes)} nodes are named {nodes[0].name} ({where})."
            hint = "Rename all but one of them, or remove the spare ones."
            yield Finding.stop("duplicate-name", sentence, hint, node=nodes[0].name)
    if unnamed := [node.name for node in members if is_address(node.name)]:
        sentence = f"{_and(unnamed)} {'have' if len(unnamed) > 1 else 'has'} no name in the inventory."
        hint = "Each gets the name that the host has for itself, once it is read. Or name it: hostname=worker-0."
        yield Finding.notice("name-not-known", sentence, hint)
    for node in members:
        if is_host_name(node.name) or is_address(node.name):
            continue
        sentence = f"{node.name} is not a valid hostname: letters, digits and inner hyphens only (RFC 1123)"
        if node.is_worker and node.is_visited:
            where = "in the Linode's settings; it is not altered silently" if node.region else "in the inventory"
            hint = f"Rename it {where}. Or leave it out."
            yield Finding.stop(
                "not-a-host-name", f"{sentence}, so it cannot be written to /etc/hosts.", hint, node=node.name
            )
        else:
            hint = "It is written to no /etc/hosts, so this does no harm here."
            yield Finding.notice("not-a-host-name", f"{sentence}.", hint, node=node.name)


def _of_next_hops(cluster: Cluster) -> Iterator[Finding]:
    holders: dict[IPv4Address, list[str]] = defaultdict(list)
    public: list[Node] = []
    for node in cluster.workers:
        if node.internal is None:
            yield _missing_next_hop(node)
            continue
        holders[node.internal].append(node.name)
        kind = node.kind_of(node.internal)
        if kind is AddressKind.VPC:
            yield from _of_vpc(node)
        elif kind is AddressKind.OTHER and node.region is not None:
            sentence = f"{node.name}: {node.internal} is on a VLAN or in a VPC; Linode's list does not say which."
            hint = "A VPC delivers only what the ip_ranges of its interfaces list. --via vlan asks Linode which it is."
            yield Finding.notice("next-hop-unclear", sentence, hint, node=node.name)
        elif kind is AddressKind.PUBLIC:
            public.append(node)
    for ip, names in holders.items():
        if len(names) > 1:
            sentence = f"{_and(names)} have the same internal address {ip}."
            yield Finding.stop("shared-internal-address", sentence, "Correct all but one of them.", node=names[0])
    if public:
        sentence = f"Public addresses are the next hops to {_and(f'{n.name} ({n.internal})' for n in public)}."
        hint = (
            "Pods' packets are private, and a provider may drop them there. If the nodes have a private network, name "
            "their addresses in it (internal_ip)."
        )
        yield Finding.notice("next-hop-public", sentence, hint)


def _of_vpc(node: Node) -> Iterator[Finding]:
    """Report what a VPC asks for, where it is not known that it has it."""
    if node.pod_cidr is not None and any(node.pod_cidr.subnet_of(net) for net in node.vpc_ranges or ()):
        return
    pods = f"pod CIDR {node.pod_cidr}" if node.pod_cidr else "pod CIDR"
    has = "is not among" if node.vpc_ranges is not None else "must be among"
    sentence = (
        f"{node.name}: its internal address {node.internal} is in a VPC, which delivers only what the ip_ranges of its "
        f"interfaces list; its {pods} {has} them."
    )
    hint = (
        "Add it to the IPv4 ranges of its VPC interface (in its Network tab, or by the API): routes alone are not "
        "enough there. Or take a private or VLAN address."
    )
    yield Finding.notice("vpc-next-hop", sentence, hint, node=node.name, acknowledge=True)


def _missing_next_hop(node: Node) -> Finding:
    level = Level.STOP if node.is_visited else Level.NOTICE

    def finding(code: str, sentence: str, hint: str) -> Finding:
        return Finding(code=code, level=level, sentence=f"{node.name} {sentence}", hint=hint, node=node.name)

    candidates = [a for a in node.addresses if a.kind is not AddressKind.PUBLIC]
    if [a.kind for a in candidates] == [AddressKind.PRIVATE]:
        hint = "Leave out --via, attach it to a VLAN or VPC, or take the private address here."
        return finding("no-vlan-address", f"has no VLAN or VPC address; its private one is {candidates[0].ip}.", hint)
    if candidates:
        shown = _and(f"{a.ip} ({a.kind})" for a in candidates)
        many = "several internal addresses" if len(candidates) > 1 else "no private address of the usual kind"
        kinds = [a.kind for a in candidates]
        ways = [f"--via {kind}" for kind in (AddressKind.VLAN, AddressKind.VPC) if kinds.count(kind) == 1]
        by_option = f"{' or '.join(ways)}; " if ways else ""
        hint = f"Choose the one at which the other nodes reach it: {by_option}{_BY_HAND}"
        return finding("internal-address-not-chosen", f"has {many}: {shown}.", hint)
    if level is Level.NOTICE:
        return finding("no-internal-address", "has no private address: no route leads to it.", "")
    hint = "Enable it in the Linode's Network tab and reboot it, or leave it out."
    if node.region is None:
        hint = "Enter the address at which the other nodes reach it, or leave it out."
    elif node.has_new_interfaces:
        hint = (
            "A Linode with interfaces of the newer generation can have none: attach it to a VLAN or a VPC and use "
            "--via vlan or --via vpc, or leave it out."
        )
    return finding("no-internal-address", "has no private address.", hint)


def _of_ssh_addresses(cluster: Cluster) -> Iterator[Finding]:
    for node in cluster.visited:
        if node.ssh is not None:
            continue
        public = [str(a.ip) for a in node.addresses if a.kind is AddressKind.PUBLIC]
        if public:
            sentence = f"{node.name} has several public addresses: {_and(public)}."
            hint = f"Choose the one to reach it at by SSH: {_BY_HAND}"
            yield Finding.stop("ssh-address-not-chosen", sentence, hint, node=node.name)
        else:
            sentence = f"{node.name} has no public address to reach it at by SSH."
            hint = "Enter an address that SSH reaches (your SSH configuration counts), or leave it out."
            yield Finding.stop("no-ssh-address", sentence, hint, node=node.name)


def _of_regions(cluster: Cluster) -> Iterator[Finding]:
    by_region: dict[str, list[str]] = defaultdict(list)
    for node in cluster.workers:
        if node.region is not None:
            by_region[node.region].append(node.name)
    if len(by_region) > 1:
        where = "; ".join(f"{_and(names)} in {region}" for region, names in by_region.items())
        hint = "Private addresses do not reach from one data centre to another. Narrow to one region (--region)."
        yield Finding.stop("different-regions", f"The workers are in different regions: {where}.", hint)


def _of_status(cluster: Cluster) -> Iterator[Finding]:
    for node in cluster.visited:
        if node.status != "running":
            sentence = f"{node.name} is not running: its status is {node.status.replace('_', ' ')}."
            yield Finding.notice("not-running", sentence, "Boot it, or leave it out.", node=node.name)


def _of_pod_cidrs(cluster: Cluster) -> Iterator[Finding]:
    clashes = _Clashes(cluster)
    certain: list[tuple[IPv4Network, Node]] = []
    guessed: list[tuple[IPv4Network, Node]] = []
    for node in cluster.workers:
        cidr = node.pod_cidr
        if cidr is None:
            level = Level.STOP if node.is_visited else Level.NOTICE
            hint = "Enter it." if level is Level.STOP else "No route leads to it."
            sentence = f"{node.name}: its pod CIDR is not known."
            yield Finding(code="pod-cidr-unknown", level=level, sentence=sentence, hint=hint, node=node.name)
            continue
        if not cidr.subnet_of(cluster.cidr):
            sentence = f"{node.name}: its pod CIDR {_read_in(node)} is outside the cluster CIDR {cluster.cidr}."
            hint = "Correct the pod CIDR, or give the cluster's own with --cluster-cidr."
            yield Finding.stop("pod-cidr-outside", sentence, hint, node=node.name)
        yield from clashes.of_worker(node, cidr)
        (guessed if node.is_guessed else certain).append((cidr, node))
    owners = ByNetwork(certain)
    for cidr, guess in guessed:
        owner = next(chain(owners.around(cidr), owners.inside(cidr)), None)
        if owner is not None:
            sentence = f"{guess.name}'s pod CIDR was not read; that of its number, {cidr}, is {owner.name}'s."
            hint = "Routes that lead to it stay as they are; no new one is made before it was read."
            yield Finding.notice("pod-cidr-guessed", sentence, hint, node=guess.name)
    for alike in (certain, guessed):  # of two guesses none is more likely
        for one, other in _overlaps(alike):
            node, other_node = alike[one][1], alike[other][1]
            both = f"{_read_in(node)} and {_read_in(other_node)}"
            sentence = f"{node.name} and {other_node.name} have overlapping pod CIDRs: {both}."
            hint = "Each worker needs a pod CIDR of its own. Correct one of them."
            yield Finding.stop("pod-cidrs-overlap", sentence, hint, node=other_node.name)


def _read_in(node: Node) -> str:
    """Return a node's pod CIDR, and in which file of it that was read, if it was."""
    return f"{node.pod_cidr}{f' ({node.pod_cidr_file})' if node.pod_cidr_file else ''}"


def _overlaps(pods: Sequence[tuple[IPv4Network, Node]]) -> list[tuple[int, int]]:
    """Return pairs of places: each pod CIDR that lies in another one, with the largest such one, in natural order.

    By sorting: all that lies in a network follows it directly.
    """
    found: list[tuple[int, int]] = []
    largest: int | None = None
    for place in sorted(range(len(pods)), key=lambda n: (int(pods[n][0].network_address), pods[n][0].prefixlen)):
        if largest is not None and pods[largest][0].overlaps(pods[place][0]):
            found.append((min(largest, place), max(largest, place)))
        else:
            largest = place
    return sorted(found)


class _Clashes:
    """Other networks and addresses, with which a worker's pod CIDR may collide."""

    def __init__(self, cluster: Cluster) -> None:
        self._networks: Final = [
            ("service-network", "the service network", SERVICE_CIDR),
            ("docker", "Docker's network", DOCKER_CIDR),
        ]
        # Of your own machines it is not known that this is one network.
        if any(n.region is not None and n.kind_of(n.internal) is AddressKind.PRIVATE for n in cluster.workers):
            self._networks.append(("node-network", "the nodes' private network", LINODE_PRIVATE))
        self._addresses: Final = ByNetwork(
            (IPv4Network(ip), (place, node.name, ip))
            for place, node in enumerate(cluster)
            if node.is_member
            for ip in {node.internal, *(a.ip for a in node.addresses)}
            if ip is not None
        )

    def of_worker(self, worker: Node, cidr: IPv4Network) -> Iterator[Finding]:
        """Yield with which of them its pod CIDR collides."""
        hint = "Pods need a network of their own."
        for code, name, network in self._networks:
            if cidr.overlaps(network):
                sentence = f"{worker.name}: its pod CIDR {_read_in(worker)} overlaps {name} {network}."
                yield Finding.stop(f"pod-cidr-over-{code}", sentence, hint, node=worker.name)
        inside = sorted(self._addresses.inside(cidr))
        for (_, name), found in groupby(inside, key=itemgetter(0, 1)):
            addresses = _and(str(ip) for _, _, ip in found)
            sentence = f"{worker.name}: its pod CIDR {_read_in(worker)} holds {name}'s address {addresses}."
            yield Finding.stop("pod-cidr-over-node", sentence, hint, node=worker.name)


def _and(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
