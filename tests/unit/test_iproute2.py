"""What `ip` prints, read into values, and the lines that are sent."""

import contextlib
import json
import re
import time
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kthw_routes.facts import InterfaceAddress, Route
from kthw_routes.iproute2.commands import RouteCommand, Verb, batch, pod_route
from kthw_routes.iproute2.output import MAX_METRIC, UnreadableOutput, failed_lines, parse_addresses, parse_routes

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


ODD = [
    *(
        ("metric", v)
        for v in ("99999999999", "-5", "true", "1.5", "1e400", "NaN", "null", "[]", '"١٢"', '"1_000"', '"¹²"')
    ),
    *(("metric", v) for v in ("4294967296", '"0x10"', '" 5"', '"+5"', '""')),
    *(("tos", v) for v in ('"0x1ff"', "256", "-1", '"0b1"', '"0o7"', '"1_0"', '"AF99"', "true")),
    *(("protocol", v) for v in ("256", '"999"', '"-1"', '"-force"', '"٢٠٠"', "true", "null", "[]")),
    *(("scope", v) for v in ("256", '"-x"', "null", "{}")),
    *(("type", v) for v in ('"nat"', "6", "null", "[]")),
    *(("gateway", v) for v in ('"1.2.3"', "5", "true", "null", '"fe80::1"', '"１.2.3.4"', "[]")),
    *(("dst", v) for v in ('"10.200.1.1/24"', "5", "null", '"10.200.1.0/٢٤"', "{}")),
    *(("dev", v) for v in ("null", "5.5", '""', '"a b"', "[]")),
    *(("flags", v) for v in ("null", "5", '"x"', "{}", '["a b"]', '["\\n"]')),
    *(("metrics", v) for v in ("null", "5", '"mtu"', "[5]", '["mtu"]')),
    *(("nexthops", v) for v in ("null", "5", "{}", "[5]", '[{"gateway": 5}]', '[{"gateway": null}]')),
]
"""Fields of a record that no command could be made of, or that are of another type."""

# As iproute2 6.1 prints what a kernel accepts (measured).
ODD_BUT_RIGHT = """10.200.1.0/24 tos 0x10 via 192.168.128.2 dev d0 linkdown
10.200.1.0/24 via 192.168.128.2 dev d0 metric 4294967295 linkdown
10.200.2.0/24 tos 0xfc via 192.168.128.2 dev d0 proto 255 linkdown
10.200.2.0/24 tos CS1 via 192.168.128.2 dev d0 linkdown
10.200.3.0/24 via 192.168.128.2 dev d0 proto unspec linkdown
10.200.3.0/24 dev d0 scope 100 metric 7 linkdown
10.200.4.0/24 linkdown
\tnexthop via 192.168.128.2 dev d0 weight 5 linkdown
\tnexthop dev d0 weight 256 linkdown
10.200.5.0/24 via inet6 fe80::1 dev d0
10.200.6.0/24 via 192.168.128.2 dev d0 linkdown mtu lock 1400 cwnd 4 hoplimit 5 features ecn congctl reno
multicast 10.200.7.0/24 dev d0 scope link linkdown
throw 10.200.9.0/24
10.200.13.0/24 via 192.168.128.2 dev d0 linkdown realm 5
"""
ODD_BUT_RIGHT_JSON = """[
{"dst":"10.200.1.0/24","tos":"0x10","gateway":"192.168.128.2","dev":"d0","flags":["linkdown"]},
{"dst":"10.200.1.0/24","gateway":"192.168.128.2","dev":"d0","metric":4294967295,"flags":["linkdown"]},
{"dst":"10.200.2.0/24","tos":"0xfc","gateway":"192.168.128.2","dev":"d0","protocol":"255","flags":["linkdown"]},
{"dst":"10.200.2.0/24","tos":"CS1","gateway":"192.168.128.2","dev":"d0","flags":["linkdown"]},
{"dst":"10.200.3.0/24","gateway":"192.168.128.2","dev":"d0","protocol":"unspec","flags":["linkdown"]},
{"dst":"10.200.3.0/24","dev":"d0","scope":"100","metric":7,"flags":["linkdown"]},
{"dst":"10.200.4.0/24","flags":["linkdown"],"nexthops":[
 {"gateway":"192.168.128.2","dev":"d0","weight":5,"flags":["linkdown"]},{"dev":"d0","weight":256,"flags":["linkdown"]}]},
{"dst":"10.200.5.0/24","via":{"family":"inet6","host":"fe80::1"},"dev":"d0","flags":[]},
{"dst":"10.200.6.0/24","gateway":"192.168.128.2","dev":"d0","flags":["linkdown"],
 "metrics":[{"mtu":1400,"cwnd":4,"hoplimit":5,"ecn":null,"rto_min":5,"congestion":"reno"}]},
{"type":"multicast","dst":"10.200.7.0/24","dev":"d0","scope":"link","flags":["linkdown"]},
{"type":"throw","dst":"10.200.9.0/24","flags":[]},
{"dst":"10.200.13.0/24","gateway":"192.168.128.2","dev":"d0","flags":["linkdown"],"flow":{"to":"5"}}]"""


