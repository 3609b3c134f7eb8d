"""Which manager persists the routes on a host: by what was asked for, and by what was read there. Pure.

Never by distribution: the network of one Ubuntu is managed by netplan, that of the next by a file that Linode's Network
Helper writes, where a file of netplan's has no effect (measured).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from kthw_routes.facts import LinkSetup, NetworkSetup
from kthw_routes.overlay.model import DEVICE
from kthw_routes.persistence import netplan, networkd
from kthw_routes.persistence.managers import NAMES, files_of, ignored_reason, parse, unsupported_reason
from kthw_routes.persistence.model import Choice, Manager, Persist, PersistedRoute
from kthw_routes.persistence.text import listed
from kthw_routes.sanitize import clean_line

NOT_ASKED: Final = "it was not asked for"


def choose(asked: Persist, network: NetworkSetup, routes: Iterable[PersistedRoute]) -> Choice:
    """Choose the manager that persists these routes.

    Args:
        asked: what was asked for. With `none` it is the one that persists routes there already.
        network: how the host's network is configured.
        routes: those to keep after a reboot.
    """
    devices = sorted({route.device for route in routes})
    if asked is Persist.NONE:
        return _existing(network)
    if not devices:
        return Choice(None, "there is no route to keep")
    found = _choose_auto(devices, network)
    if asked is Persist.AUTO:
        return found
    manager = Manager(asked.value)
    if DEVICE in devices and manager is not Manager.UNIT:
        return Choice(None, "", _refusal(f"{NAMES[manager]} makes no overlay with its peers", found))
    broken = None if manager is Manager.UNIT else _broken_below(devices, network)
    if problem := broken or unsupported_reason(manager, devices, network):
        return Choice(None, "", _refusal(problem, found))
    return Choice(manager, _why(manager, devices, network))


def _existing(network: NetworkSetup) -> Choice:
    for manager in Manager:
        if any(parse(f) and not ignored_reason(f, network) for f in files_of(manager, network)):
            return Choice(manager, "its file exists already")
    return Choice(None, NOT_ASKED)


def _choose_auto(devices: Sequence[str], network: NetworkSetup) -> Choice:
    """Choose what `auto` takes: the one manager of all these interfaces, else a timer."""
    if broken := _broken_below(devices, network):
        return Choice(None, "", f"{broken}. Fix that first: at the next boot the network depends on these files.")
    if DEVICE in devices:
        problem = unsupported_reason(Manager.UNIT, devices, network)
        reason = "no network manager there makes the overlay with its peers"
        return Choice(None, "", f"{reason}, and {problem}.") if problem else Choice(Manager.UNIT, reason)
    by = {device: _manager_of(network.link(device) or LinkSetup(device), network) for device in devices}
    managers = set(by.values())
    if len(managers) == 1 and (only := managers.pop()) is not None:
        problem = unsupported_reason(only, devices, network)
        if problem is None:
            return Choice(only, _why(only, devices, network))
        reason = problem
    elif len(by) > 1 and any(by.values()):
        words = [_managed_by(network.link(d) or LinkSetup(d), manager) for d, manager in by.items()]
        reason = f"the interfaces have more than one manager: {'; '.join(words)}"
    else:
        reason = f"no known network manager configures {listed(devices)}"
    if problem := unsupported_reason(Manager.UNIT, devices, network):
        return Choice(None, "", f"{reason}, and {problem}.")
    return Choice(Manager.UNIT, reason)


def _broken_below(devices: Sequence[str], network: NetworkSetup) -> str | None:
    """Report netplan's error in the files on which one of these interfaces depends, as the end of a sentence."""
    links = (network.link(device) for device in devices)
    return netplan.problem_of(network) if any(link and netplan.id_of(link) for link in links) else None


def _manager_of(link: LinkSetup, network: NetworkSetup) -> Manager | None:
    """Return what manages one interface; None where that is not known."""
    if link.by_networkd:
        # Without the program nothing can be checked before it is written; a drop-in for what it generated works too.
        by_netplan = netplan.id_of(link) is not None and network.has_netplan
        return Manager.NETPLAN if by_netplan else Manager.NETWORKD
    if link.nm_connection:
        return Manager.NETWORKMANAGER
    return Manager.IFUPDOWN if link.by_ifupdown else None


def _managed_by(link: LinkSetup, manager: Manager | None) -> str:
    """Say what manages one interface."""
    match manager:
        case Manager.NETPLAN if link.by_networkd:
            return f"{link.device} is managed by netplan ({clean_line(str(link.network_file))})"
        case Manager.NETPLAN | Manager.NETWORKMANAGER:
            return f"{link.device} is managed by NetworkManager (connection {clean_line(link.nm_connection)})"
        case Manager.NETWORKD:
            return networkd.managed_by(link)
        case Manager.IFUPDOWN:
            return f"ifup brought up {link.device}"
        case _:
            return f"no known network manager configures {link.device}"


def _why(manager: Manager, devices: Sequence[str], network: NetworkSetup) -> str:
    """Return what indicates a manager that was asked for, or found."""
    if manager is Manager.UNIT:
        return "it works with every network manager"
    return "; ".join(_managed_by(network.link(d) or LinkSetup(d), manager) for d in devices)


def _refusal(problem: str, found: Choice) -> str:
    """Say why a manager that was asked for by name cannot keep the routes, and what would work."""
    if found.manager is None:
        return f"{problem}."
    return f"{problem}. `--persist auto` takes {NAMES[found.manager]} there: {found.reason}."
