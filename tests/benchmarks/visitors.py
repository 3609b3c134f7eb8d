"""What visitors of `demo --serve` cost: memory and CPU of each at rest and at work, and how long a class waits.

Run as `.venv/bin/python -m tests.benchmarks.visitors --visitors 30`, on Linux.
"""

import argparse
import asyncio
import os
import re
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import aiohttp

from tests.browser.screen import Screen

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_WALK: Final = (  # what is typed, and what is shown then
    (">", "10.200.2.0/24"),
    (">", "Trust them"),
    ("\r", "no pod bridge"),
    (">", "after a reboot"),
    (" ", "(●) No"),
    (">", "Nothing is changed yet"),
    (">", "Done:"),
    (">", "gets through."),
)

_BUTTONS: Final = ("Trust them",)
"""What takes keys once it has the focus."""


class Visitor:
    """A browser, as far as the server is concerned."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self._connection = connection
        self._changed = asyncio.Event()
        self._screen = Screen()
        self._listener = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self._connection:
            if message.type is aiohttp.WSMsgType.BINARY:
                self._screen.feed(message.data.decode(errors="replace"))
                self._changed.set()

    async def focus(self) -> None:
        """Report that the page has the focus, as browsers do."""
        await self._connection.send_json(["focus"])

    async def shows(self, words: str) -> None:
        """Wait until these words are shown."""
        async with asyncio.timeout(600):
            while words not in (self._screen.underlined if words in _BUTTONS else self._screen.text):
                self._changed.clear()
                await self._changed.wait()

    async def walk(self) -> float:
        """Go from the first screen to the proof. Returns the seconds that it took."""
        begun = time.monotonic()
        for keys, words in _WALK:
            await self._connection.send_json(["stdin", keys])
            await self.shows(words)
        return time.monotonic() - begun


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(n) for path in Path(f"/proc/{pid}/task").iterdir() for n in (path / "children").read_text().split()]


def cpu(pid: int) -> float:
    """Return the seconds of CPU that a process used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory(pid: int) -> float:
    """Return the MB that a process has: what it shares with others is divided among them."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.findall(r"(?m)^Pss: +(\d+)", text)[0]) / 1024


async def all_at_once(visitors: list[Visitor], do: Callable[[Visitor], Awaitable[float]]) -> list[float]:
    """Have all do something, and return what each gives."""
    return list(await asyncio.gather(*(do(visitor) for visitor in visitors)))


async def measure(number: int, rest: float) -> None:
    """Print what so many visitors cost. `rest`: seconds at rest that are measured."""
    command = [sys.executable, "-m", "kthw_routes", "demo", "--serve", "0", "--visitors", str(number)]
    server = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    assert server.stdout is not None
    found = re.search(rb"http://\S+", await server.stdout.readline())
    assert found is not None
    address = found[0].decode().replace("http", "ws", 1) + "/ws/demo?width=120&height=36"
    try:
        async with aiohttp.ClientSession() as session:
            begun = time.monotonic()

            async def open_tab() -> Visitor:
                visitor = Visitor(await session.ws_connect(address, max_msg_size=0))
                await visitor.focus()
                await visitor.shows("Practice lab, eu-west")
                return visitor

            visitors = list(await asyncio.gather(*(open_tab() for _ in range(number))))
            print(f"{number} visitors at once: the first screen of all after {time.monotonic() - begun:.1f} s")
            pids = children(server.pid)
            before = [cpu(pid) for pid in pids]
            await asyncio.sleep(rest)
            idle = [(cpu(pid) - old) / rest * 100 for pid, old in zip(pids, before, strict=True)]
            held = [memory(pid) for pid in pids]
            print(f"at rest, each: {statistics.mean(idle):.1f} % of a core, {statistics.mean(held):.0f} MB")
            before = [cpu(pid) for pid in pids]
            seconds = await all_at_once(visitors, Visitor.walk)
            worked = [cpu(pid) - old for pid, old in zip(pids, before, strict=True)]
            held = [memory(pid) for pid in pids]
            print(f"to the proof, all at once: {statistics.median(seconds):.1f} s, the last {max(seconds):.1f} s")
            print(f"for that, each: {statistics.mean(worked):.1f} s of CPU, {statistics.mean(held):.0f} MB")
            print(f"all: {sum(held) / 1024:.1f} GB; the server: {cpu(server.pid):.1f} s, {memory(server.pid):.0f} MB")
    finally:
        server.terminate()
        await server.wait()


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=30)
    parser.add_argument("--rest", type=float, default=20.0, help="seconds at rest that are measured")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.visitors, arguments.rest))


if __name__ == "__main__":
    main()
