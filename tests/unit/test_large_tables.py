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
from kthw_routes.hosts.read_facts import MAX_ADDRESSES, MAX_ALIKE, MAX_ROUTES, TooMuch, look
from kthw_routes.hosts.task import HostTask
from kthw_routes.options import Options
from kthw_routes.persistence import ifupdown
from kthw_routes.plan import compare as plan
from kthw_routes.plan.changes import ChangeKind, RouteChange
from kthw_routes.record import transcript
from kthw_routes.record.json_facts import facts_json
from kthw_routes.record.json_plan import plan_document

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
    rows = [RouteChange(ChangeKind.ADD, net("10.200.0.0/24"), f"worker-{n}", internal(0), (), "") for n in numbers]
    made = plan.Plan(tuple(plan.HostPlan(f"worker-{n}", tuple(rows[:n] + rows[n + 1 :])) for n in numbers))
    with seconds(10):
        assert not list(of_routes(made))


# --- beyond the bounds --------------------------------------------------------------------------------------------


def table(routes: Iterable[Route]) -> str:
    """As `ip route show` prints it."""
    return "".join(f"{r.prefix} via {r.gateway} dev {r.device} metric {n}\n" for n, r in enumerate(routes, 1))


def read(routes: str, addresses: int = 1) -> HostFacts:
    """What is read of a host with such a table, and so many addresses."""
    infos = [{"family": "inet", "local": str(IPv4Address(0x0A000000 + n)), "prefixlen": 32} for n in range(addresses)]
    host = Answering(
        {
            "ip -V": said("ip utility, iproute2-6.1.0\n"),
            "ip -json route show": said(routes),
            "ip -json address show": said(json.dumps([{"ifname": "eth0", "flags": ["UP"], "addr_info": infos}])),
        },
        otherwise=MISSING,
    )
    return look(HostTask(host, Phase.CHECKS, lambda _: None), worker(0))


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
