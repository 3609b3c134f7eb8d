"""The run's folder and the lock."""

import errno
import json
import os
import resource
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kthw_routes.errors import RecordError
from kthw_routes.events import Event, EventKind, Phase
from kthw_routes.local_files import state_folder
from kthw_routes.record.lock import AnotherRun, ClusterLock
from kthw_routes.record.run import Place, Run, place_of


def test_of_two_runs_within_a_second_the_later_one_sorts_behind(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
    names = []
    for _ in range(8):
        run = Run.begin(tmp_path, moment)
        names.append(run.folder.name)
        run.close()
    assert names == sorted(set(names))


def test_runs_are_numbered_in_the_order_in_which_they_begin_whatever_the_clock_says(tmp_path: Path) -> None:
    old = tmp_path / "runs" / "20261122T101500Z-0abc"
    old.mkdir(parents=True)
    moment = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
    folders = []
    for at in (moment, moment - timedelta(days=1), moment + timedelta(days=1)):
        run = Run.begin(tmp_path, at)
        run.close()
        folders.append(run.folder)
    assert [place_of(folder) for folder in folders] == [Place(number, old.name) for number in (1, 2, 3)]
    (folders[2] / "journal.jsonl").write_bytes(b"\xff")
    assert Run.begin(tmp_path, moment).folder > folders[0], "the journal's first line is not needed for the name"
    assert place_of(folders[2]) is None


def test_the_place_of_a_run_stands_in_its_plan_too(tmp_path: Path) -> None:
    run = Run.begin(tmp_path)
    run.write_plan({"version": 1})
    run.close()
    (run.folder / "journal.jsonl").write_bytes(b"\xff")
    assert place_of(run.folder) == Place(1)


def test_runs_that_begin_at_once_have_different_numbers(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(lambda _: Run.begin(tmp_path, moment).folder, range(32)))
    assert sorted(place.sequence for folder in folders if (place := place_of(folder))) == list(range(1, 33))
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted(f.name for f in folders)


def test_no_journal_grows_beyond_what_undo_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.begin(tmp_path)
    monkeypatch.setattr("kthw_routes.record.run.MAX_JOURNAL_BYTES", 1000)
    run.journal({"host": "worker-0"})
    with pytest.raises(RecordError, match="would grow beyond"):
        run.journal({"host": "worker-0", "do": ["x" * 1000]})
    assert (run.folder / "journal.jsonl").read_text().count("\n") == 2
    run.close()


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
    assert json.loads((run.folder / "plan.json").read_text()) == {"sequence": 1, "after": "", "version": 1}


def test_a_journal_record_is_there_at_once(tmp_path: Path) -> None:
    run = Run.begin(tmp_path)
    run.journal({"host": "worker-0", "do": ["route add 10.200.1.0/24 via 1.2.3.4"]})
    lines = (run.folder / "journal.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["begin"] == 1
    assert json.loads(lines[1])["do"] == ["route add 10.200.1.0/24 via 1.2.3.4"]
    run.close()


def test_a_hosts_text_never_becomes_markdown(tmp_path: Path) -> None:
    run = Run.begin(tmp_path)
    run.log(Event(Phase.RUN, EventKind.OUTPUT, "``` # not a heading [x](y)", "worker-0"))
    run.close()
    text = run.transcript.read_text()
    assert all(line.startswith("    ") for line in text.splitlines())


def broken_write(monkeypatch: pytest.MonkeyPatch, code: int, fits: int = 7) -> list[bool]:
    """Let writes fail after some bytes while the returned list holds True."""
    fails, real = [True], os.write

    def write(handle: int, data: bytes) -> int:
        if not fails[0]:
            return real(handle, data)
        if len(data) > fits and os.fstat(handle).st_size == sizes.setdefault(handle, os.fstat(handle).st_size):
            return real(handle, data[:fits])
        raise OSError(code, os.strerror(code))

    sizes: dict[int, int] = {}
    monkeypatch.setattr(os, "write", write)
    return fails


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG, errno.EROFS])
def test_no_part_of_a_line_stays_in_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    run = Run.begin(tmp_path)
    run.journal({"host": "worker-0"})
    fails = broken_write(monkeypatch, code)
    with pytest.raises(RecordError, match=os.strerror(code)):
        run.journal({"host": "worker-1"})
    assert not run.note({"host": "worker-2"})
    fails[0] = False
    run.journal({"host": "worker-3"})
    run.close()
    _begin, *lines = (run.folder / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["host"] for line in lines] == ["worker-0", "worker-3"]
    assert os.strerror(code) in str(run.problem), "it is not forgotten that a record is missing"


