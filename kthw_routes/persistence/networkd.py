"""systemd-networkd: a drop-in for the `.network` file that really configures the interface.

`/etc/systemd/network/<name of that file>.d/90-kthw-routes.conf` is read wherever the file itself lies, also below /run
where netplan writes, and outlives whoever rewrites the file at each boot (measured on 247, 252, 257). Routes come back
with our mark.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import PROTOCOL, HostFile, LinkSetup, NetworkSetup
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.persistence.text import (
    Files,
    Found,
    Lines,
    by_device,
    content,
    heading,
    ini_sections,
    invalid_interface_names,
    listed,
    persisted,
    text_of,
)
from kthw_routes.sanitize import PLAIN_NAME, clean_line, is_plain_name

FOLDER: Final = PurePosixPath("/etc/systemd/network")
_FILE_NAME: Final = "90-kthw-routes.conf"
_PATH: Final = re.compile(rf"{FOLDER}/{PLAIN_NAME}\.network\.d/{re.escape(_FILE_NAME)}")
_READABLE: Final = 0o044
_NETWORK_HELPER: Final = re.compile(r"/etc/systemd/network/05-eth\d+\.network")


def owns(path: PurePosixPath) -> bool:
    """Whether this is the path of a file that this module makes."""
    return _PATH.fullmatch(str(path)) is not None


def folder_for(network_file: PurePosixPath) -> PurePosixPath:
    """Return the folder of drop-ins for a file of systemd-networkd."""
    return FOLDER / f"{network_file.name}.d"


def folder_of(link: LinkSetup) -> PurePosixPath | None:
    """Return the folder of drop-ins for one interface; None where systemd-networkd does not manage it."""
    if not link.by_networkd or link.network_file is None or not is_plain_name(link.network_file.name):
        return None
    return folder_for(link.network_file)


def render(routes: Sequence[PersistedRoute], network: NetworkSetup) -> tuple[HostFile, ...]:
    """Render a drop-in per interface. Raises ValueError for an interface that systemd-networkd does not manage."""
    made: list[HostFile] = []
    for device, group in by_device(routes).items():
        link = network.link(device)
        folder = folder_of(link) if link else None
        if folder is None:
            raise ValueError(f"{device} is not managed by systemd-networkd")
        lines = heading(f"The routes to the pods on other nodes, through {device}.")
        for route in group:
            lines += [
                "",
                "[Route]",
                f"Destination={route.prefix}",
                f"Gateway={route.next_hop}",
                f"Protocol={PROTOCOL}",
            ]
        made.append(HostFile(folder / _FILE_NAME, 0o644, content(lines)))
    return tuple(made)


def parse(file: HostFile, network: NetworkSetup | None = None) -> tuple[PersistedRoute, ...]:
    """Parse the routes of a drop-in."""
    links = [link for link in network.links if folder_of(link) == file.path.parent] if network else []
    device = links[0].device if links else ""
    lines = dict(enumerate(text_of(file).splitlines(), 1))
    found = (persisted(s["destination"][0], s["gateway"][0], device) for s in _route_sections(lines))
    return tuple(route for route in found if route is not None)


def _route_sections(lines: Lines) -> Iterator[dict[str, tuple[str, int]]]:
    """Find the [Route] sections that name a destination and a gateway; of a key given twice the last counts.

    Yields of each its values, with their lines, by key in small letters.
    """
    sections = (keys for name, keys in ini_sections(lines) if name == "Route")
    yield from (keys for keys in sections if {"destination", "gateway"} <= keys.keys())


def stated(files: Files, links: Sequence[LinkSetup]) -> Iterator[Found]:
    """Find the routes that the file of these interfaces, or a drop-in of somebody else's for it, states."""
    managed = [link for link in links if link.by_networkd]
    places = {link.network_file for link in managed} | {folder_of(link) for link in managed}
    for path, lines in files.items():
        is_drop_in = path.suffix == ".conf" and path.parent in places and path.name != _FILE_NAME
        if path.parent == FOLDER or is_drop_in:
            for keys in _route_sections(lines) if is_drop_in or path in places else ():
                table, kind = keys.get("table", ("main", 0))[0], keys.get("type", ("unicast", 0))[0]
                route = persisted(keys["destination"][0], keys["gateway"][0])
                if route is not None and table in ("main", "254") and kind == "unicast":
                    yield path, keys["gateway"][1], route


def setup_for(file: HostFile) -> NetworkSetup:
    """Make a network for which this drop-in would be written as it is, if it is one of ours."""
    return NetworkSetup(links=(LinkSetup("eth0", network_file=FOLDER / file.path.parent.name.removesuffix(".d")),))


def ignored_reason(file: HostFile, network: NetworkSetup) -> str | None:
    """Say why this host does not read the drop-in, as the end of a sentence; None where it does."""
    managed = [link for link in network.links if link.by_networkd]
    if not managed:
        return "systemd-networkd manages none of the interfaces that the routes use"
    if not any(folder_of(link) == file.path.parent for link in managed):
        by = listed([f"{link.device} by {clean_line(str(link.network_file))}" for link in managed])
        return f"systemd-networkd manages {by}, not by {file.path.parent.name.removesuffix('.d')}"
    if not file.mode & _READABLE:
        return f"systemd-networkd may not read it (its mode is {file.mode:04o})"
    return None


def unsupported_reason(devices: Iterable[str], network: NetworkSetup) -> str | None:
    """Say why it cannot keep routes through these interfaces, as the end of a sentence; None where it can."""
    wanted = sorted(set(devices))
    if problem := invalid_interface_names(wanted):
        return problem
    for device in wanted:
        link = network.link(device)
        if link is None or not link.by_networkd:
            return f"{device} is not managed by systemd-networkd"
        if folder_of(link) is None:
            return (
                f"systemd-networkd manages {device} by a file of a strange name: {clean_line(str(link.network_file))}"
            )
        # A route whose next hop the second interface does not reach keeps it, and the boot, waiting (measured).
        shared = next((o for o in network.others(device) if folder_of(o) == folder_of(link)), None)
        if shared:
            return f"{link.network_file} is for both {device} and {shared.device}, so both would get the routes"
    return None


def managed_by(link: LinkSetup) -> str:
    """Say what manages an interface: `eth0 is managed by systemd-networkd (/etc/systemd/network/05-eth0.network)`."""
    also = ", written by Linode's Network Helper" if _NETWORK_HELPER.fullmatch(str(link.network_file)) else ""
    return f"{link.device} is managed by systemd-networkd ({clean_line(str(link.network_file))}{also})"
