"""What was sent to a host decides what is said of it."""

import contextlib
import inspect
import json
from pathlib import Path, PurePosixPath

import pytest

from kthw_routes.events import Event, HostOutcome, HostState, Phase
from kthw_routes.hosts import programs
from kthw_routes.hosts.fleet import TaskResult
from kthw_routes.hosts.sent import Sent
from kthw_routes.hosts.task import HostTask
from kthw_routes.record.run import Run
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.error_messages import lost
from kthw_routes.ssh.errors import ChannelRefused, CommandRefused, ConnectionLost, HostError, NoRoot
from kthw_routes.workflow.endings import Endings

from .answering import Answering, said

CHANGING = {
    "change_routes",
    "set_ip_forward",
    "copy_attributes",
    "write_file",
    "rename_over",
    "remove_file",
    "make_empty",
    "make_folder",
    "remove_folder",
    "stop_timer",
    "disable_timer",
    "enable_timer",
    "run_later",
    "stop_unit",
    "reload_units",
    "generate_netplan",
    "write_overlay_table",
    "remove_overlay_table",
    "change_overlay_device",
    "change_overlay_forwarding",
    "remove_overlay_device",
}
"""The programs that change what stays on a host. Probe addresses and scratch folders do not stay."""
PATH = PurePosixPath("/etc/hosts")
READ, CHANGE = programs.routes(), programs.remove_file(PATH)


def test_every_program_that_changes_something_says_so() -> None:
    """By its source: what it is called with is of no matter."""
    sources = {name: inspect.getsource(function) for name, function in inspect.getmembers(programs, inspect.isfunction)}
    changing = {name for name, source in sources.items() if " _change(" in source and "changes=False" not in source}
    assert changing - {"_change"} == CHANGING


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        (said(), 1),
        (said(status=1), 1),
        (said(status=124), 1),
        (ConnectionLost("worker-0", "gone."), 1),
        (ConnectionLost("worker-0", "gone.", nothing_ran=True), 0),
        (NoRoot("worker-0", "no sudo."), 0),
        (ChannelRefused("worker-0", "no channel."), 0),
        (CommandRefused("worker-0", "no command."), 0),
        (lost("worker-0", was_sent=False), 0),
    ],
)
def test_a_change_counts_unless_it_is_certain_that_it_never_ran(answer: Result | HostError, counted: int) -> None:
    task = HostTask(Answering({"rm": answer}), Phase.RUN, lambda _: None)
    task.run(READ)
    assert task.sent.words == "Nothing was changed there."
    with contextlib.suppress(HostError):
        task.run(CHANGE)
    assert task.sent.changes == counted
    assert task.sent.words.startswith("Changes were sent" if counted else "Nothing was changed")


def test_once_it_is_said_how_a_host_ended_nothing_is_sent_any_more() -> None:
    """A thread that nobody waits for may still be at work, here and in what is counted beside it."""
    session = Answering({})
    task = HostTask(session, Phase.RUN, lambda _: None)
    aside = HostTask(session, Phase.RUN, lambda _: None, Sent(outer=task.sent))
    task.sent.end()
    for one in (task, aside):
        with pytest.raises(HostError, match="stopped before `rm -f /etc/hosts` was sent"):
            one.run(CHANGE)
        one.run(READ)
    assert session.ran == [str(READ)] * 2
    assert task.sent.words == "Nothing was changed there."


def test_what_is_counted_beside_is_no_change() -> None:
    sent = Sent()
    beside = Sent(outer=sent)
    assert beside.begin(Command(("rm",), changes=True))
    assert (sent.changes, beside.changes) == (0, 1)


def endings(folder: Path, told: list[Event]) -> tuple[Endings, Run]:
    run = Run.begin(folder)
    return Endings(run, told.append), run


def test_to_a_host_that_is_said_not_to_have_begun_nothing_is_sent_any_more(tmp_path: Path) -> None:
    """After a hard stop nobody waits for its thread, which may have been about to begin."""
    ends, _ = endings(tmp_path, [])
    sent = Sent()
    assert ends.gather({"worker-0": TaskResult()}, {"worker-0": sent})["worker-0"].state is HostState.NOT_STARTED
    session = Answering({})
    with pytest.raises(HostError, match="stopped before"):
        HostTask(session, Phase.RUN, lambda _: None, sent).run(CHANGE)
    assert session.ran == []


def test_how_a_host_ended_is_told_once(tmp_path: Path) -> None:
    """After a hard stop its thread may come to its own end later: that is neither shown nor recorded."""
    told: list[Event] = []
    ends, run = endings(tmp_path, told)
    begun: TaskResult[HostOutcome] = TaskResult()
    begun.started = True
    first = ends.gather({"worker-0": begun}, {"worker-0": Sent()})["worker-0"]
    assert ends.tell(HostOutcome("worker-0", HostState.DONE)) is first
    assert [event.text for event in told] == ["worker-0: stopped in the middle. Nothing was changed there."]
    other = HostOutcome("worker-1", HostState.DONE)
    assert ends.tell(other) == ends.gather({"worker-1": begun}, {"worker-1": Sent()})["worker-1"] == other
    assert [event.text for event in told[1:]] == ["done"]
    lines = [json.loads(line) for line in (run.folder / "journal.jsonl").read_text().splitlines()[1:]]
    assert [(line["host"], line["state"]) for line in lines] == [("worker-1", "done")]
