"""Clusters of many nodes: the work grows with the routes, and what is the same for many hosts is one value."""

import collections
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from types import FrameType
from typing import Any

import pytest

from kthw_routes.cluster import Cluster, Node, PodCidrSource
from kthw_routes.export import batch, shell
from kthw_routes.export.desired import Desired, desired
from kthw_routes.facts import Devices, HostFacts, InterfaceAddress, Route, device_towards
from kthw_routes.findings.cluster import before_visit, of_cluster
from kthw_routes.findings.hosts import of_facts
from kthw_routes.findings.plan import of_plan
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import ChangeKind
from kthw_routes.plan.networks import ByNetwork
from kthw_routes.record import transcript
from kthw_routes.words import summary

from .builders import connected, facts, ip, net, worker

FIRST_POD, FIRST_NODE = IPv4Address("10.200.0.0"), IPv4Address("192.168.128.10")


def members(count: int, **given: object) -> Cluster:
    """So many workers, each with a /24 for its pods."""
    nodes = (
        worker(
            0,
            **{
                "name": f"worker-{n}",
                "internal": FIRST_NODE + n,
                "pod_cidr": IPv4Network((FIRST_POD + 256 * n, 24)),
                **given,
            },
        )
        for n in range(count)
    )
    return Cluster(tuple(nodes), cidr=net("10.192.0.0/10"))


def read(of: Cluster, kind: str) -> dict[str, HostFacts]:
    """What the hosts have: no routes, the right ones, or those of a cluster whose workers were all rebuilt."""
    shift = {"right": 0, "wrong": 7}.get(kind)
    if shift is None:
        return {n.name: facts(n) for n in of}

    def route(to: Node) -> Route:
        assert to.pod_cidr is not None
        assert to.internal is not None
        return Route(to.pod_cidr, to.internal + shift, "eth0", "200")

    routes = {n.name: route(n) for n in of}
    return {n.name: facts(n, [r for name, r in routes.items() if name != n.name]) for n in of}


