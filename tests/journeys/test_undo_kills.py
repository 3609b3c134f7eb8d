"""A run killed at any point at which it changes hosts is taken back whole: routes, names, files, forwarding.

Ten times over on each stage, spread over the part of the run in which hosts are changed; fifty times with
`-m fifty_kills`. One worker and one controller: of further hosts the kills would show nothing more.
"""

import random
import select
import time
from typing import Any

import pytest

from tests.journeys.looking import tables
from tests.journeys.stage import Model, RealNodes, Stage

HOSTS = ("worker-0", "controller-0")
APPLY = (
    *("apply", "--yes", "--no-probe", "--persist", "auto", "--ip-forward", "--names-on", "all"),
    *(word for name in HOSTS for word in ("--only", name)),
)
FORWARDING = "cat /proc/sys/net/ipv4/ip_forward"


def files(stage: Stage) -> dict[str, dict[str, Any]]:
    """All below /etc on the hosts, with modes and contents, but for what Python keeps of netplan's own modules."""
    if isinstance(stage, RealNodes):
        found = {name: stage.lab.node(name).snapshot().items() for name in HOSTS}
        etc = {name: [(p, e) for p, e in all_of if p.startswith("etc/")] for name, all_of in found.items()}
        return {name: {p: e for p, e in own if "__pycache__" not in p} for name, own in etc.items()}
    assert isinstance(stage, Model)
    return {name: _of_model(stage, name) for name in HOSTS}


def _of_model(stage: Model, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    folders = [("/etc", stage.lab.topology.hosts[name].files.directory("/etc"))]
    while folders:
        path, folder = folders.pop()
        for child, node in folder.children.items():
            found[f"{path}/{child}"] = (node.type, node.mode, node.uid, node.gid, node.data, node.target)
            if node.type == "directory":
                folders.append((f"{path}/{child}", node))
    return found


def everything(stage: Stage) -> Any:
    """All that a run might change."""
    return tables(stage), files(stage), {name: stage.run(name, FORWARDING) for name in HOSTS}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [10, pytest.param(50, marks=pytest.mark.fifty_kills)])
def test_runs_killed_at_random_points_are_taken_back(stage: Stage, kills: int) -> None:
    stage.run("worker-0", f"ip route add 10.200.2.0/24 via {stage.internal('worker-1')} metric 5")
    stage.run("controller-0", "printf '192.168.177.9 worker-1\\n10.0.0.1 elsewhere' >> /etc/hosts")
    for name in HOSTS:  # touched, it is among the folders that are looked at, unless this host has none
        stage.run(name, "! test -d /etc/sysctl.d || { touch /etc/sysctl.d/x && rm /etc/sysctl.d/x; }")
    before = everything(stage)
    tool = stage.start(*APPLY)
    tool.wait_for("changing")
    begun = time.monotonic()
    answer = tool.wait()
    length = time.monotonic() - begun
    assert answer.code == 0, answer.out + answer.err
    after = everything(stage)
    assert after[1]["worker-0"].keys() > before[1]["worker-0"].keys(), "it wrote files"
    assert after[2] != before[2], "it turned forwarding on"
    assert stage.tool("undo", "--yes").code == 0
    assert everything(stage) == before
    chance = random.Random()
    hit = 0
    for number in range(kills):
        delay = length * (number + chance.random()) / kills
        tool = stage.start(*APPLY)
        tool.wait_for("changing")
        select.select([], [], [], delay)
        tool.kill()
        hit += everything(stage) != before
        answer = stage.tool("undo", "--yes")
        assert answer.code == 0, f"killed after {delay:.3f} s: {answer.out}{answer.err}"
        assert everything(stage) == before, f"killed after {delay:.3f} s: {answer.out}"
    assert hit >= kills / 2, f"only {hit} of {kills} kills fell where something had been changed"
