"""`systemd-run`: a command that systemd runs, now or at a later moment."""

import shlex
from dataclasses import dataclass, field
from typing import Final

from kthw_routes.demo.linux.ini_files import span
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.linux.units import UnitError
from kthw_routes.demo.programs import program

_MOMENTS: Final = {
    "--on-active": "OnActiveSec",
    "--on-boot": "OnBootSec",
    "--on-startup": "OnStartupSec",
    "--on-unit-active": "OnUnitActiveSec",
    "--on-unit-inactive": "OnUnitInactiveSec",
}
_WITH_VALUE: Final = frozenset({*_MOMENTS, "--unit", "-u", "--property", "-p", "--timer-property", "--description"})


class _Refused(Exception):
    """The command line makes no sense."""


@dataclass(slots=True)
class _Wanted:
    name: str = ""
    quiet: bool = False
    timer: list[str] = field(default_factory=list)
    service: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    is_later: bool = False


@program("systemd-run")
def systemd_run(process: Process) -> int:
    """`systemd-run [-q] [--unit=NAME] [--on-active=SPAN] [--timer-property=K=V] [-p K=V] COMMAND`."""
    try:
        wanted = _parse(process.arguments)
    except _Refused as refused:
        process.err(f"{refused}\n")
        return 1
    if not wanted.command:
        process.err("Command line to execute required.\n")
        return 1
    if not process.host.has_program(wanted.command[0]):
        process.err(f"Failed to find executable {wanted.command[0]}: No such file or directory\n")
        return 1
    kind = "timer" if wanted.is_later else "service"
    if not process.user.is_root:
        process.err(f"Failed to start transient {kind} unit: Access denied\n")
        return 1
    if not wanted.is_later:
        process.host.run_as_service(wanted.command)
        process.err("" if wanted.quiet else f"Running as unit: {wanted.name}.service\n")
        return 0
    timer = "\n".join(["[Timer]", *wanted.timer, ""])
    service = "\n".join(["[Service]", f"ExecStart={shlex.join(wanted.command)}", *wanted.service, ""])
    try:
        process.host.systemd.run_later(wanted.name, timer, service)
    except UnitError as error:
        process.err(f"Failed to start transient timer unit: {error.reason}\n")
        return 1
    if not wanted.quiet:
        process.err(f"Running timer as unit: {wanted.name}.timer\nWill run service as unit: {wanted.name}.service\n")
    return 0


def _parse(words: list[str]) -> _Wanted:
    wanted = _Wanted()
    words = list(words)
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--":
            break
        option, equals, value = word.partition("=")
        if option not in _WITH_VALUE:
            wanted.quiet |= option in ("--quiet", "-q")
            continue
        if not equals:
            if not words:
                raise _Refused(f"systemd-run: option '{option}' requires an argument")
            value = words.pop(0)
        _take(wanted, option, value)
    wanted.command = words
    wanted.name = wanted.name or "run-r0000000000000000000000000000000a"
    return wanted


def _take(wanted: _Wanted, option: str, value: str) -> None:
    if option in _MOMENTS:
        if span(value) is None:
            raise _Refused(f"Failed to parse {_MOMENTS[option]}={value}: Invalid argument")
        wanted.is_later = True
        wanted.timer.append(f"{_MOMENTS[option]}={value}")
    elif option in ("--unit", "-u"):
        wanted.name = value.removesuffix(".service").removesuffix(".timer")
    elif option == "--timer-property":
        wanted.timer.append(value)
    elif option in ("--property", "-p"):
        wanted.service.append(value)
