"""Routes of flannel, Calico, Cilium and their like: recognised, said once, and never offered for replacement."""

import pytest

from kthw_routes.facts import HostFacts, PodCidrFiles, Route
from kthw_routes.findings.hosts import of_facts
from kthw_routes.findings.plan import of_plan
from kthw_routes.iproute2.output import parse_routes
from kthw_routes.options import Options
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import ChangeKind, HostPlan
from kthw_routes.plan.network_plugins import plugin_of

from .builders import bare_facts, cluster, facts, net

CLUSTER = cluster()
NODE = CLUSTER.node("worker-0")

TABLES = {
    "flannel": "10.200.1.0/24 via 10.200.1.0 dev flannel.1 onlink\n10.200.2.0/24 via 10.200.2.0 dev flannel.1 onlink\n",
    "BIRD (Calico's)": (
        "10.200.1.0/24 via 192.168.128.11 dev tunl0 proto bird onlink\n"
        "10.200.2.64/26 via 192.168.128.12 dev tunl0 proto bird onlink\nblackhole 10.200.0.0/26 proto bird\n"
    ),
    "Calico": (
        "10.200.1.0/24 via 10.200.1.1 dev vxlan.calico onlink\n10.200.0.7 dev cali12345678abc scope link\n"
        "10.200.2.0/26 via 10.200.2.1 dev vxlan.calico proto 80 onlink\n"
    ),
    "Cilium": "10.200.1.0/24 via 10.200.0.9 dev cilium_host mtu 1450\n10.200.0.9 dev cilium_host scope link\n",
}
"""As `ip route` prints them on a node of each kind."""


def read(table: str) -> HostFacts:
    return facts(NODE, parse_routes(table))


def plan(host: HostFacts, **options: object) -> HostPlan:
    (found,) = planning.make(CLUSTER, {NODE.name: host}, Options(**options)).hosts  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("name", TABLES)
def test_routes_of_a_plugin_are_never_replaced_nor_removed(name: str) -> None:
    host = read(TABLES[name])
    prefixes = {r.prefix for r in host.routes if plugin_of(r) is not None}
    assert prefixes
    every = frozenset((NODE.name, prefix) for prefix in prefixes)
    for made in (plan(host), plan(host, prune=True, marked=every, repair=True)):
        rows = {r.prefix: r for r in made.routes}
        assert {rows[prefix].kind for prefix in prefixes & rows.keys()} == {ChangeKind.FOREIGN}
        assert made.own_cidr_overridden_by is None
    assert name.partition(" ")[0] in rows[net("10.200.1.0/24")].reason


@pytest.mark.parametrize("name", TABLES)
def test_a_plugin_is_said_once_and_not_of_each_route(name: str) -> None:
    host = read(TABLES[name])
    said = [f for f in of_facts(CLUSTER, bare_facts(CLUSTER) | {NODE.name: host}) if f.code == "network-plugin"]
    assert [f.sentence for f in said] == [f"{name} routes pods by itself on worker-0."]
    codes = [f.code for f in of_plan(planning.make(CLUSTER, {NODE.name: host}))]
    assert "foreign-route" not in codes
    assert "own-pod-cidr-routed-away" not in codes


def test_a_plugin_is_known_by_its_cni_configuration_too() -> None:
    hosts = {n.name: facts(n, cidr_files=PodCidrFiles(plugin="cilium-cni")) for n in CLUSTER.workers}
    said = [f.sentence for f in of_facts(CLUSTER, hosts) if f.code == "network-plugin"]
    assert said == ["Cilium routes pods by itself on all 3 nodes."]


def test_other_routes_are_no_plugins() -> None:
    for device, protocol in (("eth0", "boot"), ("cnio0", "kernel"), ("cni0", "boot"), ("calico-lan", "static")):
        assert plugin_of(Route(net("10.200.1.0/24"), device=device, protocol=protocol)) is None
    outside = read("10.9.0.0/16 via 192.168.128.11 dev eth0 proto bird\n")
    assert "network-plugin" not in {f.code for f in of_facts(CLUSTER, {NODE.name: outside})}


def test_a_right_route_of_a_plugin_is_kept() -> None:
    host = read("10.200.1.0/24 via 192.168.128.11 dev eth0 proto bird\n")
    row = next(r for r in plan(host).routes if r.worker == "worker-1")
    assert row.kind is ChangeKind.KEEP
