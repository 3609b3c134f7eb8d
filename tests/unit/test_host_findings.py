"""What the readings of the hosts give cause to say."""

from dataclasses import replace
from ipaddress import IPv4Interface

import pytest

from kthw_routes.cluster import Cluster, Node, PodCidrSource
from kthw_routes.facts import HostFacts, HostKey, InterfaceAddress, NetworkSetup, Pod, Route
from kthw_routes.findings.hosts import of_facts
from kthw_routes.findings.model import Finding, Level
from kthw_routes.findings.plan import of_plan
from kthw_routes.options import DEFAULT_OPTIONS, Options, RoutesOn
from kthw_routes.plan import compare as planning
from kthw_routes.plan.wanted import wanted_routes, with_routers
from kthw_routes.undo.limits import Limits

from .builders import bare_facts, changed, cluster, facts, internal, ip, net, of_account, pod_route

CLUSTER = cluster()
NODE = CLUSTER.node("worker-0")


def found(host: HostFacts, of: Cluster = CLUSTER) -> dict[str, Finding]:
    return {f.code: f for f in of_facts(of, bare_facts(of) | {host.node: host})}


def test_a_cluster_as_the_lab_meets_it_has_notices_only() -> None:
    codes = found(facts(NODE))
    assert set(codes) == {"forwarding-off", "no-pod-bridge"}
    assert {f.level for f in codes.values()} == {Level.NOTICE}


def test_an_internal_address_on_no_interface_stops() -> None:
    host = facts(NODE, addresses=(InterfaceAddress("eth0", IPv4Interface("203.0.113.20/24")),))
    finding = found(host)["internal-address-missing"]
    assert finding.level is Level.STOP
    assert "203.0.113.20/24 on eth0" in finding.hint


@pytest.mark.parametrize(
    ("cidr", "cni", "words"),
    [
        ("20.0.0.0/16", None, "20.0.0.0/16 is not a private network, and no CNI configuration on"),
        ("20.0.0.0/16", "20.0.0.0/24", None),
        ("8.0.0.0/7", "8.0.0.0/24", "8.0.0.0/7 is larger than a /8"),
        ("10.0.0.0/7", None, "10.0.0.0/7 is larger than a /8"),
        ("10.0.0.0/8", None, None),
        ("100.64.0.0/10", None, None),
        ("100.0.0.0/8", None, "100.0.0.0/8 is not a private network"),
    ],
)
def test_a_cluster_cidr_that_undo_would_refuse_stops(cidr: str, cni: str | None, words: str | None) -> None:
    members = replace(CLUSTER, cidr=net(cidr))
    read = {n.name: facts(n, cni_cidr=net(cni) if cni else None) for n in members}
    finding = {f.code: f for f in of_facts(members, read)}.get("cluster-cidr-public")
    assert (finding is not None) == (words is not None)
    if finding is not None:
        assert finding.level is Level.STOP
        assert words is not None
        assert words in finding.sentence
    limits = Limits(members, NODE, read[NODE.name])
    assert bool(limits._strange_cluster) == (finding is not None)


def test_a_next_hop_that_is_not_on_link_stops() -> None:
    host = facts(NODE, addresses=(InterfaceAddress("eth0", IPv4Interface("192.168.128.10/32")),))
    finding = found(host)["next-hop-not-on-link"]
    assert finding.level is Level.STOP
    assert finding.sentence == (
        "worker-0: no route to 192.168.128.12 (worker-2) from eth0: the address is not on-link."
    )


WG = Route(net("192.168.128.12/32"), device="wg0", scope="link")
BEHIND = (
    Route(net("192.168.128.1/32"), device="eth0", scope="link"),
    Route(net("192.168.128.0/17"), ip("192.168.128.1"), "eth0"),
)
ALONE = (InterfaceAddress("eth0", IPv4Interface("192.168.128.10/32")),)


def test_on_link_is_what_the_kernels_table_says() -> None:
    assert "next-hop-not-on-link" in found(facts(NODE, [WG], addresses=ALONE)), "worker-1 is not"
    other = Route(net("192.168.128.11/32"), device="wg0", scope="link")
    assert "next-hop-not-on-link" not in found(facts(NODE, [WG, other], addresses=ALONE))


def test_hints_speak_of_linodes_to_those_who_have_some() -> None:
    host = facts(NODE, addresses=ALONE)
    hint = found(host)["next-hop-not-on-link"].hint
    assert "Linode" not in hint
    assert "private IP" not in hint
    assert "next_hop" in hint
    of_linodes = Cluster(tuple(map(of_account, CLUSTER)))
    assert "private IP enabled" in found(host, of_linodes)["next-hop-not-on-link"].hint
    missing = facts(NODE, addresses=(InterfaceAddress("eth0", IPv4Interface("192.168.128.99/17")),))
    assert "Linode" not in found(missing)["internal-address-missing"].hint
    assert "Linode not rebooted" in found(missing, of_linodes)["internal-address-missing"].hint


