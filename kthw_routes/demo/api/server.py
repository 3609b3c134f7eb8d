"""The Linode API of the embedded lab: real HTTP on the loopback interface, with Linode's errors, pages and headers."""

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final
from urllib.parse import parse_qs, urlsplit

from kthw_routes.demo.api import documents as linode_json
from kthw_routes.demo.api.account import FIRST_ID as FIRST_ID
from kthw_routes.demo.api.account import Account, LinodeInstance
from kthw_routes.demo.api.documents import Json

_PAGE_SIZES: Final = range(25, 501)
_RATE_LIMIT: Final = 1840  # what recorded answers had most often


@dataclass(frozen=True, slots=True)
class Fault:
    """One answer that is served in place of the right one."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Content-Type is `application/json` unless it is among these."""
    path: str = ""
    """Only for requests whose path has this in it."""
    hangs: bool = False
    """Nothing is ever answered."""
    drops: bool = False
    """The connection is closed without an answer."""
    cuts: int | None = None
    """Only so many bytes of the body are sent, of those that were announced."""
    edit: Callable[[Json], object] | None = None
    """Takes the right answer and returns what is sent in its place."""
    writes: Callable[[Callable[[bytes], object]], object] | None = None
    """Sends all of the answer, its head included, with the function that it is given."""


class _ApiError(Exception):
    """An answer in Linode's error shape."""

    def __init__(self, status: int, reason: str, name: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.body: Json = {"errors": [{"reason": reason, **({"field": name} if name else {})}]}


class LinodeApi:
    """Serves an account until it is closed. `requests` and `faults` are for tests.

    `with LinodeApi(account) as api:` starts it and closes it.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.faults: list[Fault] = []
        """Served first, each once, in this order."""
        self.requests: list[str] = []
        """Path and query of each request so far."""
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="demo-linode-api", daemon=True
        )

    @property
    def url(self) -> str:
        """Its address, with the version."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v4"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and hang up on whoever is connected."""
        self._closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.hang_up()

    def __enter__(self) -> "LinodeApi":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def wait_until_closing(self) -> None:
        """Blocks a hanging answer."""
        self._closing.wait()

    def note(self, target: str) -> tuple[Fault | None, int]:
        """Count a request. Returns the fault to serve, and how many requests there were so far."""
        with self._lock:
            self.requests.append(target)
            fault = next((f for f in self.faults if f.path in target), None)
            if fault is not None:
                self.faults.remove(fault)
            return fault, len(self.requests)

    def answer(self, target: str, authorization: str | None, filter_text: str | None) -> Json:
        """The body for a request. Raises _ApiError."""
        url = urlsplit(target)
        path = url.path.rstrip("/").split("/")[1:]
        if path[:1] != ["v4"]:
            raise _ApiError(404, "Not found")
        is_open = path[1:2] == ["regions"]
        if authorization != f"Bearer {self.account.token}" and not (is_open and authorization is None):
            raise _ApiError(401, "Invalid Token")
        instances = self.account.numbered
        query = parse_qs(url.query)
        match path[1:]:
            case ["linode", "instances"]:
                chosen = {n: i for n, i in instances.items() if _passes(n, i, filter_text)}
                return _page([linode_json.instance(n, i) for n, i in chosen.items()], query)
            case ["linode", "instances", number]:
                return linode_json.instance(*_find(instances, number))
            case ["linode", "instances", number, "configs"]:
                key, linode = _find(instances, number)
                old = linode.interface_generation == "legacy_config"
                return _page([linode_json.config(key, linode)] if old else [], query)
            case ["linode", "instances", number, "interfaces"]:
                key, linode = _find(instances, number)
                if linode.interface_generation != "linode":
                    raise _ApiError(400, "This Linode uses configuration profile interfaces.")
                return {"interfaces": linode_json.interfaces(key, linode)}
            case ["linode", "instances", number, "ips"]:
                return linode_json.ips(*_find(instances, number))
            case ["regions"]:
                return _page([linode_json.region(r) for r in self.account.regions], query)
            case ["regions", name]:
                for region in self.account.regions:
                    if region.id == name:
                        return linode_json.region(region)
            case ["profile"]:
                return linode_json.profile()
        raise _ApiError(404, "Not found")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, api: LinodeApi) -> None:
        self.api = api
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        """As the base class, but for its look-up of this machine's name, which takes seconds offline."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Remembers the connection, so that it can be ended with the lab."""
        connection, address = super().get_request()
        with self._open_lock:
            self._open.add(connection)
        return connection, address

    def close_request(self, request: object) -> None:
        """Forgets the connection."""
        if isinstance(request, socket.socket):
            with self._open_lock:
                self._open.discard(request)
            request.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news."""

    def hang_up(self) -> None:
        """End every connection."""
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "embedded-lab"
    sys_version = ""
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing is logged: the terminal belongs to the wizard."""

    def do_GET(self) -> None:
        """Answer a request, with a fault if one is due."""
        fault, count = self.server.api.note(self.path)
        if fault and fault.hangs:
            self.server.api.wait_until_closing()
        if fault and fault.writes:
            fault.writes(self.wfile.write)
        if fault and (fault.hangs or fault.drops or fault.writes):
            self.close_connection = True
            return
        if fault and fault.edit is None and (fault.body or fault.status != HTTPStatus.OK):
            self._send(fault.status, fault.body, count, fault.headers, fault.cuts)
            return
        status, body = self._right_answer()
        answer: object = fault.edit(body) if fault and fault.edit else body
        headers, cuts = (fault.headers, fault.cuts) if fault else ({}, None)
        self._send(status, json.dumps(answer).encode(), count, headers, cuts)

    def do_POST(self) -> None:
        """The account of the lab cannot be changed."""
        self.close_connection = True  # its body is not read
        body = json.dumps(_ApiError(405, "Method Not Allowed").body).encode()
        self._send(405, body, self.server.api.note(self.path)[1], {}, None)

    do_PUT = do_DELETE = do_POST  # noqa: N815 - the base class's names

    def _right_answer(self) -> tuple[int, Json]:
        headers = self.headers
        try:
            return 200, self.server.api.answer(self.path, headers["Authorization"], headers["X-Filter"])
        except _ApiError as error:
            return error.status, error.body

    def _send(self, status: int, body: bytes, count: int, headers: Mapping[str, str], cuts: int | None) -> None:
        parts = urlsplit(self.path).path.split("/")
        every = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "X-OAuth-Scopes": self.server.api.account.scopes,
            "X-Accepted-OAuth-Scopes": "linodes:read_only" if "linode" in parts else "*",
            "X-RateLimit-Limit": str(_RATE_LIMIT),
            "X-RateLimit-Remaining": str(max(0, _RATE_LIMIT - count)),
            "X-RateLimit-Reset": str(int(time.time()) + 120),
            **headers,
        }
        self.send_response(status)
        for name, value in every.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cuts])
        self.close_connection = self.close_connection or cuts is not None


