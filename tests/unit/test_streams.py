"""What a host writes: marks, lines, characters and limits."""

import shlex
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.facts import Privilege
from kthw_routes.ssh.command import MAX_CAPTURE, MAX_WORDS, Command, Result
from kthw_routes.ssh.echoes import Echoes
from kthw_routes.ssh.progress import Progress
from kthw_routes.ssh.shell_line import Step, marks_of, render
from kthw_routes.ssh.streams import FURTHER, MAX_LINE, MAX_LINES, MAX_SHOWN, Gate, Incoming, Live, Stream

MARK = "kthw-routes-0123"


def read(chunks: list[bytes], marks: int = 1) -> tuple[bytes, list[str]]:
    lines: list[str] = []
    stream = Stream(Live(lambda text, _: lines.append(text)))
    incoming = Incoming(Gate(MARK, marks), [stream])
    for chunk in chunks:
        incoming.feed(chunk)
    incoming.finish()
    return stream.kept, lines


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(st.text(max_size=60).map(str.encode), st.lists(st.integers(0, 500), max_size=8), st.integers(1, 2))
def test_however_the_bytes_come_the_output_is_the_same(body: bytes, places: list[int], marks: int) -> None:
    data = b"noise of a .bashrc\n" + f"\n{MARK}\n".encode() * marks + body
    assert read(cut(data, places), marks) == read([data], marks)
    assert read([data], marks)[0] == body


def test_a_character_is_never_torn_apart() -> None:
    data = f"\n{MARK}\n".encode() + "é\n世界\n".encode()
    assert read([bytes([byte]) for byte in data])[1] == ["é", "世界"]


def test_a_last_line_without_a_newline_and_empty_lines_are_lines() -> None:
    assert read([f"\n{MARK}\na\n\nb".encode()])[1] == ["a", "", "b"]


def test_control_bytes_do_not_pass_as_lines() -> None:
    assert read([f"\n{MARK}\n\x1b[31mred\x1b[0m\r\n10%\r20%\n\x9b31mx\n".encode()])[1] == ["red", "10%", "20%", "x"]


def test_without_its_mark_nothing_is_output() -> None:
    stream = Stream()
    incoming = Incoming(Gate(MARK, 2), [stream])
    incoming.feed(f"x\n{MARK}\nsudo: a password is required\n".encode())
    incoming.finish()
    assert not incoming.gate.is_open
    assert stream.kept == b""
    assert b"a password is required" in incoming.gate.preamble


