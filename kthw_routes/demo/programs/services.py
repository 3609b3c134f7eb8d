"""`systemctl`, and `reboot`. The words are those of systemd 252."""

import time
from collections.abc import Callable
from typing import Final

from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.linux.units import RUNNING, Unit, UnitError, full_name
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.words import speaks_utf8

NO_INSTALL: Final = """\
The unit files have no installation config (WantedBy=, RequiredBy=, Also=,
Alias= settings in the [Install] section, and DefaultInstance= for template
units). This means they are not meant to be enabled using systemctl.
"""

Verb = Callable[[Process, list[str], frozenset[str]], int]


@program("systemctl")
def systemctl(process: Process) -> int:
    """Run `systemctl VERB UNITS`; knows --now, --quiet, --no-pager."""
    options = frozenset(word for word in process.arguments if word.startswith("-"))
    words = [word for word in process.arguments if not word.startswith("-")]
    verb = words[0] if words else "list-units"
    run = _VERBS.get(verb)
    if run is None:
        process.err(f"Unknown command verb {verb}.\n")
        return 1
    if len(words) < 2 and verb not in ("daemon-reload", "reboot"):
        process.err("Too few arguments.\n")
        return 1
    return run(process, [full_name(word) for word in words[1:]], options)


@program("reboot")
def reboot(process: Process) -> int:
    """Go down and come up; the connection breaks."""
    if not process.user.is_root:
        process.err("Failed to set wall message, ignoring: Access denied\nFailed to reboot system via logind: Access ")
        process.err("denied\n")
        return 1
    process.host.reboot()
    process.check()
    return 0


def _reboot(process: Process, _units: list[str], _options: frozenset[str]) -> int:
    return reboot(process)


def _denied(process: Process, what: str, status: int = 1) -> int | None:
    """Complain where an ordinary user asks for what only root may; None where it is root."""
    if process.user.is_root:
        return None
    process.err(f"{what}: Access denied\n")
    return status


def _reload(process: Process, _units: list[str], _options: frozenset[str]) -> int:
    denied = _denied(process, "Reload daemon failed")
    if denied is None:
        process.host.systemd.reload()
    return denied or 0


def _enable(process: Process, units: list[str], options: frozenset[str]) -> int:
    denied = _denied(process, "Failed to enable unit")
    if denied:
        return denied
    arrow = "→" if speaks_utf8(process) else "->"
    try:
        for unit in units:
            made = process.host.systemd.enable(unit)
            if made is None:
                process.err(NO_INSTALL)
            for link, path in made or ():
                process.err(f"Created symlink {link} {arrow} {path}.\n")
    except UnitError as error:
        process.err(f"Failed to enable unit: {error.reason}\n")
        return error.status
    return _start(process, units, options) if "--now" in options else 0


def _disable(process: Process, units: list[str], options: frozenset[str]) -> int:
    denied = _denied(process, "Failed to disable unit")
    if denied:
        return denied
    try:
        for unit in units:
            for link in process.host.systemd.disable(unit):
                process.err(f'Removed "{link}".\n')
    except UnitError as error:
        process.err(f"Failed to disable unit: {error.reason}\n")
        return error.status
    return _stop(process, units, options) if "--now" in options else 0


def _each(process: Process, verb: str, units: list[str], act: Callable[[str], int | None]) -> int:
    status = 0
    for unit in units:
        denied = _denied(process, f"Failed to {verb} {unit}", 4)
        if denied:
            process.err(f"See system logs and 'systemctl status {unit}' for details.\n")
            return denied
        _warn_if_stale(process, unit)
        try:
            failed = act(unit)
        except UnitError as error:
            process.err(f"{error.reason}\n" if error.is_all else f"Failed to {verb} {unit}: {error.reason}\n")
            status = error.status
            continue
        if failed:
            status = 1
            process.err(
                f"Job for {unit} failed because the control process exited with error code.\n"
                f'See "systemctl status {unit}" and "journalctl -xeu {unit}" for details.\n'
            )
    return status


def _warn_if_stale(process: Process, unit: str) -> None:
    if process.host.systemd.is_stale(unit):
        process.err(
            f"Warning: The unit file, source configuration file or drop-ins of {unit} changed on disk. "
            "Run 'systemctl daemon-reload' to reload units.\n"
        )


