"""Makes the pictures in `screenshots/`: `python tests/screenshots.py`. Drives the real wizard on the embedded lab.

Clock, keys and names are fixed, so that the same code gives the same pictures. A test makes them again.
"""

import argparse
import asyncio
import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Final
from unittest import mock

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich._palettes import EIGHT_BIT_PALETTE
from rich.color import Color
from textual.widgets._footer import FooterKey

from kthw_routes.demo.lab import EmbeddedLab
from kthw_routes.demo.ssh.keys import private_text
from kthw_routes.demo.ssh.server import SshServer
from kthw_routes.options import Settings
from kthw_routes.persistence.model import Persist
from kthw_routes.wizard.modals import by_hand
from kthw_routes.wizard.themes import CONTRAST
from tests.model.clock import FastClock
from tests.recording import animate
from tests.wizard.drills_driver import DrillsDriver, practising
from tests.wizard.driver import Driver, driving, said

FOLDER = Path(__file__).parents[1] / "screenshots"
SIZE = (96, 30)
WIDE = (120, 36)
_FONTS = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_INDENTED = re.compile(
    r'(?P<before><text [^>]*?)x="(?P<x>[\d.]+)"(?P<between>[^>]*?)textLength="(?P<width>[\d.]+)"(?P<after>[^>]*)>'
    r"(?P<blanks>(?:&#160;)+)(?P<rest>[^<]+)<"
)
_MACHINES = """\
192.168.8.20 node-0.kubernetes.local node-0 10.200.0.0/24
192.168.8.300 node-1.kubernetes.local node-1 10.200.1.0/24
192.168.8.22 node-2.kubernetes.local node-2 10.200.2.0/33
192.168.8.10 server.kubernetes.local server
"""
"""A machines.txt of the tutorial, with two slips."""
_FAMILY = "'Fira Code', 'DejaVu Sans Mono', Menlo, Consolas, monospace"


class FixedTime(datetime):
    """It is always nine seconds past two minutes past two."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain datetime will do
        """That moment."""
        return datetime(2026, 11, 22, 14, 2, 9, tzinfo=tz or UTC)


class PictureLab(EmbeddedLab):
    """The embedded lab with fixed keys, and a state folder that looks like a person's own."""

    def __init__(self, region: str, state: Path) -> None:
        super().__init__(region, clock=FastClock())
        self._state = state

    def make_server(self, name: str) -> SshServer:
        """Make a server with the same host key each time."""
        server = super().make_server(name)
        server.key = _key(name)
        return server

    @property
    def settings(self) -> Settings:
        """One host at a time, so that the log has one order."""
        return replace(super().settings, state=self._state, parallel=1)


def _key(name: str) -> paramiko.PKey:
    seed = hashlib.sha256(f"host key of {name}, for pictures".encode()).digest()
    return paramiko.Ed25519Key.from_private_key(StringIO(private_text(Ed25519PrivateKey.from_private_bytes(seed))))


@contextmanager
def still() -> Iterator[Path]:
    """Time stands still, and home is an empty folder; gives the state folder."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pictures-")))
        stack.enter_context(mock.patch.dict(os.environ, {"HOME": str(home), "TZ": "UTC", "COLORTERM": "truecolor"}))
        stack.callback(time.tzset)
        time.tzset()
        stack.enter_context(mock.patch("kthw_routes.events.datetime", FixedTime))
        stack.enter_context(mock.patch("kthw_routes.record.run.secrets.randbelow", return_value=0x7C1E))
        os.environ.pop("NO_COLOR", None)
        yield home / ".local" / "state" / "kthw-routes"


@contextmanager
def in_folder(files: Mapping[str, str]) -> Iterator[None]:
    """The current folder is a new one with these files."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def picture(driver: Driver | DrillsDriver) -> str:
    """The screen as SVG, without a remote font, and such that every viewer puts each word into its column."""
    svg = _COMMENT.sub("", _FONTS.sub("", driver.app.export_screenshot(title="kthw-routes")))
    svg = re.sub(r"(?<=kthw-routes-demo-)\w{8}", "pictures", svg)  # the lab's folder has another name each time
    svg = re.sub(r"\d\d:\d\d:\d\d\.\d{6}", "14:02:09.260571", svg)  # when tcpdump saw a packet
    svg = re.sub(r"font-family:\s*[^;]+;", f"font-family: {_FAMILY};", svg)
    return _INDENTED.sub(_moved, svg).strip() + "\n"


