"""The unit of ours on a host: when its timer rests, when it runs again, when it goes."""

from dataclasses import replace

import pytest

from kthw_routes.events import Event, Phase
from kthw_routes.hosts import write_files
from kthw_routes.hosts.task import HostTask
from kthw_routes.ssh.command import Result

from .answering import MISSING, Answering, said
from .test_write_files import BATCH, HANGS, NETPLAN, SCRIPT, SERVICE, TIMER, change, write


def renamed(ran: list[str]) -> list[str]:
    return [line.rpartition(" ")[2] for line in ran if line.startswith("mv")]


def test_the_timer_is_written_last_and_started() -> None:
    problems, ran = write({}, change(TIMER), change(BATCH, folder_is_ours=True), change(SERVICE))
    assert not problems
    assert renamed(ran) == [str(BATCH), str(SERVICE), str(TIMER)]
    assert ran[-2:] == ["systemctl daemon-reload", "systemctl enable --now kthw-routes.timer"]


def test_a_unit_that_is_not_whole_is_not_started() -> None:
    problems, ran = write(
        {f"mv -fT {BATCH.parent}/": said(status=1, err="mv: x")}, change(BATCH), change(SERVICE), change(TIMER)
    )
    assert list(problems) == [str(BATCH)]
    assert ran[-1] == "systemctl daemon-reload"


def test_a_timer_that_rested_is_started_again_though_only_the_batch_changed() -> None:
    timer = change(TIMER, b"same\n", b"same\n")
    batch = change(BATCH, b"old\n")
    host = Answering({})
    assert write_files.pause_timer(HostTask(host, Phase.RUN, lambda _: None), [batch, timer]) == {}
    assert host.ran == ["systemctl stop kthw-routes.timer kthw-routes.service"]
    assert write({}, batch, timer)[1][-1] == "systemctl enable --now kthw-routes.timer"


@pytest.mark.parametrize("is_enabled", [True, False])
def test_a_timer_of_which_nothing_is_planned_rests_too_and_is_started_if_it_was_enabled(is_enabled: bool) -> None:
    """As where a run is taken back that changed the batch alone."""
    batch = change(BATCH, b"old\n")
    host = Answering({})
    assert write_files.pause_timer(HostTask(host, Phase.RUN, lambda _: None), [batch]) == {}
    assert host.ran == ["systemctl stop kthw-routes.timer kthw-routes.service"]
    answer = said("enabled\n") if is_enabled else said("disabled\n", status=1)
    ran = write({"systemctl is-enabled": answer}, batch)[1]
    assert ("systemctl enable --now kthw-routes.timer" in ran) is is_enabled


def test_what_a_host_no_longer_has_does_not_keep_a_file_there() -> None:
    gone = [change(TIMER, b"c", None), change(NETPLAN, b"d", None)]
    answers = {"systemctl": MISSING, "netplan": MISSING}
    assert write_files.pause_timer(HostTask(Answering(answers), Phase.RUN, lambda _: None), gone) == {}
    assert write(answers, *gone)[0] == {}
    assert set(write(answers, change(TIMER))[0]) == {str(TIMER)}


def test_a_timer_is_disabled_before_it_goes() -> None:
    gone = [change(BATCH, b"a", None, folder_is_ours=True), change(SERVICE, b"b", None), change(TIMER, b"c", None)]
    host = Answering({})
    assert write_files.pause_timer(HostTask(host, Phase.RUN, lambda _: None), gone) == {}
    assert host.ran == ["systemctl stop kthw-routes.timer kthw-routes.service"]
    ran = [line for line in write({}, *gone)[1] if not line.startswith("sync")]
    assert ran == [
        "systemctl disable kthw-routes.timer",
        f"rm -f {TIMER}",
        f"rm -f {SERVICE}",
        f"rm -f {BATCH}",
        f"rmdir {BATCH.parent}",
        "systemctl daemon-reload",
    ]


def test_a_unit_that_systemd_does_not_know_rests_already() -> None:
    unknown = said(status=5, err="Failed to stop kthw-routes.service: Unit kthw-routes.service not loaded.")
    task = HostTask(Answering({"systemctl stop": unknown}), Phase.RUN, lambda _: None)
    assert write_files.pause_timer(task, [change(SERVICE), change(TIMER, b"x", b"x")]) == {}


@pytest.mark.parametrize(
    ("complaints", "rests"),
    [
        (["Failed to stop kthw-routes.timer: Connection timed out", "{service}"], False),
        (["Warning: The unit file of kthw-routes.timer changed on disk.", "{service}"], True),
    ],
)
def test_that_systemd_does_not_know_the_service_says_nothing_of_the_timer(complaints: list[str], rests: bool) -> None:
    service = "Failed to stop kthw-routes.service: Unit kthw-routes.service not loaded."
    err = "\n".join(complaints).format(service=service)
    task = HostTask(Answering({"systemctl stop": said(status=5, err=err)}), Phase.RUN, lambda _: None)
    problems = write_files.pause_timer(task, [change(SERVICE, b"old\n"), change(TIMER, b"x", b"x")])
    assert problems == {} if rests else "Connection timed out" in problems[str(TIMER)]


