"""What becomes of the files of ours on a host, through the plan that they are rows of."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.cluster import Cluster, Selection
from kthw_routes.facts import HostFacts, HostFile, InterfaceAddress, NetworkSetup, Route
from kthw_routes.options import Options, RoutesOn
from kthw_routes.persistence import ifupdown, netplan, unit
from kthw_routes.persistence import paths as own_paths
from kthw_routes.persistence.managers import MODULES, parse
from kthw_routes.persistence.model import Choice, Manager, Persist, PersistedRoute
from kthw_routes.persistence.paths import FORWARDING_FILE
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import ChangeKind, FileChange, HostPlan

from . import setups
from .builders import changed, cluster, connected, facts, ip, net, pod_route
from .setups import ALMA, BARE, DEBIAN, FITTING, LINODE, NETPLAN, NOTHING, held, ruled, standing

CLUSTER = cluster()
NODE = CLUSTER.node("worker-0")
RIGHT = (held(1), held(2))
OLD = (held(1), held(2, via=9))
AUTO = Options(persist=Persist.AUTO)
ASKED = Options()


def read(network: NetworkSetup, *routes: Route, **given: object) -> HostFacts:
    return facts(NODE, routes or (pod_route(1), pod_route(2)), network=network, **given)


def plan(host: HostFacts, options: Options = ASKED, of: Cluster = CLUSTER) -> HostPlan:
    (made,) = planning.make(of, {host.node: host}, options).hosts
    return made


def rows(network: NetworkSetup, options: Options = ASKED, of: Cluster = CLUSTER) -> dict[str, FileChange]:
    return {str(f.path): f for f in plan(read(network), options, of).files}


def kinds(network: NetworkSetup, options: Options = ASKED, of: Cluster = CLUSTER) -> list[ChangeKind]:
    return [f.kind for f in rows(network, options, of).values()]


def files(manager: Manager, network: NetworkSetup, routes: Iterable[PersistedRoute] = RIGHT) -> tuple[HostFile, ...]:
    return MODULES[manager].render(tuple(routes), network)


def with_files(manager: Manager, network: NetworkSetup, routes: Iterable[PersistedRoute] = RIGHT) -> NetworkSetup:
    return standing(network, *files(manager, network, routes))


def carried_out(host: HostFacts, made: HostPlan) -> HostFacts:
    """The host as it is once the files are as planned."""
    there = {f.path: f for f in host.network.files}
    for change in made.files:
        there.pop(change.path, None)
        if change.after is not None:
            there[change.path] = HostFile(change.path, change.mode, change.after)
    on = host.ip_forward if made.forwarding is None else made.forwarding
    return replace(host, network=standing(host.network, *there.values()), ip_forward=on)


# --- a manager was asked for ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in setups.ALL if n != "NOTHING"])
def test_the_files_are_written_once_and_then_kept(name: str) -> None:
    host = read(setups.ALL[name])
    first = plan(host, AUTO)
    assert {f.kind for f in first.files} == {ChangeKind.ADD}
    assert first.persistence is not None
    assert first.persistence.manager is not None
    second = plan(carried_out(host, first), AUTO)
    assert {f.kind for f in second.files} == {ChangeKind.KEEP}
    assert second.is_empty
    assert not second.is_drift
    assert plan(carried_out(host, first)).is_empty


def test_a_file_with_another_comment_or_mode_is_written_anew_where_its_manager_was_asked_for() -> None:
    (file,) = files(Manager.NETPLAN, NETPLAN)
    older = replace(file, content=file.content.replace(b"an edit here", b"an edit"))
    open_to_all = replace(file, mode=0o644)
    assert kinds(standing(NETPLAN, older), AUTO) == [ChangeKind.REPLACE]
    (row,) = rows(standing(NETPLAN, open_to_all), AUTO).values()
    assert (row.kind, row.mode, row.before_mode, row.reason) == (ChangeKind.REPLACE, 0o600, 0o644, "its mode is 0644")
    assert kinds(standing(NETPLAN, older)) == [ChangeKind.KEEP]


def test_the_files_of_another_manager_go() -> None:
    there = standing(LINODE, *files(Manager.UNIT, BARE), *files(Manager.NETPLAN, NETPLAN))
    found = rows(there, AUTO)
    assert {p: f.kind for p, f in found.items()} == {
        "/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf": ChangeKind.ADD,
        "/etc/netplan/90-kthw-routes.yaml": ChangeKind.REMOVE,
        "/etc/kthw-routes/routes.batch": ChangeKind.REMOVE,
        "/etc/systemd/system/kthw-routes.service": ChangeKind.REMOVE,
        "/etc/systemd/system/kthw-routes.timer": ChangeKind.REMOVE,
    }
    assert next(iter(found)).endswith("90-kthw-routes.conf")  # what holds the routes is written first
    assert {p for p, f in found.items() if f.folder_is_ours} == {
        "/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf",
        "/etc/kthw-routes/routes.batch",
    }


def test_a_drop_in_for_a_file_that_no_longer_rules_moves() -> None:
    before = with_files(Manager.NETWORKD, LINODE)
    moved = replace(before, links=NETPLAN.links)
    found = rows(moved, Options(persist=Persist.NETWORKD))
    assert {PurePosixPath(p).parent.name: f.kind for p, f in found.items()} == {
        "10-netplan-eth0.network.d": ChangeKind.ADD,
        "05-eth0.network.d": ChangeKind.REMOVE,
    }


def test_the_folder_goes_with_the_file_only_where_it_was_made_for_it() -> None:
    folder = PurePosixPath("/etc/systemd/network/05-eth0.network.d")
    assert [f.folder_is_ours for f in rows(LINODE, AUTO).values()] == [True]
    assert [f.folder_is_ours for f in rows(replace(LINODE, folders=frozenset({folder})), AUTO).values()] == [False]
    for network in (NETPLAN, DEBIAN, ALMA):
        assert [f.folder_is_ours for f in rows(network, AUTO).values()] == [True]
        there = replace(network, folders=frozenset(own_paths.FOLDERS))
        assert [f.folder_is_ours for f in rows(there, AUTO).values()] == [False]


@pytest.mark.parametrize("is_there", [True, False])
def test_the_folder_of_the_switch_of_forwarding_goes_only_where_it_was_made_for_it(is_there: bool) -> None:
    network = replace(NOTHING, folders=frozenset({PurePosixPath("/etc/sysctl.d")} if is_there else ()))
    (row,) = plan(read(network, ip_forward=False), Options(ip_forward=True)).files
    assert (row.path.parent, row.folder_is_ours) == (PurePosixPath("/etc/sysctl.d"), not is_there)


@pytest.mark.parametrize("asked", [Persist.NETPLAN, Persist.IFUPDOWN, Persist.NETWORKMANAGER])
def test_a_manager_that_cannot_work_there_leaves_all_as_it_is(asked: Persist) -> None:
    there = with_files(Manager.NETWORKD, LINODE)
    made = plan(read(there), Options(persist=asked))
    assert made.persistence is not None
    assert made.persistence.problem
    assert [f.kind for f in made.files] == [ChangeKind.KEEP]
    assert plan(read(LINODE), Options(persist=asked)).files == ()


def test_what_a_file_holds_besides_moves_with_the_rest() -> None:
    beside = (*RIGHT, held(7))
    there = with_files(Manager.NETPLAN, NETPLAN, beside)
    there = replace(there, links=LINODE.links)
    found = rows(there, AUTO)
    drop_in = found["/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf"]
    assert held_by(drop_in) == [(str(r.prefix), str(r.next_hop)) for r in beside]


def test_what_cannot_be_reached_does_not_move() -> None:
    lost = PersistedRoute(net("10.200.7.0/24"), ip("172.31.0.1"), "eth0")
    there = replace(with_files(Manager.NETPLAN, NETPLAN, (*RIGHT, lost)), links=LINODE.links)
    drop_in = rows(there, AUTO)["/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf"]
    assert len(held_by(drop_in)) == 2
    named = standing(LINODE, *files(Manager.IFUPDOWN, DEBIAN, (*RIGHT, lost)))
    drop_in = rows(named, AUTO)["/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf"]
    assert len(held_by(drop_in)) == 2
    stays = with_files(Manager.NETPLAN, NETPLAN, (*RIGHT, lost))
    assert kinds(stays) == kinds(stays, AUTO) == [ChangeKind.KEEP]


def held_by(change: FileChange) -> list[tuple[str, str]]:
    assert change.after is not None
    return [(str(r.prefix), str(r.next_hop)) for r in parse(HostFile(change.path, change.mode, change.after))]


# --- nothing was asked for --------------------------------------------------------------------------------------


@pytest.mark.parametrize("persist", [None, Persist.NONE])
@pytest.mark.parametrize("name", setups.ALL)
def test_nothing_new_is_written_unasked(name: str, persist: Persist | None) -> None:
    made = plan(read(setups.ALL[name]), Options(persist=persist))
    assert made.files == ()
    assert made.persistence == Choice(None, "it was not asked for")


@pytest.mark.parametrize("manager", Manager)
def test_a_file_that_stands_there_is_kept_right(manager: Manager) -> None:
    """Else the repair of a route would come undone at the next boot."""
    network = FITTING[manager]
    host = read(with_files(manager, network, OLD))
    made = plan(host)
    changes = [f for f in made.files if f.kind.is_change]
    assert [f.kind for f in changes] == [ChangeKind.REPLACE]
    assert held_by(changes[0]) == [("10.200.1.0/24", "192.168.128.11"), ("10.200.2.0/24", "192.168.128.12")]
    assert made.is_drift
    assert made.persistence is not None
    assert made.persistence.manager is manager
    after = plan(carried_out(host, made))
    assert after.is_empty
    assert {f.kind for f in after.files} == {ChangeKind.KEEP}


def test_a_worker_that_was_added_gets_into_the_file_that_stands_there() -> None:
    there = with_files(Manager.NETPLAN, NETPLAN, [held(1)])
    (row,) = rows(there).values()
    assert (row.kind, len(held_by(row))) == (ChangeKind.REPLACE, 2)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"network: [", b"# nothing\n"])
def test_a_file_that_is_not_understood_is_written_anew(content: bytes) -> None:
    (file,) = files(Manager.NETPLAN, NETPLAN)
    (row,) = rows(standing(NETPLAN, replace(file, content=content))).values()
    assert (row.kind, row.after, row.before) == (ChangeKind.REPLACE, file.content, content)


def test_entries_beside_the_wanted_ones_stay_until_their_worker_is_gone_for_good() -> None:
    there = with_files(Manager.NETPLAN, NETPLAN, (*RIGHT, held(7)))
    assert kinds(there) == [ChangeKind.KEEP]
    assert kinds(there, AUTO) == [ChangeKind.KEEP]
    (pruned,) = rows(there, Options(prune=True)).values()
    assert (pruned.kind, len(held_by(pruned))) == (ChangeKind.REPLACE, 2)
    gone = changed(CLUSTER, "worker-2", selection=Selection.REMOVED)
    (removed,) = rows(with_files(Manager.NETPLAN, NETPLAN), of=gone).values()
    assert held_by(removed) == [("10.200.1.0/24", "192.168.128.11")]


def test_a_file_that_holds_nothing_any_more_goes() -> None:
    alone = CLUSTER
    for name in ("worker-1", "worker-2"):
        alone = changed(alone, name, selection=Selection.REMOVED)
    for manager, network in FITTING.items():
        for options in (ASKED, AUTO):
            assert set(kinds(with_files(manager, network), options, alone)) == {ChangeKind.REMOVE}


def test_what_a_controller_holds_from_an_earlier_run_stays() -> None:
    control = CLUSTER.node("controller-0")
    there = with_files(Manager.NETPLAN, NETPLAN, (held(0), held(1), held(2)))
    host = facts(control, (pod_route(0), pod_route(1), pod_route(2)), network=there)
    assert [f.kind for f in plan(host).files] == [ChangeKind.KEEP]
    assert [f.kind for f in plan(host, AUTO).files] == [ChangeKind.KEEP]
    assert [f.kind for f in plan(host, replace(AUTO, routes_on=RoutesOn.ALL)).files] == [ChangeKind.KEEP]
    assert plan(facts(control, network=NETPLAN)).persistence is None


def test_the_own_pod_cidr_gets_out_of_the_file() -> None:
    """At the next boot it would come before the bridge's route, and win."""
    (row,) = rows(with_files(Manager.NETPLAN, NETPLAN, (held(0), *RIGHT))).values()
    assert (row.kind, len(held_by(row))) == (ChangeKind.REPLACE, 2)


