"""Token, sudo password, passphrase, private key: in no file, output or repr, and not where a host echoes them."""

import gc
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

import pytest

from kthw_routes.demo.api.account import DEMO_TOKEN
from kthw_routes.events import Event
from kthw_routes.ssh.session import NewHostKey
from kthw_routes.workflow.connect import connect, linode_source
from kthw_routes.workflow.workflow import Workflow
from tests.journeys.faults import Faults
from tests.journeys.looking import NODES, is_done
from tests.journeys.stage import ON_MODEL, Model, RealNodes, Stage
from tests.model.accounts import SudoUser
from tests.nodes.spec import SUDO_PASSWORD

PASSPHRASE = "staple battery"


def private_key(stage: Stage) -> Path:
    """The key that the nodes accept."""
    if isinstance(stage, RealNodes):
        return stage.lab.key
    assert isinstance(stage, Model)
    return stage.lab.identity


@pytest.fixture
def encrypted(stage: Stage, tmp_path: Path) -> Path:
    """The same key, with a passphrase."""
    copy = tmp_path / "kubernetes.ed25519"
    copy.write_bytes(private_key(stage).read_bytes())
    copy.chmod(0o600)
    change = ["ssh-keygen", "-q", "-p", "-P", "", "-N", PASSPHRASE, "-f", str(copy)]
    subprocess.run(change, check=True, capture_output=True)
    return copy


