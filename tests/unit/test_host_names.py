"""Nodes that an inventory names by an address alone: they get the name that the host has for itself."""

from dataclasses import replace
from pathlib import Path

from kthw_routes.cluster import Cluster, Node, PodCidrSource
from kthw_routes.findings.cluster import before_visit, of_cluster
from kthw_routes.findings.model import Level
from kthw_routes.plan.names import with_host_names
from kthw_routes.sources.inventory import parse
from tests.unit.builders import facts, internal, net, worker


def unnamed(number: int) -> Node:
    """worker-`number`, as an Ansible inventory has it that lists addresses."""
    return replace(worker(number), name=str(internal(number)), pod_cidr=None, pod_cidr_source=PodCidrSource.UNKNOWN)


def named(*hostnames: str) -> list[str]:
    of = Cluster(tuple(unnamed(n) for n in range(len(hostnames))))
    read = {node.name: facts(node, hostname=name) for node, name in zip(of, hostnames, strict=True)}
    return [n.name for n in with_host_names(of, read)]


def test_a_node_gets_its_hosts_name_and_what_follows_from_it() -> None:
    of = Cluster((unnamed(3), worker(1)))
    (node, other) = with_host_names(of, {of.nodes[0].name: facts(of.nodes[0], hostname="worker-3.lab")})
    assert (node.name, node.pod_cidr, node.pod_cidr_source) == ("worker-3", net("10.200.3.0/24"), PodCidrSource.LABEL)
    assert other is of.nodes[1]


def test_a_name_that_cannot_be_or_is_anothers_is_not_given() -> None:
    assert named("worker-0", "worker-1") == ["worker-0", "worker-1"]
    assert named("node", "Node") == [str(internal(0)), str(internal(1))]
    assert named("my_host", "") == [str(internal(0)), str(internal(1))]
    of = Cluster((unnamed(0), worker(1)))
    assert with_host_names(of, {of.nodes[0].name: facts(of.nodes[0], hostname="WORKER-1")}) == of
    assert with_host_names(of, {}) == of


def test_an_address_is_no_number_of_a_worker() -> None:
    """10.200.20.0/24 for 192.168.8.20 would be a guess from nothing."""
    found = parse(b"[workers]\n192.168.8.20\n192.168.8.21 pod_cidr=10.200.1.0/24\n", Path("hosts"))
    assert [n.pod_cidr for n in found.nodes] == [None, net("10.200.1.0/24")]


def test_that_it_has_no_name_stops_nothing() -> None:
    of = Cluster((unnamed(0), unnamed(1)))
    assert [(f.code, f.level) for f in before_visit(of)] == [("name-not-known", Level.NOTICE)]
    assert "not-a-host-name" not in {f.code for f in of_cluster(of)}
