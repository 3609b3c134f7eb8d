"""Which next hops are on-link, and at which interface: our reading of a table, held against what the kernel takes."""

import random
import subprocess
from ipaddress import IPv4Address

import pytest

from kthw_routes.facts import device_towards, on_link_routes, router_towards
from kthw_routes.iproute2.output import parse_routes
from tests.model.linux import unavailable

pytestmark = pytest.mark.kernel

TABLES = {
    "a LAN": ["addr add 192.168.8.20/24 dev eth0"],
    "wg-quick": ["addr add 10.66.0.2/32 dev eth1", "route add 10.66.0.3 dev eth1 scope link"],
    "a peer address": ["addr add 10.66.0.2 peer 10.66.0.3 dev eth1"],
    "Hetzner": [
        "addr add 10.240.0.2/32 dev eth1",
        "route add 10.240.0.1 dev eth1 scope link",
        "route add 10.240.0.0/16 via 10.240.0.1",
    ],
    "a longer prefix through a router": [
        "addr add 192.168.8.20/24 dev eth0",
        "addr add 10.9.0.1/24 dev eth1",
        "route add 192.168.8.128/25 via 10.9.0.7",
    ],
    "no route of its own": ["addr add 192.168.8.20/24 dev eth0 noprefixroute"],
    "everything on one link": ["addr add 10.9.0.1/32 dev eth1", "route add default dev eth1"],
    "two of one network": [
        "addr add 192.168.8.20/24 dev eth0",
        "addr add 192.168.8.30/24 dev eth1 noprefixroute",
        "route add 192.168.8.0/24 dev eth1 metric 100",
    ],
    "a black hole": ["addr add 192.168.8.20/24 dev eth0", "route add blackhole 192.168.8.21/32"],
    "an interface that is down": ["addr add 192.168.8.20/24 dev eth0", "link set eth0 down"],
    "no carrier": ["addr add 192.168.8.20/24 dev eth0", "link set peer0 down"],
    "nothing": [],
}
HOPS = ("192.168.8.21", "192.168.8.200", "10.66.0.3", "10.66.0.4", "10.240.0.1", "10.240.0.7", "10.9.0.7", "8.8.8.8")
EXAMPLES = 40


def _some_tables() -> dict[str, list[str]]:
    """Those above, and some at random from all their commands."""
    dice = random.Random(20261128)
    every = sorted({command for commands in TABLES.values() for command in commands})
    return TABLES | {f"random {n}": dice.sample(every, dice.randint(2, 7)) for n in range(EXAMPLES)}


def _script(tables: dict[str, list[str]]) -> str:
    parts: list[str] = []
    for name, commands in tables.items():
        parts += ["for n in 0 1; do ip link add eth$n type veth peer name peer$n; ip link set eth$n up"]
        parts += ["ip link set peer$n up; done"]
        parts += [f"ip {command} 2>/dev/null || :" for command in commands]
        parts += [f"echo '@ {name}'", "ip -json route; echo"]
        for hop in HOPS:
            parts += [f"ip route add 198.18.0.0/24 via {hop} 2>/dev/null && ip -o route show 198.18.0.0/24 || echo no"]
            parts += ["ip route del 198.18.0.0/24 2>/dev/null || :"]
        parts += ["ip link del eth0; ip link del eth1"]
    return "\n".join(parts)


def test_the_kernel_takes_the_next_hops_that_are_on_link_and_no_others() -> None:
    if reason := unavailable():
        pytest.skip(reason)
    tables = _some_tables()
    ran = subprocess.run(
        ["unshare", "-n", "sh", "-c", _script(tables)], capture_output=True, text=True, check=True, timeout=120
    )
    taken = 0
    for part in ran.stdout.split("@ ")[1:]:
        name, table, *answers = filter(None, part.strip().split("\n"))
        on_link = on_link_routes(parse_routes(table))
        for hop, answer in zip(HOPS, answers, strict=True):
            words = answer.split()
            by_kernel = words[words.index("dev") + 1] if "dev" in words else None
            assert device_towards(on_link, IPv4Address(hop)) == by_kernel, (name, hop, table)
            taken += by_kernel is not None
    assert taken > len(tables)


def test_the_router_of_a_provider_is_found_and_the_default_one_is_none() -> None:
    table = parse_routes(
        "default via 172.31.1.1 dev eth0\n172.31.1.1 dev eth0 scope link\n"
        "10.240.0.1 dev enp7s0 scope link\n10.240.0.0/16 via 10.240.0.1 dev enp7s0\n10.241.0.0/16 via 10.99.0.1 dev x\n"
    )
    on_link = on_link_routes(table)

    def router(ip: str) -> str | None:
        found = router_towards(table, on_link, IPv4Address(ip))
        return f"{found.gateway} {found.device}" if found else None

    assert router("10.240.0.3") == "10.240.0.1 enp7s0"
    assert router("203.0.113.7") is None, "the default route leads to the internet"
    assert router("10.241.0.3") is None, "its router is not on-link"
    assert router("10.240.0.1") is None, "it is on-link itself"
