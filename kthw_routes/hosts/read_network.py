"""Reading how a host's network is configured, and the files of ours that exist there. Nothing is changed.

What a program does not report, or reports in an odd form, counts as unknown: only a connection that fails is an error,
an answer that is too long to be read whole, and not to learn which files of ours there are.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR
from kthw_routes.facts import HostFile, LinkSetup, NetworkSetup, StatedRoute
from kthw_routes.hosts import atomic_write, netplan_check, programs
from kthw_routes.hosts.read_cloud_init import CLOUD_INIT, hosts_template
from kthw_routes.hosts.task import HostTask
from kthw_routes.persistence import netplan, networkd, readers, stated, unit
from kthw_routes.persistence import paths as own_paths
from kthw_routes.sanitize import clean_line, clean_value, is_plain_name
from kthw_routes.ssh.command import NO_SUCH_PROGRAM, Command, Result
from kthw_routes.ssh.errors import FileTooLarge, HostError, OutputCut, TookTooLong

_SYSTEMD: Final = PurePosixPath("/run/systemd/system")
"""There where systemd is the init; sd_booted(3)."""
_NETPLAN: Final = netplan.PATH.parent
_NETWORKMANAGER: Final = PurePosixPath("/run/NetworkManager")
_NO_CLOUD_NETWORK: Final = PurePosixPath("/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg")
"""The file by which cloud-init, in its own words, leaves the network alone."""
_IFSTATES: Final = (PurePosixPath("/run/network/ifstate"), PurePosixPath("/run/ifstate"))
"""Which interfaces `ifup` brought up: Debian's, and busybox's."""

_MAX_LINKS: Final = 50
"""Interfaces without a next hop that are asked for; those of pods, which networkd leaves alone, do not count."""
_MAX_FILES: Final = 50
"""Files of ours that are read; there is one for each interface, and a few more."""
_NETWORK_FILE: Final = re.compile(r"^ *Network File: (\S+)$", re.MULTILINE)
_NETWORKD_STATE: Final = re.compile(r"^ *State: (.+)$", re.MULTILINE)
_INDEX: Final = re.compile(r"[0-9]{1,10}")
_NM_LEAVES_ALONE: Final = ("unmanaged", "unavailable", "disconnected", "externally")
"""States in which a connection that NetworkManager names, if any, is not what brought the interface up."""
_NO_GET: Final = ("unknown command", "invalid choice", "not found in your system")
"""How netplan before 0.101 answers to `get`."""

_MISSING: Final = ("No such file or directory", "Not a directory")
"""What is said of a path that is missing."""
_ENDED: Final = 128
"""From this exit status on a program was ended by a signal."""
_UNKNOWN: Final = "what its own network configuration states of pod routes is not known"
_LOOK_THERE: Final = "Look at that host's disk (`dmesg`), then try again."

_Existing = Mapping[PurePosixPath, tuple[int, str]]
"""Of each path that exists: its permission bits, and its kind."""


_ALWAYS_LOOKED_AT: Final = (
    _SYSTEMD,
    _NETPLAN,
    _NETWORKMANAGER,
    netplan.GENERATOR,
    _NO_CLOUD_NETWORK,
    *_IFSTATES,
    *CLOUD_INIT,
    *own_paths.FOLDERS,
    own_paths.NEW_ETC_HOSTS,
)


def read(task: HostTask, devices: Collection[str], cluster_cidr: IPv4Network = DEFAULT_CLUSTER_CIDR) -> NetworkSetup:
    """Read what manages these interfaces, which files of ours there are, whether cloud-init writes /etc/hosts.

    And which routes within the cluster CIDR the host's own configuration states.

    What does not depend on an answer comes first, so that all of it can be run ahead in one exec, and the rest in one.

    Raises what `Session.run` raises.
    """
    found, unread, unfinished, rollbacks = _files_of_ours(task)
    existing = _read_existing(task, _ALWAYS_LOOKED_AT)
    network_files = _lines(task, programs.network_files())
    setups = _networkd_setups(task)
    unit_states = _unit_states(task)
    configuration = _own_configuration(task)
    has_template = CLOUD_INIT[0] in existing and CLOUD_INIT[1] not in existing
    template = hosts_template(task) if has_template else None
    links = _by_networkd(task, devices, setups, network_files)
    other_links = _other_links(task, links, setups, network_files)
    drop_ins = {networkd.folder_for(link.network_file) for link in links if link.network_file}
    folders = sorted({*own_paths.FOLDERS, *(path.parent for path in found), *drop_ins})
    if further := [path for path in (*folders, *found, *unfinished) if path not in _ALWAYS_LOOKED_AT]:
        existing = {**existing, **_read_existing(task, further)}
    links = _by_others(task, links, existing)
    if _SYSTEMD not in existing:
        unit_states = _started_otherwise(task)
    files, unreadable = _read_files(task, found, existing)
    is_enabled = _timer_is_enabled(task) if unit.TIMER in existing else False
    lost = {template} if isinstance(template, PurePosixPath) else set[PurePosixPath]()
    has_netplan, merged, netplan_problem = _netplan(task, links, found) if _NETPLAN in existing else (False, "", None)
    rewriters = (
        stated.NETWORK_HELPER,
        *((stated.CLOUD_INIT,) if has_template and _NO_CLOUD_NETWORK not in existing else ()),
    )
    return NetworkSetup(
        links=links,
        stated=_stated(task, configuration, links, cluster_cidr, rewriters),
        other_links=other_links,
        has_systemd=_SYSTEMD in existing,
        has_netplan=has_netplan,
        netplan=merged,
        netplan_problem=netplan_problem,
        files=files,
        folders=frozenset(folder for folder in folders if folder in existing and existing[folder][1] == "directory"),
        timer_is_enabled=is_enabled is True,
        timer_is_active=unit.TIMER in existing and _word(task, programs.timer_is_active()) == "active",
        unit_states=unit_states,
        overridden=frozenset({netplan.GENERATOR} & existing.keys()),
        leftovers=tuple(path for path in (*unfinished, own_paths.NEW_ETC_HOSTS) if path in existing),
        rollbacks=rollbacks,
        hosts_template=template if isinstance(template, HostFile) else None,
        unread=frozenset({*unread, *unreadable, *lost, *({unit.TIMER} if is_enabled is None else ())}),
    )


def _ask(task: HostTask, command: Command) -> Result | None:
    """Run a program; None where it hangs."""
    try:
        return task.run(command, silent=True)
    except TookTooLong:
        return None


def _word(task: HostTask, command: Command) -> str:
    """Return what a program prints; empty where it fails or hangs."""
    result = _ask(task, command)
    return clean_value(result.out) if result and result.ok else ""


def _lines(task: HostTask, command: Command) -> list[str]:
    result = _ask(task, command)
    return result.out.splitlines() if result else []


def _unit_states(task: HostTask) -> frozenset[tuple[str, str]]:
    """Read what systemd makes of the units that read files at boot; nothing where it does not answer.

    Of an alias it names the unit itself.
    """
    states: dict[str, str] = {}
    for block in "\n".join(_lines(task, programs.unit_states())).split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        if (name := values.get("Id")) in readers.UNITS and "UnitFileState" in values:
            states[name] = clean_value(values["UnitFileState"])
    return frozenset(states.items())


def _started_otherwise(task: HostTask) -> frozenset[tuple[str, str]]:
    """Read whether another init starts `networking` at boot."""
    result = _ask(task, programs.boot_links())
    if result is None or result.status == NO_SUCH_PROGRAM:
        return frozenset()
    return frozenset({(readers.NETWORKING, "enabled" if result.out.strip() else "disabled")})


def _own_configuration(task: HostTask) -> list[str]:
    """Read the lines of the host's own network configuration; none where there is too much of it."""
    try:
        result = _ask(task, programs.own_configuration())
    except OutputCut:
        task.note(f"{_UNKNOWN}: it is too long to be read")
        return []
    return result.out.split("\n") if result else []


