"""Packets between modelled hosts: the tables decide, there and back, and the counters tell what happened."""

import json
from ipaddress import IPv4Network

import pytest

from kthw_routes.demo.pods import with_pods
from kthw_routes.demo.topology import Topology
from tests.model.hosts import cluster, power_off, run

PROBE = {0: "10.200.0.254", 1: "10.200.1.254", 2: "10.200.2.254"}
VIA = {0: "192.168.138.48", 1: "192.168.145.107", 2: "192.168.152.166"}
SETTINGS = "ping -n -c 3 -i 0.2 -W 1"


def worker(topology: Topology, number: int, command: str) -> tuple[int, str]:
    """Run something on a worker; status, and stdout with stderr."""
    ran = run(topology.hosts[f"worker-{number}"], command)
    return ran.status, ran.out + ran.err


def add_probes(topology: Topology) -> None:
    """A probe address of each pod CIDR on each worker's lo."""
    for number, address in PROBE.items():
        worker(topology, number, f"ip address add {address}/32 dev lo valid_lft 30 preferred_lft 30")


def add_route(topology: Topology, on: int, to: int) -> None:
    """The route of lab 11."""
    assert worker(topology, on, f"ip route add 10.200.{to}.0/24 via {VIA[to]}") == (0, "")


def probe(topology: Topology, one: int, other: int) -> int:
    """How many of three requests were answered."""
    _, text = worker(topology, one, f"{SETTINGS} -q -I {PROBE[one]} {PROBE[other]}")
    return int(text.partition("transmitted, ")[2].split()[0])


def counters(topology: Topology, number: int) -> dict[str, int]:
    """The ICMP counters, as /proc/net/snmp shows them."""
    _, text = worker(topology, number, "cat /proc/net/snmp")
    names, values = (line.split()[1:] for line in text.splitlines() if line.startswith("Icmp:"))
    return dict(zip(names, map(int, values), strict=True))


def test_nothing_gets_through_before_the_lab() -> None:
    """Without routes the default route leaks pod traffic to the provider, who is silent."""
    topology = cluster()
    add_probes(topology)
    status, text = worker(topology, 0, f"{SETTINGS} -I {PROBE[0]} {PROBE[1]}")
    assert status == 1
    assert text == (
        "PING 10.200.1.254 (10.200.1.254) from 10.200.0.254 : 56(84) bytes of data.\n\n"
        "--- 10.200.1.254 ping statistics ---\n"
        "3 packets transmitted, 0 received, 100% packet loss, time 400ms\n\n"
    )
    assert worker(topology, 0, "ip route get 10.200.1.5")[1].startswith("10.200.1.5 via 203.0.113.1 dev eth0")


def test_both_routes_are_needed() -> None:
    """With one of them the request arrives and the reply is lost on another way."""
    topology = cluster()
    add_probes(topology)
    add_route(topology, on=0, to=1)
    assert probe(topology, 0, 1) == 0
    one, other = counters(topology, 0), counters(topology, 1)
    assert (one["OutEchos"], one["InEchoReps"]) == (3, 0)
    assert (other["InEchos"], other["OutEchoReps"]) == (3, 3)
    assert probe(topology, 1, 0) == 0
    assert counters(topology, 0)["InEchos"] == 0
    add_route(topology, on=1, to=0)
    assert probe(topology, 0, 1) == probe(topology, 1, 0) == 3
    assert counters(topology, 0)["InEchoReps"] == 3


def test_the_replies_look_like_those_of_iputils() -> None:
    """Every line has the measured form."""
    topology = cluster()
    status, text = worker(topology, 0, f"{SETTINGS} {VIA[1]}")
    lines = text.splitlines()
    assert status == 0
    assert lines[0] == "PING 192.168.145.107 (192.168.145.107) 56(84) bytes of data."
    for number, line in enumerate(lines[1:4], start=1):
        assert line.startswith(f"64 bytes from 192.168.145.107: icmp_seq={number} ttl=64 time=0.")
        assert line.endswith(" ms")
    assert lines[4:7] == [
        "",
        "--- 192.168.145.107 ping statistics ---",
        "3 packets transmitted, 3 received, 0% packet loss, time 400ms",
    ]
    assert lines[7].startswith("rtt min/avg/max/mdev = 0.")


