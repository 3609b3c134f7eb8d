"""The modelled `ping` and network against the real ones: two namespaces and a veth, the same tables on both."""

import re
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Interface

import pytest

from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.net.links import LinkAddress
from kthw_routes.demo.net.network import Network
from kthw_routes.hosts import programs
from kthw_routes.hosts.ping_output import parse_pings
from kthw_routes.ssh.command import Result
from tests.model.clock import FastClock
from tests.model.hosts import EPOCH, run
from tests.model.linux import unavailable

pytestmark = pytest.mark.kernel

SETUP = {
    1: (
        "ip address add 10.200.1.254/32 dev lo",
        "ip route add 10.200.2.0/24 via 192.168.128.12",
        "ip route add blackhole 10.200.3.0/24",
        "ip route add unreachable 10.200.4.0/24",
        "ip route add prohibit 10.200.5.0/24",
        "ip route add 10.200.6.0/24 via 192.168.128.99",
        "ip route add 10.200.7.0/24 via 192.168.128.11",
        "ip route add 10.200.8.0/24 via 192.168.128.12",
    ),
    2: (
        "ip address add 10.200.2.254/32 dev lo",
        "ip route add 10.200.1.254 via 192.168.128.11",
        "sysctl -qw net.ipv4.ip_forward=1",
    ),
}
COMMANDS = (
    "ping -n -c 3 -i 0.2 -W 1 192.168.128.12",
    "ping -n -q -c 3 -i 0.2 -W 1 192.168.128.12",
    "ping -c 2 -i 0.2 192.168.128.11",
    "ping -n -c 3 -i 0.2 -W 1 -I 10.200.1.254 10.200.2.254",
    "ping -n -c 2 -i 0.2 -W 1 -I eth0 10.200.2.254",
    "ping -n -c 2 -i 0.2 -W 1 -I 10.200.1.254 192.168.128.11",
    "ping -n -c 1 -W 1 10.200.2.77",
    "ping -n -c 1 10.200.3.1",
    "ping -n -c 2 -i 0.2 -W 1 -I 10.200.1.254 10.200.3.1",
    "ping -n -c 1 10.200.4.1",
    "ping -n -c 1 10.200.5.1",
    "ping -n -c 3 -i 0.2 -W 1 10.200.6.1",
    "ping -n -c 3 -i 0.2 -W 5 10.200.7.1",
    "ping -n -q -c 3 -i 0.2 -W 5 192.168.128.77",
    "ping -n -c 2 -i 0.2 -W 1 10.200.8.1",
    "ping -n -c 1 -W 1 -t 1 10.200.8.1",
    "ping -n -c 1 -W 1 -M do -s 1472 -I 10.200.1.254 10.200.2.254",
    "ping -n -c 1 -W 1 -M do -s 1473 -I 10.200.1.254 10.200.2.254",
    "ping -n -c 1 -W 1 -M do -s 1473 192.168.128.12",
    "ping -n -c 1 10.99.0.1",
    "ping -n -c 1 -I 1.2.3.4 10.200.2.254",
    "ping -n -c 1 -I nope 10.200.2.254",
    "ping -n -c 1 192.168.255.255",
    "ping -c1 -s 100 192.168.128.12",
    "ping",
    "ping -c foo 192.168.128.12",
    "ping -c 0 192.168.128.12",
    "ping -w 1 -i 0.3 192.168.128.12",
)
SNMP = "cat /proc/net/snmp"
COUNTED = ("InEchos", "InEchoReps", "OutEchos", "OutEchoReps")


@pytest.fixture(scope="module")
def real() -> Iterator[list[str]]:
    """Two namespaces with a wire between them; their names."""
    reason = unavailable() or (None if shutil.which("ping") else "needs ping of iputils")
    if reason:
        pytest.skip(reason)
    names = [f"kthw-ping{number}-{uuid.uuid4().hex[:6]}" for number in SETUP]
    script = [f"ip netns add {name}" for name in names]
    script.append(f"ip link add eth0 netns {names[0]} type veth peer name eth0 netns {names[1]}")
    for name, (number, commands) in zip(names, SETUP.items(), strict=True):
        inside = f"ip netns exec {name}"
        script += [f"{inside} ip link set lo up", f"{inside} ip link set eth0 up"]
        script.append(f"{inside} ip address add 192.168.128.1{number}/17 brd + dev eth0")
        script += [f"{inside} {command}" for command in commands]
        # all commands run at one time here, and the kernel would be sparing with its error messages
        script.append(f"{inside} sysctl -qw net.ipv4.icmp_ratelimit=0")
    subprocess.run(["sh", "-ec", "\n".join(script)], check=True, capture_output=True)
    yield names
    for name in names:
        subprocess.run(["ip", "netns", "del", name], check=False)


def model() -> list[ModelHost]:
    """The same, modelled."""
    network = Network(FastClock())
    wire = network.segment("wire")
    hosts = [ModelHost(f"host-{number}", clock=network.clock, network=network, epoch=EPOCH) for number in SETUP]
    for host, (number, commands) in zip(hosts, SETUP.items(), strict=True):
        host.kernel.add_link("eth0", kind="veth", mac=f"f2:3c:00:00:00:0{number}")
        address = IPv4Interface(f"192.168.128.1{number}/17")
        broadcast = address.network.broadcast_address
        host.kernel.add_address("eth0", LinkAddress(address, broadcast=broadcast))
        wire.ports.append((host.kernel, "eth0"))
        for command in commands:
            assert run(host, command).status == 0
    return hosts


