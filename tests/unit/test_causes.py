"""One cause: what ping and the kernels answered, and by whom, decides before anything is guessed."""

from dataclasses import replace
from ipaddress import IPv4Interface
from typing import Any

import pytest

from kthw_routes.facts import HostFacts, InterfaceAddress, Route
from kthw_routes.proof.answers import Answer, AnswerKind, parse_answer
from kthw_routes.proof.causes import Layer
from kthw_routes.proof.diagnosis import explain, pair_words
from kthw_routes.proof.path import HostPath, Lookup, PolicyRule, Way
from kthw_routes.proof.readings import Evidence, NodesReading, PairReading
from kthw_routes.proof.walls import with_connections
from kthw_routes.words import explanations

from .builders import ip, net, pair_reading, pod_route
from .pairs import cause, ends, host, of_pods, path, proof_of, saved, with_paths


@pytest.mark.parametrize(
    ("words", "kind", "by", "said"),
    [
        ("From 192.168.8.21 icmp_seq=1 Destination Host Prohibited", "REJECTED", "192.168.8.21", "Host Prohibited"),
        ("From 192.168.8.21 icmp_seq=2 Destination Net Prohibited", "REJECTED", "192.168.8.21", "Net Prohibited"),
        ("From 192.168.8.21 icmp_seq=1 Packet filtered", "REJECTED", "192.168.8.21", "Packet filtered"),
        ("From 192.168.8.21 icmp_seq=1 Destination Port Unreachable", "REJECTED", "192.168.8.21", "Port Unreachable"),
        ("From 192.168.8.21 icmp_seq=1 Destination Net Unreachable", "NO_ROUTE", "192.168.8.21", "Net Unreachable"),
        ("From 10.1.1.1 icmp_seq=1 Destination Host Unreachable", "NO_NEIGHBOUR", "10.1.1.1", "Host Unreachable"),
        ("From 10.1.1.1 icmp_seq=1 Time to live exceeded", "EXPIRED", "10.1.1.1", "Time to live exceeded"),
        (
            "From 10.1.1.1 icmp_seq=1 Frag needed and DF set (mtu = 1450)",
            "TOO_BIG",
            "10.1.1.1",
            "Frag needed and DF set (mtu = 1450)",
        ),
        ("ping: sendmsg: Operation not permitted", "FILTERED", None, "ping: sendmsg: Operation not permitted"),
        ("ping: connect: Network is unreachable", "REFUSED", None, "ping: connect: Network is unreachable"),
        ("ping: sendmsg: No route to host", "REFUSED", None, "ping: sendmsg: No route to host"),
        (
            "ping: local error: message too long, mtu=1450",
            "TOO_BIG",
            None,
            "ping: local error: message too long, mtu=1450",
        ),
    ],
)
def test_an_answer_says_what_and_by_whom(words: str, kind: str, by: str | None, said: str) -> None:
    assert parse_answer(words) == Answer(AnswerKind[kind], said, ip(by) if by else None)


@pytest.mark.parametrize(
    "words",
    ["", "From 10.1.1.1 icmp_seq=1 Redirect Host", "From 999.1.1.1 icmp_seq=1 Packet filtered", "ping: unknown"],
)
def test_what_says_nothing_of_the_way_is_no_answer(words: str) -> None:
    assert parse_answer(words) is None


@pytest.mark.parametrize("kind", ["Host Prohibited", "Port Unreachable", "Net Prohibited"])
@pytest.mark.parametrize(
    ("by", "who"),
    [
        ("192.168.128.11", "worker-1"),
        ("10.200.1.1", "worker-1"),
        ("10.200.0.1", "worker-0"),
        ("192.168.128.12", "worker-2"),
    ],
)
def test_who_rejects_is_named_by_its_address(kind: str, by: str, who: str) -> None:
    """Case 10: firewalld's rule on worker-1 answered, and the provider was blamed."""
    found = cause(of_pods(f"From {by} icmp_seq=1 Destination {kind}"))
    assert (found.layer, found.host) == (Layer.FIREWALL, who)
    assert found.what.startswith(f"{who} itself rejects them ({kind}): a rule in its FORWARD chain.")
    assert ("should not come by there" in found.what) is (who == "worker-2")
    assert found.shows == f"On {who}: sudo iptables -S FORWARD; sudo nft list ruleset"
    assert "accept packets from and to pods (10.200.0.0/24, 10.200.1.0/24)" in (found.fix or "")
    assert found.seen == (
        f"worker-0 heard: From {by} icmp_seq=1 Destination {kind}. Three requests left worker-0's pod, none arrived at "
        "worker-1's pod."
    )
    assert "provider" not in found.sentence


