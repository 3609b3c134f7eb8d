"""The wanted routes, compared with what a host has."""

from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.cluster import Cluster, PodCidrSource, Selection
from kthw_routes.facts import HostFile, InterfaceAddress, NetworkSetup, Route
from kthw_routes.options import NamesOn, Options
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import MAX_FILE, ChangeKind, RouteChange
from kthw_routes.plan.wanted import wanted_routes

from .builders import bare_facts, changed, cluster, facts, internal, ip, net, pod_route, worker

CLUSTER = cluster()
NODE = CLUSTER.node("worker-0")


def row(*routes: Route, prefix: str = "10.200.1.0/24", **how: object) -> RouteChange:
    """The row of one prefix in worker-0's plan, given these routes."""
    made = planning.make(CLUSTER, {"worker-0": facts(NODE, routes)}, Options(**how))  # type: ignore[arg-type]
    return next(c for c in made.hosts[0].routes if c.prefix == net(prefix))


def lines(change: RouteChange) -> list[str]:
    return [str(c) for c in change.commands]


def test_a_missing_route_is_added_and_tagged() -> None:
    change = row()
    assert change.kind is ChangeKind.ADD
    assert lines(change) == ["ip route add 10.200.1.0/24 via 192.168.128.11 proto 200"]
    assert [str(c) for c in change.undo_commands] == ["ip route del 10.200.1.0/24 via 192.168.128.11 proto 200"]


@pytest.mark.parametrize(
    "route",
    [pod_route(1), pod_route(1, protocol="boot"), pod_route(1, protocol="static"), pod_route(1, metric=100)],
)
def test_a_right_route_is_kept_whoever_made_it(route: Route) -> None:
    change = row(route)
    assert change.kind is ChangeKind.KEEP
    assert change.commands == ()


def test_another_next_hop_is_replaced_and_comes_back() -> None:
    change = row(pod_route(1, via=2, protocol="boot"))
    assert change.kind is ChangeKind.REPLACE
    assert lines(change) == ["ip route replace 10.200.1.0/24 via 192.168.128.11 proto 200"]
    assert [str(c) for c in change.undo_commands] == [
        "ip route replace 10.200.1.0/24 via 192.168.128.12 dev eth0 proto boot"
    ]
    assert "192.168.128.12" in change.reason


def test_another_next_hop_at_another_metric_is_no_key_of_ours() -> None:
    change = row(pod_route(1, via=2, metric=100))
    assert lines(change) == [
        "ip route add 10.200.1.0/24 via 192.168.128.11 proto 200",
        "ip route del 10.200.1.0/24 via 192.168.128.12 dev eth0 proto 200 metric 100",
    ]


def test_a_second_route_beside_the_right_one_goes() -> None:
    change = row(pod_route(1), pod_route(1, via=2, protocol="boot", metric=50))
    assert change.kind is ChangeKind.REPLACE
    assert lines(change) == ["ip route del 10.200.1.0/24 via 192.168.128.12 dev eth0 proto boot metric 50"]
    assert "second route" in change.reason


def test_a_twin_of_the_same_key_comes_back_to_its_place() -> None:
    before = row(pod_route(1, via=2, protocol="boot"), pod_route(1))
    after = row(pod_route(1), pod_route(1, via=2, protocol="boot"))
    assert [c.verb.value for c in before.edit.undo_commands] == ["prepend"]
    assert [c.verb.value for c in after.edit.undo_commands] == ["append"]


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_a_blackhole_in_the_way_is_replaced(kind: str) -> None:
    change = row(Route(net("10.200.1.0/24"), type=kind))
    assert change.kind is ChangeKind.REPLACE
    assert change.undo_commands[0] == f"ip route replace {kind} 10.200.1.0/24 proto boot"


def test_a_route_through_the_wrong_interface_is_replaced() -> None:
    wrong = replace(pod_route(1), device="eth1", flags=frozenset({"onlink"}))
    assert row(wrong).kind is ChangeKind.REPLACE


def test_a_route_of_the_kernel_is_never_touched() -> None:
    kernel = Route(net("10.200.1.0/24"), device="cnio0", protocol="kernel", scope="link", source=ip("10.200.1.1"))
    change = row(kernel)
    assert change.kind is ChangeKind.FOREIGN
    assert change.commands == ()


def test_no_route_for_the_own_pod_cidr() -> None:
    made = planning.make(CLUSTER, bare_facts(CLUSTER))
    for host in made.hosts:
        own = CLUSTER.node(host.node).pod_cidr
        assert own not in {c.prefix for c in host.routes}


