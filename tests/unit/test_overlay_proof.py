"""What the proof says of pairs over the overlay: who drops its UDP packets, and how a packet goes through it."""

from dataclasses import replace

import pytest

from kthw_routes.facts import HostFacts, InterfaceAddress, Route
from kthw_routes.netfilter import iptables, nft, walk
from kthw_routes.netfilter.rules import Hook, Packet
from kthw_routes.overlay import table
from kthw_routes.overlay.model import DEVICE, OverlayReading
from kthw_routes.plan import compare
from kthw_routes.plan.overlay import wanted_on
from kthw_routes.proof.causes import Cause, Layer
from kthw_routes.proof.diagnosis import explain, is_filtered
from kthw_routes.proof.path import HostPath
from kthw_routes.proof.readings import Masquerading, NodesReading, PairReading, Proof
from kthw_routes.teaching.hops import Kind, Passage
from kthw_routes.teaching.trace import trace
from tests.unit.builders import ip, net
from tests.unit.pairs import CLUSTER, ends, host, of_pods, path, proof_of, saved

OVERLAID = replace(CLUSTER, has_overlay=True)


def node(number: int) -> HostFacts:
    """A worker with its part of the overlay, its routes through it, and a pod."""
    routes = [
        Route(net(f"10.200.{n}.0/24"), ip(f"10.200.{n}.0"), DEVICE, "200", flags=frozenset({"onlink"}))
        for n in range(3)
        if n != number
    ]
    bare = host(number, routes)
    state = wanted_on(OVERLAID, CLUSTER.node(f"worker-{number}"), None)
    own = tuple(InterfaceAddress(DEVICE, address, mtu=1450) for address in state.addresses)
    return replace(bare, overlay=OverlayReading(state=state, has_nft=True), addresses=(*bare.addresses, *own))


def proof(pair: PairReading, **paths: HostPath) -> Proof:
    read = {f"worker-{n}": node(n) for n in range(3)}
    found = {name.replace("_", "-"): value for name, value in paths.items()}
    return Proof(compare.make(OVERLAID, read), (), (pair,), facts=read, paths=found, pods=net("10.200.0.0/16"))


def cause(pair: PairReading, **paths: HostPath) -> Cause:
    return explain(proof(pair, **paths), pair)


LOST = of_pods(nodes=NodesReading(True, 3, 0))
UFW = "*filter\n:INPUT DROP [0:0]\n:ufw-user-input - [0:0]\n-A INPUT -j ufw-user-input\n{rules}COMMIT\n"
ACCEPTS = "-A ufw-user-input -s 192.168.128.10/32 -p udp -m udp --dport 4789 -j ACCEPT\n"


def ruled(text: str) -> HostPath:
    return path(in_device=DEVICE, tables=iptables.parse_tables(text))


def test_a_nodes_own_firewall_that_drops_its_packets_is_named() -> None:
    found = cause(LOST, worker_1=ruled(UFW.format(rules="")))
    assert (found.layer, found.host) == (Layer.FIREWALL, "worker-1")
    what = "worker-1 itself drops the overlay's packets (UDP to port 4789): "
    assert found.what == f"{what}the policy of its INPUT chain is to drop (ufw)."
    assert (found.fix or "").endswith("sudo ufw allow proto udp from 192.168.128.10 to any port 4789")
    plain = cause(LOST, worker_1=saved(policy="DROP"))
    assert (plain.fix or "").endswith("sudo iptables -I INPUT -s 192.168.128.10 -p udp --dport 4789 -j ACCEPT")
    out = cause(LOST, worker_0=ruled("*filter\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p udp -j DROP\nCOMMIT\n"))
    assert out.host == "worker-0"


def test_no_rule_is_blamed_that_may_let_them_pass() -> None:
    """What a port is asked of is not read from iptables, so that it may fit."""
    found = cause(LOST, worker_0=saved(), worker_1=ruled(UFW.format(rules=ACCEPTS)))
    assert found.layer is Layer.NETWORK_OUT


