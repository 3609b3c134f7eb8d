"""What the commands print at the end, as far as it is for them to say."""

from pathlib import Path

import pytest

from kthw_routes.cli.apply import after_reboot
from kthw_routes.events import HostOutcome, HostState
from kthw_routes.hosts.rollback_timer import RollbackTimer
from kthw_routes.options import Options
from kthw_routes.persistence.model import Persist
from kthw_routes.plan import compare as planning
from kthw_routes.rollback import RollbackState
from kthw_routes.workflow.results import Inspection, Report, Review
from tests.unit.builders import cluster, facts
from tests.unit.setups import LINODE

CLUSTER = cluster(3, 0)
READ = {n.name: facts(n, network=LINODE) for n in CLUSTER}


def report(**states: HostState) -> Report:
    """Of a run that made the routes of three workers survive a reboot, but for those that ended otherwise."""
    options = Options(persist=Persist.AUTO)
    made = planning.make(CLUSTER, READ, options)
    review = Review(Inspection(CLUSTER, READ), options, made, (), planning.planner(CLUSTER, options))
    outcomes = {h: HostOutcome(h, states.get(h.replace("-", "_"), HostState.DONE)) for h in READ}
    return Report(review, outcomes, Path("/runs/one"))


def fates(*given: RollbackState) -> tuple[RollbackTimer, ...]:
    return tuple(RollbackTimer(f"worker-{n}", rollback, "") for n, rollback in enumerate(given))


@pytest.mark.parametrize(
    ("timers", "where"),
    [
        (fates(), "all 3 nodes"),
        (fates(RollbackState.CONFIRMED, RollbackState.CONFIRMED, RollbackState.CONFIRMED), "all 3 nodes"),
        (fates(RollbackState.CONFIRMED, RollbackState.PENDING, RollbackState.ROLLED_BACK), "worker-0"),
        (fates(RollbackState.PENDING, RollbackState.PENDING, RollbackState.ROLLED_BACK), ""),
    ],
)
def test_no_routes_survive_a_reboot_that_go_back_by_themselves(timers: tuple[RollbackTimer, ...], where: str) -> None:
    words = after_reboot(report(), timers)
    assert words == (f"These routes are kept after a reboot, by networkd on {where}." if where else "")


def test_nor_those_of_a_host_that_failed() -> None:
    assert after_reboot(report(worker_1=HostState.FAILED), ()).endswith("by networkd on worker-0 and worker-2.")
