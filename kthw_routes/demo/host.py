"""A modelled Linux host: its kernel, files, accounts and programs, and how a command from outside is run on it."""

import contextlib
import posixpath
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from kthw_routes.demo.clock import Clock, RealClock
from kthw_routes.demo.linux.boot import come_up, go_down, start
from kthw_routes.demo.linux.files import FileTree
from kthw_routes.demo.linux.networkd import Networkd
from kthw_routes.demo.linux.nodes import ROOT, User
from kthw_routes.demo.linux.process import BrokenPipe, Expired, Interrupted, Process, Readable, Write
from kthw_routes.demo.linux.scheduler import Agenda
from kthw_routes.demo.linux.system_files import add_system_files
from kthw_routes.demo.linux.systemd import Systemd
from kthw_routes.demo.net.kernel import Kernel
from kthw_routes.demo.net.network import Network
from kthw_routes.demo.programs import registry
from kthw_routes.demo.shell.builtins import ExitShell
from kthw_routes.demo.shell.pipes import reading
from kthw_routes.demo.shell.shell import NOT_FOUND, Shell

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ANYWHERE: Final = ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


class ModelHost:
    """One host.

    Attributes:
        name: its host name.
        kernel: its own network namespace.
        namespaces: those below /run/netns, by name: the pods'.
        files, users: as the names say.
        missing: programs that are not installed.
        nics: its network cards: name to MAC address.
        network_helper: writes the provider's network configuration into the files, before each boot.
        went_down: called when it goes down, as its connections break.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock | None = None,
        network: Network | None = None,
        epoch: float | None = None,
    ) -> None:
        self.name = name
        self.clock: Clock = clock or RealClock()
        self.network = network or Network(self.clock)
        self.kernel: Kernel = self.network.kernel()
        self.namespaces: dict[str, Kernel] = {}
        self.users: dict[str, User] = {"root": ROOT}
        self.missing: set[str] = set()
        self.nics: dict[str, str] = {}
        self.network_helper: Callable[[Any], None] | None = None
        self.went_down: list[Callable[[], None]] = []
        self._live: set[threading.Event] = set()
        self.agenda = Agenda(self.clock)
        self.network.before_packet.append(self.agenda.run_due)
        self.files = FileTree(self.clock, time.time() - self.clock.now() if epoch is None else epoch)
        add_system_files(self)
        self.networkd = Networkd(self)
        self.systemd = Systemd(self, self.networkd)

    # power

    def boot(self) -> None:
        """Come up, with what the files say."""
        come_up(self)
        start(self)

    def reboot(self) -> None:
        """Go down and come up: connections break, what runs ends, and what no file brings back is gone."""
        with self.network.lock:  # whoever connects meanwhile waits until it has its network again
            self.go_down()
            come_up(self)
        start(self)

    @contextlib.contextmanager
    def living(self, ended: threading.Event) -> Iterator[None]:
        """Note that a command runs that `ended` ends."""
        self.agenda.run_due()
        self._live.add(ended)
        try:
            yield
        finally:
            self._live.discard(ended)

    def go_down(self) -> None:
        """Go down: what runs ends, connections break."""
        go_down(self)
        for react in self.went_down:
            react()

    def interrupt(self) -> None:
        """End every command that runs."""
        for event in list(self._live):
            event.set()

    def add_namespace(self, name: str) -> Kernel:
        """Make a network namespace below /run/netns."""
        kernel = self.network.kernel()
        self.namespaces[name] = kernel
        self.files.put(f"/run/netns/{name}", mode=0o444)
        return kernel

    # programs

    def has_program(self, name: str) -> bool:
        """Whether a program of this name, or at this path, can be run."""
        directory, base = posixpath.split(name)
        if directory and directory not in _ANYWHERE:
            return False
        return base in registry() and base not in self.missing

    def run_program(self, process: Process) -> int:
        """Run the program that `process.argv` names and return its status; 127 where there is none.

        Raises:
            Interrupted, Expired: the session ended, or a `timeout` ran out.
            BrokenPipe: nobody reads its output any more.
        """
        name = posixpath.basename(process.argv[0])
        if not self.has_program(process.argv[0]):
            process.err(f"{process.argv[0]}: command not found\n")
            return NOT_FOUND
        self.agenda.run_due()
        process.check()
        return registry()[name](process)

    # from outside

    def execute(
        self,
        command: str,
        *,
        user: str = "root",
        stdin: Readable | None = None,
        stdout: Write,
        stderr: Write,
        cancelled: threading.Event | None = None,
    ) -> int:
        """Run one command line in the account's login shell, as sshd does for an exec request.

        Args:
            stdin: read as far as the programs read; nothing if not given.
            stdout, stderr: take the output as it is produced.
            cancelled: ends everything that runs when it is set.

        Returns:
            The exit status; 130 where it was cancelled.

        Raises:
            KeyError: the account does not exist.
        """
        ended = cancelled or threading.Event()
        shell = self._login_shell(user, stdin or reading(b""), stdout, stderr, ended)
        try:
            with self.living(ended):
                return shell.run_text(command)
        except (Interrupted, Expired):
            return 130
        except BrokenPipe:
            return 141

    def run_as_service(self, argv: list[str]) -> int:
        """Run a program as systemd runs a service's, and return its status."""
        ended = threading.Event()
        env = {"LANG": "C.UTF-8", "PATH": PATH, "HOME": "/root", "LOGNAME": "root", "USER": "root", "SHELL": "/bin/sh"}
        process = Process(self, ROOT, self.kernel, argv, env, reading(b""), _nowhere, _nowhere, ended, cwd="/")
        try:
            with self.living(ended):
                return self.run_program(process)
        except (Interrupted, Expired):
            return 130
        except BrokenPipe:
            return 141

    def open_shell(self, user: str) -> "LoginShell":
        """Open a shell for one interactive login. Raises KeyError for an unknown account."""
        # the streams are replaced by the terminal's for each line
        shell = self._login_shell(user, reading(b""), _nowhere, _nowhere, threading.Event())
        shell.interactive = True
        return LoginShell(self, shell)

    def _login_shell(
        self, user_name: str, stdin: Readable, stdout: Write, stderr: Write, cancelled: threading.Event
    ) -> Shell:
        user = self.users[user_name]
        env = {
            "HOME": user.home,
            "LANG": "C.UTF-8",
            "LOGNAME": user.name,
            "PATH": PATH,
            "PWD": user.home,
            "SHELL": "/bin/bash",
            "USER": user.name,
        }
        process = Process(self, user, self.kernel, ["bash"], env, stdin, stdout, stderr, cancelled, cwd=user.home)
        return Shell(process, "bash")


