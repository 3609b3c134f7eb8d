"""A modelled host goes down and comes up: what is gone, and what its files bring back."""

import threading

import pytest

from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.pods import with_pods
from kthw_routes.demo.shell.pipes import reading
from kthw_routes.demo.topology import Topology
from tests.model.accounts import add_user
from tests.model.hosts import Ran, cluster, power_off, run

WAYS = (("worker-0", "192.168.145.107 10.200.1.0/24"), ("worker-1", "192.168.138.48 10.200.0.0/24"))
BOOTED = """\
default via 203.0.113.1 dev eth0 proto static 
192.168.128.0/17 dev eth0 proto kernel scope link src 192.168.138.48 
203.0.113.0/24 dev eth0 proto kernel scope link src 203.0.113.20 
"""  # noqa: W291 - as `ip` prints it


@pytest.fixture
def topology() -> Topology:
    """The cluster after the first pods."""
    return with_pods(cluster())


@pytest.fixture
def host(topology: Topology) -> ModelHost:
    """A worker with a pod, a bridge and forwarding."""
    return topology.hosts["worker-0"]


def test_what_was_in_memory_is_gone(host: ModelHost) -> None:
    """Routes, bridge, pods, forwarding, probe addresses, /run and /tmp; what is on the disk stays."""
    run(
        host,
        "ip route add 10.200.1.0/24 via 192.168.145.107 proto 200; ip address add 10.200.0.254/32 dev lo; "
        "echo x > /run/x; echo y > /tmp/y; echo z > /root/z; hostname other",
    )
    host.reboot()
    assert run(host, "ip route").out == BOOTED
    left = run(host, "ip netns list; cat /proc/sys/net/ipv4/ip_forward; ls -1 /tmp; cat /root/z; hostname; ls /run/x")
    assert left.out == "0\nz\nworker-0\n"
    assert "cnio0" not in run(host, "ip link").out
    assert "10.200.0.254" not in run(host, "ip address").out
    assert run(host, "stat -c %F /run/systemd/system /run/netns").out == "directory\ndirectory\n"
    assert host.namespaces == {}


def test_pods_can_come_back(topology: Topology, host: ModelHost) -> None:
    """The kubelet starts them again, on a new bridge with the old addresses."""
    for name, way in WAYS:
        via, prefix = way.split()
        assert run(topology.hosts[name], f"ip route add {prefix} via {via}").status == 0
    host.reboot()
    with_pods(topology)
    run(host, "ip route add 10.200.1.0/24 via 192.168.145.107")
    pod = run(host, "ip netns list").out.split()[0]
    assert run(host, f"ip netns exec {pod} ping -n -c 1 10.200.1.2").status == 0


def test_the_others_still_reach_it(topology: Topology, host: ModelHost) -> None:
    """Its network cards stay plugged in; what is off does not answer."""
    other = topology.hosts["worker-1"]
    host.reboot()
    assert run(other, "ping -n -c 1 192.168.138.48").status == 0
    power_off(host)
    assert run(other, "ping -n -c 1 -W 1 192.168.138.48").status == 1


def test_settings_come_back_from_their_files(host: ModelHost) -> None:
    """The later name wins, /etc/sysctl.conf over all; what the model does not know is passed over."""
    run(host, "mkdir -p /etc/sysctl.d; echo 'net.ipv4.ip_forward = 0' > /etc/sysctl.d/10-first.conf")
    run(host, "printf '# ours\\n-net/ipv4/ip_forward=1\\nvm.swappiness=1\\n' > /etc/sysctl.d/90-kthw-routes.conf")
    host.reboot()
    assert run(host, "sysctl -n net.ipv4.ip_forward").out == "1\n"
    run(host, "rm /etc/sysctl.d/90-kthw-routes.conf")
    host.reboot()
    assert run(host, "sysctl -n net.ipv4.ip_forward").out == "0\n"
    run(host, "sysctl -q -w net.ipv4.ip_forward=1")
    assert run(host, "sysctl --system; cat /proc/sys/net/ipv4/ip_forward").out == "net.ipv4.ip_forward = 0\n0\n"


def test_the_network_helper_writes_its_file_anew_and_leaves_the_drop_ins(host: ModelHost) -> None:
    """Which is why a drop-in is the place for our routes on a Linode."""
    drop_in = "[Route]\\nDestination=10.200.1.0/24\\nGateway=192.168.145.107\\nProtocol=200\\n"
    run(
        host,
        f"cd /etc/systemd/network; before=$(cat 05-eth0.network); printf '{drop_in}' >> 05-eth0.network; "
        f"mkdir 05-eth0.network.d; printf '{drop_in}' > 05-eth0.network.d/90-kthw-routes.conf",
    )
    host.reboot()
    assert "[Route]" not in run(host, "cat /etc/systemd/network/05-eth0.network").out
    assert run(host, "ip route show proto 200").out == "10.200.1.0/24 via 192.168.145.107 dev eth0 \n"


def test_what_runs_ends(host: ModelHost) -> None:
    """A command that waits is over when its host goes down, and does nothing more."""
    ended: list[int] = []
    stdin = _Blocked()

    def work() -> None:
        status = host.execute("cat > /dev/null; echo late > /root/late", stdin=stdin, stdout=_nowhere, stderr=_nowhere)
        ended.append(status)

    thread = threading.Thread(target=work)
    thread.start()
    assert stdin.asked.wait(5)
    host.reboot()
    stdin.over.set()
    thread.join(5)
    assert ended == [130]
    assert run(host, "cat /root/late").status == 1


class _Blocked:
    """Standard input on which nothing comes until the connection breaks."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.over = threading.Event()

    def read(self, size: int = -1, /) -> bytes:
        """Wait for the end."""
        self.asked.set()
        self.over.wait(5)
        return b""

    def readline(self) -> bytes:
        """Wait for the end."""
        return self.read()


def _nowhere(_data: bytes) -> None:
    """Nobody reads."""


def test_somebody_types_reboot(host: ModelHost) -> None:
    """The command never returns; an ordinary user may not."""
    run(host, "ip route add 10.200.1.0/24 via 192.168.145.107")
    assert run(host, "reboot; echo never").out == ""
    assert run(host, "ip route").out == BOOTED
    add_user(host, "guest")
    assert run(host, "reboot", user="guest").status == 1
    assert "sudo reboot" not in run(host, "sudo reboot; echo never", user="guest").out


HOSTS_TEMPLATE = """\
## template:jinja
{#
This file is only used if enabled in cloud-config.
-#}
# Your system has configured 'manage_etc_hosts' as True.
# As a result, if you wish for changes to this file to persist
# then you will need to change the template.
{# The value '{{hostname}}' will be replaced with the local-hostname -#}
127.0.1.1 {{fqdn}} {{hostname}}
127.0.0.1 localhost
"""


def test_files_can_be_pasted(host: ModelHost) -> None:
    """As the transcript's way back is written."""
    ran = run(host, "sh -c \"base64 -d > /etc/hosts <<'X'\nb25l\nCnR3bwo=\nX\n\"", stdin=reading(b"").read())
    assert ran == Ran(0, "", "")
    run(host, "cat > /run/way-back.sh <<'END'\nbase64 -d > /etc/motd <<'X'\nb25lCg==\nX\nEND\nsh /run/way-back.sh")
    assert run(host, "cat /etc/hosts /etc/motd").out == "one\ntwo\none\n"
