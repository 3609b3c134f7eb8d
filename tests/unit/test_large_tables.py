"""Hosts with very many routes: what is planned of them takes their number, not its square; beyond a bound they skip."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network

import pytest

from kthw_routes.cluster import Cluster
from kthw_routes.events import Phase
from kthw_routes.facts import HostFacts, HostFile, NetworkSetup, Route
from kthw_routes.findings import hosts as host_findings
from kthw_routes.findings.plan import of_plan, of_routes
from kthw_routes.hosts.apply import reread
from kthw_routes.hosts.read_facts import (
    MAX_ADDRESSES,
    MAX_ALIKE,
    MAX_CNI_FILES,
    MAX_LINKS,
    MAX_ROUTES,
    TooMuch,
    read_facts,
)
from kthw_routes.hosts.task import HostTask
from kthw_routes.options import Options
from kthw_routes.persistence import ifupdown
from kthw_routes.plan import compare as plan
from kthw_routes.plan.changes import ChangeKind, HostPlan, Plan, RouteChange
from kthw_routes.record import transcript
from kthw_routes.record.json_facts import facts_json
from kthw_routes.record.json_plan import plan_document
from kthw_routes.ssh.command import Result

from . import builders
from .answering import MISSING, Answering, said
from .builders import cluster, internal, net, worker

PIECES = 20_000


@contextmanager
def seconds(bound: float) -> Iterator[None]:
    """Fail where more processor time is used than a busy machine explains."""
    begun = time.process_time()
    yield
    assert time.process_time() - begun < bound


def pieces(of: str, number: int = PIECES, protocol: str = "boot") -> list[Route]:
    """So many /32 routes from the beginning of a network."""
    first = int(IPv4Network(of).network_address)
    return [Route(IPv4Network((first + n, 32)), internal(1), "eth0", protocol) for n in range(number)]


def reviewed(members: Cluster, facts: dict[str, HostFacts], options: Options) -> None:
    """All that a review makes of readings."""
    made = plan.make(members, facts, options)
    findings = (*host_findings.of_facts(members, facts), *of_plan(made))
    json.dumps(plan_document(members, made, findings), default=str)
    json.dumps([facts_json(f) for f in facts.values()], default=str)
    for line in transcript.head(members, made, findings):
        assert line is not None


@pytest.mark.parametrize(
    ("network", "protocol", "options"),
    [
        ("10.200.128.0/17", "boot", Options()),  # nobody's
        ("10.200.0.0/17", "200", Options(prune=True, repair=True)),  # partly the host's own, partly those of others
        ("172.16.0.0/12", "200", Options(prune=True)),  # outside of the cluster CIDR
    ],
)
def test_a_table_of_many_routes_is_planned_in_one_pass(network: str, protocol: str, options: Options) -> None:
    members = cluster(3)
    facts = builders.bare_facts(members)
    facts["worker-0"] = builders.facts(members.node("worker-0"), pieces(network, protocol=protocol))
    with seconds(40):
        reviewed(members, facts, options)


def test_a_file_of_many_routes_is_planned_in_one_pass() -> None:
    members = cluster(3)
    facts = builders.bare_facts(members)
    lines = "".join(f"ip route replace {r.prefix} via {r.gateway} dev eth0\n" for r in pieces("10.200.0.0/16"))
    network = NetworkSetup(files=(HostFile(ifupdown.PATH, 0o755, lines.encode()),))
    facts["worker-0"] = builders.facts(members.node("worker-0"), network=network)
    with seconds(60):
        plan.make(members, facts, Options(prune=True))


def test_hundreds_of_hosts_without_routes_are_compared_in_one_pass() -> None:
    numbers = range(300)
    rows = [
        RouteChange(
            kind=ChangeKind.ADD,
            prefix=net("10.200.0.0/24"),
            worker=f"worker-{n}",
            next_hop=internal(0),
            has=(),
            reason="",
        )
        for n in numbers
    ]
    made = Plan(tuple(HostPlan(f"worker-{n}", tuple(rows[:n] + rows[n + 1 :])) for n in numbers))
    with seconds(10):
        assert not list(of_routes(made))


# --- beyond the bounds --------------------------------------------------------------------------------------------


def table(routes: Iterable[Route]) -> str:
    """As `ip route show` prints it."""
    return "".join(f"{r.prefix} via {r.gateway} dev {r.device} metric {n}\n" for n, r in enumerate(routes, 1))


AROUND, WITHIN = (f"ip -json route show {word} 10.200.0.0/16" for word in ("match", "root"))
ADDRESSES = "ip -json -4 address show"
CUT = Result(0, b"x", b"", is_cut=True)


def host_with(routes: Result, **answers: Result) -> Answering:
    """A host with such a table; `answers`: what it answers to WITHIN, AROUND and others."""
    links = [{"ifname": "eth0", "flags": ["UP"], "addr_info": [address("192.168.128.7")]}]
    usual = {"ip -V": said("ip utility, iproute2-6.1.0\n"), ADDRESSES: said(json.dumps(links))}
    return Answering({**usual, "ip -json route show": routes, **answers}, otherwise=MISSING)


def address(ip: object, length: int = 32) -> dict[str, object]:
    """As `ip` prints an address of an interface."""
    return {"family": "inet", "local": str(ip), "prefixlen": length}


def read_host(host: Answering, next_hops: Iterable[IPv4Address] = ()) -> HostFacts:
    """What is read of it."""
    return read_facts(HostTask(host, Phase.CHECKS, lambda _: None), worker(0), tuple(next_hops))


def read(routes: str, addresses: int = 1) -> HostFacts:
    """What is read of a host with such a table, and so many addresses."""
    infos = [address(IPv4Address(0x0A000000 + n)) for n in range(addresses)]
    links = [{"ifname": "eth0", "flags": ["UP"], "addr_info": infos}]
    return read_host(host_with(said(routes), **{ADDRESSES: said(json.dumps(links))}))


def test_of_a_table_that_is_too_long_the_routes_of_the_cluster_cidr_are_read() -> None:
    """As of a router with a million routes, none of which are the pods'. The answers are those of iproute2 6.1."""
    around = "default via 192.168.128.1 dev eth0\n10.200.0.0/16 via 192.168.128.9 dev eth0\n"
    within = "10.200.0.0/16 via 192.168.128.9 dev eth0\n10.200.1.0/24 via 192.168.128.8 dev eth0\n"
    host = host_with(CUT, **{AROUND: said(around), WITHIN: said(within)})
    facts = read_host(host)
    assert [str(r.prefix) for r in facts.routes] == ["0.0.0.0/0", "10.200.0.0/16", "10.200.1.0/24"]
    assert facts.routes_within == net("10.200.0.0/16")
    host.ran.clear()
    assert reread(HostTask(host, Phase.RUN, lambda _: None), facts).routes == facts.routes
    assert [command for command in host.ran if " route " in command] == [AROUND, WITHIN]


