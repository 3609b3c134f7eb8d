"""What becomes of the files on a host that did not take its routes, or whose timer does not rest."""

from dataclasses import replace

import pytest

from kthw_routes.cluster import Selection
from kthw_routes.events import HostState, Step
from kthw_routes.host_plan import HostPlan
from kthw_routes.hosts import apply as applying
from kthw_routes.hosts.apply import HostOutcome
from kthw_routes.hosts.command import Result
from kthw_routes.hosts.errors import HostError
from kthw_routes.hosts.visit import Visit
from kthw_routes.observed import HostFacts
from kthw_routes.options import Options
from kthw_routes.persistence import unit
from kthw_routes.persistence.model import Manager, Persist

from .answering import Answering, said
from .builders import pod_route
from .setups import BARE, LINODE, held
from .test_apply import ADDRESSES, table
from .test_plan_files import CLUSTER, NODE, OLD, RIGHT, plan, read, with_files

STOP = "systemctl stop kthw-routes.timer kthw-routes.service"
START = "systemctl enable --now kthw-routes.timer"
REFUSED = said(status=1, err="RTNETLINK answers: Nexthop has invalid gateway.\nCommand failed -:1\n")
BROKEN_OFF = said(status=255, err="ip: killed")


def applied(
    facts: HostFacts, todo: HostPlan, answers: dict[str, Result | HostError | list[Result | HostError]]
) -> tuple[HostOutcome, list[str]]:
    """How a host ends, and what was run there, of which the last of `table` is what it has all the time."""
    stands = "\n".join(str(f.path) for f in facts.network.files)
    usual: dict[str, Result | HostError | list[Result | HostError]] = {
        "ip -json route": table(pod_route(1)),
        "ip -json address": ADDRESSES,
        "networkctl": said(status=1),
        "stat -c %F": said("regular file\n"),
        "find": said(stands),
        "stat": said("\n".join(f"644 {path} regular file" for path in stands.split())),
        "systemctl is-enabled": said("enabled\n"),
    }
    host = Answering(usual | answers)
    visit = Visit(host, Step.RUN, lambda _: None)
    outcome = applying.apply(visit, NODE, todo, facts, lambda *_: todo, lambda *_: None)
    return outcome, host.ran


def writes(ran: list[str]) -> bool:
    return any(line.startswith(("dd ", "mv ")) for line in ran)


@pytest.mark.parametrize("answer", [REFUSED, BROKEN_OFF])
def test_what_the_kernel_refused_is_planted_in_no_file_and_the_timer_goes_on(answer: Result) -> None:
    facts = read(with_files(Manager.UNIT, BARE, OLD), pod_route(1))
    outcome, ran = applied(facts, plan(facts), {"ip -force -batch": answer})
    assert outcome.state is HostState.FAILED
    assert not writes(ran)
    assert "left as it is, as routes that it is to hold were not added" in outcome.failed_rows[str(unit.BATCH)]
    assert ran.index(STOP) < ran.index(START)


def test_the_file_of_another_manager_stays_as_well() -> None:
    facts = read(with_files(Manager.UNIT, LINODE), pod_route(1))
    outcome, ran = applied(facts, plan(facts, Options(persist=Persist.AUTO)), {"ip -force -batch": REFUSED})
    assert not writes(ran)
    assert not any(line.startswith("rm ") for line in ran)
    assert {str(path) for path in unit.PATHS} < set(outcome.failed_rows)
    assert ran[ran.index(STOP) :].count(START) == 1


def test_a_route_that_does_not_go_keeps_no_file_from_losing_it() -> None:
    gone = CLUSTER.with_node("worker-2", replace(CLUSTER.node("worker-2"), selection=Selection.REMOVED))
    facts = read(with_files(Manager.UNIT, BARE, RIGHT), pod_route(1), pod_route(2))
    refused = said(status=1, err="RTNETLINK answers: No such process\nCommand failed -:1\n")
    assert writes(applied(facts, plan(facts, of=gone), {"ip -force -batch": refused})[1])


def test_forwarding_is_no_affair_of_the_routes() -> None:
    facts = read(with_files(Manager.UNIT, BARE, OLD), pod_route(1))
    todo = plan(facts, Options(ip_forward=True))
    ran = applied(facts, todo, {"ip -force -batch": REFUSED})[1]
    assert [line for line in ran if line.startswith("dd ")] == [
        "dd of=/etc/sysctl.d/.90-kthw-routes.conf.new conv=fsync status=none"
    ]


def test_where_the_timer_does_not_rest_its_files_stay() -> None:
    facts = read(with_files(Manager.UNIT, BARE, OLD), pod_route(1))
    outcome, ran = applied(facts, plan(facts), {"systemctl stop": said(status=1, err="Failed: x")})
    assert not writes(ran)
    assert "the timer could not be stopped" in outcome.failed_rows[str(unit.BATCH)]


def test_files_are_written_where_all_routes_were_taken() -> None:
    facts = read(with_files(Manager.UNIT, BARE, (held(1),)), pod_route(1))
    assert writes(applied(facts, plan(facts), {})[1])
