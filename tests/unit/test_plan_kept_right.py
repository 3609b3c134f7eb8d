"""What is mended of the files that stand on a host, though nobody asked for files; and what becomes of our timer."""

from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import PurePosixPath

import pytest

from kthw_routes.facts import InterfaceAddress, LinkSetup, NetworkSetup
from kthw_routes.options import Options
from kthw_routes.persistence import unit
from kthw_routes.persistence.model import Manager, Persist
from kthw_routes.plan.changes import ChangeKind, FileChange

from . import setups
from .builders import connected
from .setups import BARE, FITTING, LINODE, NETPLAN, held, ruled, standing
from .test_plan_files import ASKED, AUTO, NODE, OLD, carried_out, files, plan, read, rows, with_files


@pytest.mark.parametrize("manager", Manager)
def test_a_mode_that_is_not_right_is_mended_unasked_too(manager: Manager) -> None:
    for file in files(manager, FITTING[manager]):
        loose = standing(FITTING[manager], *(f for f in files(manager, FITTING[manager]) if f != file))
        loose = standing(loose, *loose.files, replace(file, mode=0o666))
        changes = [f for f in rows(loose).values() if f.kind is not ChangeKind.KEEP]
        assert [(f.kind, f.path, f.mode, f.before_mode, f.reason) for f in changes] == [
            (ChangeKind.REPLACE, file.path, file.mode, 0o666, "its mode is 0666")
        ]


def test_an_interface_of_another_name_gets_into_the_scripts_that_go_by_it() -> None:
    named = {
        Manager.IFUPDOWN: LinkSetup("ens18", by_ifupdown=True),
        Manager.NETWORKMANAGER: LinkSetup("ens18", nm_connection="System ens18"),
    }
    for manager, link in named.items():
        there = setups.with_links(with_files(manager, FITTING[manager]), (link,))
        ens18 = InterfaceAddress("ens18", IPv4Interface(f"{NODE.internal}/17"))
        host = read(there)
        routes = (*connected(ens18), *(replace(r, device="ens18") for r in host.routes if not r.is_kernel))
        host = replace(host, addresses=(ens18,), routes=routes)
        (row,) = plan(host).files
        assert (row.kind, row.reason) == (ChangeKind.REPLACE, "holds routes for another interface than it should")
        assert b"eth0" not in (row.after or b"eth0")
        assert {f.kind for f in plan(carried_out(host, plan(host))).files} == {ChangeKind.KEEP}


def test_a_next_hop_on_another_interface_gets_under_its_id_in_netplans_file() -> None:
    eth1 = ruled("eth1", PurePosixPath("/run/systemd/network/10-netplan-eth1.network"))
    section = "    eth1:\n      dhcp4: true\n"
    both = replace(NETPLAN, links=(*NETPLAN.links, eth1), netplan=NETPLAN.netplan + section)
    (row,) = rows(with_files(Manager.NETPLAN, both, (held(1), held(2, device="eth1")))).values()
    assert row.kind is ChangeKind.REPLACE
    assert b"eth1" not in (row.after or b"eth1")


@pytest.mark.parametrize("path", [unit.SERVICE, unit.TIMER])
@pytest.mark.parametrize("content", [b"", b"[Service]\nExecStart=/bin/true\n"])
def test_a_service_or_timer_that_somebody_edited_is_written_anew(path: PurePosixPath, content: bytes) -> None:
    whole = with_files(Manager.UNIT, BARE)
    edited = (replace(f, content=content) if f.path == path else f for f in whole.files)
    changes = [f for f in rows(standing(BARE, *edited)).values() if f.kind is not ChangeKind.KEEP]
    assert [(f.kind, f.path, f.reason) for f in changes] == [(ChangeKind.REPLACE, path, "is not as it should be")]


# --- our timer --------------------------------------------------------------------------------------------------


def timer_of(network: NetworkSetup, options: Options = ASKED) -> FileChange:
    return rows(network, options)[str(unit.TIMER)]


def test_a_timer_that_is_not_enabled_is_enabled() -> None:
    off = replace(with_files(Manager.UNIT, BARE), timer_is_enabled=False)
    found = rows(off, AUTO)
    assert {p: f.kind for p, f in found.items() if f.kind.is_change} == {str(unit.TIMER): ChangeKind.REPLACE}
    assert found[str(unit.TIMER)].before == found[str(unit.TIMER)].after
    assert {str(f.path): f.kind for f in plan(read(off)).files if f.kind is not ChangeKind.KEEP} == {
        str(unit.BATCH): ChangeKind.STALE
    }


def test_a_timer_that_somebody_disabled_stays_so_unasked() -> None:
    off = replace(with_files(Manager.UNIT, BARE, OLD), timer_is_enabled=False)
    assert rows(off)[str(unit.BATCH)].kind is ChangeKind.REPLACE
    timer = timer_of(off)
    assert (timer.kind, timer.was_enabled, timer.is_enabled) == (ChangeKind.KEEP, False, False)
    edited = standing(BARE, *(replace(f, content=b"") if f.path == unit.TIMER else f for f in off.files))
    timer = timer_of(replace(edited, timer_is_enabled=False))
    assert (timer.kind, timer.was_enabled, timer.is_enabled) == (ChangeKind.REPLACE, False, False)
    timer = timer_of(with_files(Manager.UNIT, BARE, OLD))
    assert (timer.kind, timer.was_enabled, timer.is_enabled) == (ChangeKind.KEEP, True, True)


def test_whether_the_timer_was_enabled_is_in_each_row_that_changes_it() -> None:
    whole = with_files(Manager.UNIT, BARE)
    off = replace(whole, timer_is_enabled=False)
    for network in (whole, off):
        gone = timer_of(replace(network, links=LINODE.links), AUTO)
        assert (gone.kind, gone.was_enabled) == (ChangeKind.REMOVE, network.timer_is_enabled)
        assert gone.undone.is_enabled is network.timer_is_enabled, "or taking it back starts what rested"
    asked = timer_of(off, AUTO)
    assert (asked.kind, asked.was_enabled, asked.is_enabled) == (ChangeKind.REPLACE, False, True)
    new = timer_of(BARE, AUTO)
    assert (new.kind, new.was_enabled, new.is_enabled) == (ChangeKind.ADD, False, True)


@pytest.mark.parametrize("options", [ASKED, AUTO, Options(persist=Persist.UNIT)])
def test_a_timer_that_is_enabled_and_does_not_run_is_started(options: Options) -> None:
    """As where a run was killed between stopping and starting it."""
    rests = replace(with_files(Manager.UNIT, BARE), timer_is_active=False)
    changes = [f for f in rows(rests, options).values() if f.kind is not ChangeKind.KEEP]
    assert [(f.path, f.kind, f.reason) for f in changes] == [(unit.TIMER, ChangeKind.REPLACE, "is not running")]
    assert (changes[0].was_enabled, changes[0].is_enabled) == (True, True)
    gone = tuple(f for f in rests.files if f.path != unit.SERVICE)
    if options is ASKED:
        assert not [f for f in rows(replace(rests, files=gone)).values() if f.kind.is_change], "it could not start"
