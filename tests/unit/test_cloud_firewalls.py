"""Firewalls of the provider, as its API describes them: what they do with pods' packets, and what is said of it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from kthw_routes.demo.api.account import LinodeFirewall, lab_account
from kthw_routes.events import Event, discard
from kthw_routes.proof.causes import Cause, Layer
from kthw_routes.proof.cloud import CloudFirewall, CloudRule, Verdict, Way, judge
from kthw_routes.proof.diagnosis import explain
from kthw_routes.proof.readings import NodesReading, PairReading
from kthw_routes.record.json_proof import check_document
from kthw_routes.record.json_values import Value
from kthw_routes.record.redact import redact
from kthw_routes.record.report import parse_report
from kthw_routes.secret import Secret
from kthw_routes.sources.linode.errors import LinodeError
from kthw_routes.sources.linode.firewalls import firewalls_of
from kthw_routes.sources.linode.source import LinodeSource, Patience
from kthw_routes.sources.linode.token import Token
from tests.model.api import Fault, FaultyApi, firewalled

from .builders import ip, net
from .pairs import CLUSTER, ends, of_pods, proof_of, saved

PODS, NODES, ALL = "10.200.0.0/16", "192.168.128.0/17", "0.0.0.0/0"
WORKERS = ("worker-0", "worker-1")


def rule(protocol: str, *networks: str, accepts: bool = True, **given: Any) -> CloudRule:
    return CloudRule(
        protocol=protocol,
        networks=tuple(net(n) for n in networks),
        accepts=accepts,
        **({"label": "a"} | given),
    )


def firewall(*inbound: CloudRule, accepts: bool = False, outbound: tuple[CloudRule, ...] = ()) -> CloudFirewall:
    return CloudFirewall(
        label="k8s",
        rules={Way.INBOUND: inbound, Way.OUTBOUND: outbound},
        accepts={Way.INBOUND: accepts, Way.OUTBOUND: True},
    )


@pytest.mark.parametrize(
    ("rules", "accepts", "verdict"),
    [
        ((), True, "PASSES"),
        ((), False, "DROPPED"),
        ((rule("ICMP", PODS),), False, "PASSES"),
        ((rule("ICMP", NODES, "10.200.0.2/32"),), False, "PASSES"),
        ((rule("ICMP", NODES),), False, "DROPPED"),
        ((rule("TCP", ALL), rule("UDP", ALL)), False, "DROPPED"),
        ((rule("ICMP", ALL, accepts=False),), True, "DROPPED"),
        ((rule("ICMP", PODS), rule("ICMP", ALL, accepts=False)), False, "PASSES"),
        ((rule("ICMP", ALL, accepts=False), rule("ICMP", PODS)), True, "DROPPED"),
        ((rule("ICMP", NODES, is_whole=False),), False, "UNSURE"),
        ((rule("ICMP", NODES, is_whole=False),), True, "UNSURE"),
        ((rule("ICMP", PODS, is_whole=False),), False, "PASSES"),
    ],
)
def test_the_first_rule_that_fits_decides_else_the_policy(
    rules: tuple[CloudRule, ...], accepts: bool, verdict: str
) -> None:
    found = judge("worker-1", [firewall(*rules, accepts=accepts)], Way.INBOUND, ip("10.200.0.2"), protocol="ICMP")
    assert found.verdict is Verdict[verdict]
    assert bool(found.words) is (verdict != "PASSES")


@pytest.mark.parametrize(
    ("ports", "passes"), [("", True), ("4789", True), ("22, 4000-5000", True), ("1-4788", False), ("x-y", False)]
)
def test_a_rule_may_be_about_some_ports(ports: str, passes: bool) -> None:
    found = judge("a", [firewall(rule("UDP", ALL, ports=ports))], Way.INBOUND, ip("1.2.3.4"), protocol="UDP", port=4789)
    assert (found.verdict is Verdict.PASSES) is passes


def test_every_firewall_of_a_node_must_accept() -> None:
    both = [firewall(rule("ICMP", ALL)), firewall(rule("TCP", ALL))]
    assert judge("a", both, Way.INBOUND, ip("1.2.3.4"), protocol="ICMP").verdict is Verdict.DROPPED


def explained(pair: PairReading, **cloud: tuple[CloudFirewall, ...]) -> Cause:
    """Why a pair does not get through, where all of its nodes is in order: `worker_1=(…)` in front of them."""
    proof = replace(
        proof_of(pair),
        paths=dict.fromkeys(WORKERS, saved()),
        pods=net(PODS),
        cloud={name.replace("_", "-"): found for name, found in cloud.items()},
    )
    return explain(proof, pair)


LOST = of_pods(nodes=NodesReading(True, 3, 0))


def test_the_firewall_that_drops_is_named_with_what_it_lacks_and_no_filter_is_blamed() -> None:
    found = explained(LOST, worker_0=(), worker_1=(firewall(rule("ICMP", "192.168.0.0/24")),))
    assert found.layer is Layer.NETWORK_OUT
    assert found.what == 'The Cloud Firewall "k8s" of worker-1: no inbound rule accepts ICMP from 10.200.0.2.'
    assert found.fix == (f"In Cloud Manager, Firewalls: a rule that accepts TCP, UDP and ICMP from {PODS}, inbound.")
    assert "the next hops" in found.ruled_out
    way_out = firewall(rule("ICMP", ALL), outbound=(rule("ICMP", PODS, accepts=False, label="no pods"),))
    found = explained(LOST, worker_0=(way_out,), worker_1=())
    assert found.what == 'The Cloud Firewall "k8s" of worker-0: its outbound rule "no pods" drops ICMP to 10.200.1.2.'
    assert (found.fix or "").endswith(f"to {PODS}, outbound.")


@pytest.mark.parametrize(
    ("cloud", "words", "ruled_out"),
    [
        ({}, "the provider's filter, or its firewall (Cloud Firewall, security group).", None),
        ({"worker_0": ()}, "the provider's filter, or its firewall (Cloud Firewall, security group).", None),
        ({"worker_0": (), "worker_1": ()}, "the provider's filter.", "Cloud Firewalls: the nodes have none"),
        (
            {"worker_0": (firewall(accepts=True),), "worker_1": (firewall(rule("ICMP", ALL)),)},
            "the provider's filter.",
            "the Cloud Firewalls of worker-0 and worker-1",
        ),
        (
            {"worker_0": (), "worker_1": (firewall(rule("ICMP", NODES)),)},
            'the provider\'s filter, or the Cloud Firewall "k8s" of worker-1: no inbound rule accepts ICMP from '
            "10.200.0.2.",
            None,
        ),
    ],
    ids=["not asked", "of one only", "none", "all accept", "pods may carry their node's address"],
)
def test_what_was_not_read_is_possible_and_what_was_is_ruled_out(
    cloud: dict[str, tuple[CloudFirewall, ...]], words: str, ruled_out: str | None
) -> None:
    found = explained(LOST, **cloud)
    assert found.what == f"Something between the nodes drops packets with pod addresses: {words}"
    clouds = [item for item in found.ruled_out if "Cloud" in item]
    assert clouds == ([ruled_out] if ruled_out else [])


def test_replies_pass_what_let_the_request_in() -> None:
    """A firewall with a state: none is blamed for replies, and none ruled out that has no rule for them."""
    pair = of_pods(**ends(3, 3, 3, 0), nodes=NodesReading(True, 3, 3))
    found = explained(pair, worker_0=(firewall(rule("TCP", ALL)),), worker_1=())
    assert found.layer is Layer.NETWORK_BACK
    assert "a source filter of the provider, or the Cloud Firewall" in found.what
    assert not [item for item in found.ruled_out if "Cloud" in item]


def test_a_report_leads_to_the_same_and_a_redacted_one_names_no_firewall() -> None:
    pair = LOST
    cloud = {"worker-0": (), "worker-1": (firewall(rule("ICMP", "192.168.0.0/24", label="private")),)}
    proof = replace(proof_of(pair), paths=dict.fromkeys(WORKERS, saved()), pods=net(PODS), cloud=cloud)
    document = check_document(CLUSTER, proof.plan, (), proof)
    assert parse_report(Value(document)).proof.cloud == cloud
    assert "private" not in str(redact(document))


# --- Linode's API ---


TUTORIAL = LinodeFirewall(
    "kubernetes",
    inbound=(
        {"action": "ACCEPT", "protocol": "TCP", "ports": "22", "addresses": {"ipv4": [ALL], "ipv6": ["::/0"]}},
        {"action": "ACCEPT", "protocol": "ICMP", "label": "ping", "addresses": {"ipv4": ["192.168.0.0/16"]}},
    ),
    inbound_policy="DROP",
)


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    account = firewalled(lab_account(), "worker-1", TUTORIAL, replace(TUTORIAL, status="disabled"))
    with FaultyApi(account) as api:
        yield api


def read(api: FaultyApi, *names: str, emit: Callable[[Event], None] = discard) -> Any:
    source = LinodeSource(Token(Secret(api.account.token), "LINODE_TOKEN"), api.url, patience=Patience(backoff=0.0))
    source.find(emit=discard, cancel=threading.Event())
    return source.firewalls(names, emit=emit, cancel=threading.Event())


def test_the_enabled_ones_are_read_by_node(api: FaultyApi) -> None:
    found = read(api, "worker-0", "worker-1", "elsewhere")
    assert found.keys() == {"worker-0", "worker-1"}
    assert found["worker-0"] == ()
    (kubernetes,) = found["worker-1"]
    assert kubernetes.label == "kubernetes"
    assert kubernetes.accepts == {Way.INBOUND: False, Way.OUTBOUND: True}
    assert [(r.protocol, r.ports, r.label) for r in kubernetes.rules[Way.INBOUND]] == [
        ("TCP", "22", ""),
        ("ICMP", "", "ping"),
    ]


def test_a_token_without_the_right_to_read_them_leaves_them_possible(api: FaultyApi) -> None:
    """And says why, once."""
    events: list[Event] = []
    api.faults = [Fault(status=401, path="/firewalls")]
    assert read(api, "worker-0", "worker-1", emit=events.append) == {}
    said = [event.text for event in events if "could not be read" in event.text]
    assert len(said) == 1
    assert said[0].startswith("the Cloud Firewalls could not be read: ")


@pytest.mark.parametrize(
    "edit",
    [
        {"rules": None},
        {"rules": {"inbound": [], "outbound": []}},
        {"rules": {"inbound": {}, "inbound_policy": "DROP", "outbound": [], "outbound_policy": "DROP"}},
        {"rules": {"inbound": [{"action": 1}], "inbound_policy": "DROP", "outbound": [], "outbound_policy": "DROP"}},
    ],
)
def test_what_is_no_firewall_is_an_error(edit: dict[str, object]) -> None:
    entry = {"label": "x", "status": "enabled", **edit}
    with pytest.raises(LinodeError):
        firewalls_of({"data": [entry], "page": 1, "pages": 1, "results": 1})


def test_addresses_that_are_kept_elsewhere_leave_a_rule_in_doubt() -> None:
    rules = {
        "inbound": [{"action": "ACCEPT", "protocol": "ICMP", "addresses": {"ipv4": ["pl:system:all", "10.0.0.0/8"]}}],
        "inbound_policy": "DROP",
        "outbound": [],
        "outbound_policy": "ACCEPT",
    }
    (found,) = firewalls_of(
        {"data": [{"label": "x\x1b[1m", "status": "enabled", "rules": rules}], "page": 1, "pages": 1}
    )
    (only,) = found.rules[Way.INBOUND]
    assert (only.is_whole, only.networks) == (False, (net("10.0.0.0/8"),))
    assert "\x1b" not in found.label
