"""Faults of where the output goes: a reader that ends, a full disk, a terminal that vanishes, a pipe nobody reads.

Printing never decides about hosts: those that have begun are finished, the record is whole, and the exit code is that
of the work.
On the model only: what counts is this machine's end.
"""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest

from tests.journeys.faults import Faults
from tests.journeys.forked import Order, begin
from tests.journeys.looking import NODES, comes_true, is_done, pod_routes
from tests.journeys.running import PATIENCE
from tests.journeys.stage import Model, Stage, free_environment

APPLY: Final = ("apply", "--yes", "--no-probe", "--persist", "auto")
FULL: Final = "kthw-routes: the output could not be written: No space left on device.\n"

pytestmark = pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)


class Reader:
    """The reading end of a small pipe, or of a terminal, that the tool writes to."""

    def __init__(self, folder: Path, name: str, *, terminal: bool = False) -> None:
        self.text = ""
        self._ends: tuple[int, ...]
        if terminal:
            self._ends = pty.openpty()
            self.path = os.ttyname(self._ends[1])
            os.set_blocking(self._ends[0], False)
        else:
            self.path = str(folder / name)
            os.mkfifo(self.path)
            self._ends = (os.open(self.path, os.O_RDWR | os.O_NONBLOCK),)
            fcntl.fcntl(self._ends[0], fcntl.F_SETPIPE_SZ, 4096)

    def read(self) -> None:
        """Take what is there, after a moment if nothing is."""
        select.select([self._ends[0]], [], [], 0.1)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._ends[0], 4096):
                self.text += data.decode()

    def until(self, words: str) -> None:
        """Read until these words were written."""
        end = time.monotonic() + PATIENCE
        while words not in self.text:
            assert time.monotonic() < end, self.text
            self.read()

    def close(self) -> None:
        """Read no more, like `head` that has its lines."""
        for end in self._ends:
            os.close(end)


class Tool:
    """The tool, with its streams led to given files, pipes or terminals."""

    def __init__(
        self,
        stage: Stage,
        folder: Path,
        *arguments: str,
        out: Reader | str | None = None,
        err: Reader | str | None = None,
    ) -> None:
        """`out`, `err`: where they lead; None: a file."""
        assert isinstance(stage, Model)
        self._files = {name: folder / name for name in ("out.txt", "err.txt")}
        for file in self._files.values():
            file.write_text("")
        out, err = (end.path if isinstance(end, Reader) else end for end in (out, err))
        out, err = out or str(self._files["out.txt"]), err or str(self._files["err.txt"])
        env = free_environment(folder) | stage.lab.environment
        self.process = begin(Order(arguments, env, folder, os.devnull, out, err, False, None))

    @property
    def out(self) -> str:
        """What is in the file of stdout."""
        return self._files["out.txt"].read_text()

    @property
    def err(self) -> str:
        """What is in the file of stderr."""
        return self._files["err.txt"].read_text()

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def code(self) -> int:
        """Wait until it has ended."""
        self.process.join(PATIENCE)
        code = self.process.exitcode
        self.process.kill()
        assert code is not None, f"the tool did not end: {self.out}{self.err}"
        return code


def record(stage: Stage) -> list[dict[str, Any]]:
    """The lines of the only run's journal."""
    (journal,) = stage.state.glob("runs/*/journal.jsonl")
    return [json.loads(line) for line in journal.read_text().splitlines()]


def is_whole(stage: Stage) -> bool:
    """Whether a run that is over has all of its record."""
    rows = record(stage)
    (transcript,) = stage.state.glob("runs/*/transcript.md")
    ended = {row["host"] for row in rows if "state" in row}
    begun = {row["host"] for row in rows if "do" in row}
    return begun <= ended and "end" in rows[-1] and "## How to undo" in transcript.read_text()


