"""`trace`: the way of a packet hop by hop, which stops where the packet stops; on the lab and on real nodes alike."""

import re
from pathlib import Path

import pytest

from tests.journeys.faults import Faults
from tests.journeys.running import Answer
from tests.journeys.stage import ON_MODEL, WORKERS, Stage


def hops(answer: Answer, mark: str) -> list[str]:
    """The hops with this mark: the host, or `between`, and the kind of hop."""
    found, host = [], ""
    for line in answer.out.splitlines():
        if match := re.match(r"(?P<mark>[✓✗?·])  (?P<host>\S*) +(?P<kind>\S+( \S+)?)  ", line):
            host = match["host"] or host
            if match["mark"] == mark:
                found.append(f"{host} {match['kind']}")
    return found


def test_where_all_is_well_every_hop_is_passed(stage: Stage) -> None:
    stage.add_pods()
    assert stage.tool("apply", "--yes", "--no-probe").code == 0
    answer = stage.tool("trace", "worker-0", "worker-1")
    assert answer.code == 0, answer.out + answer.err
    there = [
        *("worker-0 pod", "worker-0 bridge", "worker-0 forwarding", "worker-0 policy rules", "worker-0 routing table"),
        *("worker-0 firewall", "worker-0 next hop", "between network", "worker-1 interface", "worker-1 reverse path"),
        *("worker-1 forwarding", "worker-1 firewall", "worker-1 routing table", "worker-1 bridge", "worker-1 pod"),
    ]
    other = {"worker-0": "worker-1", "worker-1": "worker-0", "between": "between"}
    back = [f"{other[hop.split(' ', 1)[0]]} {hop.split(' ', 1)[1]}" for hop in there]
    there.insert(there.index("worker-0 next hop"), "worker-0 masquerading")
    back.insert(back.index("worker-0 reverse path"), "worker-0 masquerading")  # translated back
    assert hops(answer, "✓") == there + back
    leaves = " ".join(answer.out.split())
    assert f"masquerading yes, it leaves as {stage.internal('worker-0')}: " in leaves
    assert f"10.200.1.0/24 via {stage.internal('worker-1')} (wins over default " in answer.out
    assert "It arrives, and the reply comes back: " in answer.out


def test_a_missing_route_back_stops_the_reply_at_its_table(stage: Stage) -> None:
    assert stage.tool("apply", "--yes").code == 0
    stage.run("worker-1", "ip route del 10.200.0.0/24")
    answer = stage.tool("trace", "worker-0", "worker-1")
    assert answer.code == 4
    assert hops(answer, "✗") == ["worker-1 routing table"]
    assert answer.out.index("The reply, back:") < answer.out.index("✗")
    assert "worker-1 has no right route to worker-0's pod CIDR." in answer.out
    assert "worker-0 pod" in hops(answer, "·")
    assert "between network" in hops(answer, "✓")


def test_forwarding_that_is_off_stops_it_at_that_host(stage: Stage) -> None:
    stage.add_pods()
    assert stage.tool("apply", "--yes", "--no-probe").code == 0
    stage.run("worker-1", "sysctl -w net.ipv4.ip_forward=0")
    answer = stage.tool("trace", "worker-0", "worker-1")
    assert answer.code == 4
    assert hops(answer, "✗") == ["worker-1 forwarding"]
    assert "On worker-1: sudo sysctl -w net.ipv4.ip_forward=1" in answer.out


def test_a_dead_next_hop_stops_it_there(stage: Stage, faults: Faults) -> None:
    assert stage.tool("apply", "--yes", "--no-probe").code == 0
    faults.mute_next_hop("worker-2")
    answer = stage.tool("trace", "worker-0", "worker-2")
    assert answer.code == 4
    assert hops(answer, "✗") == ["worker-0 next hop"]


@ON_MODEL
def test_before_there_is_a_route_it_stops_at_the_table(stage: Stage) -> None:
    answer = stage.tool("trace", "worker-0", "worker-1")
    assert answer.code == 4
    assert hops(answer, "✗") == ["worker-0 routing table"]
    assert "a probe address: there is no pod yet" in answer.out


@ON_MODEL
@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        (("worker-0", "worker-9"), "No node is named worker-9."),
        (("worker-0", "controller-0"), "controller-0 is not a worker: it has no pods of its own."),
        (("worker-0", "worker-0"), "A packet from worker-0 to worker-0 itself leaves no node."),
    ],
)
def test_what_is_no_pair_of_workers_is_refused(stage: Stage, nodes: tuple[str, str], sentence: str) -> None:
    answer = stage.tool("trace", *nodes)
    assert answer.code == 2
    assert sentence in answer.err


def test_the_providers_filter_stops_it_between_the_nodes(london: Stage) -> None:
    london.add_pods()
    assert london.tool("apply", "--yes", "--no-probe").code == 0
    answer = london.tool("trace", "worker-0", "worker-1")
    assert answer.code == 4
    assert hops(answer, "✗") == ["between network"]
    assert "drops replies whose source is a pod address: a source filter of the provider" in answer.out


def test_a_saved_report_gives_the_same_way_and_redacted_the_same_verdict(london: Stage, tmp_path: Path) -> None:
    london.add_pods()
    assert london.tool("apply", "--yes", "--no-probe").code == 0
    report, hidden = tmp_path / "report.json", tmp_path / "hidden.json"
    for file, options in ((report, ()), (hidden, ("--redact",))):
        answer = london.tool("check", "--json", *options)
        assert answer.code == 4
        file.write_text(answer.out)
    real = {str(london.internal(worker)) for worker in WORKERS} | {"worker-0", "worker-1", "controller-0", "10.200."}
    direct, saved = london.tool("trace", "worker-0", "worker-1"), london.tool("trace", "--report", str(report))
    assert saved.code == 4
    assert "worker-0" in saved.out.splitlines()[0]
    others = [
        london.tool("trace", "worker-0", "worker-1", "--redact"),
        london.tool("trace", "--report", str(report), "worker-0", "worker-1", "--redact"),
        london.tool("trace", "--report", str(hidden), "worker-a", "worker-b"),
    ]
    for mark in "✗·✓":
        new = [hop.replace("worker-0", "worker-a").replace("worker-1", "worker-b") for hop in hops(direct, mark)]
        assert hops(saved, mark) == hops(direct, mark)
        assert [hops(answer, mark) for answer in others] == [new] * 3
    for answer in others:
        assert answer.code == 4
        assert not [text for text in real if text in answer.out]
    assert not [text for text in real if text in hidden.read_text()]
    wrong = london.tool("trace", "--report", str(hidden), "worker-0", "worker-1")
    assert wrong.code == 2
    assert "No node is named worker-0 in" in wrong.err
    assert "Its workers: worker-a, worker-b, worker-c." in wrong.err


@ON_MODEL
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("trace", "worker-0"), "Name two workers, A and B."),
        (("trace", "--report", "report.json", "worker-0"), "Name two workers, A and B."),
        (("check", "--redact"), "--redact is for the report that --json prints."),
        (("trace", "--report", "/no/such.json"), "/no/such.json cannot be read: No such file or directory."),
    ],
)
def test_what_cannot_be_traced_is_refused(stage: Stage, given: tuple[str, ...], sentence: str) -> None:
    answer = stage.tool(*given)
    assert answer.code == 2
    assert sentence in answer.err
