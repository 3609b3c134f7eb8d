"""Odd and hostile hosts and labels: nothing from outside reaches a terminal, a file or a decision as it came."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from kthw_routes.demo.api.account import LinodeInstance
from kthw_routes.demo.api.server import LinodeApi
from kthw_routes.sanitize import clean
from tests.journeys.faults import Faults
from tests.journeys.looking import NODES, is_done, others, state
from tests.journeys.running import Answer
from tests.journeys.stage import ON_MODEL, Model, Stage

APPLY = ("apply", "--yes")
HOSTILE = (
    b"\x1b]0;title\x07\x1b[31mred\x1b[2J\x1b]52;c;Y2xpcA==\x07 [/foo] [bold]x[/bold] \xe2\x80\xaegnp.exe\xe2\x81\xa9 "
    b"\x00nul \xff\xfe\xc3( \xc2\x9b31m \x9b2J \x08\x7f\x0b end\r\nsecond\r\n"
)
"""Escape sequences (7 and 8 bit), markup, bidirectional overrides, NUL, bytes that are no UTF-8."""

ANSWER = HOSTILE + b'[{"ifname":"\\u001b[31m"}]'


def strings_of(value: Any) -> Iterator[str]:
    """Every text in a JSON value, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *strings_of(item))
    elif isinstance(value, list):
        for item in value:
            yield from strings_of(item)


def assert_clean(stage: Stage, *answers: Answer) -> None:
    """Nothing that was printed or recorded holds a byte that could do something."""
    texts = [text for answer in answers for text in (answer.out, answer.err)]
    for answer in answers:
        if answer.out.startswith("{"):
            texts += strings_of(answer.json)
    for path in stage.state.glob("runs/*/*"):
        texts.append(path.read_text("utf-8"))
        if path.suffix in (".json", ".jsonl"):
            rows = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
            texts += (text for row in rows for text in strings_of(json.loads(row)))
    dirty = [text for text in texts if clean(text) != text]
    assert dirty == []


def test_a_banner_and_a_noisy_bashrc_are_no_obstacle(stage: Stage, faults: Faults) -> None:
    for node in NODES:
        faults.greet(node, "Authorised use only\n", b"\nmotd [/foo]\x1b[31m\nunfinished")
    answer = stage.tool(*APPLY)
    assert answer.code == 0, answer.out + answer.err
    assert is_done(stage, *NODES)
    assert "Traffic between all pod CIDRs gets through." in answer.out
    assert "motd" not in answer.out + answer.err
    assert "unfinished" not in answer.out + answer.err
    assert_clean(stage, answer)


@ON_MODEL
def test_hostile_bytes_beside_the_answers_are_stripped(stage: Stage, faults: Faults) -> None:
    faults.wrap("worker-0", "ip", "-force -batch", out=HOSTILE, err=HOSTILE)
    faults.wrap("worker-1", "ip", "-force -batch", out=HOSTILE, err=HOSTILE, status=1)
    faults.wrap("worker-2", "ping", out=HOSTILE, err=HOSTILE)
    faults.wrap("controller-0", "mv", out=HOSTILE, err=HOSTILE, status=1)
    answer = stage.tool(*APPLY)
    assert answer.code == 1
    assert state(answer, "worker-0") == "done"
    assert state(answer, "worker-1") == "failed"
    assert "The batch broke off: red [/foo] [bold]x[/bold] gnp.exe nul " in answer.out
    assert state(answer, "controller-0") == "failed"
    assert "/etc/hosts was not changed: red [/foo] [bold]x[/bold]" in answer.out
    as_json = stage.tool("check", "--json")
    assert_clean(stage, answer, as_json)


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
@pytest.mark.parametrize("program", ["hostname", "ip -V", "ip route", "ip address show", "cat /etc/hosts", "ls", "id"])
def test_a_hostile_answer_stops_at_most_its_own_host(stage: Stage, faults: Faults, program: str) -> None:
    """On the model one by one, for speed; on real nodes all at once, see below."""
    name, _, argument = program.partition(" ")
    node = "controller-0" if "hosts" in argument else "worker-1"
    faults.wrap(node, name, argument, out=ANSWER, status=0)
    answer = stage.tool(*APPLY, "--json")
    assert answer.code in (0, 1), answer.err
    assert "Traceback" not in answer.err
    assert is_done(stage, *others(node))
    assert_clean(stage, answer)


