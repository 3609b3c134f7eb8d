"""Which routes the files of ours on a host hold: what makes a route ours that came back without its mark."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.observed import HostFile

Held = Mapping[tuple[IPv4Network, IPv4Address | None], str]
"""(prefix, next hop) -> the path of the file that holds it."""


def held_in(files: Iterable[HostFile]) -> Held:
    """What these files hold; a file that is not understood holds nothing."""
    return {}
