"""The script with which a host goes back by itself: what it does about our timer, which rests meanwhile."""

import subprocess
from pathlib import PurePosixPath

import pytest

from kthw_routes.changes import ChangeKind
from kthw_routes.host_files import FileChange
from kthw_routes.host_plan import HostPlan
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
