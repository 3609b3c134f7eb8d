"""The run's folder and the lock."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kthw_routes.events import Event, EventKind, Step
from kthw_routes.record import AnotherRun, ClusterLock, RecordError, Run, state_folder


def test_of_two_runs_within_a_second_the_later_one_sorts_behind(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
    names = []
    for _ in range(8):
        run = Run.begin(tmp_path, moment)
        names.append(run.folder.name)
        run.close()
    assert names == sorted(set(names))


def test_folder_and_files_are_private(tmp_path: Path) -> None:
    run = Run.begin(tmp_path / "state", datetime(2026, 11, 22, 14, 2, 9, tzinfo=UTC))
    run.write_plan({"version": 1})
    run.journal({"host": "worker-0"})
    run.close()
    assert run.folder.name.startswith("20261122T140209Z-")
    assert len(run.folder.name) == len("20261122T140209Z-7c1e")
    for folder in (tmp_path / "state", run.folder.parent, run.folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = sorted(run.folder.iterdir())
    assert [f.name for f in files] == ["journal.jsonl", "plan.json", "transcript.md"]
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    assert json.loads((run.folder / "plan.json").read_text()) == {"version": 1}


def test_a_journal_record_is_there_at_once(tmp_path: Path) -> None:
    run = Run.begin(tmp_path)
    run.journal({"host": "worker-0", "do": ["route add 10.200.1.0/24 via 1.2.3.4"]})
    lines = (run.folder / "journal.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["do"] == ["route add 10.200.1.0/24 via 1.2.3.4"]
    run.close()


def test_a_hosts_text_never_becomes_markdown(tmp_path: Path) -> None:
    run = Run.begin(tmp_path)
    run.tell(Event(Step.RUN, EventKind.OUTPUT, "``` # not a heading [x](y)", "worker-0"))
    run.close()
    text = run.transcript.read_text()
    assert all(line.startswith("    ") for line in text.splitlines())


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="cannot be made"):
        Run.begin(tmp_path / "file" / "state")


def test_one_run_per_cluster(tmp_path: Path) -> None:
    with ClusterLock(tmp_path, ["worker-0 10.0.0.1", "worker-1 10.0.0.2"]):
        with pytest.raises(AnotherRun), ClusterLock(tmp_path, ["worker-1 10.0.0.2", "worker-0 10.0.0.1"]):
            raise AssertionError("two runs at a time")
        with pytest.raises(AnotherRun), ClusterLock(tmp_path, ["worker-0 10.0.0.1"]):
            raise AssertionError("a part of a cluster is not another one")
        with ClusterLock(tmp_path, ["worker-0 10.0.0.3"]):
            pass
    with ClusterLock(tmp_path, ["worker-0 10.0.0.1", "worker-1 10.0.0.2"]):
        pass


def test_the_state_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "kthw-routes"
