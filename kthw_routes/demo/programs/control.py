"""Programs that run others or let time pass: sh, env, timeout, sleep, true, false, help."""

import re
from typing import Final

from kthw_routes.demo.linux.files import FileError
from kthw_routes.demo.linux.process import Expired, Process
from kthw_routes.demo.programs import program, registry
from kthw_routes.demo.shell.shell import Shell

_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@program("sh", "bash", "dash")
def sh(process: Process) -> int:
    """A shell: `-c TEXT [NAME [ARGUMENTS]]`, a script file, or a script on stdin."""
    kind = "bash" if process.name.endswith("bash") else "sh"
    words = process.arguments
    letters = ""
    while words and words[0][:1] in ("-", "+") and len(words[0]) > 1:
        option, words = words[0], words[1:]
        if option == "--":
            break
        letters += option[1:] if not option.startswith("--") else ""
    shell = Shell(process, kind)
    shell.arg0 = process.name
    shell.errexit = "e" in letters
    if "c" in letters:
        if not words:
            return process.fail("0: -c requires an argument" if kind == "sh" else "-c: option requires an argument", 2)
        text = words[0]
        shell.arg0 = words[1] if len(words) > 1 else shell.arg0
        shell.parameters = words[2:]
    elif words and "s" not in letters:
        try:
            text = process.host.files.read(words[0], process).decode("utf-8", "surrogateescape")
        except FileError as error:
            return process.fail(f"0: cannot open {words[0]}: {error.reason}", 2)
        shell.arg0, shell.parameters = words[0], words[1:]
    else:
        text = process.read().decode("utf-8", "surrogateescape")
        shell.parameters = words
    return shell.run_text(text)


@program("env", "printenv")
def env(process: Process) -> int:
    """Run a command with other variables, or print them."""
    words = process.arguments
    environment = dict(process.env)
    if process.name.endswith("printenv") and words:
        value = environment.get(words[0])
        process.out(f"{value}\n" if value is not None else "")
        return int(value is None)
    while words and words[0].startswith("-"):
        option, words = words[0], words[1:]
        if option in ("-i", "-", "--ignore-environment"):
            environment = {}
        elif option == "-u" and words:
            environment.pop(words.pop(0), None)
        elif option == "--":
            break
    while words and "=" in words[0] and not words[0].startswith("="):
        name, _, value = words[0].partition("=")
        environment[name] = value
        words = words[1:]
    if not words:
        process.out("".join(f"{name}={value}\n" for name, value in environment.items()))
        return 0
    if not process.host.has_program(words[0]):
        return process.fail(
            f"‘{words[0]}’: No such file or directory"
            if _utf8(environment)
            else f"'{words[0]}': No such file or directory",
            127,
        )
    return process.run(words, env=environment)


def _utf8(environment: dict[str, str]) -> bool:
    locale = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or "C"
    return "utf-8" in locale.lower() and not locale.startswith("C.")


def seconds(text: str) -> float | None:
    """A duration such as `5`, `0.5` or `2m`; None if it is none."""
    match = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([smhd]?)", text)
    return float(match[1]) * _UNITS[match[2]] if match else None


@program("timeout")
def timeout(process: Process) -> int:
    """End a command when its time is over: status 124."""
    words = process.arguments
    preserve = False
    while words and words[0].startswith("-"):
        option, words = words[0], words[1:]
        if option in ("-k", "-s") and words:
            words = words[1:]
        preserve |= option == "--preserve-status"
    if not words:
        process.err("timeout: missing operand\nTry 'timeout --help' for more information.\n")
        return 125
    limit = seconds(words[0])
    if limit is None:
        process.err(f"timeout: invalid time interval '{words[0]}'\nTry 'timeout --help' for more information.\n")
        return 125
    if len(words) < 2:
        process.err("timeout: missing operand\nTry 'timeout --help' for more information.\n")
        return 125
    if not process.host.has_program(words[1]):
        return process.fail(f"failed to run command '{words[1]}': No such file or directory", 127)
    if not limit:
        return process.run(words[1:])
    deadline = process.host.clock.now() + limit
    if process.deadline is not None and process.deadline <= deadline:
        return process.run(words[1:])
    try:
        return process.run(words[1:], deadline=deadline)
    except Expired as expired:
        if expired.deadline != deadline:
            raise
        return 143 if preserve else 124


@program("sleep")
def sleep(process: Process) -> int:
    """Let time pass."""
    durations = [seconds(word) for word in process.arguments]
    if not durations:
        process.err("sleep: missing operand\nTry 'sleep --help' for more information.\n")
        return 1
    for word, duration in zip(process.arguments, durations, strict=True):
        if duration is None:
            process.err(f"sleep: invalid time interval '{word}'\nTry 'sleep --help' for more information.\n")
            return 1
    process.sleep(sum(duration or 0.0 for duration in durations))
    return 0


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
    """What this host can do."""
    names = sorted(name for name in registry() if name not in process.host.missing)
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > 74:
            lines.append("")
        lines[-1] += f"{name} "
    process.out(
        f"This is {process.host.name}, a node of the embedded lab. It is a model of a Linux host and knows:\n"
        + "".join(f"  {line.rstrip()}\n" for line in lines)
        + "Try: ip route, ip -br address, ping -c 3 ADDRESS, cat /etc/hosts, sysctl net.ipv4.ip_forward\n"
    )
    return 0