def places(folder: Path, gone: str, *, terminal: bool = False) -> tuple[dict[str, Reader], set[Reader]]:
    """The streams that lead to a reader, for `Tool`; and the readers."""
    if gone == "one pipe":
        reader = Reader(folder, "both", terminal=terminal)
        return {"out": reader, "err": reader}, {reader}
    names = ("out", "err") if gone == "both" else (gone,)
    streams = {name: Reader(folder, name, terminal=terminal) for name in names}
    return streams, set(streams.values())


@pytest.mark.parametrize("gone", ["out", "err", "both", "one pipe"])
def test_a_reader_that_ends_in_the_middle_of_a_run_ends_nothing(
    stage: Stage, faults: Faults, tmp_path: Path, gone: str
) -> None:
    """`| head`, `2>&1 | head`, a `tee` that ends."""
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    streams, readers = places(tmp_path, gone)
    tool = Tool(stage, tmp_path, *APPLY, **streams)
    hold.wait()
    for reader in readers:
        reader.close()
    hold.release()
    assert tool.code() == 0
    assert is_done(stage, *NODES)
    assert is_whole(stage)
    assert "Traceback" not in tool.out + tool.err


@pytest.mark.parametrize("line", ["node ", "Evidence:"])
def test_nor_does_one_that_ends_before_it_or_in_the_proof(stage: Stage, tmp_path: Path, line: str) -> None:
    reader = Reader(tmp_path, "both")
    tool = Tool(stage, tmp_path, "apply", "--yes", out=reader, err=reader)
    reader.until(line)
    reader.close()
    assert tool.code() == 0
    assert is_done(stage, *NODES)
    assert is_whole(stage)


def test_a_terminal_that_vanishes_ends_nothing(stage: Stage, faults: Faults, tmp_path: Path) -> None:
    """EIO; under nohup, or as here where it is not the controlling terminal."""
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    streams, (reader,) = places(tmp_path, "one pipe", terminal=True)
    tool = Tool(stage, tmp_path, *APPLY, **streams)
    reader.until("wants  via")
    hold.wait()
    reader.close()
    hold.release()
    assert tool.code() == 0
    assert is_done(stage, *NODES)
    assert is_whole(stage)


