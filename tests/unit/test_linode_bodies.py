"""Answers of Linode's API that are too large, never end, or are packed oddly: limited while read, and ended."""

import gzip
import json
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import pytest

from kthw_routes.demo.api.account import lab_account
from kthw_routes.errors import Cancelled
from kthw_routes.events import discard
from kthw_routes.secret import Secret
from kthw_routes.sources import Discovery
from kthw_routes.sources.linode import http as linode_http
from kthw_routes.sources.linode import retries as tries
from kthw_routes.sources.linode import source as linode
from kthw_routes.sources.linode.errors import LinodeError, Trouble
from kthw_routes.sources.linode.source import LinodeSource, Patience
from kthw_routes.sources.linode.token import Token
from tests.model.api import Fault, FaultyApi

PATIENT = Patience(connect=60.0, read=60.0, whole=60.0, backoff=0.01)
SHORT = Patience(connect=60.0, read=60.0, whole=1.0, backoff=0.0)
"""For a request whose end is the one of the whole, not that of a single read."""
MUCH = 128 * 1024 * 1024
"""Bytes: what the packed bodies unpack to."""
HEAD = b"HTTP/1.1 %d X\r\nContent-Type: %s\r\n%s\r\n"
JSON, HTML = b"application/json", b"text/html; charset=utf-8"

Send = Callable[[bytes], object]


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with FaultyApi(lab_account()) as api:
        yield api


def find(api: FaultyApi, patience: Patience = PATIENT, **options: Any) -> Discovery:
    token = Token(Secret(api.account.token), "LINODE_TOKEN")
    return LinodeSource(token, api.url, patience=patience, **options).find(emit=discard, cancel=threading.Event())


def failure(api: FaultyApi, *faults: Fault, patience: Patience = PATIENT, **options: Any) -> LinodeError:
    api.faults = list(faults)
    with pytest.raises(LinodeError) as caught:
        find(api, patience, **options)
    assert caught.value.hint
    return caught.value


class Stream:
    """An answer that is sent as long as somebody reads it."""

    def __init__(self, head: bytes, pieces: Callable[[], Iterator[bytes]], *, pause: float = 0.0) -> None:
        """`pause`: seconds between two pieces."""
        self._head, self._pieces, self._pause = head, pieces, pause
        self.sent = 0
        self.was_hung_up = threading.Event()

    def __call__(self, send: Send) -> None:
        never = threading.Event()
        try:
            send(self._head)
            for piece in self._pieces():
                send(piece)
                self.sent += len(piece)
                never.wait(self._pause)
        except OSError:
            self.was_hung_up.set()


def once(body: bytes, status: int = 200, kind: bytes = JSON, headers: bytes = b"") -> Callable[[Send], object]:
    """An answer with just this body and these headers; its length is not said, the connection ends it."""
    return lambda send: send(HEAD % (status, kind, headers) + body)


def no_request_runs() -> bool:
    """Whether all threads of requests have ended; one that was given up is waited for."""
    for thread in threading.enumerate():
        if thread.name == "linode-request":
            thread.join(30)
    return not any(t.name == "linode-request" for t in threading.enumerate())


# Size


