"""The tool as a process that Python's fork server makes: it has the libraries loaded, which is most of a short command.

What a fresh interpreter takes from its surroundings is taken here once more: environment, folder, streams, terminal.
"""

import fcntl
import multiprocessing
import os
import sys
import tempfile
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from kthw_routes.__main__ import main
from tests.nodes import netns

_SERVER: Final = multiprocessing.get_context("forkserver")
_LOADED: Final = (
    __name__,
    "kthw_routes.cli.main",
    "kthw_routes.cli.apply",
    "kthw_routes.cli.undo",
    "kthw_routes.cli.export",
    "kthw_routes.sources.linode.source",
    "kthw_routes.ssh.fabric_session",
    "kthw_routes.wizard.app",
)


@dataclass(frozen=True, slots=True)
class Order:
    """One run of the tool."""

    arguments: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    stdin: str
    stdout: str
    stderr: str
    has_terminal: bool
    """Whether stdin is the terminal that it shall have for its own."""
    namespace: str | None
    """The network namespace in which it runs; None: the tests' own."""


def ensure_server() -> None:
    """Start the server, where the calling thread is: in its network namespace, and in a folder with the tests."""
    _SERVER.set_forkserver_preload(list(_LOADED))
    forkserver.ensure_running()


def begin(order: Order) -> BaseProcess:
    """Run the tool; `ensure_server` was called before."""
    process = _SERVER.Process(target=_run, args=(order,), daemon=True)
    process.start()
    return process


def _run(order: Order) -> None:
    os.setsid()
    streams = ((order.stdin, os.O_RDWR), (order.stdout, os.O_WRONLY), (order.stderr, os.O_WRONLY))
    for number, (path, flags) in enumerate(streams):
        descriptor = os.open(path, flags | os.O_NOCTTY)
        os.dup2(descriptor, number)
        os.close(descriptor)
    if order.has_terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.environ.clear()
    os.environ.update(order.env)
    os.chdir(order.cwd)
    time.tzset()
    tempfile.tempdir = None
    if order.namespace is not None:
        netns.enter(order.namespace)
    sys.argv = ["kthw-routes", *order.arguments]
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, buffering=1, errors="backslashreplace")
    for name in ("stdin", "stdout", "stderr"):
        setattr(sys, f"__{name}__", getattr(sys, name))
    main()
