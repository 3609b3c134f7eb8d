"""The exit codes that the documentation promises: one table, and where several hold, the first of 1, 3, 4."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from kthw_routes.cli import apply as commands
from kthw_routes.cli import main
from kthw_routes.cli.command import Stopped
from kthw_routes.errors import ExitCode, KthwRoutesError
from kthw_routes.events import HostOutcome, HostState
from kthw_routes.facts import HostFacts, Route
from kthw_routes.options import DEFAULT_OPTIONS
from kthw_routes.persistence.model import Choice, Manager
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import Plan
from kthw_routes.proof.readings import Evidence, PairReading, Proof
from kthw_routes.workflow.results import Inspection, Report, Review, exit_code

from .builders import bare_facts, cluster, facts, internal, net, pair_reading, pod_route

CLUSTER = cluster()
WORKERS_NAMES = "".join(f"192.168.128.1{n} worker-{n}\n" for n in range(3)).encode()


def right(name: str) -> HostFacts:
    """A host with all that is wanted: the routes on a worker, the workers' names on a controller."""
    node = CLUSTER.node(name)
    routes = [pod_route(n) for n in range(3) if node.is_worker and name != f"worker-{n}"]
    read = facts(node, routes)
    return replace(read, etc_hosts=read.etc_hosts + WORKERS_NAMES) if read.etc_hosts is not None else read


NAMED = {n.name: right(n.name) for n in CLUSTER}
WELL = planning.make(CLUSTER, NAMED)
DRIFT = planning.make(CLUSTER, bare_facts(CLUSTER))
NAMES_LACKING = planning.make(CLUSTER, {**NAMED, "controller-0": replace(NAMED["controller-0"], etc_hosts=None)})
REFUSED = Plan(
    tuple(replace(h, persistence=Choice(Manager.NETPLAN, "", "netplan is not read there")) for h in WELL.hosts)
)
AWAY = Route(net("10.200.0.0/24"), gateway=internal(1), device="eth0")
CUT_OFF = planning.make(
    CLUSTER, {**NAMED, "worker-0": replace(NAMED["worker-0"], routes=(*NAMED["worker-0"].routes, AWAY))}
)

GETS_THROUGH = (pair_reading("worker-0", "worker-1"), pair_reading("worker-1", "worker-0"))
SILENT = (pair_reading("worker-0", "worker-1", received=0), pair_reading("worker-1", "worker-0"))
NOT_TESTED = (pair_reading("worker-0", "worker-1", received=0, sent=0, problem="no address", evidence=Evidence.NONE),)
LEFT_OUT = tuple(replace(p, left_out=True) for p in NOT_TESTED)


def proof(
    plan: Plan = WELL,
    pairs: tuple[PairReading, ...] = GETS_THROUGH,
    *,
    unread: tuple[str, ...] = (),
    probed: bool = True,
) -> Proof:
    return Proof(plan, (), pairs, unread=unread, probed=probed)


def ended(
    state: HostState | None = HostState.DONE,
    seen: Proof | None = None,
    *,
    plan: Plan = WELL,
    drift: bool = False,
    unreachable: bool = False,
) -> Callable[[], ExitCode]:
    """How a command ends: hosts in this state (None: nothing was run), with this proof."""
    troubles = {"worker-2": KthwRoutesError("worker-2: unreachable.")} if unreachable else {}
    inspection = Inspection(CLUSTER, NAMED, troubles)
    review = Review(inspection, DEFAULT_OPTIONS, plan, (), planning.planner(CLUSTER, DEFAULT_OPTIONS))
    report = None
    if state is not None:
        outcomes = {n: HostOutcome(n, HostState.DONE) for n in NAMED} | {"worker-0": HostOutcome("worker-0", state)}
        report = Report(review, outcomes, None)
    return lambda: exit_code(inspection, report, seen, drift=drift)