def test_a_part_of_a_line_that_cannot_be_taken_away_at_once_is_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.begin(tmp_path)
    fails = broken_write(monkeypatch, errno.EIO)
    real = os.ftruncate

    def cut(handle: int, size: int) -> None:
        if fails[0]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(handle, size)

    monkeypatch.setattr(os, "ftruncate", cut)
    with pytest.raises(RecordError):
        run.journal({"host": "worker-0"})
    with pytest.raises(RecordError):
        run.journal({"host": "worker-1"})
    fails[0] = False
    run.journal({"host": "worker-2"})
    run.close()
    _begin, line = (run.folder / "journal.jsonl").read_text().splitlines()
    assert json.loads(line)["host"] == "worker-2"


def test_a_line_that_does_not_reach_the_disk_is_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.begin(tmp_path)

    def fsync(_handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(RecordError, match="Input/output error"):
        run.journal({"host": "worker-0"})
    run.close()


def test_what_the_transcript_lacks_is_counted_and_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.begin(tmp_path)
    run.write(["# a run"])
    fails = broken_write(monkeypatch, errno.ENOSPC)
    for number in range(3):
        run.log(Event(Phase.RUN, EventKind.OUTPUT, f"line {number}", "worker-0"))
    fails[0] = False
    run.write(["the end"])
    run.close()
    assert run.transcript.read_text() == "# a run\nthe end\n"
    assert run.transcript_problem == "The transcript lacks 3 parts that could not be written: No space left on device."
    assert run.problem is None


@pytest.mark.parametrize(
    "fault",
    [
        shutil.rmtree,
        lambda folder: folder.rename(folder.with_name("elsewhere")),
        lambda folder: (folder / "journal.jsonl").unlink(),
        lambda folder: (folder / "journal.jsonl").rename(folder / "old"),
        lambda folder: (folder / "plan.json").unlink(),
        lambda folder: (
            shutil.copy(folder / "journal.jsonl", folder / "x") and (folder / "x").replace(folder / "journal.jsonl")
        ),
    ],
)
def test_a_record_in_a_folder_that_is_gone_is_no_record(tmp_path: Path, fault: Callable[[Path], object]) -> None:
    """Writing to what was removed succeeds."""
    run = Run.begin(tmp_path)
    run.write_plan({"version": 1})
    run.journal({"host": "worker-0"})
    fault(run.folder)
    with pytest.raises(RecordError, match="was removed or replaced while the run was under way"):
        run.journal({"host": "worker-1"})
    assert run.is_gone
    run.close()


@pytest.mark.parametrize("name", ["transcript.md", "journal.jsonl", "plan.json"])
def test_what_is_gone_at_the_end_is_a_problem_too(tmp_path: Path, name: str) -> None:
    run = Run.begin(tmp_path)
    run.write_plan({"version": 1})
    (run.folder / name).unlink()
    run.close()
    assert "was removed or replaced" in str(run.problem)


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


def words(numbers: range) -> list[str]:
    return [f"worker-{n} 10.0.{n // 256}.{n % 256}" for n in numbers]


def test_every_node_of_a_large_cluster_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 workers, those behind the first 64 by name were not."""
    monkeypatch.setattr(resource, "getrlimit", lambda _of: (1024, 4096))
    with ClusterLock(tmp_path, words(range(200))):
        for number in range(200):
            with pytest.raises(AnotherRun), ClusterLock(tmp_path, words(range(number, number + 1))):
                raise AssertionError("two runs at a time")
        with ClusterLock(tmp_path, words(range(200, 300))):
            pass


def test_where_files_are_few_large_clusters_that_overlap_still_exclude_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _of: (1024, 4096))
    with ClusterLock(tmp_path, words(range(1000))):
        assert len(list((tmp_path / "locks").iterdir())) == 64, "the other files are for connections"
        with pytest.raises(AnotherRun), ClusterLock(tmp_path, words(range(300, 1300))):
            raise AssertionError("two runs at a time")


def test_the_state_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "kthw-routes"
