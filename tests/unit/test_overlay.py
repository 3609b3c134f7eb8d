"""The overlay: what a host should have of it, what is read there, what becomes of the difference, and of an undo."""

import json
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Interface
from typing import Any

import pytest

from kthw_routes.cluster import Cluster
from kthw_routes.events import Phase
from kthw_routes.facts import HostFacts, InterfaceAddress, PodCidrFiles, Route
from kthw_routes.findings.overlay import of_overlay
from kthw_routes.hosts.read_overlay import read_overlay
from kthw_routes.hosts.task import HostTask
from kthw_routes.options import Options, RoutesOn
from kthw_routes.overlay import device as words
from kthw_routes.overlay import table
from kthw_routes.overlay.model import DEVICE, NOTHING, Overlay, OverlayReading, OverlayState, mac_of
from kthw_routes.plan import compare
from kthw_routes.plan.changes import ChangeKind, HostPlan, OverlayChange
from kthw_routes.plan.overlay import carried, wanted_on
from kthw_routes.record.journal import HostRecord, Journal, OverlayRecord, host_of, host_record
from kthw_routes.record.json_overlay import overlay_from_json, overlay_json
from kthw_routes.record.json_values import Unfit, Value, parse
from kthw_routes.ssh.command import Result
from kthw_routes.undo import plan as undo_plan
from tests.unit.answering import Answering, said
from tests.unit.builders import cluster, facts, internal, ip, net, pod_route, worker

CLUSTER = replace(cluster(), has_overlay=True)
HOST = worker(0)
WANTED = wanted_on(CLUSTER, HOST, None)
assert WANTED.device is not None
VXLAN = WANTED.device
THERE = OverlayReading(state=WANTED, has_nft=True)
ROUTES = tuple(
    Route(net(f"10.200.{n}.0/24"), ip(f"10.200.{n}.0"), DEVICE, "200", flags=frozenset({"onlink"})) for n in (1, 2)
)


def read(routes: tuple[Route, ...] = ROUTES, overlay: OverlayReading = THERE, **given: object) -> HostFacts:
    return facts(HOST, routes, overlay=overlay, **given)


def planned(of: HostFacts, on: Cluster = CLUSTER) -> HostPlan:
    return compare.make(on, {HOST.name: of}).hosts[0]


def test_a_node_has_what_follows_from_addresses_alone() -> None:
    assert VXLAN.mac == mac_of(internal(0)) == "02:c8:c0:a8:80:0a"
    assert (VXLAN.local, VXLAN.mtu, VXLAN.learns) == (internal(0), 1450, False)
    assert WANTED.addresses == {IPv4Interface("10.200.0.0/32")}
    assert WANTED.neighbours == {(ip(f"10.200.{n}.0"), mac_of(internal(n))) for n in (1, 2)}
    assert WANTED.forwarding == {(mac_of(internal(n)), internal(n)) for n in (1, 2)}
    assert WANTED.accepts == frozenset({internal(1), internal(2)})
    small = InterfaceAddress("eth0", IPv4Interface("192.168.128.10/17"), mtu=1400)
    narrow = planned(facts(HOST, addresses=(small,))).of(OverlayChange)[0].after
    assert narrow.device is not None
    assert narrow.device.mtu == 1350


@pytest.mark.parametrize(
    ("has", "kind", "reason"),
    [
        (NOTHING, "add", "carries packets"),
        (WANTED, "keep", "right as it is"),
        (replace(WANTED, device=replace(VXLAN, mtu=1400)), "replace", "MTU is 1400 instead of 1450"),
        (replace(WANTED, device=replace(VXLAN, vni=1)), "replace", "another number, port or address"),
        (replace(WANTED, device=replace(VXLAN, is_up=False)), "replace", "is down"),
        (replace(WANTED, accepts=None), "replace", "no table"),
        (replace(WANTED, accepts=frozenset({ip("1.2.3.4")})), "replace", "accepts others than the peers"),
        (replace(WANTED, addresses=frozenset()), "replace", "other addresses"),
        (replace(WANTED, forwarding=frozenset()), "replace", "ways to the peers"),
        (replace(WANTED, neighbours=frozenset()), "replace", "MAC address"),
        (OverlayState(accepts=frozenset()), "replace", "no device"),
    ],
)
def test_what_is_there_is_compared_part_by_part(has: OverlayState, kind: str, reason: str) -> None:
    (row,) = planned(read((), OverlayReading(state=has, has_nft=True))).of(OverlayChange)
    assert row.kind == kind
    assert reason in row.reason
    assert bool(row.commands) is row.kind.is_change
    assert row.after == WANTED


