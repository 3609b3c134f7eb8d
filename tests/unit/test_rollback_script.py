"""The script with which a host goes back by itself: it runs or is called off, never both; our timer rests meanwhile."""

import subprocess
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path, PurePosixPath

import pytest

from kthw_routes.hosts.rollback_script import script
from kthw_routes.persistence import paths as own_paths
from kthw_routes.persistence.unit import BATCH, TIMER
from kthw_routes.plan.changes import ChangeKind, FileChange, ForwardingChange, HostPlan

HERE = PurePosixPath("/run/kthw-routes-undo-x.sh")
START = "systemctl enable --now kthw-routes.timer"
STOP = "systemctl stop kthw-routes.timer"


def file(path: PurePosixPath, before: bytes | None, after: bytes | None) -> FileChange:
    kind = ChangeKind.ADD if before is None else ChangeKind.REMOVE if after is None else ChangeKind.REPLACE
    return FileChange(
        kind=ChangeKind.KEEP if before == after else kind,
        path=path,
        before=before,
        after=after,
        mode=0o644,
        reason="because",
    )


def lines(*files: FileChange) -> list[str]:
    return shell_lines(HostPlan("worker-0", files))


def shell_lines(made: HostPlan) -> list[str]:
    text = script(made, HERE)
    subprocess.run(["sh", "-n"], input=text, check=True)
    return text.decode().splitlines()


@pytest.mark.parametrize("timer", [b"as it is", None], ids=["a row that stays", "no row"])
def test_the_timer_runs_again_where_only_the_batch_was_written(timer: bytes | None) -> None:
    rows = (file(BATCH, b"old", b"new"), *((file(TIMER, timer, timer),) if timer else ()))
    said = lines(*rows)
    assert any(line.startswith(STOP) for line in said)
    assert said[-2] == (START if timer else f"systemctl is-enabled kthw-routes.timer && {START}")


def test_a_timer_that_was_added_goes_and_is_not_started_again() -> None:
    said = lines(file(TIMER, None, b"new"), file(BATCH, None, b"new"))
    assert "systemctl disable kthw-routes.timer" in said
    assert not any("enable --now" in line and "disable" not in line for line in said)


@pytest.mark.parametrize("cancelled", [False, True])
def test_it_runs_only_where_nobody_renamed_it_before(tmp_path: Path, cancelled: bool) -> None:
    """systemd may have started it already when it is called off: then the shell has it open."""
    here, target = PurePosixPath(tmp_path / "undo.sh"), tmp_path / "file"
    target.write_bytes(b"new")
    made = HostPlan("worker-0", (file(PurePosixPath(target), b"old", b"new"),))
    Path(here).write_bytes(script(made, here))
    with Path(here).open("rb") as opened:
        if cancelled:
            Path(here).rename(own_paths.claimed(here))
        subprocess.run(["sh"], stdin=opened, check=True)
    assert target.read_bytes() == (b"new" if cancelled else b"old")
    assert not Path(here).exists()
    assert Path(own_paths.claimed(here)).exists() == cancelled


@pytest.mark.parametrize("was_enabled", [True, False])
def test_a_timer_is_left_as_it_was_before_the_run(was_enabled: bool) -> None:
    """That somebody disabled it, a run that is taken back does not forget."""
    same = replace(file(TIMER, b"t", b"t"), was_enabled=was_enabled, is_enabled=was_enabled)
    assert (START in lines(file(BATCH, b"old", b"new"), same)) is was_enabled
    enabled = replace(file(TIMER, b"t", b"t"), kind=ChangeKind.REPLACE, was_enabled=was_enabled)
    said = lines(enabled)
    assert ("systemctl disable kthw-routes.timer" in said, START in said) == (not was_enabled, was_enabled)
    gone = replace(file(TIMER, b"t", None), was_enabled=was_enabled, is_enabled=False)
    assert (START in lines(gone)) is was_enabled


@pytest.mark.parametrize("was_on", [False, True])
def test_forwarding_goes_on_again_anyhow_and_off_only_after_a_look_for_pods(was_on: bool) -> None:
    said = shell_lines(HostPlan("worker-0", (ForwardingChange(not was_on, IPv4Network("10.200.0.0/24")),)))
    at = said.index(f"sysctl -w net.ipv4.ip_forward={int(was_on)}")
    if was_on:
        assert not any("ip netns list" in line for line in said)
    else:
        look = 'if [ -z "$(ip netns list)$(ip route show root 10.200.0.0/24 proto kernel)" ]; then'
        assert (said[at - 1], said[at + 1]) == (look, "fi")
    assert 'if [ -z "$(ip netns list)" ]; then' in shell_lines(HostPlan("controller-0", (ForwardingChange(True),)))