@pytest.mark.parametrize(
    ("by", "chain"),
    [("192.168.128.11", "INPUT"), ("10.200.1.254", "INPUT"), ("192.168.128.10", "OUTPUT"), ("10.200.0.254", "OUTPUT")],
)
def test_packets_of_the_nodes_themselves_are_not_forwarded(by: str, chain: str) -> None:
    probes = {"source_address": ip("10.200.0.254"), "target_address": ip("10.200.1.254")}
    found = cause(of_pods(f"From {by} icmp_seq=1 Packet filtered", evidence=Evidence.PROBE, **probes))
    assert f"a rule in its {chain} chain" in found.what
    assert f"iptables -S {chain}" in found.shows
    assert "Three requests left worker-0, none arrived at worker-1." in found.seen


def test_a_route_that_prohibits_is_no_firewall() -> None:
    """The kernel answers `Packet filtered` for both."""
    hole = Route(net("10.200.1.2/32"), type="prohibit")
    found = cause(of_pods("From 192.168.128.12 icmp_seq=1 Packet filtered"), worker_2=host(2, [hole]))
    assert (found.layer, found.host) == (Layer.ROUTE, "worker-2")
    assert "its table has a route of type prohibit for 10.200.1.2/32" in found.what


def test_who_is_none_of_the_nodes_is_named_by_address() -> None:
    found = cause(of_pods("From 192.168.200.1 icmp_seq=1 Packet filtered"))
    assert (found.layer, found.host) == (Layer.NETWORK_OUT, "192.168.200.1")
    assert found.what.startswith("192.168.200.1, an address of none of the nodes, rejects them (Packet filtered)")


def test_an_address_that_several_nodes_have_names_none_of_them() -> None:
    docker = InterfaceAddress("docker0", IPv4Interface("172.17.0.1/16"))
    both = {f"worker_{n}": host(n, addresses=(*host(n).addresses, docker)) for n in (1, 2)}
    found = cause(of_pods("From 172.17.0.1 icmp_seq=1 Packet filtered"), **both)
    assert found.host == "172.17.0.1"


def test_a_circle_of_routes_names_a_node_in_it() -> None:
    found = cause(of_pods("From 192.168.128.12 icmp_seq=1 Time to live exceeded"))
    assert (found.layer, found.host) == (Layer.ROUTE, "worker-2")
    assert "round in a circle that worker-2 is part of" in found.what
    assert found.shows == "On worker-2: ip route get 10.200.1.2"


def test_who_has_no_route_is_named() -> None:
    found = cause(of_pods("From 192.168.128.11 icmp_seq=1 Destination Net Unreachable"))
    assert (found.layer, found.host) == (Layer.ROUTE, "worker-1")
    assert found.what == "worker-1 has no route to 10.200.1.2 (Net Unreachable)."
    far = cause(of_pods("From 203.0.113.1 icmp_seq=1 Destination Net Unreachable"))
    assert far.what == "203.0.113.1, an address of none of the nodes, has no route to 10.200.1.2 (Net Unreachable)."


@pytest.mark.parametrize(
    ("by", "layer", "at", "words"),
    [
        ("10.200.0.1", Layer.NEXT_HOP, "worker-1", "worker-0 gets no answer from the next hop itself"),
        ("192.168.128.10", Layer.NEXT_HOP, "worker-1", "worker-0 gets no answer from the next hop itself"),
        ("192.168.128.11", Layer.TARGET, "worker-1", "worker-1 gets no answer from 10.200.1.2 itself"),
        ("192.168.128.1", Layer.NEXT_HOP, "192.168.128.1", "192.168.128.1 gets no answer from 10.200.1.2 itself"),
    ],
)
def test_host_unreachable_is_about_who_says_it(by: str, layer: Layer, at: str, words: str) -> None:
    found = cause(of_pods(f"From {by} icmp_seq=1 Destination Host Unreachable"))
    assert (found.layer, found.host) == (layer, at)
    assert found.what.startswith(words)


