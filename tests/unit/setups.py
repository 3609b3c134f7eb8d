"""How hosts' networks are configured, as tests of persistence need it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from kthw_routes.facts import HostFile, LinkSetup, NetworkSetup
from kthw_routes.persistence import readers, unit
from kthw_routes.persistence.model import Manager, PersistedRoute

from .builders import ip, net

NETWORK_HELPER = PurePosixPath("/etc/systemd/network/05-eth0.network")
GENERATED = PurePosixPath("/run/systemd/network/10-netplan-eth0.network")


def ruled(device: str = "eth0", file: PurePosixPath = NETWORK_HELPER) -> LinkSetup:
    """An interface that systemd-networkd manages."""
    return LinkSetup(device, network_file=file, networkd_state="routable (configured)")


AT_WORK = frozenset({*((name, "enabled") for name in readers.UNITS[:-1]), (readers.TIMERS, "static")})
"""Every reader starts at boot."""
BARE = NetworkSetup(links=(LinkSetup("eth0"),), has_systemd=True, unit_states=AT_WORK)
"""systemd, and no known manager of eth0."""
LINODE = replace(BARE, links=(ruled(),), has_netplan=True, netplan="network:\n  version: 2\n")
"""An Ubuntu of Linode's: netplan is there, and manages nothing."""
NETPLAN = replace(
    BARE,
    links=(ruled(file=GENERATED),),
    has_netplan=True,
    netplan="network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n",
)
SET_NAME = replace(
    NETPLAN,
    links=(ruled(file=PurePosixPath("/run/systemd/network/10-netplan-id0.network")),),
    netplan="network:\n  version: 2\n  ethernets:\n    id0:\n      set-name: eth0\n",
)
"""netplan's id of the interface is not its name."""
BIONIC = replace(NETPLAN, netplan="")
"""A netplan without `get`."""
DEBIAN = replace(BARE, links=(LinkSetup("eth0", networkd_state="routable (unmanaged)", by_ifupdown=True),))
ALMA = replace(BARE, links=(LinkSetup("eth0", nm_connection="System eth0"),))
DESKTOP = replace(NETPLAN, links=(LinkSetup("eth0", nm_connection="netplan-eth0"),))
"""netplan, with NetworkManager under it."""
ALPINE = NetworkSetup(
    links=(LinkSetup("eth0", by_ifupdown=True),), unit_states=frozenset({(readers.NETWORKING, "enabled")})
)
NOTHING = NetworkSetup(links=(LinkSetup("eth0"),))

FITTING = {
    Manager.NETPLAN: NETPLAN,
    Manager.NETWORKD: LINODE,
    Manager.IFUPDOWN: DEBIAN,
    Manager.NETWORKMANAGER: ALMA,
    Manager.UNIT: BARE,
}
"""One host for each manager, whose interface it manages."""

ALL = {
    "BARE": BARE,
    "LINODE": LINODE,
    "NETPLAN": NETPLAN,
    "SET_NAME": SET_NAME,
    "BIONIC": BIONIC,
    "DEBIAN": DEBIAN,
    "ALMA": ALMA,
    "DESKTOP": DESKTOP,
    "ALPINE": ALPINE,
    "NOTHING": NOTHING,
}


def held(number: int, *, via: int | None = None, device: str = "eth0") -> PersistedRoute:
    """The route to worker-`number`'s pods."""
    hop = ip("192.168.128.10") + (number if via is None else via)
    return PersistedRoute(net(f"10.200.{number}.0/24"), hop, device)


def standing(network: NetworkSetup, *files: HostFile) -> NetworkSetup:
    """With these files in the place of those that stand there, and what follows of them on a real host."""
    folders = frozenset(f.path.parent for f in files)
    timer = any(f.path == unit.TIMER for f in files)
    return replace(
        network,
        files=tuple(sorted(files, key=lambda f: f.path)),
        folders=folders,
        timer_is_enabled=timer,
        timer_is_active=timer,
    )


def with_links(network: NetworkSetup, links: Iterable[LinkSetup]) -> NetworkSetup:
    """With other interfaces."""
    return replace(network, links=tuple(links))
