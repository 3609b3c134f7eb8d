"""What an earlier run left on a host that nobody asks for any more, or that somebody broke."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from kthw_routes.cluster import Cluster, Selection
from kthw_routes.findings.plan import of_files
from kthw_routes.options import Options, RoutesOn
from kthw_routes.persistence import unit
from kthw_routes.persistence.model import Manager
from kthw_routes.plan.changes import ChangeKind, HostPlan, Plan

from .builders import changed, facts, pod_route
from .setups import BARE, NETPLAN, held, standing
from .test_plan_files import ASKED, AUTO, CLUSTER, files, held_by, plan, read, with_files

CONTROL = CLUSTER.node("controller-0")


def on_controller(options: Options, *numbers: int, of: Cluster = CLUSTER) -> HostPlan:
    """A controller with netplan's file from an earlier run, whose routes came back without our mark."""
    there = with_files(Manager.NETPLAN, NETPLAN, [held(n) for n in numbers])
    routes = [pod_route(n, protocol="static") for n in numbers]
    return plan(facts(CONTROL, routes, network=there), options, of)


def test_the_routes_of_a_controller_are_ours_though_netplan_cannot_mark_them() -> None:
    made = on_controller(ASKED, 0, 1, 2, 7)
    assert [(str(r.prefix), r.kind) for r in made.routes] == [
        (f"10.200.{n}.0/24", ChangeKind.STALE) for n in (0, 1, 2, 7)
    ]
    assert not any(row.kind.is_change for row in made.rows if row not in made.names)
    gone = changed(CLUSTER, "worker-2", selection=Selection.REMOVED)
    removed = on_controller(ASKED, 0, 1, 2, of=gone)
    assert [str(r.prefix) for r in removed.routes if r.kind is ChangeKind.REMOVE] == ["10.200.2.0/24"]
    assert [len(held_by(f)) for f in removed.files] == [2]


def test_what_a_controller_has_left_of_routes_on_all_says_so_and_goes_with_prune() -> None:
    made = on_controller(ASKED, 0, 7)
    assert [r.reason for r in made.routes] == [
        "ours; controllers get no routes now; --routes-on all keeps it right, --prune removes it",
        "ours; leads to no worker listed; --prune removes it",
    ]
    pruned = on_controller(Options(prune=True), 0, 7)
    assert [r.kind for r in pruned.routes] == [ChangeKind.REMOVE] * 2
    assert [f.kind for f in pruned.files] == [ChangeKind.REMOVE]
    everywhere = on_controller(Options(prune=True, routes_on=RoutesOn.ALL), 0, 1, 2)
    assert not any(row.kind.is_change for row in everywhere.rows if row not in everywhere.names)


@pytest.mark.parametrize("gone", unit.PATHS)
def test_a_unit_of_which_a_file_is_gone_is_not_called_right(gone: PurePosixPath) -> None:
    whole = with_files(Manager.UNIT, BARE)
    there = replace(whole, files=tuple(f for f in whole.files if f.path != gone))
    made = plan(read(there))
    stale = [f for f in made.files if f.kind is ChangeKind.STALE]
    assert stale
    assert all(f.reason == f"this host does not read it: {gone} is missing" for f in stale)
    assert made.is_drift
    told = {f.code: f.sentence for f in of_files(Plan((made,)))}
    assert "not-persisted" not in told
    assert (" holds routes, but " in told["persisted-not-read"]) is (gone != unit.BATCH)
    asked = plan(read(there), AUTO)
    assert {f.path for f in asked.files if f.kind is ChangeKind.ADD} == {gone}


def test_a_file_that_is_not_understood_goes_from_a_host_without_routes_only_where_that_is_asked_for() -> None:
    (file,) = files(Manager.NETPLAN, NETPLAN)
    broken = standing(NETPLAN, replace(file, content=b"network: [\n"))
    (row,) = plan(facts(CONTROL, network=broken)).files
    assert (row.kind, row.before, row.after) == (ChangeKind.STALE, b"network: [\n", b"network: [\n")
    assert "not understood" in row.reason
    (row,) = plan(facts(CONTROL, network=broken), Options(prune=True)).files
    assert row.kind is ChangeKind.REMOVE