def test_a_wrong_table_is_named_before_what_was_answered_on_the_wrong_way() -> None:
    astray = [pod_route(1, via=2), pod_route(2)]
    found = cause(of_pods("From 192.168.128.12 icmp_seq=1 Destination Host Prohibited"), worker_0=host(0, astray))
    assert found.layer is Layer.ROUTE
    assert "worker-0 has no right route to worker-1's pod CIDR" in found.what


def test_what_shows_it_and_what_mends_it_are_lines_of_their_own() -> None:
    lines = explanations(proof_of(of_pods("From 192.168.128.11 icmp_seq=1 Destination Host Prohibited")))
    assert lines[0].startswith("worker-0 → worker-1: worker-1 itself rejects them (Host Prohibited)")
    assert lines[1].startswith("    Next: On worker-1: sudo iptables")
    assert lines[2].startswith("    Fix: On worker-1: accept packets")


MASQUERADE = "-s 10.200.0.0/24 ! -d 10.200.0.0/24 -j MASQUERADE"
BACK: dict[str, Any] = ends(3, 3, 3, 0)


@pytest.mark.parametrize(
    ("given", "paths", "at", "what"),
    [
        ({}, {"worker_0": saved(), "worker_1": saved(policy="DROP")}, "worker-1", "the policy of its FORWARD chain"),
        ({}, {"worker_0": saved(policy="DROP"), "worker_1": saved()}, "worker-0", "the policy of its FORWARD chain"),
        ({}, {"worker_0": saved("FORWARD -o eth0 -j DROP")}, "worker-0", "`-A FORWARD -o eth0 -j DROP`"),
        ({}, {"worker_0": saved("FORWARD -i eth0 -j DROP")}, None, ""),
        ({}, {"worker_1": saved("FORWARD -i eth0 -o cnio0 -j DROP")}, "worker-1", "`-A FORWARD -i eth0 -o cnio0"),
        (BACK, {"worker_1": saved("FORWARD -i eth0 -j DROP")}, None, ""),
        (BACK, {"worker_1": saved("FORWARD -i cnio0 -j DROP")}, "worker-1", "`-A FORWARD -i cnio0 -j DROP`"),
        (BACK, {"worker_0": saved("FORWARD -i eth0 -j DROP")}, "worker-0", "`-A FORWARD -i eth0 -j DROP`"),
        (BACK, {"worker_0": saved("FORWARD -m state --state NEW -j DROP")}, None, ""),
    ],
)
def test_the_rule_that_drops_is_named_on_its_host(
    given: dict[str, Any], paths: dict[str, HostPath], at: str | None, what: str
) -> None:
    found = with_paths(of_pods(**given), **paths)
    assert (found.layer is Layer.FIREWALL) is (at is not None)
    if at is not None:
        assert found.host == at
        assert found.what.startswith(f"{at} itself drops them: ")
        assert what in found.what
        assert found.shows == f"On {at}: sudo iptables -S FORWARD"
        accept = "sudo iptables -I FORWARD {} 10.200.0.0/16 -j ACCEPT"
        assert found.fix == f"On {at}: {accept.format('-s')}; {accept.format('-d')}"


@pytest.mark.parametrize(("evidence", "is_blamed"), [(Evidence.BRIDGE, True), (Evidence.POD, False)])
def test_what_a_node_takes_itself_is_not_forwarded(evidence: Evidence, is_blamed: bool) -> None:
    found = with_paths(of_pods(evidence=evidence), worker_1=saved("INPUT -s 10.200.0.0/16 -j DROP"))
    assert (found.layer is Layer.FIREWALL) is is_blamed


@pytest.mark.parametrize(
    ("source", "rule", "is_blamed"),
    [
        (saved(nat=MASQUERADE), "FORWARD -s 10.200.0.0/16 -j DROP", False),
        (saved(), "FORWARD -s 10.200.0.0/16 -j DROP", True),
        (saved(nat=MASQUERADE), "FORWARD -j DROP", True),
        (saved(nat=MASQUERADE), "FORWARD -s 192.168.128.10 -j DROP", True),
        (saved(), "FORWARD -s 192.168.128.10 -j DROP", False),
        (saved(nat="-m mark --mark 0x1 -j MASQUERADE"), "FORWARD -s 192.168.128.10 -j DROP", False),
        (None, "FORWARD -s 10.200.0.0/16 -j DROP", False),
    ],
)
def test_a_packet_may_carry_its_nodes_address(source: HostPath | None, rule: str, is_blamed: bool) -> None:
    """Then a rule about pods' addresses is not blamed for sure."""
    paths = {"worker_1": saved(rule)} | ({"worker_0": source} if source else {})
    assert (with_paths(of_pods(), **paths).layer is Layer.FIREWALL) is is_blamed


