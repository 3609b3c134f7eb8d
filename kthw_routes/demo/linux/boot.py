"""How a modelled host goes down and comes up again: what is gone, what the files bring back, in which order."""

import re
from typing import Final

from kthw_routes.demo.linux.nodes import AS_ROOT, FileError
from kthw_routes.demo.linux.process import Host
from kthw_routes.demo.linux.system_files import add_runtime_files

SYSCTL_FOLDERS: Final = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/lib/sysctl.d")


def go_down(host: Host) -> None:
    """End all that runs; what was only in memory is gone."""
    host.agenda.clear()
    host.interrupt()
    with host.network.lock:
        _unplug(host)
        host.namespaces.clear()
        host.kernel.reset()
    for folder in ("/run", "/tmp"):  # noqa: S108 - a directory of the model
        host.files.directory(folder).children.clear()


def _unplug(host: Host) -> None:
    """Take everything but the network cards off the wires; a bridge that nothing is plugged into is gone."""
    gone = [host.kernel, *host.namespaces.values()]
    for segment in list(host.network.segments):
        kept = [
            (kernel, device)
            for kernel, device in segment.ports
            if all(kernel is not k for k in gone) or (kernel is host.kernel and device in host.nics)
        ]
        if segment.ports and not kept:
            host.network.segments.remove(segment)
        segment.ports = kept


def come_up(host: Host) -> None:
    """Begin to boot: the provider's files, the settings, the network."""
    add_runtime_files(host)
    name = _read(host, "/etc/hostname").strip()
    host.name = name or host.name
    for device, mac in host.nics.items():
        host.kernel.add_link(device, mac=mac).up = False
    if host.network_helper:
        host.network_helper(host)
    apply_sysctl_files(host)
    host.networkd.restart()


def start(host: Host) -> None:
    """Finish booting: start what is enabled."""
    host.systemd.boot()


def apply_sysctl_files(host: Host) -> list[tuple[str, str]]:
    """Make the settings of all files in /etc/sysctl.d and of /etc/sysctl.conf; returns them in their order."""
    chosen: dict[str, str] = {}
    for folder in reversed(SYSCTL_FOLDERS):
        try:
            names = host.files.names(folder, AS_ROOT)
        except FileError:
            continue
        chosen |= {name: f"{folder}/{name}" for name in names if name.endswith(".conf")}
    made: list[tuple[str, str]] = []
    for path in (*(chosen[name] for name in sorted(chosen)), "/etc/sysctl.conf"):
        made += apply_sysctl_text(host, _read(host, path))
    return made


def apply_sysctl_text(host: Host, text: str) -> list[tuple[str, str]]:
    """Make the settings of one file that the model knows; returns them."""
    made = []
    for line in text.splitlines():
        match = re.fullmatch(r"\s*-?([^=#;\s]+)\s*=\s*(.*?)\s*", line)
        if match and (key := match[1].replace("/", ".")) in host.kernel.sysctl:
            host.kernel.sysctl[key] = match[2]
            made.append((key, match[2]))
    return made


def _read(host: Host, path: str) -> str:
    try:
        return host.files.read(path, AS_ROOT).decode("utf-8", "replace")
    except FileError:
        return ""
