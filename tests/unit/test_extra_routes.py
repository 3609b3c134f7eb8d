"""What is there beside the wanted routes: nothing goes on a guess, nothing of ours stays outside the cluster CIDR."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from kthw_routes.cluster import Cluster, PodCidrSource, Selection
from kthw_routes.facts import HostFile, Route
from kthw_routes.findings.cluster import of_cluster
from kthw_routes.findings.model import Level
from kthw_routes.hosts.read_facts import with_observed_pod_cidrs
from kthw_routes.options import Options
from kthw_routes.persistence import networkd
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import ChangeKind, HostPlan
from kthw_routes.plan.codes import RouteCode, of_route
from tests.unit.builders import cluster, facts, internal, net, pod_route
from tests.unit.setups import LINODE, standing

ALL = cluster()
NODE = ALL.node("worker-2")
DROP_IN = networkd.FOLDER / "05-eth0.network.d" / "90-kthw-routes.conf"
SHIFTED = {f"worker-{n}": net(f"10.200.{n + 1}.0/24") for n in range(3)}
"""What the CNI configurations say: not what the numbers in the names suggest."""


def shifted(*read: str, of: Cluster = ALL) -> Cluster:
    """The cluster after these workers were read."""
    labelled = replace(of, nodes=tuple(replace(n, pod_cidr_source=PodCidrSource.LABEL) for n in of))
    return with_observed_pod_cidrs(labelled, {n: replace(facts(of.node(n)), cni_cidr=SHIFTED[n]) for n in read})


def plan(of: Cluster, routes: Sequence[Route], *files: HostFile, **wishes: object) -> HostPlan:
    read = facts(NODE, routes, network=standing(LINODE, *files))
    return planning.make(of, {NODE.name: read}, Options(**wishes)).hosts[0]  # type: ignore[arg-type] # right by name


def drop_in(*routes: str) -> HostFile:
    """Such as `10.200.7.0/24 192.168.128.17`."""
    text = "".join(f"[Route]\nDestination={to}\nGateway={hop}\nProtocol=200\n" for to, hop in map(str.split, routes))
    return HostFile(PurePosixPath(DROP_IN), 0o644, text.encode())


def held_after(made: HostPlan) -> set[str]:
    """The destinations in the drop-in as it will be."""
    (file,) = made.files
    assert file.after is not None
    return {line.removeprefix("Destination=") for line in file.after.decode().split() if "Destination=" in line}


RIGHT = [replace(pod_route(1), gateway=internal(0)), replace(pod_route(2), gateway=internal(1))]
"""The routes of worker-2 to the pods of worker-0 and worker-1, where the CNI has other CIDRs than the numbers."""


@pytest.mark.parametrize("prune", [False, True])
def test_routes_to_workers_that_were_not_read_stay_as_they_are(prune: bool) -> None:
    made = plan(shifted("worker-2"), RIGHT, prune=prune)
    assert made.is_empty
    assert {c.kind for c in made.routes} == {ChangeKind.KEEP}
    assert {of_route(c, SHIFTED["worker-2"]) for c in made.routes} == {RouteCode.NOT_READ}
    assert not made.is_drift
    reasons = [c.reason for c in made.routes]
    assert any("worker-1 was not read" in reason for reason in reasons)


def test_a_worker_that_was_not_read_gets_a_route_where_nothing_speaks_against_it() -> None:
    guess = net("10.200.0.0/24")
    adds = [c for c in plan(shifted("worker-2"), []).routes if c.kind is ChangeKind.ADD]
    assert guess in {c.prefix for c in adds}, "before lab 11 there is no other route, and the number is all there is"
    wrong = replace(pod_route(0), gateway=internal(77))
    (row,) = [c for c in plan(shifted("worker-2"), [wrong]).routes if c.prefix == guess]
    assert row.kind is ChangeKind.REPLACE, "it leads to an address that no node has"


def test_a_guess_that_is_another_worker_s_pod_cidr_is_told_and_stops_nothing() -> None:
    of = shifted("worker-0", "worker-2")
    (found,) = [f for f in of_cluster(of) if f.code.startswith("pod-cidr")]
    assert (found.level, found.node) == (Level.NOTICE, "worker-1")
    made = plan(of, [])
    assert [c.prefix for c in made.routes if c.kind is ChangeKind.ADD] == [SHIFTED["worker-0"]]


def test_two_guesses_that_are_the_same_stop_all() -> None:
    of = shifted("worker-0", "worker-2")
    twice = replace(of, nodes=(*of, replace(of.node("worker-1"), name="node-1", internal=internal(7))))
    both = [f for f in of_cluster(twice) if f.code == "pod-cidrs-overlap"]
    assert [(f.level, f.node) for f in both] == [(Level.STOP, "node-1")]


def test_of_a_worker_that_is_removed_for_good_the_route_goes_that_leads_to_it() -> None:
    gone = replace(
        ALL, nodes=tuple(replace(n, selection=Selection.REMOVED) if n.name == "worker-1" else n for n in ALL)
    )
    made = plan(shifted("worker-0", "worker-2", of=gone), RIGHT)
    assert [c.prefix for c in made.routes if c.kind is ChangeKind.REMOVE] == [SHIFTED["worker-1"]]
    assert [c.kind for c in made.routes if c.prefix == SHIFTED["worker-0"]] == [ChangeKind.KEEP], "its number's guess"


@pytest.mark.parametrize("prune", [False, True])
def test_what_a_file_of_ours_holds_outside_the_cluster_cidr_goes(prune: bool) -> None:
    good = ("10.200.0.0/24 192.168.128.10", "10.200.1.0/24 192.168.128.11")
    assert not plan(ALL, [pod_route(0), pod_route(1)], drop_in(*good), prune=prune).is_drift
    file = drop_in(*good, "192.168.0.0/16 192.168.128.12", "0.0.0.0/0 192.168.128.1")
    made = plan(ALL, [pod_route(0), pod_route(1)], file, prune=prune)
    assert held_after(made) == {"10.200.0.0/24", "10.200.1.0/24"}
    assert made.is_drift
    assert all(row.kind is ChangeKind.KEEP for row in made.routes), "it is no row of ours"


def test_what_only_a_file_holds_and_nobody_wants_is_stale() -> None:
    file = drop_in("10.200.0.0/24 192.168.128.10", "10.200.1.0/24 192.168.128.11", "10.200.7.0/24 192.168.128.17")
    routes = [pod_route(0), pod_route(1)]
    (row,) = [c for c in plan(ALL, routes, file).routes if c.prefix == net("10.200.7.0/24")]
    assert (row.kind, row.has, row.commands) == (ChangeKind.STALE, (), ())
    assert row.reason.startswith("in 05-eth0.network.d/90-kthw-routes.conf only; leads to no worker listed")
    made = plan(ALL, routes, file)
    assert made.is_drift
    assert made.is_empty
    marked = plan(ALL, routes, file, marked=frozenset({(NODE.name, net("10.200.7.0/24"))}))
    pruned = plan(ALL, routes, file, prune=True)
    for asked in (marked, pruned):
        assert all("10.200.7.0/24" not in (f.after or b"").decode() for f in asked.files)
        assert [row.kind.is_change for row in asked.files].count(True) == 1


@pytest.mark.parametrize("routes", [[], [pod_route(0)]])
def test_what_a_worker_has_and_controllers_get_no_more_is_told_alike_in_the_kernel_and_in_files(
    routes: list[Route],
) -> None:
    node = ALL.node("controller-0")
    network = standing(LINODE, drop_in("10.200.0.0/24 192.168.128.10", "10.200.0.0/24 192.168.128.99"))
    read = facts(node, routes, network=network)
    (host,) = planning.make(ALL, {node.name: read}, Options()).hosts
    (row,) = host.routes
    assert (row.kind, row.worker) == (ChangeKind.STALE, "worker-0")
    assert row.reason.endswith("; controllers get no routes now; --routes-on all keeps it right, --prune removes it")


@pytest.mark.parametrize("prune", [False, True])
def test_what_only_a_file_holds_and_leads_to_a_worker_that_was_not_read_stays(prune: bool) -> None:
    of = shifted("worker-2")
    made = plan(of, [], drop_in(f"10.200.9.0/24 {internal(1)}"), prune=prune)
    assert "10.200.9.0/24" in held_after(made)
    assert ChangeKind.STALE not in {row.kind for row in made.routes}


def test_what_only_a_file_holds_of_the_node_itself_or_of_one_that_is_gone_goes_without_a_row() -> None:
    gone = replace(
        ALL, nodes=tuple(replace(n, selection=Selection.REMOVED) if n.name == "worker-1" else n for n in ALL)
    )
    own, theirs = net("10.200.2.128/25"), net("10.200.9.0/24")
    file = drop_in(f"10.200.0.0/24 {internal(0)}", f"{own} {internal(0)}", f"{theirs} {internal(1)}")
    made = plan(gone, [pod_route(0)], file)
    assert held_after(made) == {"10.200.0.0/24"}
    assert not {own, theirs} & {row.prefix for row in made.routes}


def test_the_address_of_a_removed_worker_that_a_member_has_by_now_is_the_member_s() -> None:
    nodes = [replace(n, selection=Selection.REMOVED, internal=internal(0)) if n.name == "worker-1" else n for n in ALL]
    made = plan(replace(ALL, nodes=tuple(nodes)), [pod_route(0)], drop_in(f"10.200.9.0/24 {internal(0)}"))
    (row,) = [row for row in made.routes if row.prefix == net("10.200.9.0/24")]
    assert row.kind is ChangeKind.STALE
    assert "10.200.9.0/24" in held_after(made)


def test_a_row_names_the_file_of_its_own_host_only() -> None:
    """Two hosts have the same route; only on the second of them is it from a file of ours."""
    static = pod_route(0, protocol="static")
    held = standing(LINODE, drop_in("10.200.0.0/24 192.168.128.10"))
    given = {
        "worker-1": facts(ALL.node("worker-1"), [static]),
        "worker-2": facts(NODE, [static], network=held),
    }
    of = replace(ALL, nodes=(*ALL, replace(NODE, name="worker-3", internal=internal(3), pod_cidr=net("10.200.3.0/24"))))
    given["worker-3"] = facts(of.node("worker-3"), [static])
    reasons = {host.node: host.routes[0].reason for host in planning.make(of, given).hosts}
    assert reasons == {
        "worker-1": "right as it is (proto static)",
        "worker-2": "ours already, from 05-eth0.network.d/90-kthw-routes.conf",
        "worker-3": "right as it is (proto static)",
    }
