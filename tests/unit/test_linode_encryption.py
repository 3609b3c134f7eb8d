"""The token travels unencrypted to this machine only, unless the person allows more; else nothing is sent at all."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kthw_routes.demo.api.account import lab_account
from kthw_routes.errors import ExitCode, UsageError
from kthw_routes.events import discard
from kthw_routes.secret import Secret
from kthw_routes.sources.linode import http as linode_http
from kthw_routes.sources.linode import source as linode
from kthw_routes.sources.linode.errors import LinodeError, Trouble
from kthw_routes.sources.linode.source import LinodeSource, Patience
from kthw_routes.sources.linode.token import ALLOW_HTTP, Token
from tests.model.api import Fault, FaultyApi

OTHER_MACHINES = (
    "http://192.0.2.1:8080/v4",
    "http://api.linode.com/v4",
    "http://127.1/v4",
    "http://[::ffff:127.0.0.1]/v4",
)


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with FaultyApi(lab_account()) as api:
        yield api


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Where connections were to be opened to, or which names were looked up; none is let through."""
    asked: list[object] = []

    def refuse(where: object, *_: object, **__: object) -> None:
        asked.append(where)
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return asked


def source(url: str, **options: Any) -> LinodeSource:
    return LinodeSource(
        Token(Secret(lab_account().token), "LINODE_TOKEN"), url, patience=Patience(backoff=0), **options
    )


def find(url: str, **options: Any) -> Any:
    return source(url, **options).find(emit=discard, cancel=threading.Event())


@pytest.mark.parametrize("url", OTHER_MACHINES)
def test_to_another_machine_nothing_is_opened(url: str, connected: list[object]) -> None:
    with pytest.raises(UsageError) as caught:
        find(url)
    assert caught.value.exit_code is ExitCode.USAGE
    assert f"{ALLOW_HTTP}=1" in caught.value.hint
    assert connected == []
    with pytest.raises(LinodeError):
        find(url, allow_http=True)
    assert connected != []


def test_a_proxy_is_no_way_around(connected: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(UsageError):
        find(OTHER_MACHINES[0])
    with pytest.raises(LinodeError):
        find("http://127.0.0.1:2/v4")
    assert set(connected) == {("127.0.0.1", 2)}


def test_localhost_that_is_another_machine_gets_nothing(api: FaultyApi, monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            connection, _ = server.accept()
            with connection:
                received.append(connection.recv(1000))

        listener = threading.Thread(target=listen)
        listener.start()
        monkeypatch.setattr(linode_http, "is_loopback", lambda peer: peer != "127.0.0.1")  # as of /etc/hosts elsewhere
        with pytest.raises(UsageError, match="anybody on the way to localhost could read the token"):
            find(f"http://localhost:{server.getsockname()[1]}/v4")
        listener.join(30)
    assert received == [b""]


def test_what_was_allowed_is_pointed_out(api: FaultyApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(linode, "is_loopback", lambda _: False)
    assert [f.code for f in find(api.url, allow_http=True).findings] == ["token-unencrypted"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["{other}/regions", "//{host}/v4/regions", "/v4/regions"])
def test_no_redirection_is_followed(api: FaultyApi, status: int, target: str) -> None:
    with FaultyApi(lab_account()) as other:
        location = target.format(other=other.url, host=other.url.split("/")[2])
        api.faults = [Fault(status, b"{}", {"Location": location})]
        with pytest.raises(LinodeError) as caught:
            find(api.url)
        assert caught.value.trouble is Trouble.REDIRECTED
        assert (len(api.requests), other.requests) == (1, [])


ELSEWHERE = """
import socket, subprocess, sys, threading
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "addr", "add", "192.0.2.1/32", "dev", "lo"], check=True)
received = []
def listen(server):
    while True:
        connection, _ = server.accept()
        connection.settimeout(30)
        received.append(connection.recv(10000))
        connection.sendall(b"HTTP/1.1 401 X\\r\\nContent-Length: 0\\r\\n\\r\\n")
        connection.close()
server = socket.create_server(("192.0.2.1", 8080))
threading.Thread(target=listen, args=(server,), daemon=True).start()
import os
def run(**environ):
    done = subprocess.run([sys.executable, "-m", "kthw_routes", "plan"], env={**os.environ, **environ}, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr
for more in ({}, {"http_proxy": "http://192.0.2.1:8080"}):
    code, told = run(LINODE_URL="http://192.0.2.1:8080", **more)
    assert (code, received) == (2, []), (code, told, received)
    assert "LINODE_ALLOW_HTTP=1" in told, told
code, told = run(LINODE_URL="http://localhost:9", http_proxy="http://192.0.2.1:8080")
assert (code, received) == (1, []), (code, told, received)
code, told = run(LINODE_URL="http://192.0.2.1:8080", LINODE_ALLOW_HTTP="1")
assert code == 1 and b"Bearer t0ken" in received[0], (code, told, received)  # so it would have been seen above
"""


@pytest.mark.skipif(
    not shutil.which("unshare")
    or subprocess.run(["unshare", "-rn", "ip", "link"], capture_output=True, check=False).returncode != 0,
    reason="no network namespace can be made here",
)
def test_a_listener_on_another_address_never_receives_the_token(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LINODE_TOKEN": "t0ken"}
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-c", ELSEWHERE],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
