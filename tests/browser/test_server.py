"""The practice lab in a browser: who comes in, what a visitor's process may do, what the pages ask for."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner
from textual_serve.download_manager import DownloadManager

from kthw_routes.cli.main import main
from kthw_routes.errors import UsageError
from kthw_routes.serve import serve_lab
from kthw_routes.serve.confine import MAX_MEMORY
from kthw_routes.serve.server import LabServer
from kthw_routes.serve.visitor import Visitor, bounded_size, clean_environment
from kthw_routes.serve.word import MAX_TRIES, WINDOW, Door, new_word

OTHERS = "192.0.2.1"
"""An address that is not loopback; nothing is bound to it here."""


class TestWord:
    """Guards against a door that is open, and against one that a mistyped word shuts for a class."""

    def test_it_is_compared_as_people_type_it(self) -> None:
        door = Door("bakuti-remosa")
        passes = {door.enter("a", typed) for typed in ("bakuti-remosa", " Bakuti Remosa ", "BAKUTIREMOSA")}
        assert len(passes) == 1
        assert door.is_open_to(passes.pop())
        assert door.enter("a", "bakuti-remos") is None
        assert not any(door.is_open_to(cookie) for cookie in (None, "", "bakuti-remosa", "ü"))
        assert re.fullmatch(r"[a-z]{6}-[a-z]{6}", new_word())
        assert new_word() != new_word()

    def test_an_address_has_so_many_tries_in_a_minute(self) -> None:
        now = 0.0
        door = Door("bakuti-remosa", clock=lambda: now)
        for _ in range(MAX_TRIES):
            assert not door.must_wait("a")
            assert door.enter("a", "wrong") is None
        assert door.must_wait("a")
        assert door.enter("a", "bakuti-remosa") is None, "a guess too many would tell"
        assert door.enter("b", "bakuti-remosa") is not None, "others do not wait"
        now += WINDOW
        assert door.enter("a", "bakuti-remosa") is not None


@asynccontextmanager
async def served(server: LabServer) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve it on loopback, whatever its address; a client with cookies."""
    runner = web.AppRunner(await server._make_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    jar = aiohttp.CookieJar(unsafe=True)  # 127.0.0.1 is no name
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", cookie_jar=jar) as session:
            yield session
    finally:
        await runner.cleanup()


async def test_without_the_word_there_is_nothing_but_the_question() -> None:
    server = LabServer(OTHERS, 8000, 30, {"demo": ("--version",)})
    (reach, word, _) = server.greeting(8000)
    assert "Everybody" in reach
    assert f"http://{OTHERS}:8000" in reach
    async with served(server) as session:
        for path in ("/", "/demo", "/ws/demo", "/static/js/textual.js", "/download/x", "/nothing"):
            async with session.get(path) as answer:
                assert answer.status == 401, path
                assert "The word of this lesson" in await answer.text()
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect("/ws/demo")
        async with session.post("/word", data={"word": "wrong"}) as answer:
            assert "That is not the word" in await answer.text()
        async with session.post("/word", data={"word": word.partition(": ")[2]}) as answer:
            assert answer.url.path == "/"
            assert "Start the lab" in await answer.text()
        async with session.get("/static/js/textual.js") as answer:
            assert answer.status == 200
        async with session.get("/demo", headers={"Origin": "http://elsewhere.example"}) as answer:
            assert answer.status == 403, "a page of somebody else's drives no lab"


async def test_on_loopback_a_name_of_others_for_it_is_refused() -> None:
    """A page of theirs whose name leads to 127.0.0.1 by now (DNS rebinding) has the same origin."""
    async with served(LabServer("127.0.0.1", 8000, 30, {"demo": ("--version",)})) as session:
        for host in ("elsewhere.example:8000", "elsewhere.example", "192.0.2.1:8000", "[::1]:8000"):
            for path in ("/", "/ws/demo", "/page/terminal.js"):
                async with session.get(path, headers={"Host": host, "Origin": f"http://{host}"}) as answer:
                    assert answer.status == 403, (host, path)
        for host in ("127.0.0.1:8000", "localhost:9", "LOCALHOST"):
            async with session.get("/", headers={"Host": host}) as answer:
                assert answer.status == 200, host


async def test_a_guess_too_many_is_answered_with_a_sentence() -> None:
    async with served(LabServer(OTHERS, 8000, 30, {"demo": ("--version",)})) as session:
        for _ in range(MAX_TRIES + 1):
            async with session.post("/word", data={"word": "wrong"}) as answer:
                text = await answer.text()
        assert answer.status == 429
        assert "Try again in a minute." in text


async def test_what_a_browser_sends_ends_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it reach the process as anything but keys, and a size within bounds."""
    taken: list[Any] = []

    class Fake(Visitor):
        async def start(self, width: int, height: int) -> None:
            taken.append((width, height))

        async def send_bytes(self, data: bytes) -> bool:
            taken.append(data)
            return True

        async def send_meta(self, data: dict[str, str | int | bool | None]) -> bool:
            taken.append(data)
            return True

    monkeypatch.setattr("kthw_routes.serve.server.Visitor", Fake)
    server = LabServer("127.0.0.1", 8000, 1, {"demo": ()})
    async with served(server) as session, session.ws_connect("/ws/demo?width=1000000&height=x") as websocket:
        answer = await session.get("/demo")
        assert answer.status == 503
        assert "There is room for 1 visitor at once" in await answer.text()
        for text in ("", "{", "[]", "{}", '["stdin"]', '["stdin", 1]', '["resize", {"width": 5}]', '["quit"]', "7"):
            await websocket.send_str(text)
        await websocket.send_bytes(b"x")
        await websocket.send_json(["resize", {"width": 10**9, "height": [1]}])
        await websocket.send_json(["stdin", "a\ud800"])
        await websocket.send_json(["ping", "1"])
        assert await websocket.receive_json() == ["pong", "1"]
    assert taken == [(400, 24), {"type": "resize", "width": 400, "height": 24}, b"a?"]
    assert not server._visitors


async def test_a_process_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder is removed, too."""
    deaf = tmp_path / "deaf"
    deaf.write_text("#!/bin/sh\nexec sleep 600\n")
    deaf.chmod(0o755)
    monkeypatch.setattr("kthw_routes.serve.visitor.sys.executable", str(deaf))
    monkeypatch.setattr("kthw_routes.serve.visitor.MAX_ENDING", 0.1)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    visitor = Visitor((), AsyncMock(), DownloadManager())
    await visitor.start(80, 24)
    process = visitor._process
    assert process is not None
    await visitor.stop()
    assert process.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == [deaf]


def test_a_size_is_within_bounds() -> None:
    assert bounded_size("120", "36") == (120, 36)
    assert bounded_size(None, "many") == (80, 24)
    assert bounded_size(-1, 10**12) == (20, 150)


def test_the_environment_has_nothing_of_the_teacher(tmp_path: Path) -> None:
    teacher = {
        "PATH": "/usr/bin", "LANG": "C.UTF-8", "HOME": "/home/teacher", "LINODE_TOKEN": "secret",
        "SSH_AUTH_SOCK": "/run/agent", "XDG_STATE_HOME": "/home/teacher/state", "KTHW_ROUTES_SSH_CONFIG": "/home/x",
    }  # fmt: skip
    environment = clean_environment(tmp_path, teacher)
    python = environment.pop("PYTHONPATH")
    assert all(Path(path).is_absolute() for path in python.split(":"))
    assert environment == {
        "PATH": "/usr/bin",
        "LANG": "C.UTF-8",
        **dict.fromkeys(("HOME", "TMPDIR", "KTHW_ROUTES_VISITOR"), str(tmp_path)),
    }


_TRIES = """
import json, os, pathlib, resource, socket, subprocess, sys
folder, elsewhere = map(pathlib.Path, sys.argv[1:])
server = socket.create_server(("127.0.0.1", 0))
from kthw_routes.serve.confine import confine
confine(folder)
def of(do):
    try:
        do()
    except OSError as error:
        return error.strerror
tries = {
    "inside": lambda: (folder / "state").mkdir() or (folder / "state" / "x").write_text("x"),
    "loopback": lambda: socket.create_connection(server.getsockname()),
    "library": lambda: open(json.__file__).close(),
    "read": lambda: (elsewhere / "token").read_text(),
    "list": lambda: os.listdir(elsewhere),
    "dots": lambda: (folder / ".." / "token").read_text(),
    "write": lambda: (elsewhere / "new").write_text("x"),
    "remove": lambda: (elsewhere / "token").unlink(),
    "rename": lambda: os.rename(folder / "state" / "x", elsewhere / "x"),
    "link": lambda: os.symlink(elsewhere / "token", folder / "link"),
    "run": lambda: subprocess.run(["true"]),
    "fork": os.fork,
    "address": lambda: socket.create_connection(("192.0.2.1", 22), timeout=1),
    "datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", ("192.0.2.1", 53)),
    "message": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b""], (), 0, ("192.0.2.1", 53)),
    "socket": lambda: socket.socket(socket.AF_UNIX).connect(str(elsewhere / "agent")),
    "name": lambda: socket.getaddrinfo("node.example", 22),
}
print(json.dumps({name: of(do) for name, do in tries.items()} | {"data": resource.getrlimit(resource.RLIMIT_DATA)}))
"""


def test_a_process_confines_itself_to_the_lab(tmp_path: Path) -> None:
    """Whatever a screen may offer: nothing else is read, written, started or reached."""
    folder, elsewhere = tmp_path / "visitor", tmp_path / "teacher"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "token").write_text("secret")
    (tmp_path / "token").write_text("secret")
    done = subprocess.run(
        [sys.executable, "-c", _TRIES, folder, elsewhere], cwd=folder, capture_output=True, text=True, check=True
    )
    words = json.loads(done.stdout)
    assert words.pop("data") == [MAX_MEMORY, MAX_MEMORY]
    no_file, no_host = "not a file of the practice lab", "only the practice lab can be reached from here"
    no_program = "no program is started from the practice lab"
    assert words == {
        **dict.fromkeys(("inside", "loopback", "library")),
        **dict.fromkeys(("read", "list", "dots", "write", "remove", "rename", "link", "socket"), no_file),
        **dict.fromkeys(("run", "fork"), no_program),
        **dict.fromkeys(("address", "datagram", "message", "name"), no_host),
    }
    assert (elsewhere / "token").read_text() == "secret"