def _stated(
    task: HostTask,
    configuration: Sequence[str],
    links: Sequence[LinkSetup],
    cluster_cidr: IPv4Network,
    rewriters: Sequence[str],
) -> tuple[StatedRoute, ...]:
    """Find the routes that the host's own configuration states; none where it has too many files."""
    try:
        return stated.find(configuration, links, cluster_cidr, rewriters=rewriters)
    except stated.TooMany as error:
        task.note(f"{_UNKNOWN}: {error}")
        return ()


def _timer_is_enabled(task: HostTask) -> bool | None:
    """Read whether systemd starts our timer at boot; None where it does not answer in time."""
    result = _ask(task, programs.timer_is_enabled())
    return None if result is None else result.ok and clean_value(result.out) == "enabled"


# --- interfaces -------------------------------------------------------------------------------------------------


def _networkd_setups(task: HostTask) -> Mapping[str, str] | None:
    """Read what systemd-networkd makes of each interface, by name; None where it is missing, or does not answer."""
    result = _ask(task, programs.networkd_links())
    if result is None or result.status == NO_SUCH_PROGRAM:
        return None
    rows = (line.split() for line in result.out.splitlines())
    # The last word is "configured", "configuring", "failed", …; a link without a carrier is managed all the same.
    return {row[1]: row[4] for row in rows if len(row) == 5 and _INDEX.fullmatch(row[0])}