def test_hosts_do_not_wait_for_a_pipe_that_nobody_reads(stage: Stage, tmp_path: Path) -> None:
    """Only the end of the command does: all of it is there for whoever reads it then."""
    streams, (reader,) = places(tmp_path, "one pipe")
    tool = Tool(stage, tmp_path, *APPLY, **streams)
    comes_true(lambda: bool(list(stage.state.glob("runs/*/journal.jsonl"))) and "end" in (record(stage) or [{}])[-1])
    assert is_done(stage, *NODES)
    assert is_whole(stage)
    reader.until("Next lab:")
    assert tool.code() == 0
    assert reader.text.index("wants  via") < reader.text.index("ip -force -batch -") < reader.text.index("Transcript:")
    reader.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_when_nobody_reads_any_more_lets_hosts_that_have_begun_finish(
    stage: Stage, faults: Faults, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C ends `tee` too; a terminal that is closed hangs up."""
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    streams, (reader,) = places(tmp_path, "one pipe")
    tool = Tool(stage, tmp_path, *APPLY, "--parallel", "1", **streams)
    hold.wait()
    reader.close()
    tool.signal(number)
    (folder,) = stage.state.glob("runs/*")
    hold.release()
    assert tool.code() == 130
    assert is_done(stage, "worker-0", "worker-1")
    assert pod_routes(stage, "worker-2") == {}
    assert is_whole(stage)
    assert record(stage)[-1]["end"]["worker-2"] == "not started"
    assert "- worker-1: done." in (folder / "transcript.md").read_text()


def test_two_stops_when_nobody_reads_end_at_once(stage: Stage, faults: Faults, tmp_path: Path) -> None:
    """The pipe of stdout is full and stays open."""
    hold = faults.hold("worker-1", "ip", "-force -batch", "before")
    streams, (reader,) = places(tmp_path, "out")
    tool = Tool(stage, tmp_path, *APPLY, **streams)
    hold.wait()
    tool.signal(signal.SIGINT)
    comes_true(lambda: "Stopping:" in tool.err)
    tool.signal(signal.SIGINT)
    comes_true(lambda: "end" in record(stage)[-1])
    assert record(stage)[-1]["end"]["worker-1"] == "sent, not confirmed"
    reader.until("Transcript:")
    assert tool.code() == 130
    reader.close()


@pytest.mark.parametrize("full", ["out", "err", "both"])
def test_a_document_that_cannot_be_delivered_is_a_failure_after_the_work(
    stage: Stage, tmp_path: Path, full: str
) -> None:
    streams = {name: "/dev/full" for name in ("out", "err") if full in (name, "both")}
    tool = Tool(stage, tmp_path, *APPLY, "--json", out=streams.get("out"), err=streams.get("err"))
    assert tool.code() == (0 if full == "err" else 1)
    assert is_done(stage, *NODES)
    assert is_whole(stage)
    assert (FULL in tool.err) is (full == "out")
    assert tool.err.count("could not be written") <= 1
    assert full != "err" or json.loads(tool.out)["run"]


def shell(stage: Stage, folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line in which `tool` is the tool, in an interpreter of its own."""
    assert isinstance(stage, Model)
    words = f'tool() {{ "{sys.executable}" -m kthw_routes "$@"; }}\nset -o pipefail\n{line}\n'
    env = free_environment(folder) | stage.lab.environment
    return subprocess.run(
        ["bash", "-c", words], env=env, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.parametrize(
    ("line", "err"),
    [
        ("tool plan | head -1", ""),
        ("tool --help | head -1", ""),
        ("tool runs | true", ""),
        ("tool demo | head -1", ""),
        ("tool demo 2>&1 | head -2", ""),
        ("tool check | head -1", ""),
        ("tool export shell | true", "kthw-routes: the output could not be written: Broken pipe.\n"),
        ("tool plan >/dev/full", FULL),
        ("tool plan --json >/dev/full", FULL),
        ("tool export shell >/dev/full", FULL),
        ("tool --version >/dev/full", FULL),
        ("tool plan >&-", "kthw-routes: the output could not be written: Bad file descriptor.\n"),
        ("tool plan 2>&-", ""),
        ("tool plan >&- 2>&- <&-", ""),
        ("tool plan <&-", ""),
    ],
)
def test_every_command_ends_quietly_whatever_became_of_its_output(
    stage: Stage, tmp_path: Path, line: str, err: str
) -> None:
    answer = shell(stage, tmp_path, line)
    if "export" in line or "--json" in line:
        assert answer.returncode == 1
    elif "check" in line:
        assert answer.returncode == 3  # nothing was added yet
    else:
        assert answer.returncode == 0
    assert "".join(x for x in answer.stderr.splitlines(keepends=True) if x.startswith("kthw-routes:")) == err
    assert "Exception ignored" not in answer.stderr
    assert "Traceback" not in answer.stderr


def test_what_is_printed_to_a_closed_stream_gets_into_no_file(stage: Stage, tmp_path: Path) -> None:
    """The first file that is opened would have its number."""
    answer = shell(stage, tmp_path, f"tool {' '.join(APPLY)} >&- 2>&- <&-")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert is_done(stage, *NODES)
    assert is_whole(stage)
    assert all("time" in row for row in record(stage))


def test_undo_goes_on_without_a_reader_too(stage: Stage, tmp_path: Path) -> None:
    assert shell(stage, tmp_path, f"tool {' '.join(APPLY)} 2>&1 | head -3").returncode == 0
    assert is_done(stage, *NODES)
    assert shell(stage, tmp_path, "tool undo --yes 2>&1 | head -1").returncode == 0
    assert all(pod_routes(stage, worker) == {} for worker in ("worker-0", "worker-1", "worker-2"))
    assert shell(stage, tmp_path, "tool undo --yes | cat").stdout.startswith("Nothing to undo")