def test_who_rejects_is_named_with_its_rule() -> None:
    rule = "FORWARD -j REJECT --reject-with icmp-host-prohibited"
    heard = of_pods("From 192.168.128.11 icmp_seq=1 Destination Host Prohibited")
    found = with_paths(heard, worker_0=saved(), worker_1=saved(rule))
    assert (
        found.what
        == f"worker-1 itself rejects them (Host Prohibited): the rule `-A {rule}` in its FORWARD chain (iptables)."
    )
    other = with_paths(heard, worker_0=saved(), worker_1=saved("FORWARD -m set --match-set x src -j ACCEPT"))
    assert other.what == "worker-1 itself rejects them (Host Prohibited): a rule in its FORWARD chain."


OUT, IN = (Way.OUT, "worker-1"), (Way.IN, "worker-0")
RIGHT = Lookup("10.200.1.2 from 10.200.0.2 via 192.168.128.11 dev eth0 cache iif cnio0", False)
REFUSED = Lookup("RTNETLINK answers: Invalid argument", True)
RULE = PolicyRule("77: from 10.200.0.0/24 lookup 100", "100")


@pytest.mark.parametrize(
    ("lookup", "rule", "is_blamed"),
    [
        (RIGHT, RULE, False),
        (Lookup("10.200.1.2 from 10.200.0.2 via 192.0.2.9 dev eth1 table 100 cache iif cnio0", False), RULE, True),
        (Lookup("RTNETLINK answers: Network is unreachable", True), RULE, True),
        (REFUSED, RULE, True),
        (REFUSED, PolicyRule("77: from 10.99.0.0/24 lookup 100", "100"), False),
    ],
)
def test_a_policy_rule_is_named_where_the_kernel_goes_by_it(lookup: Lookup, rule: PolicyRule, is_blamed: bool) -> None:
    settings = {"all": 0, "cnio0": 0, "eth0": 0}
    found = with_paths(of_pods(), worker_0=path(lookups={OUT: lookup}, policy_rules=(rule,), rp_filter=settings))
    assert (found.layer is Layer.POLICY) is is_blamed
    if is_blamed:
        assert found.host == "worker-0"
        assert found.what.startswith("A policy rule of worker-0, `77: from 10.200.0.0/24 lookup 100`, ")
        assert lookup.words in found.what


ELSEWHERE = ("10.0.0.0/8 via 192.168.128.11 dev eth0", "10.200.0.0/16 via 192.0.2.9 dev eth1")


@pytest.mark.parametrize(
    ("text", "routes", "is_blamed"),
    [
        ("77: from 10.200.0.0/24 lookup 100", ELSEWHERE, True),
        ("77: from 10.200.0.0/24 lookup 100", ("blackhole 10.200.1.0/24",), True),
        ("77: from 10.200.0.0/24 lookup 100", ("10.200.1.0/24 via 192.168.128.11 dev eth0",), False),
        ("77: from 10.200.0.0/24 lookup 100", ("10.200.2.0/24 via 192.0.2.9 dev eth1",), False),
        ("77: from 10.200.0.0/24 lookup 100", ("nonsense",), False),
        ("77: from 10.200.0.0/24 fwmark 0x1 lookup 100", ELSEWHERE, False),
        ("77: from 10.99.0.0/24 lookup 100", ELSEWHERE, False),
    ],
)
def test_the_table_of_a_policy_rule_decides_where_the_kernel_could_not_be_asked(
    text: str, routes: tuple[str, ...], is_blamed: bool
) -> None:
    """A table without a route for the packet leaves it to the next rule; a rule about marks may not fit it."""
    found = with_paths(of_pods(), worker_0=path(policy_rules=(PolicyRule(text, "100", routes),)))
    assert (found.layer is Layer.POLICY) is is_blamed
    if is_blamed:
        assert found.seen.startswith(f"Table 100 has `{routes[-1]}`. ")