def test_behind_a_providers_router_that_is_the_next_hop_for_all() -> None:
    """As a port of the lab for Hetzner types it."""
    host = facts(NODE, BEHIND, addresses=ALONE)
    of = with_routers(CLUSTER, {"worker-0": host})
    assert {w.next_hop for w in wanted_routes(of, of.node("worker-0"))} == {ip("192.168.128.1")}
    assert of.node("worker-1") == CLUSTER.node("worker-1"), "it was not read"
    findings = found(host, of)
    assert "next-hop-not-on-link" not in findings
    assert findings["next-hop-router"].sentence == (
        "Routes lead to the router 192.168.128.1 on worker-0, not to the nodes themselves."
    )
    assert with_routers(CLUSTER, {"worker-0": facts(NODE, [*BEHIND, WG], addresses=ALONE)}) == CLUSTER, "some are near"


def test_a_next_hop_that_is_typed_stays() -> None:
    typed = CLUSTER.with_swapped(CLUSTER.node("worker-0"), replace(NODE, next_hop=ip("192.168.128.9")))
    assert with_routers(typed, {"worker-0": facts(NODE, BEHIND, addresses=ALONE)}) == typed


def test_a_right_route_through_a_router_that_somebody_typed_is_kept() -> None:
    by_hand = [Route(net(f"10.200.{n}.0/24"), ip("192.168.128.1"), "eth0") for n in (1, 2)]
    host = facts(NODE, [*BEHIND, *by_hand], addresses=ALONE)
    of = with_routers(CLUSTER, {"worker-0": host})
    (plan,) = planning.make(of, {"worker-0": host}).hosts
    assert {(r.kind.value, r.reason) for r in plan.routes} == {("keep", "right as it is (proto boot)")}


def test_only_the_node_that_has_a_next_hop_of_its_own_leads_there() -> None:
    """What is worked out once for all hosts is not taken for one that differs, in whatever order they come."""
    typed = CLUSTER.with_swapped(NODE, replace(NODE, next_hop=ip("192.168.128.9")))
    for nodes in (typed.workers, typed.workers[::-1]):
        of = replace(typed, nodes=nodes)
        hops = {
            host.node: {str(row.next_hop) for row in host.routes} for host in planning.make(of, bare_facts(of)).hosts
        }
        assert hops == {
            "worker-0": {"192.168.128.9"},
            "worker-1": {"192.168.128.10", "192.168.128.12"},
            "worker-2": {"192.168.128.10", "192.168.128.11"},
        }
        commands = [c for host in planning.make(of, bare_facts(of)).hosts for c in host.commands]
        assert sum("via 192.168.128.9 " in command for command in commands) == 2


def test_a_next_hop_that_is_an_own_address_stops() -> None:
    two = changed(CLUSTER, "worker-1", internal=internal(0))
    assert found(facts(NODE), two)["next-hop-own-address"].level is Level.STOP


def test_a_typed_pod_cidr_that_disagrees_with_the_cni_configuration_stops() -> None:
    typed = replace(NODE, pod_cidr=net("10.200.9.0/24"), pod_cidr_source=PodCidrSource.TYPED)
    of = CLUSTER.with_swapped(CLUSTER.node("worker-0"), typed)
    assert found(facts(typed, cni_cidr=net("10.200.0.0/24")), of)["pod-cidr-disagrees"].level is Level.STOP
    assert "pod-cidr-disagrees" not in found(facts(typed, cni_cidr=net("10.200.9.0/24")), of)


def test_two_readings_of_the_pod_cidr_are_told() -> None:
    host = facts(NODE, cni_cidr=net("10.200.0.0/24"), kubelet_cidr=net("10.200.5.0/24"))
    assert found(host)["pod-cidr-two-readings"].level is Level.NOTICE


def test_a_bridge_in_the_pod_cidr_of_another_stops() -> None:
    bridge = InterfaceAddress("cnio0", IPv4Interface("10.200.2.1/24"))
    assert found(facts(NODE, bridges=(bridge,)))["bridge-in-foreign-pod-cidr"].level is Level.STOP


def test_forwarding_off_with_pods_says_more() -> None:
    bridge = InterfaceAddress("cnio0", IPv4Interface("10.200.0.1/24"))
    pods = (Pod("cni-1", ip("10.200.0.2")),)
    other = {n.name: facts(n, ip_forward=True, bridge=bridge) for n in CLUSTER}
    lame = facts(NODE, bridge=bridge, pods=pods)
    by_code = {f.code: f for f in of_facts(CLUSTER, other | {"worker-0": lame})}
    assert "it has pods" in by_code["forwarding-off"].sentence
    for finding in (by_code["forwarding-off"], found(facts(NODE))["forwarding-off"]):
        assert "`--ip-forward` (in the wizard: o in Routes) turns it on now and at each boot." in finding.hint