def test_routes_lead_through_it_and_are_right_then() -> None:
    host = planned(read(()))
    assert [r.commands for r in host.routes] == [
        (f"ip route add 10.200.{n}.0/24 via 10.200.{n}.0 dev kthw-routes0 proto 200 onlink",) for n in (1, 2)
    ]
    assert planned(read()).is_empty
    past = planned(read((pod_route(1), ROUTES[1])))
    assert (past.routes[0].kind, past.routes[0].reason) == ("replace", "leads past the overlay: via 192.168.128.11")


def test_the_overlay_comes_before_its_routes_and_goes_after_them() -> None:
    kinds = [type(row).__name__ for row in planned(read((), OverlayReading(has_nft=True))).due]
    assert kinds == ["OverlayChange", "RouteChange", "RouteChange"]
    gone = planned(read(), cluster())
    assert [type(row).__name__ for row in gone.due] == ["RouteChange", "RouteChange", "OverlayChange"]
    assert {row.reason for row in gone.routes} == {
        f"leads through the overlay, which was not asked for: via 10.200.{n}.0" for n in (1, 2)
    }
    assert gone.commands[-2:] == ("ip link del kthw-routes0", "nft delete table inet kthw_routes")
    assert gone.undo_commands[0].startswith("nft -f - <<")


@pytest.mark.parametrize(
    ("asked", "is_there", "carries"),
    [(None, False, False), (None, True, True), (Overlay.NONE, True, False), (Overlay.VXLAN, False, True)],
)
def test_an_overlay_of_ours_is_kept_unless_it_is_said_otherwise(
    asked: Overlay | None, is_there: bool, carries: bool
) -> None:
    found = {HOST.name: read(overlay=THERE if is_there else OverlayReading())}
    assert carried(cluster(), found, asked).has_overlay is carries


def test_what_is_not_as_we_make_it_is_left_alone() -> None:
    (row,) = planned(read((), OverlayReading(problem="kthw-routes0 is a bridge", has_nft=True))).of(OverlayChange)
    assert (row.kind, row.commands, row.undo_commands) == (ChangeKind.FOREIGN, (), ())


def test_controllers_have_no_part_in_it() -> None:
    everywhere = Options(routes_on=RoutesOn.ALL)
    plan = compare.make(CLUSTER, {n.name: facts(n) for n in CLUSTER}, everywhere).hosts[-1]
    assert plan.node == "controller-0"
    assert not (*plan.routes, *plan.of(OverlayChange))


# --- findings ---------------------------------------------------------------------------------------------------


def codes(on: Cluster = CLUSTER, routes_on: RoutesOn = RoutesOn.WORKERS, **given: Any) -> list[str]:
    usual: dict[str, Any] = {"overlay": THERE, "cidr_files": PodCidrFiles(mtu=1450)}
    found = {w.name: facts(w, **(usual | given)) for w in on.workers}
    return [f.code for f in of_overlay(on, found, routes_on)]


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({}, []),
        ({"overlay": OverlayReading(has_nft=False)}, ["overlay-without-nft"]),
        ({"overlay": replace(THERE, problem="odd")}, ["overlay-not-ours"] * 3),
        ({"overlay": replace(THERE, others=("flannel.1",))}, ["overlay-port-taken"] * 3),
        ({"cidr_files": PodCidrFiles()}, ["overlay-mtu"]),
        ({"cidr_files": PodCidrFiles(mtu=1451)}, ["overlay-mtu"]),
        ({"routes_on": RoutesOn.ALL}, ["overlay-on-controllers"]),
        ({"on": cluster()}, None),
    ],
)
def test_what_the_overlay_needs_is_said_before_it_is_made(given: Mapping[str, Any], more: list[str] | None) -> None:
    found = codes(**given)
    assert sorted(found) == sorted(["overlay-not-encrypted", *more] if more is not None else [])


# --- what the programs print ------------------------------------------------------------------------------------

