"""The overlay over a reboot: a script and a timer, whatever manages the network; kept right, removed, undone."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kthw_routes.facts import HostFacts, HostFile, NetworkSetup
from kthw_routes.findings.plan import ends_at_reboot
from kthw_routes.options import Options
from kthw_routes.overlay.model import DEVICE, OverlayReading
from kthw_routes.persistence import managers, overlay_script, unit
from kthw_routes.persistence.model import Manager, Persist, PersistedRoute
from kthw_routes.plan import compare
from kthw_routes.plan.changes import ChangeKind, HostPlan
from kthw_routes.record.journal import HostRecord, Journal
from kthw_routes.undo import plan as undo_plan
from tests.unit.builders import cluster, facts, file_change, pod_route
from tests.unit.setups import ALL, ALPINE, BARE, LINODE, held, standing
from tests.unit.test_overlay import CLUSTER, HOST, ROUTES, THERE, WANTED


def rendered() -> HostFile:
    made = overlay_script.render(WANTED)
    assert made is not None
    return made


SCRIPT = rendered()
ROUTED = [PersistedRoute(r.prefix, r.gateway, DEVICE) for r in ROUTES if r.gateway is not None]
UNIT = (SCRIPT, *unit.render(ROUTED, BARE))


def read(network: NetworkSetup) -> HostFacts:
    return facts(HOST, ROUTES, overlay=THERE, network=network)


def planned(network: NetworkSetup, persist: Persist = Persist.NONE) -> HostPlan:
    return compare.make(CLUSTER, {HOST.name: read(network)}, Options(persist=persist)).hosts[0]


def kinds(host: HostPlan) -> dict[str, str]:
    return {str(f.path): str(f.kind) for f in host.files}


@pytest.mark.parametrize("network", [n for n in ALL.values() if n.has_systemd])
def test_whatever_manages_the_network_a_timer_keeps_it(network: NetworkSetup) -> None:
    host = planned(network, Persist.AUTO)
    assert host.persistence is not None
    assert (host.persistence.manager, host.persistence.problem) == (Manager.UNIT, None)
    assert [f.path for f in host.files] == list(unit.ALL_PATHS)
    assert not ends_at_reboot(host)
    assert planned(standing(network, *UNIT), Persist.AUTO).is_empty


@pytest.mark.parametrize(
    ("network", "persist", "words"),
    [
        (ALPINE, Persist.AUTO, "no network manager there makes the overlay with its peers, and systemd is not"),
        (LINODE, Persist.NETWORKD, "systemd-networkd makes no overlay with its peers. `--persist auto` takes"),
    ],
)
def test_what_cannot_keep_it_is_said(network: NetworkSetup, persist: Persist, words: str) -> None:
    host = planned(network, persist)
    assert host.persistence is not None
    assert words in (host.persistence.problem or "")
    assert not host.files
    assert ends_at_reboot(host)


def test_files_that_are_there_are_kept_right_without_being_asked_for() -> None:
    direct = unit.render([held(1), held(2)], BARE)
    assert kinds(planned(standing(BARE, *direct))) == {
        "/etc/kthw-routes/overlay.sh": "add",
        "/etc/kthw-routes/routes.batch": "replace",
        "/etc/systemd/system/kthw-routes.service": "replace",
        "/etc/systemd/system/kthw-routes.timer": "keep",
    }
    drop_in = managers.MODULES[Manager.NETWORKD].render([held(1), held(2)], LINODE)
    assert set(kinds(planned(standing(LINODE, *drop_in))).values()) == {"remove"}, "it would bring the old routes back"
    gone = compare.make(cluster(), {HOST.name: read(standing(BARE, *UNIT))}).hosts[0]
    assert kinds(gone)["/etc/kthw-routes/overlay.sh"] == "remove"
    assert kinds(gone)["/etc/kthw-routes/routes.batch"] == "replace"


def test_a_service_that_lacks_its_script_is_not_at_work() -> None:
    network = standing(BARE, *UNIT[1:])
    assert unit.ignored_reason(UNIT[1], network) == "/etc/kthw-routes/overlay.sh is missing"
    assert unit.ignored_reason(UNIT[1], standing(BARE, *UNIT)) is None
    assert kinds(planned(network))["/etc/kthw-routes/overlay.sh"] == "add"


def test_the_script_is_read_as_it_was_written() -> None:
    assert overlay_script.parse(SCRIPT) == WANTED
    assert managers.rewritten(SCRIPT) == SCRIPT
    assert all(managers.rewritten(file) == file for file in UNIT)
    for odd in (b"", SCRIPT.content.replace(b"nolearning", b""), SCRIPT.content.replace(b"4789 drop", b"4789 accept")):
        assert overlay_script.parse(replace(SCRIPT, content=odd)) is None


def test_the_script_is_plain_sh(tmp_path: Path) -> None:
    path = tmp_path / "overlay.sh"
    path.write_bytes(SCRIPT.content)
    subprocess.run(["sh", "-n", str(path)], check=True)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (SCRIPT.content, ChangeKind.ADD),
        (SCRIPT.content.replace(b"exit 0", b"reboot"), ChangeKind.FOREIGN),
        (SCRIPT.content.replace(b"192.168.128.11", b"8.8.8.8"), ChangeKind.FOREIGN),
    ],
)
def test_an_undo_puts_back_a_script_of_ours_and_no_other(content: bytes, kind: ChangeKind) -> None:
    change = file_change(kind=ChangeKind.REMOVE, path=overlay_script.PATH, before=content, before_mode=0o644)
    journal = Journal((HostRecord(HOST.name, files=(change,)),))
    now = facts(HOST, (pod_route(1),), overlay=OverlayReading(), network=BARE)
    (row,) = undo_plan.planner(journal, cluster())(HOST, now).files
    assert row.kind is kind


def test_a_file_is_none_where_there_is_no_overlay() -> None:
    assert overlay_script.render(replace(WANTED, accepts=None)) is None