def test_a_prefix_that_the_kernel_routes_itself_gets_out_of_the_file() -> None:
    kernel = Route(net("10.200.1.0/24"), device="eth1", protocol="kernel", scope="link", source=ip("10.200.1.1"))
    host = read(with_files(Manager.NETPLAN, NETPLAN), kernel, pod_route(2))
    (row,) = plan(host).files
    assert held_by(row) == [("10.200.2.0/24", "192.168.128.12")]


@pytest.mark.parametrize(
    ("manager", "network"),
    [(Manager.NETPLAN, LINODE), (Manager.NETWORKD, DEBIAN), (Manager.IFUPDOWN, NETPLAN), (Manager.UNIT, NOTHING)],
)
def test_a_file_that_the_host_does_not_read_is_shown_and_is_drift(manager: Manager, network: NetworkSetup) -> None:
    there = standing(network, *files(manager, FITTING[manager]))
    made = plan(read(there))
    stale = [f for f in made.files if f.kind is ChangeKind.STALE]
    assert len(stale) == 1
    assert stale[0].reason.startswith("this host does not read it: ")
    assert stale[0].before == stale[0].after
    assert made.is_empty
    assert made.is_drift


def test_a_drop_in_through_an_interface_that_leads_to_nobody_any_more_goes() -> None:
    other = ruled("eth1", PurePosixPath("/etc/systemd/network/05-eth1.network"))
    both = setups.with_links(LINODE, (ruled(), other))
    there = with_files(Manager.NETWORKD, both, (held(1), held(2, device="eth1")))
    found = {PurePosixPath(p).parent.name: f.kind for p, f in rows(there).items()}
    assert found == {"05-eth0.network.d": ChangeKind.REPLACE, "05-eth1.network.d": ChangeKind.REMOVE}