def test_a_table_of_usual_length_is_read_in_one_go() -> None:
    host = host_with(said("default via 192.168.128.1 dev eth0\n"))
    assert read_host(host).routes_within is None
    assert [command for command in host.ran if " route " in command] == ["ip -json route show"]


def test_more_routes_of_the_cluster_cidr_than_can_be_read_are_too_many() -> None:
    with pytest.raises(TooMuch, match=r"it has more routes in 10\.200\.0\.0/16 than the 20,000 that"):
        read_host(host_with(CUT, **{AROUND: said(), WITHIN: CUT}))


def test_more_cni_configurations_than_are_handled_are_said() -> None:
    names = "".join(f"{n}.conf\n" for n in range(MAX_CNI_FILES + 1))
    with pytest.raises(TooMuch, match="it has 101 CNI configurations; kthw-routes handles up to 100"):
        read_host(host_with(said(), **{"ls -1 /etc/cni/net.d": said(names)}))


def test_more_interfaces_towards_nodes_than_are_handled_are_said() -> None:
    numbers = range(MAX_LINKS + 1)
    links = [{"ifname": f"eth{n}", "flags": ["UP"], "addr_info": [address(f"10.9.{n}.1", 24)]} for n in numbers]
    routes = [{"dst": f"10.9.{n}.0/24", "dev": f"eth{n}", "protocol": "kernel", "scope": "link"} for n in numbers]
    hops = [IPv4Address(f"10.9.{n}.2") for n in numbers]
    with pytest.raises(TooMuch, match="51 of its interfaces lead to nodes; kthw-routes handles up to 50"):
        read_host(host_with(said(json.dumps(routes)), **{ADDRESSES: said(json.dumps(links))}), hops)


def test_as_many_routes_as_are_handled_are_read_and_as_many_more_as_there_are_outside_of_the_cluster_cidr() -> None:
    inside, outside = pieces("10.200.0.0/16", MAX_ROUTES), pieces("172.16.0.0/12", 5_000)
    assert len(read(table([*inside, *outside])).routes) == MAX_ROUTES + 5_000


@pytest.mark.parametrize(
    ("routes", "addresses", "words"),
    [
        (pieces("10.200.0.0/16", MAX_ROUTES + 1), 1, "it has 20,001 routes in 10.200.0.0/16"),
        (pieces("10.200.0.0/16", 1) * (MAX_ALIKE + 1), 1, "it has 101 routes to 10.200.0.0/32"),
        (pieces("172.16.0.0/12", 1) * (MAX_ALIKE + 1), 1, "it has 101 routes to 172.16.0.0/32"),
        ([], MAX_ADDRESSES + 1, "it has 5,001 IPv4 addresses"),
    ],
)
def test_a_host_with_more_than_is_handled_is_left_with_a_sentence(
    routes: list[Route], addresses: int, words: str
) -> None:
    with pytest.raises(TooMuch, match=words) as caught:
        read(table(routes), addresses)
    assert caught.value.node == "worker-0"
    assert caught.value.hint