def _by_networkd(
    task: HostTask, devices: Collection[str], setups: Mapping[str, str] | None, files: Collection[str]
) -> tuple[LinkSetup, ...]:
    """Read how systemd-networkd manages the interfaces.

    Args:
        task: an open session.
        devices: the interfaces.
        setups: what networkd makes of each, as far as known; None where it is missing, or does not answer.
        files: those by which it may manage them.
    """
    links: list[LinkSetup] = []
    for device in devices:
        result = None
        if setups is not None and is_plain_name(device) and setups.get(device) != "unmanaged":
            is_managed = device in setups
            result = _ask(task, programs.networkd_status(device, _likely_file(device, files) if is_managed else None))
        text = result.out if result and result.ok else ""
        file, state = _NETWORK_FILE.search(text), _NETWORKD_STATE.search(text)
        path = PurePosixPath(file[1]) if file else None
        links.append(
            LinkSetup(
                device,
                network_file=path if path and own_paths.is_network_file(path) else None,
                networkd_state=clean_value(state[1]) if state else "",
            )
        )
    return tuple(links)


def _likely_file(device: str, files: Collection[str]) -> str | None:
    """Guess by which of these files networkd manages an interface: one with its name in it, else netplan's."""
    plain = [file for file in files if is_plain_name(PurePosixPath(file).name)]
    by_name = (file for file in plain if re.search(rf"(?<![a-z0-9]){re.escape(device)}(?![a-z0-9])", file))
    return next(by_name, next((file for file in plain if "-netplan-" in file), None))


def _other_links(
    task: HostTask, links: Collection[LinkSetup], setups: Mapping[str, str] | None, files: Collection[str]
) -> tuple[LinkSetup, ...]:
    """Read the interfaces without a next hop that systemd-networkd manages, where it manages one with a next hop.

    A file that is for both would give the routes to both.
    """
    if not any(link.by_networkd for link in links):
        return ()
    known = {link.device for link in links}
    others = [name for name, setup in (setups or {}).items() if setup != "unmanaged" and name not in known]
    if len(others) > _MAX_LINKS:
        task.note(f"{len(others) - _MAX_LINKS:,} of its interfaces are not asked for: no more than {_MAX_LINKS} are")
    found = _by_networkd(task, others[:_MAX_LINKS], setups, files)
    return tuple(link for link in found if link.by_networkd)


def _by_others(task: HostTask, links: Iterable[LinkSetup], existing: _Existing) -> tuple[LinkSetup, ...]:
    """Add what manages the interfaces that networkd does not."""
    others = [link for link in links if not link.by_networkd and is_plain_name(link.device)]
    states = [path for path in _IFSTATES if path in existing] if others else []
    brought_up = _brought_up(_lines(task, programs.read_files(states))) if states else frozenset()
    found: list[LinkSetup] = []
    for link in links:
        if link in others:
            connection = _nm_connection(task, link.device) if _NETWORKMANAGER in existing else ""
            found.append(replace(link, nm_connection=connection, by_ifupdown=link.device in brought_up))
        else:
            found.append(link)
    return tuple(found)


def _brought_up(lines: Iterable[str]) -> frozenset[str]:
    """Parse the interfaces of `eth0=eth0` lines: `interface=the name of its stanza`."""
    return frozenset(line.partition("=")[0].strip() for line in lines if "=" in line)