def test_a_file_that_cannot_be_kept_right_says_so() -> None:
    """One of two interfaces is no longer its manager's: what it holds for the other is right still."""
    eth1 = InterfaceAddress("eth1", IPv4Interface("10.9.0.10/24"))
    of = changed(CLUSTER, "worker-2", internal=ip("10.9.0.12"))
    network = setups.with_links(DEBIAN, (DEBIAN.links[0], replace(ruled("eth1"), device="eth1")))
    there = standing(network, *ifupdown.render(RIGHT, DEBIAN))
    host = read(there)
    host = replace(host, addresses=(*host.addresses, eth1), routes=(*host.routes, *connected(eth1)))
    (row,) = plan(host, of=of).files
    assert row.kind is ChangeKind.REPLACE
    assert held_by(row) == [("10.200.1.0/24", "192.168.128.11")]


def test_every_change_of_a_file_can_be_taken_back() -> None:
    for manager, network in FITTING.items():
        for change in rows(with_files(manager, network, OLD), AUTO).values():
            back = change.undone
            assert (back.before, back.after, back.undone.kind) == (change.after, change.before, change.kind)


# --- forwarding -------------------------------------------------------------------------------------------------

FORWARD = Options(ip_forward=True)


def test_forwarding_is_turned_on_where_it_is_off_and_asked_for() -> None:
    made = plan(read(LINODE), FORWARD)
    assert made.forwarding is True
    (row,) = made.files
    assert (row.kind, str(row.path), row.mode) == (ChangeKind.ADD, "/etc/sysctl.d/90-kthw-routes.conf", 0o644)
    assert row.after is not None
    assert row.after.decode().splitlines()[-1] == "net.ipv4.ip_forward = 1"
    assert all(line.startswith("#") for line in row.after.decode().splitlines()[:-1])
    after = plan(carried_out(read(LINODE), made), FORWARD)
    assert (after.is_empty, after.forwarding, [f.kind for f in after.files]) == (True, None, [ChangeKind.KEEP])


