"""What ping and /proc/net/snmp print: iputils, busybox, refusals, and what is not understood."""

import pytest

from kthw_routes.hosts.ping_output import Pinged, count_full_tables, parse_counters, parse_ping, parse_pings
from kthw_routes.proof.readings import Counters
from kthw_routes.ssh.command import Result

from .answering import said
from .builders import ip

IPUTILS = """PING 10.200.1.1 (10.200.1.1) from 10.200.0.1 : 56(84) bytes of data.
64 bytes from 10.200.1.1: icmp_seq=1 ttl=64 time=0.412 ms

--- 10.200.1.1 ping statistics ---
3 packets transmitted, 3 received, 0% packet loss, time 402ms
rtt min/avg/max/mdev = 0.301/0.352/0.412/0.045 ms
"""
BUSYBOX = """--- 10.200.1.1 ping statistics ---
3 packets transmitted, 2 packets received, 33% packet loss
round-trip min/avg/max = 0.101/0.124/0.147 ms
"""
REFUSED = """From 192.168.8.1 icmp_seq=1 Packet filtered
From 192.168.8.1 icmp_seq=2 Packet filtered
3 packets transmitted, 0 received, +2 errors, 100% packet loss, time 400ms
"""
REDIRECTED = f"From 192.168.8.9: icmp_seq=1 Redirect Host(New nexthop: 192.168.8.21)\n{REFUSED}"
"""What a node prints whose packets make a detour in its own network."""


@pytest.mark.parametrize(
    ("result", "pinged"),
    [
        (said(IPUTILS), Pinged(sent=3, received=3, round_trip=0.352, words="")),
        (said(BUSYBOX), Pinged(sent=3, received=2, round_trip=0.124, words="")),
        (
            said(REFUSED, status=1),
            Pinged(sent=3, received=0, round_trip=None, words="From 192.168.8.1 icmp_seq=1 Packet filtered"),
        ),
        (
            said(REDIRECTED, status=1),
            Pinged(sent=3, received=0, round_trip=None, words="From 192.168.8.1 icmp_seq=1 Packet filtered"),
        ),
        (
            said(status=2, err="ping: bind: Cannot assign requested address\n"),
            Pinged(sent=3, received=0, round_trip=None, words="ping: bind: Cannot assign requested address"),
        ),
        (said(), Pinged(sent=3, received=0, round_trip=None, words="")),
    ],
    ids=["iputils", "busybox", "filtered", "redirected", "refused", "nothing"],
)
def test_what_ping_prints(result: Result, pinged: Pinged) -> None:
    assert parse_ping(result) == pinged


@pytest.mark.parametrize(
    ("text", "counters"),
    [
        ("Icmp: InMsgs InEchos InEchoReps OutEchos OutEchoReps\nIcmp: 9 1 2 3 4\n", Counters(1, 4, 3, 2)),
        ("Ip: Forwarding\nIp: 1\nIcmp: InEchos OutEchoReps\nIcmp: 7\nUdp: x\n", Counters(7, 0, 0, 0)),
        ("Icmp: InEchos\nIcmp: many\n", Counters(0, 0, 0, 0)),
        ("Icmp: InEchos\n", Counters(0, 0, 0, 0)),
        ("", Counters(0, 0, 0, 0)),
    ],
    ids=["all", "some", "not a number", "one line", "nothing"],
)
def test_counters_are_read_by_their_names(text: str, counters: Counters) -> None:
    assert parse_counters(text) == counters


def line(text: str, address: str = "10.200.1.1", status: int = 0) -> str:
    """What is printed of one of several pings: all on one line."""
    return f"{address} {status} {' '.join(text.split())}\n"


@pytest.mark.parametrize(
    ("text", "pinged"),
    [
        (line(IPUTILS), Pinged(sent=3, received=3, round_trip=0.352, words="")),
        (line(BUSYBOX), Pinged(sent=3, received=2, round_trip=0.124, words="")),
        (
            line(f"PING 10.200.1.1 (10.200.1.1) 56(84) bytes of data. {REFUSED}", status=1),
            Pinged(sent=3, received=0, round_trip=None, words="From 192.168.8.1 icmp_seq=1 Packet filtered"),
        ),
        (
            line(REDIRECTED, status=1),
            Pinged(sent=3, received=0, round_trip=None, words="From 192.168.8.1 icmp_seq=1 Packet filtered"),
        ),
        (
            line("ping: bind: Cannot assign requested address\n", status=2),
            Pinged(sent=3, received=0, round_trip=None, words="ping: bind: Cannot assign requested address"),
        ),
        (
            line("PING … ping: sendmsg: Operation not permitted ping: sendmsg: Operation not permitted --- 10.200.1.1 "
                 "ping statistics --- 3 packets transmitted, 0 received, 100% packet loss, time 401ms", status=1),
            Pinged(sent=3, received=0, round_trip=None, words="ping: sendmsg: Operation not permitted"),
        ),
        (
            line("sh: 1: ping: not found", status=127),
            Pinged(sent=3, received=0, round_trip=None, words="ping: not found", is_missing=True),
        ),
        (line("", status=1), Pinged(sent=3, received=0, round_trip=None, words="")),
    ],
    ids=["iputils", "busybox", "filtered", "redirected", "refused", "firewall", "missing", "nothing"],
)  # fmt: skip
def test_what_one_of_many_pings_prints(text: str, pinged: Pinged) -> None:
    asked = [ip(f"10.200.{n}.1") for n in (1, 2, 3)]
    assert parse_pings(said(f"{line(IPUTILS, '10.200.2.1')}{text}{line(BUSYBOX, '10.200.3.1')}"), asked) == {
        ip("10.200.2.1"): Pinged(sent=3, received=3, round_trip=0.352, words=""),
        ip("10.200.1.1"): pinged,
        ip("10.200.3.1"): Pinged(sent=3, received=2, round_trip=0.124, words=""),
    }


