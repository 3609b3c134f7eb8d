"""Taking a run back, row by row: what is there now decides; what somebody changed since is left alone."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from kthw_routes.events import HostState
from kthw_routes.facts import HostFacts, HostFile, InterfaceAddress, NetworkSetup, Pod, Route
from kthw_routes.hosts.apply import nothing_to_do, unmet_rows
from kthw_routes.persistence import networkd, unit
from kthw_routes.persistence.unit import BATCH, TIMER
from kthw_routes.plan import etc_hosts
from kthw_routes.plan.changes import FORWARDING, ChangeKind, FileChange, ForwardingChange, HostPlan, Leftover
from kthw_routes.record.journal import HostRecord, HostsFileRecord, Journal, RouteRecord, host_of, host_record
from kthw_routes.record.json_values import parse
from kthw_routes.undo import plan as undo_plan
from kthw_routes.undo.reasons import AS_BEFORE
from tests.unit.builders import cluster, facts, file_change, internal, ip, net, pod_route, worker
from tests.unit.setups import LINODE, held

HOST = worker(0)
UNREAD = "could not be read; left as it is"
PREFIX = net("10.200.1.0/24")
SENT = Route(PREFIX, internal(1), protocol="200")
OURS = pod_route(1)
WRONG = pod_route(1, via=2, protocol="boot")
SPARE = pod_route(1, metric=50, protocol="boot")
WRONG50 = pod_route(1, via=2, metric=50, protocol="boot")
THIRD50 = pod_route(1, via=3, metric=50, protocol="boot")
SECOND = pod_route(1, via=3, metric=100, protocol="boot")
ELSEWHERE = pod_route(1, via=4, protocol="static")
BRIDGE = Route(PREFIX, device="cnio0", protocol="kernel", scope="link", source=ip("10.200.1.1"))


def record(before: Iterable[Route], after: Iterable[Route]) -> HostRecord:
    return HostRecord(HOST.name, (RouteRecord(PREFIX, tuple(before), tuple(after)),))


def taken_back(*records: HostRecord, now: HostFacts, failed: Iterable[str] = ()) -> HostPlan:
    journal = Journal(records, failed={HOST.name: frozenset(failed)})
    return undo_plan.planner(journal, cluster())(HOST, now)


@pytest.mark.parametrize(
    ("before", "after", "now", "kind", "commands"),
    [
        ([], [SENT], [OURS], "remove", ["del"]),
        ([], [SENT], [], "keep", []),
        ([], [SENT], [ELSEWHERE], "foreign", []),
        ([], [SENT], [OURS, SPARE], "foreign", []),
        ([WRONG], [SENT], [OURS], "replace", ["replace"]),
        ([WRONG], [SENT], [WRONG], "keep", []),
        ([WRONG], [SENT], [], "foreign", []),
        ([WRONG, SECOND], [SENT], [OURS], "replace", ["add", "replace"]),
        ([WRONG, SECOND], [SENT], [OURS, SECOND], "replace", ["replace"]),
        ([SPARE, WRONG50, THIRD50], [SPARE], [SPARE, THIRD50], "add", ["append", "del", "append"]),
        ([SECOND], [SENT], [OURS], "replace", ["add", "del"]),
        ([OURS, SPARE], [OURS], [OURS], "add", ["add"]),
        ([OURS, SPARE], [OURS], [], "foreign", []),
        ([OURS, SPARE], [OURS], [OURS, SPARE], "keep", []),
        ([OURS], [], [], "add", ["add"]),
        ([OURS, SPARE], [], [SPARE], "add", ["add"]),
        ([WRONG], [BRIDGE], [BRIDGE], "replace", ["replace"]),
        ([SECOND], [BRIDGE], [BRIDGE], "add", ["add"]),
        ([WRONG], [], [BRIDGE], "foreign", []),
    ],
)
def test_what_becomes_of_a_prefix(
    before: list[Route], after: list[Route], now: list[Route], kind: str, commands: list[str]
) -> None:
    (row,) = taken_back(record(before, after), now=facts(HOST, now)).routes
    assert (row.kind, [str(c.verb) for c in row.edit.commands]) == (kind, commands)
    assert row.worker == "worker-1"
    if commands:
        assert len(row.undo_commands) >= 1


def test_a_host_that_refused_the_new_route_gets_the_old_one_back() -> None:
    """The batch goes on after a line that the kernel refuses: the old route is gone, the new one never came."""
    gone = facts(HOST)
    (row,) = taken_back(record([SECOND], [SENT]), now=gone).routes
    assert row.kind is ChangeKind.FOREIGN
    (row,) = taken_back(record([SECOND], [SENT]), now=gone, failed=[str(PREFIX)]).routes
    assert row.kind is ChangeKind.ADD


def test_a_route_of_ours_that_came_back_without_its_mark_is_known_by_its_file() -> None:
    static = replace(OURS, protocol="static")
    line = f"route replace {PREFIX} via {internal(1)} proto 200\n"
    holding = NetworkSetup(files=(HostFile(BATCH, 0o644, line.encode()),))
    (row,) = taken_back(record([], [SENT]), now=facts(HOST, [static], network=holding)).routes
    assert [str(c) for c in row.commands] == [
        f"ip route del 10.200.1.0/24 via {internal(1)} dev eth0 proto static",
    ]
    (row,) = taken_back(record([], [SENT]), now=facts(HOST, [static])).routes
    assert row.kind is ChangeKind.FOREIGN


def test_what_somebody_put_there_between_two_tries_comes_back_too() -> None:
    tries = record([], [SENT]), record([OURS, SPARE], [OURS])
    (row,) = taken_back(*tries, now=facts(HOST, [OURS])).routes
    assert row.kind is ChangeKind.REPLACE
    assert [(str(c.verb), c.route) for c in row.edit.commands] == [("add", SPARE), ("del", OURS)]


# --- /etc/hosts -------------------------------------------------------------------------------------------------

BEFORE = b"127.0.0.1 localhost\n192.168.177.9 worker-1\n"
AFTER = etc_hosts.edit(BEFORE, {"worker-1": ip("192.168.128.11"), "worker-2": ip("192.168.128.12")}).after


def names(now: bytes | None) -> HostPlan:
    entry = HostRecord(HOST.name, hosts_file=HostsFileRecord(BEFORE, AFTER, ("worker-1", "worker-2")))
    return taken_back(entry, now=facts(HOST, etc_hosts=now))


def test_names_go_back_as_they_were() -> None:
    plan = names(AFTER)
    assert plan.hosts_file is not None
    assert plan.hosts_file.after == BEFORE
    assert {n.name: str(n.kind) for n in plan.names} == {"worker-1": "replace", "worker-2": "remove"}
    assert names(BEFORE).is_empty


def test_a_line_that_somebody_added_since_stays() -> None:
    plan = names(AFTER + b"10.0.0.7 printer")
    assert plan.hosts_file is not None
    assert plan.hosts_file.after == BEFORE + b"10.0.0.7 printer"
    assert names(plan.hosts_file.after).is_empty


def test_a_block_that_somebody_edited_since_is_left_alone_and_told() -> None:
    now = AFTER.replace(b"192.168.128.11", b"192.168.128.99")
    plan = names(now)
    assert plan.is_empty
    assert {(n.kind, n.reason) for n in plan.names} == {(ChangeKind.FOREIGN, "changed since; left as it is")}
    assert str(names(None).hosts_file_problem).startswith("there is no /etc/hosts")


# --- files, forwarding ------------------------------------------------------------------------------------------

((PATH, _, OLD),) = ((f.path, f.mode, f.content) for f in networkd.render([held(1)], LINODE))
OURS_TIMER = unit.fixed()[1].content


def with_file(content: bytes | None, mode: int = 0o644, **given: object) -> HostFacts:
    files = () if content is None else (HostFile(PATH, mode, content),)
    return facts(HOST, network=NetworkSetup(files=files, folders=frozenset({PATH.parent}), **given))  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("before", "after", "now", "kind", "back"),
    [
        (None, b"new", b"new", "remove", None),
        (None, b"new", None, "keep", None),
        (None, b"new", b"other", "foreign", b"other"),
        (OLD, b"new", b"new", "replace", OLD),
        (OLD, b"new", OLD, "keep", OLD),
        (OLD, b"new", None, "foreign", None),
        (OLD, None, None, "add", OLD),
    ],
)
def test_what_becomes_of_a_file(
    before: bytes | None, after: bytes | None, now: bytes | None, kind: str, back: bytes | None
) -> None:
    change = file_change(
        kind=ChangeKind.ADD, path=PATH, before=before, after=after, before_mode=0o600 if before is not None else None
    )
    stands = with_file(now, 0o600 if now == OLD else 0o644)
    (row,) = taken_back(HostRecord(HOST.name, files=(change,)), now=stands).files
    assert (row.kind, row.after) == (kind, back)
    assert row.mode == (0o600 if before is not None else 0o644)


@pytest.mark.parametrize(
    ("content", "mode", "kind", "reason"),
    [
        (OLD, 0o644, "replace", "as before the run"),
        (OLD, 0o640, "keep", AS_BEFORE),
        (OLD, 0o600, "foreign", "changed since: its mode is 0600; left as it is"),
        (b"new", 0o600, "foreign", "changed since; left as it is"),
    ],
)
def test_a_mode_goes_back_too(content: bytes, mode: int, kind: str, reason: str) -> None:
    change = file_change(
        kind=ChangeKind.REPLACE, path=PATH, before=OLD, after=OLD, reason="its mode is 0640", before_mode=0o640
    )
    (row,) = taken_back(HostRecord(HOST.name, files=(change,)), now=with_file(content, mode)).files
    assert (row.kind, row.reason) == (kind, reason)
    if row.kind.is_change:
        assert (row.after, row.mode, row.before_mode) == (OLD, 0o640, 0o644)


def timer(enabled: bool, *, stands: bool = True) -> HostFacts:
    files = (HostFile(TIMER, 0o644, OURS_TIMER),) if stands else ()
    return facts(HOST, network=NetworkSetup(files=files, timer_is_enabled=enabled))


def recorded(change: FileChange, at: HostFacts) -> HostRecord:
    """What a journal tells of it."""
    return host_of(parse(json.dumps(host_record(HostPlan(HOST.name, (change,)), at)).encode()))


def test_a_timer_that_the_run_enabled_is_disabled_again_and_so_on() -> None:
    enabling = file_change(
        kind=ChangeKind.REPLACE,
        path=TIMER,
        before=OURS_TIMER,
        after=OURS_TIMER,
        reason="is not enabled",
        before_mode=0o644,
    )
    run = recorded(enabling, timer(enabled=False))
    (row,) = taken_back(run, now=timer(enabled=True)).files
    assert (row.kind, row.after, row.is_enabled) == (ChangeKind.REPLACE, OURS_TIMER, False)
    assert taken_back(run, now=timer(enabled=False)).is_empty
    undo = recorded(row, timer(enabled=True))
    (again,) = taken_back(undo, now=timer(enabled=False)).files
    assert (again.kind, again.is_enabled) == (ChangeKind.REPLACE, True)
    assert taken_back(undo, now=timer(enabled=True)).is_empty


def test_a_timer_that_somebody_disabled_since_stays_so() -> None:
    run = recorded(
        file_change(
            kind=ChangeKind.REPLACE, path=TIMER, before=b"old", after=OURS_TIMER, reason="another", before_mode=0o644
        ),
        timer(enabled=True),
    )
    was = facts(HOST, network=NetworkSetup(files=(HostFile(TIMER, 0o644, b"old"),), timer_is_enabled=False))
    (row,) = taken_back(run, now=was).files
    assert (row.kind, row.is_enabled) == (ChangeKind.KEEP, False)


def test_a_run_that_was_killed_when_it_had_only_disabled_the_timer_is_taken_back() -> None:
    run = recorded(
        file_change(kind=ChangeKind.REMOVE, path=TIMER, before=OURS_TIMER, before_mode=0o644),
        timer(enabled=True),
    )
    (row,) = taken_back(run, now=timer(enabled=False)).files
    assert (row.kind, row.after, row.is_enabled) == (ChangeKind.REPLACE, OURS_TIMER, True)
    (row,) = taken_back(run, now=timer(enabled=False, stands=False)).files
    assert (row.kind, row.is_enabled) == (ChangeKind.ADD, True)


# --- what a later run was about ---------------------------------------------------------------------------------


def taken_back_under(later: str, entry: HostRecord, now: HostFacts) -> HostPlan:
    return undo_plan.planner(Journal((entry,)), cluster(), {(HOST.name, later): "R"})(HOST, now)


def test_what_a_later_run_was_about_is_its_own_though_it_looks_the_same() -> None:
    (row,) = taken_back_under(str(PREFIX), record([], [SENT]), facts(HOST, [OURS])).routes
    assert (row.kind, row.reason) == (ChangeKind.FOREIGN, "changed since by run R; undo that first")
    assert taken_back_under(str(PREFIX), record([], [SENT]), facts(HOST)).routes[0].kind is ChangeKind.KEEP

    written = file_change(kind=ChangeKind.ADD, path=PATH, after=b"new")
    (file,) = taken_back_under(str(PATH), HostRecord(HOST.name, files=(written,)), with_file(b"new")).files
    assert (file.kind, file.reason) == (ChangeKind.FOREIGN, "changed since by run R; undo that first")


def test_a_block_of_which_a_later_run_changed_a_name_stays_whole() -> None:
    entry = HostRecord(HOST.name, hosts_file=HostsFileRecord(BEFORE, AFTER, ("worker-1", "worker-2")))
    plan = taken_back_under("worker-2", entry, facts(HOST, etc_hosts=AFTER))
    assert plan.is_empty
    assert {n.reason for n in plan.names} == {"changed since by run R; undo that first"}
    assert taken_back_under("worker-2", entry, facts(HOST, etc_hosts=BEFORE)).is_empty
    assert not taken_back_under("elsewhere", entry, facts(HOST, etc_hosts=AFTER)).is_empty


def test_forwarding_that_a_later_run_turned_on_stays() -> None:
    entry, on = HostRecord(HOST.name, forwarding=False), facts(HOST, ip_forward=True)
    assert taken_back_under(FORWARDING, entry, on).is_empty
    (remark,) = undo_plan.remarks(Journal((entry,)), {HOST.name: on}, {(HOST.name, FORWARDING): "R"})
    assert "because run R turned it on since; undo that first" in remark.sentence


# --- routes that a file brings back -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "enabled", "kind"),
    [
        (f"# edited\nroute replace {PREFIX} via {internal(1)} proto 200\n", True, "foreign"),
        (f"# edited\nroute replace {PREFIX} via {internal(1)} proto 200\n", False, "foreign"),
        (f"# edited\nroute replace 10.200.7.0/24 via {internal(1)} proto 200\n", True, "remove"),
        ("new", True, "remove"),
    ],
)
def test_a_route_that_a_file_of_ours_holds_which_stays_is_left_alone(content: str, enabled: bool, kind: str) -> None:
    written = file_change(kind=ChangeKind.ADD, path=BATCH, after=b"new")
    entry = replace(record([], [SENT]), files=(written,))
    setup = NetworkSetup(files=(HostFile(BATCH, 0o644, content.encode()),), timer_is_enabled=enabled)
    (row,) = taken_back(entry, now=facts(HOST, [OURS], network=setup)).routes
    assert row.kind == kind
    if row.kind is ChangeKind.FOREIGN:
        assert row.reason == "kthw-routes/routes.batch holds it and stays; left as it is"


@pytest.mark.parametrize(("enabled", "kind"), [(True, "foreign"), (False, "remove")])
def test_the_batch_of_an_earlier_run_keeps_its_routes_while_its_timer_runs(enabled: bool, kind: str) -> None:
    line = f"route replace {PREFIX} via {internal(1)} proto 200\n"
    setup = NetworkSetup(files=(HostFile(BATCH, 0o644, line.encode()),), timer_is_enabled=enabled)
    (row,) = taken_back(record([], [SENT]), now=facts(HOST, [OURS], network=setup)).routes
    assert row.kind == kind


def test_what_a_killed_run_left_lying_about_goes() -> None:
    change = file_change(kind=ChangeKind.ADD, path=PATH, after=b"new", folder_is_ours=True)
    left = PurePosixPath("/etc/.hosts.kthw-routes")
    plan = taken_back(HostRecord(HOST.name, files=(change,)), now=with_file(None, leftovers=(left,)))
    assert [(str(x.path), x.is_folder) for x in plan.of(Leftover)] == [(str(left), False), (str(PATH.parent), True)]
    assert not plan.is_empty


def test_a_later_run_is_named() -> None:
    change = file_change(kind=ChangeKind.ADD, path=PATH, after=b"new")
    journal = Journal((HostRecord(HOST.name, files=(change,)),))
    plan = undo_plan.planner(journal, cluster(), {(HOST.name, str(PATH)): "R"})(HOST, with_file(b"later"))
    assert [f.reason for f in plan.files] == ["changed since by run R; undo that first"]


def test_forwarding_goes_off_again_only_where_no_pods_run() -> None:
    journal = Journal((HostRecord(HOST.name, forwarding=False),))
    plan = undo_plan.planner(journal, cluster())
    bare = facts(HOST, ip_forward=True)
    assert plan(HOST, bare).forwarding is False
    assert undo_plan.remarks(journal, {HOST.name: bare}) == ()
    for busy in (
        replace(bare, pods=(Pod("cni-1", ip("10.200.0.2")),)),
        replace(bare, bridge=InterfaceAddress("cnio0", bare.addresses[1].address)),
    ):
        assert plan(HOST, busy).forwarding is None
        (remark,) = undo_plan.remarks(journal, {HOST.name: busy})
        assert "it stays on, because pods run there by now" in remark.sentence
    assert plan(HOST, replace(bare, ip_forward=False)).is_empty


def test_forwarding_that_an_undo_turned_off_goes_on_again_also_where_pods_run() -> None:
    off = facts(HOST, ip_forward=False)
    undo = recorded_forwarding(HostPlan(HOST.name, (ForwardingChange(False),)), facts(HOST, ip_forward=True))
    assert taken_back(undo, now=off).forwarding is True
    assert taken_back(undo, now=replace(off, pods=(Pod("cni-1", ip("10.200.0.2")),))).forwarding is True
    assert taken_back(undo, now=replace(off, ip_forward=True)).is_empty
    redo = recorded_forwarding(HostPlan(HOST.name, (ForwardingChange(True),)), off)
    assert taken_back(redo, undo, now=replace(off, ip_forward=True)).forwarding is False, "the first try tells"

    assert taken_back_under(FORWARDING, undo, off).is_empty
    (remark,) = undo_plan.remarks(Journal((undo,)), {HOST.name: off}, {(HOST.name, FORWARDING): "R"})
    assert "it stays off, because run R turned it off since; undo that first" in remark.sentence


def recorded_forwarding(todo: HostPlan, at: HostFacts) -> HostRecord:
    """What a journal tells of it."""
    return host_of(parse(json.dumps(host_record(todo, at)).encode()))


# --- what could not be read -------------------------------------------------------------------------------------

TEMPLATE = PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl")


@pytest.mark.parametrize("path", [PATH, TEMPLATE, BATCH])
@pytest.mark.parametrize("unread", ["itself", "its folder"])
def test_a_file_that_could_not_be_read_is_not_as_before_the_run(path: PurePosixPath, unread: str) -> None:
    change = file_change(kind=ChangeKind.ADD, path=path, after=b"x", is_ours=path != TEMPLATE)
    setup = NetworkSetup(unread=frozenset({path if unread == "itself" else path.parent}))
    plan = taken_back(HostRecord(HOST.name, files=(change,)), now=facts(HOST, network=setup))
    assert [(f.path, f.kind, f.reason) for f in plan.files] == [(path, ChangeKind.FOREIGN, UNREAD)]
    assert not plan.is_readable
    outcome = nothing_to_do(plan)
    assert (outcome.state, list(outcome.failed_rows)) == (HostState.FAILED, [str(path)])


def test_a_file_of_another_run_that_could_not_be_read_may_hold_its_routes() -> None:
    plan = taken_back(record([], [SENT]), now=facts(HOST, network=NetworkSetup(unread=frozenset({BATCH, TEMPLATE}))))
    assert [f.path for f in plan.unread] == [BATCH]


def test_names_in_a_file_that_could_not_be_read_are_not_gone() -> None:
    plan = names(None)
    assert (plan.is_empty, plan.is_readable) == (True, False)
    assert nothing_to_do(plan).state is HostState.FAILED
    assert names(BEFORE).is_readable
    assert nothing_to_do(names(BEFORE)).state is HostState.NOTHING_TO_DO


def test_a_file_that_cannot_be_read_back_is_no_success() -> None:
    change = file_change(kind=ChangeKind.ADD, path=PATH, after=OLD)
    run = HostRecord(HOST.name, files=(change,))
    todo = taken_back(run, now=with_file(OLD))
    assert [f.kind for f in todo.files] == [ChangeKind.REMOVE]
    back = taken_back(run, now=facts(HOST, network=NetworkSetup(unread=frozenset({PATH}))))
    assert unmet_rows(back, todo) == {str(PATH): "it could not be read."}
