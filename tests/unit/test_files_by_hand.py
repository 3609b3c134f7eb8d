"""Files in the transcript: shown whole, and taken back by hand in an order that works."""

import subprocess
from pathlib import PurePosixPath

from kthw_routes import files_by_hand
from kthw_routes.changes import ChangeKind
from kthw_routes.events import HostState
from kthw_routes.host_files import FileChange
from kthw_routes.host_plan import HostPlan, Plan
from kthw_routes.hosts.apply import HostOutcome
from kthw_routes.persistence.unit import BATCH, PATHS, TIMER
from kthw_routes.transcript import head, tail
from tests.unit.builders import cluster

ADDED = tuple(FileChange(ChangeKind.ADD, p, None, b"new\n", 0o644, "holds", folder_is_ours=p == BATCH) for p in PATHS)


def shown(host: HostPlan) -> tuple[list[str], list[str]]:
    """The transcript before the log, and behind it."""
    outcome = HostOutcome(host.node, HostState.DONE, changes_sent=host.changes)
    return list(head(cluster(), Plan((host,)), ())), list(tail(Plan((host,)), {host.node: outcome}, None, "R"))


def test_a_unit_goes_with_its_timer_first() -> None:
    before, behind = shown(HostPlan("worker-0", files=ADDED, forwarding=True))
    script = behind[behind.index("```sh") + 1 : -2]
    assert script == [
        "systemctl disable --now kthw-routes.timer",
        *("rm -f /etc/kthw-routes/routes.batch", "rmdir --ignore-fail-on-non-empty /etc/kthw-routes"),
        *(f"rm -f {path}" for path in PATHS[1:]),
        *("systemctl daemon-reload", "sysctl -w net.ipv4.ip_forward=0"),
    ]
    assert "- add `/etc/kthw-routes/routes.batch` (0644): holds" in before
    assert before.count("new") == 3
    assert "- replace `net.ipv4.ip_forward`: is 0, becomes 1" in before


def test_a_file_is_written_as_it_was(tmp_path: PurePosixPath) -> None:
    for content in (b"old\n", b"no newline", b"\x1b[31mred\n"):
        path = PurePosixPath(str(tmp_path)) / "90-kthw-routes.conf"
        change = FileChange(ChangeKind.REPLACE, path, content, b"new\n", 0o644, "", 0o600)
        lines = list(files_by_hand.then(HostPlan("worker-0", files=(change,))))
        subprocess.run(["sh", "-e"], input="\n".join([*lines, ""]).encode(), check=True)
        with open(path, "rb") as file:
            assert file.read() == content


def test_a_timer_that_stays_rests_meanwhile_and_runs_again() -> None:
    batch = FileChange(ChangeKind.REPLACE, BATCH, b"old\n", b"new\n", 0o644, "", 0o644)
    timer = FileChange(ChangeKind.KEEP, TIMER, b"t", b"t", 0o644, "", 0o644)
    host = HostPlan("worker-0", files=(batch, timer))
    assert list(files_by_hand.first(host)) == ["systemctl stop kthw-routes.timer"]
    assert list(files_by_hand.then(host))[-1] == "systemctl enable --now kthw-routes.timer"
