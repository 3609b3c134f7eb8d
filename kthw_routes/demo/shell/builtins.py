"""The commands that are the shell itself: those that change it, or that only it can know."""

from collections.abc import Callable
from typing import Final

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.shell.interface import RunningShell
from kthw_routes.demo.shell.pipes import POLL


class ExitShell(Exception):
    """`exit`, or `set -e` that met a failure."""

    def __init__(self, status: int) -> None:
        super().__init__(f"exit {status}")
        self.status = status


Builtin = Callable[[RunningShell, Process], int]
"""Takes the shell and the command's own process (argv, redirected streams)."""


def _status(text: str) -> int:
    return int(text) & 0xFF if text.lstrip("-").isdigit() else 2


def _exit(shell: RunningShell, process: Process) -> int:
    raise ExitShell(_status(process.argv[1]) if len(process.argv) > 1 else shell.status)


def _cd(shell: RunningShell, process: Process) -> int:
    target = process.argv[1] if len(process.argv) > 1 else shell.value("HOME") or "/"
    try:
        full = process.host.files.resolve(target, process)
        node = process.host.files.node(target, process)
    except FileError as error:
        return _cannot_cd(shell, target, error.reason)
    if node.type != "directory":
        return _cannot_cd(shell, target, "Not a directory")
    if not process.host.files.may_enter(target, process):
        return _cannot_cd(shell, target, "Permission denied")
    shell.process.cwd = full
    shell.process.env["PWD"] = full
    return 0


def _cannot_cd(shell: RunningShell, target: str, reason: str) -> int:
    if shell.kind == "sh":
        return shell.complain(f"cd: can't cd to {target}", 1, 2)
    return shell.complain(f"cd: {target}: {reason}", 1, 1)


def _set(shell: RunningShell, process: Process) -> int:
    for option in process.arguments:
        if "e" in option[1:]:
            shell.errexit = option.startswith("-")
    return 0


def _wait(shell: RunningShell, process: Process) -> int:
    """Wait for everything that runs in the background."""
    while shell.jobs:
        job = shell.jobs.pop(0)
        while job.is_alive():
            process.check()
            job.join(POLL)
    return 0


def _export(shell: RunningShell, process: Process) -> int:
    for argument in process.arguments:
        name, equals, value = argument.partition("=")
        held = shell.variables.pop(name, None)
        if equals:
            shell.process.env[name] = value
        elif held is not None:
            shell.process.env[name] = held
    return 0


def _echo(shell: RunningShell, process: Process) -> int:
    """Print words; dash's echo always takes backslash sequences, bash's only with -e."""
    if shell.kind == "sh":
        words = process.arguments
        newline = words[:1] != ["-n"]
        process.argv = ["printf", "%b%b", " ".join(words if newline else words[1:]), "\\n" if newline else ""]
    return shell.run_program(process, 1)


BUILTINS: Final[dict[str, Builtin]] = {
    "cd": _cd,
    "echo": _echo,
    "exit": _exit,
    "export": _export,
    "logout": _exit,
    "set": _set,
    "wait": _wait,
}
"""All but `exec`, which the shell runs itself."""
