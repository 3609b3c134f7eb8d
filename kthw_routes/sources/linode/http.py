"""HTTP for linode_api4, with what requests lacks: answers that are limited while they are read, and an end on demand.

Imported by a search only, as requests takes a quarter of a second.
"""

import zlib
from collections.abc import Iterator
from http.client import HTTPException
from io import BytesIO
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from kthw_routes.sources.linode import errors as linode_errors
from kthw_routes.sources.linode.errors import Answer, LinodeError
from kthw_routes.sources.linode.retries import OpenSockets
from kthw_routes.sources.linode.token import is_loopback, sent_unencrypted

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of an answer, both as sent and unpacked. A page of 500 Linodes has less than 2 MB."""
MAX_ERROR_BODY: Final = 64 * 1024
"""The same, of an answer that is an error; a larger one counts as empty."""

_CHUNK: Final = 16 * 1024
_ZLIB_OR_GZIP: Final = 32 + zlib.MAX_WBITS
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})


class LimitedAdapter(HTTPAdapter):
    """Reads every answer whole, within the limits, before requests sees it."""

    def __init__(self, opened: OpenSockets, *, loopback_only: bool) -> None:
        """
        Args:
            opened: notes each socket, before a request is sent through it.
            loopback_only: whether nothing is sent to another machine, whatever its name says.
        """
        self._opened = opened
        self._loopback_only = loopback_only
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Do as the base class, with connections that report their sockets."""
        super().init_poolmanager(*args, **options)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Do as the base class, with connections that report their sockets."""
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if is_new:
            self._watch(manager)
        return manager

    def _watch(self, manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = {
            scheme: _watched(pool, self._opened, self._loopback_only)
            for scheme, pool in manager.pool_classes_by_scheme.items()
        }

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send a request and read the body of its answer.

        Raises:
            LinodeError: the body is too large, or packed as nobody asked for.
            Exception: what requests and urllib3 raise.
        """
        request.headers["Accept-Encoding"] = "gzip"
        response = super().send(request, *args, **options)
        is_error = response.status_code >= 300
        stream = response.raw
        try:
            body = _body_of(response, MAX_ERROR_BODY if is_error else MAX_BODY)
        except (LinodeError, HTTPError, HTTPException, OSError):
            stream.close()  # what is still to come is not waited for
            if not is_error:
                raise
            body = b""  # the status says enough
        response.raw = BytesIO(body)
        response.encoding = (
            "utf-8-sig"  # JSON is UTF-8; the charset that a server names may be a codec that takes hours
        )
        return response


class _Watched(HTTPConnection):
    """A connection that reports its socket, and reaches no further than it may."""

    opened: ClassVar[OpenSockets]
    loopback_only: ClassVar[bool]

    def connect(self) -> None:
        """Do as the base class. Raises UsageError where it would lead to another machine, and may not."""
        with self.opened.connecting(self):
            super().connect()
        if self.loopback_only and not is_loopback(str(self.sock.getpeername()[0])):
            self.close()
            raise sent_unencrypted(self.host)


def _watched(pool: type[HTTPConnectionPool], opened: OpenSockets, loopback_only: bool) -> type[HTTPConnectionPool]:
    """Make a pool of connections that are `_Watched`. (urllib3 makes connections by class, with no place for more.)"""
    members = {"opened": opened, "loopback_only": loopback_only}
    connection = type("Watched", (_Watched, pool.ConnectionCls), members)
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


def _body_of(response: requests.Response, limit: int) -> bytes:
    """Unpack the body. Raises LinodeError where it is larger than `limit` bytes, or wrongly packed."""
    host = urlsplit(response.url).netloc
    answer = Answer(response.status_code, response.headers.get("Content-Type", ""))
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing not in _PACKED | {"", "identity"}:
        raise linode_errors.not_json(answer, host)
    chunks = _chunks_of(response, limit + 1)
    try:
        body = _unpacked(chunks, limit + 1) if packing in _PACKED else b"".join(chunks)
    except zlib.error:
        raise linode_errors.not_json(answer, host) from None
    if len(body) > limit:
        raise linode_errors.too_large(answer, host, limit)
    return body


def _chunks_of(response: requests.Response, most: int) -> Iterator[bytes]:
    """Read the body as it was sent, piece by piece, to its end or to `most` bytes."""
    while most and (chunk := response.raw.read(min(_CHUNK, most), decode_content=False)):
        most -= len(chunk)
        yield chunk


def _unpacked(chunks: Iterator[bytes], most: int) -> bytes:
    """Unpack zlib or gzip once, at most `most` bytes of it. Raises zlib.error."""
    unpacking = zlib.decompressobj(_ZLIB_OR_GZIP)
    body, has_begun = bytearray(), False
    for chunk in chunks:
        has_begun = True
        body += unpacking.decompress(chunk, most - len(body))
        if len(body) >= most:
            return bytes(body)
        if unpacking.unused_data:
            raise zlib.error("more follows")
    if has_begun and not unpacking.eof:
        raise zlib.error("it is cut off")
    return bytes(body)