def secrets(stage: Stage) -> list[bytes]:
    """What must be nowhere. Of the key, a line of its middle."""
    lines = private_key(stage).read_bytes().splitlines()
    return [DEMO_TOKEN.encode(), SUDO_PASSWORD.encode(), PASSPHRASE.encode(), lines[len(lines) // 2]]


def found_in(stage: Stage, *outputs: str) -> list[tuple[str, bytes]]:
    """Where any of the secrets is, after a run: in the state folder, or in what was printed."""
    places = {str(path): path.read_bytes() for path in stage.state.rglob("*") if path.is_file()}
    assert {Path(place).name for place in places} >= {"journal.jsonl", "transcript.md", "plan.json", "known_hosts"}
    places |= {f"output {number}": text.encode() for number, text in enumerate(outputs)}
    return [(place, secret) for place, content in places.items() for secret in secrets(stage) if secret in content]


@ON_MODEL
def test_a_run_writes_and_prints_no_secret(stage: Stage, faults: Faults, encrypted: Path) -> None:
    tool = stage.start("apply", "--yes", "--json", "--user", "learner", "-i", str(encrypted), terminal=True)
    tool.type(PASSPHRASE, asked="Passphrase of")
    tool.type(SUDO_PASSWORD, asked="sudo password")
    answer = tool.wait()
    assert answer.code == 0, answer.err
    assert is_done(stage, *NODES)
    assert found_in(stage, tool.shown, answer.out, answer.err) == []
    for folder, _, files in os.walk(stage.state):
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        assert all(Path(folder, name).stat().st_mode & 0o077 == 0 for name in files)


def test_a_password_that_hosts_echo_is_masked(stage: Stage, faults: Faults) -> None:
    """Made by a program that writes the password to both streams, once with a byte in it that is stripped."""
    echo = f"{SUDO_PASSWORD}\n{SUDO_PASSWORD[:3]}\0{SUDO_PASSWORD[3:]}\nCommand failed -:1\n".encode()
    faults.wrap("worker-1", "ip", "-force -batch", out=echo, err=echo)
    faults.wrap("worker-2", "ip", "address replace", err=echo, status=1)
    faults.wrap("controller-0", "cp", err=echo, status=1)
    tool = stage.start("apply", "--yes", "--user", "learner", terminal=True)
    tool.type(SUDO_PASSWORD, asked="sudo password")
    answer = tool.wait()
    assert answer.code == 1
    assert found_in(stage, tool.shown, answer.out, answer.err) == []
    assert "worker-1: 1 of 2 changes failed: 10.200.0.0/24: ***" in answer.out
    assert "worker-2 has no probe address: *** *** Command failed -:1" in answer.out
    assert "/etc/hosts was not changed: *** *** Command failed -:1" in answer.out


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
@pytest.mark.parametrize(
    "say", [lambda s: s, lambda s: s.replace(" ", "\n"), lambda s: "".join(f"\\u{ord(c):04x}" for c in s), quote]
)
def test_data_that_holds_the_password_is_masked_or_refused(
    stage: Stage, faults: Faults, say: Callable[[str], str]
) -> None:
    """In a host's name, interfaces, routes, files and listings: what is only shown is masked, the rest not used."""
    words = say(SUDO_PASSWORD)
    link = f'[{{"ifname":"{words}","addr_info":[{{"family":"inet","local":"10.1.1.1","prefixlen":24}}]}}]'
    faults.wrap("worker-0", "hostname", out=f"{words}\n".encode(), status=0)
    for node in ("worker-1", "worker-2"):
        faults.wrap(node, "ip", "-json -4 -batch", status=1)  # so that each reading is asked for by itself
    faults.wrap("worker-1", "ip", "-json -4 address show", out=link.encode(), status=0)
    faults.wrap(
        "worker-2", "ip", "-json route show", out=f'[{{"dst":"10.9.0.0/16","dev":"{words}"}}]'.encode(), status=0
    )
    faults.wrap("controller-0", "cat", "/etc/hosts", out=f"127.0.0.1 localhost # {words}\n".encode(), status=0)
    tool = stage.start("apply", "--yes", "--json", "--no-probe", "--user", "learner", terminal=True)
    tool.type(SUDO_PASSWORD, asked="sudo password")
    answer = tool.wait()
    assert answer.code == 1
    assert found_in(stage, tool.shown, answer.out, answer.err, words) == [("output 3", SUDO_PASSWORD.encode())] * (
        words == SUDO_PASSWORD
    )
    places = [path.read_text() for path in stage.state.rglob("*") if path.is_file()]
    assert not [place for place in (answer.out, answer.err, *places) if words in place]
    findings = {f["node"]: f for f in answer.json["findings"] if f["code"] in ("secret-echoed", "other-host-name")}
    assert findings["worker-0"]["sentence"] == "worker-0: the host calls itself ***."
    for node, command in (
        ("worker-1", "ip -json -4 address show"),
        ("worker-2", "ip -json route show"),
        ("controller-0", "cat /etc/hosts"),
    ):
        assert findings[node]["sentence"].startswith(f"{node}: its answer to `{command}` contains the password")
        assert findings[node]["level"] == "skip host"
    assert is_done(stage, "controller-1", "controller-2")


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
@pytest.mark.parametrize("password", ["eth0", "worker-0", "kernel", "1", "10.", "lo", "learner", "localhost"])
def test_a_password_that_is_an_ordinary_word_spoils_nothing(stage: Stage, faults: Faults, password: str) -> None:
    assert isinstance(stage, Model)
    for host in stage.lab.topology.hosts.values():
        learner = host.users["learner"]
        assert isinstance(learner, SudoUser)
        host.users["learner"] = replace(learner, password=password)
    tool = stage.start("apply", "--yes", "--user", "learner", terminal=True)
    tool.type(password, asked="sudo password")
    answer = tool.wait()
    assert answer.code == 0, answer.out + answer.err
    assert is_done(stage, *NODES)
    assert "***" not in answer.out + answer.err


@pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
def test_a_refusal_of_sudo_is_masked_too(stage: Stage, faults: Faults) -> None:
    """On the model only: real sudo cannot be replaced for a login whose PATH has no folder of ours before it."""
    faults.wrap("worker-0", "sudo", "-S", err=f"never {SUDO_PASSWORD}\n".encode(), status=1)
    faults.wrap("worker-1", "sudo", "address replace", err=f"never {SUDO_PASSWORD}\n".encode(), status=1)
    tool = stage.start("apply", "--yes", "--user", "learner", terminal=True)
    tool.type(SUDO_PASSWORD, asked="sudo password")
    answer = tool.wait()
    assert answer.code == 1
    assert SUDO_PASSWORD not in answer.out + answer.err
    assert "learner is not root there, and sudo said: “never ***”." in answer.out


@ON_MODEL
def test_no_object_shows_a_secret(stage: Stage, faults: Faults, encrypted: Path, tmp_path: Path) -> None:
    """Everything that a run is made of, as a log or a traceback would print it."""
    settings = replace(stage.settings, identity=encrypted, user="learner")
    events: list[Event] = []
    connections, state = connect(settings, Answers(), default_host_keys="accept-new")
    workflow = Workflow(connections, settings.options, state, events.append)
    source = linode_source(settings)
    try:
        inspection = workflow.inspect(workflow.find(source).cluster)
        review = workflow.review(inspection)
        report = workflow.run(review)
        workflow.finish(report, workflow.prove(inspection))
        assert not report.unfinished
        errors: list[BaseException] = []
        for broken in (replace(settings, user="guest"), replace(settings, identity=unknown_key(tmp_path))):
            other, _ = connect(broken, Answers(wrong=True), default_host_keys="accept-new")
            errors += (
                Workflow(other, broken.options, state, events.append).inspect(inspection.cluster).troubles.values()
            )
            shown = shown_by(other)
            assert not [secret for secret in secrets(stage) if secret in shown]
        assert len(errors) == 2 * len(inspection.facts)
        shown = shown_by(settings, source, connections, workflow, review, report, events, errors)
    finally:
        workflow.close()
        connections.close()
    assert b"LinodeSource" in shown
    assert b"SshSession" in shown
    assert [secret for secret in secrets(stage) if secret in shown] == []


def unknown_key(folder: Path) -> Path:
    """A key that no node accepts."""
    key = folder / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return key


def shown_by(*roots: object) -> bytes:
    """The repr and str of everything of ours that can be reached from these objects."""
    seen: dict[int, object] = {}
    todo: list[object] = list(roots)
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, str | bytes | type | ModuleType):
            continue
        seen[id(thing)] = thing
        module = type(thing).__module__
        if module.startswith(("kthw_routes.", "builtins", "linode_api4", "requests")) and not callable(thing):
            todo += gc.get_referents(thing)
    return b"\n".join(
        f"{thing!r} {thing!s}".encode("utf-8", "replace")
        for thing in seen.values()
        if not isinstance(thing, dict | list | tuple)
    )


class Answers:
    """An Asker that knows the answers, or gives a wrong password."""

    def __init__(self, *, wrong: bool = False) -> None:
        self._wrong = wrong

    def passphrase(self, key_file: str) -> str | None:
        """See Asker."""
        return PASSPHRASE

    def sudo_password(self, user: str, node: str) -> str | None:
        """See Asker."""
        return "wrong" if self._wrong else SUDO_PASSWORD

    def accept_host_keys(self, keys: Sequence[NewHostKey]) -> bool:
        """See Asker."""
        return True