PRINTED: dict[str, Any] = {
    "ifname": "kthw-routes0",
    "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
    "mtu": 1450,
    "address": VXLAN.mac,
    "linkinfo": {
        "info_kind": "vxlan",
        "info_data": {"id": 200, "local": "192.168.128.10", "port": 4789, "learning": False, "ageing": 300},
    },
}


def printed(**data: object) -> str:
    info = {"info_kind": "vxlan", "info_data": PRINTED["linkinfo"]["info_data"] | data}
    return json.dumps([PRINTED | {"linkinfo": info}])


def test_the_devices_are_read_with_what_is_strange_about_ours() -> None:
    other = {"ifname": "flannel.1", "linkinfo": {"info_data": {"id": 1, "port": 4789}}}
    elsewhere = {"ifname": "vxlan0", "linkinfo": {"info_data": {"id": 1, "port": 8472}}}
    assert words.parse_devices(json.dumps([PRINTED, other, elsewhere])) == (VXLAN, None, ("flannel.1",))
    odd = [{**other, "ifname": name} for name in ("vx\x1b[2Jü", None)]
    assert words.parse_devices(json.dumps(odd)) == (None, None, ("vxü", "None"))
    assert words.parse_devices(words.print_device(VXLAN)) == (VXLAN, None, ())
    assert words.parse_devices("[]") == words.parse_devices("") == (None, None, ())


@pytest.mark.parametrize(
    "answers",
    [
        {"ip -json -d link": said("[" * 100_000)},
        {"ip -json -d link": said("no JSON")},
        {"ip -json -d link": replace(said("[]"), is_cut=True)},
        {"nft list table": replace(said("table inet kthw_routes {\n"), is_cut=True)},
    ],
    ids=["deep", "no JSON", "devices cut", "table cut"],
)
def test_what_could_not_be_read_is_not_taken_for_absent(answers: dict[str, Result]) -> None:
    found = read_overlay(HostTask(Answering(answers), Phase.CHECKS, lambda _: None), ())
    assert found.is_unread
    for on in (CLUSTER, cluster()):
        (row,) = planned(read((), found), on).of(OverlayChange)
        assert (row.kind, row.commands) == (ChangeKind.FOREIGN, ())
    assert "overlay-not-read" in codes(overlay=found)
    without = read((), OverlayReading(has_nft=True))
    record = host_of(parse(json.dumps(host_record(planned(without), without)).encode()))
    (row,) = undo_plan.planner(Journal((record,)), cluster())(HOST, read((), found)).of(OverlayChange)
    assert "could not be read" in row.reason


@pytest.mark.parametrize(
    "data",
    [{"remote": "1.2.3.4"}, {"group": "239.1.1.1"}, {"id": "x"}, {"port": True}, {"local": "x"}, {"learning": 1}],
)
def test_a_device_of_our_name_that_is_made_otherwise_is_none_of_ours(data: Mapping[str, object]) -> None:
    device, problem, _ = words.parse_devices(printed(**data))
    assert device is None
    assert problem is not None


def test_neighbours_and_entries_are_read_line_by_line() -> None:
    mac = VXLAN.mac
    assert words.parse_neighbours(
        f"10.200.1.0 lladdr {mac} PERMANENT \n10.200.2.0 FAILED\nx lladdr {mac} PERMANENT\n"
    ) == {(ip("10.200.1.0"), mac)}
    assert words.parse_forwarding(f"{mac} dst 192.168.128.11 self permanent\n33:33:00:00:00:01 self permanent\n") == {
        (mac, ip("192.168.128.11"))
    }


def test_the_table_is_read_as_nft_lists_it_and_nothing_else_counts_as_ours() -> None:
    peers = frozenset({internal(1), internal(2)})
    listed = table.render(peers).split("\n", 2)[2]
    assert table.parse(listed) == table.parse(listed.replace("-10", "filter - 10")) == (peers, None)
    assert table.parse(table.render(frozenset()).split("\n", 2)[2]) == (frozenset(), None)
    assert table.parse("") == (None, None)
    one = listed.replace("{ 192.168.128.11, 192.168.128.12 }", "192.168.128.11")
    assert table.parse(one) == (frozenset({internal(1)}), None)
    for odd in (listed.replace("drop", "accept"), listed.replace("policy accept", "policy drop"), listed + "x", "x"):
        accepts, problem = table.parse(odd)
        assert accepts is None
        assert problem is not None


