"""What reads files at boot: a file whose reader is not at work then keeps no route, whoever wrote it. Pure.

Measured: what `systemctl disable NetworkManager-dispatcher` removes is the alias by which D-Bus starts it, and no
script runs any more; netplan's generator enables systemd-networkd at each boot, whatever `systemctl disable` did.
"""

from typing import Final

from kthw_routes.facts import LinkSetup, NetworkSetup
from kthw_routes.persistence import netplan
from kthw_routes.persistence.model import Manager

NETWORKD: Final = "systemd-networkd.service"
NETWORKING: Final = "networking.service"
NETWORKMANAGER: Final = "NetworkManager.service"
DISPATCHER: Final = "NetworkManager-dispatcher.service"
TIMERS: Final = "timers.target"
UNITS: Final = (NETWORKD, NETWORKING, NETWORKMANAGER, DISPATCHER, TIMERS)
"""The units without which a manager's files have no reader at boot."""

_ENABLED: Final = frozenset({"enabled", "alias", "generated"})
_BY_OTHERS: Final = _ENABLED | {"static", "indirect"}
"""What is enough for a unit that others start."""
_NO_SYSTEMD: Final = "systemd is not the init there"


def idle_reason(manager: Manager, network: NetworkSetup) -> str | None:
    """Say why nothing reads a manager's files at boot there, as the end of a sentence; None where something does.

    A reader of which nothing is known is none: nothing is promised on it.
    """
    if manager is Manager.IFUPDOWN:
        return _idle(NETWORKING, network)
    if not network.has_systemd:
        return _NO_SYSTEMD
    match manager:
        case Manager.NETPLAN:
            return _netplan(network)
        case Manager.NETWORKD:
            # A drop-in for a file that netplan generates: netplan then also starts who reads both.
            by_netplan = any(link.by_networkd and netplan.id_of(link) for link in network.links)
            return _networkd(network, by_netplan=by_netplan)
        case Manager.NETWORKMANAGER:
            return _idle(NETWORKMANAGER, network) or _idle(DISPATCHER, network, _BY_OTHERS)
        case Manager.UNIT:
            return _idle(TIMERS, network, _BY_OTHERS)


def profiles_idle_reason(network: NetworkSetup) -> str | None:
    """Say why NetworkManager does not read its profiles at boot, likewise; they need no dispatcher."""
    return _idle(NETWORKMANAGER, network) if network.has_systemd else _NO_SYSTEMD


def _netplan(network: NetworkSetup) -> str | None:
    """Say what of netplan is missing: its generator, or who reads what that makes."""
    if netplan.GENERATOR in network.overridden:
        return f"{netplan.GENERATOR} stands in for netplan's generator"
    links = [link for link in network.links if netplan.id_of(link)]
    reasons = (_renderer(link, network) for link in links)
    return next((reason for reason in reasons if reason), None)


def _renderer(link: LinkSetup, network: NetworkSetup) -> str | None:
    return _networkd(network, by_netplan=True) if link.by_networkd else _idle(NETWORKMANAGER, network)


def _networkd(network: NetworkSetup, *, by_netplan: bool) -> str | None:
    return _idle(NETWORKD, network, _ENABLED | {"enabled-runtime"} if by_netplan else _ENABLED)


def _idle(unit: str, network: NetworkSetup, enough: frozenset[str] = _ENABLED) -> str | None:
    state = network.unit_state(unit)
    if state in enough:
        return None
    if state is None:
        return f"whether {unit} is at work at boot could not be read"
    return f"{unit} is {state or 'not installed'} there, so nothing reads such files at boot"