def _moved(text: re.Match[str]) -> str:
    """A text that begins with blanks, begun where its first word is: some viewers drop the blanks."""
    blanks = text["blanks"].count("&#160;")
    width = float(text["width"])
    letters = blanks + len(re.sub(r"&[^;]+;", "x", text["rest"]))
    x = round(float(text["x"]) + width * blanks / letters, 1)
    length = round(width * (letters - blanks) / letters, 1)
    return f'{text["before"]}x="{x:g}"{text["between"]}textLength="{length:g}"{text["after"]}>{text["rest"]}<'


async def take(region: str, size: tuple[int, int]) -> AsyncIterator[tuple[str, str]]:
    """Walk through all steps; a name and a picture at each."""
    with still() as state, PictureLab(region, state) as lab:
        async with driving(lab, lab.settings, size) as driver:
            await driver.at("Source")
            yield "1-source", picture(driver)
            await driver.press("ctrl+n")
            await driver.at("Nodes")
            yield "2-nodes", picture(driver)
            await driver.acknowledge()
            await driver.press("ctrl+n")
            await driver.until(lambda: driver.app.screen is not driver.step, "the question about host keys")
            await driver.settle()
            await driver.until(lambda: driver.step.query(FooterKey), "the keys behind the question")
            yield "3-host-keys", picture(driver)
            await driver.press("enter")
            await driver.at("Checks")
            yield "3-checks", picture(driver)
            await driver.go("Routes")
            await driver.press("down")
            yield "4-persistence", picture(driver)
            await driver.answer(Persist.AUTO)
            await driver.press("down")
            yield "4-routes", picture(driver)
            await driver.press("ctrl+n")
            await driver.at("Run")
            await driver.press("down")
            yield "5-run", picture(driver)
            await driver.go("Proof")
            yield "6-proof", picture(driver)
            if region == "ca-central" and size == SIZE:
                await driver.pilot.press("u")
                await driver.until(lambda: driver.app.screen is not driver.step, "the question about the undo")
                await driver.settle()
                yield "6-undo", picture(driver)
            if region == "eu-west":
                await driver.press("f")
                await driver.until(lambda: "▸✗" in driver.text(), "the hop at which it stops")
                await driver.settle()
                yield "6-trace", picture(driver)
                await driver.press("escape", "v")
                await driver.at("Routes")
                await driver.to_row("Notes", "[ ] warning")
                await driver.press("space", "1")
                await driver.go("Proof")
                yield "6-proof-overlay", picture(driver)


async def take_own() -> AsyncIterator[tuple[str, str]]:
    """Machines of one's own: a file with problems, and nodes that are typed in."""
    with still() as state, in_folder({"machines.txt": _MACHINES}):
        settings = Settings(state=state, environ={}, personal=False)
        async with driving(None, settings, SIZE) as driver:
            await driver.press("down")
            await driver.pilot.press("enter")
            await driver.until(lambda: driver.step.error is not None, "the problems of the file")
            await driver.settle()
            yield "1-source-inventory", picture(driver)
            driver.step.query_one("#source").focus()
            await driver.press("down")
            await driver.pilot.press("enter")
            await driver.at("Nodes")
            for address in ("root@192.168.8.20", "root@192.168.8.21"):
                await driver.press("a", *address, "enter")
            await driver.press("a", *"root@192.168.8.22")
            yield "2-nodes-own", picture(driver)


async def _linode() -> dict[str, str]:
    made = {name: svg async for name, svg in take("ca-central", SIZE)}
    frames = ("1-source", "2-nodes", "3-checks", "4-routes", "5-run", "6-proof")
    return {"0-demo": animate([made[name] for name in frames]), **made}


async def _eu_west() -> dict[str, str]:
    made = {name: svg async for name, svg in take("eu-west", SIZE)}
    names = ("2-nodes", "6-proof", "6-proof-overlay")
    return {"6-trace": made["6-trace"], **{f"{name}-eu-west": made[name] for name in names}}


async def _own_machines() -> dict[str, str]:
    return {name: svg async for name, svg in take_own()}


async def _wide_terminal() -> dict[str, str]:
    made = {name: svg async for name, svg in take("ca-central", WIDE)}
    few = {f"{name}-256": in_256_colours(made[name]) for name in ("4-routes", "6-proof")}
    return {"4-routes-wide": made["4-routes"], **few}


