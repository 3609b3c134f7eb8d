"""netplan: a file of our own that netplan merges with the others, for interfaces that netplan itself manages.

The name in it is netplan's id of the interface, never the kernel's: with the wrong one netplan generates a second file
that takes the interface over without an address (measured). The id is in the name of the file that netplan
generated. Routes come back as `proto static`: netplan cannot mark them.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from kthw_routes.facts import HostFile, LinkSetup, NetworkSetup
from kthw_routes.persistence import yaml_documents
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.persistence.text import (
    Files,
    Found,
    by_device,
    content,
    heading,
    invalid_interface_names,
    listed,
    persisted,
    text_of,
    whole_text,
)
from kthw_routes.sanitize import clean_line, is_plain_name

if TYPE_CHECKING:
    from yaml.nodes import Node

PATH: Final = PurePosixPath("/etc/netplan/90-kthw-routes.yaml")
GENERATOR: Final = PurePosixPath("/etc/systemd/system-generators/netplan")
"""What would stand in for netplan's own generator; mostly a link to /dev/null, to switch it off."""
FOLDERS: Final = (PATH.parent, PurePosixPath("/lib/netplan"))
"""Where its files are that outlast a boot; of one name the first counts."""
_NAMES_NETWORK: Final = re.compile(r"\bto[\"']?\s*:\s*[\"']?[0-9]")
_GENERATED: Final = PurePosixPath("/run/systemd/network")
_GENERATED_NAME: Final = re.compile(r"10-netplan-(.+)\.network")
_CONNECTION: Final = re.compile(r"netplan-(.+)")
_MAX_ID_LENGTH: Final = 64
_PLAIN_ID: Final = re.compile(r"[a-z]{2,}[0-9][a-z0-9]*")
_SECTIONS: Final = ("ethernets", "bonds", "vlans", "bridges", "wifis", "modems", "tunnels", "vrfs", "dummy-devices")


def owns(path: PurePosixPath) -> bool:
    """Whether this is the path of a file that this module makes."""
    return path == PATH


def id_of(link: LinkSetup) -> str | None:
    """Return netplan's id of an interface that netplan manages; None for any other."""
    if link.by_networkd and link.network_file is not None:
        found = _GENERATED_NAME.fullmatch(link.network_file.name) if link.network_file.parent == _GENERATED else None
    else:
        found = _CONNECTION.fullmatch(link.nm_connection)
    name = found[1] if found else ""
    return name if len(name) <= _MAX_ID_LENGTH and is_plain_name(name) else None


def render(routes: Sequence[PersistedRoute], network: NetworkSetup) -> tuple[HostFile, ...]:
    """Render the file. Raises ValueError for an interface that netplan does not manage."""
    sections: dict[str, dict[str, list[PersistedRoute]]] = {}
    known = _definitions(network.netplan)
    for device, group in by_device(routes).items():
        link = network.link(device)
        name = id_of(link) if link else None
        if name is None:
            raise ValueError(f"{device} is not managed by netplan")
        sections.setdefault(known.get(name, "ethernets"), {}).setdefault(name, []).extend(group)
    if not sections:
        return ()
    lines = [*heading("The routes to the pods on other nodes; netplan merges them with its other files."), "network:"]
    lines.append("  version: 2")
    for section in sorted(sections):
        lines.append(f"  {section}:")
        for name in sorted(sections[section]):
            lines += [f"    {_key(name)}:", "      routes:"]
            for route in sections[section][name]:
                lines += [f"        - to: {route.prefix}", f"          via: {route.next_hop}"]
    return (HostFile(PATH, 0o600, content(lines)),)


def _key(name: str) -> str:
    """Write an id as a key of YAML, quoted where YAML might take it for something else (`on`, `1e3`)."""
    return name if _PLAIN_ID.fullmatch(name) else f'"{name}"'


def parse(file: HostFile, network: NetworkSetup | None = None) -> tuple[PersistedRoute, ...]:
    """Parse the routes of the file."""
    devices = {id_of(link): link.device for link in network.links} if network else {}
    found = (
        persisted(route.get("to"), route.get("via"), devices.get(name, ""))
        for name, definition in _each_definition(text_of(file))
        for route in _list(definition.get("routes"))
        if isinstance(route, Mapping)
    )
    return tuple(route for route in found if route is not None)


def setup_for(file: HostFile) -> NetworkSetup:
    """Make a network for which this file would be written as it is, if it is ours: each id in it is an interface's."""
    text = text_of(file)
    ids = dict.fromkeys(name for name, _ in _each_definition(text))
    links = (
        LinkSetup(f"eth{number}", network_file=_GENERATED / f"10-netplan-{name}.network")
        for number, name in enumerate(ids)
        if is_plain_name(name)
    )
    return NetworkSetup(links=tuple(links), has_netplan=True, netplan=text)


