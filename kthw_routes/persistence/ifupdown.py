"""ifupdown: a script that `ifup` runs once an interface is up.

Not a line `up …` in /etc/network/interfaces: one that fails leaves the interface half up, and Linode's Network Helper
overwrites that file (measured). The name has no dot: run-parts passes over any other in silence.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import HostFile, NetworkSetup
from kthw_routes.persistence import scripts
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.persistence.text import invalid_interface_names

PATH: Final = PurePosixPath("/etc/network/if-up.d/kthw-routes")

FORMER: Final = {'[ "$ADDRFAM" = inet ] || exit 0': '[ "${ADDRFAM:-inet}" = inet ] || exit 0'}
"""Line of an earlier version -> the one that took its place."""


def owns(path: PurePosixPath) -> bool:
    """Whether this is the path of a file that this module makes."""
    return path == PATH


def render(routes: Sequence[PersistedRoute], network: NetworkSetup) -> tuple[HostFile, ...]:
    """Render the script. Raises ValueError for a strange interface name."""
    return scripts.render(
        PATH,
        routes,
        "Puts the routes to the pods on other nodes back when ifup brings an interface up.",
        # ifupdown-ng (Alpine) sets no ADDRFAM.
        conditions=['[ "${ADDRFAM:-inet}" = inet ] || exit 0'],
        device="$IFACE",
        # An address of its own name, such as eth0:1, may be the one that reaches the next hops.
        pattern=lambda name: f"{name} | {name}:*",
    )


def parse(file: HostFile, network: NetworkSetup | None = None) -> tuple[PersistedRoute, ...]:
    """Parse the routes that the script puts back."""
    return scripts.parse(file)


def ignored_reason(file: HostFile, network: NetworkSetup) -> str | None:
    """Say why this host does not run the script, as the end of a sentence; None where it does."""
    if not any(link.by_ifupdown for link in network.links):
        return "ifup brought up none of the interfaces that the routes use"
    if not file.mode & 0o111:
        return f"it is not executable (its mode is {file.mode:04o})"
    return None


def unsupported_reason(devices: Iterable[str], network: NetworkSetup) -> str | None:
    """Say why it cannot keep routes through these interfaces, as the end of a sentence; None where it can."""
    wanted = sorted(set(devices))
    if problem := invalid_interface_names(wanted):
        return problem
    links = {device: network.link(device) for device in wanted}
    missing = next((d for d, link in links.items() if link is None or not link.by_ifupdown), None)
    return f"ifup did not bring up {missing}" if missing is not None else None