@pytest.mark.parametrize("filtered", ["source", "both"])
def test_the_provider_filter_of_eu_west(filtered: str) -> None:
    """A source filter drops the request of a pod address where it leaves the sender; so does one on both."""
    topology = cluster("eu-west")
    if filtered == "both":
        pods = IPv4Network("10.200.0.0/16")
        topology.ethernet.filter = lambda packet: packet.source in pods or packet.destination in pods
    add_probes(topology)
    add_route(topology, on=0, to=1)
    add_route(topology, on=1, to=0)
    assert probe(topology, 0, 1) == 0
    assert counters(topology, 0)["OutEchos"] == 3
    assert counters(topology, 1)["InEchos"] == 0
    assert worker(topology, 0, f"ping -c 1 {VIA[1]}")[0] == 0


def test_a_masquerading_node_gets_its_request_through_the_source_filter() -> None:
    """Pods' requests leave with the node's address; their replies do not, and are dropped at the other end."""
    topology = with_pods(cluster("eu-west"))
    add_route(topology, on=0, to=1)
    add_route(topology, on=1, to=0)
    assert pod_ping(topology, 0, 1)[0] == 1
    one, other = counters(topology, 0), counters_in_pod(topology, 1)
    assert (other["InEchos"], other["OutEchoReps"]) == (3, 3)
    assert one["InEchoReps"] == 0


def pod_ping(topology: Topology, one: int, other: int) -> tuple[int, str]:
    """Ping from a pod on one worker to the pod on another."""
    return worker(topology, one, f"ip netns exec $(ip netns list) {SETTINGS} 10.200.{other}.2")


def counters_in_pod(topology: Topology, number: int) -> dict[str, int]:
    """The ICMP counters of a worker's pod."""
    _, text = worker(topology, number, "ip netns exec $(ip netns list) cat /proc/net/snmp")
    names, values = (line.split()[1:] for line in text.splitlines() if line.startswith("Icmp:"))
    return dict(zip(names, map(int, values), strict=True))


def test_pods_reach_each_other_when_the_routes_stand() -> None:
    """All six directions; each answer comes from the pod itself, two hops away."""
    topology = with_pods(cluster())
    for one in VIA:
        for other in VIA:
            if one != other:
                add_route(topology, on=one, to=other)
    for one in VIA:
        for other in VIA:
            if one != other:
                status, text = pod_ping(topology, one, other)
                assert status == 0
                assert f"64 bytes from 10.200.{other}.2: icmp_seq=3 ttl=62" in text


def test_masquerading_hides_a_missing_reverse_route_in_one_direction() -> None:
    """As measured with the CNI's ipMasq: one route is enough for one direction only."""
    topology = with_pods(cluster())
    add_route(topology, on=0, to=1)
    assert pod_ping(topology, 0, 1)[0] == 0
    assert pod_ping(topology, 1, 0)[0] == 1


def test_without_forwarding_the_bridge_answers_and_the_pod_does_not() -> None:
    """`ip_forward` 0 is invisible to a ping of the bridge."""
    topology = with_pods(cluster())
    add_route(topology, on=0, to=1)
    add_route(topology, on=1, to=0)
    worker(topology, 1, "sysctl -w net.ipv4.ip_forward=0")
    assert worker(topology, 0, f"{SETTINGS} 10.200.1.1")[0] == 0
    assert worker(topology, 0, f"{SETTINGS} 10.200.1.2")[0] == 1
    refused = worker(topology, 1, "ip route get 10.200.0.2 from 10.200.1.2 iif cnio0")
    assert refused == (2, "RTNETLINK answers: No route to host\n")