APPLY = {
    "all done": (ended(), 0),
    "all done and proved": (ended(seen=proof()), 0),
    "nothing to do": (ended(HostState.NOTHING_TO_DO, proof()), 0),
    "drift is no failure of apply: the routes were sent, what is left was not asked for": (ended(seen=proof(DRIFT)), 0),
    "a pair left out on purpose": (ended(seen=proof(pairs=LEFT_OUT)), 0),
    "a host failed": (ended(HostState.FAILED), 1),
    "a host is not confirmed": (ended(HostState.NOT_CONFIRMED), 1),
    "a host was not started": (ended(HostState.NOT_STARTED), 1),
    "a host could not be read": (ended(unreachable=True), 1),
    "a host could not be read again for the proof": (ended(seen=proof(unread=("worker-1: gone",))), 1),
    "a pair could not be tested": (ended(seen=proof(pairs=NOT_TESTED)), 1),
    "routes could not be persisted as asked": (ended(plan=REFUSED), 1),
    "names could not be written": (ended(seen=proof(NAMES_LACKING)), 1),
    "no traffic": (ended(seen=proof(pairs=SILENT)), 4),
    "no traffic, and drift that apply does not count": (ended(seen=proof(DRIFT, SILENT)), 4),
    "pings get through, but not to the pods of a worker": (ended(seen=proof(CUT_OFF)), 4),
    "that, where nothing was tested": (ended(seen=proof(CUT_OFF, (), probed=False)), 0),
    "no traffic, and a host failed": (ended(HostState.FAILED, proof(pairs=SILENT)), 1),
}
CHECK = {
    "all well": (ended(None, proof(), drift=True), 0),
    "drift": (ended(None, proof(DRIFT), drift=True), 3),
    "names that cannot be written are drift": (ended(None, proof(NAMES_LACKING), drift=True), 3),
    "no traffic": (ended(None, proof(pairs=SILENT), drift=True), 4),
    "pods cut off, which is drift too": (ended(None, proof(CUT_OFF), drift=True), 3),
    "pods cut off, where nothing was tested": (ended(None, proof(CUT_OFF, (), probed=False), drift=True), 3),
    "drift and no traffic": (ended(None, proof(DRIFT, SILENT), drift=True), 3),
    "drift, and a host could not be read": (ended(None, proof(DRIFT), drift=True, unreachable=True), 1),
    "a pair could not be tested, and drift": (ended(None, proof(DRIFT, NOT_TESTED), drift=True), 1),
}


def typed(*arguments: str, raised: BaseException | None = None) -> Callable[[], int]:
    """How a command line ends, without a token; where something is raised by the command itself, that."""

    def end() -> int:
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("LINODE_")]:
                patch.delenv(name)
            for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
                patch.setenv(name, os.devnull)
            if raised is not None:
                patch.setattr(commands, "plan", Mock(side_effect=raised))
            return CliRunner().invoke(main.main, arguments).exit_code

    return end


STOPS = Stopped("Cannot continue: worker-0 has no address.", "Enter it.", {})
USAGE = {
    "no terminal for the wizard": (typed(), 2),
    "an unknown option": (typed("plan", "--bogus"), 2),
    "apply without a terminal and without --yes": (typed("apply"), 2),
    "no token": (typed("check"), 2),
    "a stop finding": (typed("plan", raised=STOPS), 2),
    "Ctrl-C": (typed("plan", raised=KeyboardInterrupt()), 130),
    "the API failed": (typed("plan", raised=KthwRoutesError("The API does not answer.")), 1),
    "help": (typed("--help"), 0),
}


Cases = Mapping[str, tuple[Callable[[], int], int]]
TABLE: Mapping[str, Cases] = {"apply": APPLY, "check": CHECK, "command line": USAGE}


@pytest.mark.parametrize(
    ("end", "code"),
    [
        pytest.param(end, code, id=f"{command}: {case}")
        for command, cases in TABLE.items()
        for case, (end, code) in cases.items()
    ],
)
def test_what_a_command_returns(end: Callable[[], int], code: int) -> None:
    assert end() == code


def test_pods_that_are_cut_off_are_said_before_all_that_gets_through() -> None:
    words = "The pods of worker-0 are unreachable: another route overrides its own pod CIDR."
    assert proof(CUT_OFF).headline == words
    assert not proof(CUT_OFF).is_proved
