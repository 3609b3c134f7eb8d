"""A file on a host is read whole or not at all, and replaced only where the host finds both as they should be."""

from pathlib import PurePosixPath

import pytest

from kthw_routes.events import Event, EventKind, Phase
from kthw_routes.hosts import atomic_write, programs
from kthw_routes.hosts.task import HostTask
from kthw_routes.iproute2.commands import RouteCommand, Verb
from kthw_routes.persistence import paths as own_paths
from kthw_routes.plan.changes import MAX_FILE
from kthw_routes.plan.etc_hosts import edit
from kthw_routes.plan.hosts_lines import BEGIN, has_block, lines_with
from kthw_routes.ssh.command import MAX_CAPTURE, TIMED_OUT, Result
from kthw_routes.ssh.errors import FileTooLarge, HostError, OutputCut, TookTooLong
from kthw_routes.ssh.streams import MAX_LINES

from .answering import Answering, said
from .builders import ip, pod_route

PATH = PurePosixPath("/etc/hosts")
NEW = own_paths.NEW_ETC_HOSTS
OLD, WANTED = b"127.0.0.1 localhost\n", b"127.0.0.1 localhost\n192.0.2.1 x\n"
CUT = Result(0, b"x", b"", is_cut=True)


def task(host: Answering, events: list[Event] | None = None) -> HostTask:
    return HostTask(host, Phase.RUN, events.append if events is not None else lambda _: None)


def put(
    answers: dict[str, Result | HostError | list[Result | HostError]], now: bytes = OLD
) -> tuple[str | None, Answering]:
    host = Answering({"stat -c %F": said("regular file\n"), **answers}, files={str(PATH): now})
    return atomic_write.write_etc_hosts(task(host), OLD, WANTED), host


def test_size_and_digest_are_compared_before_the_rename() -> None:
    problem, host = put({})
    assert not problem
    assert host.files == {str(PATH): WANTED}
    assert host.ran[-3:] == [
        f"stat -c '%s %n' {PATH} {NEW}",
        f"sha256sum {PATH} {NEW}",
        f"mv -fT {NEW} {PATH}",
    ]


