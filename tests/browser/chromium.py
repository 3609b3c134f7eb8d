"""A headless Chromium, driven by the DevTools protocol: keys, clicks, and what came over the page's websocket."""

import asyncio
import base64
import itertools
import json
import os
import re
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from tests.browser.screen import Screen

SECONDS: Final = 60.0
"""How long anything may take on a busy machine."""
_STILL: Final = 0.2
"""Seconds without a change, in which a cursor does not blink."""
_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS: Final = (
    "--headless=new",
    "--no-sandbox",  # root has none, and the only page is ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--window-size=1000,700",
    "--remote-debugging-port=0",
)
_KEYS: Final = {  # the key's name, as the DevTools protocol wants it: code, virtual key code, text
    "F2": ("F2", 113, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Tab": ("Tab", 9, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    " ": ("Space", 32, " "),
}


def program() -> str:
    """The browser's program; the test is skipped without one, and fails in CI."""
    found = next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        reason = "the browser's tests need Chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and they must run here", pytrace=False)
        pytest.skip(reason)
    return found


class DevToolsError(Exception):
    """The browser could not do something."""


class Page:
    """A tab."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Event()
        self.screen = Screen()
        """What the terminal was given to show."""
        self.requested: list[str] = []
        """The address of everything that the page asked for."""
        self.is_closed = False
        """Whether its websocket is closed."""
        self._events: dict[str, Callable[[dict[str, Any]], None]] = {
            "Network.requestWillBeSent": lambda event: self.requested.append(event["request"]["url"]),
            "Network.webSocketCreated": self._open_socket,
            "Network.webSocketFrameReceived": self._take_frame,
            "Network.webSocketClosed": lambda _: setattr(self, "is_closed", True),
        }

    async def listen(self) -> None:
        """Take what the browser reports, until it ends."""
        async for message in self._connection:
            report = json.loads(message.data)
            if (answer := self._answers.pop(report.get("id"), None)) is not None:
                answer.set_result(report)
            elif (take := self._events.get(report.get("method"))) is not None:
                take(report["params"])
            self._changed.set()

    def _open_socket(self, event: dict[str, Any]) -> None:
        self.requested.append(event["url"])
        self.screen, self.is_closed = Screen(), False

    def _take_frame(self, event: dict[str, Any]) -> None:
        if event["response"]["opcode"] == 2:
            self.screen.feed(base64.b64decode(event["response"]["payloadData"]).decode(errors="replace"))

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have the browser do something, and return its answer."""
        number = next(self._ids)
        self._answers[number] = answer = asyncio.get_running_loop().create_future()
        await self._connection.send_json({"id": number, "method": method, "params": parameters})
        report = await asyncio.wait_for(answer, SECONDS)
        if "error" in report:
            raise DevToolsError(report["error"]["message"])
        result: dict[str, Any] = report["result"]
        return result

    async def evaluate(self, script: str) -> Any:
        """Return what a script in the page gives."""
        return (await self.send("Runtime.evaluate", expression=script))["result"].get("value")

    async def open(self, address: str) -> None:
        """Go to an address, and wait until the page is there."""
        await self.send("Page.navigate", url=address)
        await self.until_page("document.readyState === 'complete'")

    async def until_page(self, condition: str) -> None:
        """Wait until a script in the page gives true, this page or the next."""
        look = f"const look = () => ({condition}) ? done(true) : setTimeout(look, 20); look()"
        async with asyncio.timeout(SECONDS):
            while True:
                with suppress(DevToolsError):  # the page was left meanwhile
                    promise = f"new Promise(done => {{ {look} }})"
                    await self.send("Runtime.evaluate", expression=promise, awaitPromise=True, returnByValue=True)
                    return

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until it holds, looking whenever the browser reported something."""
        try:
            async with asyncio.timeout(SECONDS):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"never: {what}\n{self.screen.text}") from None

    async def shows(self, words: str) -> None:
        """Wait until the terminal shows these words."""
        await self.until(lambda: words in self.screen.text, words)

    async def settles(self) -> None:
        """Wait until nothing more comes, as a person does: words may be there before what takes a key."""
        with suppress(TimeoutError):
            while True:
                self._changed.clear()
                await asyncio.wait_for(self._changed.wait(), _STILL)

    async def focuses(self, button: str) -> None:
        """Wait until this button in the terminal has the focus."""
        await self.until(lambda: button in self.screen.underlined, f"the focus on {button}")

    async def press(self, key: str) -> None:
        """Press a key, in the page that has the focus."""
        await self.settles()
        code, number, text = _KEYS.get(key, ("", 0, key))
        down = {"type": "keyDown", "key": key, "code": code, "windowsVirtualKeyCode": number, "text": text}
        await self.send("Input.dispatchKeyEvent", **{name: value for name, value in down.items() if value != ""})
        await self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=code, windowsVirtualKeyCode=number)

    async def type(self, text: str) -> None:
        """Put in a text."""
        await self.send("Input.insertText", text=text)

    async def click_at(self, x: float, y: float) -> None:
        """Click with the left button, in pixels of the page."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            pressed: dict[str, Any] = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            await self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **pressed)

    async def click(self, words: str, *, last: bool = False) -> None:
        """Click on words in the terminal, the last of them or the first."""
        await self.settles()
        column, line = self.screen.find(words, last=last)
        box = json.loads(
            await self.evaluate(
                "JSON.stringify((({x, y, width, height}) => ({x, y, width, height}))"
                "(document.querySelector('.xterm-screen').getBoundingClientRect()))"
            )
        )
        width, height = box["width"] / self.screen.columns, box["height"] / self.screen.lines
        await self.click_at(box["x"] + (column + len(words) / 2) * width, box["y"] + (line + 0.5) * height)

    async def click_on(self, selector: str) -> None:
        """Click on an element of the page."""
        box = json.loads(
            await self.evaluate(
                f"JSON.stringify((({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
                f"(document.querySelector({selector!r}).getBoundingClientRect()))"
            )
        )
        await self.click_at(*box)

    async def picture(self, path: Path) -> None:
        """Save what it looks like, to look at."""
        path.write_bytes(base64.b64decode((await self.send("Page.captureScreenshot"))["data"]))


@asynccontextmanager
async def tab(folder: Path) -> AsyncIterator[Page]:
    """Give the tab of a browser whose profile is in `folder`."""
    process = await asyncio.create_subprocess_exec(
        program(),
        *_ARGUMENTS,
        f"--user-data-dir={folder}",
        "about:blank",
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
        env={**os.environ, "HOME": str(folder)},  # where it keeps reports of crashes
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(SECONDS):
            while not (found := re.search(rb"listening on ws://([^/]+)/", await process.stderr.readline())):
                assert process.returncode is None, "Chromium has ended"
        reader = asyncio.create_task(process.stderr.read())  # so that it can go on writing
        async with aiohttp.ClientSession() as session:
            async with session.put(f"http://{found[1].decode()}/json/new?about:blank") as answer:
                address = (await answer.json(content_type=None))["webSocketDebuggerUrl"]
            page = Page(await session.ws_connect(address, max_msg_size=0))
            listener = asyncio.create_task(page.listen())
            for domain in ("Page", "Network", "Runtime"):
                await page.send(f"{domain}.enable")
            try:
                yield page
            finally:
                with suppress(TimeoutError):  # by itself it ends its own processes too
                    await asyncio.wait_for(page.send("Browser.close"), 5)
                    await asyncio.wait_for(process.wait(), 10)
                listener.cancel()
        reader.cancel()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
