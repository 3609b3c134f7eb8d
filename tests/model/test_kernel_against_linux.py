"""The modelled kernel and `ip` against the real ones: the same random commands, the same words, codes and tables.

Prefixes, next hops, metrics and addresses are few, so that commands meet each other's leftovers. Not compared,
because the model does not have them: IPv6, routes typed into the local table (types local, broadcast, anycast,
nat), an address that is another interface's broadcast address, policy rules, and the wording of the help texts.
What cannot agree is named in `linux.normal_text`.
"""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st

from tests.model.linux import RealKernel, Settings, model, normal, run_on_model, unavailable

pytestmark = pytest.mark.kernel

EXAMPLES = int(os.environ.get("KTHW_KERNEL_EXAMPLES", "100"))
"""How many sequences are tried; a longer run is a matter of this number."""

Words = tuple[str, ...]

PREFIXES = ("10.200.1.0/24", "10.200.1.0/24", "10.200.2.0/24", "10.200.0.0/16", "10.9.0.0/24", "10.200.1.5", "default")
ODD_PREFIXES = ("10.200.1.5/24", "10.200.1.0/33", "foo", "300.1.1.1", "10.200.1", "0/0", "192.168.128.0/17", "any")
GATEWAYS = ("192.168.128.11", "192.168.128.11", "192.168.128.12", "192.168.128.10", "10.9.0.7", "1.2.3.4")
ODD_GATEWAYS = ("10.200.1.5", "192.168.255.255", "127.0.0.1", "127.0.0.9", "224.0.0.1", "255.255.255.255", "foo")
DEVICES = ("eth0", "eth0", "eth1", "lo", "nope")
ADDRESSES = (
    "192.168.128.10/17",
    "192.168.128.10/17",
    "192.168.128.20/17",
    "192.168.128.30/17",
    "192.168.128.10/24",
    "10.9.0.1/24",
    "10.9.0.2/24",
    "10.200.1.1/24",
    "10.200.1.254/32",
)
ODD_ADDRESSES = ("10.9.0.1", "10.9.0.5/31", "10.9.0.300/24", "10.9.0.1/33", "foo", "127.0.0.1/8")
DESTINATIONS = (
    "10.200.1.5",
    "10.200.2.5",
    "10.9.0.7",
    "192.168.128.10",
    "192.168.128.11",
    "8.8.8.8",
    "192.168.255.255",
    "127.0.0.1",
    "10.200.1.0/24",
    "255.255.255.255",
    "0.0.0.0",
    "foo",
)


def mostly(usual: Words, odd: Words) -> st.SearchStrategy[str]:
    """One of the usual words; now and then an odd one."""
    return st.integers(0, 5).flatmap(lambda n: st.sampled_from(odd if n == 0 else usual))


def maybe(*words: st.SearchStrategy[str] | str, chance: int = 3) -> st.SearchStrategy[Words]:
    """These words, once in `chance` times; else none."""
    chosen = st.tuples(*(st.just(word) if isinstance(word, str) else word for word in words))
    return st.integers(1, chance).flatmap(lambda n: chosen if n == 1 else st.just(()))


def joined(*parts: st.SearchStrategy[Words]) -> st.SearchStrategy[Words]:
    """All parts in a row."""
    return st.tuples(*parts).map(lambda groups: tuple(word for group in groups for word in group))


def fixed(*words: str) -> st.SearchStrategy[Words]:
    """Always these words."""
    return st.just(words)


def one(words: Words) -> st.SearchStrategy[Words]:
    """One word of several."""
    return st.sampled_from(words).map(lambda word: (word,))


prefix = mostly(PREFIXES, ODD_PREFIXES)
gateway = mostly(GATEWAYS, ODD_GATEWAYS)
device = st.sampled_from(DEVICES)
address = mostly(ADDRESSES, ODD_ADDRESSES)
source = st.sampled_from(("192.168.128.10", "10.9.0.1", "10.200.1.254", "1.2.3.4"))
protocol = mostly(("200", "static", "boot"), ("kernel", "foo", "256", "0"))
metric = mostly(("5", "100", "0"), ("0x10", "foo", "-1"))
scope = st.sampled_from(("link", "global", "host", "site", "77", "foo"))