def test_no_timer_rests_where_none_stood_or_nothing_of_it_changes() -> None:
    for changes in ([change(BATCH), change(TIMER)], [change(TIMER, b"x", b"x"), change(SCRIPT)], [change(SCRIPT)]):
        host = Answering({})
        assert write_files.pause_timer(HostTask(host, Phase.RUN, lambda _: None), changes) == {}
        assert not host.ran


@pytest.mark.parametrize(
    ("answer", "words"), [(said(status=1, err="Failed: x"), "Failed: x"), (HANGS, "took too long")]
)
def test_what_systemd_refuses_is_told(answer: Result, words: str) -> None:
    events: list[Event] = []
    stopped = write_files.pause_timer(
        HostTask(Answering({"systemctl stop": answer}), Phase.RUN, events.append), [change(TIMER, b"old\n")]
    )
    assert words in stopped[str(TIMER)]
    assert words in write({"systemctl enable": answer}, change(TIMER))[0][str(TIMER)]
    assert words in write({"systemctl daemon-reload": answer}, change(TIMER, b"old\n", None))[0][str(TIMER)]


def test_a_unit_that_does_not_start_keeps_the_old_file() -> None:
    problems = write({"systemctl enable": said(status=1, err="x")}, change(TIMER), change(SCRIPT, b"old\n", None))[0]
    assert set(problems) == {str(TIMER), str(SCRIPT)}


GONE = [change(BATCH, b"a", None), change(SERVICE, b"b", None), change(TIMER, b"c", None)]
REFUSED = {"netplan generate": said(status=1, err="no")}


@pytest.mark.parametrize("is_enabled", [True, False])
def test_a_timer_goes_on_where_the_file_of_the_next_manager_is_refused(is_enabled: bool) -> None:
    answer = said("enabled\n") if is_enabled else said("disabled\n", status=1)
    changes = [change(NETPLAN), *GONE]
    assert write_files.pause_timer(HostTask(Answering({}), Phase.RUN, lambda _: None), changes) == {}
    problems, ran = write({**REFUSED, "systemctl is-enabled": answer}, *changes)
    assert set(problems) == {str(NETPLAN), str(BATCH), str(SERVICE), str(TIMER)}
    assert not any(line.startswith(("systemctl disable", f"rm -f {TIMER}")) for line in ran)
    assert (ran[-1] == "systemctl enable --now kthw-routes.timer") is is_enabled


def test_a_timer_that_does_not_go_on_is_told() -> None:
    answers = {**REFUSED, "systemctl is-enabled": said("enabled\n"), "systemctl enable": said(status=1, err="no bus")}
    assert (
        "kept, but `systemctl enable --now kthw-routes.timer` failed: no bus"
        in (write(answers, change(NETPLAN), *GONE)[0][str(TIMER)])
    )


def test_a_timer_that_cannot_be_disabled_keeps_what_it_needs() -> None:
    problems, ran = write({"systemctl disable": said(status=1, err="Read-only file system")}, *GONE)
    assert problems[str(TIMER)] == "kthw-routes.timer could not be disabled: Read-only file system"
    assert problems[str(BATCH)] == f"{BATCH} was kept, as kthw-routes.timer is there still."
    assert not any(line.startswith("rm ") for line in ran)
    missing = said(status=1, err="Failed to disable unit: Unit file kthw-routes.timer does not exist.")
    assert write({"systemctl disable": missing}, *GONE)[0] == {}


def test_a_timer_whose_batch_could_not_be_written_goes_on_with_the_old_one() -> None:
    full = said(status=1, err="No space left on device")
    timer = change(TIMER, b"same\n", b"same\n")
    problems, ran = write({"dd": full}, change(BATCH, b"old\n"), timer)
    assert list(problems) == [str(BATCH)]
    assert ran[-1] == "systemctl enable --now kthw-routes.timer"
    off = replace(timer, is_enabled=False, was_enabled=False)
    for answers in ({"dd": full}, {}):
        ran = write(answers, change(BATCH, b"old\n"), off)[1]
        assert not any(line.startswith("systemctl enable") for line in ran), "somebody disabled it"


def test_a_timer_that_was_not_enabled_before_a_run_is_disabled_when_the_run_is_taken_back() -> None:
    back = replace(change(TIMER, b"old\n"), is_enabled=False)
    assert write({}, back)[1][-2:] == ["systemctl daemon-reload", "systemctl disable kthw-routes.timer"]