def test_the_pages_ask_nothing_of_the_internet() -> None:
    """The browser would be told by a header, too; the walk in a real one looks at what is asked for."""
    folder = Path(serve_lab.__globals__["__file__"]).parent
    pages = [path for kind in ("templates", "static") for path in (folder / kind).iterdir()]
    assert len(pages) == 7
    for page in pages:
        assert not re.findall(r"(?:https?:)?//[a-z]", page.read_text()), page.name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bind", OTHERS], "are for --serve"),
        (["--visitors", "3"], "are for --serve"),
        (["--serve", "--keep"], "neither with --keep nor with --plain"),
        (["--serve", "0", "--bind", "here"], '"here" is not an IPv4 address'),
        (["--serve", "0", "--bind", OTHERS], f"Nothing can be served on {OTHERS}, port 0: "),
        (["--serve", "70000"], "0<=x<=65535"),
    ],
)
def test_what_cannot_be_served_is_said(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(main, ["demo", *arguments])
    assert words in done.output
    assert done.exit_code == 2


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "kthw_routes.serve.server")
    monkeypatch.setitem(sys.modules, "textual_serve", None)
    monkeypatch.delitem(sys.modules, "textual_serve.server", raising=False)
    with pytest.raises(UsageError) as refused:
        serve_lab("127.0.0.1", 0, 1, {}, print)
    assert "needs the extra `web`" in refused.value.sentence
    assert "pip install 'kthw-routes[web]'" in refused.value.hint
