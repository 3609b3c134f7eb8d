"""Small clusters and readings for tests of the core."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from kthw_routes.cluster import Address, AddressKind, Cluster, Endpoint, Node, PodCidrSource, Role
from kthw_routes.facts import PROTOCOL, HostFacts, HostKey, InterfaceAddress, Privilege, Route
from kthw_routes.plan.changes.file import FileChange
from kthw_routes.proof.readings import Evidence, PairReading


def net(text: str) -> IPv4Network:
    return IPv4Network(text)


def ip(text: str) -> IPv4Address:
    return IPv4Address(text)


def internal(number: int) -> IPv4Address:
    return IPv4Address("192.168.128.10") + number


def worker(number: int, **given: object) -> Node:
    values: dict[str, object] = {
        "name": f"worker-{number}",
        "role": Role.WORKER,
        "ssh": Endpoint(f"203.0.113.{20 + number}"),
        "internal": internal(number),
        "pod_cidr": IPv4Network(f"10.200.{number}.0/24"),
        "pod_cidr_source": PodCidrSource.LABEL,
    }
    return Node(**(values | given))  # type: ignore[arg-type]  # the values are right by name


def controller(number: int) -> Node:
    return Node(
        f"controller-{number}", Role.CONTROLLER, Endpoint(f"203.0.113.{10 + number}"), internal=internal(100 + number)
    )


def of_account(node: Node) -> Node:
    """The node as a Linode account gives it: with both of its addresses, and its region."""
    assert node.ssh is not None
    assert node.internal is not None
    public, private = Address(ip(node.ssh.host), AddressKind.PUBLIC), Address(node.internal, AddressKind.PRIVATE)
    return replace(node, addresses=(public, private), region="ca-central")


def cluster(workers: int = 3, controllers: int = 1) -> Cluster:
    return Cluster((*(worker(n) for n in range(workers)), *(controller(n) for n in range(controllers))))


def changed(of: Cluster, name: str, /, **values: Any) -> Cluster:
    """The cluster with a node that has other values."""
    node = of.node(name)
    return of.with_swapped(node, replace(node, **values))


def pod_route(number: int, *, via: int | None = None, protocol: str = PROTOCOL, metric: int = 0) -> Route:
    """The route to worker-`number`'s pods, through the worker `via` (itself by default)."""
    next_hop = internal(number if via is None else via)
    return Route(net(f"10.200.{number}.0/24"), next_hop, "eth0", protocol, metric)


def connected(*addresses: InterfaceAddress) -> tuple[Route, ...]:
    """The routes that the kernel has for these addresses."""
    return tuple(
        Route(a.address.network, device=a.device, protocol="kernel", scope="link", source=a.address.ip)
        for a in addresses
        if a.is_up and a.device != "lo" and a.address.network.prefixlen < 32
    )


def facts(node: Node, routes: Iterable[Route] = (), **given: object) -> HostFacts:
    given_addresses = given.get("addresses", (InterfaceAddress("eth0", IPv4Interface(f"{node.internal}/17")),))
    links = connected(*given_addresses)  # type: ignore[misc]  # they are addresses by name
    values: dict[str, object] = {
        "node": node.name,
        "read_at": datetime(2026, 11, 22, tzinfo=UTC),
        "host_key": HostKey("ssh-ed25519", f"SHA256:{node.name}"),
        "user": "root",
        "privilege": Privilege.ROOT,
        "hostname": node.name,
        "iproute2": "ip utility, iproute2-6.1.0, libbpf 1.1.2",
        "addresses": (
            InterfaceAddress("lo", IPv4Interface("127.0.0.1/8")),
            InterfaceAddress("eth0", IPv4Interface(f"{node.internal}/17")),
        ),
        "routes": (*links, *routes),
        "etc_hosts": None if node.is_worker else b"127.0.0.1 localhost\n",
    }
    return HostFacts(**(values | given))  # type: ignore[arg-type]  # the values are right by name


def bare_facts(of: Cluster) -> dict[str, HostFacts]:
    """Every node read, none with a pod route."""
    return {n.name: facts(n) for n in of}


def file_change(**given: Any) -> FileChange:
    """A change of a file with the usual mode, of which nothing more is said."""
    return FileChange(**({"before": None, "after": None, "mode": 0o644, "reason": ""} | given))


def pair_reading(source: str, target: str, **given: Any) -> PairReading:
    """What the pings from one worker to another gave."""
    usual: dict[str, Any] = {"evidence": Evidence.PROBE, "target_address": ip("10.200.1.254"), "sent": 3, "received": 3}
    return PairReading(source=source, target=target, **(usual | given))
