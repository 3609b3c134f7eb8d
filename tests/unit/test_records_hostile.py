"""Records that anybody may have written: each is a run or a problem in a sentence, none is passed over in silence."""

import json
import os
import shutil
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kthw_routes.cli.undo import chosen, list_runs, run_json, undo
from kthw_routes.errors import ExitCode, UsageError
from kthw_routes.iproute2.commands import RouteCommand, Verb, pod_route
from kthw_routes.iproute2.edits import Edit
from kthw_routes.options import Settings
from kthw_routes.persistence.unit import TIMER
from kthw_routes.plan.changes import ChangeKind, FileChange, ForwardingChange, HostPlan, RollbackChange, RouteChange
from kthw_routes.plan.etc_hosts import edit
from kthw_routes.record import json_values
from kthw_routes.record.history import read_runs
from kthw_routes.record.journal import host_record
from kthw_routes.record.past_run import Kind, PastRun, read_run
from kthw_routes.record.run import Run
from kthw_routes.sanitize import clean_line
from tests.unit.builders import facts, ip, net, worker
from tests.unit.test_runs import BOTH, END, FIRST, SECOND, THIRD, write_run


def whole_record() -> dict[str, Any]:
    """What is about to be done on worker-0: of each kind something."""
    prefix, hop = net("10.200.1.0/24"), ip("192.168.128.11")
    sent = pod_route(prefix, hop)
    add = RouteCommand(Verb.ADD, sent), RouteCommand(Verb.DELETE, sent)
    route = RouteChange(
        kind=ChangeKind.ADD,
        prefix=prefix,
        worker="worker-1",
        next_hop=hop,
        has=(),
        reason="missing",
        edit=Edit(add[:1], add[1:]),
    )
    names = edit(b"127.0.0.1 localhost\n", {"worker-1": hop})
    todo = HostPlan(
        "worker-0",
        (
            RollbackChange(SECOND),
            route,
            *names.names,
            FileChange(
                kind=ChangeKind.REPLACE,
                path=TIMER,
                before=b"old",
                after=b"new",
                mode=0o644,
                reason="another",
                before_mode=0o644,
            ),
            ForwardingChange(True),
        ),
        hosts_file=names,
    )
    record: dict[str, Any] = json.loads(json.dumps(host_record(todo, facts(worker(0), [sent]))))
    return record


ENTRIES: list[dict[str, Any]] = [
    {"time": "2026-11-22T10:15:00+00:00", "begin": 3, "after": FIRST},
    whole_record(),
    {"host": "worker-0", "dead_man": "armed", "fires_at": "2026-11-22T10:20:00+00:00"},
    {"host": "worker-0", "called_off": SECOND},
    {"host": "worker-0", "state": "done", "failed": {"10.200.1.0/24": "refused"}},
    {"left": ["worker-0"]},
    {"end": {"worker-0": "done"}},
]

STRANGE: st.SearchStrategy[object] = st.sampled_from(
    [
        None,
        True,
        -1,
        10**30,
        1.5,
        "",
        "x" * 5000,
        "²",
        "a\nb",
        "\x1b[2J",
        "\ud800",
        "../..",
        [],
        {},
        [[]],
        {"a": None},
        2**64,
    ]
)


