"""Which routes the files of ours on a host hold: what makes a route ours that came back without its mark."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath

from kthw_routes.facts import HostFile
from kthw_routes.persistence import managers

Held = Mapping[tuple[IPv4Network, IPv4Address | None], str]
"""(prefix, next hop) -> the short name of the file that holds it."""


def held_in(files: Iterable[HostFile]) -> Held:
    """What these files hold; a file that is not understood holds nothing."""
    held: dict[tuple[IPv4Network, IPv4Address | None], str] = {}
    for file in files:
        for route in managers.entries(file):
            held.setdefault((route.prefix, route.next_hop), short_name(file.path))
    return held


def short_name(path: PurePosixPath) -> str:
    """The name of a file with that of its folder: `netplan/90-kthw-routes.yaml`, `if-up.d/kthw-routes`."""
    return f"{path.parent.name}/{path.name}"
