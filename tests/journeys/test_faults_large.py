"""What is large: files beyond what a program's output is kept of, floods, files that change while they are edited.

No file is ever written back that was not read whole, and nothing that a host writes keeps the tool from its end.
"""

import re

import pytest

from kthw_routes.plan.changes import MAX_FILE
from kthw_routes.ssh.command import MAX_CAPTURE
from tests.journeys.faults import Faults
from tests.journeys.looking import NODES, is_done, names_block, others, state
from tests.journeys.stage import ON_MODEL, Stage

APPLY = ("apply", "--yes", "--no-probe")
CONTROLLER = "controller-0"
HOSTS = "/etc/hosts"
NEW = "/etc/.hosts.kthw-routes"
PATIENCE = 170.0
"""Seconds for what moves some MB several times."""
MAX_RECORDED = 2_000_000
"""Bytes of a transcript: a bound, not what is usual."""


def block_list(size: int) -> bytes:
    """An /etc/hosts of that many bytes, as block lists make it."""
    head = b"127.0.0.1 localhost\n"
    row = b"0.0.0.0" + b" ads.%07d.example.com" * 15 + b"\n"
    rows = b"".join(row % ((number,) * 15) for number in range((size - len(head)) // len(row % ((0,) * 15))))
    return (head + rows).ljust(size - 1, b"#") + b"\n"


def whole_and_back(stage: Stage, before: bytes) -> None:
    """Edit a file of names and take that back, and look whether a single byte is another."""
    stage.put(CONTROLLER, HOSTS, before)
    answer = stage.start(*APPLY).wait(PATIENCE)
    assert answer.code == 0, answer.out + answer.err
    after = stage.content(CONTROLLER, HOSTS)
    assert after == before + (b"" if before.endswith(b"\n") else b"\n") + names_block(stage).encode()
    (transcript,) = stage.state.glob("runs/*/transcript.md")
    assert transcript.stat().st_size < MAX_RECORDED
    assert len(answer.out) < MAX_RECORDED
    answer = stage.start("undo", "--yes").wait(PATIENCE)
    assert answer.code == 0, answer.out + answer.err
    assert stage.content(CONTROLLER, HOSTS) == before


def test_a_block_list_is_edited_whole_and_undone_byte_for_byte(stage: Stage) -> None:
    whole_and_back(stage, block_list(6_000_000) + b"192.0.2.1 no newline at the end \0 \xff")


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
@pytest.mark.parametrize("over", [0, 1])
def test_a_file_just_beyond_what_is_kept_of_other_output_is_whole(stage: Stage, over: int) -> None:
    whole_and_back(stage, block_list(MAX_CAPTURE + over))


@ON_MODEL
def test_what_was_edited_since_stays_when_a_large_file_is_undone(stage: Stage) -> None:
    before = block_list(5_000_000)
    stage.put(CONTROLLER, HOSTS, before)
    assert stage.tool(*APPLY).code == 0
    first, last = b"192.0.2.1 first\n", b"192.0.2.2 last\n"
    stage.put(CONTROLLER, HOSTS, first + stage.content(CONTROLLER, HOSTS) + last)
    answer = stage.start("undo", "--yes").wait(PATIENCE)
    assert answer.code == 0, answer.out + answer.err
    assert stage.content(CONTROLLER, HOSTS) == first + before + last


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
def test_a_file_beyond_the_limit_is_said_and_left_alone(stage: Stage) -> None:
    before = block_list(MAX_FILE + 1)
    stage.put(CONTROLLER, HOSTS, before)
    answer = stage.tool(*APPLY)
    sentence = f"{HOSTS} has {MAX_FILE + 1} bytes; no file of more than 64 MiB is read, so the workers' names are not"
    assert sentence in answer.out
    assert stage.content(CONTROLLER, HOSTS) == before
    assert is_done(stage, *others(CONTROLLER))


@pytest.mark.parametrize("size", [100, 5_000_000])
def test_an_edit_just_before_ours_is_not_lost(stage: Stage, faults: Faults, size: int) -> None:
    """As long as before, with another content: only the digest tells."""
    before = block_list(size)
    stage.put(CONTROLLER, HOSTS, before)
    hold = faults.hold(CONTROLLER, "dd", f"of={NEW}", "before")
    tool = stage.start(*APPLY)
    hold.wait()
    edited = before.replace(b"localhost", b"LOCALHOST")
    stage.put(CONTROLLER, HOSTS, edited)
    hold.release()
    answer = tool.wait()
    assert answer.code == 1
    assert state(answer, CONTROLLER) == "failed"
    assert f"{HOSTS} was changed by another program just now and was left as it is; try again." in answer.out
    assert stage.content(CONTROLLER, HOSTS) == edited
    assert NEW.rpartition("/")[2] not in stage.run(CONTROLLER, "ls -a /etc").split()
    assert is_done(stage, *others(CONTROLLER))


def test_what_did_not_arrive_whole_takes_no_files_place(stage: Stage, faults: Faults) -> None:
    hold = faults.hold(CONTROLLER, "dd", f"of={NEW}", "after")
    before = stage.content(CONTROLLER, HOSTS)
    tool = stage.start(*APPLY)
    hold.wait()
    stage.put(CONTROLLER, NEW, stage.content(CONTROLLER, NEW)[:-1] + b"?")
    hold.release()
    answer = tool.wait()
    assert answer.code == 1
    sentence = f"{HOSTS} was not changed, as the new file next to it does not have what was written to it."
    assert sentence in answer.out
    assert stage.content(CONTROLLER, HOSTS) == before


@pytest.mark.parametrize(
    "out",
    [None, b"", b"rubbish\n", b"0" * 64 + b"  /etc/passwd\n", b"x\n" * 3_000_000],
    ids=["none", "nothing", "rubbish", "another file's", "a flood"],
)
@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
def test_without_a_digest_nothing_is_replaced(stage: Stage, faults: Faults, out: bytes | None) -> None:
    if out is None:
        faults.remove(CONTROLLER, "sha256sum")
    else:
        faults.wrap(CONTROLLER, "sha256sum", out=out, status=0)
    before = stage.content(CONTROLLER, HOSTS)
    answer = stage.tool(*APPLY)
    assert answer.code == 1
    assert state(answer, CONTROLLER) == "failed", answer.out
    assert f"{HOSTS} was not changed" in answer.out
    assert len(answer.out) < 100_000
    assert stage.content(CONTROLLER, HOSTS) == before
    assert is_done(stage, *others(CONTROLLER))


def test_a_host_without_sha256sum_keeps_its_file(stage: Stage, faults: Faults) -> None:
    faults.remove(CONTROLLER, "sha256sum")
    before = stage.content(CONTROLLER, HOSTS)
    answer = stage.tool(*APPLY)
    assert answer.code == 1
    assert f"{HOSTS} was not changed, as its content could not be compared there: " in answer.out
    assert "sha256sum" in answer.out
    assert stage.content(CONTROLLER, HOSTS) == before


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
@pytest.mark.parametrize(
    ("program", "argument"),
    [
        ("ip", "route show"),
        ("ip", "address show"),
        ("hostname", ""),
        ("ls", ""),
        ("find", ""),
        ("stat", "%a"),
        ("networkctl", "status"),
        ("cat", "/proc/sys/net"),
    ],
)
def test_an_answer_that_is_cut_is_not_taken_for_one(stage: Stage, faults: Faults, program: str, argument: str) -> None:
    """The right answer first, or none: what follows cannot be known."""
    if program == "ip":
        faults.wrap("worker-1", "ip", "-json -4 -batch", status=1)  # so that each is asked for by itself
    faults.wrap("worker-1", program, argument, out=b"\n" * (MAX_CAPTURE + 1))
    answer = stage.tool(*APPLY)
    assert answer.code == 1
    why = r"`.*` wrote more than \d+ bytes, so that its answer is incomplete"
    if argument == "route show":  # the whole table is cut, and what is asked for then, too
        why = r"it has more routes in 10\.200\.0\.0/16 than the 20,000 that kthw-routes handles"
    assert re.search(f"✗ skip host: worker-1: {why}", answer.out)
    assert is_done(stage, *others("worker-1"))


@pytest.mark.parametrize("is_error", [False, True])
def test_a_flood_while_routes_are_changed_is_ended_and_told(stage: Stage, faults: Faults, is_error: bool) -> None:
    faults.flood("worker-1", "ip", "-force -batch", is_error=is_error)
    answer = stage.tool(*APPLY, "--timeout", "3")
    assert answer.code == 1
    assert state(answer, "worker-1") == "failed"
    assert "`ip -force -batch -` took too long and was ended there." in answer.out
    assert "no output" not in answer.out
    assert len(answer.out) < MAX_RECORDED
    (transcript,) = stage.state.glob("runs/*/transcript.md")
    text = transcript.read_text()
    assert len(text) < MAX_RECORDED
    assert "(further output of this command is not shown, nor recorded)" in text
    assert re.search(r"\d{6,} bytes of the output of `ip -force -batch -` were not shown, nor recorded", text)
    assert is_done(stage, *others("worker-1"))


def test_much_noise_beside_the_work_is_no_obstacle(stage: Stage, faults: Faults) -> None:
    """Two million bytes of short lines, and lines without end, from a command that then does what it should."""
    faults.wrap("worker-1", "ip", "-force -batch", out=b"x\n" * 50_000, err=b"y" * 100_000)
    answer = stage.tool(*APPLY)
    assert answer.code == 0, answer.out + answer.err
    (transcript,) = stage.state.glob("runs/*/transcript.md")
    assert len(transcript.read_text()) < MAX_RECORDED
    assert is_done(stage, *NODES)
