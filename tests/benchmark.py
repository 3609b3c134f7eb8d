"""Routes for many hosts, by this program and by others: `python -m tests.benchmark`, as root.

For people; no test depends on it. pyinfra comes with the extra `bench`. `--start` measures the start of programs
instead.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from tests.benchmarks import start
from tests.benchmarks.contenders import CONTENDERS, PYINFRA, Contender
from tests.benchmarks.network import BenchNetwork


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds of the client and all that it started."""
    memory: float
    """Megabytes, of its largest process."""
    servers: float
    """CPU seconds of all hosts."""


def run(contender: Contender, argv: Sequence[str], network: BenchNetwork, *, closed: bool) -> Run:
    """Run one contender from its start to its end. Ends the benchmark where it fails."""
    network.reset()
    if not contender.adds:
        network.fill()
    home = network.folder / "home"
    home.mkdir(exist_ok=True)
    log = network.folder / "output"
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "dumb"}
    servers = network.server_seconds()
    with log.open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            network.entering(list(argv)),
            env=environment,
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    expected = 4 if closed and contender.proves else 0
    if process.returncode != expected or network.missing():
        tail = log.read_text(errors="replace")[-4000:]
        sys.exit(f"{tail}\n{contender.name}: exit status {process.returncode}, {network.missing()} routes missing")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall=wall, cpu=cpu, memory=usage.ru_maxrss / 1024, servers=network.server_seconds() - servers)


def measure(options: argparse.Namespace, network: BenchNetwork, console: Console) -> dict[str, list[Run]]:
    """Run all contenders in turn, in rounds, so that the machine's other work disturbs all alike."""
    runs: dict[str, list[Run]] = {}
    for number in range(1, options.rounds + 1):
        for contender in CONTENDERS:
            if options.only and contender.name not in options.only:
                continue
            if (argv := contender.argv(network)) is None:
                console.print(f"{contender.name} is not installed: pip install -e '.\\[bench]'")
                continue
            with console.status(f"round {number} of {options.rounds}: {contender.name}"):
                found = run(contender, argv, network, closed=options.closed)
            runs.setdefault(contender.name, []).append(found)
    return runs


def table(runs: Mapping[str, Sequence[Run]], hosts: int, rounds: int) -> Table:
    """Return the medians, and how often pyinfra's time each is."""
    grid = Table(title=f"{hosts} hosts, {hosts * (hosts - 1)} routes, median of {rounds}")
    grid.add_column("", no_wrap=True)
    for heading in ("seconds", "× pyinfra", "client ms CPU a host", "client MB", "hosts' CPU s"):
        grid.add_column(heading, justify="right")
    middle = {name: statistics.median(r.wall for r in found) for name, found in runs.items()}
    for name, found in runs.items():
        cpu, memory, servers = (
            statistics.median(values)
            for values in ([r.cpu for r in found], [r.memory for r in found], [r.servers for r in found])
        )
        ratio = f"{middle[name] / middle[PYINFRA]:.2f}" if PYINFRA in middle else ""
        grid.add_row(name, f"{middle[name]:.2f}", ratio, f"{cpu * 1000 / hosts:.0f}", f"{memory:.0f}", f"{servers:.1f}")
    return grid


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("--start", action="store_true", help="measure how long programs take to start")
    parser.add_argument("--hosts", type=int, default=10, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--only", action="append", choices=[c.name for c in CONTENDERS], help="may be repeated")
    parser.add_argument("--pods", action="store_true", help="each host has a bridge and a pod")
    parser.add_argument("--closed", action="store_true", help="the last host does not forward (with --pods)")
    options = parser.parse_args()
    if options.start:
        start.main()
        return
    if os.geteuid() != 0:
        parser.error("making hosts needs root")
    if options.closed and not options.pods:
        parser.error("--closed needs --pods: without pods nothing is forwarded")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    console = Console()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    load = os.getloadavg()[0]
    with console.status("starting the hosts"):
        network = BenchNetwork(options.hosts, pods=options.pods, closed=options.closed).__enter__()
    try:
        runs = measure(options, network, console)
    finally:
        network.__exit__(None, None, None)
    console.print(table(runs, options.hosts, options.rounds))
    console.print(f"{os.cpu_count()} cores, {memory} GiB, load {load:.1f} before; clients and hosts on one machine.")


def _end(number: int, _frame: object) -> NoReturn:
    """End as after an error, so that everything is removed."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
