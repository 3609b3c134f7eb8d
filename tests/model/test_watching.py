"""What a learner looks with on a modelled node: tcpdump, traceroute, iptables -L, sed; the lines are as real."""

import re
import threading
from collections.abc import Sequence

import pytest

from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.pods import with_pods
from kthw_routes.demo.programs.tcpdump_filter import SyntaxFault, parse_filter
from kthw_routes.demo.shell.pipes import reading
from kthw_routes.demo.topology import Topology
from tests.model.hosts import cluster, lone_host, run

VIA = ("192.168.138.48", "192.168.145.107", "192.168.152.166")


@pytest.fixture
def topology() -> Topology:
    """A cluster with its routes, and a pod on each worker."""
    made = with_pods(cluster())
    for one in range(3):
        for other in range(3):
            if one != other:
                run(made.hosts[f"worker-{one}"], f"ip route add 10.200.{other}.0/24 via {VIA[other]}")
    return made


def capture(host: ModelHost, command: str, meanwhile: Sequence[tuple[ModelHost, str]]) -> tuple[list[str], str]:
    """Run tcpdump, and the other commands once it listens; the lines without their times, and stderr."""
    out, err, ended = bytearray(), bytearray(), threading.Event()

    def complain(written: bytes) -> None:
        err.extend(written)
        if b"listening" in written:
            for other, line in meanwhile:
                run(other, line)

    def show(written: bytes) -> None:
        out.extend(written)
        ended.set()  # ^C, once everything is there

    status = host.execute(command, stdin=reading(b""), stdout=show, stderr=complain, cancelled=ended)
    assert status == 0
    lines = [re.sub(r"^\d\d:\d\d:\d\d\.\d{6} ", "", line) for line in out.decode().splitlines()]
    return [re.sub(r"id \d+", "id 7", line) for line in lines], err.decode()


def test_tcpdump_prints_each_interface_that_a_packet_comes_by(topology: Topology) -> None:
    w0, w1 = topology.hosts["worker-0"], topology.hosts["worker-1"]
    lines, err = capture(w1, "tcpdump -ni any icmp", [(w0, "ping -c 1 10.200.1.2")])
    veth = next(link.name for link in w1.kernel.links if link.kind == "veth")
    request = "IP 192.168.138.48 > 10.200.1.2: ICMP echo request, id 7, seq 1, length 64"
    reply = "IP 10.200.1.2 > 192.168.138.48: ICMP echo reply, id 7, seq 1, length 64"
    assert lines == [
        f"eth0  In  {request}",
        f"cnio0 Out {request}",
        f"{veth} Out {request}",
        f"{veth} In  {reply}",
        f"cnio0 In  {reply}",
        f"eth0  Out {reply}",
    ]
    assert err.startswith("tcpdump: data link type LINUX_SLL2\ntcpdump: verbose output suppressed, ")
    assert err.endswith("6 packets captured\n6 packets received by filter\n0 packets dropped by kernel\n")


def test_tcpdump_shows_what_is_refused_and_what_nobody_answers(topology: Topology) -> None:
    w0, w1 = topology.hosts["worker-0"], topology.hosts["worker-1"]
    run(w1, "iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited")
    refused, _ = capture(w0, "tcpdump -ni eth0 src 10.200.1.2 or src 192.168.145.107", [(w0, "ping -c 1 10.200.1.2")])
    assert refused == [
        "IP 192.168.145.107 > 192.168.138.48: ICMP host 10.200.1.2 unreachable - admin prohibited, length 92"
    ]
    run(w0, "ip route replace 10.200.1.0/24 via 192.168.177.9")
    unheard, _ = capture(w0, "tcpdump -ni eth0 arp", [(w0, "ping -c 1 -W 1 10.200.1.2")])
    assert unheard == ["ARP, Request who-has 192.168.177.9 tell 192.168.138.48, length 28"]


def test_tcpdump_ends_at_its_count_and_refuses_what_it_cannot_read(topology: Topology) -> None:
    w0 = topology.hosts["worker-0"]
    lines, err = capture(w0, "tcpdump -c1 -ni eth0 icmp", [(w0, "ping -c 1 10.200.1.2")])
    assert len(lines) == 1
    assert "1 packet captured\n" in err
    assert run(w0, "tcpdump -ni eth9").err == "tcpdump: eth9: No such device exists\n(No such device exists)\n"
    assert run(w0, "tcpdump -ni any nonsense").err == "tcpdump: can't parse filter expression: syntax error\n"
    assert run(w0, "timeout 2 tcpdump -ni any icmp").status == 124
    assert not topology.network.taps


def test_tcpdump_shows_what_is_inside_of_a_tunnel(topology: Topology) -> None:
    w0, w1 = topology.hosts["worker-0"], topology.hosts["worker-1"]
    for host, own, other, mac in ((w0, 0, 1, "02:00:00:00:00:01"), (w1, 1, 0, "02:00:00:00:00:00")):
        for line in (
            f"ip link add vx address 02:00:00:00:00:0{own} type vxlan id 200 dstport 4789 local {VIA[own]} nolearning",
            "ip link set vx up",
            f"ip neigh replace 10.200.{other}.0 lladdr {mac} dev vx nud permanent",
            f"bridge fdb replace {mac} dev vx dst {VIA[other]}",
            f"ip route replace 10.200.{other}.0/24 via 10.200.{other}.0 dev vx onlink",
        ):
            assert run(host, line).err == "", line
    before = run(w1, "cat /proc/net/snmp").out
    lines, _ = capture(w1, "tcpdump -ni eth0 udp port 4789", [(w0, "ping -c 1 10.200.1.2")])
    assert re.fullmatch(
        r"IP 192\.168\.138\.48\.\d+ > 192\.168\.145\.107\.4789: VXLAN, flags \[I\] \(0x08\), vni 200", lines[0]
    )
    assert re.fullmatch(r"IP [\d.]+ > 10\.200\.1\.2: ICMP echo request, id 7, seq 1, length 64", lines[1])
    assert run(w1, "cat /proc/net/snmp").out == before  # what is inside of it is no echo of this node


