"""`systemd-run`: a command that systemd runs at a later moment."""

import shlex
from typing import Final

from kthw_routes.demo.linux.ini_files import span
from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.linux.units import UnitError
from kthw_routes.demo.programs import program

_SECONDS: Final = "--on-active"


@program("systemd-run")
def systemd_run(process: Process) -> int:
    """Arm a timer: `systemd-run [--quiet] --unit=NAME --on-active=SPAN [--timer-property=KEY=VALUE] COMMAND`."""
    words = process.arguments
    options: dict[str, str] = {}
    while words and words[0].startswith("-"):
        name, _, options[name] = words[0].partition("=")
        words = words[1:]
    if not words:
        return _refuse(process, "Command line to execute required.")
    if not process.host.has_program(words[0]):
        return _refuse(process, f"Failed to find executable {words[0]}: No such file or directory")
    if _SECONDS not in options:
        return _refuse(process, f"Here it runs commands later only: {_SECONDS}=SPAN is missing.")
    if span(options[_SECONDS]) is None:
        return _refuse(process, f"Failed to parse OnActiveSec={options[_SECONDS]}: Invalid argument")
    if not process.user.is_root:
        return _refuse(process, "Failed to start transient timer unit: Access denied")
    timer = f"[Timer]\nOnActiveSec={options[_SECONDS]}\n{options.get('--timer-property', '')}\n"
    service = f"[Service]\nExecStart={shlex.join(words)}\n"
    unit = options.get("--unit", "run-u1").removesuffix(".timer").removesuffix(".service")
    try:
        process.host.systemd.run_later(unit, timer, service)
    except UnitError as error:
        return _refuse(process, f"Failed to start transient timer unit: {error.reason}")
    if not {"--quiet", "-q"} & options.keys():
        process.err(f"Running timer as unit: {unit}.timer\nWill run service as unit: {unit}.service\n")
    return 0


def _refuse(process: Process, why: str) -> int:
    process.err(f"{why}\n")
    return 1
