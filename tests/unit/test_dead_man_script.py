"""The script with which a host goes back by itself: it runs or is called off, never both; our timer rests meanwhile."""

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from kthw_routes.changes import ChangeKind
from kthw_routes.host_files import FileChange
from kthw_routes.host_plan import HostPlan
from kthw_routes.hosts import own_paths
from kthw_routes.hosts.dead_man_script import script
from kthw_routes.persistence.unit import BATCH, TIMER

HERE = PurePosixPath("/run/kthw-routes-undo-x.sh")
START = "systemctl enable --now kthw-routes.timer"
STOP = "systemctl stop kthw-routes.timer"


def file(path: PurePosixPath, before: bytes | None, after: bytes | None) -> FileChange:
    kind = ChangeKind.ADD if before is None else ChangeKind.REMOVE if after is None else ChangeKind.REPLACE
    return FileChange(ChangeKind.KEEP if before == after else kind, path, before, after, 0o644, "because")


def lines(*files: FileChange) -> list[str]:
    text = script(HostPlan("worker-0", files=files), HERE)
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


@pytest.mark.parametrize("called_off", [False, True])
def test_it_runs_only_where_nobody_renamed_it_before(tmp_path: Path, called_off: bool) -> None:
    """systemd may have started it already when it is called off: then the shell has it open."""
    here, target = PurePosixPath(tmp_path / "undo.sh"), tmp_path / "file"
    target.write_bytes(b"new")
    made = HostPlan("worker-0", files=(file(PurePosixPath(target), b"old", b"new"),))
    Path(here).write_bytes(script(made, here))
    with Path(here).open("rb") as opened:
        if called_off:
            Path(here).rename(own_paths.claimed(here))
        subprocess.run(["sh"], stdin=opened, check=True)
    assert target.read_bytes() == (b"new" if called_off else b"old")
    assert not Path(here).exists()
    assert Path(own_paths.claimed(here)).exists() == called_off
