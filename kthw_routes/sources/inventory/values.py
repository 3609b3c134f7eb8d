"""The values of a node and of an inventory, from their text: the same rules for a file and for what is typed.

Each raises InvalidInput, whose message continues after the text; blanks around a text are ignored. SSH targets are
read by `cluster.Endpoint.parse`.
"""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final, TypeVar

from kthw_routes.cluster import EXAMPLE_ADDRESS, LINODE_PRIVATE, Address, AddressKind, Endpoint, Role, parse_address
from kthw_routes.errors import InvalidInput
from kthw_routes.node_names import is_host_name
from kthw_routes.sanitize import quoted

T = TypeVar("T")

PRIVATE_RANGES: Final = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
"""RFC 1918."""
ONE_EACH: Final = "expected a different one for each node"

_NETWORK: Final = re.compile(r"[0-9.]{7,15}/[0-9]{1,2}", re.ASCII)
_REGION: Final = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+){1,3}", re.ASCII)
_MAX_WORDS: Final = 9
_MAX_COMPARED: Final = 50
_LARGEST_PREFIX: Final = 30  # smaller networks have no room for a bridge and a pod


def read_value(text: str, convert: Callable[[str], T]) -> T:
    """Convert a text. Raises InvalidInput, whose message begins with the text then."""
    try:
        return convert(text)
    except InvalidInput as error:
        raise InvalidInput(f"{quoted(text)} {error}") from None


def node_name(text: str) -> str:
    """Read a name that /etc/hosts can hold."""
    name = text.strip()
    if not is_host_name(name):
        raise InvalidInput("is not a valid hostname; expected letters, digits and inner hyphens, for example, worker-0")
    return name


def node_name_or_address(text: str) -> str:
    """Read a name, or an address, in whose place the name counts that the machine has for itself."""
    try:
        return str(internal_ip(text))
    except InvalidInput:
        return node_name(text)


def role(text: str) -> Role:
    """Read `worker` or `controller`."""
    return Role(one_of(text, tuple(Role)))


def region(text: str) -> str:
    """Read the id of a Linode region: what is known of the region is reported for these nodes too."""
    if not _REGION.fullmatch(text):
        raise InvalidInput("is not a Linode region; expected, for example, eu-west, or none for your own machines")
    return text


def one_of(text: str, words: Iterable[str]) -> str:
    """Read one of these words."""
    known = tuple(words)
    if text not in known:
        raise InvalidInput(f"is unknown; expected {expected(text, known)}")
    return text


def expected(text: str, known: Iterable[str]) -> str:
    """List the known words, and the one of them that was meant, if that is clear."""
    words = list(known)
    near = get_close_matches(text[:64].casefold(), words[:_MAX_COMPARED], n=1)
    shown = words if len(words) <= _MAX_WORDS else [*words[:_MAX_WORDS], "others"]
    listed = f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else "".join(shown)
    return f"{listed}; did you mean {near[0]}?" if near else listed


def internal_ip(text: str) -> IPv4Address:
    """Read an address at which other nodes reach one."""
    ip = parse_address(text)
    if ip.is_loopback:
        raise InvalidInput(f"is a loopback address, at which no other node reaches it; {EXAMPLE_ADDRESS}")
    return ip


def internal_ip_of(ssh: Endpoint) -> IPv4Address:
    """Take the SSH address for the internal one, where none is given. The message of InvalidInput is complete."""
    try:
        return internal_ip(ssh.host)
    except InvalidInput:
        raise InvalidInput(
            f"{quoted(ssh.host)} is not an address at which other nodes reach this one; "
            "expected an internal address next to it, for example, 192.168.8.20"
        ) from None


def address_of(ip: IPv4Address) -> Address:
    """Add its kind to an address: the network that it is in decides."""
    if ip in LINODE_PRIVATE:
        return Address(ip, AddressKind.PRIVATE)
    return Address(ip, AddressKind.OTHER if any(ip in n for n in PRIVATE_RANGES) else AddressKind.PUBLIC)


def pod_cidr(text: str) -> IPv4Network:
    """Read the network of a worker's pods. Whether it fits the others is judged once all are known."""
    return _network(text, "10.200.0.0/24")


def cluster_cidr(text: str) -> IPv4Network:
    """Read the network of all pods."""
    return _network(text, "10.200.0.0/16")


def check_inside(pods: IPv4Network, cluster: IPv4Network) -> None:
    """Refuse a pod CIDR outside the cluster CIDR."""
    if not pods.subnet_of(cluster):
        raise InvalidInput(
            f"is outside the cluster CIDR {cluster}; expected a network inside it, or another cluster CIDR"
        )


def identity(text: str, folder: Path) -> Path:
    """Read a private key's path; a relative one is taken from `folder`."""
    if not text or not text.isprintable():
        raise InvalidInput("is not a path; expected, for example, ~/.ssh/id_ed25519")
    try:
        return folder / Path(text).expanduser()
    except RuntimeError:
        raise InvalidInput("names the home folder of nobody here; expected, for example, ~/.ssh/id_ed25519") from None


def _network(text: str, example: str) -> IPv4Network:
    text = text.strip()
    try:
        if not _NETWORK.fullmatch(text):
            raise ValueError
        network = IPv4Network(text, strict=False)
    except ValueError:
        raise InvalidInput(f"is not an IPv4 network; expected, for example, {example}") from None
    if str(network.network_address) != text.partition("/")[0]:
        raise InvalidInput(f"is an address inside {network}; expected the network, {network}")
    if not 8 <= network.prefixlen <= _LARGEST_PREFIX:
        raise InvalidInput(
            f"has a prefix length that no pod network has; expected /8 to /{_LARGEST_PREFIX}, for example, {example}"
        )
    return network
