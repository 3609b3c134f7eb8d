"""What becomes of the files on a host that did not take its routes, or whose timer does not rest."""

import pytest

from kthw_routes.cluster import Cluster, Selection
from kthw_routes.events import HostOutcome, HostState, Phase
from kthw_routes.facts import HostFacts
from kthw_routes.hosts import apply as applying
from kthw_routes.hosts.task import HostTask
from kthw_routes.options import Options
from kthw_routes.persistence import unit
from kthw_routes.persistence.model import Manager, Persist
from kthw_routes.plan import compare as planning
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import HostError
from kthw_routes.ssh.session import OnLine

from .answering import MISSING, Answering, said
from .builders import changed, pod_route
from .setups import AT_WORK, BARE, LINODE, NETWORK_HELPER, held
from .test_apply import ADDRESSES, table
from .test_network_setup import networkctl
from .test_plan_files import ASKED, CLUSTER, NODE, OLD, RIGHT, plan, read, with_files

Answers = dict[str, Result | HostError | list[Result | HostError]]

STOP = "systemctl stop kthw-routes.timer kthw-routes.service"
START = "systemctl enable --now kthw-routes.timer"
REFUSED = said(status=1, err="RTNETLINK answers: Nexthop has invalid gateway.\nCommand failed -:1\n")
BROKEN_OFF = said(status=255, err="ip: killed")


class _Host(Answering):
    """One whose files are as they are written; the rest it is told to answer."""

    def __init__(self, answers: Answers, facts: HostFacts) -> None:
        super().__init__(answers, files={str(f.path): f.content for f in facts.network.files})

    def run(self, command: Command, on_line: OnLine | None = None) -> Result:
        result = super().run(command, on_line)
        match command.argv:
            case ("cat", path) if path in self.files:
                return Result(0, self.files[path], b"")
            case ("stat", "-c", "%F", path):
                return said("regular file\n") if path in self.files else said(status=1)
            case ("find", *_):
                return said("\n".join(self.files))
            case ("stat", "-c", "%a %n %F", *_):
                lines = [f"644 {path} regular file" for path in self.files]
                return said("\n".join(["755 /run/systemd/system directory", *lines]))
        return result


def applied(
    facts: HostFacts, answers: Answers, options: Options = ASKED, of: Cluster = CLUSTER
) -> tuple[HostOutcome, list[str]]:
    """How a host ends, and what was run there. The plan is made of what is read, each time."""
    usual: Answers = {
        "ip -json route": table(*(r for r in facts.routes if r.gateway)),
        "ip -json -4 address": ADDRESSES,
        "networkctl --no-pager status": networkctl(NETWORK_HELPER) if facts.network.links == LINODE.links else MISSING,
        "systemctl is-enabled": said("enabled\n"),
        "systemctl is-active": said("active\n"),
        "systemctl show": said("\n".join(f"Id={name}\nUnitFileState={state}\n" for name, state in AT_WORK)),
    }
    host = _Host(usual | answers, facts)
    task = HostTask(host, Phase.RUN, lambda _: None)
    todo = plan(facts, options, of)
    outcome = applying.apply(task, NODE, todo, facts, planning.planner(of, options), lambda *_: None)
    return outcome, host.ran


def writes(ran: list[str]) -> bool:
    return any(line.startswith(("dd ", "mv ")) for line in ran)


@pytest.mark.parametrize("answer", [REFUSED, BROKEN_OFF])
def test_what_the_kernel_refused_is_planted_in_no_file_and_the_timer_goes_on(answer: Result) -> None:
    facts = read(with_files(Manager.UNIT, BARE, OLD), pod_route(1))
    outcome, ran = applied(facts, {"ip -force -batch": answer})
    assert outcome.state is HostState.FAILED
    assert not writes(ran)
    assert "left as it is, as routes that it is to hold were not added" in outcome.failed_rows[str(unit.BATCH)]
    assert ran.index(STOP) < ran.index(START)


def test_the_file_of_another_manager_stays_as_well() -> None:
    facts = read(with_files(Manager.UNIT, LINODE), pod_route(1))
    outcome, ran = applied(facts, {"ip -force -batch": REFUSED}, Options(persist=Persist.AUTO))
    assert not writes(ran)
    assert not any(line.startswith("rm ") for line in ran)
    assert {str(path) for path in unit.PATHS} < set(outcome.failed_rows)
    assert ran[ran.index(STOP) :].count(START) == 1


def test_a_route_that_does_not_go_keeps_no_file_from_losing_it() -> None:
    gone = changed(CLUSTER, "worker-2", selection=Selection.REMOVED)
    facts = read(with_files(Manager.UNIT, BARE, RIGHT), pod_route(1), pod_route(2))
    refused = said(status=1, err="RTNETLINK answers: No such process\nCommand failed -:1\n")
    assert writes(applied(facts, {"ip -force -batch": refused}, of=gone)[1])


def test_forwarding_is_no_affair_of_the_routes() -> None:
    facts = read(with_files(Manager.UNIT, BARE, OLD), pod_route(1))
    ran = applied(facts, {"ip -force -batch": REFUSED}, Options(ip_forward=True))[1]
    assert [line for line in ran if line.startswith("dd ")] == [
        "dd of=/etc/sysctl.d/.90-kthw-routes.conf.new conv=fsync status=none"
    ]


def test_where_the_timer_does_not_rest_its_files_stay() -> None:
    facts = read(with_files(Manager.UNIT, BARE, OLD), pod_route(1))
    outcome, ran = applied(facts, {"systemctl stop": said(status=1, err="Failed: x")})
    assert not writes(ran)
    assert "the timer could not be stopped" in outcome.failed_rows[str(unit.BATCH)]


def test_files_are_written_where_all_routes_were_taken() -> None:
    facts = read(with_files(Manager.UNIT, BARE, (held(1),)), pod_route(1))
    both = table(pod_route(1), pod_route(2))
    outcome, ran = applied(facts, {"ip -json route": [table(pod_route(1)), both]})
    assert (outcome.state, outcome.failed_rows) == (HostState.DONE, {})
    assert writes(ran)


def test_a_timer_that_does_not_run_again_is_told() -> None:
    facts = read(with_files(Manager.UNIT, BARE, OLD))
    outcome = applied(facts, {"systemctl is-active": [said("active\n"), said("inactive\n", status=3)]})[0]
    assert outcome.state is HostState.FAILED
    assert outcome.failed_rows == {str(unit.TIMER): "the file as read back is another."}
