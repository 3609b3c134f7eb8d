"""What `ip` prints, read into values, and the lines that are sent."""

import json

import pytest

from kthw_routes.iproute2 import (
    RouteCommand,
    UnreadableOutput,
    Verb,
    batch,
    failed_lines,
    parse_addresses,
    parse_routes,
    pod_route,
)
from kthw_routes.observed import Route

from .builders import ip, net

# As iproute2 6.1 prints a table, and as 4.15 prints the same one although JSON was asked for (both measured).
JSON = json.dumps(
    [
        {"dst": "default", "gateway": "203.0.113.1", "dev": "eth0", "flags": []},
        {"dst": "10.200.1.0/24", "gateway": "192.168.128.11", "dev": "eth0", "protocol": "200", "flags": []},
        {"dst": "10.200.2.0/24", "gateway": "192.168.128.12", "dev": "eth0", "metric": 100, "flags": ["onlink"]},
        {"type": "blackhole", "dst": "10.200.3.0/24", "flags": []},
        {"dst": "10.200.4.7", "dev": "eth0", "scope": "link", "flags": ["linkdown"], "metrics": [{"mtu": 1400}]},
        {
            "dst": "10.200.5.0/24",
            "flags": [],
            "nexthops": [
                {"gateway": "192.168.128.11", "dev": "eth0", "weight": 1, "flags": []},
                {"gateway": "192.168.128.12", "dev": "eth0", "weight": 1, "flags": []},
            ],
        },
        {
            "dst": "192.168.128.0/17",
            "dev": "eth0",
            "protocol": "kernel",
            "scope": "link",
            "prefsrc": "192.168.128.10",
            "flags": [],
        },
    ]
)
TEXT = """default via 203.0.113.1 dev eth0 
10.200.1.0/24 via 192.168.128.11 dev eth0 proto 200 
10.200.2.0/24 via 192.168.128.12 dev eth0 metric 100 onlink 
blackhole 10.200.3.0/24 
10.200.4.7 dev eth0 scope link mtu 1400 linkdown 
10.200.5.0/24 
\tnexthop via 192.168.128.11 dev eth0 weight 1 
\tnexthop via 192.168.128.12 dev eth0 weight 1 
192.168.128.0/17 dev eth0 proto kernel scope link src 192.168.128.10 
"""  # noqa: W291 - iproute2 ends its lines with a blank


def test_both_forms_of_a_table_are_the_same_routes() -> None:
    from_json, from_text = parse_routes(JSON), parse_routes(TEXT)
    assert from_json == from_text
    assert from_json[1] == Route(net("10.200.1.0/24"), ip("192.168.128.11"), "eth0", "200")
    assert from_json[2].flags == {"onlink"}
    assert from_json[3].type == "blackhole"
    assert from_json[4].extra == "mtu 1400"
    assert from_json[5].multipath == (ip("192.168.128.11"), ip("192.168.128.12"))
    assert from_json[6].is_kernel


def test_an_empty_table_is_no_routes() -> None:
    assert parse_routes("") == parse_routes("[ ]") == parse_routes("[{}]") == ()


@pytest.mark.parametrize(
    "output",
    [
        "[{]",
        '[{"dst": "10.200.1.0/33"}]',
        '[{"gateway": "1.2.3.4"}]',
        '["x"]',
        "what is this\n",
        '[{"dst": "10.200.1.0/24", "dev": "eth0; reboot"}]',
        '[{"dst": "10.200.1.0/24", "protocol": "boot\\nroute del default"}]',
        "10.200.1.0/24 via nowhere dev eth0\n",
        "[" * 200_000,
    ],
)
def test_other_output_is_refused(output: str) -> None:
    with pytest.raises(UnreadableOutput):
        parse_routes(output)


def test_addresses_of_4_15_with_its_empty_records() -> None:
    output = json.dumps(
        [
            {"addr_info": [{}]},
            {
                "ifname": "eth0",
                "flags": ["UP", "LOWER_UP"],
                "addr_info": [
                    {"family": "inet", "local": "203.0.113.20", "prefixlen": 24},
                    {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
                    {"family": "inet", "local": "192.168.138.48", "prefixlen": 17},
                ],
            },
            {"ifname": "eth1", "flags": [], "addr_info": [{"family": "inet", "local": "10.0.0.1", "prefixlen": 24}]},
        ]
    )
    found = parse_addresses(output)
    assert [(a.device, str(a.address), a.is_up) for a in found] == [
        ("eth0", "203.0.113.20/24", True),
        ("eth0", "192.168.138.48/17", True),
        ("eth1", "10.0.0.1/24", False),
    ]


def test_lines_of_a_batch() -> None:
    new = pod_route(net("10.200.2.0/24"), ip("192.168.128.12"))
    old = Route(
        net("10.200.2.0/24"), ip("192.168.128.9"), "eth0", "boot", 50, flags=frozenset({"onlink", "dead"}), tos=16
    )
    hole = Route(net("10.200.3.0/24"), type="blackhole")
    lines = batch(
        [
            RouteCommand(Verb.ADD, new),
            RouteCommand(Verb.DELETE, old),
            RouteCommand(Verb.PREPEND, old),
            RouteCommand(Verb.ADD, hole),
        ]
    )
    assert lines.decode().splitlines() == [
        "route add 10.200.2.0/24 via 192.168.128.12 proto 200",
        "route del 10.200.2.0/24 tos 0x10 via 192.168.128.9 dev eth0 proto boot metric 50 onlink",
        "route prepend 10.200.2.0/24 tos 0x10 via 192.168.128.9 dev eth0 proto boot metric 50 onlink",
        "route add blackhole 10.200.3.0/24",
    ]


@pytest.mark.parametrize(
    "route",
    [
        Route(net("10.200.1.0/24"), device="eth0\nroute del default"),
        Route(net("10.200.1.0/24"), device="eth0 metric 5"),
        Route(net("10.200.1.0/24"), protocol="boot scope link"),
        Route(net("10.200.1.0/24"), protocol="kernel"),
        Route(net("10.200.1.0/24"), type="unicast del"),
        Route(net("10.200.1.0/24"), extra="mtu 1400;"),
        Route(net("10.200.1.0/24"), extra="via 1.2.3.4"),
        Route(net("10.200.1.0/24"), metric=-1),
    ],
)
def test_nothing_but_plain_tokens_is_ever_sent(route: Route) -> None:
    with pytest.raises(ValueError, match=r"not |never sent|out of range"):
        RouteCommand(Verb.ADD, route)


def test_kernel_errors_are_mapped_to_their_lines() -> None:
    stderr = (
        "RTNETLINK answers: File exists\nCommand failed -:2\n"
        "Error: Nexthop has invalid gateway.\nCommand failed -:3\n"
        'Error: any valid prefix is expected rather than "x".\n'
    )
    assert failed_lines(stderr) == {2: "RTNETLINK answers: File exists", 3: "Error: Nexthop has invalid gateway."}