attributes = joined(
    maybe("proto", protocol),
    maybe("metric", metric),
    maybe("src", source, chance=6),
    maybe("onlink", chance=8),
    maybe("scope", scope, chance=9),
    maybe("tos", st.sampled_from(("0x10", "4", "1", "foo")), chance=14),
    maybe("mtu", st.sampled_from(("1400", "foo")), chance=14),
    maybe("table", st.sampled_from(("main", "100", "foo")), chance=12),
)
way = st.one_of(
    joined(fixed("via"), gateway.map(lambda word: (word,)), maybe("dev", device)),
    joined(fixed("via"), gateway.map(lambda word: (word,)), maybe("dev", device)),
    joined(fixed("dev"), device.map(lambda word: (word,))),
    fixed(),
)
target = st.one_of(
    joined(prefix.map(lambda word: (word,)), way),
    joined(prefix.map(lambda word: (word,)), way),
    joined(
        one(("blackhole", "blackhole", "unreachable", "prohibit", "throw", "unicast")),
        prefix.map(lambda word: (word,)),
        maybe("dev", device, chance=8),
    ),
    joined(
        prefix.map(lambda word: (word,)),
        fixed("nexthop", "via"),
        gateway.map(lambda word: (word,)),
        fixed("nexthop", "via"),
        gateway.map(lambda word: (word,)),
    ),
)
route_change = joined(
    fixed("ip", "route"),
    one(("add", "add", "replace", "replace", "append", "change", "prepend", "del", "del", "del")),
    target,
    attributes,
)
connected = st.sampled_from(
    (
        ("10.200.1.0/24", "eth1", "10.200.1.1"),
        ("10.9.0.0/24", "eth0", "10.9.0.1"),
        ("192.168.128.0/17", "eth0", "192.168.128.10"),
        ("10.200.1.0/24", "eth0", "1.2.3.4"),
    )
)
route_connected = st.tuples(st.sampled_from(("add", "replace", "replace", "append", "del")), connected).map(
    lambda chosen: (
        *("ip", "route", chosen[0], chosen[1][0], "dev", chosen[1][1]),
        *("proto", "kernel", "scope", "link", "src", chosen[1][2]),
    )
)
"""A connected route typed in, as when a bridge's own was replaced."""
route_delete = joined(
    fixed("ip", "route", "del"),
    prefix.map(lambda word: (word,)),
    maybe("proto", protocol, chance=5),
    maybe("table", "78", chance=9),
)
options = st.sampled_from((("ip",), ("ip",), ("ip", "-json"), ("ip", "-4")))
route_show = joined(
    options,
    fixed("route", "show"),
    st.one_of(
        fixed(),
        joined(one(("root", "match", "exact")), prefix.map(lambda word: (word,))),
        prefix.map(lambda word: (word,)),
    ),
    maybe("proto", protocol, chance=4),
    maybe("dev", device, chance=4),
    maybe("via", gateway, chance=6),
    maybe("table", st.sampled_from(("main", "local", "100", "77", "all", "foo")), chance=6),
)
arrivals = ("10.200.0.5", "192.168.128.11", "192.168.128.10", "1.1.1.1")
route_get = joined(
    options,
    fixed("route", "get"),
    one(DESTINATIONS),
    st.one_of(
        fixed(),
        joined(fixed("from"), one(arrivals), fixed("iif"), one(DEVICES)),
        joined(fixed("from"), one(("192.168.128.10", "10.200.1.254", "9.9.9.9"))),
        joined(fixed("oif"), one(DEVICES)),
    ),
)
lifetimes = st.sampled_from(
    (
        ("valid_lft", "300", "preferred_lft", "300"),
        ("valid_lft", "300", "preferred_lft", "300"),
        ("valid_lft", "300"),
        ("valid_lft", "300", "preferred_lft", "0"),
        ("valid_lft", "0"),
        ("valid_lft", "forever", "preferred_lft", "100"),
        ("valid_lft", "foo"),
    )
)
address_change = joined(
    fixed("ip", "address"),
    one(("add", "add", "replace", "change", "del", "del")),
    address.map(lambda word: (word,)),
    joined(fixed("dev"), one(("eth0", "eth0", "eth1", "lo", "nope"))),
    maybe("brd", st.sampled_from(("+", "10.9.0.77")), chance=5),
    maybe("scope", st.sampled_from(("link", "host", "global")), chance=8),
    st.integers(1, 4).flatmap(lambda n: lifetimes if n == 1 else fixed()),
)
address_show = joined(
    st.sampled_from((("ip",), ("ip", "-json"), ("ip", "-4"), ("ip", "-br"), ("ip", "-o"), ("ip", "-4", "-j"))),
    fixed("address", "show"),
    st.one_of(
        fixed(),
        joined(fixed("dev"), one(DEVICES)),
        fixed("to", "10.0.0.0/8"),
        fixed("scope", "link"),
        fixed("up"),
    ),
)
cut = st.sampled_from(
    (
        ("ip", "route", "add"),
        ("ip", "route", "add", "10.200.1.0/24", "via"),
        ("ip", "route", "add", "10.200.1.0/24", "bogus", "5"),
        ("ip", "route", "bogus"),
        ("ip", "route", "get"),
        ("ip", "address", "add", "10.9.0.1/24"),
        ("ip", "address", "bogus"),
        ("ip", "bogus"),
        ("ip", "link", "set", "eth1", "down"),
        ("ip", "link", "set", "eth1", "up"),
        ("ip", "link", "set", "eth0", "down"),
        ("ip", "link", "set", "eth0", "up"),
        ("ip", "r"),
        ("ip", "a", "s", "lo"),
    )
)
commands = st.one_of(
    route_change,
    route_change,
    route_change,
    route_connected,
    route_delete,
    route_show,
    route_get,
    address_change,
    address_change,
    address_show,
    cut,
)
BEGINNINGS: tuple[tuple[Words, ...], ...] = (
    (),
    (("ip", "address", "add", "192.168.128.10/17", "dev", "eth0"),),
    (
        ("ip", "address", "add", "192.168.128.10/17", "brd", "+", "dev", "eth0"),
        ("ip", "address", "add", "10.9.0.1/24", "dev", "eth1"),
        ("ip", "route", "add", "default", "via", "192.168.128.12"),
        ("ip", "route", "add", "10.200.1.0/24", "via", "192.168.128.11"),
    ),
    (
        ("ip", "address", "add", "192.168.128.10/17", "dev", "eth0"),
        ("ip", "address", "add", "192.168.128.20/17", "dev", "eth0"),
        ("ip", "address", "add", "10.200.1.1/24", "dev", "eth1"),
        ("ip", "route", "append", "10.200.1.0/24", "via", "192.168.128.11", "proto", "200"),
        ("ip", "route", "add", "10.200.2.0/24", "via", "192.168.128.11", "src", "192.168.128.20"),
    ),
)
sequences = st.tuples(
    st.sampled_from((*BEGINNINGS[1:], *BEGINNINGS[1:], BEGINNINGS[0])), st.lists(commands, min_size=1, max_size=14)
).map(lambda both: [*both[0], *both[1]])
namespaces = st.builds(
    Settings,
    ip_forward=st.integers(0, 1),
    rp_filter=st.integers(0, 2),
)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKernel]:
    """A real network namespace."""
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    kernel = RealKernel(Path(tmp_path_factory.mktemp("kernel")))
    yield kernel
    kernel.close()