def _nm_connection(task: HostTask, device: str) -> str:
    """Read by which connection NetworkManager manages an interface; empty where it does not."""
    lines = _lines(task, programs.networkmanager_status(device))
    if len(lines) < 2 or any(word in lines[1] for word in _NM_LEAVES_ALONE):
        return ""
    return "" if lines[0].strip() in ("", "--") else clean_value(lines[0])


# --- netplan ----------------------------------------------------------------------------------------------------


def _netplan(
    task: HostTask, links: Iterable[LinkSetup], found: Collection[PurePosixPath]
) -> tuple[bool, str, str | None]:
    """Return whether netplan is there, its files merged, and its error in them.

    It takes its time to answer, so it is asked only where it manages an interface, or should read a file of ours.
    """
    if netplan.PATH not in found and not any(netplan.id_of(link) for link in links):
        return True, "", None
    result = _ask(task, programs.netplan_configuration())
    if result is None:
        return True, "", "it did not answer in time"
    if result.ok:
        return True, result.out, None
    if result.status == NO_SUCH_PROGRAM:
        return False, "", None
    has_no_get = any(sign in result.err.lower() for sign in _NO_GET)
    return True, "", None if has_no_get else netplan_check.summarize_errors(result)


# --- files ------------------------------------------------------------------------------------------------------


def _list_paths(task: HostTask, command: Command) -> list[str]:
    """Return what a program prints of the paths that exist. Raises HostError where it may have left out one in /etc.

    What it could not look at must not count as missing.
    """
    result, program = task.run(command, silent=True), command.argv[0]
    for line in result.err.splitlines():
        if line.startswith(f"{program}:") and "/etc/" in line and not any(sign in line for sign in _MISSING):
            raise HostError(task.node, f"`{program}` could not look everywhere: {clean_line(line)}", _LOOK_THERE)
    if result.status >= _ENDED:
        raise HostError(task.node, f"`{program}` was ended there with status {result.status}.", _LOOK_THERE)
    return result.out.splitlines()


def _files_of_ours(
    task: HostTask,
) -> tuple[list[PurePosixPath], list[PurePosixPath], list[PurePosixPath], tuple[str, ...]]:
    """Find files of ours, those too many to be read, those never renamed, the runs whose rollback is pending.

    A copy by another name is not ours.
    """
    paths = sorted({PurePosixPath(line) for line in _list_paths(task, programs.files_of_ours())})
    own = [path for path in paths if own_paths.is_own(path)]
    unfinished = [path for path in paths if own_paths.is_new_file(path)]
    rollbacks = tuple(run for path in paths if (run := own_paths.rollback_of(path)))
    for what, number in (("files", len(own)), ("unfinished files", len(unfinished)), ("rollbacks", len(rollbacks))):
        if number > _MAX_FILES:
            task.note(f"{number - _MAX_FILES:,} {what} of kthw-routes are not read: no more than {_MAX_FILES} are")
    return own[:_MAX_FILES], own[_MAX_FILES:], unfinished[:_MAX_FILES], rollbacks[:_MAX_FILES]


def _read_existing(task: HostTask, paths: Iterable[PurePosixPath]) -> _Existing:
    """Read which of the paths exist."""
    asked = {str(path): path for path in paths}
    existing: dict[PurePosixPath, tuple[int, str]] = {}
    for line in _list_paths(task, programs.modes_and_kinds(asked.values())):
        mode, _, rest = line.partition(" ")
        name, _, kind = rest.partition(" ")
        if name in asked and re.fullmatch("[0-7]{1,4}", mode):
            existing[asked[name]] = (int(mode, 8), kind)
    return existing


def _read_files(
    task: HostTask, found: Iterable[PurePosixPath], existing: _Existing
) -> tuple[tuple[HostFile, ...], list[PurePosixPath]]:
    """Read the files of ours. Returns them, and the paths of those that exist and cannot be read."""
    files: list[HostFile] = []
    unread: list[PurePosixPath] = []
    for path in found:
        if path not in existing or not existing[path][1].startswith("regular"):
            continue
        content = None
        with suppress(TookTooLong, FileTooLarge):
            content = atomic_write.read(task, path, needs_root=True)
        if content is not None:
            files.append(HostFile(path, existing[path][0], content))
        elif path in _read_existing(task, [path]):  # else it went away just now
            unread.append(path)
    return tuple(files), unread
