"""Rules of a firewall, however they are made: what is read of them takes their length, and so does a packet's way."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kthw_routes.hosts.read_path import answers_in_order, parse_policy_rules, without_twins
from kthw_routes.netfilter import iptables, nft, walk
from kthw_routes.netfilter.rules import Hook, Packet
from kthw_routes.ssh.command import Result

LENGTH = 2_000_000
"""Bytes: as much as is read."""
PACKET = Packet(source=None, destination=None)


@contextmanager
def seconds(bound: float = 20) -> Iterator[None]:
    begun = time.process_time()
    yield
    assert time.process_time() - begun < bound


def many(piece: str) -> str:
    return piece * (LENGTH // len(piece))


def native(*lines: str) -> str:
    return "\n".join(["table ip filter {", "chain a {", *lines, "}", "}", ""])


def older(*lines: str) -> str:
    return "\n".join(["*filter", ":FORWARD ACCEPT [0:0]", *lines, "COMMIT", ""])


NFT = {
    "a priority far behind": native(f"type filter hook forward priority {' ' * LENGTH}x"),
    "priorities": native(f"type filter hook forward devices {many(' priority a')}"),
    "a set that is not closed": native("ip saddr { 10.0.0.1,", *["10.0.0.2,"] * (LENGTH // 10)),
    "braces": native(many("{")),
    "quotes": native(many('" ')),
    "one word": native(many("a")),
    "words": native(many("meta ")),
    "a list": native(f"ip saddr {{ {many('1.1.1.1-9.9.9.9, ')} }} drop"),
    "empty lines": many("\n"),
    "tables": many("table ip a {\n}\n"),
    "chains": native(*["}", "chain b {"] * (LENGTH // 12)),
    "sets that are open": many("table ip a {\nset b {\n"),
}
IPTABLES = {
    "one word": older(f"-A FORWARD -m comment --comment {many('a')}"),
    "words": older(f"-A FORWARD {many('-s 10.0.0.1 ')}"),
    "quotes": older(f"-A FORWARD {many(chr(34) + ' ')}"),
    "a list": older(f"-A FORWARD -s {many('10.0.0.1,')}10.0.0.1 -j DROP"),
    "short rules": older(*["-A FORWARD -s 10.0.0.1"] * (LENGTH // 23)),
    "chains": older(*(f":c{n} -" for n in range(LENGTH // 10))),
    "tables": many("*a\nCOMMIT\n"),
}


@pytest.mark.parametrize("name", NFT)
def test_rules_of_nftables_are_read_in_one_pass(name: str) -> None:
    with seconds():
        tables = nft.parse_tables(NFT[name])
        walk.drops(tables, Hook.FORWARD, PACKET)


@pytest.mark.parametrize("name", IPTABLES)
def test_rules_of_iptables_are_read_in_one_pass(name: str) -> None:
    with seconds():
        tables = iptables.parse_tables(IPTABLES[name])
        walk.drops(tables, Hook.FORWARD, PACKET)
        without_twins(nft.parse_tables(NFT["tables"]), tables)


@pytest.mark.parametrize("end", ["ACCEPT", "DROP"])
@pytest.mark.parametrize("jump", ["-j", "-g", "-m x --y -j"])
def test_chains_that_lead_to_each_other_many_times_are_walked_once(end: str, jump: str) -> None:
    chains = [line for n in range(15) for line in [f"-A c{n} {jump} c{n + 1}"] * 100]
    rules = older(*(f":c{n} -" for n in range(16)), "-A FORWARD -j c0", *chains, *[f"-A c15 -m x --y -j {end}"] * 100)
    tables = iptables.parse_tables(rules)
    with seconds(5):
        hit = walk.drops(tables, Hook.FORWARD, PACKET)
        assert walk.rewrites(tables, Hook.FORWARD, PACKET) is False
    assert (hit is not None) == (end == "DROP")
    assert hit is None or (hit.chain.name, hit.is_certain) == ("c15", False)


@pytest.mark.parametrize("chain", ["FORWARD", "c0", "c1"])
def test_chains_in_a_circle_come_to_an_end(chain: str) -> None:
    lines = ["-A FORWARD -j c0", *["-A c0 -j c1"] * 100, *[f"-A c1 -j {chain}"] * 100, "-A FORWARD -j DROP"]
    with seconds(5):
        hit = walk.drops(iptables.parse_tables(older(":c0 -", ":c1 -", *lines)), Hook.FORWARD, PACKET)
    assert hit is not None


@pytest.mark.parametrize(
    "piece", ["\n", " ", "a", "0: ", "0: from all lookup main\n", "0:\tlookup ", "Error: ", "1\n "]
)
def test_policy_rules_and_lookups_are_read_in_one_pass(piece: str) -> None:
    text = many(piece)
    with seconds():
        parse_policy_rules(text)
        answers_in_order(Result(0, text.encode(), text.encode()), 3)
