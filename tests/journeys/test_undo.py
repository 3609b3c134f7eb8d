"""Taking a run back: all as before, byte for byte; what somebody changed since is left alone and told."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.faults import Faults
from tests.journeys.looking import NODES, is_done, others, pod_routes, tables, wanted
from tests.journeys.stage import ON_MODEL, Stage

APPLY = ("apply", "--yes", "--no-probe")
UNDO = ("undo", "--yes")


def make_a_mess(stage: Stage) -> dict[str, str]:
    """What a learner left behind, and all of it as it stands then."""
    stage.run("worker-0", f"ip route add 10.200.2.0/24 via {stage.internal('worker-1')} metric 5")
    stage.run("worker-1", f"ip route add 10.200.2.0/24 via {stage.internal('worker-0')}")
    stage.run("worker-1", f"ip route append 10.200.2.0/24 via {stage.internal('controller-0')}")
    stage.run("controller-0", "printf '192.168.177.9 worker-1\\n10.0.0.1 elsewhere' >> /etc/hosts")
    return tables(stage)


def forwarding(stage: Stage) -> dict[str, str]:
    """Whether each node forwards packets."""
    return {node: stage.run(node, "cat /proc/sys/net/ipv4/ip_forward") for node in NODES}


def runs(stage: Stage) -> list[dict[str, Any]]:
    """The runs as the tool lists them, newest first."""
    answer = stage.tool("runs", "--json")
    assert answer.code == 0, answer.err
    listed: list[dict[str, Any]] = answer.json["runs"]
    return listed


def test_undo_leaves_all_as_it_was_and_can_itself_be_undone(stage: Stage) -> None:
    before = make_a_mess(stage), forwarding(stage)
    assert stage.tool(*APPLY, "--ip-forward").code == 0
    applied = tables(stage), forwarding(stage)
    assert applied[1]["worker-0"] == "1\n" != before[1]["worker-0"]
    answer = stage.tool(*UNDO)
    assert answer.code == 0, answer.out + answer.err
    assert (tables(stage), forwarding(stage)) == before
    (undo, apply) = runs(stage)
    assert (undo["kind"], undo["undoes"], apply["outcome"]) == ("undo", apply["id"], f"undone by {undo['id']}")
    again = stage.tool(*UNDO)
    assert again.code == 0
    assert "Nothing to undo: there is no run that changed anything and was not undone." in again.out
    named = stage.tool(*UNDO, apply["id"])
    assert named.code == 0
    assert "Nothing to undo: it is as before that run already, or was changed since." in named.out
    assert (tables(stage), forwarding(stage)) == before
    redo = stage.tool(*UNDO, undo["id"][-4:])
    assert redo.code == 0, redo.out + redo.err
    assert (tables(stage), forwarding(stage)) == applied
    assert stage.tool(*UNDO).code == 0, "what was done again can be taken back again"
    assert (tables(stage), forwarding(stage)) == before


@ON_MODEL
def test_undo_works_by_what_the_run_recorded(stage: Stage) -> None:
    before = tables(stage)
    assert stage.tool(*APPLY).code == 0
    (folder,) = stage.state.glob("runs/*")
    plan = json.loads((folder / "plan.json").read_text())
    assert Path(plan["connection"]["ssh_config"]).is_absolute()
    answer = stage.tool(*UNDO, str(folder), env={"KTHW_ROUTES_SSH_CONFIG": "", "LINODE_TOKEN": ""})
    assert answer.code == 0, answer.out + answer.err
    assert tables(stage) == before


@ON_MODEL
def test_a_route_and_a_line_that_somebody_changed_since_are_left_alone(stage: Stage) -> None:
    before = tables(stage)
    assert stage.tool(*APPLY).code == 0
    stage.run("worker-0", f"ip route replace 10.200.1.0/24 via {stage.internal('worker-2')}")
    stage.run("controller-0", "printf '10.0.0.7 printer' >> /etc/hosts")
    answer = stage.tool(*UNDO)
    assert answer.code == 0, answer.out + answer.err
    assert f"changed since: via {stage.internal('worker-2')}; left as it is" in answer.out
    assert pod_routes(stage, "worker-0") == {"10.200.1.0/24": f"via {stage.internal('worker-2')} dev eth0"}
    after = tables(stage)
    assert after["controller-0"] == before["controller-0"].replace("\n.\n", "\n10.0.0.7 printer.\n")
    assert [n for n in ("worker-1", "worker-2") if after[n] != before[n]] == []


@ON_MODEL
def test_an_older_run_leaves_alone_what_a_later_one_changed(stage: Stage) -> None:
    wrong = f"ip route replace 10.200.1.0/24 via {stage.internal('worker-2')} proto 200"
    # All are visited: what leads to a node listed is not replaced on a mere guess of an unread worker's pod CIDR.
    assert stage.tool(*APPLY).code == 0
    stage.run("worker-0", wrong)
    assert stage.tool(*APPLY).code == 0
    later, first = (run["id"] for run in runs(stage))
    assert stage.tool(*UNDO, later).code == 0
    answer = stage.tool(*UNDO, first)
    assert answer.code == 0, answer.out + answer.err
    assert pod_routes(stage, "worker-0") == {"10.200.1.0/24": f"via {stage.internal('worker-2')} dev eth0 proto 200"}
    assert "changed since: via" in answer.out


@ON_MODEL
def test_what_a_later_run_brought_back_is_its_own(stage: Stage) -> None:
    only = ("--only", "worker-0")
    assert stage.tool(*APPLY, *only).code == 0
    stage.run("worker-0", "ip route del 10.200.1.0/24")
    assert stage.tool(*APPLY, *only).code == 0
    later, first = (run["id"] for run in runs(stage))
    answer = stage.tool(*UNDO, first)
    assert answer.code == 0, answer.out + answer.err
    assert f"changed since by run {later}; undo that first" in answer.out
    assert set(pod_routes(stage, "worker-0")) == {"10.200.1.0/24"}
    assert stage.tool(*UNDO).code == 0
    assert pod_routes(stage, "worker-0") == {}
    last = stage.tool(*UNDO)
    assert "as before that run already" in last.out, "what waited for the later run was not over"
    assert [run["id"] for run in runs(stage) if run["kind"] == "apply" and not run["undone"]] == []


@ON_MODEL
def test_a_run_with_nothing_left_is_not_in_the_way_of_older_ones(stage: Stage) -> None:
    before = tables(stage)
    assert stage.tool(*APPLY, "--only", "worker-1").code == 0
    assert stage.tool(*APPLY, "--only", "worker-0").code == 0
    later, first = (run["id"] for run in runs(stage))
    stage.run("worker-0", "ip route flush root 10.200.0.0/16")
    answer = stage.tool(*UNDO)
    assert answer.code == 0, answer.out + answer.err
    assert "Nothing to undo" in answer.out
    assert f"{first} (" in answer.out
    assert {run["id"]: run["outcome"] for run in runs(stage)}[later] == "nothing left to undo"
    assert stage.tool(*UNDO).code == 0
    assert tables(stage) == before


@ON_MODEL
def test_a_file_that_cannot_be_read_is_not_taken_for_undone(stage: Stage) -> None:
    before = tables(stage)
    assert stage.tool(*APPLY).code == 0
    for node in NODES:
        stage.run(node, "ip route flush root 10.200.0.0/16")
    stage.run("controller-0", "mv /etc/hosts /etc/away")
    for _ in range(2):
        answer = stage.tool(*UNDO)
        assert answer.code == 1, answer.out + answer.err
        assert "controller-0: the workers' names were not changed" in answer.out
        assert "not read: controller-0" in answer.out
    stage.run("controller-0", "mv /etc/away /etc/hosts")
    assert stage.tool(*UNDO).code == 0
    assert tables(stage) == before


@ON_MODEL
def test_undo_host_by_host(stage: Stage) -> None:
    before = tables(stage)
    assert stage.tool(*APPLY).code == 0
    applied = tables(stage)
    answer = stage.tool(*UNDO, "--only", "worker-1")
    assert answer.code == 0, answer.out + answer.err
    assert tables(stage) == applied | {"worker-1": before["worker-1"]}
    assert runs(stage)[1]["outcome"] == "done; undone on worker-1"
    assert stage.tool(*UNDO).code == 0
    assert tables(stage) == before
    unknown = stage.tool(*UNDO, runs(stage)[-1]["id"], "--only", "worker-9")
    assert unknown.code == 2
    assert "No node is named worker-9." in unknown.err


@ON_MODEL
def test_a_host_that_cannot_be_reached_is_finished_later(stage: Stage, faults: Faults) -> None:
    before = tables(stage)
    assert stage.tool(*APPLY).code == 0
    faults.cut_off("worker-1")
    answer = stage.tool(*UNDO)
    assert answer.code == 1
    way_on = f"For the rest (worker-1), once it can be reached: kthw-routes undo {runs(stage)[1]['id']}"
    assert way_on in answer.out, answer.out
    assert is_done(stage, "worker-1")
    now = tables(stage)
    assert [n for n in others("worker-1") if now[n] != before[n]] == []
    again = stage.tool(*UNDO, "--only", "worker-1")
    assert again.code == 1
    assert way_on in again.out, "also where no host can be reached"
    faults.connect("worker-1")
    rest = stage.tool(*UNDO)
    assert rest.code == 0, rest.out + rest.err
    assert tables(stage) == before


@ON_MODEL
def test_undo_shows_the_plan_asks_and_needs_yes_without_a_terminal(stage: Stage) -> None:
    assert stage.tool(*APPLY).code == 0
    before = tables(stage)
    answer = stage.tool("undo")
    assert answer.code == 2
    assert "undo needs --yes" in answer.err
    assert tables(stage) == before
    document = stage.tool(*UNDO, "--json", "--only", "worker-0").json
    assert document["undoes"] == runs(stage)[1]["id"]
    (host,) = document["hosts"]
    assert [row["kind"] for row in host["routes"]] == ["remove", "remove"]
    assert {row["worker"] for row in host["routes"]} == {"worker-1", "worker-2"}
    assert [outcome["state"] for outcome in document["outcomes"]] == ["done"]


@ON_MODEL
def test_the_runs_are_listed_newest_first(stage: Stage) -> None:
    assert stage.tool("runs").out == "There are no runs yet.\n"
    assert stage.tool(*APPLY, "--only", "worker-0").code == 0
    assert stage.tool(*APPLY).code == 0
    (stage.state / "runs" / "notes").mkdir()
    answer = stage.tool("runs")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert re.match(
        r"\S+ \S+  +\S+Z-[0-9a-f]{4}  apply  \S.*  controller-0…2, worker-1, worker-2 .*  done *$", lines[2]
    ), answer.out
    assert re.search(r"  apply  Linode, ca-central  worker-0  +2  +done *$", lines[3]), answer.out
    assert "not the name of a run's folder" in answer.out


@ON_MODEL
def test_a_key_or_configuration_that_is_gone_is_a_sentence(stage: Stage, tmp_path: Path) -> None:
    assert stage.tool(*APPLY, "--only", "worker-0").code == 0
    (folder,) = stage.state.glob("runs/*")
    plan = json.loads((folder / "plan.json").read_text())
    plan["connection"]["ssh_config"] = str(tmp_path / "gone")
    (folder / "plan.json").write_text(json.dumps(plan))
    answer = stage.tool(*UNDO, env={"KTHW_ROUTES_SSH_CONFIG": ""})
    assert answer.code == 2
    assert f"The SSH configuration {tmp_path / 'gone'}, by which run {folder.name} reached the hosts" in answer.err
    assert pod_routes(stage, "worker-0") == wanted(stage, "worker-0")


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_run_that_was_killed_is_taken_back(stage: Stage, faults: Faults, point: str) -> None:
    before = make_a_mess(stage)
    hold = faults.hold("worker-1", "ip", "-force -batch", "before" if point == "before" else "after")
    tool = stage.start(*APPLY)
    hold.wait()
    tool.kill()
    hold.release()
    assert runs(stage)[0]["outcome"] == "interrupted"
    answer = stage.tool(*UNDO)
    assert answer.code == 0, answer.out + answer.err
    now = tables(stage)
    assert {n for n in NODES if now[n] != before[n]} == set()


def test_odd_routes_that_a_kernel_takes_are_read_and_given_back(stage: Stage) -> None:
    """The largest metric, a TOS, a protocol and a scope by number: what is read has to be given back."""
    hop = stage.internal("worker-1")
    for words in (
        f"10.200.2.0/24 via {hop} metric 4294967295",
        f"10.200.2.0/24 tos 0x10 via {hop}",
        f"10.200.1.128/25 via {hop} proto 255",
        "10.200.99.0/24 dev eth0 scope 200 proto 77",
    ):
        stage.run("worker-0", f"ip route add {words}")
    before = tables(stage)
    assert (answer := stage.tool(*APPLY)).code == 0, answer.out + answer.err
    assert is_done(stage, *others("worker-0"))
    assert (answer := stage.tool(*UNDO)).code == 0, answer.out + answer.err
    assert tables(stage) == before