def test_an_own_pod_cidr_that_is_routed_away_is_drift_and_not_touched() -> None:
    away = Route(net("10.200.0.0/24"), internal(0), "eth0", "boot")
    made = planning.make(CLUSTER, {"worker-0": facts(NODE, [away, pod_route(1), pod_route(2)])})
    host = made.hosts[0]
    assert host.is_empty
    assert host.is_drift
    assert host.own_cidr_overridden_by == away
    assert {c.kind for c in host.routes} == {ChangeKind.KEEP, ChangeKind.FOREIGN}


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_an_own_pod_cidr_that_ends_nowhere_is_drift_too(kind: str) -> None:
    hole = Route(net("10.200.0.0/24"), type=kind)
    host = planning.make(CLUSTER, {"worker-0": facts(NODE, [hole, pod_route(1), pod_route(2)])}).hosts[0]
    assert host.is_empty
    assert host.is_drift
    assert host.own_cidr_overridden_by == hole


def test_a_foreign_route_for_a_part_of_a_workers_pods_says_so() -> None:
    part = Route(net("10.200.1.128/25"), internal(2), "eth0")
    assert "a part of worker-1's pod CIDR, led elsewhere" in row(part, prefix="10.200.1.128/25").reason


def test_foreign_and_stale_routes_are_shown_and_left_alone() -> None:
    foreign = row(pod_route(7, protocol="boot"), prefix="10.200.7.0/24")
    stale = row(pod_route(7), prefix="10.200.7.0/24")
    assert (foreign.kind, foreign.commands) == (ChangeKind.FOREIGN, ())
    assert (stale.kind, stale.commands) == (ChangeKind.STALE, ())
    stays = planning.make(CLUSTER, {"worker-0": facts(NODE, [pod_route(7), pod_route(1), pod_route(2)])})
    assert stays.is_empty
    assert stays.is_drift
    by_hand = facts(NODE, [pod_route(7, protocol="boot"), pod_route(1), pod_route(2)])
    assert not planning.make(CLUSTER, {"worker-0": by_hand}).is_drift


def test_what_is_marked_goes_on_its_host_only() -> None:
    read = {f"worker-{n}": facts(CLUSTER.node(f"worker-{n}"), [pod_route(7)]) for n in range(2)}
    made = planning.make(CLUSTER, read, Options(marked=frozenset({("worker-1", net("10.200.7.0/24"))})))
    kinds = [c.kind for h in made.hosts for c in h.routes if c.prefix == net("10.200.7.0/24")]
    assert kinds == [ChangeKind.STALE, ChangeKind.REMOVE]


def test_prune_removes_ours_and_only_ours() -> None:
    assert row(pod_route(7), prefix="10.200.7.0/24", prune=True).kind is ChangeKind.REMOVE
    assert row(pod_route(7, protocol="boot"), prefix="10.200.7.0/24", prune=True).kind is ChangeKind.FOREIGN


def test_a_marked_foreign_route_is_removed() -> None:
    marked = frozenset({("worker-0", net("10.200.7.0/24"))})
    change = row(pod_route(7, protocol="boot"), prefix="10.200.7.0/24", marked=marked)
    assert change.kind is ChangeKind.REMOVE
    assert lines(change) == ["ip route del 10.200.7.0/24 via 192.168.128.17 dev eth0 proto boot"]


def test_a_worker_removed_for_good_takes_our_routes_and_its_name_with_it() -> None:
    gone = changed(CLUSTER, "worker-2", selection=Selection.REMOVED)
    given = bare_facts(CLUSTER)
    given["worker-0"] = facts(NODE, [pod_route(1), pod_route(2)])
    given["controller-0"] = facts(CLUSTER.node("controller-0"), etc_hosts=b"192.168.128.12 worker-2\n")
    made = planning.make(gone, given)
    assert made.host("worker-2") is None
    host = made.host("worker-0")
    assert host is not None
    assert [(c.kind, str(c.prefix)) for c in host.routes][-1] == (ChangeKind.REMOVE, "10.200.2.0/24")
    names = made.host("controller-0")
    assert names is not None
    assert names.hosts_file is not None
    assert b"worker-2" not in names.hosts_file.after


