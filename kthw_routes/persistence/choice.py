"""Who is to hold the routes on a host: by what was asked for, and by what was observed there. Pure.

By observation and never by distribution: the same Ubuntu is ruled by netplan on one machine and by a file that Linode's
Network Helper writes on the next, where a file of netplan's has no effect (measured).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from kthw_routes.facts import LinkSetup, NetworkSetup
from kthw_routes.persistence import netplan, networkd
from kthw_routes.persistence.managers import MODULES, NAMES, files_of
from kthw_routes.persistence.model import Choice, Manager, Persist, PersistedRoute
from kthw_routes.persistence.text import listed
from kthw_routes.sanitize import clean_line

NOT_ASKED: Final = "it was not asked for"


def choose(asked: Persist, network: NetworkSetup, routes: Iterable[PersistedRoute]) -> Choice:
    """Who is to hold these routes.

    Args:
        asked: what was asked for. With `none` it is whoever holds routes there already.
        network: how the host's network is configured.
        routes: those that should survive a reboot.
    """
    devices = sorted({route.device for route in routes})
    if asked is Persist.NONE:
        return _standing(network)
    if not devices:
        return Choice(None, "there is no route to hold")
    found = _observed(devices, network)
    if asked is Persist.AUTO:
        return found
    manager = Manager(asked.value)
    broken = None if manager is Manager.UNIT else _broken_below(devices, network)
    if problem := broken or MODULES[manager].unsupported_reason(devices, network):
        return Choice(None, "", _refusal(problem, found))
    return Choice(manager, _why(manager, devices, network))


def _standing(network: NetworkSetup) -> Choice:
    for manager in Manager:
        module = MODULES[manager]
        if any(module.parse(f) and not module.ignored_reason(f, network) for f in files_of(manager, network)):
            return Choice(manager, "its file stands there already")
    return Choice(None, NOT_ASKED)


def _observed(devices: Sequence[str], network: NetworkSetup) -> Choice:
    """What `auto` takes: the one manager of all these interfaces, else a timer."""
    if broken := _broken_below(devices, network):
        return Choice(None, "", f"{broken}. Mend that first: at the next boot the network hangs on these files.")
    by = {device: _ruler(network.link(device) or LinkSetup(device), network) for device in devices}
    rulers = set(by.values())
    if len(rulers) == 1 and (only := rulers.pop()) is not None:
        problem = MODULES[only].unsupported_reason(devices, network)
        if problem is None:
            return Choice(only, _why(only, devices, network))
        reason = problem
    elif len(by) > 1 and any(by.values()):
        words = [_ruled(network.link(d) or LinkSetup(d), manager) for d, manager in by.items()]
        reason = f"more than one rules the interfaces: {'; '.join(words)}"
    else:
        reason = f"no manager of networks that is known here rules {listed(devices)}"
    if problem := MODULES[Manager.UNIT].unsupported_reason(devices, network):
        return Choice(None, "", f"{reason}, and {problem}.")
    return Choice(Manager.UNIT, reason)


def _broken_below(devices: Sequence[str], network: NetworkSetup) -> str | None:
    """Report netplan's error in the files on which one of these interfaces depends, as the end of a sentence."""
    links = (network.link(device) for device in devices)
    return netplan.problem_of(network) if any(link and netplan.id_of(link) for link in links) else None


def _ruler(link: LinkSetup, network: NetworkSetup) -> Manager | None:
    """Who rules one interface; None where that is not known."""
    if link.by_networkd:
        # Without the program nothing can be checked before it is written; a drop-in for what it generated works too.
        by_netplan = netplan.id_of(link) is not None and network.has_netplan
        return Manager.NETPLAN if by_netplan else Manager.NETWORKD
    if link.nm_connection:
        return Manager.NETWORKMANAGER
    return Manager.IFUPDOWN if link.by_ifupdown else None


def _ruled(link: LinkSetup, manager: Manager | None) -> str:
    """Who rules one interface, in words."""
    match manager:
        case Manager.NETPLAN if link.by_networkd:
            return f"netplan brings up {link.device} ({clean_line(str(link.network_file))})"
        case Manager.NETPLAN | Manager.NETWORKMANAGER:
            return f"NetworkManager rules {link.device} by its connection {clean_line(link.nm_connection)}"
        case Manager.NETWORKD:
            return networkd.ruler(link)
        case Manager.IFUPDOWN:
            return f"ifup brought up {link.device}"
        case _:
            return f"nobody that is known here rules {link.device}"


def _why(manager: Manager, devices: Sequence[str], network: NetworkSetup) -> str:
    """What speaks for a manager that was asked for, or found."""
    if manager is Manager.UNIT:
        return "it works beside every manager of networks"
    return "; ".join(_ruled(network.link(d) or LinkSetup(d), manager) for d in devices)


def _refusal(problem: str, found: Choice) -> str:
    """Why a manager that was asked for by name cannot hold the routes, and what would work."""
    if found.manager is None:
        return f"{problem}."
    return f"{problem}. `--persist auto` takes {NAMES[found.manager]} there: {found.reason}."
