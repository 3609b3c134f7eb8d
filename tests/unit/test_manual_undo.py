"""The way back by hand, in an order that works; files in the transcript, shown whole."""

import subprocess
from dataclasses import replace
from pathlib import Path, PurePosixPath

from kthw_routes.events import HostOutcome, HostState
from kthw_routes.persistence.unit import BATCH, PATHS, TIMER
from kthw_routes.plan import etc_hosts
from kthw_routes.plan.changes import ChangeKind, FileChange, ForwardingChange, HostPlan, Plan
from kthw_routes.record.transcript import head, tail
from kthw_routes.undo.by_hand import manual_undo
from tests.unit.builders import cluster, ip

ADDED = tuple(
    FileChange(
        kind=ChangeKind.ADD, path=p, before=None, after=b"new\n", mode=0o644, reason="holds", folder_is_ours=p == BATCH
    )
    for p in PATHS
)


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
    before, behind = shown(HostPlan("worker-0", (*ADDED, ForwardingChange(True))))
    script = behind[behind.index("```sh") + 1 : -2]
    assert script == [
        "systemctl stop kthw-routes.timer kthw-routes.service",
        "systemctl disable kthw-routes.timer",
        *(f"rm -f {path}" for path in reversed(PATHS)),
        "rmdir --ignore-fail-on-non-empty /etc/kthw-routes",
        *("systemctl daemon-reload", "sysctl -w net.ipv4.ip_forward=0"),
    ]
    assert "- add `/etc/kthw-routes/routes.batch`: holds" in before
    assert before.count("new") == before.count("becomes (mode 0644):") == 3
    assert "- replace `net.ipv4.ip_forward`: is 0, becomes 1" in before


def test_a_file_is_written_as_it_was(tmp_path: PurePosixPath) -> None:
    for content in (b"old\n", b"no newline", b"\x1b[31mred\n"):
        path = PurePosixPath(str(tmp_path)) / "90-kthw-routes.conf"
        change = FileChange(
            kind=ChangeKind.REPLACE, path=path, before=content, after=b"new\n", mode=0o644, reason="", before_mode=0o600
        )
        lines = back(HostPlan("worker-0", (change,)))
        Path(path).write_bytes(b"new\n")
        subprocess.run(["sh", "-e"], input="\n".join([*lines, ""]).encode(), check=True)
        assert Path(path).read_bytes() == content
        assert Path(path).stat().st_mode & 0o777 == 0o600


def test_a_timer_that_stays_rests_meanwhile_and_runs_again() -> None:
    batch = FileChange(
        kind=ChangeKind.REPLACE, path=BATCH, before=b"old\n", after=b"new\n", mode=0o644, reason="", before_mode=0o644
    )
    timer = FileChange(
        kind=ChangeKind.KEEP, path=TIMER, before=b"t", after=b"t", mode=0o644, reason="", before_mode=0o644
    )
    host = HostPlan("worker-0", (batch, timer))
    assert back(host)[0] == "systemctl stop kthw-routes.timer kthw-routes.service"
    assert back(host)[-1] == "systemctl enable --now kthw-routes.timer"
    off = replace(timer, was_enabled=False, is_enabled=False)
    assert not any("enable --now" in line for line in back(HostPlan("worker-0", (batch, off)))), "as it was"


def test_all_that_was_sent_to_a_host_goes_back_and_nothing_elsewhere() -> None:
    names = etc_hosts.edit(b"127.0.0.1 localhost\n", {"worker-0": ip("192.168.128.10")})
    hosts = [HostPlan(f"controller-{n}", (*names.names, *ADDED), hosts_file=names) for n in range(4)]
    outcomes = {
        "controller-0": HostOutcome("controller-0", HostState.DONE, changes_sent=4),
        "controller-1": HostOutcome("controller-1", HostState.NOT_CONFIRMED),
        "controller-2": HostOutcome("controller-2", HostState.FAILED),
    }
    ways = manual_undo(Plan(tuple(hosts)), outcomes)
    assert [way.host for way in ways] == ["controller-0", "controller-1"]
    for way in ways:
        assert "rm -f /etc/kthw-routes/routes.batch" in way.lines
        assert way.lines[-3:] == ("tee /etc/hosts >/dev/null <<'END-OF-HOSTS'", "127.0.0.1 localhost", "END-OF-HOSTS")
