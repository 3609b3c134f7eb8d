"""What *Commands* shows to type: in the order in which a run sends the same."""

import re
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from kthw_routes.events import Phase
from kthw_routes.hosts import write_files
from kthw_routes.hosts.task import HostTask
from kthw_routes.plan.changes import FileChange, HostPlan, Leftover, RollbackChange
from kthw_routes.wizard.text.manual_commands import on_host

from .answering import Answering, said
from .test_write_files import BATCH, DROP_IN, NETPLAN, RIGHT, SCRATCH, SERVICE, TIMER, YAML, change

UNIT = (BATCH, SERVICE, TIMER)
_STEP = re.compile(
    r"(?:sudo )?(?:(?P<written>mv -fT \S+|tee) (?P<target>/\S+)|(?P<removed>rm) (?:-f )?(?P<path>/\S+)"
    r"|(?P<told>systemctl (?:daemon-reload|enable|disable|stop|start)|netplan generate))"
)


def steps(lines: list[str]) -> list[str]:
    """What the lines do, by hand or by the run: files written and removed, programs told."""
    found = []
    for line in lines:
        match = _STEP.match(line)
        if match and not (path := match["path"] or "").endswith(".new"):
            found.append(f"write {match['target']}" if match["written"] else (match["told"] or f"rm {path}").strip())
    return found


def sent(*changes: FileChange) -> list[str]:
    """What a run sends for these files."""
    files = {str(c.path): c.before for c in changes if c.before is not None}
    host = Answering({"systemctl is-enabled": said("enabled\n"), **RIGHT}, files=files)
    task = HostTask(host, Phase.RUN, lambda _: None)
    write_files.pause_timer(task, changes)
    write_files.write(task, changes)
    return [line for line in host.ran if SCRATCH not in line]


@pytest.mark.parametrize(
    "changes",
    [
        [change(path) for path in UNIT],
        [change(path, b"old\n", None) for path in UNIT],
        [change(BATCH, b"old\n"), *(change(p, b"same\n", b"same\n") for p in (SERVICE, TIMER))],
        [change(DROP_IN, folder_is_ours=True), *(change(path, b"old\n", None) for path in UNIT)],
        [*(change(path) for path in UNIT), change(NETPLAN, b"old\n", None)],
        [change(NETPLAN, after=YAML, mode=0o600)],
        [replace(change(TIMER, b"old\n"), is_enabled=False)],
    ],
    ids=["unit comes", "unit goes", "batch changes", "networkd for unit", "unit for netplan", "netplan", "at rest"],
)
def test_files_are_changed_in_the_order_of_a_run(changes: list[FileChange]) -> None:
    by_hand = steps(list(on_host(HostPlan("worker-0", tuple(changes)))))
    assert by_hand
    of_run = steps(sent(*changes))
    # By hand the timer is disabled as soon as it is stopped. A run disables it when all that is written is.
    if "systemctl disable" in of_run:
        disabled = of_run.index("systemctl disable")
        assert not any(step.startswith("write") for step in of_run[disabled:])
        assert not any(step.startswith("rm") for step in of_run[:disabled])
        assert of_run[0] == "systemctl stop"
        of_run.insert(1, of_run.pop(disabled))
    assert by_hand == of_run


def test_nobody_can_read_a_file_for_a_moment_who_may_not_later() -> None:
    lines = list(on_host(HostPlan("worker-0", (change(NETPLAN, mode=0o600),))))
    assert lines[0] == f"sudo install -m 0600 /dev/null {NETPLAN}"
    assert lines[1].startswith(f"sudo tee {NETPLAN} ")
    loose = replace(change(NETPLAN, b"old\n", mode=0o600), before_mode=0o666)
    assert next(on_host(HostPlan("worker-0", (loose,)))) == f"sudo chmod 0600 {NETPLAN}"


def test_what_a_killed_run_left_goes_by_hand_too() -> None:
    left = Leftover(PurePosixPath("/etc/netplan/.90-kthw-routes.yaml.new"))
    assert list(on_host(HostPlan("worker-0", (left,)))) == [f"sudo rm -f {left.path}"]


def test_what_goes_back_by_itself_is_called_off_first() -> None:
    run = "20261122T101500Z-1abc"
    lines = list(on_host(HostPlan("worker-0", (RollbackChange(run), change(BATCH, None, b"x")))))
    assert lines[:2] == [
        f"sudo systemctl stop kthw-routes-undo-{run}.timer",
        f"sudo rm -f /run/kthw-routes-undo-{run}.sh",
    ]