def test_of_two_policy_rules_the_one_whose_table_leads_astray_is_named() -> None:
    first = PolicyRule("7: from 10.200.0.0/24 lookup 99", "99", ("10.200.9.0/24 via 192.0.2.9 dev eth1",))
    second = PolicyRule("77: from 10.200.0.0/24 lookup 100", "100", ELSEWHERE)
    lookup = Lookup("10.200.1.2 from 10.200.0.2 via 192.0.2.9 dev eth1 table 100", False)
    found = with_paths(of_pods(), worker_0=path(lookups={OUT: lookup}, policy_rules=(first, second)))
    assert second.text in found.what
    assert "Table 100 has `10.200.0.0/16 via 192.0.2.9 dev eth1`." in found.seen


@pytest.mark.parametrize(
    ("settings", "is_blamed"),
    [({"all": 0, "eth0": 1}, True), ({"all": 1, "eth0": 0}, True), ({}, True), ({"all": 0, "eth0": 0}, False)],
)
@pytest.mark.parametrize("words", ["Invalid argument", "Invalid cross-device link"])
def test_the_reverse_path_filter_is_named_where_it_is_on(settings: dict[str, int], is_blamed: bool, words: str) -> None:
    refused = Lookup(f"RTNETLINK answers: {words}", True)
    found = with_paths(of_pods(), worker_1=path(lookups={IN: refused}, rp_filter=settings))
    assert (found.layer is Layer.REVERSE_PATH) is is_blamed
    if is_blamed:
        assert found.host == "worker-1"
        assert "they come in by eth0" in found.what
        assert found.shows == "On worker-1: sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.eth0.rp_filter"


def test_replies_are_not_lost_on_the_way_there() -> None:
    """What the target's kernel says of requests is of no importance where they arrived."""
    found = with_paths(of_pods(**BACK), worker_1=path(lookups={IN: REFUSED}, rp_filter={"all": 1, "eth0": 1}))
    assert found.layer is Layer.NETWORK_BACK
    back = {(Way.IN, "worker-1"): REFUSED}
    assert with_paths(of_pods(**BACK), worker_0=path(lookups=back)).layer is Layer.REVERSE_PATH


FINE = {
    f"worker_{n}": replace(
        saved(), lookups={(way, f"worker-{1 - n}"): RIGHT for way in Way}, rp_filter={"all": 0, "eth0": 0}
    )
    for n in (0, 1)
}
"""Two ends of which all was read, and is in order."""


def test_the_provider_is_named_by_what_did_not_reach_the_node_and_what_is_ruled_out_is_listed() -> None:
    found = with_paths(of_pods(nodes=NodesReading(True, 3, 0)), **FINE)
    assert found.layer is Layer.NETWORK_OUT
    assert found.what == (
        "Something between the nodes drops packets with pod addresses: the provider's filter, or its firewall (Cloud "
        "Firewall, security group)."
    )
    assert found.seen == (
        "Three requests left worker-0's pod, none arrived at worker-1's pod. Three requests from worker-0's own "
        "address on its pods' side to worker-1 itself: none arrived there. Between the internal addresses of worker-0 "
        "and worker-1 a request was answered."
    )
    assert found.ruled_out == (
        "the routes of both",
        "the next hops",
        "forwarding",
        "policy rules and reverse path filters",
        "the firewall rules of worker-0 and worker-1",
    )
    line = f"    Ruled out: {', '.join(found.ruled_out)}."
    proof = replace(
        proof_of(of_pods(nodes=NodesReading(True, 3, 0))), paths={k.replace("_", "-"): v for k, v in FINE.items()}
    )
    assert line in explanations(proof)


