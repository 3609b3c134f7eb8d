"""One modelled host or a whole cluster for a test, on a clock that does not wait."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.shell.pipes import reading
from kthw_routes.demo.topology import Topology, build_cluster
from tests.model.clock import FastClock

EPOCH = 1_795_000_000


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command line left."""

    status: int
    out: str
    err: str


def run(host: ModelHost, command: str, *, stdin: bytes = b"", user: str = "root") -> Ran:
    """Run one command line as sshd would."""
    out, err = bytearray(), bytearray()
    status = host.execute(
        command, user=user, stdin=reading(stdin), stdout=out.extend, stderr=err.extend, cancelled=threading.Event()
    )
    return Ran(status, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape"))


def lone_host(name: str = "worker-0") -> ModelHost:
    """A host without neighbours."""
    return ModelHost(name, clock=FastClock(), epoch=EPOCH)


def cluster(region: str = "ca-central") -> Topology:
    """The lab's cluster."""
    return build_cluster(region, clock=FastClock(), epoch=EPOCH)


def power_off(host: ModelHost) -> None:
    """Let a host go down and stay down: nothing answers for its addresses any more."""
    host.go_down()
    with host.network.lock:
        for segment in host.network.segments:
            segment.ports = [(kernel, device) for kernel, device in segment.ports if kernel is not host.kernel]


Program = Callable[[Process], int]


def wrap_programs(host: ModelHost, around: Callable[[Process, Program], int]) -> None:
    """Let `around` run each program, which it is given with what really runs it."""
    real = host.run_program
    vars(host)["run_program"] = lambda process: around(process, real)


def use_old_ip(host: ModelHost) -> None:
    """Install iproute2 4.15, which prints no JSON for routes, and no complaint."""

    def around(process: Process, real: Program) -> int:
        words = process.argv
        if words[:2] == ["ip", "-V"]:
            process.out("ip utility, iproute2-ss180129\n")
            return 0
        if words[0] == "ip" and "route" in words:
            return real(replace(process, argv=[word for word in words if word != "-json"]))
        return real(process)

    wrap_programs(host, around)


def greet(host: ModelHost, noise: bytes) -> None:
    """Let the login shell print something before each command, as a noisy .bashrc does."""
    real = host.execute

    def execute(command: str, *, stdout: Callable[[bytes], None], **streams: Any) -> int:
        stdout(noise)
        return real(command, stdout=stdout, **streams)

    vars(host)["execute"] = execute


def count_execs(host: ModelHost) -> list[str]:
    """Return a list that gets each command line that the host is asked to run from now on."""
    lines: list[str] = []
    real = host.execute

    def execute(command: str, **given: Any) -> int:
        lines.append(command)
        return real(command, **given)

    vars(host)["execute"] = execute
    return lines
