"""Records of large clusters: what an undo reads stays small, and nothing is written that it would refuse to read."""

import json
import tracemalloc
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import cast

import pytest

from kthw_routes.cluster import Cluster
from kthw_routes.errors import RecordError, UsageError
from kthw_routes.events import discard
from kthw_routes.options import Options
from kthw_routes.plan.changes import ChangeKind, HostPlan, Plan, RouteChange
from kthw_routes.plan.etc_hosts import edit
from kthw_routes.record.history import read_runs
from kthw_routes.record.journal import host_record
from kthw_routes.record.past_run import Kind, read_run
from kthw_routes.record.run import Run
from kthw_routes.workflow.read_hosts import Connections
from kthw_routes.workflow.results import Inspection, Review
from kthw_routes.workflow.workflow import Workflow

from .builders import bare_facts, controller, facts, internal, pod_route, worker
from .test_runs import write_run

FIRST = "20261121T101500Z-1abc"


class NoConnections:
    """Connections of a run that visits no host."""

    @property
    def described(self) -> Mapping[str, str | int | None]:
        """How the hosts are reached."""
        return {"user": "root", "port": 2222}

    def report_to(self, _tell: object) -> None:
        """Nothing happens beside the hosts."""


def settled(workers: int) -> Review:
    """An undo that finds every route as it was before the run, on so many workers."""
    members = Cluster(tuple(worker(n) for n in range(workers)))
    kept = [
        RouteChange(
            kind=ChangeKind.KEEP,
            prefix=IPv4Network(f"10.200.{n}.0/24"),
            worker=f"worker-{n}",
            next_hop=internal(n),
            has=(pod_route(n),),
            reason="as before the run already",
        )
        for n in range(workers)
    ]
    return Review(
        inspection=Inspection(members, bare_facts(members)),
        options=Options(),
        plan=Plan(tuple(HostPlan(f"worker-{n}", (*kept[:n], *kept[n + 1 :])) for n in range(workers))),
        findings=(),
        planner=lambda node, _facts: HostPlan(node.name),
        undoes=FIRST,
        settles=frozenset({"worker-0"}),
    )


def test_what_undo_reads_grows_with_the_nodes_not_with_their_square(tmp_path: Path) -> None:
    """With a row per route, the plan of some 400 workers was more than `undo` reads: they could not be undone."""
    review = settled(100)
    workflow = Workflow(cast("Connections", NoConnections()), Options(), tmp_path, discard)
    workflow.run(review)
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "plan.json").stat().st_size < 1000 * 100
    run = read_run(folder)
    assert (run.problem, run.kind, run.undoes, run.ssh.port) == (None, Kind.UNDO, FIRST, 2222)
    assert [(n.name, n.ssh, n.pod_cidr) for n in run.cluster] == [
        (n.name, n.ssh, n.pod_cidr) for n in review.inspection.cluster
    ]
    assert run.journal.states == {f"worker-{n}": "nothing to do" for n in range(100)}


@pytest.mark.parametrize(
    ("limit", "words"), [("record.run.MAX_PLAN_BYTES", "grow beyond"), ("record.json_values.MAX_VALUES", "more than")]
)
def test_no_plan_is_written_that_undo_would_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, words: str
) -> None:
    run = Run.begin(tmp_path)
    monkeypatch.setattr(f"kthw_routes.{limit}", 1000)
    with pytest.raises(RecordError, match=f"the plan would .*{words}"):
        run.write_plan({"nodes": list(range(1000))})
    assert not (run.folder / "plan.json").exists()
    run.close()


def test_no_line_of_the_journal_holds_more_values_than_undo_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.begin(tmp_path)
    monkeypatch.setattr("kthw_routes.record.json_values.MAX_VALUES", 1000)
    with pytest.raises(RecordError, match="the journal would hold more than"):
        run.journal({"host": "worker-0", "do": list(range(1000))})
    run.close()
    assert (run.folder / "journal.jsonl").read_text().count("\n") == 1, "nothing is sent without its record"


def journal_of_names(state: Path, number: int, content: bytes) -> Path:
    """The folder of a run that put a block into a large /etc/hosts."""
    names = edit(content, {"worker-1": internal(1)})
    todo = HostPlan("controller-0", names.names, hosts_file=names)
    record = json.dumps(host_record(todo, facts(controller(0))))
    return write_run(state, f"20261122T1015{number:02}Z-1abc", record)


def test_a_list_of_runs_keeps_no_contents_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All journals were in memory at once, with every /etc/hosts before and after."""
    monkeypatch.setattr("kthw_routes.record.past_run.MAX_PLAN_BYTES", 1 << 16)  # a buffer of this size is set aside
    content = b"# a line of somebody's\n" * 50_000
    folders = [journal_of_names(tmp_path, number, content) for number in range(8)]
    tracemalloc.start()
    try:
        runs = read_runs(tmp_path)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < len(content)
    assert most < 16 * len(content), "of one journal at a time, one line"
    run = runs.named(folders[0].name)
    assert run.rows == {("controller-0", "worker-1")}
    (record,) = run.with_records().journal.of("controller-0")
    assert record.hosts_file is not None
    assert record.hosts_file.before == content


def test_records_that_are_gone_since_the_list_was_read_are_a_sentence(tmp_path: Path) -> None:
    folder = journal_of_names(tmp_path, 1, b"")
    (run,) = read_runs(tmp_path)
    (folder / "journal.jsonl").write_bytes(b"\xff\n")
    with pytest.raises(
        UsageError, match=f"Run {run.id} cannot be undone: line 1 of .* cannot be read: it is not UTF-8"
    ):
        run.with_records()
    (folder / "journal.jsonl").unlink()
    with pytest.raises(UsageError, match=r"journal.jsonl cannot be read: No such file or directory"):
        run.with_records()