@pytest.mark.parametrize(
    "words", ["udp port", "port x", "host", "src", "net 10.200.0.0/99", "icmp and", "( icmp", "icmp )", "host w0"]
)
def test_a_filter_that_tcpdump_does_not_know_is_refused(words: str) -> None:
    with pytest.raises(SyntaxFault):
        parse_filter(words.split())


def test_traceroute_names_who_answers_on_the_way(topology: Topology) -> None:
    w0, w1 = topology.hosts["worker-0"], topology.hosts["worker-1"]
    times = r"(  \d+\.\d{3} ms){3}"
    there = run(w0, "traceroute -n 10.200.1.2").out
    assert re.fullmatch(
        r"traceroute to 10\.200\.1\.2 \(10\.200\.1\.2\), 30 hops max, 60 byte packets\n"
        rf" 1  192\.168\.145\.107{times}\n 2  10\.200\.1\.2{times}\n",
        there,
    )
    lines, _ = capture(w1, "tcpdump -ni cnio0", [(w0, "traceroute -n -q 1 10.200.1.2")])
    assert re.fullmatch(r"IP 192\.168\.138\.48\.\d+ > 10\.200\.1\.2\.33435: UDP, length 32", lines[0])
    assert lines[1] == "IP 10.200.1.2 > 192.168.138.48: ICMP 10.200.1.2 udp port 33435 unreachable, length 68"
    run(w1, "iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited")
    assert run(w0, "traceroute 10.200.1.2").out.count(" ms !X") == 3
    run(w1, "iptables -P FORWARD DROP; iptables -F FORWARD")
    assert run(w0, "traceroute -n -m 3 10.200.1.2").out.endswith("\n 2  * * *\n 3  * * *\n")
    run(w0, "ip route replace blackhole 10.200.1.0/24")
    assert run(w0, "traceroute 10.200.1.2").err == "connect: Invalid argument\n"


def test_iptables_lists_a_table(topology: Topology) -> None:
    host = topology.hosts["worker-1"]
    run(host, "iptables -A FORWARD -s 10.200.0.0/16 -j DROP")
    run(host, "iptables -A FORWARD -j REJECT --reject-with icmp-host-prohibited")
    assert run(host, "iptables -L FORWARD").out == (
        "Chain FORWARD (policy ACCEPT)\n"
        "target     prot opt source               destination         \n"
        "DROP       all  --  10.200.0.0/16        anywhere            \n"
        "REJECT     all  --  anywhere             anywhere             reject-with icmp-host-prohibited\n"
    )
    assert run(host, "iptables -vnL FORWARD").out.splitlines()[1:3] == [
        " pkts bytes target     prot opt in     out     source               destination         ",
        "    0     0 DROP       all  --  *      *       10.200.0.0/16        0.0.0.0/0           ",
    ]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("s,a,X,", "X b a\nb\n"),
        ("s/a/[&]/g", "[a] b [a]\nb\n"),
        ("/^b$/d", "a b a\n"),
        ("1d;$s/b/c/", "c\n"),
        ("1,/b/s/a/X/", "X b a\nb\n"),
        (r"s/\(a\) \(b\)/\2 \1/", "b a a\nb\n"),
        ("1!d", "a b a\n"),
    ],
)
def test_sed_edits_lines(script: str, expected: str) -> None:
    host = lone_host()
    run(host, "printf 'a b a\\nb\\n' > /tmp/f")
    assert run(host, f"sed '{script}' /tmp/f").out == expected
    assert run(host, f"sed -i '{script}' /tmp/f").out == ""
    assert run(host, "cat /tmp/f").out == expected


def test_sed_reports_what_it_does_not_know() -> None:
    host = lone_host()
    assert run(host, "sed 'y/a/b/' /etc/hosts").err == "sed: -e expression #1, char 1: unknown command: `y'\n"
    assert run(host, "sed -i s,a,b, /none").err == "sed: can't read /none: No such file or directory\n"
    assert run(host, "sed -n '1p' /etc/hosts").out == "127.0.0.1 localhost\n"


def test_an_editor_says_how_to_edit_without_it() -> None:
    ran = run(lone_host(), "vi /etc/hosts")
    assert ran.status == 1
    assert "sed -i 's,OLD,NEW,' /etc/hosts" in ran.err


def test_head_and_tail_cut_files() -> None:
    host = lone_host()
    assert run(host, "head -n 1 /etc/hosts; tail -1 /etc/hosts; head -2 /etc/hosts | tail -n 1").out == (
        "127.0.0.1 localhost\nff02::2 ip6-allrouters\n127.0.1.1 worker-0\n"
    )
