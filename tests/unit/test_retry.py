"""A retry goes on from what its first try may have left, and from nothing else: nobody reviewed that."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import PurePosixPath

import pytest

from kthw_routes.facts import HostFacts, HostFile, InterfaceAddress, Route
from kthw_routes.hosts.apply import ChangedSinceReview, check_as_reviewed
from kthw_routes.options import Options
from kthw_routes.persistence.model import Manager
from kthw_routes.persistence.paths import NEW_ETC_HOSTS, new_file_for
from kthw_routes.persistence.unit import BATCH, TIMER
from kthw_routes.plan import compare as planning
from kthw_routes.plan import etc_hosts
from kthw_routes.plan.changes import (
    Change,
    ChangeKind,
    FileChange,
    ForwardingChange,
    HostPlan,
    Leftover,
    Planner,
    RollbackChange,
)
from kthw_routes.record.journal import HostRecord, HostsFileRecord, Journal, RouteRecord
from kthw_routes.undo import plan as undo_plan
from tests.unit.builders import cluster, controller, facts, internal, ip, net, pod_route, worker
from tests.unit.setups import BARE
from tests.unit.test_plan_files import with_files

HOST = worker(0)
PREFIX = net("10.200.1.0/24")
OURS, OTHER = pod_route(1), pod_route(2)
SENT = Route(PREFIX, internal(1), protocol="200")
WRONG = pod_route(1, via=2, protocol="boot")
SECOND = pod_route(1, via=3, metric=100, protocol="boot")
THIRD = pod_route(1, via=5, metric=50, protocol="boot")
STRANGER = Route(PREFIX, ip("192.168.1.99"), device="eth0", protocol="static")
BY_HAND = pod_route(1, protocol="static")
KERNEL = Route(PREFIX, device="eth1", protocol="kernel", scope="link", source=ip("10.200.1.9"))
GONE = pod_route(7)


def is_accepted(plan: Planner, reviewed: HostFacts, now: HostFacts) -> bool:
    return accepts(plan(HOST, reviewed).rows, plan(HOST, now).rows)


def accepts(reviewed: Iterable[Change], now: Iterable[Change]) -> bool:
    before, after = HostPlan(HOST.name, tuple(reviewed)), HostPlan(HOST.name, tuple(now))
    try:
        check_as_reviewed(HOST.name, before, after, again=True)
    except ChangedSinceReview:
        return False
    return True


# --- routes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reviewed", "now", "accepted"),
    [
        ([], [], True),
        ([], [OURS], True),
        ([], [STRANGER], False),
        ([], [BY_HAND], False),
        ([], [KERNEL], False),
        ([], [OURS, SECOND], False),
        ([WRONG], [WRONG], True),
        ([WRONG], [OURS], True),
        ([WRONG], [], True),
        ([WRONG], [STRANGER], False),
        ([WRONG], [WRONG, SECOND], False),
        ([WRONG, SECOND], [OURS, SECOND], True),
        ([WRONG, SECOND], [OURS], True),
        ([WRONG, SECOND], [WRONG], True),
        ([WRONG, SECOND], [WRONG, STRANGER], False),
        ([OURS, SECOND], [OURS], True),
        ([OURS, SECOND], [SECOND], False),
        ([OURS, SECOND], [], False),
        ([OURS], [], False),
        ([OURS], [WRONG], False),
    ],
)
def test_a_wanted_route(reviewed: list[Route], now: list[Route], accepted: bool) -> None:
    plan = planning.planner(cluster(), Options())
    assert is_accepted(plan, facts(HOST, [OTHER, *reviewed]), facts(HOST, [OTHER, *now])) is accepted


@pytest.mark.parametrize(
    ("reviewed", "now", "accepted"),
    [
        ([GONE], [], True),
        ([GONE], [replace(GONE, protocol="static")], False),
        ([], [GONE], False),
        ([GONE, replace(GONE, metric=9)], [replace(GONE, metric=9)], True),
        ([GONE, replace(GONE, protocol="static", metric=9)], [], False),
    ],
)
def test_a_route_that_goes(reviewed: list[Route], now: list[Route], accepted: bool) -> None:
    plan = planning.planner(cluster(), Options(prune=True))
    kept = [OURS, OTHER]
    assert is_accepted(plan, facts(HOST, [*kept, *reviewed]), facts(HOST, [*kept, *now])) is accepted


def test_a_route_that_is_in_a_file_still() -> None:
    """It is gone from the table, and the file is due: the row is a stale one until the file is written."""
    plan = planning.planner(cluster(), Options(prune=True))
    content = f"route replace {GONE.prefix} via {GONE.gateway} dev eth0 proto 200\n".encode()
    holding = replace(with_files(Manager.UNIT, BARE, ()), files=(HostFile(BATCH, 0o644, content),))
    both, none = facts(HOST, [OURS, OTHER, GONE], network=holding), facts(HOST, [OURS, OTHER], network=holding)
    assert [r.kind for r in plan(HOST, none).routes if r.prefix == GONE.prefix] == [ChangeKind.STALE]
    assert is_accepted(plan, both, none)
    assert accepts(plan(HOST, none).routes, plan(HOST, facts(HOST, [OURS, OTHER])).routes)


def test_a_route_that_was_right_and_is_not_any_more_because_of_an_address() -> None:
    plan = planning.planner(cluster(), Options())
    was = facts(HOST, [OURS, OTHER])
    moved = InterfaceAddress("eth9", IPv4Interface("192.168.128.8/28"))
    to_it = Route(net("192.168.128.0/28"), device="eth9", protocol="kernel", scope="link", source=moved.address.ip)
    now = replace(was, addresses=(*was.addresses, moved), routes=(*was.routes, to_it))
    assert not is_accepted(plan, was, now)


def test_an_own_pod_cidr_that_is_repaired() -> None:
    bridge = InterfaceAddress("cnio0", IPv4Interface("10.200.0.1/24"))
    own = Route(net("10.200.0.0/24"), device="cnio0", protocol="kernel", scope="link", source=ip("10.200.0.1"))
    away = replace(SENT, prefix=own.prefix, protocol="boot")
    plan = planning.planner(cluster(), Options(repair=True))

    def having(*routes: Route) -> HostFacts:
        return facts(HOST, [OURS, OTHER, *routes], bridges=(bridge,))

    assert is_accepted(plan, having(away), having(own))
    assert is_accepted(plan, having(own, replace(away, metric=9)), having(own))
    assert not is_accepted(plan, having(away), having(replace(away, gateway=internal(2))))


def undoing(before: Sequence[Route], after: Sequence[Route]) -> Planner:
    return undo_plan.planner(
        Journal((HostRecord(HOST.name, (RouteRecord(PREFIX, (*before,), (*after,)),)),)), cluster()
    )


@pytest.mark.parametrize(
    ("before", "after", "reviewed", "now", "accepted"),
    [
        ([], [SENT], [OURS], [], True),
        ([], [SENT], [OURS], [STRANGER], False),
        ([], [SENT], [OURS], [KERNEL], False),
        ([WRONG], [SENT], [OURS], [WRONG], True),
        ([WRONG], [SENT], [OURS], [STRANGER], False),
        ([WRONG], [SENT], [OURS], [], False),
        ([WRONG, SECOND], [SENT], [OURS], [OURS, SECOND], True),
        ([WRONG, SECOND], [SENT], [OURS], [WRONG, SECOND], True),
        ([SECOND], [SENT], [OURS], [SECOND], True),
        ([SECOND], [SENT], [OURS], [SECOND, THIRD], False),
    ],
)
def test_a_route_that_goes_back(
    before: list[Route], after: list[Route], reviewed: list[Route], now: list[Route], accepted: bool
) -> None:
    assert is_accepted(undoing(before, after), facts(HOST, reviewed), facts(HOST, now)) is accepted


# --- names ------------------------------------------------------------------------------------------------------

WANTED = {f"worker-{n}": internal(n) for n in range(3)}
BEFORE = b"127.0.0.1 localhost\n192.168.177.9 worker-1\n"
AFTER = etc_hosts.edit(BEFORE, WANTED).after
OTHERS = AFTER.replace(str(internal(1)).encode(), b"192.168.177.8")


@pytest.mark.parametrize(
    ("reviewed", "now", "accepted"),
    [
        (BEFORE, BEFORE, True),
        (BEFORE, AFTER, True),
        (BEFORE, BEFORE + b"10.0.0.7 printer\n", True),
        (BEFORE, BEFORE.replace(b"177.9", b"177.8"), False),
        (BEFORE, b"127.0.0.1 localhost\n", False),
        (BEFORE, OTHERS, False),
        (AFTER.replace(b"worker-0\n", b"worker-9\n"), AFTER, True),
        (AFTER, BEFORE, False),
    ],
)
def test_a_wanted_name(reviewed: bytes, now: bytes, accepted: bool) -> None:
    node, plan = controller(0), planning.planner(cluster(), Options(prune=True))
    rows = [plan(node, facts(node, etc_hosts=content)).names for content in (reviewed, now)]
    assert accepts(*rows) is accepted


@pytest.mark.parametrize(
    ("before", "now", "accepted"),
    [
        (BEFORE, BEFORE, True),
        (BEFORE, AFTER, True),
        (BEFORE, OTHERS, False),
        (b"# none\n", b"# none\n", True),
        (b"# none\n", b"192.168.177.8 worker-1\n", False),
    ],
)
def test_a_name_that_goes_back(before: bytes, now: bytes, accepted: bool) -> None:
    after = etc_hosts.edit(before, WANTED).after
    record = HostRecord(HOST.name, hosts_file=HostsFileRecord(before, after, tuple(WANTED)))
    plan = undo_plan.planner(Journal((record,)), cluster())
    assert is_accepted(plan, facts(HOST, etc_hosts=after), facts(HOST, etc_hosts=now)) is accepted


def test_a_block_that_goes_back() -> None:
    after = etc_hosts.edit(b"", WANTED).after
    record = HostRecord(HOST.name, hosts_file=HostsFileRecord(b"", after, ()))
    plan = undo_plan.planner(Journal((record,)), cluster())
    assert is_accepted(plan, facts(HOST, etc_hosts=after), facts(HOST, etc_hosts=b""))


# --- files ------------------------------------------------------------------------------------------------------

PATH = PurePosixPath("/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf")


def file(kind: ChangeKind, before: bytes | None, after: bytes | None, mode: int = 0o644) -> FileChange:
    return FileChange(
        kind=kind,
        path=PATH,
        before=before,
        after=after,
        mode=0o640,
        reason="",
        before_mode=None if before is None else mode,
    )


@pytest.mark.parametrize("reviewed", [file(ChangeKind.ADD, None, b"new"), file(ChangeKind.REPLACE, b"old", b"new")])
@pytest.mark.parametrize(
    ("now", "accepted"),
    [
        (file(ChangeKind.KEEP, b"new", b"new", 0o640), True),
        (file(ChangeKind.REPLACE, b"new", b"new", 0o600), False),
        (file(ChangeKind.REPLACE, b"stranger's", b"new"), False),
        (file(ChangeKind.FOREIGN, b"stranger's", b"stranger's"), False),
        (file(ChangeKind.FOREIGN, b"new", b"new", 0o640), False),
        (None, False),
    ],
)
def test_a_file_that_is_written(reviewed: FileChange, now: FileChange | None, accepted: bool) -> None:
    assert accepts([reviewed], [now] if now else []) is accepted


@pytest.mark.parametrize(
    ("now", "accepted"),
    [
        (file(ChangeKind.REMOVE, b"old", None), True),
        (file(ChangeKind.KEEP, None, None), True),
        (file(ChangeKind.REMOVE, b"stranger's", None), False),
        (None, True),
    ],
)
def test_a_file_that_goes(now: FileChange | None, accepted: bool) -> None:
    assert accepts([file(ChangeKind.REMOVE, b"old", None)], [now] if now else []) is accepted


def test_a_file_that_was_to_stay() -> None:
    stays = file(ChangeKind.KEEP, b"old", b"old")
    assert not accepts([stays], [file(ChangeKind.REPLACE, b"stranger's", b"old")])
    assert not accepts([stays], [file(ChangeKind.REPLACE, b"old", b"new")])
    assert not accepts([stays], [file(ChangeKind.KEEP, None, None)])
    assert not accepts([], [file(ChangeKind.ADD, None, b"new")])


def test_our_own_timer_that_the_first_try_stopped() -> None:
    stays = replace(file(ChangeKind.KEEP, b"[Timer]", b"[Timer]", 0o640), path=TIMER)
    assert accepts([stays], [replace(stays, kind=ChangeKind.REPLACE, reason="is not running")])
    assert not accepts([stays], [replace(stays, kind=ChangeKind.REPLACE, before=b"stranger's")])


# --- the rest ---------------------------------------------------------------------------------------------------


def test_forwarding_and_rollbacks_are_as_they_were_or_done() -> None:
    for row, other in ((ForwardingChange(True), ForwardingChange(False)), (RollbackChange("a"), RollbackChange("b"))):
        assert accepts([row], [row])
        assert accepts([row], [])
        assert not accepts([], [row])
        assert not accepts([row], [other])


def test_what_a_try_that_broke_off_left_is_ours() -> None:
    written = file(ChangeKind.REPLACE, b"new", b"old")
    for left in (Leftover(NEW_ETC_HOSTS), Leftover(new_file_for(PATH)), Leftover(PATH.parent, is_folder=True)):
        assert accepts([written], [written, left])
        assert accepts([written, left], [written])
    assert not accepts([written], [written, Leftover(PurePosixPath("/etc/.strange.new"))])
    assert not accepts([written], [written, Leftover(PurePosixPath("/srv/data"), is_folder=True)])