def test_the_own_address_as_next_hop_is_taken_and_leads_nowhere() -> None:
    """The kernel accepts it without a word; the destination is then looked for on the wire."""
    topology = cluster()
    assert worker(topology, 0, f"ip route add 10.200.1.0/24 via {VIA[0]}") == (0, "")
    got = worker(topology, 0, "ip route get 10.200.1.5")[1]
    assert got.startswith("10.200.1.5 dev eth0 src 192.168.138.48 ")
    assert "100% packet loss" in worker(topology, 0, f"{SETTINGS} 10.200.1.5")[1]
    _, text = worker(topology, 0, "ping -n -c 2 -i 0.2 10.200.1.5")
    assert "From 192.168.138.48 icmp_seq=1 Destination Host Unreachable\n" in text
    assert "+2 errors, 100% packet loss" in text


@pytest.mark.parametrize(
    ("setup", "arguments", "expected"),
    [
        ("ip route add blackhole 10.200.1.0/24", "10.200.1.5", "ping: connect: Invalid argument\n"),
        ("ip route add unreachable 10.200.1.0/24", "10.200.1.5", "ping: connect: No route to host\n"),
        (
            "ip route add prohibit 10.200.1.0/24",
            "10.200.1.5",
            "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n",
        ),
        ("ip route del default", "10.200.1.5", "ping: connect: Network is unreachable\n"),
        ("true", "-I 1.2.3.4 10.200.1.5", "ping: bind: Cannot assign requested address\n"),
        ("true", "-I eth9 10.200.1.5", "ping: SO_BINDTODEVICE eth9: No such device\n"),
        ("true", "nonesuch", "ping: nonesuch: Temporary failure in name resolution\n"),
    ],
)
def test_what_ping_refuses(setup: str, arguments: str, expected: str) -> None:
    """The words and the status, before anything is sent."""
    topology = cluster()
    assert worker(topology, 0, f"{setup}; ping -c 1 {arguments}") == (2, expected)


def test_a_loop_ends_at_the_hop_limit() -> None:
    """Two workers that send a third one's packets to and fro."""
    topology = cluster()
    for one, other in ((0, 1), (1, 2), (2, 1)):
        worker(topology, one, "sysctl -qw net.ipv4.ip_forward=1")
        assert worker(topology, one, f"ip route add 10.200.9.0/24 via {VIA[other]}")[0] == 0
    status, text = worker(topology, 0, "ping -n -c 1 -W 1 10.200.9.1")
    assert status == 1
    assert "icmp_seq=1 Time to live exceeded\n" in text


def test_a_host_drops_what_claims_to_come_from_itself() -> None:
    """A next hop that sends the packet straight back: silence, as on a real kernel."""
    topology = cluster()
    for one, other in ((0, 1), (1, 0)):
        worker(topology, one, "sysctl -qw net.ipv4.ip_forward=1")
        assert worker(topology, one, f"ip route add 10.200.9.0/24 via {VIA[other]}")[0] == 0
    assert "1 packets transmitted, 0 received, 100%" in worker(topology, 0, "ping -n -c 1 -W 1 10.200.9.1")[1]


def test_a_probe_address_goes_by_itself() -> None:
    """After its lifetime the kernel takes it away, and a ping to it is not answered any more."""
    topology = cluster()
    add_probes(topology)
    add_route(topology, on=0, to=1)
    add_route(topology, on=1, to=0)
    assert probe(topology, 0, 1) == 3
    shown = json.loads(worker(topology, 1, "ip -json address show dev lo")[1])
    assert shown[0]["addr_info"][1]["local"] == PROBE[1]
    assert 20 <= shown[0]["addr_info"][1]["valid_life_time"] <= 30
    worker(topology, 1, "sleep 31")
    assert PROBE[1] not in worker(topology, 1, "ip address")[1]
    worker(topology, 0, f"ip address replace {PROBE[0]}/32 dev lo valid_lft 30 preferred_lft 30")
    assert probe(topology, 0, 1) == 0


def test_a_host_that_is_down_does_not_answer() -> None:
    """Its neighbours find nobody at its address."""
    topology = cluster()
    power_off(topology.hosts["worker-1"])
    status, text = worker(topology, 0, f"ping -n -c 1 {VIA[1]}; ip neigh")
    assert "From 192.168.138.48 icmp_seq=1 Destination Host Unreachable\n" in text
    assert f"{VIA[1]} dev eth0 FAILED \n" in text
    assert status == 0
