"""The forwarding checks: whether each worker's kernel would forward packets to the other workers' pods. Read-only."""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.cluster import Cluster, Node
from kthw_routes.facts import HostFacts
from kthw_routes.hosts import programs
from kthw_routes.hosts.task import HostTask
from kthw_routes.iproute2.output import failed_lines
from kthw_routes.plan.wanted import wanted_routes
from kthw_routes.proof.readings import ForwardingCheck
from kthw_routes.sanitize import clean_value

_MAX_SHOWN: Final = 12
"""Answers that are shown line by line."""


def verdicts(task: HostTask, cluster: Cluster, node: Node, facts: HostFacts) -> tuple[ForwardingCheck, ...]:
    """Ask the kernel whether it would forward to every other worker's pod CIDR.

    With a pod bridge, about a packet of a pod that comes in by it. Without one, about a packet that comes in by the
    internal interface from another node: the reverse path filter would refuse a pod address there.
    """
    others = [n.internal for n in cluster if n.is_member and n.internal not in (None, node.internal)]
    asked = [
        (wanted, wanted.prefix.network_address + 2, origin)
        for wanted in wanted_routes(cluster, node)
        if (origin := _origin(node, facts, others, wanted.next_hop)) is not None
    ]
    if not asked:
        return ()
    # Of many the answers are in the proof; as lines of the log nobody would read them.
    is_long = len(asked) > _MAX_SHOWN
    result = task.run(programs.forwarding_verdicts((to, *origin) for _, to, origin in asked), silent=is_long)
    answers, refusals = _answers(result.out), failed_lines(result.err)
    found: list[ForwardingCheck] = []
    for number, (wanted, to, _) in enumerate(asked, 1):
        words = refusals.get(number) or answers.get(to)
        if words is not None:
            forwards = number not in refusals and f"via {wanted.next_hop} " in f"{words} "
            found.append(ForwardingCheck(node.name, wanted.worker, wanted.prefix, forwards, words))
    return tuple(found)


def _answers(output: str) -> dict[IPv4Address, str]:
    """Parse what `ip route get` printed: destination -> the answer on one line; those of one begin with white space."""
    records: list[list[str]] = []
    for line in output.splitlines():
        if line[:1].isspace() and records:
            records[-1].append(line)
        else:
            records.append([line])
    found: dict[IPv4Address, str] = {}
    for record in records:
        for word in record[0].split()[:2]:  # a type may precede the destination
            try:
                found[IPv4Address(word)] = clean_value("\n".join(record))
            except ValueError:
                continue
            break
    return found


def _origin(
    node: Node, facts: HostFacts, others: Iterable[IPv4Address], next_hop: IPv4Address
) -> tuple[IPv4Address, str] | None:
    """Choose from which address and by which interface the packet comes."""
    if facts.bridge:
        hosts = facts.bridge.address.network.hosts()
        other = next((ip for ip in hosts if ip != facts.bridge.address.ip), None)  # a bridge with a /32 has no other
        return (other, facts.bridge.device) if other is not None else None
    device = facts.device_of(node.internal)
    return (next((ip for ip in others if ip != next_hop), next_hop), device) if device else None
