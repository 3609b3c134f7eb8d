"""The units of a modelled systemd: what their files say, and in which state they are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kthw_routes.demo.linux.files import FileTree
from kthw_routes.demo.linux.ini_files import Section, merged, parse, span
from kthw_routes.demo.linux.nodes import AS_ROOT, FileError
from kthw_routes.demo.linux.scheduler import Appointment

if TYPE_CHECKING:
    from kthw_routes.demo.clock import Clock

FOLDERS: Final = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/transient",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""Where unit files lie; the first that holds one counts."""

ETC: Final = FOLDERS[0]
TRANSIENT: Final = "/run/systemd/transient"

RUNNING: Final = frozenset(
    {
        "basic.target",
        "multi-user.target",
        "network-online.target",
        "network.target",
        "ssh.service",
        "sysinit.target",
        "systemd-journald.service",
        "systemd-networkd.service",
        "timers.target",
    }
)
"""What runs on every host, without a file in the model."""

ACCURACY: Final = 60.0
"""Seconds that systemd lets a timer be late, where its unit does not say otherwise (systemd.timer(5))."""


class UnitError(Exception):
    """systemd refused something.

    Attributes:
        reason: what systemctl prints behind `Failed to …: `.
        status: the exit status of systemctl.
        is_all: whether systemctl prints no more than the reason.
    """

    def __init__(self, reason: str, status: int = 1, *, is_all: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.is_all = is_all


@dataclass(slots=True)
class Unit:
    """A unit that is loaded."""

    name: str
    path: str
    sections: list[Section]
    version: tuple[int, int]
    """Of its file when it was read: inode and writes."""
    transient: bool = False
    state: str = "inactive"
    """`active`, `inactive` or `failed`."""
    since: float | None = None
    """When it came into that state, on the host's clock; None before the first time."""
    activated: float | None = None
    deactivated: float | None = None
    status: int = 0
    """Of the last process."""
    triggered: float | None = None
    """When a timer fired last since it was started."""
    appointment: Appointment | None = None

    @property
    def kind(self) -> str:
        """`service`, `timer`, …"""
        return self.name.rpartition(".")[2]

    def section(self, name: str) -> Section:
        """Return all lines of a section."""
        return merged(self.sections, name)

    @property
    def description(self) -> str:
        """Its description, or its name."""
        return self.section("Unit").value("Description") or self.name

    @property
    def triggers(self) -> str:
        """The unit that a timer starts."""
        return self.section("Timer").value("Unit") or self.name.removesuffix(".timer") + ".service"

    @property
    def accuracy(self) -> float:
        """How late a timer may be, in seconds."""
        return _seconds(self.section("Timer").value("AccuracySec"), ACCURACY)

    @property
    def wanted_by(self) -> list[str]:
        """What pulls it in when it is enabled."""
        install = self.section("Install")
        return [word for key in ("WantedBy", "RequiredBy") for value in install.values(key) for word in value.split()]

    def set(self, state: str, clock: "Clock") -> None:
        """Go into a state."""
        now = clock.now()
        if state == "active":
            self.activated = now
        elif self.state == "active":
            self.deactivated = now
        self.state, self.since = state, now


def _seconds(text: str | None, default: float) -> float:
    found = span(text) if text else None
    return default if found is None else found


def full_name(name: str) -> str:
    """Complete a unit's name with its kind; `.service` where none is given."""
    kinds = ("service", "timer", "target", "socket", "path", "mount", "slice", "scope", "device")
    return name if name.rpartition(".")[2] in kinds else f"{name}.service"


def unit_path(files: FileTree, name: str) -> str | None:
    """Find the file of a unit; None where there is none."""
    for folder in FOLDERS:
        path = f"{folder}/{name}"
        try:
            if files.node(path, AS_ROOT).type == "file":
                return path
        except FileError:
            continue
    return None


def load(files: FileTree, name: str) -> Unit | None:
    """Load a unit from its file and its drop-ins; None where there is no file."""
    path = unit_path(files, name)
    if path is None:
        return None
    version = version_of(files, path)
    return Unit(name, path, sections_of(files, path, name), version, transient=path.startswith(TRANSIENT))


def version_of(files: FileTree, path: str) -> tuple[int, int]:
    """Return what changes when somebody writes to a file, or puts another in its place."""
    try:
        node = files.node(path, AS_ROOT)
    except FileError:
        return 0, 0
    return node.inode, node.version


def sections_of(files: FileTree, path: str, name: str) -> list[Section]:
    """Parse the file of a unit, and its drop-ins behind it."""
    who = AS_ROOT
    text = files.read(path, who).decode("utf-8", "replace")
    for folder in reversed(FOLDERS):
        try:
            names = files.names(f"{folder}/{name}.d", who)
        except FileError:
            continue
        for entry in names:
            if entry.endswith(".conf"):
                text += "\n" + files.read(f"{folder}/{name}.d/{entry}", who).decode("utf-8", "replace")
    return parse(text)


def next_elapse(unit: Unit, service: Unit | None, now: float, booted: float) -> float | None:
    """Compute when a timer fires next at the earliest; None where it never does again.

    As systemd.timer(5) has it: moments that count from an event in the past have passed once the timer has fired.
    """
    bases = {
        "OnActiveSec": unit.activated,
        "OnBootSec": booted,
        "OnStartupSec": booted,
        "OnUnitActiveSec": service.activated if service else None,
        "OnUnitInactiveSec": service.deactivated if service else None,
    }
    moments = []
    for key, value in unit.section("Timer").lines:
        base, seconds = bases.get(key), span(value)
        if base is None or seconds is None:
            continue
        if key.startswith("OnUnit"):
            base = max(base, unit.triggered or 0.0)
        if key.startswith("OnUnit") or base + seconds > now or unit.triggered is None:
            moments.append(max(base + seconds, now))
    return min(moments, default=None)
