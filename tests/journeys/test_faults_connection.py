"""Faults on the way to a host: each is told apart, and stops that host only."""

import re
import shlex
import shutil
import socket
import time
from pathlib import Path

import pytest

from tests.journeys.faults import Faults
from tests.journeys.looking import is_done, others, pod_routes, state
from tests.journeys.stage import ON_MODEL, WORKERS, Model, RealNodes, Stage

APPLY = ("apply", "--yes", "--no-probe")
QUICK = ("--timeout", "3")


def skipped(out: str, node: str) -> str:
    """Why a host was skipped: the sentence and the hint."""
    found = re.search(rf"^✗ skip host: ({node}: .*)\n    (.*)$", out, re.MULTILINE)
    assert found, out
    return f"{found[1]} {found[2]}"


def test_a_host_on_which_nothing_listens_is_skipped(stage: Stage, faults: Faults) -> None:
    """Made by ending sshd; on the model, its server."""
    faults.cut_off("worker-1")
    answer = stage.tool(*APPLY)
    assert answer.code == 1
    assert re.search(
        r"^worker-1: \S+( \(port 22\))? refuses the connection: nothing listens on that port\. Is sshd running there\?",
        skipped(answer.out, "worker-1"),
    )
    assert "not read: worker-1" in answer.out
    assert is_done(stage, *others("worker-1"))
    faults.connect("worker-1")
    again = stage.tool(*APPLY)
    assert again.code == 0
    assert is_done(stage, "worker-1")


@pytest.mark.parametrize("stage", ["real nodes"], indirect=True)
@pytest.mark.nodes
@pytest.mark.parametrize("fault", ["power off", "cut link"])
def test_a_host_that_is_gone_is_skipped(stage: Stage, fault: str) -> None:
    """On real nodes only: the model's servers are on loopback, where a host cannot vanish from the network."""
    assert isinstance(stage, RealNodes)
    node = stage.lab.node("worker-1")
    if fault == "power off":
        node.power_off()
    else:
        node.cut()
    begun = time.monotonic()
    answer = stage.tool(*APPLY, *QUICK)
    assert time.monotonic() - begun < 15
    assert answer.code == 1
    why = skipped(answer.out, "worker-1")
    assert "worker-1: no answer from 203.0.113.11 (port 22) within 3 s. Is the node running" in why
    assert is_done(stage, *others("worker-1"))


@ON_MODEL
def test_no_host_at_all_is_not_called_done(stage: Model, faults: Faults) -> None:
    for node in stage.lab.servers:
        faults.cut_off(node)
    answer = stage.tool(*APPLY)
    assert answer.code == 1
    assert "Nothing is known: no host could be read." in answer.out
    assert "Nothing to do" not in answer.out


def test_a_host_that_dies_before_the_batch_is_sent_is_unchanged(stage: Stage, faults: Faults) -> None:
    """Made while another is changed, as it waits for its turn."""
    hold = faults.hold("worker-0", "ip", "-force -batch", "before")
    tool = stage.start(*APPLY, *QUICK, "--parallel", "1")
    hold.wait()
    faults.cut_off("worker-1")
    hold.release()
    answer = tool.wait()
    assert answer.code == 1
    assert state(answer, "worker-1") == "failed"
    sentence = "refuses the connection: nothing listens on that port. Nothing was changed there."
    assert re.search(rf"worker-1: .* {re.escape(sentence)}", answer.out + answer.err)
    assert pod_routes(stage, "worker-1") == {}
    assert is_done(stage, *others("worker-1"))


def test_a_host_that_dies_after_the_batch_was_sent_is_not_confirmed(stage: Stage, faults: Faults) -> None:
    """Made when the batch has been run and its answer is not yet sent. The kernel has the routes by then."""
    hold = faults.hold("worker-1", "ip", "-force -batch", "after")
    tool = stage.start(*APPLY, *QUICK)
    hold.wait()
    faults.cut_off("worker-1")
    answer = tool.wait()
    assert answer.code == 1
    assert state(answer, "worker-1") == "sent, not confirmed"
    sentence = (
        "worker-1: the connection ended while a command ran. Changes were sent; whether they took effect is not "
        "confirmed."
    )
    assert sentence in answer.out
    assert "To undo: kthw-routes undo " in answer.out, "the way back is told for what may have been changed"
    assert is_done(stage, *others("worker-1"))
    faults.connect("worker-1")
    again = stage.tool(*APPLY)
    assert again.code == 0
    assert "Nothing to do: every route and name is as it should be." in again.out
    assert is_done(stage, "worker-1")


@pytest.mark.parametrize("stage", ["real nodes"], indirect=True)
@pytest.mark.nodes
def test_a_host_that_loses_its_power_after_the_batch_is_finished_by_a_second_run(stage: Stage, faults: Faults) -> None:
    """On real nodes only: the routes are gone with the power, which the model has no notion of."""
    assert isinstance(stage, RealNodes)
    hold = faults.hold("worker-1", "ip", "-force -batch", "after")
    tool = stage.start(*APPLY, "--timeout", "2")
    hold.wait()
    stage.lab.node("worker-1").cut()  # first, so that no farewell of its kernel gets through
    stage.lab.node("worker-1").power_off()
    answer = tool.wait()
    assert answer.code == 1
    assert state(answer, "worker-1") == "sent, not confirmed"
    assert "worker-1: no output for 4 s. Changes were sent; whether they took effect is not" in answer.out
    assert is_done(stage, *others("worker-1"))
    stage.lab.node("worker-1").path("/usr/local/sbin/ip").unlink()
    stage.lab.node("worker-1").power_on()
    assert pod_routes(stage, "worker-1") == {}
    assert stage.tool(*APPLY).code == 0
    assert is_done(stage, "worker-1")