async def _high_contrast() -> dict[str, str]:
    with still() as state, PictureLab("ca-central", state) as lab:
        settings = replace(lab.settings, host_keys="accept-new", persist="none")
        async with driving(lab, settings, SIZE) as driver:
            driver.app.theme = CONTRAST.name
            await driver.go("Routes")
            await driver.press("down")
            return {"4-routes-contrast": picture(driver)}


async def _by_hand() -> dict[str, str]:
    """Somebody has typed two routes, one of them with a slip."""
    with still() as state, PictureLab("ca-central", state) as lab, mock.patch.object(by_hand, "EVERY", 3600):
        settings = replace(lab.settings, host_keys="accept-new", persist="none", no_hosts_file=True)
        async with driving(lab, settings, SIZE) as driver:
            await driver.go("Routes")
            await driver.press("h")
            for host, command in (("worker-0", "10.200.1.0/24"), ("worker-1", "10.200.0.0/24")):
                said(lab, host, f"ip route add {command} via {lab.topology.addresses['worker-1'][1]}")
            await driver.until(lambda: "0 of 6 right." in driver.text(), "what is to be typed")
            await driver.press("r")
            await driver.until(lambda: "1 of 6 right, 1 wrong." in driver.text(), "what is right and wrong")
            await driver.press("down", "down")
            return {"4-by-hand": picture(driver)}


async def _drill() -> dict[str, str]:
    """The learner is about to find it: requests come in by eth0, and go no further."""
    one_identifier = SimpleNamespace(crc32=lambda _data: 7341)
    with still() as state, mock.patch("kthw_routes.demo.programs.ping.zlib", one_identifier):
        async with practising("silent-wall", state, SIZE) as driver:
            await driver.sees("A shell on worker-0")
            broken = next(iter(driver.drill.practice.drill.solution))
            pod = f"10.200.{broken[-1]}.2"
            await driver.to_node(broken)
            await driver.press(*"tcpdump -c 2 -ni any icmp", "enter")
            await driver.sees("listening on any")
            await driver.to_node("worker-0" if broken != "worker-0" else "worker-1")
            ping = f"ping -c 2 -i 0.2 -W 1 {pod}"
            await driver.runs(f"ip netns exec $(ip netns list | head -1) {ping}", "100% packet loss")
            await driver.to_node(broken)
            await driver.sees("2 packets captured")
            await driver.press("f5")
            await driver.runs("iptables -S FORWARD", "-P FORWARD DROP")
            return {"7-drill": picture(driver)}


def in_256_colours(svg: str) -> str:
    """The picture as a terminal with 256 colours shows it: each colour is the nearest of those."""

    def nearest(found: re.Match[str]) -> str:
        triplet = Color.parse(found[0]).get_truecolor()
        return EIGHT_BIT_PALETTE[EIGHT_BIT_PALETTE.match(triplet)].hex

    return re.sub(r"#[0-9a-fA-F]{6}\b", nearest, svg)


_OF_A_WALK: Final = (
    *("1-source", "2-nodes", "3-host-keys", "3-checks", "4-persistence"),
    *("0-demo", "4-routes", "5-run", "6-proof", "6-undo"),
)

WALKS: Final[Mapping[str, tuple[Callable[[], Coroutine[None, None, dict[str, str]]], frozenset[str]]]] = {
    "linode": (_linode, frozenset(_OF_A_WALK)),
    "eu-west": (
        _eu_west,
        frozenset(("2-nodes-eu-west", "6-proof-eu-west", "6-proof-overlay-eu-west", "6-trace")),
    ),
    "by hand": (_by_hand, frozenset(("4-by-hand",))),
    "own machines": (_own_machines, frozenset(("1-source-inventory", "2-nodes-own"))),
    "wide terminal": (_wide_terminal, frozenset(("4-routes-wide", "4-routes-256", "6-proof-256"))),
    "high contrast": (_high_contrast, frozenset(("4-routes-contrast",))),
    "drill": (_drill, frozenset(("7-drill",))),
}
"""Each walk, and the names of the pictures that it makes (name -> SVG)."""


def main() -> None:
    """Write them all, into the folder that is named, else into the repository's."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    folder = parser.parse_args().folder
    folder.mkdir(exist_ok=True)
    for make, _ in WALKS.values():
        for name, svg in asyncio.run(make()).items():
            (folder / f"{name}.svg").write_text(svg)
            print(folder / f"{name}.svg")


if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER.parent))
    main()
