"""The runs so far, read from their folders: outcomes, what was taken back, folders that are no runs."""

import json
import re
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from kthw_routes.cli.undo import list_runs, run_json
from kthw_routes.errors import UsageError
from kthw_routes.options import Settings
from kthw_routes.plan.changes import HostPlan, RollbackChange
from kthw_routes.plan.compare import make
from kthw_routes.record.history import read_runs
from kthw_routes.record.journal import host_record
from kthw_routes.record.json_plan import plan_document
from kthw_routes.record.past_run import Kind, read_run
from tests.unit.builders import bare_facts, cluster

NODES = cluster(2, 0)
FACTS = bare_facts(NODES)
PLAN = make(NODES, FACTS)
FIRST, SECOND, THIRD = (f"2026112{n}T101500Z-{n}abc" for n in range(1, 4))


def write_run(state: Path, name: str, *lines: str, undoes: str = "", **connection: object) -> Path:
    """A run's folder with this journal."""
    folder = state / "runs" / name
    folder.mkdir(parents=True)
    document = {
        **plan_document(NODES, PLAN, ()),
        "kind": "undo" if undoes else "apply",
        "undoes": undoes or None,
        "connection": connection,
    }
    (folder / "plan.json").write_text(json.dumps(document))
    (folder / "journal.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


def begun(host: str) -> str:
    """The record of what is about to be done on a host."""
    return json.dumps(host_record(PLAN.host(host) or HostPlan(host), FACTS[host]))


def ended(host: str, state: str = "done", **failed: str) -> str:
    return json.dumps({"host": host, "state": state, "failed": failed})


def end(**states: str) -> str:
    return json.dumps({"end": {name.replace("_", "-"): state for name, state in states.items()}})


BOTH = (begun("worker-0"), begun("worker-1"), ended("worker-0"), ended("worker-1"))
END = end(worker_0="done", worker_1="done")


def outcomes(state: Path) -> list[str]:
    runs = read_runs(state)
    return [runs.outcome(run) for run in runs]


def test_a_run_is_read_with_its_nodes_and_its_way_to_them(tmp_path: Path) -> None:
    folder = write_run(tmp_path, FIRST, *BOTH, END, identity="/keys/k", user="root", port=2222, source="Linode")
    run = read_run(folder)
    assert run.problem is None
    assert [(n.name, n.ssh, n.internal, n.pod_cidr) for n in run.cluster] == [
        (n.name, n.ssh, n.internal, n.pod_cidr) for n in NODES
    ]
    assert (str(run.ssh.identity), run.ssh.port, run.ssh.ssh_config) == ("/keys/k", 2222, None)
    assert run.hosts == ("worker-0", "worker-1")
    assert run.rows == {("worker-0", "10.200.1.0/24"), ("worker-1", "10.200.0.0/24")}
    assert isinstance(run.with_records().journal.records[0].routes[0].after[0].gateway, IPv4Address)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((*BOTH, END), "done"),
        (BOTH, "interrupted"),
        (BOTH[:2], "interrupted"),
        ((), "broke off before anything was changed"),
        ((end(worker_0="failed"),), "nothing was changed"),
        ((*BOTH[:2], ended("worker-0"), end(worker_0="done", worker_1="failed")), "not done on worker-1"),
    ],
)
def test_how_a_run_ended(tmp_path: Path, lines: tuple[str, ...], words: str) -> None:
    write_run(tmp_path, FIRST, *lines)
    assert outcomes(tmp_path) == [words]


def test_an_undo_counts_host_by_host_and_until_it_is_undone_itself(tmp_path: Path) -> None:
    write_run(tmp_path, FIRST, *BOTH, END)
    write_run(tmp_path, SECOND, begun("worker-0"), ended("worker-0"), end(worker_0="done"), undoes=FIRST)
    assert outcomes(tmp_path) == ["done", "done; undone on worker-0"]
    runs = read_runs(tmp_path)
    assert runs.newest() == runs[1]
    write_run(tmp_path, THIRD, *BOTH, END, undoes=FIRST)
    runs = read_runs(tmp_path)
    assert runs.outcome(runs[2]) == f"undone by {THIRD}"
    assert runs.newest() is None
    redo = "20261129T101500Z-9abc"
    write_run(tmp_path, redo, *BOTH, END, undoes=THIRD)
    runs = read_runs(tmp_path)
    assert runs.outcome(runs[3]) == "done; undone on worker-0", "what was done again on worker-1 is done"
    assert runs[0].kind is Kind.UNDO