@pytest.mark.parametrize("body", ["é", "世", "\U0001f600", "x", "\0", "\r", "\n"])
@pytest.mark.parametrize("over", [-1, 0, 1, 2, 3, 4])
def test_the_copy_is_cut_at_its_limit_and_says_so(body: str, over: int) -> None:
    data = body.encode() * (20_000 // len(body.encode()))
    stream = Stream(capture=len(data) - over)
    for piece in cut(data, [1, 7, 1000, len(data) - 1]):
        stream.feed(piece)
    stream.finish()
    assert stream.is_cut is (over > 0)
    assert stream.kept == data[: len(data) - over]


def test_what_stands_before_the_mark_counts_for_nothing() -> None:
    stream = Stream(capture=3)
    incoming = Incoming(Gate(MARK, 1), [stream])
    for _ in range(2000):
        incoming.feed(b"motd " * 1000)
    incoming.feed(f"\n{MARK}\nabc".encode())
    assert (stream.kept, stream.is_cut) == (b"abc", False)


FLOODS = {
    "short lines": b"x\n",
    "lines": b"0.0.0.0 ads.example.com\n",
    "empty lines": b"\n",
    "one line": b"x",
    "carriage returns": b"10%\r",
    "nothing but carriage returns": b"\r",
    "NUL": b"\0",
    "characters of four bytes": "\U0001f600".encode(),
    "long lines": b"y" * 100_000 + b"\n",
    "no UTF-8": b"\xff\xfe\n",
    "unfinished escape sequences": b"\x1b]0;title",
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("is_error", [False, True])
def test_a_flood_is_told_up_to_a_bound_and_counted_beyond_it(flood: str, is_error: bool) -> None:
    lines: list[str] = []
    live = Live(lambda text, is_err: lines.append(text) if is_err is is_error else None)
    stream = Stream(live, is_error=is_error)
    piece = FLOODS[flood] * (65536 // len(FLOODS[flood]) + 1)
    total = 0
    while total < 50_000_000:
        stream.feed(piece)
        total += len(piece)
    stream.finish()
    assert stream.is_cut
    assert len(stream.kept) == MAX_CAPTURE
    assert len(lines) <= MAX_LINES + 1
    assert sum(len(line.encode()) for line in lines) <= MAX_SHOWN + len(FURTHER.encode())
    assert all(len(line.encode()) <= MAX_LINE + 40 for line in lines)
    if b"\n" in FLOODS[flood]:
        assert lines[-1] == FURTHER
        assert live.not_shown > 40_000_000
    elif flood not in ("carriage returns", "nothing but carriage returns"):
        assert lines[-1].endswith(" bytes left out)")


def test_both_streams_of_a_command_share_the_bound() -> None:
    lines: list[tuple[str, bool]] = []
    live = Live(lambda text, is_error: lines.append((text, is_error)))
    out, err = Stream(live), Stream(live, is_error=True)
    for _ in range(MAX_LINES):
        out.feed(b"out\n")
        err.feed(b"err\n")
    assert len(lines) == MAX_LINES + 1
    assert lines.count((FURTHER, False)) + lines.count((FURTHER, True)) == 1


def test_what_is_just_within_the_bound_is_told_whole() -> None:
    lines: list[str] = []
    stream = Stream(Live(lambda text, _: lines.append(text)))
    stream.feed(b"x\n" * MAX_LINES)
    stream.finish()
    assert lines == ["x"] * MAX_LINES
    assert read([f"\n{MARK}\n".encode(), b"y" * MAX_LINE])[1] == ["y" * MAX_LINE]


@pytest.mark.parametrize("letter", ["x", "é", "世", "\U0001f600"])
@pytest.mark.parametrize("before", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [MAX_LINE + 1, MAX_LINE + 1024, MAX_LINE + 1025, 300_000])
def test_a_long_line_is_cut_between_characters_and_says_how_much_is_left_out(
    letter: str, before: int, size: int
) -> None:
    line = b"." * before + letter.encode() * (size // len(letter.encode()) + 1)
    ((told,), (again, last)) = (
        read([f"\n{MARK}\n".encode(), *cut(line, [5, MAX_LINE, MAX_LINE + 1])])[1],
        read([f"\n{MARK}\n".encode() + line + b"\nnext"])[1],
    )
    assert told == again
    assert last == "next"
    shown, _, words = told.partition(" … (")
    assert "." * before + letter * (len(shown) - before) == shown
    assert MAX_LINE - 1024 <= len(shown.encode()) <= MAX_LINE
    assert words == f"{len(line) - len(shown.encode())} bytes left out)"


@pytest.mark.parametrize("place", [*range(MAX_LINE - 12, MAX_LINE + 3), *range(MAX_LINE + 1012, MAX_LINE + 1026)])
def test_what_is_hidden_does_not_show_at_the_edge_of_a_cut(place: int) -> None:
    lines: list[str] = []
    stream = Stream(Live(lambda text, _: lines.append(text), lambda text: text.replace("hunter2-pass", "***")))
    stream.feed(b"." * place + b"hunter2-pass" + b"." * 10_000)
    stream.finish()
    assert "hu" not in lines[0]


@pytest.mark.parametrize("size", [MAX_WORDS, MAX_WORDS + 1, 100_000, 3_000_000])
def test_a_complaint_is_quoted_up_to_a_bound(size: int) -> None:
    words = Result(1, b"", b"mv: " + b"x" * (size - 4)).words
    assert words == "mv: " + "x" * (min(size, MAX_WORDS) - 4) + (" …" if size > MAX_WORDS else "")


@pytest.mark.parametrize("argv", [("printf", "%s|", "a b", "'", '"', "$HOME", "`id`", "é", "", "\\", "*")])
def test_a_rendered_command_means_the_same_to_a_shell(argv: tuple[str, ...]) -> None:
    line = render(Command(argv), Privilege.ROOT, MARK, 5)
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    out = Stream()
    Incoming(Gate(MARK, 1), [out]).feed(done.stdout)
    assert out.kept == subprocess.run(list(argv), capture_output=True, check=True).stdout
    assert done.stderr == f"\n{MARK}\n".encode()


def test_sudo_is_asked_only_for_what_needs_root() -> None:
    plain, root = Command(("id",)), Command(("id",), needs_root=True)
    assert "sudo" not in render(plain, Privilege.SUDO, MARK, 5)
    assert "sudo" not in render(root, Privilege.ROOT, MARK, 5)
    assert marks_of(None) == marks_of(Privilege.ROOT) == 1
    for privilege, form in ((Privilege.SUDO, "sudo -k -n sh -c"), (Privilege.SUDO_PASSWORD, "sudo -k -S -p '' sh -c")):
        script = shlex.split(render(root, privilege, MARK, 4.2))
        assert form in script[3]
        assert "timeout -k 5 5 id" in script[3]
        assert marks_of(privilege) == 2


class Heard:
    """What a script tells, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begins(self, step: Step) -> None:
        self.told.append(f"begins {step.command}")

    def line(self, text: str, is_error: bool) -> None:
        self.told.append(f"{'! ' if is_error else ''}{text}")

    def ends(self, step: Step, _result: object) -> None:
        self.told.append(f"ends {step.command}")


def test_a_line_of_a_later_command_is_shown_after_what_came_before_it() -> None:
    """stderr of the second may come before stdout of the first has ended: they are two streams."""
    heard = Heard()
    progress = Progress("worker-0", [Step(Command(("a",))), Step(Command(("b",)))], heard, Echoes())
    progress.begin()
    progress.err_ended(0)
    progress.errs[1].feed(b"err\n")
    progress.outs[0].feed(b"on\n")
    progress.out_ended(0)
    progress.outs[1].feed(b"off\n")
    assert heard.told == ["begins a", "on", "ends a", "begins b", "! err", "off"]