def _find(instances: Mapping[int, LinodeInstance], number: str) -> tuple[int, LinodeInstance]:
    if number.isascii() and number.isdigit() and int(number[:12]) in instances:
        return int(number), instances[int(number)]
    raise _ApiError(404, "Not found")


def _page(rows: list[Json], query: Mapping[str, list[str]]) -> Json:
    size = _number(query, "page_size", 100)
    page = _number(query, "page", 1)
    if size not in _PAGE_SIZES:
        raise _ApiError(400, "Must be 25-500", "page_size")
    pages = max(1, -(-len(rows) // size))
    if not 1 <= page <= pages:
        raise _ApiError(404, "Not found")
    return {"data": rows[(page - 1) * size : page * size], "page": page, "pages": pages, "results": len(rows)}


def _number(query: Mapping[str, list[str]], name: str, default: int) -> int:
    text = query.get(name, [str(default)])[0]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _ApiError(400, "Must be a number", name)
    return int(text)


def _passes(number: int, linode: LinodeInstance, filter_text: str | None) -> bool:
    """Whether an X-Filter lets an instance through: equality, and `+contains`, of the fields that people filter by."""
    if not filter_text:
        return True
    try:
        wanted = json.loads(filter_text)
    except ValueError:
        raise _ApiError(400, "Cannot parse filter", "X-Filter") from None
    has: dict[str, tuple[object, ...]] = {
        "id": (number,),
        "label": (linode.label,),
        "region": (linode.region,),
        "tags": linode.tags,
    }
    if not isinstance(wanted, dict):
        raise _ApiError(400, "Cannot parse filter", "X-Filter")
    for name, value in wanted.items():
        if name not in has:
            raise _ApiError(400, f"Cannot filter on {name}", "X-Filter")
        if isinstance(value, dict) and list(value) == ["+contains"]:
            if not any(str(value["+contains"]) in str(h) for h in has[name]):
                return False
        elif value not in has[name]:
            return False
    return True