def places(value: object, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The ways to every value within another."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for key, item in inner for place in places(item, (*way, key)))]


def mutated(value: Any, way: tuple[str | int, ...], strange: object, *, gone: bool) -> Any:
    """The value with another in one place, or none."""
    if not way:
        return strange
    value = deepcopy(value)
    at = value
    for key in way[:-1]:
        at = at[key]
    if gone:
        del at[way[-1]]
    else:
        at[way[-1]] = strange
    return value


def told(state: Path) -> None:
    """List the runs in both forms, and look at what `undo` would come to, named and not; all without an exception."""
    list_runs(Settings(state=state), as_json=False)
    list_runs(Settings(state=state), as_json=True)
    runs = read_runs(state)
    for word in (None, *(run.id for run in runs)):
        run, sentence = None, ""
        try:
            run = chosen(runs, word)
        except UsageError as error:
            sentence = error.sentence
        assert clean_line(sentence) == sentence
        if run is not None:
            assert not run.problem
            runs.later_rows(run)
            assert json.dumps(run_json(run, runs))
            assert run.to_visit is not None


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_value_in_a_record_gives_a_run_or_a_problem(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    state = tmp_path_factory.mktemp("state")
    try:
        folder = write_run(state, THIRD, *BOTH, END, identity="/k", user="root", port=22, source="Linode")
        write_run(state, SECOND, *BOTH, END)
        plan = json.loads((folder / "plan.json").read_text())
        strange, gone = data.draw(STRANGE), data.draw(st.booleans())
        entries = list(ENTRIES)
        if data.draw(st.booleans()):
            plan = mutated(plan, data.draw(st.sampled_from(places(plan))), strange, gone=gone)
        else:
            number = data.draw(st.integers(0, len(entries) - 1))
            place = data.draw(st.sampled_from(places(entries[number])))
            entries[number] = mutated(entries[number], place, strange, gone=gone)
        (folder / "plan.json").write_text(json.dumps(plan))
        (folder / "journal.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
        told(state)
    finally:
        shutil.rmtree(state)


@given(st.binary(max_size=200), st.booleans(), st.integers(0, 3000))
@settings(max_examples=100, deadline=None)
def test_any_bytes_in_a_record_give_a_run_or_a_problem(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, in_plan: bool, at: int
) -> None:
    state = tmp_path_factory.mktemp("state")
    try:
        folder = write_run(state, THIRD, *(json.dumps(entry) for entry in ENTRIES))
        file = folder / ("plan.json" if in_plan else "journal.jsonl")
        whole = file.read_bytes()
        file.write_bytes(whole[:at] + noise + whole[at + len(noise) :])
        told(state)
    finally:
        shutil.rmtree(state)


TEXTS: dict[str, bytes] = {
    "deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 200_000,
    "no number": b'{"a": NaN}',
    "infinite": b'{"a": -Infinity}',
    "long number": b'{"a": ' + b"9" * 100_000 + b"}",
    "twice": b'{"a": 1, "a": 2}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "no UTF-8": b'{"a": "\xff"}',
    "zeros": b"\0" * 1000,
    "BOM": b'\xef\xbb\xbf{"a": 1}',
    "empty": b"",
    "a word": b"null",
    "an array": b"[]",
    "60 MB": b"x" * 60_000_000,
    "many values": b"[" + b"1," * 5_000_000 + b"1]",
}


@pytest.mark.parametrize("name", ["plan.json", "journal.jsonl"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_texts_that_are_no_record_are_a_problem_which_names_the_file(tmp_path: Path, text: bytes, name: str) -> None:
    folder = write_run(tmp_path, THIRD, *BOTH)
    write_run(tmp_path, SECOND, *BOTH, END)
    (folder / name).write_bytes(text + b"\n")
    problem = str(read_run(folder).problem)
    line = "line 1 of " if name == "journal.jsonl" else ""
    assert problem.startswith(f"{line}{folder / name} cannot be read: "), problem[:200]
    assert len(problem) < 400
    with pytest.raises(UsageError, match=f"{THIRD}, cannot be read") as caught:
        undo(Settings(state=tmp_path), None, as_json=False, yes=True)
    assert caught.value.exit_code is ExitCode.USAGE
    assert f"`kthw-routes undo {SECOND}` undoes the one before it" in caught.value.hint


@pytest.mark.parametrize("limit", ["record.journal.MAX_JOURNAL_BYTES", "record.past_run.MAX_PLAN_BYTES"])
def test_more_than_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    folder = write_run(tmp_path, THIRD, *BOTH)
    monkeypatch.setattr(f"kthw_routes.{limit}", 1024)
    assert " cannot be read: it is larger than 1 KiB" in str(read_run(folder).problem)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def gone(path: Path) -> None:
    """Leave nothing in its place."""


@pytest.mark.parametrize("instead", [fifo, Path.mkdir, device, gone, lambda path: path.symlink_to(path)])
@pytest.mark.parametrize("name", ["plan.json", "journal.jsonl"])
def test_what_is_no_file_in_a_records_place_is_a_problem_at_once(
    tmp_path: Path, name: str, instead: Callable[[Path], None]
) -> None:
    folder = write_run(tmp_path, THIRD, *BOTH)
    write_run(tmp_path, SECOND, *BOTH, END)
    (folder / name).unlink()
    instead(folder / name)
    assert " cannot be read: " in str(read_run(folder).problem)
    told(tmp_path)
    with pytest.raises(UsageError, match=f"{THIRD}, cannot be read"):
        chosen(read_runs(tmp_path), None)


@pytest.mark.parametrize("instead", [fifo, device, lambda path: path.write_text("")])
def test_what_is_no_folder_in_a_runs_place_is_a_problem(tmp_path: Path, instead: Callable[[Path], None]) -> None:
    write_run(tmp_path, SECOND, *BOTH, END)
    instead(tmp_path / "runs" / THIRD)
    assert read_runs(tmp_path)[0].problem.endswith("journal.jsonl cannot be read: Not a directory")
    told(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "20261399T101500Z-1abc",
        "00010101T000000Z-1abc",
        "99991231T235959Z-1abc",
        "２０２６1122T101500Z-1abc",
        "x\ny",
        "\udcff",
    ],
)
@pytest.mark.parametrize("is_record", [True, False])
def test_a_folder_of_an_impossible_name_is_told_and_stops_undo_where_a_record_lies_in_it(
    tmp_path: Path, name: str, is_record: bool
) -> None:
    write_run(tmp_path, FIRST, *BOTH, END)
    folder = write_run(tmp_path, name, *BOTH)
    if not is_record:
        shutil.rmtree(folder)
        folder.mkdir()
    told(tmp_path)
    runs = read_runs(tmp_path)
    (strange,) = (run for run in runs if run.problem)
    assert strange.problem == "not the name of a run's folder"
    newest = runs.newest()
    assert newest is not None
    assert newest.id == (strange.id if is_record and runs[0] is strange else FIRST)


@pytest.mark.parametrize(
    "undoes", [{FIRST: FIRST}, {FIRST: SECOND, SECOND: FIRST}, {FIRST: SECOND, SECOND: THIRD, THIRD: FIRST}]
)
def test_runs_that_take_back_one_another_are_a_problem(tmp_path: Path, undoes: dict[str, str]) -> None:
    for name in (FIRST, SECOND, THIRD):
        write_run(tmp_path, name, *BOTH, END, undoes=undoes.get(name, ""))
    runs = read_runs(tmp_path)
    assert {run.id for run in runs if run.problem} == set(undoes)
    assert all("its plan says that it undoes " in run.problem for run in runs if run.problem)
    told(tmp_path)


def test_a_long_row_of_undos_of_undos_is_read(tmp_path: Path) -> None:
    names = [f"20261122T{n // 3600:02}{n // 60 % 60:02}{n % 60:02}Z-0abc" for n in range(1500)]
    for before, name in zip(["", *names], names, strict=False):
        write_run(tmp_path, name, *BOTH, END, undoes=before)
    runs = read_runs(tmp_path)
    assert runs.is_undone(runs[-1]) is (len(names) % 2 == 0)


# --- which run a bare undo comes to -----------------------------------------------------------------------------


def begun_at(state: Path, when: str, *lines: str, broken: str = "") -> str:
    """A run that began by that clock; its name. `broken`: the file of it that cannot be read."""
    run = Run.begin(state, datetime.fromisoformat(when))
    name = run.folder.name
    run.close()
    journal = run.folder / "journal.jsonl"
    begin = journal.read_text()
    shutil.copytree(write_run(state / "other", name, *lines), run.folder, dirs_exist_ok=True)
    journal.write_text(begin + "".join(f"{line}\n" for line in lines))
    if broken:
        (run.folder / broken).write_text("{\n")
    return name


def test_the_newest_run_is_the_one_that_began_last_also_where_the_clock_was_set_back(tmp_path: Path) -> None:
    write_run(tmp_path, FIRST, *BOTH, END)
    begun_at(tmp_path, "2026-11-22T10:15:00+00:00", *BOTH, END)
    last = begun_at(tmp_path, "2026-11-20T10:15:00+00:00", *BOTH, END)
    runs = read_runs(tmp_path)
    newest: PastRun = runs[0]
    first: PastRun = runs[1]
    assert (newest.id, runs[-1].id) == (last, FIRST)
    assert runs.newest() is newest
    assert {row[1] for row in runs.later_rows(first)} == {"10.200.0.0/24", "10.200.1.0/24"}
    assert runs.later_rows(newest) == {}
    of_earlier_version = "20261125T101500Z-0abc"
    write_run(tmp_path, of_earlier_version, *BOTH, END)
    assert read_runs(tmp_path)[0].id == of_earlier_version, "it was not there when the others began"


@pytest.mark.parametrize("broken", ["plan.json", "journal.jsonl"])
def test_an_unreadable_newest_run_stops_undo_wherever_the_clock_stood(tmp_path: Path, broken: str) -> None:
    older = begun_at(tmp_path, "2026-11-22T10:15:00+00:00", *BOTH, END)
    last = begun_at(tmp_path, "2026-11-20T10:15:00+00:00", *BOTH, END, broken=broken)
    with pytest.raises(UsageError, match=f"{last}, cannot be read, so nothing is undone: .*{broken}"):
        chosen(read_runs(tmp_path), None)
    runs = read_runs(tmp_path)
    named = chosen(runs, older)
    assert named is not None
    assert [run.id for run in runs.unread_after(named)] == [last]


def test_an_unreadable_older_run_is_in_nobodys_way(tmp_path: Path) -> None:
    begun_at(tmp_path, "2026-11-22T10:15:00+00:00", *BOTH, END, broken="plan.json")
    last = begun_at(tmp_path, "2026-11-20T10:15:00+00:00", *BOTH, END)
    run = chosen(read_runs(tmp_path), None)
    assert run is not None
    assert run.id == last


def test_the_list_names_no_path_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path, FIRST, "{", *BOTH)
    list_runs(Settings(state=tmp_path), as_json=False)
    assert f"unreadable: line 1 of {folder / 'journal.jsonl'} cannot be read" in capsys.readouterr().out


# --- reading values ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read", "words"),
    [
        (
            '{"a": [{"b": -1}]}',
            lambda v: v["a"].items()[0]["b"].integer(0, 9),
            "`a[0].b` is not a whole number from 0 to 9",
        ),
        ('{"a": true}', lambda v: v["a"].integer(0, 9), "`a` is not a whole number from 0 to 9"),
        ('{"a": 1}', lambda v: v["a"].flag(), "`a` is neither true nor false"),
        ('{"a": 5}', lambda v: v["a"].network(), "`a` is not text"),
        ('{"a": "10.0.0.1/8"}', lambda v: v["a"].network(), "`a` is not an IPv4 network"),
        ('{"a": "1.2.3.²"}', lambda v: v["a"].address(), "`a` is not an IPv4 address"),
        (
            '{"a": "kept"}',
            lambda v: v["a"].choice(Kind),
            "`a` is none of apply, undo",
        ),
        ('{"a": "%"}', lambda v: v["a"].content(), "`a` is not base64"),
        ('{"a": "x\\u0000"}', lambda v: v["a"].path(), "`a` is not a path"),
        ('{"a": "x\\ny"}'.replace("\n", "\\n"), lambda v: v["a"].text(), "`a` holds characters that no such text has"),
        ("{}", lambda v: v["a"], "`a` is missing"),
        ("[]", lambda v: v.get("a"), "it is not an object"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_place(
    text: str, read: Callable[[json_values.Value], object], words: str
) -> None:
    with pytest.raises(json_values.Unfit) as caught:
        read(json_values.parse(text.encode()))
    assert str(caught.value) == words