def test_a_host_that_an_undo_did_not_finish_is_not_undone(tmp_path: Path) -> None:
    write_run(tmp_path, FIRST, *BOTH, END)
    write_run(tmp_path, SECOND, *BOTH[:2], ended("worker-0"), undoes=FIRST)
    assert outcomes(tmp_path) == ["interrupted", "done; undone on worker-0"]


def test_a_line_that_was_cut_does_not_count_and_any_other_does(tmp_path: Path) -> None:
    folder = write_run(tmp_path, FIRST, *BOTH)
    journal = folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    run = read_run(folder)
    assert run.problem is None
    assert "worker-1" not in run.journal.states
    journal.write_text(f"{begun('worker-0')}\n{begun('worker-1')[:100]}\n{ended('worker-0')}\n")
    assert str(read_run(folder).problem).startswith(f"line 2 of {journal} cannot be read: it is not JSON: ")


def test_what_is_no_run_is_told_and_in_nobodys_way(tmp_path: Path) -> None:
    write_run(tmp_path, SECOND, *BOTH, END)
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "file").write_text("")
    (tmp_path / "runs" / FIRST).mkdir()
    broken = write_run(tmp_path, THIRD, *BOTH)
    (broken / "plan.json").write_text("{")
    assert outcomes(tmp_path) == [
        "unreadable: not the name of a run's folder",
        f"unreadable: {broken / 'plan.json'} cannot be read: it is not JSON: "
        "Expecting property name enclosed in double quotes (line 1, column 2)",
        "done",
        f"unreadable: {tmp_path / 'runs' / FIRST / 'journal.jsonl'} cannot be read: No such file or directory",
    ]
    assert read_runs(tmp_path / "nowhere").newest() is None


def test_a_run_is_named_by_either_end_of_its_name(tmp_path: Path) -> None:
    for name in (FIRST, SECOND):
        write_run(tmp_path, name, *BOTH, END)
    runs = read_runs(tmp_path)
    for word in (FIRST, FIRST[:8], FIRST[-4:]):
        assert runs.named(word).id == FIRST
    with pytest.raises(UsageError, match="There is no run 2025"):
        runs.named("2025")
    with pytest.raises(UsageError, match="Several runs are named so"):
        runs.named("2026")


NOTHING = end(worker_0="nothing to do", worker_1="nothing to do")


def test_a_run_of_which_nothing_was_left_is_over_and_the_one_before_it_is_next(tmp_path: Path) -> None:
    write_run(tmp_path, FIRST, *BOTH, END)
    write_run(tmp_path, SECOND, *BOTH, END)
    write_run(tmp_path, THIRD, NOTHING, undoes=SECOND)
    assert outcomes(tmp_path) == ["nothing was changed", "nothing left to undo", "done"]
    runs = read_runs(tmp_path)
    assert runs.newest() == runs[2]
    assert runs.newest(before=runs[2]) is None


def test_what_waits_for_a_later_run_is_not_over(tmp_path: Path) -> None:
    write_run(tmp_path, FIRST, *BOTH, END)
    write_run(tmp_path, SECOND, json.dumps({"left": ["worker-1"]}), NOTHING, undoes=FIRST)
    runs = read_runs(tmp_path)
    assert runs.undone(runs[1]) == {"worker-0": SECOND}
    assert runs.newest() == runs[1]


def test_a_later_run_counts_on_those_hosts_where_it_was_not_taken_back(tmp_path: Path) -> None:
    write_run(tmp_path, FIRST, *BOTH, END)
    write_run(tmp_path, SECOND, *BOTH, END)
    write_run(tmp_path, THIRD, begun("worker-0"), ended("worker-0"), end(worker_0="done"), undoes=SECOND)
    runs = read_runs(tmp_path)
    assert runs.later_rows(runs.named(FIRST)) == {("worker-1", "10.200.0.0/24"): SECOND}


