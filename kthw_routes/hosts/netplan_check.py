"""netplan's answer to a new drop-in, asked for on a copy of its files: it may add our routes, and nothing else.

A drop-in with the wrong id makes a second `10-netplan-….network` without any address, which takes the interface at
the next boot; and before netplan 1.1 a file that netplan cannot read takes the network from the boot altogether.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import HostFile
from kthw_routes.hosts import programs
from kthw_routes.hosts.task import HostTask
from kthw_routes.persistence import netplan
from kthw_routes.persistence.managers import persisted_in
from kthw_routes.sanitize import clean_line
from kthw_routes.ssh.command import Command, Result
from kthw_routes.ssh.errors import OutputCut, TookTooLong

_FOLDERS: Final = tuple(PurePosixPath(f"/{place}/netplan") for place in ("etc", "run", "lib"))
_REFUSED: Final = f"{netplan.PATH} was not written"
_SECTION: Final = re.compile(r"\[.*\]")
_ROUTE_LINE: Final = re.compile(r"route\d+=(?P<prefix>[0-9./]+),(?P<next_hop>[0-9.]+)(?:,0)?")

_EXCEPTION: Final = re.compile(r"^[\w.]*(?:Exception|Error): ", re.MULTILINE)
_WARNING: Final = " WARNING **: "

_Generated = Mapping[str, tuple[str, ...]]
"""The files that netplan wrote, as lines."""
_Routes = frozenset[tuple[IPv4Network, IPv4Address]]


class _Refused(Exception):
    """The drop-in may not be written, with a sentence why."""


def refuse(task: HostTask, content: bytes) -> str | None:
    """Say why netplan's drop-in with this content may not be written; None where it may.

    Nothing is changed on the host but a folder below /tmp, which is removed again.
    Raises what `Session.run` raises.
    """
    try:
        scratch = programs.scratch_in(_run(task, programs.make_scratch(), "no folder to check it in could be made"))
        if scratch is None:
            return f"{_REFUSED}: `{programs.make_scratch()}` answered something else than a folder."
    except _Refused as refusal:
        return str(refusal)
    problem: str | None = None
    try:
        _check(task, scratch, content)
    except _Refused as refusal:
        problem = str(refusal)
    _clear(task, scratch)
    return problem


def _clear(task: HostTask, scratch: str) -> None:
    try:
        task.run(programs.remove_scratch(scratch), silent=True)
    except TookTooLong as error:
        task.note(f"{scratch} was not removed: {error.complaint}")


def _check(task: HostTask, scratch: str, content: bytes) -> None:
    """Check the drop-in on a copy of the files. Raises _Refused."""
    drop_in = PurePosixPath(f"{scratch}{netplan.PATH}")
    _try(task, programs.copy_below(_FOLDERS, scratch))  # status 1: not each of the folders exists
    _run(task, programs.remove_file(drop_in), "the copy of netplan's files could not be prepared")
    broken = "netplan does not accept the files that this host has without it, and it is not for us to make that worse"
    _generate(task, scratch, broken)
    before = _generated(task, scratch)
    _run(task, programs.write_file(drop_in, content), "the copy of netplan's files could not be filled")
    _generate(task, scratch, "netplan does not accept it")
    file = HostFile(netplan.PATH, 0o600, content)
    ours = frozenset((prefix, hop) for prefix, hop in persisted_in([file]) if hop is not None)
    if fault := unexpected_change(before, _generated(task, scratch), ours):
        raise _Refused(f"{_REFUSED}: {fault}")


def _generate(task: HostTask, scratch: str, otherwise: str) -> None:
    result = _try(task, programs.generate_netplan(scratch))
    if not result.ok:
        raise _Refused(f"{_REFUSED}: {otherwise}: {summarize_errors(result, scratch)}")


def _generated(task: HostTask, scratch: str) -> _Generated:
    result = _try(task, programs.lines_below(scratch, "run")).out
    files: dict[str, list[str]] = {}
    for line in result.splitlines():
        path, _, text = line.removeprefix(f"{scratch}/").partition(":")
        files.setdefault(path, []).append(text.strip())
    return {path: tuple(lines) for path, lines in files.items()}


def _try(task: HostTask, command: Command) -> Result:
    try:
        return task.run(command, silent=True)
    except (TookTooLong, OutputCut) as error:
        raise _Refused(f"{_REFUSED}: {error.complaint}") from error


def _run(task: HostTask, command: Command, otherwise: str) -> str:
    """Run a command that has to succeed, and return its output."""
    result = _try(task, command)
    if not result.ok:
        words = result.words or f"it ended with status {result.status}"
        raise _Refused(f"{_REFUSED}: {otherwise}: {words}")
    return result.out


# --- words ---------------------------------------------------------------------------------------------------------


def summarize_errors(result: Result, root: str = "") -> str:
    """Return the place and the fault that netplan names, in one line: no traceback, quoted file or warning.

    Args:
        result: of a `netplan` that failed.
        root: the folder below which its files lay, if not the host's own.
    """
    exceptions = list(_EXCEPTION.finditer(result.err))
    text = result.err[exceptions[-1].end() :] if exceptions else result.err
    lines = (clean_line(line).replace(root, "").removesuffix(":") for line in text.splitlines() if _WARNING not in line)
    return next((line for line in lines if line), f"it ended with status {result.status}")


# --- comparing --------------------------------------------------------------------------------------------------


def unexpected_change(before: _Generated, after: _Generated, ours: _Routes) -> str | None:
    """Say what netplan makes of the drop-in that it should not; None where it only adds our routes.

    Args:
        before: the files that netplan writes without it.
        after: the files that it writes with it.
        ours: the routes in the drop-in.
    """
    if new := sorted(after.keys() - before.keys()):
        return (
            f"netplan would make a new {PurePosixPath(new[0]).name} of it, which takes the interface from the file"
            " that has its address; no netplan id of that name has this interface"
        )
    if gone := sorted(before.keys() - after.keys()):
        return f"netplan would no longer make {PurePosixPath(gone[0]).name}"
    routes: set[tuple[IPv4Network, IPv4Address]] = set()
    for path, lines in after.items():
        had, has = Counter(_parts(path, before[path])), Counter(_parts(path, lines))
        routes_of = {part: route for part in has | had if (route := _route(part)) is not None}
        if any(_is_other(had[part], has[part], routes_of.get(part) in ours) for part in had | has):
            return f"netplan would change more of {PurePosixPath(path).name} than our routes"
        routes |= {route for part, route in routes_of.items() if part in has}
    return _fault_in_routes(routes, ours)


def _is_other(had: int, has: int, is_ours: bool) -> bool:
    """Whether a part of a file is not as before. One of ours may come, or become one where there were two."""
    return had != has if not is_ours else has == 0


def _fault_in_routes(routes: Iterable[tuple[IPv4Network, IPv4Address]], ours: _Routes) -> str | None:
    routes = set(routes)
    if missing := sorted(ours - routes):
        return f"netplan would make no route to {missing[0][0]} via {missing[0][1]} of it"
    if not ours:
        return "it has no route that could be understood"
    mine = dict(ours)
    for prefix, hop in sorted(routes - ours):
        if prefix in mine:
            return f"netplan's own files lead {prefix} via {hop}, it via {mine[prefix]}; take it from those files first"
    return None


def _parts(path: str, lines: Iterable[str]) -> list[tuple[str, ...]]:
    """Split a file into its parts: whole sections of a `.network` file, else lines, each with its section's header.

    A route of networkd is a section, one of NetworkManager a line.
    """
    parts: list[tuple[str, ...]] = []
    section: tuple[str, ...] = ("",)
    whole = path.endswith(".network")
    for line in (line for line in lines if line):
        if _SECTION.fullmatch(line):
            section = (line,)
            parts.append(section)
        elif whole:
            section = (*section, line)
            parts[-1:] = [section]
        else:
            parts.append((*section, line))
    return parts


def _route(part: tuple[str, ...]) -> tuple[IPv4Network, IPv4Address] | None:
    """Parse the route that a part of a file is; None for any other."""
    try:
        if part[0] == "[Route]":
            values = dict(line.partition("=")[::2] for line in part[1:])
            if values.keys() == {"Destination", "Gateway"}:
                return IPv4Network(values["Destination"]), IPv4Address(values["Gateway"])
        elif part[0] == "[ipv4]" and (match := _ROUTE_LINE.fullmatch(part[-1])):
            return IPv4Network(match["prefix"]), IPv4Address(match["next_hop"])
    except ValueError:
        return None
    return None
