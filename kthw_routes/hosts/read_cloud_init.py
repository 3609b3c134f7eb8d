"""Whether cloud-init rewrites /etc/hosts at each boot, and from which template."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import HostFile
from kthw_routes.hosts import atomic_write, programs
from kthw_routes.hosts.task import HostTask
from kthw_routes.persistence import paths as own_paths
from kthw_routes.ssh.errors import FileTooLarge, TookTooLong

CLOUD_INIT: Final = (PurePosixPath("/etc/cloud/cloud.cfg"), PurePosixPath("/etc/cloud/cloud-init.disabled"))
"""Where the first exists and the second does not, cloud-init runs."""
_INSTANCE: Final = PurePosixPath("/var/lib/cloud/instance")
_SOURCES: Final = (
    CLOUD_INIT[0],
    PurePosixPath("/etc/cloud/cloud.cfg.d"),
    PurePosixPath("/run/cloud-init/cloud.cfg"),
    _INSTANCE / "vendor-cloud-config.txt",
    _INSTANCE / "vendor2-cloud-config.txt",
    _INSTANCE / "cloud-config.txt",
)
"""Its configuration, the weakest first. The last is what the machine was made with: Proxmox sets it there."""
_LINE: Final = re.compile(r"(?P<path>/[^:]+):\s*manage_etc_hosts\s*:\s*[\"']?(?P<value>[A-Za-z0-9]+)[\"']?\s*(?:#.*)?")
_ON: Final = ("true", "1", "on", "yes", "template")
"""What counts as yes; `localhost` does not: it changes one line of the file only."""
_TEMPLATES: Final = PurePosixPath("/etc/cloud/templates")
_FAMILIES: Final = {
    "debian": "debian",
    "ubuntu": "debian",
    "rhel": "redhat",
    "fedora": "redhat",
    "centos": "redhat",
    "suse": "suse",
    "opensuse": "suse",
    "sles": "suse",
    "alpine": "alpine",
    "arch": "arch",
    "gentoo": "gentoo",
}
"""The names of os-release(5) -> the family by which the template is named."""
_OS_RELEASE: Final = "/etc/os-release"


def hosts_template(task: HostTask) -> HostFile | PurePosixPath | None:
    """Read the template; None where cloud-init does not write /etc/hosts, or does so from an unknown file.

    Returns its path where it cannot be read; that of the folder of all templates where it is not known which it is,
    or whether there is one. Raises what `Session.run` raises.
    """
    path: PurePosixPath | None = _TEMPLATES
    try:
        lines = task.run(programs.cloud_init_settings(_SOURCES), silent=True).out.splitlines()
        if not _is_on(lines):
            return None
        path = _template(lines)
        return _read(task, path) if path else None
    except (TookTooLong, FileTooLarge):
        return path


def _read(task: HostTask, path: PurePosixPath) -> HostFile | PurePosixPath | None:
    mode = task.run(programs.modes_and_kinds([path]), silent=True).out.partition(" ")[0]
    content = atomic_write.read(task, path, needs_root=True)
    if not re.fullmatch("[0-7]{1,4}", mode):
        return None
    return HostFile(path, int(mode, 8), content) if content is not None else path


def _is_on(lines: Iterable[str]) -> bool:
    """Whether the strongest of the lines that set it turns it on."""
    settings = [match for line in lines if (match := _LINE.fullmatch(line)) and _rank(match["path"]) is not None]
    strongest = max(settings, key=lambda match: _rank(match["path"]) or (0, ""), default=None)
    return strongest is not None and strongest["value"].lower() in _ON


def _rank(path: str) -> tuple[int, str] | None:
    """Rank a file of the configuration, the weakest first; None for one that cloud-init does not read."""
    for strength, source in enumerate(_SOURCES):
        if path == str(source):
            return strength, ""
        if PurePosixPath(path).parent == source and path.endswith(".cfg"):
            return strength, path
    return None


def _template(lines: Iterable[str]) -> PurePosixPath | None:
    names: dict[str, list[str]] = {}
    for line in lines:
        file, _, setting = line.partition(":")
        key, _, value = setting.partition("=")
        if file == _OS_RELEASE:
            names[key] = value.strip("\"' ").lower().split()
    family = next((_FAMILIES[n] for n in [*names.get("ID", []), *names.get("ID_LIKE", [])] if n in _FAMILIES), None)
    path = _TEMPLATES / f"hosts.{family}.tmpl"
    return path if family and own_paths.is_template(path) else None