@pytest.mark.parametrize(
    ("worker_1", "words", "is_ruled_out"),
    [
        (None, "; or worker-1's own firewall, which was not read.", False),
        (
            replace(FINE["worker_1"], unread=("nft",)),
            "; or worker-1's own firewall, of which nft could not be read.",
            False,
        ),
        (
            replace(saved("FORWARD -m set --match-set x src -j DROP"), lookups=FINE["worker_1"].lookups),
            "; or worker-1: the rule `-A FORWARD -m set --match-set x src -j DROP` in its FORWARD chain (iptables) may "
            "fit them.",
            False,
        ),
        (FINE["worker_1"], "security group).", True),
    ],
)
def test_what_is_not_ruled_out_is_said(worker_1: HostPath | None, words: str, is_ruled_out: bool) -> None:
    paths = {"worker_0": FINE["worker_0"]} | ({"worker_1": worker_1} if worker_1 else {})
    found = with_paths(of_pods(nodes=NodesReading(True, 3, 0)), **paths)
    assert found.layer is Layer.NETWORK_OUT
    assert found.what.endswith(words)
    assert ("the firewall rules of worker-0 and worker-1" in found.ruled_out) is is_ruled_out
    assert ("policy rules and reverse path filters" in found.ruled_out) is (worker_1 is not None)


def test_nodes_that_do_not_answer_each_other_at_all_are_no_filter_of_pod_addresses() -> None:
    found = with_paths(of_pods(nodes=NodesReading(False, 3, 0)), **FINE)
    assert found.what.startswith(
        "The nodes do not get answers from each other's own addresses either: a firewall between them (Cloud Firewall, "
        "security group), or one on worker-1."
    )
    assert "the next hops" not in found.ruled_out
    assert "a request was not answered." in found.seen


@pytest.mark.parametrize(
    ("source", "is_said"),
    [(FINE["worker_0"], True), (saved(nat="-s 10.200.0.0/24 ! -d 10.200.0.0/16 -j MASQUERADE"), False)],
)
def test_what_reaches_the_node_and_not_its_pod_is_not_said_to_be_lost_by_its_source(
    source: HostPath, is_said: bool
) -> None:
    """Unless the node itself may have given it another source address."""
    found = with_paths(of_pods(nodes=NodesReading(True, 3, 3)), worker_0=source, worker_1=FINE["worker_1"])
    assert found.what.startswith("Packets from worker-0's pods' side reach worker-1 itself") is is_said
    if is_said:
        assert "three arrived there" in found.seen


def test_lost_replies_are_shown_by_what_their_node_sends_itself() -> None:
    lost = of_pods(**BACK, nodes=NodesReading(True, 3, 3))
    reading = {"evidence": Evidence.POD, "alone": True, "nodes": NodesReading(True, 3, 0)}
    other = pair_reading("worker-1", "worker-2", received=0, **reading)
    paths = {name.replace("_", "-"): path for name, path in FINE.items()}
    found = explain(replace(proof_of(lost), pairs=(lost, other), paths=paths), lost)
    assert found.layer is Layer.NETWORK_BACK
    assert "a source filter of the provider, or its firewall" in found.what
    assert "Three requests from worker-1's own address on its pods' side to worker-2 itself: none arrived" in found.seen
    assert found.ruled_out[-1] == "the firewall rules of worker-0 and worker-1"


def narrow(lost: str, **given: Any) -> PairReading:
    """A pair of which small packets were answered, and that of full size was not."""
    return replace(of_pods(**given), received=3, full_size=1500, full_size_lost=lost)


def with_mtu(number: int, mtu: int) -> HostFacts:
    """A worker whose interface to the others takes no more than these bytes."""
    eth0 = InterfaceAddress("eth0", IPv4Interface(f"192.168.128.{10 + number}/17"), mtu=mtu)
    return host(number, addresses=(eth0, *(a for a in host(number).addresses if a.device != "eth0")))


@pytest.mark.parametrize(
    ("lost", "hosts", "at", "told"),
    [
        ("", {}, None, "Nobody says why."),
        ("", {"worker_1": with_mtu(1, 1400)}, "worker-1", "worker-1's eth0 passes on no more than 1400 bytes."),
        ("", {"worker_0": with_mtu(0, 1450)}, "worker-0", "worker-0's eth0 passes on no more than 1450 bytes."),
        ("", {"worker_0": with_mtu(0, 1500)}, None, "Nobody says why."),
        (
            "From 10.200.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1450)",
            {},
            "worker-0",
            "worker-0 passes on no more than 1450 bytes.",
        ),
        (
            "From 192.168.200.1 icmp_seq=1 Frag needed and DF set (mtu = 1450)",
            {},
            "192.168.200.1",
            "192.168.200.1, an address of none of the nodes, passes on no more than 1450 bytes.",
        ),
        (
            "ping: local error: message too long, mtu=1450",
            {},
            "worker-0",
            "worker-0 passes on no more than 1450 bytes.",
        ),
    ],
)
def test_large_packets_that_alone_are_lost_are_a_matter_of_the_mtu(
    lost: str, hosts: dict[str, HostFacts], at: str | None, told: str
) -> None:
    found = cause(narrow(lost), **hosts)
    assert (found.layer, found.host) == (Layer.MTU, at)
    goes_on = "go on only where the sender hears of it and makes its packets smaller" if lost else "stall"
    assert found.what == (f"Small packets get through, packets of 1500 bytes do not: large transfers {goes_on}. {told}")
    assert found.shows == "On worker-0: ping -c 1 -M do -s 1472 -I 10.200.0.2 10.200.1.2"
    assert (lost in found.seen) if lost else not found.seen


