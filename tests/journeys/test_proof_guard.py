"""What the proof leaves behind: nothing, whatever happens to it; and how often it asks a host."""

import json
import re
from pathlib import Path

import pytest

from kthw_routes.cli.prompts import TerminalAsker
from kthw_routes.demo.clock import RealClock
from kthw_routes.events import discard
from kthw_routes.options import Options
from kthw_routes.workflow.connect import connect, linode_source
from kthw_routes.workflow.workflow import Workflow
from tests.journeys.faults import Faults
from tests.journeys.looking import comes_true, tables
from tests.journeys.model_faults import ModelFaults
from tests.journeys.stage import ON_MODEL, WORKERS, Model, Stage
from tests.model.hosts import count_execs
from tests.model.lab import BreakableLab

LIFETIME = 35
"""Seconds that a probe address lives with three workers, from each phase on."""


def probes(stage: Stage) -> dict[str, list[int]]:
    """The seconds that probe addresses have left, by worker; none where there is none."""
    found = {}
    for worker in WORKERS:
        rows = json.loads(stage.run(worker, "ip -json address show dev lo"))
        addresses = [info for row in rows for info in row.get("addr_info", ()) if info["local"].startswith("10.200.")]
        found[worker] = [info["valid_life_time"] for info in addresses]
    return found


NONE: dict[str, list[int]] = {worker: [] for worker in WORKERS}


def killed_in_the_probe(stage: Stage, faults: Faults) -> None:
    """Kill the tool while it pings."""
    hold = faults.hold("worker-1", "ping", "-c", "before", nth=1)
    tool = stage.start("check")
    hold.wait()
    tool.kill()
    hold.release()


def test_a_killed_probe_is_cleared_away_by_the_next_check(stage: Stage, faults: Faults) -> None:
    assert stage.tool("apply", "--yes").code == 0
    before = tables(stage)
    killed_in_the_probe(stage, faults)
    left = probes(stage)
    assert all(len(lives) == 1 and 0 < lives[0] <= LIFETIME for lives in left.values()), left
    assert stage.tool("check").code == 0
    assert probes(stage) == NONE
    assert tables(stage) == before


@pytest.mark.nodes
@pytest.mark.parametrize("stage", ["real nodes"], indirect=True)
def test_the_kernel_itself_takes_probe_addresses_away(stage: Stage, faults: Faults) -> None:
    """Slow: it waits for the whole lifetime, of all workers at once."""
    killed_in_the_probe(stage, faults)
    assert probes(stage) != NONE
    comes_true(lambda: probes(stage) == NONE, LIFETIME + 3)


class Hurried(RealClock):
    """Time as it passes, and a leap."""

    leap = 0.0

    def now(self) -> float:
        """See Clock."""
        return super().now() + self.leap


def test_the_modelled_kernel_does_so_too(tmp_path: Path) -> None:
    """The same on the model, whose time can leap."""
    clock = Hurried()
    with BreakableLab("ca-central", clock=clock) as lab:
        stage = Model(lab, tmp_path)
        killed_in_the_probe(stage, ModelFaults(stage))
        assert probes(stage) != NONE
        clock.leap = LIFETIME + 1.0
        assert probes(stage) == NONE


def test_a_host_that_is_cut_off_in_the_probe_keeps_no_address_for_long(stage: Stage, faults: Faults) -> None:
    assert stage.tool("apply", "--yes").code == 0
    hold = faults.hold("worker-1", "ping", "-c", "before", nth=1)
    tool = stage.start("check")
    hold.wait()
    faults.cut_off("worker-1")
    answer = tool.wait()
    assert answer.code == 1
    why = re.findall(r"^Not tested, (worker-1: .*): worker-1 → worker-[02]\b", answer.out, re.MULTILINE)
    assert why == ["worker-1: the connection ended while a command ran"]
    left = probes(stage)
    assert left["worker-0"] == left["worker-2"] == []
    assert len(left["worker-1"]) == 1
    assert 0 < left["worker-1"][0] <= LIFETIME


@pytest.mark.parametrize(("region", "most"), [("ca-central", 3), ("eu-west", 6)])
def test_each_worker_runs_a_handful_of_scripts(tmp_path: Path, region: str, most: int) -> None:
    """All that a proof runs on a host whose tables were read just now."""
    with BreakableLab(region) as lab:
        stage = Model(lab, tmp_path)
        connections, state = connect(stage.settings, TerminalAsker(), default_host_keys="accept-new")
        workflow = Workflow(connections, Options(), state, discard)
        try:
            inspection = workflow.inspect(workflow.find(linode_source(stage.settings)).cluster)
            assert not workflow.run(workflow.review(inspection)).unfinished
            again = workflow.inspect(inspection.cluster)
            execs = {name: count_execs(lab.topology.hosts[name]) for name in WORKERS}
            workflow.prove(again, fresh=again.facts)
        finally:
            workflow.close()
            connections.close()
    assert {name: len(commands) for name, commands in execs.items()} == dict.fromkeys(WORKERS, most)


@ON_MODEL
def test_what_could_not_be_tested_is_not_confirmed(stage: Stage, faults: Faults) -> None:
    faults.remove("worker-1", "ping")
    answer = stage.tool("apply", "--yes", "--commit-within", "86400")
    assert answer.code == 1, answer.out + answer.err
    assert "worker-0: rolls back automatically at " in answer.out
    assert "(the proof does not hold)" in answer.out
    assert "confirmed over a fresh connection" not in answer.out
    assert stage.tool("undo", "--yes").code == 0
