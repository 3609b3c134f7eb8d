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


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("-P FORWARD DROP", "drops them: the policy of its FORWARD chain is to drop (iptables)."),
        (
            "-A FORWARD -j REJECT --reject-with icmp-host-prohibited",
            "rejects them (Host Prohibited): the rule `-A FORWARD -j REJECT --reject-with icmp-host-prohibited` in its "
            "FORWARD chain (iptables). worker-0 heard: From ",
        ),
        (
            "-I FORWARD -i eth0 -o cnio0 -s 192.168.0.0/16 -j DROP",
            "drops them: the rule `-A FORWARD -s 192.168.0.0/16 -i eth0 -o cnio0 -j DROP` in its FORWARD chain "
            "(iptables).",
        ),
    ],
)
def test_the_rule_of_a_node_that_stops_pods_is_named_and_its_fix_helps(stage: Stage, command: str, what: str) -> None:
    """The last one is about the address that the other node's pods leave it with."""
    stage.add_pods()
    stage.run("worker-1", f"iptables {command}")
    answer = stage.tool("apply", "--yes")
    assert answer.code == 4
    assert f"worker-0 → worker-1: worker-1 itself {what}" in answer.out
    assert "    Next: On worker-1: sudo iptables -S FORWARD\n" in answer.out
    assert "provider" not in answer.out.partition("Evidence: pods.")[2]
    fix = [f"iptables -I FORWARD {side} 10.200.0.0/16 -j ACCEPT" for side in ("-s", "-d")]
    assert f"    Fix: On worker-1: sudo {fix[0]}; sudo {fix[1]}\n" in answer.out
    for line in fix:
        stage.run("worker-1", line)
    assert stage.tool("check").code == 0


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("-A INPUT -p icmp -j REJECT --reject-with icmp-host-prohibited", "rejects them (Host Prohibited)"),
        ("-A INPUT -s 10.200.0.0/16 -j DROP", "drops them"),
        ("-A OUTPUT -d 10.200.0.0/16 -j DROP", "drops them"),
    ],
)
def test_without_pods_it_is_the_nodes_own_packets_that_a_rule_stops(stage: Stage, rule: str, words: str) -> None:
    stage.run("worker-1", f"iptables {rule}")
    answer = stage.tool("apply", "--yes")
    assert answer.code == 4
    chain = rule.split()[1]
    assert f"worker-0 → worker-1: worker-1 itself {words}: the rule `{rule}` in its {chain} chain" in answer.out
    assert "provider" not in answer.out.partition("Evidence:")[2]


@pytest.mark.parametrize("program", ["iptables -S FORWARD", "iptables-save -c", "nft list ruleset", "ip rule"])
def test_what_a_cause_tells_to_type_can_be_typed(stage: Stage, program: str) -> None:
    stage.run("worker-1", "iptables -A FORWARD -s 10.200.0.0/16 -j DROP")
    said = stage.run("worker-1", program)
    if program == "ip rule":
        assert [line.split(":")[0] for line in said.splitlines()] == ["0", "32766", "32767"]
    elif program.startswith("nft"):
        assert "ip saddr 10.200.0.0/16 counter packets 0 bytes 0 drop" in said
    else:
        assert "-A FORWARD -s 10.200.0.0/16 -j DROP\n" in said


@pytest.mark.nodes
@pytest.mark.parametrize("stage", ["real nodes"], indirect=True)
def test_a_firewall_that_forwards_nothing_is_named(stage: Stage) -> None:
    """On real nodes only: nft of the modelled hosts lists rules, and makes none."""
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


@pytest.mark.parametrize("pods", [True, False])
def test_an_mtu_that_is_too_small_fails_large_packets_alone(stage: Stage, pods: bool) -> None:
    """Without pods no packet is larger than what the nodes send themselves: then nothing is lost."""
    if pods:
        stage.add_pods()
    assert stage.tool("apply", "--yes").code == 0
    stage.run("worker-1", "ip link set eth0 mtu 1400")
    answer = stage.tool("check")
    if not pods:
        assert answer.code == 0, answer.out
        return
    assert answer.code == 4, answer.out
    assert "4 of 6 pairs of workers let only small packets through: those of 1500 bytes are lost." in answer.out
    assert "✗ 1500 bytes lost" in answer.out
    assert (
        "worker-0 → worker-1: Small packets get through, packets of 1500 bytes do not: large transfers stall. "
        "worker-1's eth0 passes on no more than 1400 bytes.\n"
        "    The same: worker-1 → worker-0, worker-1 → worker-2, worker-2 → worker-1.\n"
        "    Next: On worker-0: ping -c 1 -M do -s 1472 -I 10.200.0.2 10.200.1.2\n"
    ) in answer.out
    assert '    Fix: On each worker: "mtu": 1400 in the CNI configuration (/etc/cni/net.d/10-bridge.conf)' in answer.out
    assert "provider" not in answer.out
