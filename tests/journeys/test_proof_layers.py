"""Many symptoms, one cause each: the proof names the layer at which packets end."""

import pytest

from tests.journeys.faults import Faults
from tests.journeys.stage import Stage


def test_a_missing_route_back_is_named(stage: Stage) -> None:
    assert stage.tool("apply", "--yes").code == 0
    stage.run("worker-1", "ip route del 10.200.0.0/24")
    answer = stage.tool("check")
    assert answer.code == 3
    assert "2 of 6 pairs of workers do not get through." in answer.out
    assert (
        "worker-0 → worker-1: worker-1 has no right route to worker-0's pod CIDR. Three requests left worker-0, three "
        "arrived at worker-1; three replies left worker-1, none arrived.\n    Next: On worker-1: ip route\n"
    ) in answer.out
    assert "worker-1 → worker-0: worker-1 has no right route to worker-0's pod CIDR." in answer.out


def test_a_dead_next_hop_is_named(stage: Stage, faults: Faults) -> None:
    assert stage.tool("apply", "--yes", "--no-probe").code == 0
    faults.mute_next_hop("worker-2")
    answer = stage.tool("check")
    assert answer.code == 4
    assert (
        "worker-0 → worker-2: worker-0 gets no answer from the next hop itself: worker-2 is down, or has another "
        "address by now."
    ) in answer.out
    assert "    The same: worker-1 → worker-2, worker-2 → worker-0, worker-2 → worker-1.\n" in answer.out
    assert "provider" not in answer.out.partition("4 of 6 pairs")[2], "the nodes themselves do not find each other"
    assert "    Next: On worker-0: ip neigh\n" in answer.out


def test_forwarding_that_is_off_is_named_and_once_on_pods_reach_each_other(stage: Stage) -> None:
    stage.add_pods()
    stage.run("worker-1", "sysctl -w net.ipv4.ip_forward=0")
    answer = stage.tool("apply", "--yes")
    assert answer.code == 4
    assert "4 of 6 pairs of workers do not get through." in answer.out
    assert "worker-1: forwarding is off (net.ipv4.ip_forward = 0), and it has pods." in answer.out
    assert (
        "worker-0 → worker-1: worker-1 does not forward (net.ipv4.ip_forward = 0): no packet gets to its pods or away "
        "from them. Three requests left worker-0's pod, none arrived at worker-1's pod.\n"
        "    The same: worker-1 → worker-0, worker-1 → worker-2, worker-2 → worker-1.\n"
        "    Next: On worker-1: sysctl net.ipv4.ip_forward\n"
        "    Fix: On worker-1: sudo sysctl -w net.ipv4.ip_forward=1\n"
    ) in answer.out
    stage.run("worker-1", "sysctl -w net.ipv4.ip_forward=1")
    again = stage.tool("check")
    assert again.code == 0
    assert "Pods of all workers reach each other." in again.out


@pytest.mark.nodes
@pytest.mark.parametrize("stage", ["real nodes"], indirect=True)
def test_a_firewall_that_forwards_nothing_is_named(stage: Stage) -> None:
    """On real nodes only: the modelled hosts have no firewall."""
    stage.add_pods()
    chain = "type filter hook forward priority 0; policy drop;"
    stage.run("worker-1", f"nft 'add table ip wall; add chain ip wall forward {{ {chain} }}'")
    answer = stage.tool("apply", "--yes")
    assert answer.code == 4
    assert "4 of 6 pairs of workers do not get through." in answer.out
    assert (
        "worker-0 → worker-1: worker-1 itself drops them: the policy of its forward chain (table ip wall) is to drop "
        "(nftables). Three requests left worker-0's pod, none arrived at worker-1's pod.\n"
    ) in answer.out


@pytest.mark.nodes
@pytest.mark.parametrize("stage", ["real nodes"], indirect=True)
@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("reject with icmp type host-prohibited", "Host Prohibited"),
        ("reject with icmp type admin-prohibited", "Packet filtered"),
        ("reject", "Port Unreachable"),
    ],
)
def test_a_node_that_rejects_is_named_by_its_answer(stage: Stage, rule: str, words: str) -> None:
    """What firewalld does, and what `-j REJECT` does."""
    stage.add_pods()
    chain = "{ type filter hook forward priority 0; }"
    stage.run(
        "worker-1", f"nft 'add table ip wall; add chain ip wall forward {chain}; add rule ip wall forward {rule}'"
    )
    answer = stage.tool("apply", "--yes")
    assert answer.code == 4
    assert f"worker-0 → worker-1: worker-1 itself rejects them ({words}): the rule `reject" in answer.out
    assert f"worker-0 heard: From {stage.internal('worker-1')} icmp_seq=" in answer.out
    assert "    Next: On worker-1: sudo nft list chain ip wall forward\n" in answer.out
    assert "provider" not in answer.out.partition("4 of 6 pairs")[2]
