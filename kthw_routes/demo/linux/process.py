"""A running program: its arguments, its streams, who runs it and where, and how it is stopped."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from kthw_routes.demo.linux.machine import Machine
from kthw_routes.demo.linux.networkd import Networkd
from kthw_routes.demo.linux.nodes import User
from kthw_routes.demo.linux.systemd import Systemd
from kthw_routes.demo.net.kernel import Kernel

Write = Callable[[bytes], None]
"""Takes output as it is produced. Raises BrokenPipe when nobody reads any more."""


class Readable(Protocol):
    """What a program reads from; both calls block until there is something, or end of file."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, all until end of file if negative; empty at end of file."""

    def readline(self) -> bytes:
        """Read one line with its newline; empty at end of file."""


class Interrupted(Exception):
    """The session was closed, or ^C was typed: the program ends without a word."""


class Expired(Exception):
    """A `timeout` ran out. `deadline` is its own, where several are nested."""

    def __init__(self, deadline: float) -> None:
        super().__init__(f"deadline {deadline}")
        self.deadline = deadline


class BrokenPipe(Exception):
    """The reader of a pipe is gone: SIGPIPE, status 141."""


class Host(Machine, Protocol):
    """The host that a program runs on."""

    networkd: Networkd
    systemd: Systemd

    def run_program(self, process: "Process") -> int:
        """Run the program that `process.argv` names and return its status; 127 where there is none."""


@dataclass(slots=True)
class Process:
    """What a program sees of the world."""

    host: "Host"
    user: User
    net: Kernel
    """The network namespace that it runs in."""
    argv: list[str]
    env: dict[str, str]
    stdin: Readable
    stdout: Write
    stderr: Write
    cancelled: threading.Event
    cwd: str = "/root"
    deadline: float | None = None
    """On the host's clock; set by `timeout`."""
    umask: int = field(default=0o022)

    @property
    def name(self) -> str:
        """The program's name as it was called."""
        return self.argv[0]

    @property
    def arguments(self) -> list[str]:
        """What follows the name."""
        return self.argv[1:]

    def out(self, text: str) -> None:
        """Write text to stdout."""
        self.stdout(text.encode("utf-8", "surrogateescape"))

    def err(self, text: str) -> None:
        """Write text to stderr."""
        self.stderr(text.encode("utf-8", "surrogateescape"))

    def fail(self, message: str, status: int = 1) -> int:
        """Write `NAME: MESSAGE` to stderr and return `status`."""
        self.err(f"{self.name.rsplit('/', 1)[-1]}: {message}\n")
        return status

    def check(self) -> None:
        """Raise Interrupted or Expired if the program is to end."""
        if self.cancelled.is_set():
            raise Interrupted
        if self.deadline is not None and self.host.clock.now() >= self.deadline:
            raise Expired(self.deadline)

    def sleep(self, seconds: float) -> None:
        """Let modelled time pass. Raises Interrupted or Expired when that comes first."""
        wanted = seconds
        if self.deadline is not None:
            wanted = min(seconds, self.deadline - self.host.clock.now())
        if self.host.clock.wait(wanted, self.cancelled):
            raise Interrupted
        if self.deadline is not None and wanted < seconds:
            raise Expired(self.deadline)

    def read(self) -> bytes:
        """Read all of stdin, until end of file. Raises Interrupted or Expired."""
        return self._limited(self.stdin.read)

    def readline(self) -> bytes:
        """Read one line of stdin. Raises Interrupted or Expired."""
        return self._limited(self.stdin.readline)

    def _limited(self, read: Callable[[], bytes]) -> bytes:
        self.check()
        if self.deadline is None:
            return read()
        # A blocked read cannot be ended from here, so it is left to a thread of its own.
        box: list[bytes] = []
        done = threading.Event()

        def work() -> None:
            # Where the other end went away meanwhile, the box stays empty.
            with contextlib.suppress(Interrupted, BrokenPipe, OSError):
                box.append(read())
            done.set()

        threading.Thread(target=work, name="model-read", daemon=True).start()
        if not done.wait(max(self.deadline - self.host.clock.now(), 0.0)):
            raise Expired(self.deadline)
        if not box:
            raise Interrupted
        return box[0]

    def run(self, argv: list[str], **changes: object) -> int:
        """Run another program as this one's child and return its status; 127 where there is none."""
        child = replace(self, argv=argv, env=dict(self.env))
        for name, value in changes.items():
            setattr(child, name, value)
        return self.host.run_program(child)
