"""What people type about a node: what is taken, and each refusal with its reason."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from kthw_routes.cluster import Endpoint
from kthw_routes.wizard import entries

CLUSTER = IPv4Network("10.200.0.0/16")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.20", Endpoint("203.0.113.20")),
        (" root@203.0.113.20:2222 ", Endpoint("203.0.113.20", "root", 2222)),
        ("worker-0.example", Endpoint("worker-0.example")),
        ("ubuntu@worker-0", Endpoint("worker-0", "ubuntu")),
    ],
)
def test_an_endpoint_is_read(text: str, expected: Endpoint) -> None:
    assert entries.endpoint(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Enter an address"),
        ("root@", "neither an IPv4 address nor a host name"),
        ("-oProxyCommand=x", "neither an IPv4 address nor a host name"),
        ("a b@host", "no user name"),
        ("host:0", "no port"),
        ("host:99999", "no port"),
        ("host:²", "no port"),
        ("203.0.113.256", "neither"),
        ("[/foo]", "neither"),
    ],
)
def test_an_endpoint_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(entries.InvalidInput, match=reason):
        entries.endpoint(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "Enter the address"), ("192.168.1", "no IPv4 address"), ("127.0.0.1", "not an address"), ("::1", "no IPv4")],
)
def test_an_address_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(entries.InvalidInput, match=reason):
        entries.address(text)


def test_an_address_is_read() -> None:
    assert entries.address(" 192.168.138.48 ") == IPv4Address("192.168.138.48")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Enter its pod CIDR"),
        ("10.200.0.0", "prefix length"),
        ("10.200.0.5/24", "begins at 10.200.0.0"),
        ("10.201.0.0/24", "outside the cluster CIDR"),
        ("10.200.0.0/16", "whole cluster CIDR"),
        ("10.200.0.0/33", "no IPv4 network"),
        ("x\x1b]52;c;aGk=\x07/24", "“x/24” is no IPv4 network"),
    ],
)
def test_a_pod_cidr_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(entries.InvalidInput, match=reason):
        entries.pod_cidr(text, CLUSTER)


def test_a_pod_cidr_is_read() -> None:
    assert entries.pod_cidr("10.200.7.0/24", CLUSTER) == IPv4Network("10.200.7.0/24")
