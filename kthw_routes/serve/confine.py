"""What a visitor's process may do, whatever its screens offer: use the practice lab, and nothing else of the machine.

The process confines itself before the lab starts; an audit hook of Python cannot be removed again.
"""

import os
import resource
import socket
import sys
from contextlib import suppress
from errno import EACCES
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

FOLDER_VARIABLE: Final = "KTHW_ROUTES_VISITOR"
"""The environment variable by which the server names a visitor's folder."""

MAX_MEMORY: Final = 1 << 30
"""Bytes of a visitor's process."""
MAX_FILE: Final = 16 << 20
"""Bytes of a file that it writes."""
MAX_CPU: Final = 3600
"""Seconds of CPU that it may use, for which a whole lesson is not enough."""
NICENESS: Final = 10
"""How much sooner others come: the server, and the teacher."""

_SYSTEM: Final = ("/usr", "/lib", "/lib64", "/etc", "/opt", "/nix", "/System", "/Library", "/private/etc", "/dev")
"""Folders of the system that Python and its libraries read, besides those on its own path."""
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES: Final = {
    "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate",
    "os.utime",
}  # fmt: skip
_LISTS: Final = {"os.listdir", "os.scandir"}
_STARTS: Final = {
    "os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.posix_spawn", "os.spawn", "os.startfile",
    "os.system", "pty.spawn", "subprocess.Popen", "webbrowser.open",
}  # fmt: skip


def is_for_visitor() -> bool:
    """Return whether this process runs for a visitor, whose browser is its terminal."""
    return FOLDER_VARIABLE in os.environ


def confine_visitor() -> None:
    """Confine this process where it runs for a visitor."""
    if is_for_visitor():
        confine(Path(os.environ[FOLDER_VARIABLE]))


def confine(folder: Path) -> None:
    """Limit this process to its folder, the loopback network, and MAX_… of everything. Cannot be undone."""
    limits = ((resource.RLIMIT_DATA, MAX_MEMORY), (resource.RLIMIT_FSIZE, MAX_FILE), (resource.RLIMIT_CPU, MAX_CPU))
    for kind, highest in (*limits, (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):  # not every system has each, or lets it be lowered
            resource.setrlimit(kind, (highest, highest))
    with suppress(OSError):
        os.nice(NICENESS)
    sys.addaudithook(_Guard(folder).check)


class _Guard:
    """Refuses with PermissionError what leads out of the lab."""

    def __init__(self, folder: Path) -> None:
        own = [os.path.abspath(folder)]
        python = [sys.prefix, sys.base_prefix, sys.exec_prefix, *(path for path in sys.path if os.path.isabs(path))]
        self._own = _prefixes(own)
        self._readable = _prefixes([*own, *python, *_SYSTEM])

    def check(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge an audit event of Python."""
        if event == "open":
            path, _, flags = arguments
            self._check_path(path, self._own if isinstance(flags, int) and flags & _WRITES else self._readable)
        elif event in _CHANGES:
            for path in arguments[: 2 if event in ("os.rename", "os.link", "os.symlink") else 1]:
                self._check_path(path, self._own)
        elif event in _LISTS:
            self._check_path(arguments[0] or ".", self._readable)
        elif event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"):
            self._check_address(arguments[1])
        elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
            _check_host(arguments[0])
        elif event in _STARTS:
            raise PermissionError(EACCES, "no program is started from the practice lab")

    @staticmethod
    def _check_path(path: object, allowed: tuple[str, ...]) -> None:
        if isinstance(path, int):  # what is open already
            return
        name = os.path.abspath(os.fsdecode(path))  # type: ignore[arg-type] # a text, bytes or path, as Python takes it
        if name != os.devnull and not f"{name}/".startswith(allowed):
            raise PermissionError(EACCES, "not a file of the practice lab", name)

    def _check_address(self, address: object) -> None:
        if isinstance(address, tuple):
            _check_host(address[0])
        elif isinstance(address, str | bytes):  # a Unix socket, of an agent or a container's daemon perhaps
            self._check_path(address, self._own)


def _prefixes(folders: list[str]) -> tuple[str, ...]:
    """Return how the paths in these folders begin, symbolic links followed and not."""
    names = {name for folder in folders for name in (os.path.abspath(folder), os.path.realpath(folder))}
    return tuple(f"{name.rstrip('/')}/" for name in sorted(names) if name.rstrip("/"))


def _check_host(host: object) -> None:
    if host in (None, "", b"", "localhost", b"localhost"):
        return
    try:
        name = host.decode() if isinstance(host, bytes) else str(host)
        is_loopback = ip_address(name).is_loopback
    except ValueError:  # a name
        is_loopback = False
    if not is_loopback:
        raise socket.gaierror(socket.EAI_NONAME, "only the practice lab can be reached from here")