def ignored_reason(file: HostFile, network: NetworkSetup) -> str | None:
    """Say why this host does not read the file, as the end of a sentence; None where it does."""
    if not network.has_netplan:
        return "netplan is not installed there"
    if problem := problem_of(network):
        return problem
    names = {name for name, _ in _each_definition(text_of(file))}
    ids = {id_of(link) for link in network.links}
    if names <= ids:
        return None
    if None in ids:
        return listed([_other_manager(link) for link in network.links if id_of(link) is None])
    return f"netplan manages none of these interfaces under the name {clean_line(min(names - ids))}"


def _other_manager(link: LinkSetup) -> str:
    if link.by_networkd:
        return f"{link.device} is configured by {clean_line(str(link.network_file))}, which is not netplan's"
    return f"{link.device} is not managed by netplan"


def problem_of(network: NetworkSetup) -> str | None:
    """Report netplan's error in the files of others, as the end of a sentence; None where it reads them.

    One that names our file is none: that file is rewritten.
    """
    if network.netplan_problem is None or str(PATH) in network.netplan_problem:
        return None
    words = clean_line(network.netplan_problem).rstrip(".")
    return f"netplan does not read its files as they are: {words}"


def unsupported_reason(devices: Iterable[str], network: NetworkSetup) -> str | None:
    """Say why it cannot keep routes through these interfaces, as the end of a sentence; None where it can."""
    wanted = sorted(set(devices))
    if problem := invalid_interface_names(wanted):
        return problem
    if not network.has_netplan:
        return "netplan is not installed there"
    for device in wanted:
        link = network.link(device)
        if link is None or (name := id_of(link)) is None:
            return f"{device} is not managed by netplan"
        shared = next((o for o in network.others(device) if id_of(o) == name), None)
        if shared:
            return f"netplan's {name} is both {device} and {shared.device}, so both would get the routes"
        known = _definitions(network.netplan)
        if known and name not in known:
            return f"`netplan get` does not know {name}, under which {device} was brought up"
    return problem_of(network)


def stated(files: Files, links: Sequence[LinkSetup]) -> Iterator[Found]:
    """Find the routes that netplan's other files state for these interfaces, up to a length of all together.

    Those in /run are gone at a boot.
    """
    ids = {name for link in links if (name := id_of(link)) is not None}
    names: set[str] = set()
    left = yaml_documents.MAX_LENGTH
    for folder in FOLDERS if ids else ():
        for path in (p for p in files if p.parent == folder and p.suffix == ".yaml" and p != PATH):
            if path.name not in names:  # else /etc has one of that name, which counts
                names.add(path.name)
                if not _NAMES_NETWORK.search("\n".join(files[path].values())):
                    continue
                text = whole_text(files[path])
                left -= len(text)
                if left < 0:
                    return
                for route, line in _stated_in(text, ids):
                    yield path, line, route


def _stated_in(text: str, ids: Collection[str]) -> Iterator[tuple[PersistedRoute, int]]:
    """Yield the plain routes that a file states for some ids, each with the line of its next hop."""
    import yaml

    try:
        root = yaml_documents.compose(text)
    except ValueError:
        return
    network = _values(_values(root).get("network"))
    for section in _SECTIONS:
        for name, definition in _values(network.get(section)).items():
            routes = _values(definition).get("routes") if name in ids else None
            for item in routes.value if isinstance(routes, yaml.SequenceNode) else ():
                words = {key: str(value.value) for key, value in _values(item).items()}
                is_plain = words.get("table", "254") == "254" and words.get("type", "unicast") == "unicast"
                route = persisted(words.get("to"), words.get("via")) if is_plain else None
                if route is not None:
                    yield route, _values(item)["via"].start_mark.line + 1


def _values(node: "Node | None") -> dict[str, "Node"]:
    """Return what a mapping holds, by its keys; nothing of any other node."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): value for key, value in node.value if isinstance(key, yaml.ScalarNode)}


# --- YAML that was written by others -----------------------------------------------------------------------------


def _definitions(text: str) -> dict[str, str]:
    """Return id -> the section that it is in."""
    network = _network(text)
    return {
        str(name): section for section in _SECTIONS for name in _mapping(network.get(section)) if isinstance(name, str)
    }


def _each_definition(text: str) -> Iterator[tuple[str, Mapping[object, object]]]:
    network = _network(text)
    for section in _SECTIONS:
        for name, definition in _mapping(network.get(section)).items():
            yield str(name), _mapping(definition)


@lru_cache(maxsize=16)
def _network(text: str) -> Mapping[object, object]:
    try:
        document = _mapping(yaml_documents.load(text))
    except ValueError:
        return {}
    return _mapping(document.get("network", document))


def _mapping(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []
