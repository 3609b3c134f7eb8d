"""A run killed at any point of its way is taken back whole: fifty times, spread over its whole length."""

import random
import select
import time

import pytest

from tests.journeys.looking import tables
from tests.journeys.stage import Stage

KILLS = 50
ONLY = ("--only", "worker-0", "--only", "worker-1", "--only", "controller-0")
APPLY = ("apply", "--yes", "--no-probe", *ONLY)


@pytest.mark.timeout(900)
def test_fifty_runs_killed_at_random_points_are_taken_back(stage: Stage) -> None:
    stage.run("worker-0", f"ip route add 10.200.2.0/24 via {stage.internal('worker-1')} metric 5")
    stage.run("worker-1", f"ip route add 10.200.2.0/24 via {stage.internal('worker-0')}")
    stage.run("worker-1", f"ip route append 10.200.2.0/24 via {stage.internal('controller-0')}")
    stage.run("controller-0", "printf '192.168.177.9 worker-1\\n10.0.0.1 elsewhere' >> /etc/hosts")
    before = tables(stage)
    begun = time.monotonic()
    assert stage.tool(*APPLY).code == 0
    length = time.monotonic() - begun
    assert stage.tool("undo", "--yes").code == 0
    assert tables(stage) == before
    chance = random.Random()  # noqa: S311 - a test's
    changed = 0
    for number in range(KILLS):
        delay = length * (number + chance.random()) / KILLS
        tool = stage.start(*APPLY)
        select.select([], [], [], delay)
        tool.kill()
        if tables(stage) == before:  # it came to nothing yet, as far as can be seen: `undo` would say so
            continue
        changed += 1
        answer = stage.tool("undo", "--yes")
        assert answer.code == 0, f"killed after {delay:.3f} s: {answer.out}{answer.err}"
        assert tables(stage) == before, f"killed after {delay:.3f} s"
    assert changed > KILLS / 10, "the kills fell where nothing had been changed yet"