def packed(form: str) -> bytes:
    """`MUCH` bytes of blanks, packed in this form."""
    packing = zlib.compressobj(6, wbits={"gzip": 31, "zlib": 15, "raw": -15}[form])
    blanks = b" " * (1024 * 1024)
    return b"".join(packing.compress(blanks) for _ in range(MUCH // len(blanks))) + packing.flush()


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    """Small bodies that unpack to much, by their Content-Encoding."""
    once_packed = packed("gzip")
    return {
        "gzip": once_packed,
        "X-GZip": once_packed,
        "deflate": packed("zlib"),
        "gzip, gzip": gzip.compress(once_packed),
        "deflate, gzip": gzip.compress(once_packed),
        "identity": b" " * (64 * 1024 * 1024),
    }


@pytest.mark.parametrize("status", [200, 401, 404, 500])
@pytest.mark.parametrize("packing", ["gzip", "X-GZip", "deflate", "gzip, gzip", "deflate, gzip", "identity"])
def test_a_body_takes_no_more_memory_than_its_limit(
    api: FaultyApi, bombs: dict[str, bytes], packing: str, status: int
) -> None:
    find(api)  # loads what is loaded once
    answer = Fault(writes=once(bombs[packing], status, headers=b"Content-Encoding: %s\r\n" % packing.encode()))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        error = failure(api, answer)
        most = tracemalloc.get_traced_memory()[1] - before - 70_000_000 * (packing == "identity")  # the server's copy
    finally:
        tracemalloc.stop()
    assert most < 6 * linode_http.MAX_BODY
    expected = {401: Trouble.TOKEN_REFUSED, 404: Trouble.NOT_FOUND, 500: Trouble.UNAVAILABLE}
    assert error.trouble is expected.get(status, Trouble.NOT_JSON if "," in packing else Trouble.TOO_LARGE)
    if error.trouble is Trouble.TOO_LARGE:
        assert error.sentence.endswith(" answered with more than 4 MiB of data.")


@pytest.mark.parametrize("status", [200, 204, 302, 401, 500])
@pytest.mark.parametrize("kind", [JSON, HTML])
def test_a_body_without_an_end_is_hung_up_on(api: FaultyApi, status: int, kind: bytes) -> None:
    for head, piece in (
        (b"", b" " * 65536),
        (b"Transfer-Encoding: chunked\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"),
        (b"Content-Length: 1000000000000\r\n", b" " * 65536),
    ):
        stream = Stream(HEAD % (status, kind, head), lambda piece=piece: repeat(piece))  # type: ignore[misc]  # no type
        error = failure(api, Fault(writes=stream))
        assert stream.was_hung_up.wait(30)
        assert stream.sent < 64 * 1024 * 1024  # what the sockets hold is among it
        if status == 200:
            assert error.trouble is (Trouble.NOT_JSON if kind == HTML else Trouble.TOO_LARGE)
            assert ("a web page" in error.sentence) is (kind == HTML)


def test_all_answers_of_a_search_have_a_limit(api: FaultyApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linode, "MAX_ANSWERS", 100)
    assert failure(api).trouble is Trouble.TOO_LARGE


def test_an_error_with_a_long_text_is_cut_before_it_is_cleaned(api: FaultyApi) -> None:
    for reason in ("\x9d" * 20_000, "x" * 60_000, "\x1b]" * 10_000):
        body = json.dumps({"errors": [{"reason": reason}] * 3}).encode()
        assert len(failure(api, Fault(400, body[: linode_http.MAX_ERROR_BODY])).sentence) < 400
        body = json.dumps({"errors": [{"reason": reason[: 60_000 // 6]}]}, ensure_ascii=False).encode()
        assert len(failure(api, Fault(400, body)).sentence) < 400
    many = json.dumps({"errors": [{"reason": f"no {n}"} for n in range(2000)]}).encode()
    assert "(it says: no 0; no 1; no 2; no 3; no 4)" in failure(api, Fault(400, many)).sentence


# Packing and text


def right(api: FaultyApi, path: str = "/v4/linode/instances") -> bytes:
    """The right body of the list of Linodes."""
    return json.dumps(api.answer(path, f"Bearer {api.account.token}")).encode()


@pytest.mark.parametrize(
    ("packing", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", lambda body: gzip.compress(body, 0)),
        ("deflate", zlib.compress),
        ("identity", bytes),
    ],
)
def test_a_body_may_be_packed_once(api: FaultyApi, packing: str, pack: Callable[[bytes], bytes]) -> None:
    api.faults = [Fault(body=pack(right(api)), headers={"Content-Encoding": packing})]
    assert len(find(api).cluster.nodes) == 6


@pytest.mark.parametrize(
    ("packing", "pack"),
    [
        ("br", bytes),
        ("zstd", bytes),
        ("compress", bytes),
        ("gzip, identity", gzip.compress),
        ("gzip,gzip", lambda body: gzip.compress(gzip.compress(body))),
        ("gzip", bytes),
        ("gzip", lambda body: gzip.compress(gzip.compress(body))),
        ("gzip", lambda body: gzip.compress(body)[:-1]),
        ("gzip", lambda body: gzip.compress(body) + b"\0"),
        ("gzip", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:])),
        ("gzip", lambda body: gzip.compress(body)[:-8] + bytes(8)),
        ("gzip", lambda body: gzip.compress(body)[:10] + b"\0\0\0\xff\xff" * 900_000),  # blocks without anything
        ("deflate", lambda body: zlib.compress(body)[2:-4]),
    ],
)
def test_a_body_that_is_packed_in_another_way(api: FaultyApi, packing: str, pack: Callable[[bytes], bytes]) -> None:
    body, headers = pack(right(api)), {"Content-Encoding": packing}
    assert failure(api, Fault(body=body, headers=headers)).trouble is Trouble.NOT_JSON
    assert failure(api, Fault(401, body, headers)).trouble is Trouble.TOKEN_REFUSED


@pytest.mark.parametrize(
    "charset",
    ["utf-8", "latin-1", "utf-16", "utf-7", "idna", "punycode", "unicode_escape", "zlib", "no-such", '"', "\xff"],
)
def test_json_is_utf_8_whatever_is_said(api: FaultyApi, charset: str) -> None:
    for body in (right(api), b"\xef\xbb\xbf" + right(api)):
        api.faults = [Fault(body=body, headers={"Content-Type": f"text/plain; charset={charset}"})]
        assert len(find(api).cluster.nodes) == 6


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": [], "pages": ' + b"9" * 5000 + b"}",
        b'{"data": ' * 100_000,
        b"[[" * 1_000_000,
        b'{"data": [\0], "pages": 1}',
        b"\0" * 100_000,
        '{"data": []}'.encode("utf-16"),
        b'{"data": [], "pages": ',
    ],
)
def test_json_that_is_none(api: FaultyApi, body: bytes) -> None:
    assert failure(api, Fault(body=body)).trouble is Trouble.NOT_JSON


@pytest.mark.parametrize("pages", [b"1e400", b"NaN", b"1.0", b"1" + b"0" * 4000, b"101", b"1000000000"])
def test_numbers_of_pages_that_make_no_sense(api: FaultyApi, pages: bytes) -> None:
    error = failure(api, Fault(body=b'{"data": [], "pages": ' + pages + b"}"))
    assert error.trouble is Trouble.MALFORMED
    assert len(error.sentence) < 200


@pytest.mark.parametrize(
    "head",
    [
        b"X: y\r\n" * 150,
        b"X: " + b"y" * 70_000 + b"\r\n",
        b"Content-Length: 10\r\nContent-Length: 20\r\n",
        b"Transfer-Encoding: chunked\r\nX: y\r\n",
        b"Content-Length: 1000000000000\r\n",
    ],
)
def test_a_head_that_makes_no_sense(api: FaultyApi, head: bytes) -> None:
    fault = Fault(writes=once(b"{}", headers=head))
    assert failure(api, fault, fault, fault).trouble in (Trouble.CONNECTION_FAILED, Trouble.MALFORMED)


def test_a_length_that_is_too_small(api: FaultyApi) -> None:
    fault = Fault(writes=once(right(api), headers=b"Content-Length: 100\r\n"))
    assert failure(api, fault).trouble is Trouble.NOT_JSON


@pytest.mark.parametrize("length", [b"-1", b"none", b""])
def test_a_length_that_is_none(api: FaultyApi, length: bytes) -> None:
    api.faults = [Fault(writes=once(right(api), headers=b"Content-Length: " + length + b"\r\n"))]
    assert len(find(api).cluster.nodes) == 6


# Time

NEVER_ENDING = {
    "a body": (HEAD % (200, JSON, b""), b" "),
    "an error's body": (HEAD % (500, JSON, b""), b" "),
    "chunks": (HEAD % (200, JSON, b"Transfer-Encoding: chunked\r\n"), b"1\r\n \r\n"),
    "a chunk's length": (HEAD % (200, JSON, b"Transfer-Encoding: chunked\r\n"), b"0"),
    "a trailer": (HEAD % (200, JSON, b"Transfer-Encoding: chunked\r\n") + b"0\r\n", b"X: y\r\n"),
    "the status": (b"HTTP/1.1 ", b" "),
    "a header": (b"HTTP/1.1 200 X\r\nX: ", b"y"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("what", NEVER_ENDING)
def test_a_request_without_an_end_is_given_up_and_ends(api: FaultyApi, what: str) -> None:
    head, piece = NEVER_ENDING[what]
    streams = [Stream(head, lambda: repeat(piece), pause=0.02) for _ in range(tries.TRIES)]
    error = failure(api, *(Fault(writes=s) for s in streams), patience=SHORT)
    assert error.trouble is Trouble.TIMED_OUT
    assert error.sentence.endswith(" did not answer within 1 s.")
    assert error.hint.startswith("Tried 3 times.")
    assert all(s.was_hung_up.wait(30) for s in streams)
    assert no_request_runs()


def test_after_a_request_that_was_given_up_the_next_one_has_a_line_of_its_own(api: FaultyApi) -> None:
    stream = Stream(HEAD % (200, JSON, b""), lambda: repeat(b" "), pause=0.02)
    api.faults = [Fault(writes=stream)]
    assert len(find(api, Patience(60.0, 60.0, whole=5.0, backoff=0.0)).cluster.nodes) == 6
    assert stream.was_hung_up.wait(30)


def test_a_silent_listener_is_given_up_and_hung_up_on(api: FaultyApi) -> None:
    for scheme in ("http", "https"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/v4"
            patience = Patience(connect=1.0, read=1.0, whole=1.0, backoff=0.0)
            with pytest.raises(LinodeError) as caught:
                LinodeSource(Token(Secret("t"), "LINODE_TOKEN"), url, patience=patience).find(
                    emit=discard, cancel=threading.Event()
                )
            assert caught.value.trouble is Trouble.TIMED_OUT
            assert no_request_runs()


def test_a_request_that_was_cancelled_ends_too(api: FaultyApi) -> None:
    cancel = threading.Event()

    def pieces() -> Iterator[bytes]:
        cancel.set()
        return repeat(b" ")

    stream = Stream(HEAD % (200, JSON, b""), pieces, pause=0.02)
    api.faults = [Fault(writes=stream)]
    with pytest.raises(Cancelled):
        LinodeSource(Token(Secret("t"), "LINODE_TOKEN"), api.url, patience=PATIENT).find(emit=discard, cancel=cancel)
    assert stream.was_hung_up.wait(30)
    assert no_request_runs()


def test_who_is_late_opens_no_connection(api: FaultyApi) -> None:
    class Connection:
        sock: socket.socket | None = None

    opened = tries.OpenSockets()
    here, there = socket.socketpair()
    with here, there:
        connection = Connection()

        def connect() -> None:
            with opened.connecting(connection):
                connection.sock = here
                opened.end()
                assert there.recv(1) == b""

        with pytest.raises(ConnectionAbortedError):
            connect()
        with pytest.raises(ConnectionAbortedError), opened.connecting(connection):
            pytest.fail("it was let through")