@pytest.mark.parametrize(
    "text",
    [
        f"Welcome!\n999.1.1.1 0 {IPUTILS}10.200.1.1\n10.200.1.1 0x3 sent\n",
        line("10.200.1.1 0 3 packets transmitted, 3 received\n10.200.1.1 0 3 packets transmitted", "10.200.2.1"),
        line(IPUTILS, "10.200.2.1") * 2,
        "",
    ],
    ids=["garbled", "forged by another", "only another", "nothing"],
)
def test_what_is_on_no_line_of_its_own_was_not_received(text: str) -> None:
    pinged = parse_pings(said(text), [ip("10.200.1.1"), ip("10.200.2.1")])[ip("10.200.1.1")]
    assert pinged == Pinged(sent=3, received=0, round_trip=None, words="")


FULL_GOT_THROUGH = "PING 10.200.1.1 1472(1500) bytes of data. --- 1 packets transmitted, 1 received, 0% packet loss"
FULL_LOST = "PING 10.200.1.1 1472(1500) bytes of data. --- 1 packets transmitted, 0 received, 100% packet loss"
FRAG_NEEDED = (
    "PING 10.200.1.1 1472(1500) bytes of data. From 10.200.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1450) --- "
    "10.200.1.1 ping statistics --- 1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms"
)
TOO_LONG = (
    "PING 10.200.1.1 1472(1500) bytes of data. ping: local error: message too long, mtu=1450 --- 10.200.1.1 ping "
    "statistics --- 1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms"
)


@pytest.mark.parametrize(
    ("text", "is_sent", "lost"),
    [
        ("", False, None),
        (f"10.200.1.1 full 0 {FULL_GOT_THROUGH}\n", True, None),
        (f"10.200.1.1 full 1 {FULL_LOST}\n", True, ""),
        (f"10.200.1.1 full 1 {FRAG_NEEDED}\n", True, "From 10.200.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1450)"),
        (f"10.200.1.1 full 1 {TOO_LONG}\n", True, "ping: local error: message too long, mtu=1450"),
        ("10.200.1.1 full 1 ping: invalid option -- 'M'\n", False, None),
        (f"10.200.9.9 full 1 {FULL_LOST}\n", False, None),
    ],
    ids=["not sent", "through", "lost", "told by a router", "told by the kernel", "busybox", "another's"],
)
def test_the_packet_of_full_size_has_a_line_of_its_own(text: str, is_sent: bool, lost: str | None) -> None:
    found = parse_pings(said(f"{line(IPUTILS)}{text}"), [ip("10.200.1.1")])[ip("10.200.1.1")]
    assert (found.received, found.is_full_size_sent, found.full_size_lost) == (3, is_sent, lost)


def test_why_there_are_no_lines_is_said_of_each() -> None:
    missing = parse_pings(said(status=127, err="sh: not found"), [ip("10.200.1.1")])
    assert missing == {ip("10.200.1.1"): Pinged(3, 0, None, "sh: not found", is_missing=True)}
    refused = parse_pings(said(status=1, err="Cannot open network namespace"), [ip("10.200.1.1")])
    assert refused == {ip("10.200.1.1"): Pinged(3, 0, None, "Cannot open network namespace")}


def test_an_address_that_was_not_asked_for_is_no_answer() -> None:
    assert list(parse_pings(said(line(IPUTILS, "10.200.9.1")), [ip("10.200.1.1")])) == [ip("10.200.1.1")]


STATISTICS = """entries  allocs   hash_grows table_fulls
00000002 000024dd 00000004   00000000
00000002 00002453 00000006   0000001f
00000002 00002453 00000006   00000002
"""


@pytest.mark.parametrize(
    ("text", "count"),
    [(STATISTICS, 0x21), ("", None), ("entries\n00000002\n", None), (STATISTICS.replace("0000001f", ""), 2)],
    ids=["three processors", "none", "an old kernel", "cut"],
)
def test_a_full_neighbour_table_is_counted_on_all_processors(text: str, count: int | None) -> None:
    assert count_full_tables(text) == count
