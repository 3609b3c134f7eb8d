"""stdout and stderr of the commands: writing never waits and never raises, and what was lost is known."""

import errno
import io
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from rich.console import Console

from kthw_routes.cli import standard_streams
from kthw_routes.cli.standard_streams import MAX_WAITING, Outlet, _Writer


def closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def vanished_terminal() -> int:
    main, end = pty.openpty()
    os.close(main)
    return end


GONE: dict[int, Callable[[], int]] = {
    errno.EPIPE: closed_pipe,
    errno.ENOSPC: lambda: os.open("/dev/full", os.O_WRONLY),
    errno.EIO: vanished_terminal,
    errno.EBADF: lambda: os.open("/dev/null", os.O_RDONLY),
}


def text(outlet: Outlet) -> io.TextIOWrapper:
    return io.TextIOWrapper(outlet, "utf-8", write_through=True)


@pytest.mark.parametrize("code", GONE)
def test_an_output_that_is_gone_is_noticed_once_and_never_raised(code: int) -> None:
    descriptor = GONE[code]()
    outlet = Outlet("<stdout>", descriptor, _Writer())
    stream = text(outlet)
    console = Console(file=stream)
    for number in range(100):
        stream.write(f"{number}\n")
        console.print(number)  # rich would end the thread with SystemExit
        stream.flush()
    outlet.drain()
    assert outlet.loss is not None
    assert outlet.loss.errno == code
    os.close(descriptor)


@pytest.mark.parametrize("blocks", [True, False])
def test_a_pipe_that_nobody_reads_keeps_nobody_waiting(blocks: bool) -> None:
    """Of whoever reads it later all is there, in its order, also where somebody made the pipe non-blocking."""
    reading, writing = os.pipe()
    os.set_blocking(writing, blocks)
    outlet = Outlet("<stdout>", writing, _Writer())
    stream = text(outlet)
    lines = [f"line {number} of many\n" for number in range(20_000)]
    for line in lines:
        stream.write(line)

    def end() -> None:
        outlet.drain()
        os.close(writing)

    threading.Thread(target=end, daemon=True).start()
    with os.fdopen(reading) as reader:
        assert reader.read() == "".join(lines)
    assert outlet.loss is None


def test_what_nobody_reads_has_a_limit_and_what_is_left_out_is_known() -> None:
    reading, writing = os.pipe()
    outlet = Outlet("<stdout>", writing, _Writer())
    block = b"x" * (1 << 20)
    for _ in range(MAX_WAITING // len(block) + 10):
        outlet.write(block)
    assert outlet.loss is not None
    assert outlet.loss.strerror == "nobody read it in time"

    def end() -> None:
        outlet.drain()
        outlet.write(b"the end")
        outlet.drain()
        os.close(writing)

    threading.Thread(target=end, daemon=True).start()
    with os.fdopen(reading, "rb") as reader:
        told = reader.read()
    assert MAX_WAITING <= len(told) < MAX_WAITING + 3 * len(block)
    assert told.endswith(b"the end"), "what comes when there is room is written"


def test_a_question_is_there_before_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdout", text(Outlet("<stdout>", writing, _Writer())))
    os.set_blocking(reading, False)
    sys.stdout.write("before ")
    with standard_streams.in_order():
        assert os.read(reading, 100) == b"before "
        sys.stdout.write("the question")
        assert os.read(reading, 100) == b"the question"
    os.close(reading)
    os.close(writing)


def test_both_streams_keep_their_order_where_they_lead_to_one_place() -> None:
    code = """
import sys
from kthw_routes.cli import standard_streams
standard_streams.install()
for number in range(1000):
    (sys.stdout, sys.stderr)[number % 2].write(f"{number}\\n")
standard_streams.finish()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    assert done.stdout.split() == [str(number) for number in range(1000)]


def test_a_traceback_after_the_end_is_still_written() -> None:
    code = """
from kthw_routes.cli import standard_streams
standard_streams.install()
standard_streams.finish()
raise ValueError("in the end")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ValueError: in the end" in done.stderr


def test_what_is_printed_while_the_interpreter_ends_is_written_at_once() -> None:
    """A destructor that fails is reported on stderr, when the thread that writes is gone: nobody waits for it."""
    code = """
import gc, sys
from kthw_routes.cli import standard_streams
standard_streams.install()
gc.set_threshold(1_000_000)

class Late:
    def __del__(self):
        raise ValueError("in the very end")

late = Late()
late.itself = late
del late
standard_streams.finish()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0
    assert "ValueError: in the very end" in done.stderr


def test_once_the_process_was_told_to_end_a_reader_that_stopped_reading_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`timeout 60 kthw-routes check --json | less`, whose reader went to lunch: the second signal is ignored."""
    monkeypatch.setattr(standard_streams, "_is_ending", threading.Event())
    monkeypatch.setattr(standard_streams, "MAX_LAST_WAIT", 0.3)
    reading, writing = os.pipe()
    outlet = Outlet("<stdout>", writing, _Writer())
    text(outlet).write("x" * 1_000_000)
    standard_streams.limit_waits()
    outlet.drain()
    assert outlet.loss is not None
    assert outlet.loss.strerror == "nobody read it in time"
    os.close(reading)
