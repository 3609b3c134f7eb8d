"""An SSH agent that does not answer as it should: bounded in time and size, told once; the files' keys are tried."""

import base64
import contextlib
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import pytest

from kthw_routes.ssh.agent import MAX_IDENTITIES, MAX_REPLY, Agent, LoginKey
from kthw_routes.ssh.config_options import NO_AGENT
from kthw_routes.ssh.errors import KeyUnusable
from kthw_routes.ssh.keys import MAX_KEYS, Keys
from tests.unit.test_keys import make, names

pytestmark = pytest.mark.skipif(which("ssh-keygen") is None, reason="there is no ssh-keygen to make keys with")

LIST, SIGN = 11, 13
Answer = Callable[[socket.socket, int, bytes], None]
"""Answers one request, of a kind and with a body; the connection is closed when it returns."""


def send(sock: socket.socket, kind: int, body: bytes) -> None:
    sock.sendall(struct.pack(">IB", 1 + len(body), kind) + body)


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def listing(*blobs: bytes) -> bytes:
    return struct.pack(">I", len(blobs)) + b"".join(string(b) + string(b"comment") for b in blobs)


def blob_of(file: Path) -> bytes:
    return base64.b64decode(Path(f"{file}.pub").read_text().split()[1])


class BadAgent:
    """An agent on a socket of its own that answers by a function."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        self.path = folder / "agent"
        self.asked: list[int] = []
        self._answer = answer
        self.over = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(sock,), daemon=True).start()

    def _converse(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            (size,) = struct.unpack(">I", sock.recv(4, socket.MSG_WAITALL))
            request = sock.recv(size, socket.MSG_WAITALL)
            self.asked.append(request[0])
            self._answer(sock, request[0], request[1:])

    def wait(self, *_request: object) -> None:
        self.over.wait(60)

    def close(self) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def bad_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Answer | None], BadAgent]]:
    made: list[BadAgent] = []

    def start(answer: Answer | None) -> BadAgent:
        made.append(BadAgent(tmp_path_factory.mktemp("a"), answer or (lambda *request: made[0].wait(*request))))
        return made[-1]

    yield start
    for agent in made:
        agent.close()


def dripping(sock: socket.socket, _kind: int, _body: bytes) -> None:
    """A whole answer, one byte at a time: each of them is in time."""
    answer = struct.pack(">I", 10_000) + bytes(10_000)
    pause = threading.Event()
    for byte in answer:
        sock.sendall(bytes([byte]))
        pause.wait(0.02)  # it is slow; the test does not wait for it


FAULTS: dict[str, tuple[Answer | None, str]] = {
    "silent": (None, "no answer within 0.5 s"),
    "a huge reply": (lambda s, *_: s.sendall(b"\xff\xff\xff\xff" + bytes(100)), "claims an answer of 4294967295 bytes"),
    "one byte too many": (
        lambda s, *_: s.sendall(struct.pack(">I", MAX_REPLY + 1)),
        f"claims an answer of {MAX_REPLY + 1} bytes",
    ),
    "an empty reply": (lambda s, *_: s.sendall(bytes(4)), "claims an answer of 0 bytes"),
    "garbage": (lambda s, *_: s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "claims an answer of"),
    "half a length": (lambda s, *_: s.sendall(b"\0\0"), "hung up without a whole answer"),
    "half a reply": (lambda s, *_: s.sendall(struct.pack(">I", 500) + b"\x0c"), "hung up without a whole answer"),
    "nothing": (lambda *_: None, "hung up without a whole answer"),
    "another kind": (lambda s, *_: send(s, 5, b""), "something else than its keys"),
    "four billion keys": (lambda s, *_: send(s, 12, b"\xff" * 4), "claims to hold 4294967295 keys"),
    "a list cut off": (lambda s, *_: send(s, 12, listing(b"x" * 32)[:-9]), "list of keys is cut off"),
    "a drip": (dripping, "no answer within 0.5 s"),
}


@pytest.mark.parametrize(("answer", "says"), FAULTS.values(), ids=FAULTS)
def test_an_agent_that_does_not_answer_is_told_once_and_the_files_are_tried(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bad_agent: Callable[[Answer | None], BadAgent],
    answer: Answer | None,
    says: str,
) -> None:
    agent = bad_agent(answer)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.path))
    make(tmp_path / ".ssh" / "id_ed25519")
    keys = Keys(home=tmp_path, folder=tmp_path, agent_timeout=0.5)
    told: list[str] = []
    keys.report = told.append
    begun = time.monotonic()
    for _ in range(20):
        assert names(keys) == ["id_ed25519"]
    assert time.monotonic() - begun < 20
    assert len(told) == len(agent.asked) == 1
    assert told[0].startswith(f"The SSH agent at {agent.path} does not reply as it should: ")
    assert says in told[0]
    assert "start it again, or name a key with -i" in told[0]
    assert keys.agent_error() == told[0]
    keys.forget_refusals()
    assert keys.agent_error() is None, "another look asks it again"


def test_a_named_key_that_is_not_encrypted_needs_no_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad_agent: Callable[[Answer | None], BadAgent]
) -> None:
    agent = bad_agent(None)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.path))
    assert names(Keys(make(tmp_path / "key"), home=tmp_path)) == ["key"]
    assert agent.asked == []


def _leave(path: Path, kind: str) -> Path:
    match kind:
        case "a regular file":
            path.write_text("")
        case "refused":
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(str(path))
        case "a folder":
            path.mkdir()
        case "too long a name":
            return path / ("x" * 200)
        case "a file for a folder":
            path.write_text("")
            return path / "socket"
    return path


@pytest.mark.parametrize(
    "kind", ["missing", "a regular file", "refused", "a folder", "too long a name", "a file for a folder"]
)
def test_a_setting_left_behind_is_quiet_unless_it_mattered(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    home = tmp_path_factory.mktemp("h")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(_leave(home / "s", kind)))
    keys = Keys(home=home, folder=home)
    told: list[str] = []
    keys.report = told.append
    assert names(keys) == []
    assert told == []
    assert (keys.agent_error() or "").startswith(f"There is no SSH agent at {home}/s")


def test_no_agent_is_asked_where_the_configuration_says_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad_agent: Callable[[Answer | None], BadAgent]
) -> None:
    agent = bad_agent(None)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.path))
    assert list(Keys(home=tmp_path, folder=tmp_path).offered("worker-0", identity_agent=NO_AGENT)) == []
    assert agent.asked == []


def test_hundreds_of_keys_are_read_and_bad_ones_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad_agent: Callable[[Answer | None], BadAgent]
) -> None:
    good = blob_of(make(tmp_path / "good"))
    bad = [string(b"ssh-rsa") + b"\xff" * n for n in range(50)] + [b"", b"\xff" * 9, string(b"ssh-ed25519")]
    agent = bad_agent(lambda s, *_: send(s, 12, listing(*[good[:-4] + struct.pack(">I", n) for n in range(900)], *bad)))
    held = Agent(agent.path, 5.0, pytest.fail)
    assert len(held.identities()) == 953 < MAX_IDENTITIES
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.path))
    assert len(names(Keys(home=tmp_path, folder=tmp_path))) == MAX_KEYS
    only_bad = bad_agent(lambda s, *_: send(s, 12, listing(*bad)))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(only_bad.path))
    names(Keys(home=tmp_path, folder=tmp_path))


SIGN_FAULTS: dict[str, tuple[Answer | None, str]] = {
    "dies between list and signature": (lambda *_: None, "the agent did not sign"),
    "refuses": (lambda s, *_: send(s, 5, b""), "the agent refused to sign"),
    "claims a huge signature": (lambda s, *_: s.sendall(b"\xff" * 9), "the agent did not sign"),
    "never signs": (None, "the agent did not sign"),
}


@pytest.mark.parametrize(("answer", "why"), SIGN_FAULTS.values(), ids=SIGN_FAULTS)
def test_a_signature_that_does_not_come_is_no_signature(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bad_agent: Callable[[Answer | None], BadAgent],
    answer: Answer | None,
    why: str,
) -> None:
    """The connection is not lost for it: what is sent is a signature that fits nothing."""
    monkeypatch.setattr("kthw_routes.ssh.agent.SIGN_TIMEOUT", 0.5)
    if answer is None:
        monkeypatch.setattr("kthw_routes.ssh.agent._UNUSUAL", 0.1)
    blob = blob_of(make(tmp_path / "key"))

    def both(sock: socket.socket, kind: int, body: bytes) -> None:
        if kind == LIST:
            send(sock, 12, listing(blob))
        elif answer is None:
            silent.wait()
        else:
            answer(sock, kind, body)

    silent = agent = bad_agent(both)
    told: list[str] = []
    held = Agent(agent.path, 5.0, told.append)
    key = LoginKey(held, held.identities()[0])
    signature = key.sign_ssh_data(b"data")
    assert signature == string(b"ssh-ed25519") + string(bytes(64))
    assert key.unsigned == why
    assert len([t for t in told if "does not reply" in t]) == (why != "the agent refused to sign")
    assert any("Waiting up to 0.5 s" in t for t in told) == (answer is None)
    again = LoginKey(held, held.identities()[0])
    asked = len(agent.asked)
    again.sign_ssh_data(b"data")
    assert len(agent.asked) - asked == (why == "the agent refused to sign"), "a dead one is not asked again"


@pytest.fixture
def agent(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real one; nothing in the environment names it."""
    if which("ssh-agent") is None:
        pytest.skip("there is no ssh-agent")
    sock = tmp_path_factory.mktemp("a") / "s"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    yield sock
    process.terminate()
    process.wait()
    process.stdout.close()


