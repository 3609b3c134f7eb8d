"""How long programs take to start, in milliseconds: `python -m tests.benchmark --start`.

The marks, on two cores: `--help` 150 ms, first frame of the wizard 500 ms, embedded lab up 1000 ms, a demo's whole
walk without a terminal 2000 ms.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

ROUNDS = 7


def measure(name: str, mark: int, work: Callable[[], float]) -> None:
    """Print minimum, median and maximum of several rounds, after one that warms the caches."""
    work()
    times = sorted(work() * 1000 for _ in range(ROUNDS))
    print(f"{name:<32} {times[0]:7.0f} {statistics.median(times):7.0f} {times[-1]:7.0f}   mark {mark}")


def command(*arguments: str) -> Callable[[], float]:
    """A process from its start to its end."""

    def work() -> float:
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "kthw_routes", *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        return time.perf_counter() - began

    return work


_FIRST_FRAME = """
import asyncio, time
from kthw_routes.options import Settings
from kthw_routes.wizard.app import WizardApp

async def main():
    async with WizardApp(Settings()).run_test(size=(80, 24)):
        print(time.time())

asyncio.run(main())
"""


def first_frame() -> float:
    """From the start of a process until the wizard's first screen is drawn."""
    began = time.time()
    done = subprocess.run([sys.executable, "-c", _FIRST_FRAME], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[0]) - began


def lab_up() -> float:
    """The embedded lab, from nothing until it answers, in a process whose libraries are loaded."""
    from kthw_routes.demo.lab import EmbeddedLab

    began = time.perf_counter()
    with EmbeddedLab("ca-central"):
        return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    print(f"{'milliseconds':<32} {'min':>7} {'median':>7} {'max':>7}")
    measure("kthw-routes --help", 150, command("--help"))
    measure("wizard, first frame", 500, first_frame)
    measure("embedded lab up", 1000, lab_up)
    measure("kthw-routes demo", 2000, command("demo"))