def normal(text: str) -> str:
    """Text without times, and without the list of options that ping prints when it is called wrongly."""
    text = re.sub(r"time=[0-9.]+ ms", "time=T ms", text)
    text = re.sub(r"time [0-9]+ms", "time Tms", text)
    text = re.sub(r"(mdev) = [0-9./]+ ms", r"\1 = T ms", text)
    text = re.sub(r", ipg/ewma [0-9./]+ ms", "", text)
    return re.sub(r"\nUsage\n.*", "", text, flags=re.DOTALL)


def test_ping_says_what_the_real_one_says(real: list[str]) -> None:
    """stdout, stderr and status of each command; run side by side, as some of them wait."""

    def on_linux(command: str) -> tuple[int, str, str]:
        ran = subprocess.run(
            ["ip", "netns", "exec", real[0], "env", "LC_ALL=C", *command.split()],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return ran.returncode, normal(ran.stdout), normal(ran.stderr)

    with ThreadPoolExecutor(len(COMMANDS)) as pool:
        expected = dict(zip(COMMANDS, pool.map(on_linux, COMMANDS), strict=True))
    host = model()[0]
    for command in COMMANDS:
        ran = run(host, command)
        assert (ran.status, normal(ran.out), normal(ran.err)) == expected[command], command


def test_the_counters_rise_as_on_linux(real: list[str]) -> None:
    """Echo counters of both ends, for an answered ping and for one whose reply has no way back."""
    hosts = model()
    for command in (
        "ping -n -c 2 -i 0.2 -W 1 -I 10.200.1.254 10.200.2.254",
        "ping -n -c 2 -i 0.2 -W 1 10.200.3.9",
        "ping -n -c 2 -i 0.2 -W 1 10.200.8.9",
    ):
        before = [_counters(_on_linux(name, SNMP)) for name in real]
        _on_linux(real[0], command)
        theirs = _risen(before, [_counters(_on_linux(name, SNMP)) for name in real])
        before = [_counters(run(host, SNMP).out) for host in hosts]
        run(hosts[0], command)
        assert _risen(before, [_counters(run(host, SNMP).out) for host in hosts]) == theirs, command


def _risen(before: list[dict[str, int]], after: list[dict[str, int]]) -> list[dict[str, int]]:
    return [{key: b[key] - a[key] for key in COUNTED} for a, b in zip(before, after, strict=True)]


def _on_linux(name: str, command: str) -> str:
    ran = subprocess.run(["ip", "netns", "exec", name, *command.split()], capture_output=True, text=True, check=False)
    return ran.stdout


def _counters(text: str) -> dict[str, int]:
    names, values = (line.split()[1:] for line in text.splitlines() if line.startswith("Icmp:"))
    return dict(zip(names, map(int, values), strict=True))


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_many_pings_at_once_come_line_by_line(real: list[str], shell: str) -> None:
    """Whatever /bin/sh is: of every ping one whole line, though all end at the same time; the model's are alike."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    own = IPv4Address("10.200.1.254")
    others = [IPv4Address(f"10.200.{net}.1") for net in (3, 4, 5)] + [IPv4Address("10.200.2.254")]
    others += [IPv4Address(f"10.200.8.{number}") for number in range(1, programs.MAX_PINGS + 1 - len(others))]
    command = programs.ping_together(own, others)
    _, _, script = command.argv
    ran = subprocess.run(
        ["ip", "netns", "exec", real[0], "env", "LC_ALL=C", shell, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split()[0] for line in sorted(ran.stdout.splitlines())] == sorted(map(str, others))
    found = parse_pings(Result(0, ran.stdout.encode(), b""), others)
    modelled = parse_pings(Result(0, run(model()[0], shlex.join(command.argv)).out.encode(), b""), others)
    assert {a: (p.sent, p.received) for a, p in found.items()} == {a: (p.sent, p.received) for a, p in modelled.items()}
    for refused in others[:3]:  # of the rest the kernel is sparing with its error messages
        assert found[refused].words == modelled[refused].words
    assert [p.received for a, p in found.items() if a == others[3]] == [programs.PINGS]


def test_all_verdicts_of_a_batch_are_as_on_linux(real: list[str]) -> None:
    """What is refused is told by its line; the rest goes on."""
    asked = [
        (IPv4Address(to), IPv4Address(source), "eth0")
        for to, source in (
            ("10.200.1.2", "192.168.128.11"),
            ("10.99.0.1", "192.168.128.11"),
            ("10.200.2.254", "192.168.128.11"),
            ("10.200.1.254", "192.168.128.12"),
            ("10.200.1.254", "192.168.128.11"),
        )
    ]
    command = programs.forwarding_verdicts(asked)
    inside = ["ip", "netns", "exec", real[1], "env", "LC_ALL=C", *command.argv]
    theirs = subprocess.run(inside, input=command.stdin, capture_output=True, check=False)
    ours = run(model()[1], shlex.join(command.argv), stdin=command.stdin)
    assert (ours.out, ours.err, ours.status) == (theirs.stdout.decode(), theirs.stderr.decode(), theirs.returncode)
    assert theirs.stderr.count(b"Command failed -:") > 1
    assert b"via 192.168.128.11 dev eth0" in theirs.stdout
