"""What people type about a node, read into values; what cannot be read is refused with its reason."""

import re
from collections.abc import Collection
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Final

from kthw_routes.cluster import Endpoint
from kthw_routes.node_names import is_host_name
from kthw_routes.sanitize import clean_line

_USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")


class InvalidInput(ValueError):
    """The text means nothing here; the message says why, for people."""


def endpoint(text: str) -> Endpoint:
    """`[user@]host[:port]`. Raises Refused."""
    text = text.strip()
    if not text:
        raise InvalidInput("Enter an address or a host name, such as root@203.0.113.20:22.")
    user, at, rest = text.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise InvalidInput(f"{_quoted(user)} is no user name.")
    host, colon, port = rest.partition(":")
    if colon and not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        raise InvalidInput(f"{_quoted(port)} is no port: 1 to 65535.")
    return Endpoint(_host(host), user or None, int(port) if colon else None)


def node_name(text: str, taken: Collection[str]) -> str:
    """A host name that no other node has. `taken`: the others' names. Raises Refused."""
    text = text.strip()
    if not text:
        raise InvalidInput("Enter its name, such as worker-0.")
    if not is_host_name(text):
        raise InvalidInput(f"{_quoted(text)} is no host name: letters, digits and inner hyphens only.")
    if text.casefold() in {name.casefold() for name in taken}:
        raise InvalidInput(f"{_quoted(text)} is there already.")
    return text


def internal_address(text: str, ssh: str) -> IPv4Address:
    """An internal address; where none is typed, the address that SSH goes to. Raises Refused."""
    if text.strip():
        return address(text)
    try:
        return address(endpoint(ssh).host)
    except InvalidInput:
        raise InvalidInput(
            "Enter the address at which the other nodes reach it: the SSH target is no address."
        ) from None


def address(text: str) -> IPv4Address:
    """An IPv4 address that a node can have. Raises Refused."""
    text = text.strip()
    if not text:
        raise InvalidInput("Enter the address at which the other nodes reach it.")
    try:
        ip = IPv4Address(text)
    except AddressValueError:
        raise InvalidInput(f"{_quoted(text)} is no IPv4 address, such as 192.168.138.48.") from None
    if ip.is_loopback or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        raise InvalidInput(f"{ip} is not an address at which other nodes reach it.")
    return ip


def pod_cidr(text: str, cluster_cidr: IPv4Network) -> IPv4Network:
    """A worker's pod CIDR within the cluster's. Raises Refused."""
    text = text.strip()
    if not text:
        raise InvalidInput("Enter its pod CIDR, such as 10.200.0.0/24.")
    if "/" not in text:
        raise InvalidInput("A pod CIDR ends with its prefix length, such as /24.")
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        raise InvalidInput(f"{_quoted(text)} is no IPv4 network, such as 10.200.0.0/24.") from None
    if str(network.network_address) != text.partition("/")[0]:
        raise InvalidInput(f"The network begins at {network.network_address}: {network}?")
    if not network.subnet_of(cluster_cidr):
        raise InvalidInput(f"{network} is outside the cluster CIDR {cluster_cidr}.")
    if network == cluster_cidr:
        raise InvalidInput(f"{network} is the whole cluster CIDR: each worker needs a part of its own.")
    return network


def _host(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        pass
    if not is_host_name(host) or host.replace(".", "").isdigit():
        raise InvalidInput(f"{_quoted(host)} is neither an IPv4 address nor a host name.")
    return host


def _quoted(text: str) -> str:
    shown = clean_line(text)
    return f"“{shown[:24]}…”" if len(shown) > 25 else f"“{shown}”"
