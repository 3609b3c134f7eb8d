"""What the command line prints: nothing of a table is cut, and as much of a plan as somebody can read."""

from dataclasses import replace
from io import StringIO

import pytest

from kthw_routes.cli.output import MAX_HOSTS_WHOLE, Printer
from kthw_routes.errors import KthwRoutesError
from kthw_routes.events import HostOutcome, HostState
from kthw_routes.facts import HostFacts
from kthw_routes.findings.model import Finding
from kthw_routes.options import Options
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import Plan
from kthw_routes.proof.readings import Proof
from kthw_routes.words import apply_verdict, check_verdict, plan_verdict, undo_verdict
from kthw_routes.workflow.results import Inspection, Report, Review

from .builders import bare_facts, cluster, facts, internal, pod_route


@pytest.mark.parametrize("verbose", [True, False])
def test_what_explains_a_finding_is_printed_where_everything_is(verbose: bool) -> None:
    stream = StringIO()
    Printer(stream, verbose=verbose).findings([Finding.notice("forwarding-off", "Forwarding is off.", "Usual.")])
    why = "    Why: kthw-routes explain forwarding-off\n" if verbose else ""
    assert stream.getvalue() == f"· notice: Forwarding is off.\n    Usual.\n{why}"


def test_no_address_and_no_name_of_a_run_is_cut() -> None:
    stream = StringIO()
    printer = Printer(stream)
    printer.console.width = 30
    printer.nodes(cluster())
    printer.table(("when", "run"), [("2026-11-22 14:02:09", "20261122T140209Z-7c1e")])
    shown = stream.getvalue()
    for node in cluster():
        assert all(str(word) in shown for word in (node.name, node.ssh, node.internal) if word)
    assert "2026-11-22 14:02:09  20261122T140209Z-7c1e" in shown


def printed(workers: int, *, verbose: bool = False) -> list[str]:
    """What is printed of a plan: one worker has a wrong route and a foreign one, all others none at all."""
    of = cluster(workers)
    wrong = replace(pod_route(2), gateway=internal(4))
    given = bare_facts(of) | {
        "worker-1": facts(of.node("worker-1"), [wrong, pod_route(200, via=99, protocol="static")])
    }
    stream = StringIO()
    Printer(stream, verbose=verbose).plan(of, planning.make(of, given))
    return stream.getvalue().splitlines()


def test_a_plan_of_many_workers_is_a_line_per_host_and_what_is_not_merely_added() -> None:
    lines = printed(13)
    assert len(lines) == 1 + 14 + 5
    assert lines[1] == "worker-0      12 add"
    assert lines[2:10] == [
        "worker-1      11 add, 1 replace, 1 foreign",
        "  ! replace 10.200.2.0/24 (worker-2)   leads to worker-4 instead: via 192.168.128.14",
        "      has    via 192.168.128.14, proto 200",
        "      wants  via 192.168.128.12",
        "      ip route replace 10.200.2.0/24 via 192.168.128.12 proto 200",
        "  ? foreign 10.200.200.0/24   neither wanted nor ours: via 192.168.128.109",
        "worker-2      12 add",
        "worker-3      12 add",
    ]
    assert lines[-1] == "controller-0  13 add"


@pytest.mark.parametrize(("workers", "verbose"), [(MAX_HOSTS_WHOLE, False), (13, True)])
def test_each_row_and_its_command_is_printed_of_few_workers_and_where_that_is_asked_for(
    workers: int, verbose: bool
) -> None:
    lines = printed(workers, verbose=verbose)
    assert sum(line.startswith("      ip route ") for line in lines) == workers * (workers - 1)


def test_what_is_kept_is_printed_where_every_row_is_asked_for() -> None:
    of = cluster(2, 0)
    given = {"worker-0": facts(of.node("worker-0"), [pod_route(1)]), "worker-1": facts(of.node("worker-1"))}
    made = planning.make(of, given)
    for verbose in (False, True):
        stream = StringIO()
        Printer(stream, verbose=verbose).hosts(of, made)
        assert ("  = keep    10.200.1.0/24 (worker-1)   ours already\n" in stream.getvalue()) == verbose


def test_printed_lines_grow_with_the_hosts_not_with_their_pairs() -> None:
    assert len(printed(100)) - len(printed(50)) == 50


def reviewed(given: dict[str, HostFacts], *unread: str) -> Review:
    of, options = cluster(3, 0), Options()
    inspection = Inspection(of, given, {name: KthwRoutesError(f"{name}: no answer within 10 s.") for name in unread})
    return Review(inspection, options, planning.make(of, given), (), planning.planner(of, options))


def report(review: Review, **states: HostState) -> Report:
    outcomes = {
        host.node: HostOutcome(
            host.node,
            states.get(host.node.replace("-", "_"), HostState.DONE),
            changes_sent=host.changes,
        )
        for host in review.plan.hosts
    }
    return Report(review, outcomes, None)


def test_of_many_hosts_that_are_done_the_names_are_on_one_line() -> None:
    of = cluster(20, 0)
    made = planning.make(of, bare_facts(of))
    inspection = Inspection(of, bare_facts(of))
    outcomes = {h.node: HostOutcome(h.node, HostState.DONE, changes_sent=h.changes) for h in made.hosts}
    outcomes["worker-7"] = HostOutcome("worker-7", HostState.FAILED, "worker-7: the disk is full.")
    review = Review(inspection, Options(), made, (), planning.planner(of, Options()))
    stream = StringIO()
    Printer(stream).report(Report(review, outcomes, None))
    assert stream.getvalue().splitlines() == [
        "",
        "worker-0…6, worker-8…19: done",
        "worker-7: failed",
        "    worker-7: the disk is full.",
    ]


BARE = bare_facts(cluster(3, 0))
RIGHT = {n.name: facts(n, [pod_route(m) for m in range(3) if f"worker-{m}" != n.name]) for n in cluster(3, 0)}
NOTHING = "Nothing to do: every route and name is as it should be."
UNPROVED = Proof(Plan(()), (), (), probed=False)


def test_the_verdict_says_how_it_ended_and_whether_traffic_gets_through() -> None:
    bare, right, partly = (
        reviewed(BARE),
        reviewed(RIGHT),
        reviewed({"worker-0": BARE["worker-0"]}, "worker-1", "worker-2"),
    )
    assert plan_verdict(bare) == "6 route changes on 3 nodes"
    assert plan_verdict(partly) == "2 route changes on 1 node; not read: worker-1, worker-2"
    assert check_verdict(bare, UNPROVED) == f"Drift. 6 route changes on 3 nodes. {UNPROVED.headline}"
    assert check_verdict(right, UNPROVED) == f"{NOTHING} {UNPROVED.headline}"
    assert apply_verdict(report(right), UNPROVED) == f"{NOTHING} {UNPROVED.headline}"
    assert apply_verdict(report(bare), UNPROVED) == f"Done: 6 changes on 3 nodes. {UNPROVED.headline}"
    assert apply_verdict(report(bare), None) == "Done: 6 changes on 3 nodes. Traffic was not tested."
    failed = report(bare, worker_1=HostState.FAILED)
    assert apply_verdict(failed, UNPROVED) == f"Not done on worker-1. {UNPROVED.headline}"
    assert undo_verdict(report(bare)) == "Undone: 6 changes on 3 nodes."
    assert undo_verdict(failed) == "Not undone on worker-1."
