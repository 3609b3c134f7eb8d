"""Where files of ours may be on a host: nothing else is read as ours, written or removed."""

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
_FIXED: Final = frozenset((netplan.PATH, ifupdown.PATH, networkmanager.PATH, *unit.ALL_PATHS, FORWARDING_FILE.path))
_NETWORK_FILE: Final = re.compile(rf"/(?:etc|run|usr/lib|lib|usr/local/lib)/systemd/network/{PLAIN_NAME}\.network")
TEMPLATES: Final = PurePosixPath("/etc/cloud/templates")
"""Where cloud-init's templates are: not ours, but one of them may be edited."""
_TEMPLATE: Final = re.compile(r"/etc/cloud/templates/hosts\.[a-z]{1,20}\.tmpl")

ROLLBACKS: Final = PurePosixPath("/run")
"""Where the scripts of rollbacks are, which are gone with the next boot."""
_RUN: Final = r"[0-9TZ]{1,20}-[0-9a-f]{1,8}"
_ROLLBACK: Final = re.compile(rf"/run/kthw-routes-undo-({_RUN})\.sh")

FOLDERS: Final = tuple(sorted({*(path.parent for path in _FIXED), networkd.FOLDER}))
"""The folders to search; the drop-ins of networkd are one folder further down."""


def is_own(path: PurePosixPath) -> bool:
    """Return whether a file of ours may be there."""
    return path in _FIXED or networkd.owns(path)


def rollback_unit(run: str) -> str:
    """Name the unit of a run's rollback, without an ending. Raises ValueError where `run` is not a run's name."""
    if not re.fullmatch(_RUN, run):
        raise ValueError(f"not the name of a run: {run!r}")
    return f"kthw-routes-undo-{run}"


def rollback_script(run: str) -> PurePosixPath:
    """Return the path of its script. Raises ValueError where `run` is not a run's name."""
    return ROLLBACKS / f"{rollback_unit(run)}.sh"


def claimed(script: PurePosixPath) -> PurePosixPath:
    """Return what a rollback's script is renamed to, by itself or by us to cancel it: only one of the two can.

    It is gone a moment later; one that a broken connection left there does nothing.
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


def new_file_for(target: PurePosixPath) -> PurePosixPath:
    """Return the path of the new file next to its target, in the same file system, so that it can be renamed over it.

    No reader takes it for a file of its own: it is hidden, and ends in neither `.yaml` nor `.conf`; run-parts leaves
    out names with a dot, NetworkManager's dispatcher those that begin with one. Our name is in its path.
    """
    return target.with_name(f".{target.name}{'' if _NAME in str(target) else f'.{_NAME}'}.new")


def is_new_file(path: PurePosixPath) -> bool:
    """Return whether `new_file_for` makes this of a file of ours, or of a template."""
    name = path.name
    if not (name.startswith(".") and name.endswith(".new")):
        return False
    target = path.with_name(name[1:-4] or ".")
    return is_own(target) or is_template(target.with_name(target.name.removesuffix(f".{_NAME}") or "."))