def test_forwarding_is_left_alone_unasked_and_where_it_is_on() -> None:
    assert plan(read(LINODE)).files == plan(read(LINODE, ip_forward=True), FORWARD).files == ()
    assert plan(read(LINODE, ip_forward=True), FORWARD).forwarding is None
    control = facts(CLUSTER.node("controller-0"))
    assert plan(control, FORWARD).forwarding is None
    assert plan(control, replace(FORWARD, routes_on=RoutesOn.ALL)).forwarding is True


def test_a_file_of_forwarding_that_stands_there() -> None:
    there = standing(LINODE, FORWARDING_FILE)
    off = plan(read(there), FORWARD)
    assert (off.forwarding, [f.kind for f in off.files]) == (True, [ChangeKind.KEEP])
    odd = standing(LINODE, replace(FORWARDING_FILE, content=b"net.ipv4.ip_forward = 0\n"))
    assert kinds(odd, FORWARD) == [ChangeKind.REPLACE]
    assert kinds(odd) == [ChangeKind.KEEP]


def test_forwarding_that_went_off_behind_its_file_is_switched_on_again_unasked() -> None:
    there = read(standing(LINODE, FORWARDING_FILE))
    off = plan(there)
    assert (off.forwarding, off.is_drift, [f.kind for f in off.files]) == (True, True, [ChangeKind.KEEP])
    on = plan(carried_out(there, off))
    assert (on.forwarding, on.is_drift) == (None, False)


