"""Which nodes play which part in a drill, and the values that its texts have blanks for."""

import random
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.cluster import Cluster, Node, Role
from kthw_routes.demo.linux.pods import pod_cidr
from kthw_routes.demo.topology import ADDRESSES

WORKERS: Final = "abc"
"""The letters of the workers in a drill's texts; `k` is a controller."""

NEW_ADDRESS: Final = IPv4Address("192.168.160.5")
"""What a worker that was rebuilt has for its internal address."""

Values = Mapping[str, str]


def lab_nodes() -> tuple[Node, ...]:
    """Return the nodes of the embedded lab, as they are known before it runs."""
    return tuple(
        Node(
            name=name,
            role=Role.WORKER if name.startswith("worker-") else Role.CONTROLLER,
            ssh=None,
            internal=IPv4Address(private),
            pod_cidr=pod_cidr(name) if name.startswith("worker-") else None,
        )
        for name, (_public, private) in ADDRESSES.items()
    )


def values_of(nodes: Cluster | Sequence[Node], name: str, seed: str) -> Values:
    """Return what the blanks of a drill are filled with: for one seed always the same nodes.

    `a`, `b` and `c` are workers, `k` a controller. `a_node` is the internal address of one, `a_pods` its pod CIDR,
    `a_net` that without its length, `a_bridge` the address of its pod bridge, `a_pod` that of its first pod. `new_node`
    is a free address on the nodes' network.
    """
    chance = chance_of(name, seed)
    workers = [node for node in nodes if node.is_worker]
    controllers = [node for node in nodes if not node.is_worker]
    chance.shuffle(workers)
    values = {"new_node": str(NEW_ADDRESS)}
    for letter, node in [*zip(WORKERS, workers, strict=False), ("k", chance.choice(controllers))]:
        values |= {letter: node.name, f"{letter}_node": str(node.internal)}
        if node.pod_cidr is not None:
            values |= _of_pods(letter, node.pod_cidr)
    return values


def chance_of(name: str, seed: str) -> random.Random:
    """Return what a drill's parts are drawn with: the same for the same seed."""
    return random.Random(f"{seed} {name}")  # noqa: S311 - no secret


def _of_pods(letter: str, pods: IPv4Network) -> Values:
    return {
        f"{letter}_pods": str(pods),
        f"{letter}_net": str(pods.network_address),
        f"{letter}_bridge": str(pods[1]),
        f"{letter}_pod": str(pods[2]),
    }
