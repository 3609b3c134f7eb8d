"""The web server: pages, who may come in, a websocket per visitor."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Address
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jinja2
from aiohttp import WSMsgType, web
from textual_serve.server import Server

from kthw_routes.errors import UsageError
from kthw_routes.serve.visitor import MAX_ENDING, Visitor, bounded_size
from kthw_routes.serve.word import COOKIE, Door, new_word
from kthw_routes.words import count

_HERE: Final = Path(__file__).parent
MAX_MESSAGE: Final = 64 * 1024
"""Bytes of one message from a browser: what a person types or pastes."""
_HEADERS: Final = {
    # Nothing is loaded from anywhere else, and no other page may hold these. xterm.js writes styles into the page.
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # with none, the form's origin would be hidden from us too
    "X-Content-Type-Options": "nosniff",
}
_FULL: Final = "There is room for {visitors} at once, and no more is free. Try again when somebody has closed a tab."

_OPEN: Final = ("/page/", "/static/fonts/", "/word")
"""What is served without the word: its own page, and how that looks."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LabServer(Server):
    """Serves the practice lab, a process for each visitor."""

    def __init__(self, address: str, port: int, max_visitors: int, labs: Mapping[str, tuple[str, ...]]) -> None:
        """See `serve_lab`. Raises UsageError."""
        super().__init__("kthw-routes", host=address, port=port)
        self._labs = labs
        self._max_visitors = max_visitors
        self._is_local = _read_address(address).is_loopback
        self._door = Door(None if self._is_local else new_word())
        self._visitors: set[web.WebSocketResponse] = set()
        """The websockets of all that have a process, including one that ends."""
        self._places = asyncio.Semaphore(max_visitors)
        templates = jinja2.FileSystemLoader(_HERE / "templates")
        self._pages = jinja2.Environment(loader=templates, autoescape=True)

    # --- the server's life ---

    async def serve_until_ended(self, announce: Callable[[str], None]) -> None:
        """Serve until a signal asks for the end. Raises UsageError: the address or port cannot be used."""
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for number in signals:
            loop.add_signal_handler(number, ended.set)
        runner = web.AppRunner(await self._make_app(), access_log=None)
        try:
            await runner.setup()
            try:
                await web.TCPSite(runner, self.host, self.port).start()
            except OSError as error:
                raise UsageError(
                    f"Nothing can be served on {self.host}, port {self.port}: {_reason(error)}.",
                    "Another port: --serve PORT. Another address: --bind ADDRESS.",
                ) from error
            for line in self.greeting(runner.addresses[0][1]):
                announce(line)
            await ended.wait()
            announce("\nThe practice lab is closed.")
        finally:
            await runner.cleanup()
            for number in signals:
                loop.remove_signal_handler(number)

    def greeting(self, port: int) -> list[str]:
        """Return who can reach it and where; and the word, where there is one."""
        places = count(self._max_visitors, "visitor")
        if self._door.word is None:
            return [
                f"The practice lab, for programs on this machine only: http://{self.host}:{port}",
                f"At most {places}, each with a lab of their own. Ctrl-C ends all of them.",
            ]
        host = _address_for_others() if self.host == "0.0.0.0" else self.host  # noqa: S104 - it is named to be explained
        reach = "any address of this machine" if host != self.host else f"{self.host} on this machine"
        return [
            f"Everybody whose computer can reach {reach} can open http://{host}:{port} and is asked for the word.",
            f"The word: {self._door.word}",
            f"At most {places}, each with a lab of their own. Ctrl-C ends all of them.",
        ]

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/", self._show_start),
                web.post("/word", self._take_word),
                *(web.get(f"/{lab}", self._show_terminal) for lab in self._labs),
                *(web.get(f"/ws/{lab}", self.handle_websocket) for lab in self._labs),
                web.get("/download/{key}", self.handle_download),
                web.static("/page", _HERE / "static"),
                web.static("/static", self.statics_path),
            ]
        )
        app.on_shutdown.append(self.on_shutdown)
        return app

    async def on_shutdown(self, app: web.Application) -> None:  # noqa: ARG002 - aiohttp's
        """Close the websockets, which ends the visitors' processes."""
        await asyncio.gather(*(websocket.close() for websocket in self._visitors), return_exceptions=True)

    # --- who comes in ---

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse pages of others, ask for the word, forbid to load anything from elsewhere."""
        origin = request.headers.get("Origin")
        # With a name of their own for this machine's loopback, pages of others would have the same origin as ours.
        is_elsewhere = self._is_local and not _is_loopback(request.host)
        if is_elsewhere or (origin is not None and urlsplit(origin).netloc != request.host):
            return self._page("message", 403, words="This page is not part of the practice lab.", path="/")
        if not self._door.is_open_to(request.cookies.get(COOKIE)) and not request.path.startswith(_OPEN):
            return self._page("word", 401, wrong="")
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    async def _take_word(self, request: web.Request) -> web.StreamResponse:
        """Compare the word that was typed."""
        address = request.remote or ""
        if self._door.must_wait(address):
            return self._page("word", 429, wrong="Too many wrong words came from here. Try again in a minute.")
        typed = (await request.post()).get("word")
        cookie = self._door.enter(address, typed if isinstance(typed, str) else "")
        if cookie is None and self._door.word is not None:
            return self._page("word", 401, wrong="That is not the word. Your teacher has it on the screen.")
        response = web.Response(status=303, headers={**_HEADERS, "Location": "/"})
        if cookie is not None:
            response.set_cookie(COOKIE, cookie, httponly=True, samesite="Strict")
        return response

    # --- pages ---

    def _page(self, name: str, status: int = 200, **words: Any) -> web.Response:
        text = self._pages.get_template(f"{name}.html").render(**words)
        return web.Response(
            text=text, status=status, content_type="text/html", headers={**_HEADERS, "Cache-Control": "no-store"}
        )

    async def _show_start(self, _request: web.Request) -> web.StreamResponse:
        return self._page("start", labs=self._labs)

    async def _show_terminal(self, request: web.Request) -> web.StreamResponse:
        if self._is_full:
            return self._page("message", 503, words=self._full_words, path=request.path)
        return self._page("terminal", path=request.path)

    @property
    def _is_full(self) -> bool:
        return sum(not websocket.closed for websocket in self._visitors) >= self._max_visitors

    @property
    def _full_words(self) -> str:
        return _FULL.format(visitors=count(self._max_visitors, "visitor"))

    # --- a visitor ---

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Give the visitor a process until the tab is closed or the process ends."""
        websocket = web.WebSocketResponse(heartbeat=15, max_msg_size=MAX_MESSAGE)
        await websocket.prepare(request)
        try:
            if self._is_full:  # somebody was quicker, between the page and this
                raise TimeoutError
            # Whoever starts another lab has a process that is about to end.
            await asyncio.wait_for(self._places.acquire(), 2 * MAX_ENDING)
        except TimeoutError:
            await websocket.send_bytes(f"\r\n  {self._full_words}\r\n".encode())
            await websocket.close()
            return websocket
        self._visitors.add(websocket)
        visitor = Visitor(self._labs[request.path.rpartition("/")[2]], websocket, self.download_manager)
        try:
            await visitor.start(*bounded_size(request.query.get("width"), request.query.get("height")))
            await _pass_on(websocket, visitor)
        finally:
            try:
                await asyncio.shield(visitor.stop())
            finally:
                self._visitors.discard(websocket)
                self._places.release()
        return websocket


