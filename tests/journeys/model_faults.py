"""Faults on modelled hosts, by the model's own means."""

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import count
from typing import Final, Literal, Unpack

from kthw_routes.demo.linux.nodes import Node
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.ssh.keys import new_key
from kthw_routes.demo.ssh.login import Executes, Shell, Streams
from tests.journeys.faults import PATIENCE, Hold
from tests.journeys.stage import Model
from tests.model.accounts import SudoPolicy, add_user
from tests.model.hosts import Program, wrap_programs
from tests.model.ssh_server import FaultyServer, Manners
from tests.nodes.spec import SUDO_PASSWORD, USERS


class ModelHold:
    """See Hold."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()

    def wait(self, timeout: float = PATIENCE) -> None:
        assert self.reached.wait(timeout), "the program was never called"

    def release(self) -> None:
        self.released.set()

    def stop(self, process: Process) -> None:
        """Hold the program up; it ends as a program does when its session or its time is over."""
        self.reached.set()
        while not self.released.wait(0.02):
            process.check()


_GERMAN: Final = {
    "Sorry, try again.\n": "Das hat nicht funktioniert, bitte nochmal probieren.\n",
    "sudo: a password is required\n": "sudo: Ein Passwort ist notwendig\n",
    "sudo: no password was provided\n": "sudo: Es wurde kein Passwort angegeben\n",
    "sudo: 1 incorrect password attempt\n": "sudo: 1 Fehlversuch bei der Passwort-Eingabe\n",
}
"""What sudo says in German, measured on Debian 12."""


class _Noisy:
    """A host whose login shell writes to both streams before each command."""

    def __init__(self, host: Executes, noise: bytes) -> None:
        self._host = host
        self._noise = noise

    def open_shell(self, user: str) -> Shell:
        return self._host.open_shell(user)

    def execute(self, command: str, *, user: str, **streams: Unpack[Streams]) -> int:
        streams["stdout"](self._noise)
        streams["stderr"](self._noise)
        return self._host.execute(command, user=user, **streams)


class _Forced(_Noisy):
    """A host whose root says something instead of running commands."""

    def __init__(self, host: Executes, words: str, status: int) -> None:
        super().__init__(host, b"")
        self._words = words
        self._status = status

    def execute(self, command: str, *, user: str, **streams: Unpack[Streams]) -> int:
        if user == "root":
            streams["stdout"](f"{self._words}\n\n".encode())
            return self._status
        return self._host.execute(command, user=user, **streams)


class ModelFaults:
    """On modelled hosts, by the model's own means."""

    def __init__(self, stage: Model) -> None:
        self._lab = stage.lab
        self._wrong: Counter[str] = Counter()
        self._running: dict[str, list[str]] = defaultdict(list)
        for name, server in self._lab.servers.items():
            server.manners = Manners(users=frozenset(USERS))
            host = self._lab.topology.hosts[name]
            for user, policy, password in (
                ("ubuntu", SudoPolicy.NOPASSWD, ""),
                ("learner", SudoPolicy.PASSWORD, SUDO_PASSWORD),
                ("guest", SudoPolicy.DENIED, "his own"),
            ):
                add_user(host, user, sudo=policy, password=password)
            self._watch(name)

    def cut_off(self, node: str) -> None:
        self._lab.servers[node].close()

    def connect(self, node: str) -> None:
        self._serve(node)

    def hold(self, node: str, program: str, argument: str, when: Literal["before", "after"], *, nth: int = 1) -> Hold:
        hold, calls = ModelHold(), count(1)

        def around(process: Process, real: Program) -> int:
            if f" {argument} " not in f" {' '.join(process.arguments)} ":
                return real(process)
            is_held = next(calls) == nth
            if is_held and when == "before":
                hold.stop(process)
            status = real(process)
            if is_held and when == "after":
                hold.stop(process)
            return status

        self._around(node, program, around)
        return hold

    def wrap(
        self,
        node: str,
        program: str,
        argument: str = "",
        *,
        out: bytes = b"",
        err: bytes = b"",
        seconds: float = 0,
        status: int | None = None,
    ) -> None:
        def around(process: Process, real: Program) -> int:
            if argument not in " ".join(process.arguments):
                return real(process)
            process.stdout(out)
            process.stderr(err)
            process.sleep(seconds)
            return real(process) if status is None else status

        self._around(node, program, around)

    def flood(self, node: str, program: str, argument: str, *, is_error: bool = False) -> None:
        def around(process: Process, real: Program) -> int:
            if argument not in " ".join(process.arguments):
                return real(process)
            write = process.stderr if is_error else process.stdout
            while True:
                process.check()
                write(b"x\n" * 16_384)

        self._around(node, program, around)

    def remove(self, node: str, program: str) -> None:
        self._lab.topology.hosts[node].missing.add(program)

    def refuse_keys(self, node: str) -> None:
        self._lab.servers[node].authorized = frozenset()

    def limit_sessions(self, node: str, count: int) -> None:
        self._lab.servers[node].manners = Manners(users=frozenset(USERS), max_sessions=count)

    def change_host_key(self, node: str) -> None:
        self._lab.servers[node].key = new_key()

    def share_host_key(self, node: str, other: str) -> None:
        self._lab.servers[node].key = self._lab.servers[other].key

    def fill_disk(self, node: str) -> None:
        self._lab.topology.hosts[node].files.free = 0

    def make_read_only(self, node: str) -> None:
        self._lab.topology.hosts[node].files.read_only.add("/")

    def bind_hosts_file(self, node: str) -> None:
        self._etc(node)["hosts"].mounted = True

    def protect_hosts_file(self, node: str) -> None:
        self._etc(node)["hosts"].immutable = True

    def link_hosts_file(self, node: str) -> None:
        etc = self._etc(node)
        etc["hosts.real"] = etc.pop("hosts")
        self._lab.topology.hosts[node].files.link("/etc/hosts", "hosts.real")

    def greet(self, node: str, banner: str, noise: bytes) -> None:
        server = self._lab.servers[node]
        server.manners = Manners(users=frozenset(USERS), banner=banner)
        server.host = _Noisy(server.host, noise)

    def force_login(self, node: str, words: str, status: int) -> None:
        server = self._lab.servers[node]
        server.host = _Forced(server.host, words, status)

    def freeze(self, node: str) -> None:
        self._lab.servers[node].manners = Manners(hangs=True)

    def speak_german(self, node: str) -> None:
        def around(process: Process, real: Program) -> int:
            if process.env.get("LC_ALL") == "C":
                return real(process)

            def translated(data: bytes) -> None:
                process_err(_GERMAN.get(data.decode(), data.decode()).encode())

            process_err = process.stderr
            return real(replace(process, stderr=translated))

        self._around(node, "sudo", around)
        self._around(node, "dd", around)

    def mute_next_hop(self, node: str) -> None:
        self._lab.topology.ethernet.mute.add(IPv4Address(self._lab.topology.addresses[node][1]))

    def failed_sudo(self, node: str) -> int:
        return self._wrong[node]

    def is_running(self, node: str, words: str) -> bool:
        return any(words in line for line in self._running[node])

    # their parts

    def _etc(self, node: str) -> dict[str, Node]:
        return self._lab.topology.hosts[node].files.directory("/etc").children

    def _watch(self, node: str) -> None:
        """Note what runs, and what sudo is told."""

        def run(process: Process, real: Program) -> int:
            words, told = " ".join(process.argv), process.stderr

            def listen(data: bytes) -> None:
                if found := re.search(rb"(\d+) incorrect password attempt", data):
                    self._wrong[node] += int(found[1])
                told(data)

            self._running[node].append(words)
            try:
                return real(replace(process, stderr=listen) if process.argv[0] == "sudo" else process)
            finally:
                self._running[node].remove(words)

        wrap_programs(self._lab.topology.hosts[node], run)

    def _serve(self, node: str) -> None:
        old = self._lab.servers[node]
        old.close()
        new = FaultyServer(old.host, old.authorized, manners=old.manners, key=old.key, port=old.port)
        self._lab.servers[node] = new

    def _around(self, node: str, program: str, around: Callable[[Process, Program], int]) -> None:
        def chosen(process: Process, real: Program) -> int:
            return around(process, real) if process.argv[0].rpartition("/")[2] == program else real(process)

        wrap_programs(self._lab.topology.hosts[node], chosen)