def lines(text: str) -> list[Words]:
    """A sequence as one would type it."""
    return [tuple(shlex.split(line)) for line in text.strip().splitlines()]


KNOWN = lines("""
ip address add 192.168.128.10/17 dev eth0
ip route add default via 192.168.128.12
ip route add 10.200.1.0/24 via 1.2.3.4
ip route add 10.200.1.0/24 via 192.168.128.11 proto 200
ip route add 10.200.1.0/24 via 192.168.128.12
ip route add 10.200.9.0/24 via 10.200.1.5
ip route replace 10.200.1.0/24 via 192.168.128.12 metric 5
ip route append 10.200.1.0/24 via 192.168.128.12
ip route append 10.200.1.0/24 via 192.168.128.13
ip route prepend 10.200.1.0/24 via 192.168.128.14
ip route replace 10.200.1.0/24 via 192.168.128.13
ip route replace 10.200.1.0/24 via 192.168.128.15 proto 200
ip route change 10.200.2.0/24 via 192.168.128.15
ip route add 10.200.2.0/24 via 192.168.128.10
ip route get 10.200.2.5
ip route get 10.200.1.5 from 10.200.0.5 iif eth1
ip route del 10.200.1.0/24 proto static
ip route del 10.200.1.0/24
ip -json route show root 10.200.0.0/16
""")
"""What the tool's texts rest on: off-link and indirect next hops, equal keys, the verbs, an own address."""