DIGESTS = "0" * 64
UNFIT: dict[str, tuple[dict[str, Result | HostError | list[Result | HostError]], str]] = {
    "missing": ({"sha256sum": said(status=127, err="env: 'sha256sum': No such file")}, "could not be compared there"),
    "rubbish": ({"sha256sum": said("what?\n")}, "could not be compared there"),
    "nothing": ({"sha256sum": said()}, "could not be compared there"),
    "one file only": ({"sha256sum": said(f"{DIGESTS}  {NEW}\n")}, "could not be compared there"),
    "another file": ({"sha256sum": said(f"{DIGESTS}  /etc/passwd\n{DIGESTS}  {NEW}\n")}, "could not be compared"),
    "a file more": (
        {"sha256sum": said(f"{DIGESTS}  {PATH}\n{DIGESTS}  {NEW}\n{DIGESTS}  /etc/passwd\n")},
        "could not be compared there",
    ),
    "no digest": ({"sha256sum": said(f"{'0' * 63}  {PATH}\n{DIGESTS}  {NEW}\n")}, "could not be compared there"),
    "other digests": ({"sha256sum": said(f"{DIGESTS}  {PATH}\n{DIGESTS}  {NEW}\n")}, "changed by another program"),
    "a size that is no number": ({"stat -c '%s %n'": said(f"¹² {PATH}\n12 {NEW}\n")}, "could not be compared there"),
    "other sizes": ({"stat -c '%s %n'": said(f"7 {PATH}\n{len(WANTED)} {NEW}\n")}, "changed by another program"),
    "less than was written": (
        {"stat -c '%s %n'": said(f"{len(OLD)} {PATH}\n{len(WANTED) - 1} {NEW}\n")},
        "the new file next to it does not have what was written to it",
    ),
    "an endless answer": ({"sha256sum": CUT}, "is incomplete"),
    "no answer in time": ({"sha256sum": said(status=TIMED_OUT)}, "took too long"),
    "an endless list of mounts": ({"grep -F": CUT}, "is incomplete"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_cannot_be_compared_or_is_another_is_not_replaced(case: str) -> None:
    answers, words = UNFIT[case]
    problem, host = put(answers)
    assert problem is not None
    assert words in problem
    assert str(PATH) in problem
    assert host.files == {str(PATH): OLD}
    assert not any(line.startswith("mv") for line in host.ran)


@pytest.mark.parametrize("now", [b"127.0.0.1 LOCALHOST\n", OLD + b"x", OLD[:-1], b""])
def test_a_file_that_was_edited_since_it_was_read_stays(now: bytes) -> None:
    problem, host = put({}, now)
    assert problem == f"{PATH} was changed by another program just now and was left as it is; try again."
    assert host.files == {str(PATH): now}


def test_a_file_that_came_to_be_since_it_was_looked_for_stays() -> None:
    path = PurePosixPath("/etc/sysctl.d/90-kthw-routes.conf")
    host = Answering({"stat -c %F": said("regular file\n")}, files={str(path): b"theirs\n"})
    problem = atomic_write.replace(task(host), path, path.with_name(".new"), b"ours\n", 0o644, None)
    assert "was made by another program just now" in str(problem)
    assert host.files == {str(path): b"theirs\n"}


@pytest.mark.parametrize("size", [MAX_FILE + 1, 10**18])
def test_a_file_that_is_too_large_is_not_even_read(size: int) -> None:
    for answer in (CUT, said(status=TIMED_OUT)):  # before it has come to its end, or as it takes too long
        host = Answering({"stat -L": said(f"{size}\n"), "cat": answer})
        assert atomic_write.read_etc_hosts(task(host)) == (
            None,
            f"{PATH} has {size} bytes; no file of more than 64 MiB is read",
        )
        assert host.ran == [f"cat {PATH}", f"stat -L -c %s {PATH}"]
        assert host.commands[0].capture == MAX_CAPTURE


def test_a_file_that_is_not_large_takes_one_command() -> None:
    host = Answering({"cat": said("content")})
    assert atomic_write.read(task(host), PATH) == b"content"
    assert host.ran == [f"cat {PATH}"]


def test_a_fifo_is_waited_for_once() -> None:
    host = Answering({"stat -L": said("0\n"), "cat": said(status=TIMED_OUT)})
    with pytest.raises(TookTooLong):
        atomic_write.read(task(host), PATH)
    assert host.ran == [f"cat {PATH}", f"stat -L -c %s {PATH}"]


def test_an_etc_hosts_of_too_many_lines_is_not_used() -> None:
    host = Answering({"cat": Result(0, b"\n" * (atomic_write.MAX_HOSTS_LINES + 1), b"")})
    content, problem = atomic_write.read_etc_hosts(task(host))
    assert content is None
    assert problem == "/etc/hosts has 2,000,001 lines, and kthw-routes handles up to 2,000,000"


@pytest.mark.parametrize("told", ["", "?\n", "-1\n", "¹²\n", "12\n"])
def test_a_file_that_grows_or_tells_no_size_is_cut_and_then_not_used(told: str) -> None:
    host = Answering({"stat -L": said(told), "cat": CUT})
    with pytest.raises(FileTooLarge, match=f"more than {MAX_FILE} bytes"):
        atomic_write.read(task(host), PATH)
    host = Answering({"stat -L": said(told), "cat": [CUT, said("content")]})
    assert atomic_write.read(task(host), PATH) == b"content"
    assert host.commands[-1].capture == MAX_FILE


def test_a_cut_answer_is_refused_and_the_stdout_of_a_change_is_none() -> None:
    with pytest.raises(OutputCut, match=f"`ip -json route show` wrote more than {MAX_CAPTURE} bytes"):
        task(Answering({}, otherwise=CUT)).run(programs.routes(), silent=True)
    assert task(Answering({}, otherwise=CUT)).run(programs.remove_file(PATH)) is CUT


def test_what_is_not_told_of_output_and_input_is_counted() -> None:
    events: list[Event] = []
    host = Answering({}, otherwise=Result(0, b"", b"", not_shown=1_800_000_000))
    route = pod_route(1)
    commands = [RouteCommand(Verb.ADD, route)] * (MAX_LINES + 5)
    task(host, events).run(programs.change_routes(commands))
    notes = [e.text for e in events if e.kind is EventKind.NOTE]
    assert notes == [
        "5 further lines of its input are not shown",
        "1800000000 bytes of the output of `ip -force -batch -` were not shown, nor recorded",
    ]
    assert len(events) == 1 + MAX_LINES + 2


def test_large_files_are_edited_in_linear_time() -> None:
    rows = b"".join(b"0.0.0.0 ads%07d.example.com\n" % number for number in range(200_000))
    names = {f"worker-{n}": ip(f"192.168.1.{n + 1}") for n in range(3)}
    before = rows + b"192.168.1.9 worker-0\n" + rows
    made = edit(before, names, listed=names)
    assert made.after.startswith(rows + rows + BEGIN)
    assert edit(made.after, names, listed=names).is_empty
    assert has_block(made.after)
    assert not has_block(b"#" + BEGIN + rows)


@pytest.mark.parametrize("content", [b"", b"\n", b"x", b"x\n", b"a x\nb\nx", b"\nx\n\nx\n\n", b"xx x\nx"])
def test_lines_with_a_word_are_found_once_each(content: bytes) -> None:
    expected = [line for line in content.splitlines(keepends=True) if b"x" in line or b"a" in line]
    assert [content[a:b] for a, b in lines_with(content, [b"x", b"a"])] == expected
    assert [content[a:b] for a, b in lines_with(content, [b""])] == content.splitlines(keepends=True)