def add(agent: Path, file: Path) -> None:
    subprocess.run(
        ["ssh-add", "-q", file], check=True, capture_output=True, env=os.environ | {"SSH_AUTH_SOCK": str(agent)}
    )


@pytest.mark.parametrize("left", ["public half alone", "public half beside", "encrypted, no public half"])
def test_the_agent_s_key_of_a_file_is_offered(tmp_path: Path, agent: Path, left: str) -> None:
    lab = make(tmp_path / "lab")
    add(agent, make(tmp_path / "other"))
    add(agent, lab)
    named = lab
    if left == "public half alone":
        lab.unlink()
        named = tmp_path / "lab.pub"
    elif left == "public half beside":
        lab.unlink()
    else:
        subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", lab], check=True, capture_output=True)
        (tmp_path / "lab.pub").unlink()
    keys = Keys(home=tmp_path, folder=tmp_path)
    offered = list(keys.offered("worker-0", [named], identities_only=True, identity_agent=agent))
    assert [key.name for key in offered] == [named.name]


def test_a_public_half_may_be_named(tmp_path: Path, agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = make(tmp_path / "lab")
    public = tmp_path / "lab.pub"
    with pytest.raises(KeyUnusable, match="is the public half of a key, and no SSH agent holds its private half") as no:
        names(Keys(public, home=tmp_path))
    assert no.value.hint.startswith(f"Load that into an agent (ssh-add {lab}), or name the private key with -i FILE.")
    add(agent, lab)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    lab.unlink()
    (key,) = Keys(public, home=tmp_path).offered("worker-0")
    assert key.name == "lab.pub"
    key.pkey.sign_ssh_data(b"data")
    assert isinstance(key.pkey, LoginKey)
    assert not key.pkey.unsigned


def test_a_comment_of_an_agent_s_key_is_cleaned(tmp_path: Path, agent: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a\x1b]0;owned\x07b", "-f", tmp_path / "k"], check=True
    )
    add(agent, tmp_path / "k")
    offered = list(Keys(home=tmp_path / "no", folder=tmp_path).offered("worker-0", identity_agent=agent))
    assert [key.name for key in offered] == ["agent: ab"]


@pytest.mark.parametrize("kind", ["a named pipe", "huge", "memory"])
def test_a_key_file_that_is_none_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "key"
    match kind:
        case "a named pipe":
            os.mkfifo(file, 0o600)
        case "huge":
            file.touch(0o600)
            os.truncate(file, 200_000_000)
        case "memory":
            file.symlink_to("/proc/self/mem")
    with pytest.raises(KeyUnusable, match=r"the private key \S+key cannot be read: "):
        names(Keys(file, home=tmp_path))
