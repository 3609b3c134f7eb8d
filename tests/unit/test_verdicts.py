"""Forwarding checks: one batch for all workers, each answer given to the pair that it is about."""

from ipaddress import IPv4Interface

import pytest

from kthw_routes.events import Phase
from kthw_routes.facts import InterfaceAddress
from kthw_routes.hosts.task import HostTask
from kthw_routes.hosts.verdicts import verdicts
from kthw_routes.proof.readings import ForwardingCheck
from kthw_routes.ssh.command import Result

from .answering import Answering, said
from .builders import cluster, facts, net

BRIDGE = InterfaceAddress("cnio0", IPv4Interface("10.200.0.1/24"))
REFUSED = "RTNETLINK answers: No route to host\n"


def asked(
    answer: Result, *, workers: int = 2, bridge: InterfaceAddress | None = BRIDGE
) -> tuple[tuple[ForwardingCheck, ...], Answering]:
    """What worker-0's kernel answers in one go, and the session."""
    of = cluster(workers)
    host = Answering({"ip -force -batch -": answer})
    node = of.node("worker-0")
    return verdicts(HostTask(host, Phase.PROOF, lambda _: None), of, node, facts(node, bridge=bridge)), host


@pytest.mark.parametrize(
    ("answer", "forwards"),
    [
        (said("10.200.1.2 from 10.200.0.2 via 192.168.128.11 dev eth0 \n    cache iif cnio0 \n"), True),
        (said("10.200.1.2 from 10.200.0.2 via 203.0.113.1 dev eth0\n"), False),
        (said("10.200.1.2 from 10.200.0.2 dev eth0\n"), False),
        (said("local 10.200.1.2 from 10.200.0.2 dev lo\n    cache <local> iif cnio0\n"), False),
        (said("10.200.1.2 from 10.200.0.2 via 192.168.128.110 dev eth0\n"), False),
        (said(status=1, err=f"{REFUSED}Command failed -:1\n"), False),
    ],
)
def test_only_the_right_next_hop_is_a_verdict_for_forwarding(answer: Result, forwards: bool) -> None:
    (verdict,), host = asked(answer)
    assert verdict.forwards is forwards
    assert [c.stdin for c in host.commands] == [b"route get 10.200.1.2 from 10.200.0.2 iif cnio0\n"]


def test_without_a_bridge_the_packet_is_said_to_come_from_another_node() -> None:
    _, host = asked(said(), workers=3, bridge=None)
    assert [c.stdin for c in host.commands] == [
        b"route get 10.200.1.2 from 192.168.128.12 iif eth0\nroute get 10.200.2.2 from 192.168.128.11 iif eth0\n"
    ]


def test_each_answer_is_given_to_its_pair_whatever_was_refused_in_between() -> None:
    """Errors are told by the number of the line, answers by the destination that they repeat."""
    answers = "".join(
        f"10.200.{n}.2 from 10.200.0.2 via 192.168.128.1{n} dev eth0 \n    cache iif cnio0 \n" for n in (3, 1)
    )
    found, _ = asked(said(answers, status=1, err=f"{REFUSED}Command failed -:2\n"), workers=4)
    assert [(v.target, v.forwards) for v in found] == [("worker-1", True), ("worker-2", False), ("worker-3", True)]
    assert found[1].words == REFUSED.strip()
    assert found[1].prefix == net("10.200.2.0/24")


def test_what_was_not_answered_is_no_verdict() -> None:
    found, _ = asked(
        said("10.200.1.2 from 10.200.0.2 via 192.168.128.11 dev eth0\n", status=1, err="killed"), workers=4
    )
    assert [v.target for v in found] == ["worker-1"]