@pytest.mark.parametrize("host", ["controller-0", "worker-0"])
def test_a_typed_line_of_no_node_is_stale_and_one_of_any_node_is_not(host: str) -> None:
    """A worker's own name is not among those that its file is to hold, and is a node's all the same."""
    lines = b"192.168.128.10 worker-0\n192.168.128.12 worker-2\n192.168.9.9 worker-3\n"
    node = CLUSTER.node(host)
    given = {host: facts(node, etc_hosts=lines)}
    (plan,) = planning.make(CLUSTER, given, Options(names_on=NamesOn.ALL)).hosts
    assert [n.name for n in plan.names if n.kind is ChangeKind.STALE] == ["worker-3"]
    (pruned,) = planning.make(CLUSTER, given, Options(names_on=NamesOn.ALL, prune=True)).hosts
    assert pruned.hosts_file is not None
    assert b"worker-3" not in pruned.hosts_file.after
    assert pruned.hosts_file.after.startswith(lines.removesuffix(b"192.168.9.9 worker-3\n"))


@pytest.mark.parametrize("name", ["worker-2 localhost", "worker-ü", "worker_2", ""])
def test_a_name_that_is_no_host_name_is_written_nowhere(name: str) -> None:
    other = changed(CLUSTER, "worker-2", name=name)
    made = planning.make(other, bare_facts(CLUSTER)).host("controller-0")
    assert made is not None
    assert [n.name for n in made.names] == ["worker-0", "worker-1"]


def test_leaving_a_host_out_changes_nothing_for_the_others() -> None:
    given = {n.name: facts(n, [pod_route(1)] if n.name == "worker-0" else []) for n in CLUSTER}
    whole = planning.make(CLUSTER, given)
    left = planning.make(CLUSTER.with_selection({"worker-0", "worker-1", "controller-0"}), given)
    assert left.hosts == tuple(h for h in whole.hosts if h.node != "worker-2")


def test_a_left_out_worker_without_a_next_hop_keeps_its_routes() -> None:
    lame = replace(worker(2), internal=None, selection=Selection.LEFT_OUT)
    other = CLUSTER.with_swapped(CLUSTER.node("worker-2"), lame)
    made = planning.make(other, {"worker-0": facts(NODE, [pod_route(1), pod_route(2)])})
    assert made.is_empty
    assert made.hosts[0].routes[-1].kind is ChangeKind.STALE
    assert planning.make(other, {"worker-0": facts(NODE, [pod_route(1), pod_route(2)])}, Options(prune=True)).is_empty


def test_nothing_outside_the_cluster_cidr_is_a_row() -> None:
    others = [
        Route(net("0.0.0.0/0"), ip("203.0.113.1"), "eth0"),
        Route(net("10.0.0.0/8"), ip("192.168.128.99"), "eth0", "200"),
        Route(net("10.201.1.0/24"), ip("192.168.128.99"), "eth0", "200"),
    ]
    made = planning.make(CLUSTER, {"worker-0": facts(NODE, others)}, Options(prune=True))
    assert {str(c.prefix) for c in made.hosts[0].routes} == {"10.200.1.0/24", "10.200.2.0/24"}


def test_the_pod_routes_of_the_node_itself_are_no_rows() -> None:
    bridge = Route(net("10.200.0.0/24"), device="cnio0", protocol="kernel", scope="link", source=ip("10.200.0.1"))
    veth = Route(net("10.200.0.7/32"), device="veth7", scope="link")
    made = planning.make(CLUSTER, {"worker-0": facts(NODE, [bridge, veth])}, Options(prune=True))
    assert {str(c.prefix) for c in made.hosts[0].routes} == {"10.200.1.0/24", "10.200.2.0/24"}


def test_a_device_is_found_by_the_longest_prefix_that_is_up() -> None:
    host = facts(
        NODE,
        addresses=(
            InterfaceAddress("eth0", IPv4Interface("192.168.128.10/17")),
            InterfaceAddress("eth1", IPv4Interface("192.168.128.10/24")),
            InterfaceAddress("eth2", IPv4Interface("192.168.128.10/30"), is_up=False),
        ),
    )
    assert host.device_towards(ip("192.168.128.11")) == "eth1"
    assert host.device_towards(ip("10.0.0.1")) is None