async def _pass_on(websocket: web.WebSocketResponse, visitor: Visitor) -> None:
    """Pass on what the browser sends. Ends with the websocket; what is not understood is dropped."""
    async for message in websocket:
        if message.type is not WSMsgType.TEXT:
            continue
        try:
            kind, *values = message.json()
        except (JSONDecodeError, TypeError, ValueError):
            continue
        match kind, *values:
            case "stdin", str(data):
                await visitor.send_bytes(data.encode(errors="replace"))
            case "resize", {"width": width, "height": height}:
                await visitor.set_terminal_size(width, height)
            case "ping", str(data):
                await websocket.send_json(["pong", data])
            case "blur", *_:
                await visitor.blur()
            case "focus", *_:
                await visitor.focus()


def _read_address(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except ValueError:
        raise UsageError(f'"{text}" is not an IPv4 address.', "--bind takes an address of this machine.") from None


def _is_loopback(host: str) -> bool:
    """Return whether the host that a browser asked for, its port included, is this machine and no name of others."""
    name = host.rpartition(":")[0] if ":" in host else host
    try:
        return name.casefold() == "localhost" or IPv4Address(name).is_loopback
    except ValueError:
        return False


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).rsplit(": ", 1)[-1].strip("[] ")


def _address_for_others() -> str:
    """Return the address by which this machine reaches others. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "0.0.0.0"  # noqa: S104 - it is shown, not bound