# --- record and undo --------------------------------------------------------------------------------------------


def test_the_record_holds_what_an_undo_needs() -> None:
    todo, before = planned(read((), OverlayReading(has_nft=True))), read((), OverlayReading(has_nft=True))
    record = host_of(parse(json.dumps(host_record(todo, before)).encode()))
    assert record.overlay == OverlayRecord(NOTHING, WANTED)
    assert DEVICE in record.rows


@pytest.mark.parametrize("change", [{"mac": "x"}, {"vni": -1}, {"port": 70000}, {"local": "x"}, {"up": 1}])
def test_a_record_that_is_none_is_refused(change: Mapping[str, object]) -> None:
    document = json.loads(json.dumps(overlay_json(WANTED)))
    assert overlay_from_json(Value(document)) == WANTED
    document["device"] |= change
    with pytest.raises(Unfit):
        overlay_from_json(Value(document))


HALF = replace(WANTED, forwarding=frozenset(), neighbours=frozenset())
BEGUN = replace(HALF, device=replace(VXLAN, is_up=False), addresses=frozenset())
"""The run broke off between `ip link add` and `ip link set up`, or the latter was refused."""
OLDER = replace(WANTED, device=replace(VXLAN, mtu=1400), accepts=None)


@pytest.mark.parametrize(
    ("before", "now", "kind", "words"),
    [
        (NOTHING, WANTED, "remove", "added by the run"),
        (NOTHING, HALF, "remove", "added by the run"),
        (NOTHING, BEGUN, "remove", "added by the run"),
        (NOTHING, NOTHING, "keep", "as before"),
        (OLDER, WANTED, "replace", "as before the run"),
        (OLDER, NOTHING, "foreign", "gone since"),
        (NOTHING, replace(WANTED, accepts=frozenset({ip("1.2.3.4")})), "foreign", "changed since"),
        (
            replace(OLDER, addresses=frozenset({IPv4Interface("8.8.8.8/32")})),
            WANTED,
            "foreign",
            "outside of the cluster",
        ),
        (replace(OLDER, forwarding=frozenset({(VXLAN.mac, ip("8.8.8.8"))})), WANTED, "foreign", "not an address that"),
    ],
)
def test_an_undo_goes_back_while_nobody_else_changed_it(
    before: OverlayState, now: OverlayState, kind: str, words: str
) -> None:
    record = HostRecord(HOST.name, overlay=OverlayRecord(before, WANTED))
    undo = undo_plan.planner(Journal((record,)), cluster())(HOST, read((), OverlayReading(state=now)))
    (row,) = undo.of(OverlayChange)
    assert row.kind == kind
    assert words in row.reason
    assert row.after == (before if row.kind.is_change else now)


def test_what_a_run_removed_comes_back_before_its_routes() -> None:
    removed = planned(read(), cluster())
    record = host_of(parse(json.dumps(host_record(removed, read())).encode()))
    undo = undo_plan.planner(Journal((record,)), cluster())(HOST, read((pod_route(1), pod_route(2)), OverlayReading()))
    assert [(type(row).__name__, str(row.kind)) for row in undo.due] == [
        ("OverlayChange", "add"),
        ("RouteChange", "replace"),
        ("RouteChange", "replace"),
    ]


def test_a_later_run_about_it_is_undone_first() -> None:
    record = HostRecord(HOST.name, overlay=OverlayRecord(NOTHING, WANTED))
    undo = undo_plan.planner(Journal((record,)), cluster(), {(HOST.name, DEVICE): "X"})(HOST, read(()))
    (row,) = undo.of(OverlayChange)
    assert (row.kind, "by run X" in row.reason) == (ChangeKind.FOREIGN, True)


def test_a_retry_goes_on_from_a_part_of_it_and_from_nothing_else() -> None:
    def row(has: OverlayState) -> OverlayChange:
        (found,) = planned(read((), OverlayReading(state=has, has_nft=True))).of(OverlayChange)
        return found

    reviewed = {DEVICE: row(NOTHING)}
    assert row(HALF).may_follow(reviewed)
    assert row(BEGUN).may_follow(reviewed)
    assert row(WANTED).may_follow(reviewed)
    assert not row(replace(HALF, device=replace(VXLAN, vni=7))).may_follow(reviewed)
    assert not row(HALF).may_follow({})
