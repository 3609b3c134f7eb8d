"""All managers: which module makes, reads and judges whose files."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath
from typing import Final, Protocol

from kthw_routes.facts import HostFile, NetworkSetup
from kthw_routes.persistence import ifupdown, netplan, networkd, networkmanager, overlay_script, readers, unit
from kthw_routes.persistence.model import Manager, PersistedRoute


class RouteFiles(Protocol):
    """What a manager's module can do; pure, all of it."""

    def owns(self, path: PurePosixPath) -> bool:
        """Whether this is the path of a file that the module makes."""

    def render(self, routes: Sequence[PersistedRoute], network: NetworkSetup) -> tuple[HostFile, ...]:
        """Render the whole files that keep these routes; none for no routes. Raises ValueError where none can."""

    def parse(self, file: HostFile, network: NetworkSetup | None = None) -> tuple[PersistedRoute, ...]:
        """Parse the routes of a file, in its order; none of one that is not understood.

        The device is empty where neither the file nor, through it, the host's network names it.
        """

    def ignored_reason(self, file: HostFile, network: NetworkSetup) -> str | None:
        """Say why this host does not read the file, as the end of a sentence; None where it does."""

    def unsupported_reason(self, devices: Iterable[str], network: NetworkSetup) -> str | None:
        """Say why it cannot keep routes through these interfaces, as the end of a sentence; None where it can."""


MODULES: Final[Mapping[Manager, RouteFiles]] = {
    Manager.NETPLAN: netplan,
    Manager.NETWORKD: networkd,
    Manager.IFUPDOWN: ifupdown,
    Manager.NETWORKMANAGER: networkmanager,
    Manager.UNIT: unit,
}

NAMES: Final[Mapping[Manager, str]] = {
    Manager.NETPLAN: "netplan",
    Manager.NETWORKD: "systemd-networkd",
    Manager.IFUPDOWN: "ifupdown",
    Manager.NETWORKMANAGER: "NetworkManager",
    Manager.UNIT: "a systemd timer",
}
"""The managers, as people call them."""


def manager_of(path: PurePosixPath) -> Manager | None:
    """Return the manager that reads a file of ours; None where it is not ours, or has no routes (forwarding)."""
    return next((manager for manager, module in MODULES.items() if module.owns(path)), None)


def files_of(manager: Manager, network: NetworkSetup) -> tuple[HostFile, ...]:
    """Return the files of ours on a host for one manager."""
    return tuple(file for file in network.files if MODULES[manager].owns(file.path))


def parse(file: HostFile, network: NetworkSetup | None = None) -> tuple[PersistedRoute, ...]:
    """Parse the routes of any file of ours."""
    manager = manager_of(file.path)
    return MODULES[manager].parse(file, network) if manager else ()


def ignored_reason(file: HostFile, network: NetworkSetup) -> str | None:
    """Say why this host does not read a file of ours, as the end of a sentence; None where it does."""
    manager = manager_of(file.path)
    if manager is None:
        return None
    return MODULES[manager].ignored_reason(file, network) or readers.idle_reason(manager, network)


def unsupported_reason(manager: Manager, devices: Iterable[str], network: NetworkSetup) -> str | None:
    """Say why a manager cannot keep routes through these interfaces there, as the end of a sentence; None where it can.

    It has to manage them, and something has to read its files at boot.
    """
    return MODULES[manager].unsupported_reason(devices, network) or readers.idle_reason(manager, network)


def rewritten(file: HostFile) -> HostFile | None:
    """Render a file of ours again, with the routes that it has; None where it is not one that we write.

    Only its comments show whether this version or another wrote it.
    """
    manager = manager_of(file.path)
    if file.path == overlay_script.PATH:
        state = overlay_script.parse(file)
        return overlay_script.render(state) if state is not None else None
    if manager is Manager.UNIT and file.path != unit.BATCH:
        fixed = unit.fixed(has_overlay=file.path == unit.SERVICE and unit.runs_overlay(file))
        return next(one for one in fixed if one.path == file.path)
    setups = {Manager.NETPLAN: netplan.setup_for, Manager.NETWORKD: networkd.setup_for}
    if manager is None:
        return None
    network = setups[manager](file) if manager in setups else NetworkSetup()
    try:
        made = MODULES[manager].render(MODULES[manager].parse(file, network), network)
    except ValueError:  # an interface of a strange name
        return None
    return next((one for one in made if one.path == file.path), None)


Persisted = Mapping[tuple[IPv4Network, IPv4Address | None], str]
"""(prefix, next hop) -> the short name of the file that keeps it."""


def persisted_in(files: Iterable[HostFile]) -> Persisted:
    """Collect the routes that these files keep; none of a file that is not understood."""
    persisted: dict[tuple[IPv4Network, IPv4Address | None], str] = {}
    for file in files:
        for route in parse(file):
            persisted.setdefault((route.prefix, route.next_hop), short_name(file.path))
    return persisted


def short_name(path: PurePosixPath) -> str:
    """Return the name of a file with that of its folder: `netplan/90-kthw-routes.yaml`, `if-up.d/kthw-routes`."""
    return f"{path.parent.name}/{path.name}"
