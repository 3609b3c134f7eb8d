"""NetworkManager: a dispatcher script, which it runs when one of its interfaces came up or changed.

Not `ipv4.routes` of a connection: such routes come back without our mark, at metric 100, and one with another next hop
is added to the old (measured).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import HostFile, LinkSetup, NetworkSetup
from kthw_routes.persistence import ifcfg, scripts
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.persistence.text import Files, Found, ini_sections, invalid_interface_names, persisted

PATH: Final = PurePosixPath("/etc/NetworkManager/dispatcher.d/90-kthw-routes")
PROFILES: Final = PurePosixPath("/etc/NetworkManager/system-connections")
"""Where its profiles are that outlast a boot."""
_ROUTE: Final = re.compile(r"routes?[0-9]+")
_OTHER_TABLE: Final = re.compile(r"table=(?!254\b)|type=(?!unicast\b)")
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


def stated(files: Files, links: Sequence[LinkSetup]) -> Iterator[Found]:
    """Find the routes that the profiles by which NetworkManager manages these interfaces state."""
    connections = {link.nm_connection for link in links if not link.by_networkd and link.nm_connection}
    for path, lines in files.items() if connections else ():
        if path.parent != PROFILES or path.name.startswith("."):
            continue
        sections = dict(ini_sections(lines))
        connection, ipv4 = sections.get("connection", {}), sections.get("ipv4", {})
        name, is_automatic = connection.get("id", (path.stem, 0))[0], connection.get("autoconnect", ("true", 0))[0]
        if name in connections and is_automatic.casefold() not in ("false", "no", "0"):
            yield from ((path, line, route) for route, line in _routes_of(ipv4))
    yield from ifcfg.stated(files, links)


def _routes_of(ipv4: Mapping[str, tuple[str, int]]) -> Iterator[tuple[PersistedRoute, int]]:
    """Yield the routes `routeN=PREFIX,NEXT HOP[,METRIC]` of the main table."""
    for key, (value, line) in ipv4.items():
        options = ipv4.get(f"{key}_options", ("", 0))[0]
        if _ROUTE.fullmatch(key) and not _OTHER_TABLE.search(options):
            prefix, _, rest = value.partition(",")
            if (route := persisted(prefix.strip(), rest.partition(",")[0].strip())) is not None:
                yield route, line
