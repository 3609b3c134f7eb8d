"""The way back by hand, in an order that works; files in the transcript, shown whole."""

import subprocess
from dataclasses import replace
from pathlib import PurePosixPath

from kthw_routes.events import HostOutcome, HostState
from kthw_routes.persistence.unit import BATCH, PATHS, TIMER
from kthw_routes.plan import etc_hosts
from kthw_routes.plan.changes import ChangeKind, FileChange, HostPlan, Plan
from kthw_routes.record.transcript import head, tail
from kthw_routes.undo.by_hand import manual_undo
from tests.unit.builders import cluster, ip

ADDED = tuple(FileChange(ChangeKind.ADD, p, None, b"new\n", 0o644, "holds", folder_is_ours=p == BATCH) for p in PATHS)


def shown(host: HostPlan) -> tuple[list[str], list[str]]:
    """The transcript before the log, and behind it."""
    outcome = HostOutcome(host.node, HostState.DONE, changes_sent=host.changes)
    outcomes = {host.node: outcome}
    by_hand = {way.host: way.lines for way in manual_undo(Plan((host,)), outcomes)}
    return list(head(cluster(), Plan((host,)), ())), list(tail(outcomes, None, "R", by_hand))


def back(host: HostPlan) -> list[str]:
    """The lines that take it back."""
    (way,) = manual_undo(Plan((host,)), {host.node: HostOutcome(host.node, HostState.DONE, changes_sent=host.changes)})
    return list(way.lines)


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
        lines = back(HostPlan("worker-0", files=(change,)))
        subprocess.run(["sh", "-e"], input="\n".join([*lines, ""]).encode(), check=True)
        with open(path, "rb") as file:
            assert file.read() == content


def test_a_timer_that_stays_rests_meanwhile_and_runs_again() -> None:
    batch = FileChange(ChangeKind.REPLACE, BATCH, b"old\n", b"new\n", 0o644, "", 0o644)
    timer = FileChange(ChangeKind.KEEP, TIMER, b"t", b"t", 0o644, "", 0o644)
    host = HostPlan("worker-0", files=(batch, timer))
    assert back(host)[0] == "systemctl stop kthw-routes.timer"
    assert back(host)[-1] == "systemctl enable --now kthw-routes.timer"
    off = replace(timer, was_enabled=False, is_enabled=False)
    assert not any("enable --now" in line for line in back(HostPlan("worker-0", files=(batch, off)))), "as it was"


def test_all_that_was_sent_to_a_host_goes_back_and_nothing_elsewhere() -> None:
    names = etc_hosts.edit(b"127.0.0.1 localhost\n", {"worker-0": ip("192.168.128.10")})
    hosts = [HostPlan(f"controller-{n}", hosts_file=names, files=ADDED) for n in range(4)]
    outcomes = {
        "controller-0": HostOutcome("controller-0", HostState.DONE, changes_sent=4),
        "controller-1": HostOutcome("controller-1", HostState.NOT_CONFIRMED),
        "controller-2": HostOutcome("controller-2", HostState.FAILED),
    }
    ways = manual_undo(Plan(tuple(hosts)), outcomes)
    assert [way.host for way in ways] == ["controller-0", "controller-1"]
    for way in ways:
        assert "rm -f /etc/kthw-routes/routes.batch" in way.lines
        assert way.lines[-3:] == ("cat > /etc/hosts <<'END-OF-HOSTS'", "127.0.0.1 localhost", "END-OF-HOSTS")
