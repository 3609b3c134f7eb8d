"""The pod CIDR in a node's CNI configuration and in its kubelet's, read as the programs read them. Pure.

A container runtime takes the first file of the folder, by name. `.conflist` holds a list of plugins, `.conf` and
`.json` hold one. The IPAM plugin host-local gives addresses of `ipam.ranges[][].subnet`, or of `ipam.subnet`: IPv4
networks without host bits, and with room for a pod (up to /30). A file that it would refuse is a problem, not absent.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.persistence import yaml_documents
from kthw_routes.sanitize import clean_line, quoted

MAX_LENGTH: Final = 256 * 1024
"""Characters of a file that is read."""
_LONGEST_PREFIX: Final = 30
_MAX_MTU: Final = 1 << 16
_PLACEHOLDER: Final = re.compile(r"[<{$]*[A-Z][A-Z_]*[>}]*|<[\w -]+>|\$\{?\w+\}?")
_BY_KUBERNETES: Final = "usepodcidr"
"""In place of a subnet: the one that the control plane gave the node."""
_HOST_LOCAL: Final = "host-local"
_LOOPBACK: Final = "loopback"
_NO_POD: Final = "no pod will start there"


@dataclass(frozen=True, slots=True)
class CniReading:
    """What one CNI configuration says."""

    cidr: IPv4Network | None = None
    plugin: str | None = None
    """The network plugin, such as `bridge` or `calico`; None where the file does not say."""
    problem: str | None = None
    """Why the file cannot be used, without a full stop."""
    mtu: int | None = None
    """The MTU that pods get, in bytes; None where the file does not say."""
    is_loopback: bool = False
    """Whether it is about the loopback interface alone."""


def read_cni(file: PurePosixPath, text: str) -> CniReading:
    """Read a CNI configuration."""
    try:
        plugins = list(_plugins(file, _document(text)))
    except ValueError as error:
        return CniReading(problem=f"{file.name}: {error}: {_NO_POD}")
    types = [_type_of(plugin) for plugin in plugins]
    if types == [_LOOPBACK]:
        return CniReading(plugin=_LOOPBACK, is_loopback=True)
    for plugin, name in zip(plugins, types, strict=True):
        ipam = plugin.get("ipam")
        if isinstance(ipam, Mapping) and ipam.get("type") == _HOST_LOCAL:
            try:
                return CniReading(_pod_network(ipam), name, mtu=_mtu(plugin))
            except ValueError as error:
                return CniReading(plugin=name, problem=f"{file.name}: {error}: {_NO_POD}")
    return CniReading(plugin=types[0])


def _mtu(plugin: Mapping[str, object]) -> int | None:
    mtu = plugin.get("mtu")
    return mtu if isinstance(mtu, int) and not isinstance(mtu, bool) and 0 < mtu <= _MAX_MTU else None


def read_kubelet(file: PurePosixPath, text: str) -> tuple[IPv4Network | None, str | None]:
    """Read `podCIDR` of a kubelet's configuration; it and its problem, both None where the file does not state it."""
    try:
        document = yaml_documents.load(text)
    except ValueError as error:
        return None, f"{file.name}: {error}"
    stated = document.get("podCIDR") if isinstance(document, Mapping) else None
    if stated in (None, ""):
        return None, None
    try:
        return _network(stated, "podCIDR"), None
    except ValueError as error:
        return None, f"{file.name}: {error}"


def _document(text: str) -> Mapping[str, object]:
    """Parse one JSON object. Raises ValueError, whose message goes after the file's name."""
    if len(text) > MAX_LENGTH:
        raise ValueError("it is too long")
    if not text.strip():
        raise ValueError("it is empty")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not valid JSON (line {error.lineno})") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(document, Mapping):
        raise ValueError("it is not a JSON object")
    return document


def _plugins(file: PurePosixPath, document: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield the plugins of a configuration. Raises ValueError."""
    listed = document.get("plugins") if file.suffix == ".conflist" else [document]
    plugins = [p for p in listed if isinstance(p, Mapping)] if isinstance(listed, list) else []
    if not plugins:
        raise ValueError("it has no plugins")
    for plugin in plugins:
        if not _type_of(plugin):
            raise ValueError("a plugin has no type")
        yield plugin


def _type_of(plugin: Mapping[str, object]) -> str:
    name = plugin.get("type")
    return clean_line(name, 64) if isinstance(name, str) else ""


def _pod_network(ipam: Mapping[str, object]) -> IPv4Network | None:
    """Return the first IPv4 network of host-local; None where Kubernetes gives it. Raises ValueError."""
    stated = list(_subnets(ipam))
    if not stated:
        raise ValueError("its ipam has no subnet")
    if any(isinstance(text, str) and text.lower() == _BY_KUBERNETES for text in stated):
        return None
    networks = [_network(text, "the subnet") for text in stated]
    return next((network for network in networks if network is not None), None)


def _subnets(ipam: Mapping[str, object]) -> Iterator[object]:
    """Yield what is said of subnets, in the order in which host-local takes them."""
    if "subnet" in ipam:
        yield ipam["subnet"]
    ranges = ipam.get("ranges")
    for some in ranges if isinstance(ranges, list) else ():
        for one in some if isinstance(some, list) else ():
            if isinstance(one, Mapping):
                yield one.get("subnet")


def _network(stated: object, what: str) -> IPv4Network | None:
    """Read a network as host-local does; None for one of IPv6. Raises ValueError."""
    text = stated.strip() if isinstance(stated, str) else ""
    if _PLACEHOLDER.fullmatch(text):
        raise ValueError(f"{what} is still the placeholder {clean_line(text, 64)}")
    try:
        if ":" in text:
            IPv6Network(text)
            return None
        if "/" not in text:
            raise ValueError
        network = IPv4Network(text, strict=False)
    except ValueError:
        raise ValueError(f"{what} {quoted(str(stated)[:256])} is not a network") from None
    if str(network.network_address) != text.partition("/")[0]:
        raise ValueError(f"{what} {quoted(text)} is an address inside {network}")
    if network.prefixlen > _LONGEST_PREFIX:
        raise ValueError(f"{what} {network} has no room for a pod")
    return network