OWN_NETWORK = lines("""
ip address add 192.168.128.10/17 dev eth0
ip route add 10.200.1.0/24 via 192.168.128.11
ip address add 10.200.1.1/24 dev eth1
ip route show 10.200.1.0/24
ip route del 10.200.1.0/24 via 192.168.128.11
ip route replace 10.200.1.0/24 via 192.168.128.11
ip address del 10.200.1.1/24 dev eth1
ip route add 10.200.2.0/24 via 192.168.128.11 src 192.168.128.10
ip route add blackhole 10.200.3.0/24
ip route get 10.200.3.5
ip address del 192.168.128.10/17 dev eth0
""")
"""A node's own pod network: a route that was there before the bridge, and one that replaces the bridge's."""


BRIDGE_BACK = lines("""
ip address add 192.168.128.10/17 dev eth0
ip address add 10.200.1.1/24 dev eth1
ip route replace 10.200.1.0/24 via 192.168.128.11 dev eth0
ip route add 10.200.1.0/24 dev eth1 proto kernel scope link src 10.200.1.1
ip route replace 10.200.1.0/24 dev eth1 proto kernel scope link src 10.200.1.1
ip route replace 10.200.1.0/24 dev eth1 proto kernel scope link src 10.200.1.1
ip -json route show exact 10.200.1.0/24
ip route get 10.200.1.5
ip route del 10.200.1.0/24 nexthop via 192.168.128.11 nexthop via 192.168.128.12
ip route add 10.200.1.0/24 via 192.168.128.12 metric 5
ip route del 10.200.1.0/24 via 192.168.128.12 dev eth0
ip route replace 10.200.1.0/24 via 192.168.128.11 dev eth0 proto 200
ip route del 10.200.1.0/24 nexthop via 192.168.128.12 nexthop via 192.168.128.11
ip route del 10.200.1.0/24 nexthop via 192.168.128.11 nexthop via 192.168.128.12
ip route add 10.200.1.0/24 via 192.168.128.11 dev eth0 proto 200
ip route del 10.200.1.0/24 via 192.168.128.11 dev eth0
ip route add 10.200.1.0/24 dev eth1 proto kernel scope link src 10.200.1.1
ip address del 10.200.1.1/24 dev eth1
ip route add 10.200.1.0/24 dev eth1 proto kernel scope link src 10.200.1.1
""")
"""A node's own pod network was routed away, and the bridge's connected route comes back; it goes with the address."""


@pytest.mark.timeout(900)  # it starts hundreds of real programs: on a busy machine each may take its time
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=sequences, how=namespaces)
@example(sequence=KNOWN, how=Settings())
@example(sequence=KNOWN, how=Settings(ip_forward=1, rp_filter=1))
@example(sequence=OWN_NETWORK, how=Settings())
@example(sequence=BRIDGE_BACK, how=Settings())
def test_the_model_answers_as_the_kernel_does(real: RealKernel, sequence: list[Words], how: Settings) -> None:
    """Each command's stdout, stderr and status, and the table and addresses after it, are the same on both."""
    expected = real.run(sequence, how)
    got = run_on_model(model(how), sequence)
    for i, (theirs, ours) in enumerate(zip(expected, got, strict=True)):
        if normal(ours) != normal(theirs):
            note("\n".join(shlex.join(command) for command in sequence[: i + 1]))
        assert normal(ours) == normal(theirs), shlex.join(sequence[i])
