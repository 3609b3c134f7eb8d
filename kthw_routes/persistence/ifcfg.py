"""ifcfg-rh: the routes in /etc/sysconfig/network-scripts that NetworkManager reads on Red Hat and its kin. Pure.

`route-NAME` belongs to `ifcfg-NAME`, which is in use where NetworkManager manages an interface by the connection that
it describes. The old service `network`, which reads the same files, is not followed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import LinkSetup
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.persistence.text import Files, Found, Lines, persisted

FOLDER: Final = PurePosixPath("/etc/sysconfig/network-scripts")
_SETTING: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)=(\"[^\"]*\"|'[^']*'|[^\s#\"']*)\s*(?:#.*)?")
_ROUTE: Final = re.compile(r"\s*(?:to\s+)?(?P<prefix>[0-9][0-9./]*)\s(?:.*\s)?via\s+(?P<hop>[0-9.]+)(?P<rest>\s.*)?")
_OTHER_TABLE: Final = re.compile(r"\b(?:table (?!main\b|254\b)|vrf |tos |dsfield )")


def stated(files: Files, links: Sequence[LinkSetup]) -> Iterator[Found]:
    """Find the routes of the connections by which NetworkManager manages these interfaces."""
    connections = {link.nm_connection for link in links if not link.by_networkd and link.nm_connection}
    for path, lines in files.items() if connections else ():
        if path.parent != FOLDER or not path.name.startswith("ifcfg-"):
            continue
        settings, suffix = _settings(lines), path.name.removeprefix("ifcfg-")
        name = settings.get("NAME", ("", 0))[0] or f"System {suffix}"
        if name in connections and settings.get("ONBOOT", ("yes", 0))[0].casefold() not in ("no", "false", "0"):
            routes = FOLDER / f"route-{suffix}"
            yield from ((routes, line, route) for line, route in _routes(files.get(routes, {})))


def _settings(lines: Lines) -> dict[str, tuple[str, int]]:
    """Return the settings `KEY=value` of a file that a shell could read: value and line."""
    found = {}
    for number, text in lines.items():
        if match := _SETTING.fullmatch(text):
            found[match[1]] = match[2].strip("\"'"), number
    return found


def _routes(lines: Lines) -> Iterator[tuple[int, PersistedRoute]]:
    """Yield the routes of a file: lines as `ip route add` takes them, or ADDRESS0, NETMASK0, GATEWAY0 and so on."""
    settings = _settings(lines)
    for number in sorted(lines):
        match = _ROUTE.fullmatch(lines[number].partition("#")[0].rstrip())
        route = persisted(match["prefix"], match["hop"]) if match is not None else None
        if route is not None and not _OTHER_TABLE.search(lines[number]):
            yield number, route
    for key, (gateway, number) in settings.items():
        index = key.removeprefix("GATEWAY")
        if key == index or not index.isdigit() or _OTHER_TABLE.search(settings.get(f"OPTIONS{index}", ("", 0))[0]):
            continue
        prefix = _prefix(settings, index)
        if prefix is not None and (route := persisted(prefix, gateway)) is not None:
            yield number, route


def _prefix(settings: Mapping[str, tuple[str, int]], index: str) -> str | None:
    address = settings.get(f"ADDRESS{index}", ("", 0))[0]
    length = next((settings[key][0] for key in (f"PREFIX{index}", f"NETMASK{index}") if key in settings), "")
    try:
        return str(IPv4Network(f"{address}/{length}")) if length else None
    except (AddressValueError, NetmaskValueError, ValueError):
        return None