def test_both_forms_of_a_table_are_the_same_routes() -> None:
    from_json, from_text = parse_routes(JSON), parse_routes(TEXT)
    assert from_json == from_text
    assert from_json[1] == Route(net("10.200.1.0/24"), ip("192.168.128.11"), "eth0", "200")
    assert from_json[2].flags == {"onlink"}
    assert from_json[3].type == "blackhole"
    assert from_json[4].extra == "mtu 1400"
    assert from_json[5].multipath == (ip("192.168.128.11"), ip("192.168.128.12"))
    assert from_json[6].is_kernel


@pytest.mark.parametrize("table", [JSON, TEXT])
def test_tables_of_many_hosts_share_their_routes(table: str) -> None:
    """A cluster of 1000 workers has a million routes, and some thousand different ones."""
    one, other = parse_routes(table), parse_routes(table)
    shared = [a is b for a, b in zip(one, other, strict=True)]
    assert shared == [not (r.multipath and table is TEXT) for r in one], "its next hops are on lines of their own"


@pytest.mark.parametrize(
    "table",
    [
        '[{"dst": "10.200.1.0/24", "dev": "eth0"}, {"dst": "10.200.1.0/24", "dev": "eth0"}]',
        "10.200.1.0/24 dev eth0\n" * 2,
    ],
)
def test_twins_of_one_table_are_two_routes(table: str) -> None:
    """Where one of them goes, the other stays: they are distinguished by identity."""
    one, other = parse_routes(table)
    assert one == other
    assert one is not other


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
        *(f'[{{"dst": "10.200.1.0/24", "{key}": {value}}}]' for key, value in ODD),
        "10.200.1.0/24 via 192.168.128.11 dev eth0 metric 99999999999\n",
        "10.200.1.0/24 via 192.168.128.11 dev eth0 metric -5\n",
        "10.200.1.0/24 via 192.168.128.11 dev eth0 metric ¹²\n",
        "10.200.1.0/24 via 192.168.128.11 dev eth0 tos 0x1ff\n",
        "10.200.1.0/24 via 192.168.128.11 dev eth0 proto 256\n",
        "10.200.1.0/24\n\tnexthop via nowhere\n",
        "10.200.1.0/24\n\tnexthop via\n",
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


def test_what_a_kernel_accepts_is_read_and_can_be_sent() -> None:
    routes = parse_routes(ODD_BUT_RIGHT_JSON)
    assert parse_routes(ODD_BUT_RIGHT) == routes
    assert [(r.tos, r.metric, r.protocol) for r in routes[:4]] == [
        (0x10, 0, "boot"),
        (0, MAX_METRIC, "boot"),
        (0xFC, 0, "255"),
        (0x20, 0, "boot"),
    ]
    assert routes[5].scope == "100"
    assert routes[8].extra == "mtu 1400 cwnd 4 hoplimit 5"
    for route in routes:
        RouteCommand(Verb.DELETE, route)


_ADDRESSES = st.integers(0, 2**32 - 1).map(IPv4Address)
_NETWORKS = st.builds(lambda ip, length: IPv4Network((ip, length), strict=False), _ADDRESSES, st.integers(0, 32))
_TOKENS = st.from_regex(r"[A-Za-z0-9_.:@+-]{1,16}", fullmatch=True)
_CODES = st.one_of(
    st.sampled_from(["boot", "static", "dhcp", "link", "global"]), st.integers(-1, 300).map(str), _TOKENS
)
_ROUTES = st.builds(
    Route,
    prefix=_NETWORKS,
    gateway=st.none() | _ADDRESSES,
    device=st.none() | _TOKENS,
    protocol=_CODES,
    metric=st.integers(-1, 2**32),
    type=st.sampled_from(["unicast", "blackhole", "throw", "multicast", "nat"]),
    scope=_CODES,
    source=st.none() | _ADDRESSES,
    flags=st.frozensets(st.sampled_from(["onlink", "linkdown", "rt_trap"])),
    tos=st.integers(-1, 257),
    multipath=st.lists(_ADDRESSES, max_size=3).map(tuple),
    extra=st.sampled_from(["", "mtu 1400", "mtu 1400 hoplimit 5", "mtu -1", "mtu ¹²", "mtu 4294967296", "via 1"]),
)


def _printed(route: Route) -> str:
    """A route as `ip -json` prints it."""
    record = {
        "type": route.type,
        "dst": str(route.prefix).removesuffix("/32"),
        "protocol": route.protocol,
        "scope": route.scope,
        "metric": route.metric,
        "tos": f"{route.tos:#04x}",
        "flags": sorted(route.flags),
    }
    words = route.extra.split()
    record |= {"metrics": [dict(zip(words[::2], map(int, words[1::2]), strict=True))]} if words else {}
    record |= {"gateway": str(route.gateway)} if route.gateway is not None else {}
    record |= {"dev": route.device} if route.device is not None else {}
    record |= {"prefsrc": str(route.source)} if route.source is not None else {}
    record |= {"nexthops": [{"gateway": str(hop)} for hop in route.multipath]} if route.multipath else {}
    return json.dumps([record])


