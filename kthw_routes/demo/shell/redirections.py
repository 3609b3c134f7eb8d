"""The shell's redirections: which stream of a command goes where."""

from dataclasses import replace

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Process, Write
from kthw_routes.demo.shell.expansion import expand_one
from kthw_routes.demo.shell.interface import RunningShell
from kthw_routes.demo.shell.pipes import reading
from kthw_routes.demo.shell.syntax import Redirection


class RedirectionError(Exception):
    """A file could not be opened; the message is already on stderr."""


def redirected(shell: RunningShell, redirections: list[Redirection]) -> Process:
    """Redirect the streams of the process, in order. Raises RedirectionError."""
    process = replace(shell.process)
    for redirection in redirections:
        target = expand_one(redirection.word, shell)
        match redirection.operator:
            case "<<":
                process.stdin = reading(target.encode("utf-8", "surrogateescape"))
            case "<":
                process.stdin = reading(_open_to_read(shell, target))
            case ">&" if target in ("1", "2"):
                _set_output(process, redirection.fd, process.stdout if target == "1" else process.stderr)
            case "&>" | ">&":
                process.stdout = process.stderr = _open_to_write(shell, target, append=False)
            case operator:
                _set_output(process, redirection.fd, _open_to_write(shell, target, append=operator == ">>"))
    return process


def _open_to_read(shell: RunningShell, path: str) -> bytes:
    try:
        return shell.process.host.files.read(path, shell.process)
    except FileError as error:
        raise _cannot(shell, "open", path, error) from None


def _open_to_write(shell: RunningShell, path: str, *, append: bool) -> Write:
    try:
        return shell.process.host.files.writer(path, shell.process, append=append)
    except FileError as error:
        raise _cannot(shell, "create", path, error) from None


def _cannot(shell: RunningShell, verb: str, path: str, error: FileError) -> RedirectionError:
    reason = error.reason
    if shell.kind == "sh":
        if reason == "No such file or directory":
            reason = "No such file" if verb == "open" else "Directory nonexistent"
        shell.complain(f"cannot {verb} {path}: {reason}", 1, 2)
    else:
        shell.complain(f"{path}: {reason}", 1, 1)
    return RedirectionError(path)


def _set_output(process: Process, fd: int, write: Write) -> None:
    if fd == 1:
        process.stdout = write
    elif fd == 2:
        process.stderr = write
