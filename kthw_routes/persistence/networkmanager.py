"""NetworkManager: a dispatcher script, which it runs when one of its interfaces came up or changed.

Not `ipv4.routes` of a connection: such routes come back without our mark, at metric 100, and one with another next hop
is added to the old (measured).
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import HostFile, NetworkSetup
from kthw_routes.persistence import scripts
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.persistence.text import invalid_interface_names

PATH: Final = PurePosixPath("/etc/NetworkManager/dispatcher.d/90-kthw-routes")
_BY_OTHERS: Final = 0o022


def owns(path: PurePosixPath) -> bool:
    """Whether this is the path of a file that this module makes."""
    return path == PATH


def render(routes: Sequence[PersistedRoute], network: NetworkSetup) -> tuple[HostFile, ...]:
    """Render the script. Raises ValueError for a strange interface name."""
    return scripts.render(
        PATH,
        routes,
        "Puts the routes to the pods on other nodes back when NetworkManager brings an interface up.",
        conditions=['case "$2" in', "up | reapply | dhcp4-change) ;;", "*) exit 0 ;;", "esac"],
        device="$1",
    )


def parse(file: HostFile, network: NetworkSetup | None = None) -> tuple[PersistedRoute, ...]:
    """Parse the routes that the script puts back."""
    return scripts.parse(file)


def ignored_reason(file: HostFile, network: NetworkSetup) -> str | None:
    """Say why this host does not run the script, as the end of a sentence; None where it does."""
    if not any(link.nm_connection for link in network.links):
        return "NetworkManager manages none of the interfaces that the routes use"
    if not file.mode & 0o100:
        return f"it is not executable (its mode is {file.mode:04o})"
    if file.mode & _BY_OTHERS:
        return f"NetworkManager runs no script that others than root may write (its mode is {file.mode:04o})"
    return None


def unsupported_reason(devices: Iterable[str], network: NetworkSetup) -> str | None:
    """Say why it cannot keep routes through these interfaces, as the end of a sentence; None where it can."""
    wanted = sorted(set(devices))
    if problem := invalid_interface_names(wanted):
        return problem
    links = {device: network.link(device) for device in wanted}
    missing = next((d for d, link in links.items() if link is None or not link.nm_connection), None)
    return f"{missing} is not managed by NetworkManager" if missing is not None else None