def test_a_program_that_takes_too_long_is_ended_there(stage: Stage, faults: Faults) -> None:
    faults.wrap("worker-1", "ip", "-force -batch", seconds=30)
    answer = stage.tool(*APPLY, "--timeout", "2")
    assert answer.code == 1
    assert state(answer, "worker-1") == "failed"
    assert "10.200.0.0/24, 10.200.2.0/24: the route is not in the table as read back." in answer.out
    assert "The batch broke off: `ip -force -batch -` took too long and was ended there." in answer.out
    assert not faults.is_running("worker-1", "sleep 30")
    assert not faults.is_running("worker-1", "batch")
    assert is_done(stage, *others("worker-1"))


@ON_MODEL
def test_a_host_that_is_slow_to_answer_is_skipped(stage: Stage, faults: Faults) -> None:
    faults.wrap("worker-1", "ip", "-V", seconds=30)
    answer = stage.tool(*APPLY, "--timeout", "2")
    assert answer.code == 1
    assert "worker-1: no output for 4 s while `ip -V` ran." in skipped(answer.out, "worker-1")
    assert is_done(stage, *others("worker-1"))


def test_a_host_that_knows_no_key_of_ours_is_skipped(stage: Stage, faults: Faults) -> None:
    faults.refuse_keys("worker-1")
    answer = stage.tool(*APPLY)
    assert answer.code == 1
    why = skipped(answer.out, "worker-1")
    assert "rejected all offered keys: kubernetes.ed25519." in why
    assert "Is the public key in that user's ~/.ssh/authorized_keys there?" in why
    assert is_done(stage, *others("worker-1"))


def test_servers_that_allow_one_session_at_a_time_are_enough(stage: Stage, faults: Faults) -> None:
    """A server counts a session until it has seen its end, and refuses the next one until then."""
    for node in WORKERS:
        faults.limit_sessions(node, 1)
    assert stage.tool(*APPLY).code == 0
    assert is_done(stage, *WORKERS)


def test_a_host_that_allows_no_session_is_skipped(stage: Stage, faults: Faults) -> None:
    faults.limit_sessions("worker-1", 0)
    answer = stage.tool(*APPLY)
    assert answer.code == 1
    why = skipped(answer.out, "worker-1")
    assert re.search(r"worker-1: the server at \S+ refuses a channel for a command .*; it was not sent\.", why), why
    assert "MaxSessions 0" in why
    assert is_done(stage, *others("worker-1"))


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
@pytest.mark.parametrize("kind", ["mute", "left behind"])
def test_an_agent_that_does_not_answer_is_told_once_and_the_key_file_is_taken(
    stage: Stage, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    """On the model only: an agent is on the person's machine, whatever the nodes are."""
    assert isinstance(stage, Model)
    (tmp_path / ".ssh").mkdir()
    shutil.copy(stage.lab.identity, tmp_path / ".ssh" / "id_ed25519")
    (tmp_path / ".ssh" / "id_ed25519").chmod(0o600)
    config = tmp_path / "config"
    config.write_text(re.sub(r"(?m)^ *Identit.*\n", "", stage.lab.ssh_config.read_text()))
    path = tmp_path_factory.mktemp("a") / "agent"
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(path))
        if kind == "mute":
            agent.listen(64)  # connections are made, and nobody takes them up
        begun = time.monotonic()
        answer = stage.tool(*APPLY, *QUICK, "-F", str(config), env={"SSH_AUTH_SOCK": str(path)})
    assert time.monotonic() - begun < 40
    assert answer.code == 0
    assert is_done(stage, *WORKERS)
    said = answer.out + answer.err
    assert said.count("SSH agent") == (kind == "mute")
    if kind == "mute":
        assert f"The SSH agent at {path} does not reply as it should: no answer within 3 s. Its keys are not" in said


def test_a_changed_host_key_is_refused_until_the_old_one_is_forgotten(stage: Stage, faults: Faults) -> None:
    first = stage.tool("plan")
    old = re.search(r"worker-1: new host key ssh-ed25519 (SHA256:\S+),", first.err)
    assert old, first.err
    faults.change_host_key("worker-1")
    for command in (APPLY, ("check",), ("plan", "--host-keys", "off")):
        answer = stage.tool(*command)
        assert answer.code == 1
        why = skipped(answer.out, "worker-1")
        found = re.search(r"the host key of \S+.* has changed: it was (\S+), now it is (SHA256:\S+)\.", why)
        assert found, why
        assert found[1] == old[1] != found[2]
    assert is_done(stage, *others("worker-1"))
    assert pod_routes(stage, "worker-1") == {}
    hint = re.search(r"say so with --rebuilt worker-1, or run: (.*), and try again\.", why)
    assert hint, why
    forget = shlex.split(hint[1])
    if isinstance(stage, RealNodes):
        stage.lab.client(forget, check=True)
    else:
        assert isinstance(stage, Model)
        stage.locally(forget)
    assert stage.tool(*APPLY).code == 0
    assert is_done(stage, "worker-1")


@ON_MODEL
def test_two_hosts_with_one_key_are_pointed_out(stage: Stage, faults: Faults) -> None:
    faults.share_host_key("worker-1", "worker-0")
    answer = stage.tool(*APPLY)
    assert answer.code == 0
    assert re.search(r"notice: worker-0 and worker-1 present the same host key \(SHA256:\S{43}\)\.", answer.out)
    assert "One image cloned without new keys, one host under two addresses, or somebody in between." in answer.out