def _nowhere(_data: bytes) -> None:
    """Drop what nobody reads."""


class LoginShell:
    """A shell that somebody types into: it keeps its directory and variables from line to line."""

    def __init__(self, host: ModelHost, shell: Shell) -> None:
        self._host = host
        self._shell = shell
        self.is_over = False
        """Whether `exit` was typed."""

    @property
    def prompt(self) -> str:
        """`user@host:directory# `, as Debian's bash prompts."""
        process = self._shell.process
        home = process.user.home
        place = process.cwd
        if place == home or place.startswith(home + "/"):
            place = "~" + place[len(home) :]
        return f"{process.user.name}@{process.host.name}:{place}{'#' if process.user.is_root else '$'} "

    def execute(
        self, command: str, *, stdin: Readable, stdout: Write, stderr: Write, cancelled: threading.Event
    ) -> int:
        """Run one line and return its status; 130 where it was cancelled."""
        process = self._shell.process
        process.stdin, process.stdout, process.stderr, process.cancelled = stdin, stdout, stderr, cancelled
        try:
            with self._host.living(cancelled):
                self._shell.status = self._run(command)
        except (Interrupted, Expired):
            self._shell.status = 130
        except ExitShell as ending:
            self.is_over = True
            self._shell.status = ending.status
        except BrokenPipe:
            self._shell.status = 141
        return self._shell.status

    def _run(self, command: str) -> int:
        with contextlib.suppress(IndexError):
            if command.split()[0] in ("exit", "logout"):
                self.is_over = True
        return self._shell.run_text(command)