def _start(process: Process, units: list[str], _options: frozenset[str]) -> int:
    return _each(process, "start", units, process.host.systemd.start)


def _stop(process: Process, units: list[str], _options: frozenset[str]) -> int:
    return _each(process, "stop", units, process.host.systemd.stop)


def _restart(process: Process, units: list[str], _options: frozenset[str]) -> int:
    return _each(process, "restart", units, process.host.systemd.restart)


def _is_enabled(process: Process, units: list[str], options: frozenset[str]) -> int:
    found = False
    for unit in units:
        try:
            state = process.host.systemd.enablement(unit)
        except UnitError as error:
            process.err(f"Failed to get unit file state for {unit}: {error.reason}\n")
            return 1
        found |= state != "disabled"
        if not options & {"--quiet", "-q"}:
            process.out(f"{state}\n")
    return int(not found)


def _is_active(process: Process, units: list[str], options: frozenset[str]) -> int:
    states = [process.host.systemd.state(unit) for unit in units]
    if not options & {"--quiet", "-q"}:
        process.out("".join(f"{state}\n" for state in states))
    return 0 if "active" in states else 3


def _show(process: Process, units: list[str], options: frozenset[str]) -> int:
    """Print properties of units, a paragraph each; knows Id and UnitFileState."""
    asked = next((o.partition("=")[2].split(",") for o in options if o.startswith("--property=")), [])
    paragraphs: list[str] = []
    for unit in units:
        try:
            state = process.host.systemd.enablement(unit)
        except UnitError:
            state = {"service": "enabled", "target": "static"}.get(unit.rpartition(".")[2], "") * (unit in RUNNING)
        values = {"Id": unit, "UnitFileState": state}
        paragraphs.append("".join(f"{name}={values[name]}\n" for name in asked if name in values))
    process.out("\n".join(paragraphs))
    return 0


def _status(process: Process, names: list[str], _options: frozenset[str]) -> int:
    status = 0
    for name in names:
        unit = process.host.systemd.find(name)
        _warn_if_stale(process, name)
        if unit is not None:
            status = _print_status(process, unit)
        elif name in RUNNING:
            mark = "●" if speaks_utf8(process) else "*"
            process.out(f"{mark} {name}\n     Active: active (running)\n")
        else:
            process.err(f"Unit {name} could not be found.\n")
            status = 4
    return status


def _print_status(process: Process, unit: Unit) -> int:
    host = process.host
    if speaks_utf8(process):
        mark = {"active": "●", "failed": "×"}.get(unit.state, "○")
    else:
        mark = {"failed": "x"}.get(unit.state, "*")
    title = f"{unit.name} - {unit.description}" if unit.description != unit.name else unit.name
    sub = {"active": "waiting" if unit.kind == "timer" else "exited", "failed": "Result: exit-code"}
    words = f"{unit.state} ({sub.get(unit.state, 'dead')})"
    if unit.since is not None:
        words += f" since {_moment(process, unit.since)}; {round(host.clock.now() - unit.since)}s ago"
    preset = "" if unit.transient else f"; {host.systemd.enablement(unit.name)}"
    process.out(f"{mark} {title}\n     Loaded: loaded ({unit.path}{preset})\n     Active: {words}\n")
    if unit.appointment is not None:
        left = max(round(unit.appointment.when - host.clock.now()), 0)
        process.out(f"    Trigger: {_moment(process, unit.appointment.when)}; {left}s left\n")
        process.out(f"   Triggers: {mark} {unit.triggers}\n")
    return 0 if unit.state == "active" else 3


def _moment(process: Process, when: float) -> str:
    seconds = process.host.files.now() - process.host.clock.now() + when
    return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


_VERBS: Final[dict[str, Verb]] = {
    "daemon-reload": _reload,
    "disable": _disable,
    "enable": _enable,
    "is-active": _is_active,
    "is-enabled": _is_enabled,
    "reboot": _reboot,
    "restart": _restart,
    "show": _show,
    "start": _start,
    "status": _status,
    "stop": _stop,
}
