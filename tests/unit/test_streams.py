"""What a host writes: marks, lines, characters and limits."""

import shlex
import subprocess
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.hosts.command import Command
from kthw_routes.hosts.echoes import Echoes
from kthw_routes.hosts.rendering import marks_of, render
from kthw_routes.hosts.streams import CAPTURE_LIMIT, Stream
from kthw_routes.observed import Privilege
from kthw_routes.secret import Secret

MARK = "kthw-routes-0123"


def read(chunks: list[bytes], marks: int = 1) -> tuple[bytes, list[str]]:
    lines: list[str] = []
    stream = Stream(MARK, marks, lines.append)
    for chunk in chunks:
        stream.feed(chunk)
    stream.finish()
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
    stream = Stream(MARK, 2, None)
    stream.feed(f"x\n{MARK}\nsudo: a password is required\n".encode())
    stream.finish()
    assert not stream.has_begun
    assert stream.kept == b""
    assert b"a password is required" in stream.preamble


def test_the_copy_is_bounded_and_the_lines_are_not() -> None:
    lines: list[str] = []
    stream = Stream(MARK, 1, lines.append)
    stream.feed(f"\n{MARK}\n".encode())
    line = b"x" * 1023 + b"\n"
    for _ in range(6 * 1024):
        stream.feed(line)
    stream.finish()
    assert len(stream.kept) == CAPTURE_LIMIT
    assert len(lines) == 6 * 1024


def test_a_line_without_end_is_cut_between_characters() -> None:
    lines = read([f"\n{MARK}\n".encode(), "é".encode() * 40_000])[1]
    assert len(lines) > 1
    assert "".join(lines) == "é" * 40_000


@pytest.mark.parametrize("before", [16 * 1024 - n for n in (0, 1, 7, 12, 13)])
def test_a_secret_in_a_line_without_end_is_never_cut_in_two(before: int) -> None:
    lines: list[str] = []
    echoes = Echoes()
    echoes.hide(Secret("correct horse"))
    stream = Stream(MARK, 1, lambda line: lines.append(echoes.hidden_in(line)), echoes.hidden_in_bytes)
    data = f"\n{MARK}\n{'x' * before}correct horse{'y' * 20_000}".encode()
    for at in range(0, len(data), 1000):
        stream.feed(data[at : at + 1000])
    stream.finish()
    assert "".join(lines) == f"{'x' * before}***{'y' * 20_000}"


@pytest.mark.parametrize("argv", [("printf", "%s|", "a b", "'", '"', "$HOME", "`id`", "é", "", "\\", "*")])
def test_a_rendered_command_means_the_same_to_a_shell(argv: tuple[str, ...]) -> None:
    line = render(Command(argv), Privilege.ROOT, MARK, 5)
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    out = Stream(MARK, 1, None)
    out.feed(done.stdout)
    assert out.kept == subprocess.run(list(argv), capture_output=True, check=True).stdout
    assert done.stderr == f"\n{MARK}\n".encode()


def test_sudo_is_asked_only_for_what_needs_root() -> None:
    plain, root = Command(("id",)), Command(("id",), needs_root=True)
    assert "sudo" not in render(plain, Privilege.SUDO, MARK, 5)
    assert "sudo" not in render(root, Privilege.ROOT, MARK, 5)
    assert marks_of(plain, Privilege.SUDO) == marks_of(root, Privilege.ROOT) == 1
    for privilege, form in ((Privilege.SUDO, "sudo -n sh -c"), (Privilege.SUDO_PASSWORD, "sudo -k -S -p '' sh -c")):
        script = shlex.split(render(root, privilege, MARK, 4.2))
        assert form in script[3]
        assert "timeout -k 5 5 id" in script[3]
        assert marks_of(root, privilege) == 2
