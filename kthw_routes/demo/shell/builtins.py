"""The commands that are the shell itself: those that change it, or that only it can know."""

from collections.abc import Callable
from typing import Final

from kthw_routes.demo.linux.files import FileError
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.shell.interface import RunningShell


class ExitShell(Exception):
    """`exit`, or `set -e` that met a failure."""

    def __init__(self, status: int) -> None:
        super().__init__(f"exit {status}")
        self.status = status


class LoopControl(Exception):
    """`break` or `continue`."""

    def __init__(self, levels: int, *, again: bool) -> None:
        super().__init__(f"{'continue' if again else 'break'} {levels}")
        self.levels = levels
        self.again = again


Builtin = Callable[[RunningShell, Process], int]
"""Takes the shell and the command's own process (argv, redirected streams)."""


def _status(text: str) -> int:
    return int(text) & 0xFF if text.lstrip("-").isdigit() else 2


def _exit(shell: RunningShell, process: Process) -> int:
    raise ExitShell(_status(process.argv[1]) if len(process.argv) > 1 else shell.status)


def _cd(shell: RunningShell, process: Process) -> int:
    target = process.argv[1] if len(process.argv) > 1 else shell.value("HOME") or "/"
    if target == "-":
        target = shell.value("OLDPWD") or shell.process.cwd
        process.out(f"{target}\n")
    try:
        full = process.host.files.resolve(target, process)
        node = process.host.files.node(target, process)
    except FileError as error:
        return _cannot_cd(shell, target, error.reason)
    if node.type != "directory":
        return _cannot_cd(shell, target, "Not a directory")
    if not process.host.files.may(target, process, 1):
        return _cannot_cd(shell, target, "Permission denied")
    shell.assign("OLDPWD", shell.process.cwd)
    shell.process.cwd = full
    shell.process.env["PWD"] = full
    return 0


def _cannot_cd(shell: RunningShell, target: str, reason: str) -> int:
    if shell.kind == "sh":
        return shell.complain(f"cd: can't cd to {target}", 1, 2)
    shell.complain(f"cd: {target}: {reason}", 1, 1)
    return 1


def _set(shell: RunningShell, process: Process) -> int:
    arguments = process.arguments
    for i, argument in enumerate(arguments):
        if argument == "--":
            shell.parameters = arguments[i + 1 :]
            return 0
        if argument in ("-o", "+o"):
            continue
        if argument[:1] not in "-+" or not argument[1:]:
            if argument != "pipefail" and argument != "errexit":
                shell.parameters = arguments[i:]
            elif argument == "errexit":
                shell.errexit = True
            return 0
        if "e" in argument[1:]:
            shell.errexit = argument[0] == "-"
    if not arguments:
        for name, value in sorted((shell.process.env | shell.variables).items()):
            process.out(f"{name}='{value}'\n")
    return 0


def _export(shell: RunningShell, process: Process) -> int:
    names = [a for a in process.arguments if not a.startswith("-")]
    for argument in names:
        name, equals, value = argument.partition("=")
        held = shell.variables.pop(name, None)
        if equals:
            shell.process.env[name] = value
        elif held is not None:
            shell.process.env[name] = held
    if not names:
        for name, value in sorted(shell.process.env.items()):
            process.out(f"export {name}='{value}'\n")
    return 0


def _unset(shell: RunningShell, process: Process) -> int:
    for name in process.arguments:
        shell.variables.pop(name, None)
        shell.process.env.pop(name, None)
    return 0


def _read(shell: RunningShell, process: Process) -> int:
    line = process.readline()
    text = line.decode("utf-8", "surrogateescape").rstrip("\n")
    names = [a for a in process.arguments if not a.startswith("-")] or ["REPLY"]
    fields = text.split(None, len(names) - 1) if len(names) > 1 else [text.strip()]
    for i, name in enumerate(names):
        shell.assign(name, fields[i].strip() if i < len(fields) else "")
    return 0 if line.endswith(b"\n") else 1


def _shift(shell: RunningShell, process: Process) -> int:
    count = int(process.argv[1]) if len(process.argv) > 1 and process.argv[1].isdigit() else 1
    shell.parameters = shell.parameters[count:]
    return 0


def _break(_shell: RunningShell, process: Process) -> int:
    levels = int(process.argv[1]) if len(process.argv) > 1 and process.argv[1].isdigit() else 1
    raise LoopControl(levels, again=process.argv[0] == "continue")


def _eval(shell: RunningShell, process: Process) -> int:
    from kthw_routes.demo.shell.parser import parse

    return shell.run_script(parse(" ".join(process.arguments)))


def _command(shell: RunningShell, process: Process) -> int:
    arguments = process.arguments
    if arguments and arguments[0] in ("-v", "-V"):
        paths = [shell.path_of(name) for name in arguments[1:]]
        for path in paths:
            if path:
                process.out(f"{path}\n")
        return 0 if all(paths) and paths else 127 if shell.kind == "sh" else 1
    if not arguments:
        return 0
    process.argv = arguments
    builtin = BUILTINS.get(arguments[0])
    return builtin(shell, process) if builtin else shell.run_program(process, 1)


def _type(shell: RunningShell, process: Process) -> int:
    status = 0
    for name in process.arguments:
        path = shell.path_of(name)
        if path is None:
            process.err(f"{shell.arg0}: type: {name}: not found\n")
            status = 1
        else:
            process.out(f"{name} is {'a shell builtin' if path == name else path}\n")
    return status


def _umask(shell: RunningShell, process: Process) -> int:
    if process.arguments and process.arguments[0].isdigit():
        shell.process.umask = int(process.arguments[0], 8)
    else:
        process.out(f"{shell.process.umask:04o}\n")
    return 0


def _echo(shell: RunningShell, process: Process) -> int:
    """dash's echo always takes backslash sequences, bash's only with -e."""
    if shell.kind == "sh":
        words = process.arguments
        newline = words[:1] != ["-n"]
        process.argv = ["printf", "%b%b", " ".join(words if newline else words[1:]), "\\n" if newline else ""]
    return shell.run_program(process, 1)


def _nothing(_shell: RunningShell, _process: Process) -> int:
    return 0


BUILTINS: Final[dict[str, Builtin]] = {
    ":": _nothing,
    "break": _break,
    "cd": _cd,
    "command": _command,
    "continue": _break,
    "echo": _echo,
    "eval": _eval,
    "exit": _exit,
    "export": _export,
    "logout": _exit,
    "read": _read,
    "set": _set,
    "shift": _shift,
    "trap": _nothing,
    "type": _type,
    "umask": _umask,
    "unset": _unset,
    "wait": _nothing,
}
"""All but `exec`, which the shell runs itself."""