# --- all of it --------------------------------------------------------------------------------------------------

_HELD = st.lists(st.builds(held, st.integers(0, 8), via=st.integers(1, 9)), max_size=6, unique_by=lambda r: r.prefix)


@given(
    st.sampled_from(list(setups.ALL.values())),
    st.dictionaries(st.sampled_from(list(Manager)), _HELD, max_size=3),
    st.sampled_from([None, *Persist]),
    st.booleans(),
    st.booleans(),
)
def test_what_was_carried_out_stays_and_holds_the_wanted_routes(
    network: NetworkSetup,
    there: dict[Manager, list[PersistedRoute]],
    persist: Persist | None,
    prune: bool,
    forward: bool,
) -> None:
    found = [file for manager, routes in there.items() for file in files(manager, FITTING[manager], routes)]
    host = read(standing(network, *found))
    options = Options(persist=persist, prune=prune, ip_forward=forward)
    made = plan(host, options)
    after = carried_out(host, made)
    again = plan(after, options)
    assert not [f for f in again.files if f.kind.is_change]
    assert again.forwarding is None
    if persist in (None, Persist.NONE):
        assert {f.path for f in made.files if f.kind is ChangeKind.ADD} <= {FORWARDING_FILE.path}
    elif made.persistence is not None and made.persistence.manager and not made.persistence.problem:
        holds = {(r.prefix, r.next_hop) for f in after.network.files for r in parse(f)}
        assert {(r.prefix, r.next_hop) for r in RIGHT} <= holds
        assert not [f for f in again.files if f.kind is ChangeKind.STALE]


def test_what_auto_would_take_is_known_before_anybody_asks() -> None:
    host = read(LINODE)
    made = planning.what_auto_takes(plan(host), host)
    assert made.manager is Manager.NETWORKD
    assert "05-eth0.network" in made.reason


def test_a_route_from_netplan_is_ours_though_it_is_not_marked() -> None:
    there = with_files(Manager.NETPLAN, NETPLAN, (*RIGHT, held(7)))
    routes = [pod_route(n, protocol="static") for n in (1, 2, 7)]
    made = plan(read(there, *routes))
    assert [(r.kind, r.reason) for r in made.routes[:2]] == [
        (ChangeKind.KEEP, f"ours already, from netplan/{netplan.PATH.name}")
    ] * 2
    assert made.routes[2].kind is ChangeKind.STALE
    asked = (Options(prune=True), Options(marked=frozenset({(made.node, made.routes[2].prefix)})))
    for pruned in (plan(read(there, *routes), options) for options in asked):
        assert pruned.routes[2].kind is ChangeKind.REMOVE
        (file,) = (f for f in pruned.files if f.path == netplan.PATH)
        assert str(made.routes[2].prefix) not in (file.after or b"").decode(), "or the next boot brings it back"


def test_a_file_that_could_not_be_read_is_left_as_it_is() -> None:
    unread = replace(BARE, unread=frozenset({unit.BATCH}))
    host = plan(read(unread, pod_route(1)), Options(persist=Persist.UNIT))
    assert [(f.path, f.kind) for f in host.unread] == [(unit.BATCH, ChangeKind.FOREIGN)]
    assert [f.path for f in host.files].count(unit.BATCH) == 1
    assert plan(read(unread, pod_route(1), pod_route(2))).is_readable is False