@pytest.mark.parametrize(("name", "told"), [("worker-0", False), ("worker-0.example.org", False), ("elsewhere", True)])
def test_a_host_with_another_name(name: str, told: bool) -> None:
    assert ("other-host-name" in found(facts(NODE, hostname=name))) is told


def test_two_hosts_with_the_same_key() -> None:
    same = HostKey("ssh-ed25519", "SHA256:worker-1")
    assert "worker-0 and worker-1" in found(facts(NODE, host_key=same))["same-host-key"].sentence


def _plan_findings(node: Node, **given: object) -> dict[str, Finding]:
    routes = given.pop("routes", ())
    host = facts(node, routes, **given)  # type: ignore[arg-type]  # routes are routes
    return {f.code: f for f in of_plan(planning.make(CLUSTER, {node.name: host}))}


def test_what_the_plan_gives_cause_to_say() -> None:
    away = Route(net("10.200.0.0/24"), internal(0), "eth0")
    assert "pods are unreachable" in _plan_findings(NODE, routes=[away])["own-pod-cidr-routed-away"].sentence
    assert "foreign-route" not in _plan_findings(NODE, routes=[away])
    assert (
        "neither wanted nor ours"
        in _plan_findings(NODE, routes=[pod_route(7, protocol="boot")])["foreign-route"].sentence
    )
    assert "--prune" in _plan_findings(NODE, routes=[pod_route(7)])["stale-route"].sentence
    control = CLUSTER.node("controller-0")
    odd = _plan_findings(control, etc_hosts=b"1.2.3.4 worker-0 w0\n")
    assert "1.2.3.4 worker-0 w0" in odd["hosts-line-left-alone"].sentence
    broken = _plan_findings(control, etc_hosts=b"# END kthw-routes\n")
    assert "without its beginning" in broken["hosts-file-broken"].sentence


WHOLE = [pod_route(0), pod_route(1), pod_route(2)]


def told_of(*tables: list[Route], of: Cluster = CLUSTER, options: Options = DEFAULT_OPTIONS) -> dict[str, str | None]:
    """Code -> host, of what the tables of worker-0, worker-1, … tell together."""
    tables = (*tables, *([],) * (len(of.nodes) - len(tables)))
    own = [[r for r in table if r.prefix != n.pod_cidr] for n, table in zip(of, tables, strict=True)]
    made = planning.make(of, {n.name: facts(n, table) for n, table in zip(of, own, strict=True)}, options)
    return {f.code: f.node for f in of_plan(made) if f.code in ("routes-gone", "worker-is-new")}


def test_a_rebooted_host_and_a_new_worker_are_told_apart() -> None:
    assert told_of([], WHOLE, WHOLE) == {"routes-gone": "worker-0"}
    assert told_of([], WHOLE[1:], WHOLE[1:]) == {"worker-is-new": "worker-0"}


@pytest.mark.parametrize(
    "tables",
    [
        ([], [], []),
        (WHOLE, WHOLE, WHOLE),
        ([pod_route(1)], WHOLE, WHOLE),
        ([], [pod_route(0, via=7), pod_route(2)], [pod_route(0, via=7), pod_route(1)]),
    ],
    ids=["before lab 11", "all is well", "one of two is missing", "rebuilt with another address"],
)
def test_nothing_is_told_of_routes_that_are_missing_for_other_reasons(tables: tuple[list[Route], ...]) -> None:
    assert told_of(*tables) == {}


def test_a_controller_without_routes_was_rebooted_only_where_another_has_some() -> None:
    of, everywhere = cluster(3, 2), Options(routes_on=RoutesOn.ALL)
    assert told_of(WHOLE, WHOLE, WHOLE, of=of, options=everywhere) == {}
    assert told_of(WHOLE, WHOLE, WHOLE, WHOLE, of=of, options=everywhere) == {"routes-gone": "controller-1"}


def test_what_goes_back_by_itself_is_told_once_for_all_hosts() -> None:
    run = "20261122T101500Z-1abc"
    read = {n.name: facts(n, network=NetworkSetup(rollbacks=(run,))) for n in CLUSTER.workers}
    made = planning.make(CLUSTER, bare_facts(CLUSTER) | read)
    told = [f for f in of_plan(made) if f.code == "armed-switch"]
    assert [f.sentence for f in told] == [
        f"Run {run} rolls back automatically on worker-0, worker-1 and worker-2 when its time has come "
        "(--commit-within)."
    ]
    assert f"`kthw-routes undo {run}` undoes its changes now." in told[0].hint
    right = planning.make(CLUSTER, {NODE.name: replace(read[NODE.name], routes=(pod_route(1), pod_route(2)))})
    assert right.is_drift, "no state that lasts"
    assert not right.is_empty, "it is for apply to cancel"
