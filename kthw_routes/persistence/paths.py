"""Where files of ours may stand on a host: the fence around what is read as ours, written and removed."""

import re
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import HostFile
from kthw_routes.persistence import ifupdown, netplan, networkd, networkmanager, unit
from kthw_routes.persistence.text import content, heading
from kthw_routes.sanitize import PLAIN_NAME

ETC_HOSTS: Final = PurePosixPath("/etc/hosts")
NEW_ETC_HOSTS: Final = PurePosixPath("/etc/.hosts.kthw-routes")
"""Next to the target, so that the rename stays within one file system; a leftover of a broken run is overwritten."""

FORWARDING_FILE: Final = HostFile(
    PurePosixPath("/etc/sysctl.d/90-kthw-routes.conf"),
    0o644,
    content([*heading("Forwarding at each boot, without which no packet reaches a pod."), "net.ipv4.ip_forward = 1"]),
)
"""What turns forwarding on at each boot."""

_NAME: Final = "kthw-routes"
_FIXED: Final = frozenset((netplan.PATH, ifupdown.PATH, networkmanager.PATH, *unit.PATHS, FORWARDING_FILE.path))
_NETWORK_FILE: Final = re.compile(rf"/(?:etc|run|usr/lib|lib|usr/local/lib)/systemd/network/{PLAIN_NAME}\.network")
TEMPLATES: Final = PurePosixPath("/etc/cloud/templates")
"""Where cloud-init's templates lie: not ours, but one of them may be edited."""
_TEMPLATE: Final = re.compile(r"/etc/cloud/templates/hosts\.[a-z]{1,20}\.tmpl")

ROLLBACKS: Final = PurePosixPath("/run")
"""Where the scripts of rollbacks lie, which are gone with the next boot."""
_RUN: Final = r"[0-9TZ]{1,20}-[0-9a-f]{1,8}"
_ROLLBACK: Final = re.compile(rf"/run/kthw-routes-undo-({_RUN})\.sh")

FOLDERS: Final = tuple(sorted({*(path.parent for path in _FIXED), networkd.FOLDER}))
"""The folders to search; the drop-ins of networkd stand one folder further down."""


def is_own(path: PurePosixPath) -> bool:
    """Return whether a file of ours may stand there."""
    return path in _FIXED or networkd.owns(path)


def rollback_unit(run: str) -> str:
    """Name the unit of a run's rollback, without an ending. Raises ValueError where `run` is no run's name."""
    if not re.fullmatch(_RUN, run):
        raise ValueError(f"not the name of a run: {run!r}")
    return f"kthw-routes-undo-{run}"


def rollback_script(run: str) -> PurePosixPath:
    """Return where its script lies. Raises ValueError where `run` is no run's name."""
    return ROLLBACKS / f"{rollback_unit(run)}.sh"


def claimed(script: PurePosixPath) -> PurePosixPath:
    """Return what a rollback's script is renamed to, by itself or by whoever cancels it: only one of them can.

    It is gone a moment later; one that a broken connection left there is no rollback.
    """
    return script.with_name(f"{script.name}.claimed")


def rollback_of(path: PurePosixPath) -> str | None:
    """Return the run whose rollback this script is; None where it is none."""
    found = _ROLLBACK.fullmatch(str(path))
    return found[1] if found else None


def is_template(path: PurePosixPath) -> bool:
    """Return whether this is a template from which cloud-init writes /etc/hosts."""
    return _TEMPLATE.fullmatch(str(path)) is not None


def is_network_file(path: PurePosixPath) -> bool:
    """Whether this is a file by which systemd-networkd manages an interface, of a name that means nothing else."""
    return _NETWORK_FILE.fullmatch(str(path)) is not None


def beside(target: PurePosixPath) -> PurePosixPath:
    """Return the new file beside its target, in the same file system, so that it can be renamed over it.

    No reader takes it for a file of its own: it is hidden, and ends in neither `.yaml` nor `.conf`; run-parts leaves
    out names with a dot, NetworkManager's dispatcher those that begin with one. Our name is in its path.
    """
    return target.with_name(f".{target.name}{'' if _NAME in str(target) else f'.{_NAME}'}.new")


def is_beside(path: PurePosixPath) -> bool:
    """Return whether `beside` makes this of a file of ours, or of a template."""
    name = path.name
    if not (name.startswith(".") and name.endswith(".new")):
        return False
    target = path.with_name(name[1:-4] or ".")
    return is_own(target) or is_template(target.with_name(target.name.removesuffix(f".{_NAME}") or "."))
