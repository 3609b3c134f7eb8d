"""A visitor in a real browser: from the first screen to the proof, by keys and by clicks."""

import asyncio
import os
import re
import select
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from kthw_routes.serve.server import LabServer
from tests.benchmarks.visitors import children
from tests.browser.chromium import SECONDS, Page, tab

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PROVED = "Traffic between all pod CIDRs gets through."


@asynccontextmanager
async def command(folder: Path, *arguments: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run `kthw-routes demo --serve` as a teacher does; its process, and the address that it prints."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "LINODE_TOKEN": "of-the-teacher",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kthw_routes", "demo", "--serve", "0", *arguments, env=environment, stdout=PIPE
    )  # fmt: skip
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", (await process.stdout.readline()).decode())
        assert found is not None
        yield process, found[0]
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0


async def until_ended(handle: int) -> None:
    """Wait for a process by its descriptor."""
    assert await asyncio.to_thread(select.select, [handle], [], [], SECONDS) != ([], [], [])


async def leave_dialog(page: Page, words: str) -> None:
    """Close the dialog that shows these words."""
    await page.press("Escape")
    await page.until(lambda: words not in page.screen.text, f"without {words}")


def check_asked_of(page: Page, address: str) -> None:
    """Nothing was asked of anybody else."""
    assert {urlsplit(url).netloc for url in page.requested if not url.startswith("data:")} == {urlsplit(address).netloc}


async def test_by_keys(tmp_path: Path) -> None:
    """One visitor from the start to the end, a second one meanwhile; then a tab that is closed."""
    home = tmp_path / "home"
    home.mkdir()
    async with command(home, "--visitors", "1") as (server, address), tab(tmp_path / "profile") as page:
        await page.open(address)
        await page.until_page("document.activeElement.matches('a.button')")
        for key, words in (
            ("Enter", "Practice lab, eu-west"),
            (">", "10.200.2.0/24"),
            ("Enter", "the next hop for the others"),
        ):
            await page.press(key)
            await page.shows(words)
        assert "> Next" in page.screen.text, "browsers keep ^n for themselves"
        assert "user@host:port" not in page.screen.text, "a visitor would reach what the teacher's machine can reach"
        await leave_dialog(page, "the next hop for the others")

        (visitor,) = children(server.pid)
        handle = os.pidfd_open(visitor)
        environment = Path(f"/proc/{visitor}/environ").read_bytes()
        assert b"of-the-teacher" not in environment
        (folder,) = home.glob("kthw-routes-visitor-*")
        assert f"HOME={folder}".encode() in environment
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{address}/demo") as refused:
                assert "There is room for 1 visitor at once" in await refused.text()
            async with session.ws_connect(f"{address}/ws/demo") as late:
                assert b"There is room for 1 visitor" in (await late.receive()).data
                assert (await late.receive()).type is aiohttp.WSMsgType.CLOSE

        await page.press(">")
        await page.focuses("Trust them")
        for key, words in (
            ("Enter", "no pod bridge"),
            (">", "Keep these routes"),
            (" ", "(●) No"),
            (">", "Nothing is changed yet"),
            ("F2", "ssh root@203.0.113.20"),
        ):
            await page.press(key)
            await page.shows(words)
        await leave_dialog(page, "ssh root@203.0.113.20")
        for words in ("Done:", PROVED):
            await page.press(">")
            await page.shows(words)
        assert str(home) not in page.screen.text, "a visitor has no file of the server's"
        await page.press(">")
        await page.until(lambda: page.is_closed, "the lab's end")
        await page.until_page("document.activeElement.matches('.ended a')")
        await page.press("Enter")  # the line below the terminal has the focus
        await page.until(lambda: not page.is_closed, "another lab")
        await page.shows("Practice lab, eu-west")
        await until_ended(handle)
        os.close(handle)
        assert not folder.exists(), "the place is free once nothing is left of the one before"
        (visitor,) = children(server.pid)
        handle = os.pidfd_open(visitor)
        await page.send("Page.navigate", url="about:blank")
        await until_ended(handle)
        os.close(handle)
        check_asked_of(page, address)
    assert not list(home.glob("kthw-routes-*"))


async def test_by_clicks(tmp_path: Path) -> None:
    """With the word that is asked for where others can reach it. (It is served on loopback here.)"""
    downloaded = asyncio.Event()

    class WatchedServer(LabServer):
        async def handle_download(self, request: web.Request) -> web.StreamResponse:
            response = await super().handle_download(request)
            downloaded.set()
            return response

    server = WatchedServer("192.0.2.1", 8000, 30, {"demo": ("demo",), "drills": ("drills", "--seed", "class")})
    runner = web.AppRunner(await server._make_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with tab(tmp_path / "profile") as page:
            await page.open(f"{address}/demo")
            await page.click_on("#word")
            await page.type(server.greeting(8000)[1].partition(": ")[2])
            await page.click_on("button")
            await page.until_page("document.querySelector('a.button') && document.readyState === 'complete'")
            await page.click_on("a.button")
            await page.shows("Practice lab, eu-west")
            for words, then in (
                ("Next", "10.200.2.0/24"),
                ("Next", "Trust them"),
                ("Trust them", "no pod bridge"),
                ("Next", "Keep these routes"),
                ("Yes, in a file", "(●) Yes, in a file"),
                ("Show the changes", "Nothing is changed yet"),
                ("Run", "Done:"),
                ("Prove", PROVED),
                ("Undo this run", "Undo it"),
            ):
                await page.click(words, last=True)
                await page.shows(then)
            await page.click("Keep it", last=True)
            await page.until(lambda: "Undo it" not in page.screen.text, "the proof again")
            await page.press("k")
            await page.shows("kept as")
            await asyncio.wait_for(downloaded.wait(), SECONDS)
            downloaded.clear()
            await page.press("s")
            await page.shows("Download")
            await page.click("Download")
            await asyncio.wait_for(downloaded.wait(), SECONDS)

            await page.open(address)
            await page.click_on("a.button[href='/drills']")
            await page.shows("0 of ")
            await page.press("Enter")
            await page.shows("A shell on ")
            assert "another terminal" not in page.screen.text
            await page.type("cat /etc/hostname")
            await page.press("Enter")
            await page.shows("\n worker-0\n")
            check_asked_of(page, address)
    finally:
        await runner.cleanup()