def calls(work: Callable[[], object]) -> int:
    """How many functions are called for some work, those that are written in C too: the same on each machine."""
    count = 0

    def called(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def review(of: Cluster, given: Mapping[str, HostFacts]) -> None:
    """All that a review says of readings."""
    made = planning.make(of, given)
    assert (of_cluster(of), of_facts(of, given), of_plan(made), summary(made)) is not None


@pytest.mark.parametrize(("kind", "most"), [("none", 30), ("right", 28), ("wrong", 95)])
def test_a_review_takes_a_few_calls_per_route(kind: str, most: int) -> None:
    """It was some 200, most of them in looking the same things up for each host anew."""
    for count in (20, 200):
        of = members(count)
        given = read(of, kind)
        assert calls(partial(review, of, given)) < most * count * (count - 1) + 1500 * count


def test_findings_on_nodes_grow_with_the_nodes() -> None:
    few, many = members(100), members(1000)
    for findings in (of_cluster, before_visit, lambda of: of_facts(of, read(of, "none"))):
        assert calls(partial(findings, many)) < 11 * calls(partial(findings, few))


@pytest.mark.parametrize(("kind", "change"), [("none", ChangeKind.ADD), ("right", ChangeKind.KEEP)])
def test_a_row_that_is_the_same_on_many_hosts_is_one_value(kind: str, change: ChangeKind) -> None:
    of = members(60)
    rows = [row for host in planning.make(of, read(of, kind)).hosts for row in host.rows]
    assert len(rows) == 60 * 59
    assert {row.kind for row in rows} == {change}
    assert len({id(row) for row in rows}) == 60


def test_rows_of_hosts_that_differ_are_rows_of_their_own() -> None:
    """Another interface, another protocol, another metric: each host's row says what that host has."""
    of = members(8)
    given = read(of, "none")
    right = {
        "worker-1": Route(net("10.200.0.0/24"), FIRST_NODE, "eth0", "200"),
        "worker-2": Route(net("10.200.0.0/24"), FIRST_NODE, "eth0", "boot"),
        "worker-3": Route(net("10.200.0.0/24"), FIRST_NODE, "eth0", "200", metric=50),
        "worker-4": Route(net("10.200.0.0/24"), FIRST_NODE, "eth0", "200"),
        "worker-5": Route(net("10.200.0.0/24"), FIRST_NODE, "eth1", "200"),
        "worker-6": Route(net("10.200.0.0/24"), FIRST_NODE, "ens3", "200"),
    }
    for name, route in right.items():
        given[name] = facts(of.node(name), [route])
    other = InterfaceAddress("ens3", IPv4Interface("192.168.128.16/17"))
    given["worker-6"] = facts(of.node("worker-6"), [right["worker-6"]], addresses=(other,))
    made = planning.make(of, given)
    towards = {h.node: next((r for r in h.routes if r.worker == "worker-0"), None) for h in made.hosts}
    assert {name: row.has for name, row in towards.items() if row is not None and row.has} == {
        name: (route,) for name, route in right.items()
    }
    assert {name: (row.kind, row.reason) for name, row in towards.items() if row is not None} == {
        "worker-1": (ChangeKind.KEEP, "ours already"),
        "worker-2": (ChangeKind.KEEP, "right as it is (proto boot)"),
        "worker-3": (ChangeKind.KEEP, "ours already"),
        "worker-4": (ChangeKind.KEEP, "ours already"),
        "worker-5": (
            ChangeKind.REPLACE,
            "leads through another interface: via 192.168.128.10 dev eth1",
        ),
        "worker-6": (ChangeKind.KEEP, "ours already"),
        "worker-7": (ChangeKind.ADD, "no route to it"),
    }


def test_a_thousand_workers_are_planned_in_seconds() -> None:
    """It took 40 s and 450 MB; now about a second on an idle machine, and 20 MB."""
    of = members(1000)
    given = read(of, "none")
    begun = time.process_time()
    made = planning.make(of, given)
    assert time.process_time() - begun < 15
    assert made.changes == 1000 * 999


@pytest.mark.parametrize("render", [batch.render, shell.render])
def test_an_export_makes_each_line_once(render: Callable[[Desired], object]) -> None:
    of = members(200)
    assert calls(lambda: render(desired(of))) < 8 * 200 * 199


@pytest.mark.parametrize("kind", ["none", "right"])
def test_a_transcript_makes_the_lines_of_a_row_once(kind: str) -> None:
    of = members(150)
    made = planning.make(of, read(of, kind))

    def written() -> None:
        collections.deque(transcript.head(of, made, ()), maxlen=0)

    assert calls(written) < 8 * 150 * 149


def test_a_transcript_has_each_row_of_each_host() -> None:
    of = members(20)
    given = read(of, "wrong") | {"worker-3": facts(of.node("worker-3"))}
    made = planning.make(of, given)
    text = "\n".join(transcript.head(of, made, ())).partition("## Plan")[2]
    for host, part in zip(made.hosts, text.split("\n### ")[1:], strict=True):
        rows = [line for line in part.splitlines() if line.startswith("- ")]
        assert rows == [f"- {row.kind} `{row.title}`: {row.reason}" for row in host.rows]


def test_sentences_about_very_many_hosts_are_short() -> None:
    of = members(300)
    given = read(of, "right") | {"worker-7": facts(of.node("worker-7"), ip_forward=True)}
    found = [*of_facts(of, given), *of_plan(planning.make(of, given))]
    assert {f.code: f.sentence for f in found if f.code in ("forwarding-off", "not-persisted")} == {
        "forwarding-off": "Forwarding is off (net.ipv4.ip_forward = 0) on worker-0…6, worker-8…299.",
        "not-persisted": "The routes end at the next reboot on worker-0…299.",
    }


def test_pod_cidrs_that_overlap_are_as_many_findings_as_workers() -> None:
    """A thousand clones of one image have one pod CIDR: not half a million sentences."""
    of = members(300, pod_cidr=net("10.200.0.0/24"))
    found = [f for f in of_cluster(of) if f.code == "pod-cidrs-overlap"]
    assert [f.node for f in found] == [f"worker-{n}" for n in range(1, 300)]


def test_a_pod_cidr_that_was_read_is_compared_with_others_that_were_read() -> None:
    """Between two that were read and overlap, a guess is no reason to say less."""
    nodes = (
        worker(0, pod_cidr=net("10.200.0.0/16"), pod_cidr_source=PodCidrSource.CNI),
        worker(1, pod_cidr=net("10.200.1.0/24"), pod_cidr_source=PodCidrSource.GUESS),
        worker(2, pod_cidr=net("10.200.1.0/24"), pod_cidr_source=PodCidrSource.CNI),
    )
    codes = [(f.code, f.node) for f in of_cluster(Cluster(nodes)) if f.code.startswith("pod-cidr")]
    assert codes == [("pod-cidr-guessed", "worker-1"), ("pod-cidrs-overlap", "worker-2")]


@pytest.mark.parametrize("asked", ["10.200.0.0/16", "10.200.4.0/23", "10.200.4.0/24", "10.200.5.7/32", "0.0.0.0/0"])
def test_networks_are_found_by_what_is_around_and_inside_them(asked: str) -> None:
    texts = ("10.200.0.0/16", "10.200.4.0/22", "10.200.4.0/24", "10.200.4.0/24", "10.200.5.0/24", "10.201.0.0/16")
    networks, network = [net(text) for text in texts], net(asked)
    known = ByNetwork(zip(networks, range(len(texts)), strict=True))
    assert sorted(known.around(network)) == [n for n, other in enumerate(networks) if network.subnet_of(other)]
    assert sorted(known.inside(network)) == [n for n, other in enumerate(networks) if other.subnet_of(network)]
    assert known.overlaps(network) == any(other.overlaps(network) for other in networks)


def test_the_interfaces_towards_many_addresses_are_those_towards_each() -> None:
    hops = [ip("192.168.128.11"), ip("192.168.128.200"), ip("10.0.0.7"), ip("203.0.113.1")]
    devices = Devices(hops)
    for texts in (
        ("eth0 192.168.128.10/17",),
        ("eth0 192.168.128.10/17", "eth1 192.168.128.129/25"),
        ("eth0 192.168.128.10/32", "eth1 10.0.0.1/8"),
        (),
    ):
        addresses = [InterfaceAddress(device, IPv4Interface(text)) for device, text in (t.split() for t in texts)]
        own = connected(*addresses)
        assert devices.of(own) == tuple(device_towards(own, hop) for hop in hops)
    down = [InterfaceAddress("eth0", IPv4Interface("192.168.128.10/17"), is_up=False)]
    assert devices.of(connected(*down)) == (None,) * 4
