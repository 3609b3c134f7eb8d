"""What can stand in the way of /etc/hosts on a controller: it stays as it is, byte for byte, and the workers finish."""

from collections.abc import Callable

import pytest

from tests.journeys.faults import Faults
from tests.journeys.looking import is_done, others, state
from tests.journeys.stage import Stage

APPLY = ("apply", "--yes", "--no-probe")
CONTROLLER = "controller-0"
NEW = "/etc/.hosts.kthw-routes"

OBSTACLES: dict[str, tuple[Callable[[Faults, str], None], str]] = {
    "full disk": (
        lambda faults, node: faults.fill_disk(node),
        f"the disk is full (dd: error writing '{NEW}': No space left on device); /etc/hosts is as it was.",
    ),
    "read-only root": (
        lambda faults, node: faults.make_read_only(node),
        f"the file system is read-only (cp: cannot create regular file '{NEW}': Read-only file system); "
        "/etc/hosts is as it was.",
    ),
    "bind mount": (
        lambda faults, node: faults.bind_hosts_file(node),
        "/etc/hosts is a mount of its own (a container's, perhaps) and cannot be renamed over; it was left alone.",
    ),
    "immutable": (
        lambda faults, node: faults.protect_hosts_file(node),
        f"/etc/hosts may not be replaced, it may be immutable (mv: cannot move '{NEW}' to '/etc/hosts': Operation not "
        "permitted); see `lsattr /etc/hosts`.",
    ),
    "symbolic link": (
        lambda faults, node: faults.link_hosts_file(node),
        "/etc/hosts is a symbolic link; a rename would replace the link, so it was left alone.",
    ),
    "slow disk": (
        lambda faults, node: faults.wrap(node, "dd", seconds=30),
        f"/etc/hosts was not changed: `dd of={NEW} conv=fsync status=none` took too long and was ended there.",
    ),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_cannot_be_written_is_left_alone(stage: Stage, faults: Faults, obstacle: str) -> None:
    make, sentence = OBSTACLES[obstacle]
    make(faults, CONTROLLER)
    look = "cat /etc/hosts; ls -a /etc; stat -c '%a %U %G %i' /etc/hosts"
    before = stage.run(CONTROLLER, look)
    answer = stage.tool(*APPLY, *(("--timeout", "2") if obstacle == "slow disk" else ()))
    assert answer.code == 1
    assert state(answer, CONTROLLER) == "failed"
    assert f"{CONTROLLER}: 3 of 3 changes failed: worker-0, worker-1, worker-2: {sentence}\n" in answer.out
    assert stage.run(CONTROLLER, look) == before
    assert is_done(stage, *others(CONTROLLER))


def test_a_missing_hosts_file_is_said_and_not_made(stage: Stage, faults: Faults) -> None:
    stage.run(CONTROLLER, "rm /etc/hosts")
    answer = stage.tool(*APPLY)
    assert answer.code == 0
    sentence = "there is no /etc/hosts that could be read, so the workers' names are not added to it."
    assert f"· notice: {CONTROLLER}: {sentence}" in answer.out
    assert "hosts" not in stage.run(CONTROLLER, "ls -a /etc").split()
    assert is_done(stage, *others(CONTROLLER))


def test_a_left_over_of_a_broken_run_is_no_obstacle(stage: Stage, faults: Faults) -> None:
    stage.run(CONTROLLER, f"echo half > {NEW}")
    assert stage.tool(*APPLY).code == 0
    assert NEW.rpartition("/")[2] not in stage.run(CONTROLLER, "ls -a /etc").split()
    assert is_done(stage, CONTROLLER)
