"""Hosts for the tests of SSH: the lab's own server in front of a real shell, and a real OpenSSH on loopback."""

import base64
import contextlib
import getpass
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import IO, Unpack

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kthw_routes.cluster import Endpoint
from kthw_routes.demo.linux.process import Readable
from kthw_routes.demo.ssh.keys import private_text
from kthw_routes.demo.ssh.login import Shell, Streams
from kthw_routes.demo.ssh.terminal import Output
from kthw_routes.ssh.access import Access
from kthw_routes.ssh.config import SshConfig
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.ssh.keys import Keys
from kthw_routes.ssh.known_hosts import HostKeyMode, KnownHosts
from kthw_routes.ssh.session import Asker, NewHostKey
from tests.model.ssh_server import FaultyServer, Manners

SSHD = which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class LocalShell:
    """Runs commands with the `sh` of this machine, without its environment."""

    def execute(self, command: str, *, user: str, **streams: Unpack[Streams]) -> int:
        """Run one command to its end; it is killed when the client is gone."""
        with subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            threads = [
                threading.Thread(target=_feed, args=(streams["stdin"], process.stdin), daemon=True),
                threading.Thread(target=_pump, args=(process.stdout, streams["stdout"]), daemon=True),
                threading.Thread(target=_pump, args=(process.stderr, streams["stderr"]), daemon=True),
            ]
            for thread in threads:
                thread.start()
            while process.poll() is None:
                if streams["cancelled"].wait(0.005):
                    # `timeout` makes a group of its own, so the session is what finds all that it started.
                    subprocess.run(["pkill", "-KILL", "-s", str(process.pid)], check=False)
            for thread in threads[1:]:
                thread.join()
            return process.returncode if process.returncode >= 0 else 128 - process.returncode

    def open_shell(self, user: str) -> Shell:
        """There is none."""
        raise NotImplementedError


def _feed(source: Readable, sink: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError, ValueError), sink:
        sink.write(source.read())


def _pump(source: IO[bytes], sink: Output) -> None:
    while data := os.read(source.fileno(), 65536):
        sink(data)


class Answers:
    """An Asker that knows the answers, and counts the questions."""

    def __init__(self, *, passphrase: str | None = None, sudo: str | None = None) -> None:
        self._passphrase = passphrase
        self._sudo = sudo
        self.questions: list[str] = []

    def passphrase(self, key_file: str) -> str | None:
        """See Asker."""
        self.questions.append(f"passphrase of {key_file}")
        return self._passphrase

    def sudo_password(self, user: str, node: str) -> str | None:
        """See Asker."""
        self.questions.append(f"sudo password of {user} on {node}")
        return self._sudo

    def accept_host_keys(self, keys: Sequence[NewHostKey]) -> bool:
        """See Asker."""
        raise AssertionError


@dataclass
class Bench:
    """A key that may log in, servers to log in to, and sessions; all of it is closed at the end."""

    folder: Path
    servers: list[FaultyServer] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    sessions: list[SshSession] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key = self.folder / "kubernetes.ed25519"
        self.key.write_text(private_text(Ed25519PrivateKey.generate()))
        self.key.chmod(0o600)
        public = subprocess.run(["ssh-keygen", "-y", "-f", self.key], capture_output=True, text=True, check=True).stdout
        self.key.with_suffix(".ed25519.pub").write_text(public)
        self.blob = base64.b64decode(public.split()[1])
        self.known_hosts = self.folder / "known_hosts"

    def server(self, host: object = None, **options: object) -> FaultyServer:
        """A server of the lab in front of `host` (by default this machine's shell)."""
        server = FaultyServer(host or LocalShell(), [self.blob], **options)  # type: ignore[arg-type] # tests pass what fits
        self.servers.append(server)
        return server

    def access(
        self,
        *,
        config: str = "",
        mode: HostKeyMode = HostKeyMode.ACCEPT_NEW,
        silence: float = 30.0,
        asker: Asker | None = None,
        keys: Keys | None = None,
        user: str | None = None,
        connect_timeout: float = 10.0,
    ) -> Access:
        """An Access that touches nothing of the person who runs the tests."""
        file = self.folder / "ssh_config"
        file.write_text(config)
        access = Access(
            KnownHosts(self.known_hosts),
            keys=keys or Keys(self.key, asker=asker, home=self.folder),
            ssh_config=SshConfig(file),
            host_keys=mode,
            silence=silence,
            asker=asker,
            user=user,
            connect_timeout=connect_timeout,
        )
        self.accesses.append(access)
        return access

    def session(self, port: int, access: Access | None = None, node: str = "worker-0") -> SshSession:
        """A session, not yet open, for a server on loopback."""
        session = SshSession(node, Endpoint("127.0.0.1", None, port), access or self.access())
        self.sessions.append(session)
        return session

    def close(self) -> None:
        """Close everything."""
        for session in self.sessions:
            session.close()
        for access in self.accesses:
            access.close()
        for server in self.servers:
            server.close()


@contextmanager
def openssh(bench: Bench, **settings: str) -> Iterator[int]:
    """A real sshd on loopback that lets the key of `bench` in as the current user, at home in `bench.folder`."""
    assert SSHD is not None
    folder = bench.folder
    host_key = folder / "ssh_host_key"
    if not host_key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    options = {
        "ListenAddress": "127.0.0.1",
        "HostKey": str(host_key),
        "AuthorizedKeysFile": str(bench.key) + ".pub",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "PermitRootLogin": "yes",
        "SetEnv": f"HOME={folder}",
        **settings,
    }
    config = folder / f"sshd_config_{port}"
    config.write_text("".join(f"{k} {v}\n" for k, v in options.items()))
    process = subprocess.Popen([SSHD, "-D", "-e", "-p", str(port), "-f", config], stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if b"Server listening" in line:
                break
        else:
            raise AssertionError(f"sshd did not start on port {port}")
        yield port
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


def me() -> str:
    """The user that a real sshd lets in."""
    return getpass.getuser()


def healthy(**changes: object) -> Manners:
    """Manners with some changed."""
    return Manners(**changes)  # type: ignore[arg-type] # tests pass what fits


def eventually(holds: Callable[[], bool], seconds: float = 3.0) -> bool:
    """Whether something becomes true soon. For what other threads and processes do in their own time."""
    settled = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if holds():
            return True
        settled.wait(0.01)
    return holds()
