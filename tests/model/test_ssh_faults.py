"""What can go wrong on the way to a host: each kind told apart, said in a sentence, and nothing left behind."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from kthw_routes.cluster import Endpoint
from kthw_routes.demo.ssh.keys import new_key
from kthw_routes.ssh.command import Command
from kthw_routes.ssh.errors import (
    CannotConnect,
    ConnectionRefused,
    ConnectTimedOut,
    HostKeyChanged,
    HostKeyUnknown,
    KeyRejected,
    NotSsh,
    PassphraseNeeded,
    Unreachable,
)
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.ssh.keys import Keys
from kthw_routes.ssh.known_hosts import HostKeyMode, KnownHosts
from tests.model.ssh_hosts import SSHD, Answers, Bench, eventually, healthy, me, openssh


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails where the test leaves a thread or a descriptor behind. Ask for it after what may stay."""
    threads, files = threading.active_count(), open_files()
    yield
    assert eventually(lambda: threading.active_count() <= threads), threading.enumerate()
    assert eventually(lambda: open_files() <= files)


def test_nobody_listens(bench: Bench, nothing_left: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionRefused) as caught:
        bench.session(port).open()
    assert caught.value.sentence == (
        f"worker-0: 127.0.0.1:{port} refuses the connection: nothing listens on that port."
    )


def test_a_name_that_does_not_resolve(bench: Bench) -> None:
    with pytest.raises(Unreachable, match=r"worker-0: the name node\.invalid does not resolve"):
        SshSession("worker-0", Endpoint("node.invalid"), bench.access()).open()


def test_no_answer_in_time(bench: Bench, nothing_left: None) -> None:
    with socket.socket() as full:  # it never accepts, and its queue is full: a SYN gets no answer
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        begun = time.monotonic()
        with pytest.raises(ConnectTimedOut, match=r"no answer from 127\.0\.0\.1:\d+ within 0\.3 s"):
            bench.session(full.getsockname()[1], bench.access(connect_timeout=0.3)).open()
        assert time.monotonic() - begun < 2
        for sock in waiting:
            sock.close()


def test_what_hangs_up_at_once_is_not_ssh(bench: Bench) -> None:
    server = bench.server(manners=healthy(hangs_up=True))
    with pytest.raises(NotSsh, match="hung up, or does not speak SSH"):
        bench.session(server.port).open()


