"""A visitor's process: started in an empty folder with a clean environment, ended with the tab, bounded in between."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from kthw_routes.serve.confine import FOLDER_VARIABLE

MAX_ENDING: Final = 5.0
"""Seconds that a process gets to end by itself."""
_MIN_SIZE: Final = (20, 5)
_MAX_SIZE: Final = (400, 150)
"""Columns and lines of a terminal; a browser could state any."""
_KEPT: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""Variables of the server that a visitor's process has too."""


def bounded_size(width: object, height: object) -> tuple[int, int]:
    """Return a terminal's size as a browser states it, within bounds; 80x24 where it states none."""
    size = []
    for value, lowest, highest, usual in zip((width, height), _MIN_SIZE, _MAX_SIZE, (80, 24), strict=True):
        try:
            number = int(value) if isinstance(value, int | str) else usual
        except ValueError:
            number = usual
        size.append(min(max(number, lowest), highest))
    return size[0], size[1]


class Visitor(AppService):
    """One visitor: a process, its folder, and the websocket to the browser."""

    def __init__(self, arguments: Sequence[str], websocket: web.WebSocketResponse, downloads: DownloadManager) -> None:
        """`arguments`: of kthw-routes."""

        async def close() -> None:
            await websocket.close()

        super().__init__(
            "kthw-routes",
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=close,
            download_manager=downloads,
        )
        self._arguments = tuple(arguments)
        self._folder = Path(tempfile.mkdtemp(prefix="kthw-routes-visitor-"))

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        """Return the environment: nothing of the teacher's but the path of programs and the language."""
        textual = {
            "TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver",
            "TEXTUAL_COLOR_SYSTEM": "truecolor",
            "TERM_PROGRAM": "textual",
            "COLUMNS": str(width),
            "ROWS": str(height),
        }
        return {**clean_environment(self._folder, os.environ), **textual}

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        """Start the process; Ctrl-C on the server's terminal does not reach it."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "kthw_routes",
            *self._arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self._build_environment(width, height),
            cwd=self._folder,
            start_new_session=True,
        )
        self._stdin = process.stdin
        return process

    async def set_terminal_size(self, width: int, height: int) -> None:
        """Report the size of the terminal, within bounds."""
        await super().set_terminal_size(*bounded_size(width, height))

    async def run(self) -> None:
        """Pass on what the process shows; close the websocket once it has ended, however it did."""
        try:
            await super().run()
        finally:
            await self.remote_close()

    async def stop(self) -> None:
        """End the process: its input ends, which it takes for the end of the tab. Remove its folder."""
        try:
            await self._end_process()
        finally:
            # In a thread: the folder is small, but the disk may be slow.
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _end_process(self) -> None:
        process, task = self._process, self._task
        self._task = None
        if task is not None:
            await self._download_manager.cancel_app_downloads(app_service_id=self.app_service_id)
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), MAX_ENDING)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if task is not None:
            with suppress(TimeoutError):  # a browser that reads nothing
                await asyncio.wait_for(task, MAX_ENDING)


def clean_environment(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment whose home, state and temporary files are in `folder`, without tokens, keys and agents."""
    kept = {name: environ[name] for name in _KEPT if name in environ}
    paths = [path for path in sys.path if os.path.isabs(path)]  # packages may lie in the teacher's home
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(paths),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        FOLDER_VARIABLE: str(folder),
    }
