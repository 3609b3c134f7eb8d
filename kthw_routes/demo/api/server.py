"""The Linode API of the embedded lab: real HTTP on the loopback interface, with Linode's errors, pages and headers."""

import itertools
import json
import socket
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

from kthw_routes.demo.api import documents as linode_json
from kthw_routes.demo.api.account import Account, LinodeInstance
from kthw_routes.demo.api.documents import Json

_PAGE_SIZES: Final = range(25, 501)
_RATE_LIMIT: Final = 1840  # what recorded answers had most often


class _ApiError(Exception):
    """An answer in Linode's error shape."""

    def __init__(self, status: int, reason: str, name: str | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.body: Json = {"errors": [{"reason": reason, **({"field": name} if name else {})}]}


class LinodeApi:
    """Serves an account until it is closed; `with LinodeApi(account) as api:` starts it and closes it."""

    def __init__(self, account: Account) -> None:
        self.account = account
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
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.hang_up()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def serve(self, request: "Request") -> None:
        """Answer one GET request."""
        request.send(*request.right_answer())

    def answer(self, target: str, authorization: str | None) -> Json:
        """Make the body for a request. Raises _ApiError."""
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
                return _page([linode_json.instance(n, i) for n, i in instances.items()], query)
            case ["linode", "instances", number, "configs"]:
                key, linode = _find(instances, number)
                old = linode.interface_generation == "legacy_config"
                return _page([linode_json.config(key, linode)] if old else [], query)
            case ["linode", "instances", number, "interfaces"]:
                key, linode = _find(instances, number)
                if linode.interface_generation != "linode":
                    raise _ApiError(400, "This Linode uses configuration profile interfaces.")
                return {"interfaces": linode_json.interfaces(key, linode)}
            case ["linode", "instances", number, "firewalls"]:
                _, linode = _find(instances, number)
                return _page([linode_json.firewall(n, f) for n, f in enumerate(linode.firewalls, start=1)], query)
            case ["regions"]:
                return _page([linode_json.region(r) for r in self.account.regions], query)
        raise _ApiError(404, "Not found")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, api: LinodeApi) -> None:
        self.api = api
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        self.requests = itertools.count(1)
        super().__init__(("127.0.0.1", 0), Request)

    def server_bind(self) -> None:
        """Bind without looking up this machine's name, which takes seconds offline."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Remember the connection, so that it can be ended with the lab."""
        connection, address = super().get_request()
        with self._open_lock:
            self._open.add(connection)
        return connection, address

    def close_request(self, request: object) -> None:
        """Forget the connection."""
        if isinstance(request, socket.socket):
            with self._open_lock:
                self._open.discard(request)
            request.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that hung up."""

    def hang_up(self) -> None:
        """End every connection."""
        with self._open_lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was faster


class Request(BaseHTTPRequestHandler):
    """One connection of a client, and the request that it made last."""

    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "embedded-lab"
    sys_version = ""
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing: the terminal belongs to the wizard."""

    def do_GET(self) -> None:
        """Answer a request."""
        self.server.api.serve(self)

    def do_POST(self) -> None:
        """Refuse: the account of the lab cannot be changed."""
        self.close_connection = True  # its body is not read
        self.send(405, _ApiError(405, "Method Not Allowed").body)

    do_PUT = do_DELETE = do_POST  # noqa: N815 - the base class's names

    def right_answer(self) -> tuple[int, Json]:
        """Make the status and the body that Linode would answer with."""
        try:
            return 200, self.server.api.answer(self.path, self.headers["Authorization"])
        except _ApiError as error:
            return error.status, error.body

    def send(
        self, status: int, body: object, headers: Mapping[str, str] | None = None, *, cut: int | None = None
    ) -> None:
        """Send an answer.

        Args:
            body: bytes are sent as they are, anything else as JSON.
            headers: go over the usual ones.
            cut: hang up after so many bytes of the body.
        """
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        parts = urlsplit(self.path).path.split("/")
        every = {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "X-OAuth-Scopes": self.server.api.account.scopes,
            "X-Accepted-OAuth-Scopes": "linodes:read_only" if "linode" in parts else "*",
            "X-RateLimit-Limit": str(_RATE_LIMIT),
            "X-RateLimit-Remaining": str(max(0, _RATE_LIMIT - next(self.server.requests))),
            "X-RateLimit-Reset": str(int(time.time()) + 120),
            **(headers or {}),
        }
        self.send_response(status)
        for name, value in every.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[:cut])
        self.close_connection = self.close_connection or cut is not None


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