@st.composite
def _clusters(draw: st.DrawFn) -> Cluster:
    """Workers some of which lack a pod CIDR or an internal address, are left out or removed for good."""
    nodes = []
    for number in range(draw(st.integers(0, 7))):
        node = worker(number, selection=draw(st.sampled_from(list(Selection))))
        if draw(st.booleans()) and draw(st.booleans()):
            node = replace(node, internal=None)
        if draw(st.booleans()) and draw(st.booleans()):
            node = replace(node, pod_cidr=None)
        nodes.append(node)
    return Cluster(tuple(nodes))


@given(_clusters())
def test_every_ordered_pair_of_members_once_and_never_the_own_pod_cidr(of: Cluster) -> None:
    reachable = {n.name for n in of.workers if n.pod_cidr and n.internal}
    wanted = [(node.name, w) for node in of.workers for w in wanted_routes(of, node)]
    assert sorted((name, w.worker) for name, w in wanted) == sorted(
        (a.name, b) for a in of.workers for b in reachable if a.name != b
    )
    for name, route in wanted:
        assert route.prefix != of.node(name).pod_cidr
        assert (route.prefix, route.next_hop) == (of.node(route.worker).pod_cidr, of.node(route.worker).internal)
    made = planning.make(of, {n.name: facts(n) for n in of if n.internal})
    assert [h.node for h in made.hosts] == [n.name for n in of.visited if n.internal]


def test_a_part_of_the_own_pods_comes_back_to_the_bridge_that_has_the_whole() -> None:
    bridge = InterfaceAddress("cnio0", IPv4Interface("10.200.0.1/24"))
    part = Route(net("10.200.0.0/25"), internal(1), "eth0")
    own = replace(facts(NODE, [part]), bridges=(bridge,))
    (host,) = planning.make(CLUSTER, {"worker-0": own}, Options(repair=True)).hosts
    change = next(c for c in host.routes if c.prefix == part.prefix)
    assert change.reason.endswith("; cnio0 has the whole of these pods")
    assert lines(change) == ["ip route del 10.200.0.0/25 via 192.168.128.11 dev eth0 proto boot"]


