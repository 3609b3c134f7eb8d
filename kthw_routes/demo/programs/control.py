"""Programs that run others, decide, or let time pass: sh, env, timeout, sleep, test, true, false, help."""

import re
from typing import Final

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Expired, Process
from kthw_routes.demo.programs import program, registry
from kthw_routes.demo.programs.words import found, quoted, try_help
from kthw_routes.demo.shell.shell import Shell

_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@program("sh", "bash", "dash")
def sh(process: Process) -> int:
    """Run a shell: `-c TEXT [NAME]`, a script file, or a script on stdin; knows -e."""
    kind = "bash" if process.name.endswith("bash") else "sh"
    words = process.arguments
    letters = ""
    while words and words[0].startswith("-"):
        letters, words = letters + words[0][1:], words[1:]
    shell = Shell(process, kind)
    shell.arg0 = process.name
    shell.errexit = "e" in letters
    if "c" in letters:
        if not words:
            return process.fail("0: -c requires an argument" if kind == "sh" else "-c: option requires an argument", 2)
        text = words[0]
        shell.arg0 = words[1] if len(words) > 1 else shell.arg0
    elif words:
        try:
            text = process.host.files.read(words[0], process).decode("utf-8", "surrogateescape")
        except FileError as error:
            return process.fail(f"0: cannot open {words[0]}: {error.reason}", 2)
        shell.arg0 = words[0]
    else:
        text = process.read().decode("utf-8", "surrogateescape")
    return shell.run_text(text)


@program("env")
def env(process: Process) -> int:
    """Run a command with other variables, or print them."""
    words = process.arguments
    environment = dict(process.env)
    while words and "=" in words[0]:
        name, _, environment[name] = words[0].partition("=")
        words = words[1:]
    if not words:
        process.out("".join(f"{name}={value}\n" for name, value in environment.items()))
        return 0
    if not process.host.has_program(words[0]):
        process.env = environment
        return process.fail(f"{quoted(process, words[0])}: No such file or directory", 127)
    return process.run(words, env=environment)


def seconds(text: str) -> float | None:
    """Parse a duration such as `5`, `0.5` or `2m`; None if it is none."""
    match = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([smhd]?)", text)
    return float(match[1]) * _UNITS[match[2]] if match else None


@program("timeout")
def timeout(process: Process) -> int:
    """End a command when its time is over, with status 124: `timeout [-k SECONDS] SECONDS COMMAND`."""
    words = process.arguments
    if words[:1] == ["-k"]:
        words = words[2:]
    if len(words) < 2:
        return try_help(process, "missing operand", 125)
    limit = seconds(words[0])
    if limit is None:
        return try_help(process, f"invalid time interval '{words[0]}'", 125)
    if not process.host.has_program(words[1]):
        return process.fail(f"failed to run command {quoted(process, words[1])}: No such file or directory", 127)
    deadline = process.host.clock.now() + limit
    if process.deadline is not None and process.deadline <= deadline:
        return process.run(words[1:])
    try:
        return process.run(words[1:], deadline=deadline)
    except Expired as expired:
        if expired.deadline != deadline:
            raise
        return 124


@program("sleep")
def sleep(process: Process) -> int:
    """Let time pass."""
    if not process.arguments:
        return try_help(process, "missing operand")
    duration = seconds(process.arguments[0])
    if duration is None:
        return try_help(process, f"invalid time interval '{process.arguments[0]}'")
    process.sleep(duration)
    return 0


@program("test", "[")
def test(process: Process) -> int:
    """Judge conditions on files and strings."""
    words = process.arguments
    if process.name == "[":
        if not words or words[-1] != "]":
            return process.fail("missing ]", 2)
        words = words[:-1]
    return int(not _condition(process, words))


def _condition(process: Process, words: list[str]) -> bool:
    match words:
        case []:
            return False
        case [word]:
            return bool(word)
        case ["!", *rest]:
            return not _condition(process, rest)
        case ["-n", text]:
            return bool(text)
        case ["-z", text]:
            return not text
        case [flag, name] if re.fullmatch("-[a-zA-Z]", flag):
            return _file_condition(process, flag[1], name)
        case [one, "=" | "==", other]:
            return one == other
        case [one, "!=", other]:
            return one != other
        case _:
            return False


def _file_condition(process: Process, flag: str, name: str) -> bool:
    node = found(process, name, follow=flag not in "hL")
    kinds = {"e": None, "f": "file", "d": "directory", "h": "link", "L": "link"}
    return node is not None and flag in kinds and kinds[flag] in (None, node.type)


@program("true")
def true(_process: Process) -> int:
    """Succeed."""
    return 0


@program("false")
def false(_process: Process) -> int:
    """Fail."""
    return 1


@program("help")
def show_help(process: Process) -> int:
    """Print what this host can do."""
    names = sorted(name for name in registry() if name not in process.host.missing)
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > 74:
            lines.append("")
        lines[-1] += f"{name} "
    pods = "In a pod: ip netns exec $(ip netns list | head -1) ping ADDRESS\n" if process.host.namespaces else ""
    process.out(
        f"This is {process.host.name}, a node of the embedded lab. It is a model of a Linux host and knows:\n"
        + "".join(f"  {line.rstrip()}\n" for line in lines)
        + pods
        + "Try: ip route, ip -br address, ping -c 3 ADDRESS, cat /etc/hosts, sysctl net.ipv4.ip_forward\n"
    )
    return 0
