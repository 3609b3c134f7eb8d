"""What ping and /proc/net/snmp print: iputils, busybox, refusals, and what is not understood."""

import pytest

from kthw_routes.hosts.ping_output import Pinged, parse_counters, parse_ping
from kthw_routes.proof.readings import Counters
from kthw_routes.ssh.command import Result

from .answering import said

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
            said(status=2, err="ping: bind: Cannot assign requested address\n"),
            Pinged(sent=3, received=0, round_trip=None, words="ping: bind: Cannot assign requested address"),
        ),
        (said(), Pinged(sent=3, received=0, round_trip=None, words="")),
    ],
    ids=["iputils", "busybox", "filtered", "refused", "nothing"],
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
