"""The values of an inventory, from their text: each converter raises Wrong with what was expected."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

from kthw_routes.cluster import LINODE_PRIVATE, Address, AddressKind, Endpoint, Role
from kthw_routes.node_names import is_host_name
from kthw_routes.sources.inventory.problems import Wrong, quoted

PRIVATE_RANGES: Final = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
"""RFC 1918."""

_HOME_NETWORKS: Final = IPv4Network("192.168.0.0/16")
"""Where networks are /24s in practice, so that .0 and .255 are no machine's address. Elsewhere they may be one's."""
_EXAMPLE: Final = "expected such as 192.168.8.20"
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\+-]{0,63}\$?", re.ASCII)
_ALIAS: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}", re.ASCII)
_NETWORK: Final = re.compile(r"[0-9.]{7,15}/[0-9]{1,2}", re.ASCII)
_REGION: Final = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+){1,3}", re.ASCII)
_MAX_WORDS: Final = 8
_MAX_COMPARED: Final = 50
_LARGEST_PREFIX: Final = 30  # smaller networks have no room for a bridge and a pod


def node_name(text: str) -> str:
    """A name that may stand in /etc/hosts."""
    if not is_host_name(text):
        raise Wrong("is no host name; expected letters, digits and inner hyphens, such as worker-0")
    return text


def role(text: str) -> Role:
    """`worker` or `controller`."""
    return Role(one_of(text, tuple(Role)))


def region(text: str) -> str:
    """The id of a Linode region: what is known of the region is told for these nodes too."""
    if not _REGION.fullmatch(text):
        raise Wrong("is no Linode region; expected such as eu-west, or none for machines of one's own")
    return text


def one_of(text: str, words: Iterable[str]) -> str:
    """`text`, if it is one of these words."""
    known = tuple(words)
    if text not in known:
        raise Wrong(f"is unknown; expected {expected(text, known)}")
    return text


def expected(text: str, known: Iterable[str]) -> str:
    """The known words, and the one of them that was meant, if that is clear."""
    words = list(known)
    near = get_close_matches(text[:64].casefold(), words[:_MAX_COMPARED], n=1)
    shown = words if len(words) <= _MAX_WORDS else [*words[:_MAX_WORDS], "others"]
    listed = f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else "".join(shown)
    return f"{listed}; did you mean {near[0]}?" if near else listed


def ipv4(text: str) -> IPv4Address:
    """Any IPv4 address that a machine can have, one's own loopback included."""
    try:
        ip = IPv4Address(text)
    except AddressValueError:
        raise Wrong(f"is no IPv4 address; {_EXAMPLE}") from None
    for is_so, what in (
        (ip in IPv4Network("0.0.0.0/8"), "an address of no machine"),
        (ip.is_multicast, "a multicast address"),
        (ip.is_reserved, "a broadcast or reserved address"),
        (ip in _HOME_NETWORKS and ip.packed[3] == 0, "a network's address"),
        (ip in _HOME_NETWORKS and ip.packed[3] == 255, "a broadcast address"),
    ):
        if is_so:
            raise Wrong(f"is {what}; {_EXAMPLE}")
    return ip


def internal_ip(text: str) -> IPv4Address:
    """An address at which other nodes reach one."""
    ip = ipv4(text)
    if ip.is_loopback:
        raise Wrong(f"is a loopback address, at which no other node reaches it; {_EXAMPLE}")
    return ip


def address_of(ip: IPv4Address) -> Address:
    """The address with its kind, told by the network that it is in."""
    if ip in LINODE_PRIVATE:
        return Address(ip, AddressKind.PRIVATE)
    return Address(ip, AddressKind.OTHER if any(ip in n for n in PRIVATE_RANGES) else AddressKind.PUBLIC)


def endpoint(text: str) -> Endpoint:
    """`[user@]host[:port]`, the host an IPv4 address, a host name or an alias of the SSH configuration."""
    name, at, rest = text.rpartition("@")
    if rest.count(":") > 1 or rest.startswith("["):
        raise Wrong(f"is an IPv6 address, which is not supported; {_EXAMPLE}")
    host, colon, number = rest.partition(":")
    if at:
        _within(text, name, user)
    if colon:
        _within(text, number, port)
    _within(text, host, ssh_host)
    return Endpoint(host, name or None, port(number) if colon else None)


def ssh_host(text: str) -> str:
    """Where SSH connects to: an IPv4 address, a host name, an alias."""
    if re.fullmatch(r"[0-9.]+", text, re.ASCII):
        return str(ipv4(text))
    if text.count(":") > 1:
        raise Wrong(f"is an IPv6 address, which is not supported; {_EXAMPLE}")
    if not _ALIAS.fullmatch(text):
        raise Wrong('is neither an IPv4 address nor a host name; expected such as "192.168.8.20" or "root@worker-0:22"')
    return text


def user(text: str) -> str:
    """A user to log in as."""
    if not _USER.fullmatch(text):
        raise Wrong("is no user name; expected such as root")
    return text


def port(text: str) -> int:
    """A TCP port."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise Wrong("is no port; expected 1 to 65535")
    return int(text)


def pod_cidr(text: str) -> IPv4Network:
    """The network of a worker's pods. Whether it fits to the others is told once all are read."""
    return _network(text, "10.200.0.0/24")


def cluster_cidr(text: str) -> IPv4Network:
    """The network of all pods."""
    return _network(text, "10.200.0.0/16")


def identity(text: str, folder: Path) -> Path:
    """A private key's path; a relative one is taken from `folder`."""
    if not text or not text.isprintable():
        raise Wrong("is no path; expected such as ~/.ssh/id_ed25519")
    try:
        return folder / Path(text).expanduser()
    except RuntimeError:
        raise Wrong("names the home folder of nobody here; expected such as ~/.ssh/id_ed25519") from None


def _within(whole: str, part: str, convert: Callable[[str], object]) -> None:
    """Check a part of a longer text: what is wrong names the part where it is not the whole."""
    try:
        convert(part)
    except Wrong as error:
        raise (error if part == whole else Wrong(f"cannot be used: {quoted(part)} {error}")) from None


def _network(text: str, example: str) -> IPv4Network:
    if not _NETWORK.fullmatch(text):
        raise Wrong(f"is no IPv4 network; expected such as {example}")
    try:
        network = IPv4Network(text, strict=False)
        strict = IPv4Network(text.partition("/")[0] + "/32").network_address == network.network_address
    except ValueError:
        raise Wrong(f"is no IPv4 network; expected such as {example}") from None
    if not strict:
        raise Wrong(f"is an address inside of {network}; expected the network, {network}")
    if not 8 <= network.prefixlen <= _LARGEST_PREFIX:
        raise Wrong(
            f"has a prefix length that no pod network has; expected /8 to /{_LARGEST_PREFIX}, such as {example}"
        )
    return network