def test_what_speaks_something_else_is_not_ssh(bench: Bench, nothing_left: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            client.sendall(b"HTTP/1.1 400 Bad Request\x1b]0;owned\x07\r\n" * 200)
            client.close()

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(NotSsh) as caught:
            bench.session(server.getsockname()[1]).open()
    assert "\x1b" not in caught.value.sentence


@pytest.mark.parametrize("kind", ["lab", "openssh"])
def test_a_key_that_is_not_accepted_is_named_and_quickly_refused(bench: Bench, kind: str, nothing_left: None) -> None:
    stranger = bench.folder / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    access = bench.access(keys=Keys(stranger), user=me())

    def refused(port: int) -> None:
        begun = time.monotonic()
        with pytest.raises(KeyRejected) as caught:
            bench.session(port, access).open()
        assert time.monotonic() - begun < 3
        assert caught.value.sentence == (f"worker-0: {me()} at 127.0.0.1:{port} rejected all offered keys: stranger.")

    if kind == "lab":
        refused(bench.server().port)
        bench.servers.pop().close()
    elif SSHD is None:
        pytest.skip("there is no sshd on this machine")
    else:
        with openssh(bench) as port:
            refused(port)


def test_many_failed_logins_leave_nothing_behind(bench: Bench) -> None:
    server = bench.server(manners=healthy(takes_no_key=True))
    others = threading.active_count()
    access = bench.access()
    with pytest.raises(KeyRejected):
        bench.session(server.port, access).open()
    assert eventually(lambda: threading.active_count() <= others), threading.enumerate()
    threads, files = threading.active_count(), open_files()
    for _ in range(10):
        with pytest.raises(KeyRejected):
            bench.session(server.port, access).open()
    assert eventually(lambda: threading.active_count() <= threads), threading.enumerate()
    assert eventually(lambda: open_files() <= files)


def test_no_key_at_all(bench: Bench) -> None:
    access = bench.access(keys=Keys(home=bench.folder, folder=bench.folder / "nowhere", only_identity=True))
    with pytest.raises(KeyRejected, match="there is no private key to offer to root at"):
        bench.session(bench.server().port, access).open()


def test_a_host_that_takes_passwords_only(bench: Bench) -> None:
    server = bench.server(manners=healthy(methods="password"))
    with pytest.raises(KeyRejected, match="accepts no keys, only: password"):
        bench.session(server.port).open()


def test_a_second_factor_is_said_and_does_not_freeze(bench: Bench) -> None:
    server = bench.server(manners=healthy(second_factor=True))
    begun = time.monotonic()
    with pytest.raises(KeyRejected, match="wants more: keyboard-interactive"):
        bench.session(server.port).open()
    assert time.monotonic() - begun < 3


@pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine")
def test_a_second_factor_of_openssh_does_not_freeze_either(bench: Bench) -> None:
    both = "publickey,password"
    with (
        openssh(bench, AuthenticationMethods=both, PasswordAuthentication="yes") as port,
        pytest.raises(KeyRejected, match="wants more: password"),
    ):
        bench.session(port, bench.access(user=me())).open()


def test_a_wrong_passphrase(bench: Bench) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", "right", "-f", bench.key], check=True, capture_output=True
    )
    port = bench.server().port
    answers = Answers(passphrase="not that")
    access = bench.access(asker=answers)
    for node in ("worker-0", "worker-1"):
        with pytest.raises(PassphraseNeeded, match=f"{node}: that is not the passphrase"):
            bench.session(port, access, node).open()
    assert len(answers.questions) == 1
    session = bench.session(port, bench.access(asker=Answers(passphrase="right")))
    session.open()
    assert session.run(Command(("true",))).ok


def test_a_changed_key_is_refused_after_accept_new(bench: Bench) -> None:
    server = bench.server()
    session = bench.session(server.port)
    session.open()
    first = session.host_key.fingerprint
    server.close()
    bench.server(key=new_key(), port=server.port)
    for mode in HostKeyMode:
        with pytest.raises(HostKeyChanged) as caught:
            bench.session(server.port, bench.access(mode=mode)).open()
        assert caught.value.old == first
        assert caught.value.new != first
    assert eventually(lambda: not session.is_open)
    with pytest.raises(HostKeyChanged):
        session.open()
    command = caught.value.hint.split("run: ", 1)[1].split(", and try again", 1)[0]
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    bench.session(server.port).open()


def test_a_key_that_changes_between_two_openings_is_refused_with_checks_off(bench: Bench) -> None:
    server = bench.server()
    access = bench.access(mode=HostKeyMode.OFF)
    session = bench.session(server.port, access)
    session.open()
    server.close()
    bench.server(key=new_key(), port=server.port)
    assert eventually(lambda: not session.is_open)
    with pytest.raises(HostKeyChanged):
        session.open()
    assert not bench.known_hosts.exists()


def test_an_unknown_key_is_collected_accepted_and_opened(bench: Bench) -> None:
    access = bench.access(mode=HostKeyMode.ASK)
    session = bench.session(bench.server().port, access)
    with pytest.raises(HostKeyUnknown) as caught:
        session.open()
    access.known_hosts.add(caught.value.host, caught.value.key_type, caught.value.blob)
    session.open()
    assert session.host_key.is_new
    assert session.host_key.fingerprint == caught.value.fingerprint
    strict = bench.access(mode=HostKeyMode.STRICT)
    bench.session(bench.servers[0].port, strict).open()


@pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine")
def test_a_second_kind_of_host_key_does_not_look_like_a_change(bench: Bench) -> None:
    rsa = bench.folder / "ssh_host_rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", rsa], check=True)
    with openssh(bench, HostKey=f"{rsa}\nHostKey {bench.folder / 'ssh_host_key'}") as port:
        kind, blob = rsa.with_suffix(".pub").read_text().split()[:2]
        bench.known_hosts.write_text(f"[127.0.0.1]:{port} {kind} {blob}\n")
        session = bench.session(port, bench.access(mode=HostKeyMode.STRICT, user=me()))
        session.open()
        assert session.host_key.type == "ssh-rsa"
        session.close()


def test_thirty_two_hosts_are_recorded_at_once(bench: Bench) -> None:
    access = bench.access()
    sessions = [bench.session(bench.server().port, access, f"worker-{n}") for n in range(32)]
    threads = [threading.Thread(target=session.open) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = bench.known_hosts.read_text().splitlines()
    assert sorted(lines) == sorted(server.known_hosts_line for server in bench.servers)


def test_closing_calls_off_an_opening(bench: Bench, nothing_left: None) -> None:
    server = bench.server(manners=healthy(hangs=True))
    session = bench.session(server.port)
    caught: list[Exception] = []

    def run() -> None:
        try:
            session.open()
        except CannotConnect as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert eventually(lambda: bool(server._silent))
    begun = time.monotonic()
    session.close()
    thread.join(5)
    assert time.monotonic() - begun < 0.5
    assert str(caught[0]) == "worker-0: stopped while connecting."
    bench.servers.pop().close()


def test_errors_hold_no_secrets(bench: Bench) -> None:
    access = bench.access(asker=Answers(sudo="hunter2"))
    session = bench.session(bench.server().port, access)
    session.open()
    assert access.sudo.try_on("root", "worker-0", lambda: True)
    assert "hunter2" not in repr(vars(access)) + repr(access.sudo.known()) + str(vars(session))


def test_known_hosts_of_the_configuration_count(bench: Bench) -> None:
    server = bench.server()
    own = bench.folder / "lab_known_hosts"
    own.write_text(server.known_hosts_line + "\n")
    access = bench.access(config=f"UserKnownHostsFile {own}\n", mode=HostKeyMode.STRICT)
    bench.session(server.port, access).open()
    assert KnownHosts(bench.known_hosts).types(f"[127.0.0.1]:{server.port}") == ()


class Mute:
    """An agent that lists its keys like a real one behind it, and signs nothing; or does not even list them."""

    def __init__(self, folder: Path, real: Path | None, *, lists: bool = True) -> None:
        self.path = folder / "mute"
        self._real = real
        self._lists = lists
        self._over = threading.Event()
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
        with sock:
            request = sock.recv(65536)
            if request[4] == 11 and self._lists and self._real:
                with socket.socket(socket.AF_UNIX) as real:
                    real.connect(str(self._real))
                    real.sendall(request)
                    sock.sendall(real.recv(65536))
            elif request[4] != 11 and self._real:
                return  # it died between list and signature
            else:
                self._over.wait(60)

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def real_agent(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real agent that holds a key which the servers do not know."""
    if which("ssh-agent") is None:
        pytest.skip("there is no ssh-agent")
    sock = tmp_path_factory.mktemp("a") / "s"
    stranger = bench.folder / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mine", "-f", stranger], check=True)
    with subprocess.Popen(["ssh-agent", "-D", "-a", sock], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        env = os.environ | {"SSH_AUTH_SOCK": str(sock)}
        subprocess.run(["ssh-add", "-q", stranger], check=True, capture_output=True, env=env)
        yield sock
        process.terminate()


@pytest.mark.parametrize("kind", ["lab", "openssh"])
def test_an_agent_that_does_not_sign_leaves_the_login_to_the_key_files(
    bench: Bench,
    real_agent: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    agent = Mute(tmp_path_factory.mktemp("m"), real_agent)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.path))
    (bench.folder / ".ssh").mkdir()
    (bench.folder / ".ssh" / "id_ed25519").symlink_to(bench.key)

    def log_in(port: int) -> None:
        keys = Keys(home=bench.folder, folder=bench.folder / "nowhere")
        told: list[str] = []
        keys.report = told.append
        access = bench.access(keys=keys, user=me())
        for node in ("worker-0", "worker-1"):
            session = bench.session(port, access, node)
            session.open()
            assert session.run(Command(("true",))).ok
        assert len(told) == 1
        assert "hung up without a whole answer" in told[0]
        (bench.folder / ".ssh" / "id_ed25519").unlink()
        keys.forget_refusals()
        with pytest.raises(KeyRejected) as caught:
            bench.session(port, access, "worker-2").open()
        assert "rejected all offered keys: agent: mine (the agent did not sign)." in caught.value.sentence
        assert "does not reply as it should" in caught.value.hint

    try:
        if kind == "lab":
            log_in(bench.server(manners=healthy(users=frozenset({me()}))).port)
        elif SSHD is None:
            pytest.skip("there is no sshd on this machine")
        else:
            with openssh(bench) as port:
                log_in(port)
    finally:
        agent.close()


def test_an_agent_of_the_configuration_that_is_mute_is_said_in_the_failure(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    agent = Mute(tmp_path_factory.mktemp("m"), None)
    keys = Keys(home=bench.folder, folder=bench.folder / "nowhere", agent_timeout=0.3)
    access = bench.access(config=f"IdentityAgent {agent.path}\n", keys=keys)
    with pytest.raises(KeyRejected, match="there is no private key to offer") as caught:
        bench.session(bench.server().port, access).open()
    assert f"The SSH agent at {agent.path} does not reply as it should: no answer within 0.3 s." in caught.value.hint
    agent.close()


@pytest.mark.parametrize("kind", ["no key", "no name", "jump"])
def test_what_is_not_followed_is_named_in_each_failure(bench: Bench, kind: str) -> None:
    port = bench.server(manners=healthy(takes_no_key=True)).port
    config = 'Host 127.0.0.1 nowhere.invalid\n ProxyCommand nc\nMatch exec "true"\n User x\n'
    host = "127.0.0.1"
    if kind == "no name":
        host = "nowhere.invalid"
    elif kind == "jump":
        config = f"Host 127.0.0.1\n ProxyJump me@localhost:{port}\nHost localhost\n BindAddress 192.0.2.9\n"
    access = bench.access(config=config)
    with pytest.raises(CannotConnect) as caught:
        SshSession("worker-0", Endpoint(host, None, port), access).open()
    file = bench.folder / "ssh_config"
    expected = {"jump": f"BindAddress ({file} line 4)"}.get(
        kind, f"ProxyCommand ({file} line 2); User ({file} line 4, under Match exec)"
    )
    assert caught.value.hint.endswith(f" Not followed of the SSH configuration: {expected}.")


@pytest.mark.parametrize("kind", ["a named pipe", "a device", "huge"])
def test_known_hosts_that_are_no_file_stop_the_host_at_once(bench: Bench, kind: str) -> None:
    own = bench.folder / "theirs"
    if kind == "a named pipe":
        os.mkfifo(own)
    elif kind == "a device":
        own.symlink_to("/dev/zero")
    else:
        own.touch()
        os.truncate(own, 200_000_000)
    access = bench.access(config=f"UserKnownHostsFile {own}\n")
    with pytest.raises(CannotConnect, match=f"the known host keys in {own} cannot be read: it is "):
        bench.session(bench.server().port, access).open()


def test_known_hosts_may_be_the_null_device(bench: Bench) -> None:
    bench.session(bench.server().port, bench.access(config="UserKnownHostsFile /dev/null\n")).open()