def test_the_verdict_says_what_size_is_lost() -> None:
    pair = narrow("")
    assert not pair.ok
    seen = proof_of(pair)
    assert seen.headline == "1 of 1 pairs of workers lets only small packets through: those of 1500 bytes are lost."
    assert not seen.is_proved
    both = replace(seen, pairs=(pair, replace(of_pods(), source="worker-2")))
    assert both.headline == "2 of 2 pairs of workers do not get through."


def test_a_bridge_that_iptables_does_not_see_is_told_where_all_else_is_in_order() -> None:
    fine = replace(proof_of(of_pods(received=3)), unfiltered={"worker-0": "br_netfilter is not loaded"})
    (line,) = [line for line in explanations(fine) if "br_netfilter is" in line]
    assert line.startswith(
        "br_netfilter is not loaded on worker-0: a pod may not reach a service, as of DNS, whose pod"
    )
    assert "sudo modprobe br_netfilter" in line
    broken = replace(proof_of(of_pods()), unfiltered=fine.unfiltered)
    assert not any("br_netfilter is" in line for line in explanations(broken)), "first what keeps pairs apart"


UFW = (
    "FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "FORWARD -p icmp -m icmp --icmp-type 8 -j ACCEPT",
    "FORWARD -j DROP",
)


@pytest.mark.parametrize(
    ("pair", "paths", "at"),
    [
        (of_pods(received=3), {"worker_0": saved(), "worker_1": saved(*UFW)}, "worker-1"),
        (of_pods(received=3), {"worker_0": saved(*UFW), "worker_1": saved()}, "worker-0"),
        (of_pods(received=3), {"worker_0": saved(), "worker_1": saved(*UFW[:2])}, None),
        (of_pods(received=3), {"worker_0": saved(), "worker_1": saved("FORWARD -p tcp --dport 22 -j DROP")}, None),
        (of_pods(received=3), {}, None),
        (of_pods(received=3, evidence=Evidence.BRIDGE), {"worker_1": saved(*UFW)}, None),
        (of_pods(received=2), {"worker_1": saved(*UFW)}, None),
    ],
)
def test_a_firewall_that_lets_only_pings_pass_is_named(
    pair: PairReading, paths: dict[str, HostPath], at: str | None
) -> None:
    """ufw does so by default; then pods do not reach each other though pings between them do."""
    read = {name.replace("_", "-"): path for name, path in paths.items()}
    judged = with_connections(replace(proof_of(pair), paths=read))
    (found,) = judged.pairs
    assert found.only_pings == at
    assert found.ok is (pair.ok and at is None)
    if at is not None:
        assert judged.headline == "1 of 1 pairs of workers lets only pings through."
        assert pair_words(found) == "pings only"
        assert explain(judged, found).host == at
        assert explain(judged, found).what == (
            f"Pings get through, and {at} itself drops connections between pods: the rule `-A FORWARD -j DROP` in its "
            "FORWARD chain (iptables)."
        )


def test_of_many_workers_each_is_judged_once_as_source_and_target() -> None:
    names = [f"worker-{n}" for n in range(40)]
    usual = {"evidence": Evidence.POD, "source_address": ip("10.200.0.2")}
    pairs = tuple(pair_reading(a, b, **usual) for a in names for b in names if a != b)
    paths = {"worker-7": saved(*UFW)}
    judged = with_connections(replace(proof_of(pairs[0]), pairs=pairs, paths=paths))
    assert [(p.source, p.target) for p in judged.failed] == [("worker-6", "worker-7"), ("worker-7", "worker-8")]