@ON_MODEL
def test_hostile_answers_of_all_hosts_are_stripped(stage: Stage, faults: Faults) -> None:
    for node, name, argument in (
        ("worker-0", "hostname", ""),
        ("worker-1", "ip", "-json -4 -batch"),
        ("worker-1", "ip", "route show"),
        ("worker-2", "ls", ""),
        ("controller-0", "cat", "/etc/hosts"),
    ):
        faults.wrap(node, name, argument, out=ANSWER, status=0)
    answer = stage.tool(*APPLY)
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert "worker-0: the host calls itself red [/foo] [bold]x[/bold]" in answer.out
    assert "✗ skip host: worker-1: unreadable output of ip: red [/foo]" in answer.out, answer.out
    assert_clean(stage, answer)


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
@pytest.mark.parametrize(
    "row",
    [
        {"dst": "10.200.0.0/24", "gateway": "192.168.145.12", "dev": "\x1b[31mred", "flags": []},
        {"dst": "10.200.0.0/24", "dev": "eth0", "scope": "link\nroute flush table main", "flags": []},
        {"dst": "10.200.0.0/24", "type": "blackhole; reboot", "flags": []},
        {"dst": "10.200.0.0/24", "gateway": "192.168.145.12", "dev": "eth0", "protocol": "\u202eboot", "flags": []},
        {"dst": "10.200.0.0/24", "gateway": "192.168.145.12", "dev": "eth0", "flags": ["[/foo]\x1b[31m"]},
        {"dst": "10.200.0.0/24", "gateway": {"\x1b": 1}, "dev": "eth0", "flags": []},
        {"dst": "10.200.0.0/33", "dev": "eth0"},
        {"dst": "10.200.0.0/24", "nexthops": [{"gateway": "\x9b31m"}]},
        ["not", "a", "route"],
    ],
)
def test_a_table_with_hostile_words_is_refused_whole(stage: Stage, faults: Faults, row: object) -> None:
    """JSON has ways of its own to write control characters. On the model only: a real kernel has no such names."""
    faults.wrap("worker-1", "ip", "-json -4 -batch", status=1)  # so that the table is asked for by itself
    faults.wrap("worker-1", "ip", "route show", out=json.dumps([row]).encode(), status=0)
    answer = stage.tool(*APPLY, "--no-probe")
    assert answer.code == 1
    assert "✗ skip host: worker-1: unreadable output of ip: " in answer.out
    assert "Traceback" not in answer.err
    assert is_done(stage, *others("worker-1"))
    assert_clean(stage, answer)


@ON_MODEL
def test_a_hosts_file_with_control_bytes_is_kept_and_undone_byte_for_byte(stage: Stage, faults: Faults) -> None:
    stage.run("controller-0", r"printf '\033[31m # \302\233 \342\200\256 END-OF-HOSTS\nlast line' >> /etc/hosts")
    before = stage.run("controller-0", "cat /etc/hosts")
    answer = stage.tool(*APPLY)
    assert answer.code == 0, answer.out + answer.err
    assert is_done(stage, "controller-0")
    assert stage.run("controller-0", "cat /etc/hosts").startswith(before)
    assert_clean(stage, answer)
    (transcript,) = stage.state.glob("runs/*/transcript.md")
    undo = transcript.read_text().split("On controller-0, as root:\n\n```sh\n")[1].partition("```\n")[0]
    assert undo.startswith("sh -c 'base64 -d > /etc/hosts' <<'END-OF-HOSTS'\n")
    stage.run("controller-0", undo)
    assert stage.run("controller-0", "cat /etc/hosts") == before


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
def test_hostile_labels_are_shown_harmless_and_stop_the_work(stage: Stage) -> None:
    """Labels that Linode itself would refuse: what stands between may not be trusted either. No node takes part."""
    assert isinstance(stage, Model)
    label = "worker-9" + HOSTILE.decode("utf-8", "replace").replace("\r\n", "")
    account = stage.lab.api.account
    hostile = LinodeInstance(label, ("203.0.113.90",), ("192.168.145.90",), tags=(label,))
    with LinodeApi(replace(account, instances=(*account.instances, hostile))) as api:
        answers = [stage.tool(*command, env={"LINODE_URL": api.url}) for command in (("plan",), ("plan", "--json"))]
    assert [answer.code for answer in answers] == [2, 2]
    assert "[/foo]" in answers[0].out + answers[0].err
    assert_clean(stage, *answers)