@given(_ROUTES)
def test_what_can_be_sent_is_read(route: Route) -> None:
    try:
        RouteCommand(Verb.REPLACE, route)
    except ValueError:
        assume(False)
    assert parse_routes(_printed(route)) == (route,)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["10.200.1.0/24", "10.0.0.1", "200", "0x10", "¹²", "１２", "1_0", "kernel", "boot", "eth0", "onlink"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["gateway", "mtu", "dev"]), inner),
    max_leaves=5,
)
_KEYS = [
    "type",
    "gateway",
    "dev",
    "protocol",
    "scope",
    "metric",
    "tos",
    "flags",
    "prefsrc",
    "nexthops",
    "metrics",
    "via",
]


@given(st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=4))
def test_what_is_read_can_be_sent(record: dict[str, object]) -> None:
    try:
        (route,) = parse_routes(json.dumps([{"dst": "10.200.1.0/24", **record}]))
    except UnreadableOutput:
        return
    assume(not route.is_kernel)  # those are never sent
    for verb in Verb:
        assert re.fullmatch(r"[A-Za-z0-9_.:@+/ -]+", RouteCommand(verb, route).line())


def test_a_long_table_is_read_in_one_pass() -> None:
    hops = "\tnexthop via 192.168.128.11 dev eth0 weight 1\n" * 20_000
    words = "mtu 1400 " * 100_000
    for table in (
        f"10.200.1.0/24\n{hops}",
        f"10.200.1.0/24 dev eth0 {words}\n",
        "x" * 4_000_000,
        "[" + "9" * 4_000_000,
    ):
        begun = time.process_time()
        with contextlib.suppress(UnreadableOutput):
            parse_routes(table)
        assert time.process_time() - begun < 10


def test_what_cannot_be_read_is_quoted_on_one_short_line() -> None:
    with pytest.raises(UnreadableOutput) as caught:
        parse_routes("10.200.1.0/24 via \x1b]0;title\x07\u202e" + "9" * 4_000_000)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 5_000


def test_the_line_of_a_failure_is_a_number_of_ours() -> None:
    huge = "9" * 5_000
    assert failed_lines(f"no\nCommand failed -:{huge}\nno\nCommand failed -:٣\nno\nCommand failed -:4\n") == {4: "no"}


@pytest.mark.parametrize(("tos", "is_one"), [(0, True), (1, True), (255, True), (256, False), (-1, False)])
def test_a_type_of_service_is_one_byte(tos: int, is_one: bool) -> None:
    route = Route(net("10.200.1.0/24"), ip("192.168.128.11"), tos=tos)
    if is_one:
        assert RouteCommand(Verb.ADD, route).route.tos == tos
    else:
        with pytest.raises(ValueError, match=r"(?i)tos"):
            RouteCommand(Verb.ADD, route)


def test_an_address_says_whether_its_interface_is_up_and_whether_it_was_leased() -> None:
    output = json.dumps(
        [
            {
                "ifname": "eth0",
                "flags": ["BROADCAST", "UP"],
                "addr_info": [
                    {"family": "inet", "local": "10.0.0.1", "prefixlen": 24, "dynamic": True},
                    {"family": "inet", "local": "10.0.0.2", "prefixlen": 24},
                    {"family": "inet6", "local": "fe80::1", "prefixlen": 64},
                ],
            },
            {"ifname": "eth1", "addr_info": [{"family": "inet", "local": "10.0.1.1", "prefixlen": 32}]},
            {"ifname": "eth2", "flags": []},
        ]
    )
    assert parse_addresses(output) == (
        InterfaceAddress("eth0", IPv4Interface("10.0.0.1/24"), is_up=True, is_temporary=True),
        InterfaceAddress("eth0", IPv4Interface("10.0.0.2/24"), is_up=True, is_temporary=False),
        InterfaceAddress("eth1", IPv4Interface("10.0.1.1/32"), is_up=False, is_temporary=False),
    )
    assert parse_addresses("") == ()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ('[{"ifname": 7, "addr_info": [{"family": "inet", "local": "10.0.0.1", "prefixlen": 24}]}]', "name: 7"),
        ('[{"ifname": "a b", "addr_info": [{"family": "inet", "local": "10.0.0.1", "prefixlen": 24}]}]', "name: 'a b'"),
        ("[", "Expecting value"),
    ],
)
def test_addresses_that_cannot_be_read_are_quoted(output: str, words: str) -> None:
    with pytest.raises(UnreadableOutput, match=r"^unreadable output of ip: ") as caught:
        parse_addresses(output)
    assert words in str(caught.value)


def test_a_refusal_has_the_words_before_it_and_no_others() -> None:
    assert failed_lines("RTNETLINK answers: File exists\nCommand failed -:1\n\nCommand failed -:3\n") == {
        1: "RTNETLINK answers: File exists",
        3: "refused",
    }
    assert failed_lines("Command failed -:2\n") == {2: "refused"}
