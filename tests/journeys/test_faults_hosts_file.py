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
        "/etc/hosts is a mount of its own (a container's, perhaps) and cannot be replaced; it was left alone.",
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


UNWRITTEN: dict[str, tuple[str, str]] = {
    "missing": (
        "rm /etc/hosts",
        "there is no /etc/hosts that could be read, so the workers' names are not added to it.",
    ),
    "a folder": (
        "rm /etc/hosts; mkdir /etc/hosts",
        "/etc/hosts is a directory, not a file, so the workers' names are not added to it.",
    ),
    "a broken link": (
        "rm /etc/hosts; ln -s nowhere /etc/hosts",
        "/etc/hosts cannot be read (cat: /etc/hosts: No such file or directory), so the workers' names are not added",
    ),
    "no end": (
        "echo '# BEGIN kthw-routes' >>/etc/hosts",
        "/etc/hosts holds '# BEGIN kthw-routes' without its end; correct",
    ),
    "no beginning": ("echo '# END kthw-routes' >>/etc/hosts", "/etc/hosts holds '# END kthw-routes' without its begin"),
    "two blocks": (
        "for i in 1 2; do echo '# BEGIN kthw-routes'; echo '# END kthw-routes'; done >>/etc/hosts",
        "/etc/hosts holds the line '# BEGIN kthw-routes' twice; correct or remove these lines by hand.",
    ),
}


@pytest.mark.parametrize(
    ("stage", "why"),
    [
        *(("embedded lab", why) for why in UNWRITTEN),
        pytest.param("real nodes", "a broken link", marks=pytest.mark.nodes),
    ],
    indirect=["stage"],
)
def test_names_that_cannot_be_written_are_no_success(stage: Stage, faults: Faults, why: str) -> None:
    """A missing file is not made: it would lack what else belongs there."""
    breaks, words = UNWRITTEN[why]
    stage.run(CONTROLLER, breaks)
    before = stage.run(CONTROLLER, "ls -ld /etc/hosts; cat /etc/hosts; true") if why not in BARE else ""
    first = stage.tool(*APPLY)
    assert first.code == 1
    assert f"· notice: {CONTROLLER}: {words}" in first.out
    again = stage.tool(*APPLY)
    assert again.code == 1
    for answer in (first, again):
        assert state(answer, CONTROLLER) == "failed"
        assert f"    {CONTROLLER}: the workers' names were not changed: {words}" in answer.out
        assert "Nothing to do" not in answer.out
    as_json = stage.tool(*APPLY, "--json")
    outcome = next(o for o in as_json.json["outcomes"] if o["host"] == CONTROLLER)
    assert (as_json.code, outcome["state"]) == (1, "failed")
    assert is_done(stage, *others(CONTROLLER))
    assert stage.tool("plan", "--exit-code").code == 3
    assert stage.tool("check", "--no-probe").code == 3
    assert stage.tool(*APPLY, "--no-hosts-file").code == 0
    if why not in BARE:
        assert stage.run(CONTROLLER, "ls -ld /etc/hosts; cat /etc/hosts; true") == before
    elif why == "missing":
        assert "hosts" not in stage.run(CONTROLLER, "ls -a /etc").split()


BARE = ("missing", "a folder", "a broken link")


def test_a_hosts_file_that_only_root_may_read_is_read_by_root(stage: Stage, faults: Faults) -> None:
    stage.run(CONTROLLER, "chmod 600 /etc/hosts")
    answer = stage.tool(*APPLY, "--user", "ubuntu")
    assert answer.code == 0, answer.out + answer.err
    assert is_done(stage, CONTROLLER)


def test_a_left_over_of_a_broken_run_is_no_obstacle(stage: Stage, faults: Faults) -> None:
    stage.run(CONTROLLER, f"echo half > {NEW}")
    assert stage.tool(*APPLY).code == 0
    assert NEW.rpartition("/")[2] not in stage.run(CONTROLLER, "ls -a /etc").split()
    assert is_done(stage, CONTROLLER)