def test_else_what_is_between_the_nodes_drops_udp_and_no_pod_addresses() -> None:
    found = cause(LOST, worker_0=saved(), worker_1=saved())
    assert found.layer is Layer.NETWORK_OUT
    assert found.what.startswith("Something between the nodes drops the overlay's packets (UDP to port 4789)")
    assert found.shows == "On worker-1: sudo tcpdump -ni any udp port 4789"
    assert found.fix == "Let UDP to port 4789 pass between the workers' internal addresses."
    back = cause(of_pods(**ends(3, 3, 3, 0)))
    assert back.layer is Layer.NETWORK_BACK
    assert "the overlay's packets (UDP to port 4789) from worker-1" in back.what
    assert not is_filtered(proof(LOST))
    assert is_filtered(proof_of(LOST)), "without an overlay it is pod addresses that are dropped"


def test_a_pod_that_sends_too_large_packets_is_told_so_at_the_device() -> None:
    narrow = of_pods(received=3, full_size=1500, full_size_lost="From 10.200.0.1 Frag needed and DF set (mtu = 1450)")
    found = cause(narrow)
    assert found.layer is Layer.MTU
    assert "worker-0's kthw-routes0 passes on no more than 1450 bytes." in found.what
    assert '"mtu": 1450' in (found.fix or "")
    way = trace(proof(narrow), OVERLAID, "worker-0", "worker-1")
    assert way is not None
    assert way.stop is not None
    assert (way.stop.host, way.stop.kind) == ("worker-0", Kind.TUNNEL)


@pytest.mark.parametrize("masked", [True, False])
def test_a_packet_is_followed_into_the_tunnel_and_out_of_it(masked: bool) -> None:
    pair = of_pods(received=3, masquerading=Masquerading(masked), **ends(3, 3, 3, 3))
    way = trace(proof(pair), OVERLAID, "worker-0", "worker-1")
    assert way is not None
    assert all(hop.passage is Passage.PASSES for hop in way.hops)
    there = [hop for hop in way.hops if not hop.is_back]
    kinds = [hop.kind for hop in there]
    at = kinds.index(Kind.TUNNEL)
    assert kinds[at - 1 : at + 4] == [Kind.NEXT_HOP, Kind.TUNNEL, Kind.NETWORK, Kind.INTERFACE, Kind.TUNNEL]
    assert there[at].value == "inside UDP to 192.168.128.11, port 4789; MTU 1450"
    face = next(hop.value for hop in there if hop.kind is Kind.MASQUERADING)
    assert face == ("yes, it leaves as 10.200.0.0" if masked else "no: it keeps 10.200.0.2")
    assert [hop.kind for hop in way.hops if hop.is_back].count(Kind.TUNNEL) == 2


@pytest.mark.parametrize(
    ("rule", "port", "passes"),
    [
        ("udp dport 4789 drop", 4789, False),
        ("udp dport { 53, 4789 } drop", 4789, False),
        ("udp dport != 53 drop", 4789, False),
        ("udp dport 53 drop", 4789, True),
        ("tcp dport 4789 drop", 4789, True),
        ("udp dport @ports drop", 4789, None),
        ("udp sport 4789 drop", 4789, None),
        ("udp dport 4789 drop", None, None),
    ],
)
def test_rules_about_udp_ports_are_judged(rule: str, port: int | None, passes: bool | None) -> None:
    text = f"table inet t {{\nchain i {{\ntype filter hook input priority 0; policy accept;\n{rule}\n}}\n}}\n"
    packet = Packet(source=ip("192.168.128.10"), destination=None, protocol="udp", port=port)
    hit = walk.drops(nft.parse_tables(text), Hook.INPUT, packet)
    assert (None if hit is not None and not hit.is_certain else hit is None) is passes
    assert walk.drops(nft.parse_tables(text), Hook.INPUT, replace(packet, protocol="icmp", port=None)) is None


def test_our_own_table_lets_in_peers_and_nobody_else() -> None:
    tables = nft.parse_tables(table.render(frozenset({ip("192.168.128.11")})).split("\n", 2)[2])
    for source, passes in (("192.168.128.11", True), ("192.168.128.12", False)):
        packet = Packet(source=ip(source), destination=None, protocol="udp", port=4789)
        assert (walk.drops(tables, Hook.INPUT, packet) is None) is passes