def test_the_newest_later_run_about_a_row_is_known(tmp_path: Path) -> None:
    write_run(tmp_path, FIRST, *BOTH, END)
    write_run(tmp_path, SECOND, begun("worker-0"), ended("worker-0"), end(worker_0="done"))
    write_run(tmp_path, THIRD, begun("worker-0"), ended("worker-0"), end(worker_0="done"), undoes=SECOND)
    runs = read_runs(tmp_path)
    assert runs.later_rows(runs.named(FIRST)) == {}
    (tmp_path / "runs" / THIRD / "journal.jsonl").write_text("")
    runs = read_runs(tmp_path)
    assert runs.later_rows(runs.named(FIRST)) == {("worker-0", "10.200.1.0/24"): SECOND}


def test_the_list_tells_which_cluster_and_which_hosts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, FIRST, *BOTH, END, source="inventory nodes.toml")
    third = [begun("worker-0").replace("worker-0", "worker-2"), ended("worker-2")]
    write_run(tmp_path, SECOND, *BOTH, *third, end(worker_0="done"), source="Linode")
    plan = tmp_path / "runs" / SECOND / "plan.json"
    plan.write_text(plan.read_text().replace('"region": null', '"region": "eu-west"'))
    list_runs(Settings(state=tmp_path), as_json=False)
    rows = capsys.readouterr().out.splitlines()
    assert re.search(r"  apply  Linode, eu-west +worker-0…2 +3 ", rows[-2])
    assert re.search(r"  apply  inventory nodes\.toml +worker-0, worker-1 +2 ", rows[-1])


def dead_man(host: str, rollback: str, at: str | None = None) -> str:
    return json.dumps({"host": host, "dead_man": rollback} | ({"fires_at": at} if at else {}))


PAST, AHEAD = "2026-11-21T10:15:20+00:00", "2999-01-01T00:00:00+00:00"


def clock(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([dead_man("worker-0", "armed", PAST), dead_man("worker-0", "kept")], "done"),
        (
            [dead_man("worker-0", "armed", PAST), dead_man("worker-0", "fired")],
            "done; rolled back automatically on worker-0",
        ),
        (
            [dead_man("worker-0", "armed", AHEAD), dead_man("worker-0", "armed")],
            f"done; rolls back automatically at {clock(AHEAD)} on worker-0",
        ),
        (
            [dead_man("worker-0", "armed", PAST), dead_man("worker-1", "armed", PAST)],
            f"done; was to roll back automatically at {clock(PAST)} on worker-0, worker-1",
        ),
    ],
)
def test_what_the_hosts_did_by_themselves_is_told(tmp_path: Path, lines: list[str], words: str) -> None:
    write_run(tmp_path, FIRST, *BOTH, *lines, END)
    assert outcomes(tmp_path) == [words]


def test_a_switch_that_a_later_run_called_off_is_no_news(tmp_path: Path) -> None:
    write_run(tmp_path, FIRST, *BOTH, dead_man("worker-0", "armed", PAST), dead_man("worker-1", "armed", PAST))
    todo = json.dumps(host_record(HostPlan("worker-0", (RollbackChange(FIRST),)), FACTS["worker-0"]))
    later = write_run(tmp_path, SECOND, todo)
    told = f"interrupted; was to roll back automatically at {clock(PAST)} on "
    assert outcomes(tmp_path)[1] == f"{told}worker-0, worker-1", "nobody knows how far that run came"
    (later / "journal.jsonl").write_text(f"{todo}\n{ended('worker-0', 'not confirmed')}\n")
    assert outcomes(tmp_path)[1] == f"{told}worker-0, worker-1", "the connection broke before it was reached"
    cancelled = json.dumps({"host": "worker-0", "called_off": FIRST})
    (later / "journal.jsonl").write_text(f"{todo}\n{cancelled}\n{ended('worker-0', 'not confirmed')}\n")
    runs = read_runs(tmp_path)
    assert runs.outcome(runs[1]) == f"{told}worker-1"
    assert [one.rollback for one in runs.rollbacks(runs[1]).values()] == ["kept", "armed"]
    assert '"by_itself": "kept"' in json.dumps(run_json(runs[1], runs))