def test_a_broken_template_of_cloud_init_is_told_by_its_name_and_etc_hosts_edited_all_the_same() -> None:
    template = HostFile(PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl"), 0o644, b"# END kthw-routes\n")
    node = CLUSTER.node("controller-0")
    network = NetworkSetup(hosts_template=template)
    read = facts(node, etc_hosts=b"127.0.0.1 localhost\n", network=network)
    (host,) = planning.make(CLUSTER, {node.name: read}, Options(hosts_template=True)).hosts
    assert str(host.hosts_file_problem).startswith("/etc/cloud/templates/hosts.debian.tmpl holds '# END kthw-routes'")
    assert "/etc/hosts" not in str(host.hosts_file_problem)
    assert sum(n.kind.is_change for n in host.names) == 3
    assert host.files == ()
    broken = facts(node, etc_hosts=b"# END kthw-routes\n", network=network)
    (host,) = planning.make(CLUSTER, {node.name: broken}, Options(hosts_template=True)).hosts
    assert str(host.hosts_file_problem).startswith(
        "/etc/hosts holds '# END kthw-routes' without its beginning and /etc/cl"
    )
    assert host.hosts_file is None


def test_a_file_that_the_names_make_too_large_to_be_read_back_is_left_alone() -> None:
    node = CLUSTER.node("controller-0")
    head = b"127.0.0.1 localhost\n"
    size = len(planning.make(CLUSTER, {node.name: facts(node, etc_hosts=head)}).hosts[0].hosts_file.after) - len(head)  # type: ignore[union-attr] # it is there
    for over in (0, 1):
        content = head + b"#" * (MAX_FILE - size - len(head) - 1 + over) + b"\n"
        (host,) = planning.make(CLUSTER, {node.name: facts(node, etc_hosts=content)}).hosts
        assert (host.hosts_file is None) is bool(over)
        assert bool(host.hosts_file_problem) is bool(over)
        if host.hosts_file is not None:
            assert len(host.hosts_file.after) == MAX_FILE
    assert host.hosts_file_problem == (
        f"/etc/hosts would have {MAX_FILE + 1} bytes with the names; no file of more than 64 MiB is read, so it was "
        "left alone."
    )
    template = HostFile(PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl"), 0o644, content)
    read = facts(node, etc_hosts=head, network=NetworkSetup(hosts_template=template))
    (host,) = planning.make(CLUSTER, {node.name: read}, Options(hosts_template=True)).hosts
    assert host.files == ()
    assert sum(n.kind.is_change for n in host.names) == 3
    assert str(host.hosts_file_problem).startswith(f"{template.path} would have ")


def test_a_file_that_was_too_large_to_be_read_is_told_of() -> None:
    node = CLUSTER.node("controller-0")
    read = replace(facts(node, etc_hosts=None), etc_hosts_problem="/etc/hosts has 9 bytes too many")
    (host,) = planning.make(CLUSTER, {node.name: read}).hosts
    assert host.hosts_file_problem == ("/etc/hosts has 9 bytes too many, so the workers' names are not added to it.")


OLD_BLOCK = b"127.0.0.1 localhost\n# BEGIN kthw-routes\n192.168.128.99 worker-1\n# END kthw-routes\n"


@pytest.mark.parametrize(
    ("names_on", "kept_right"),
    [(NamesOn.CONTROLLERS, True), (NamesOn.WORKERS, True), (NamesOn.NONE, False)],
)
def test_names_that_stand_in_a_block_of_ours_are_kept_right(names_on: NamesOn, kept_right: bool) -> None:
    read = facts(NODE, etc_hosts=OLD_BLOCK)
    (host,) = planning.make(CLUSTER, {NODE.name: read}, Options(names_on=names_on)).hosts
    assert any(n.kind.is_change for n in host.names) is kept_right
    bare = facts(NODE, etc_hosts=b"127.0.0.1 localhost\n")
    (host,) = planning.make(CLUSTER, {NODE.name: bare}, Options(names_on=NamesOn.CONTROLLERS)).hosts
    assert host.hosts_file is None, "a worker gets names only where that is asked for, or was before"


def test_cloud_inits_template_is_kept_right_where_a_block_of_ours_stands_in_it() -> None:
    node = CLUSTER.node("controller-0")
    path = PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl")
    for content, kinds in ((OLD_BLOCK, [ChangeKind.REPLACE]), (b"127.0.0.1 localhost\n", [])):
        network = NetworkSetup(hosts_template=HostFile(path, 0o644, content))
        read = facts(node, etc_hosts=OLD_BLOCK, network=network)
        (host,) = planning.make(CLUSTER, {node.name: read}, Options()).hosts
        assert [f.kind for f in host.files] == kinds
        assert host.hosts_file_is_rewritten == (not kinds)


def test_a_guess_that_only_overlaps_what_was_read_gets_no_route() -> None:
    """worker-1 was read to have two blocks, one of which the number of the unread worker-2 would give it."""
    guessed = worker(2, pod_cidr_source=PodCidrSource.GUESS)
    for observed in ("10.200.2.0/23", "10.200.2.0/25"):
        read = worker(1, pod_cidr=net(observed), pod_cidr_source=PodCidrSource.CNI)
        of = Cluster((worker(0), read, guessed))
        made = planning.make(of, {"worker-0": facts(of.node("worker-0"))})
        assert [str(c.prefix) for c in made.hosts[0].routes] == [observed]


def test_a_route_for_one_type_of_service_only_is_not_the_wanted_one() -> None:
    """Other packets would not take it, so the wanted route is added before it goes."""
    change = row(replace(pod_route(1), tos=0x10))
    assert change.kind is ChangeKind.REPLACE
    assert lines(change) == [
        "ip route add 10.200.1.0/24 via 192.168.128.11 proto 200",
        "ip route del 10.200.1.0/24 tos 0x10 via 192.168.128.11 dev eth0 proto 200",
    ]


def test_a_route_for_one_type_of_service_beside_the_right_one_goes() -> None:
    change = row(pod_route(1), replace(pod_route(1, via=2), tos=0x10))
    assert change.kind is ChangeKind.REPLACE
    assert lines(change) == ["ip route del 10.200.1.0/24 tos 0x10 via 192.168.128.12 dev eth0 proto 200"]


@pytest.mark.parametrize("unread", ["/etc/cloud/templates", "/etc/cloud/templates/hosts.debian.tmpl"])
def test_a_template_that_could_not_be_read_is_not_taken_for_none(unread: str) -> None:
    node, setup = CLUSTER.node("controller-0"), NetworkSetup(unread=frozenset({PurePosixPath(unread)}))
    read = {node.name: facts(node, network=setup)}
    (host,) = planning.make(CLUSTER, read, Options(hosts_template=True)).hosts
    assert not host.is_readable
    assert str(host.hosts_file_problem).startswith(f"{unread} could not be read")
    (host,) = planning.make(CLUSTER, read, Options()).hosts
    assert host.is_readable
