"""The lab itself: that it is what the other tests take it for."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.nodes.lab import NodeLab
from tests.nodes.node import Reset
from tests.nodes.spec import SUDO_PASSWORD

pytestmark = pytest.mark.nodes

PING = "ping -n -c 3 -i 0.2 -W 1"


def test_nodes_stand_where_lab_11_begins(lab: NodeLab) -> None:
    """Each is a machine of its own, without a route to any pod CIDR, without pods, and does not forward."""
    for node in lab.nodes.values():
        assert node.run("hostname").strip() == node.name
        assert node.run("systemctl is-system-running").strip() == "running"
        assert node.run("ip route show").splitlines() == [
            "default via 203.0.113.1 dev eth0 proto static ",
            f"192.168.128.0/17 dev eth0 proto kernel scope link src {node.spec.private} ",
            f"203.0.113.0/24 dev eth0 proto kernel scope link src {node.spec.public} ",
        ]
        assert node.run("ip netns list") == ""
        assert node.run("cat /proc/sys/net/ipv4/ip_forward").strip() == "0"
    assert '"subnet": "10.200.2.0/24"' in lab.run("worker-2", "cat /etc/cni/net.d/10-bridge.conf")
    assert len({node.run("cat /etc/ssh/ssh_host_ed25519_key.pub") for node in lab.nodes.values()}) == 4


def test_openssh_reaches_every_node(lab: NodeLab, tmp_path: Path) -> None:
    """By address and key, and by the names of an SSH configuration."""
    for name in lab.nodes:
        assert lab.ssh(name, "hostname").stdout.strip() == name
    config = lab.ssh_config(tmp_path / "config")
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]
    result = lab.client(["ssh", "-F", config, *options, "worker-1", "hostname"])
    assert result.stdout.strip() == "worker-1", result.stderr


@pytest.mark.parametrize(
    ("user", "command", "stdin", "status"),
    [
        ("ubuntu", "sudo -n id -u", "", 0),
        ("learner", "sudo -n id -u", "", 1),
        ("learner", "sudo -k -S -p '' id -u", f"{SUDO_PASSWORD}\n", 0),
        ("guest", "sudo -n id -u", "", 1),
    ],
)
def test_users(lab: NodeLab, user: str, command: str, stdin: str, status: int) -> None:
    """One has sudo without a password, one with, one has none."""
    result = lab.ssh("worker-0", command, user=user, stdin=stdin)
    assert result.returncode == status, result.stderr
    assert status != 0 or result.stdout == "0\n"


def test_no_way_out(lab: NodeLab) -> None:
    """Neither the person's side nor a node has a route that leads anywhere but to the lab."""
    assert lab.client(["ip", "route", "get", "8.8.8.8"]).stderr.strip().endswith("Network is unreachable")
    links = lab.client(["ip", "-brief", "link"]).stdout
    assert {line.split()[0].partition("@")[0] for line in links.splitlines()} == {
        "lo",
        "br0",
        *(f"v-{name}" for name in lab.nodes),
    }
    # The nodes' default gateway is the bridge itself, and does not forward.
    assert lab.run("worker-0", f"{PING} 8.8.8.8; true").count("bytes from") == 0
    assert lab.client(["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout.strip() == "0"


def test_threads_and_subprocesses_follow_inside(lab: NodeLab) -> None:
    """A thread that is started inside belongs there; the others stay outside."""

    def connects() -> bool:
        try:
            with socket.create_connection((str(lab.node("worker-0").spec.public), 22), timeout=0.5):
                return True
        except OSError:
            return False

    found: list[bool] = []
    with lab.inside():
        thread = threading.Thread(target=lambda: found.append(connects()))
        thread.start()
        thread.join()
        assert connects()
        namespace = os.readlink("/proc/thread-self/ns/net")
        assert subprocess.run(["readlink", "/proc/self/ns/net"], capture_output=True, text=True).stdout == (
            f"{namespace}\n"
        )
    assert found == [True]
    assert os.readlink("/proc/thread-self/ns/net") != namespace


def _with_routes_and_pods(lab: NodeLab, *, masquerade: bool) -> str:
    """Pods on two workers and both routes; returns the command that pings from one pod to the other."""
    first, second = lab.node("worker-0"), lab.node("worker-1")
    first.run(f"ip route add {second.spec.pod_cidr} via {second.spec.private}")
    second.run(f"ip route add {first.spec.pod_cidr} via {first.spec.private}")
    first.add_pod(masquerade=masquerade)
    return f"ip netns exec cni-00000002 {PING} {second.add_pod(masquerade=masquerade)}"


@pytest.mark.parametrize("masquerade", [True, False])
def test_pods_reach_each_other_only_without_the_filter(lab: NodeLab, masquerade: bool) -> None:
    """As in ca-central, and as in eu-west."""
    ping = _with_routes_and_pods(lab, masquerade=masquerade)
    first, second = lab.node("worker-0"), lab.node("worker-1")
    assert " 3 received" in first.run(ping)
    lab.filter_pods()
    assert " 0 received" in first.result(ping).stdout
    lab.filter_pods(False)
    second.run(f"ip route delete {first.spec.pod_cidr}")
    # With masquerading one route hides the missing other one.
    assert (" 3 received" in first.result(ping).stdout) is masquerade


def test_reset_restores(lab: NodeLab) -> None:
    """All that tests do to nodes is taken back without a new boot; a node that is off is built anew."""
    assert set(lab.reset().values()) == {Reset.CLEAN}
    before = {name: node.run("cat /etc/hosts; ip route; lsattr /etc/hosts") for name, node in lab.nodes.items()}
    _with_routes_and_pods(lab, masquerade=True)
    lab.run("worker-0", "ip address add 10.200.0.254/32 dev lo; ip link set eth0 mtu 1400; hostname other")
    lab.run("worker-0", "sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1")
    lab.run("worker-1", "echo stale >>/etc/hosts; rm /etc/issue; mkdir -p /opt/a/b; chattr +i /etc/hosts")
    lab.run("worker-1", "setfacl -m u:ubuntu:r /etc/hosts.allow; rm -r /etc/cni; nft flush ruleset")
    lab.run("worker-2", "ip link set eth0 down; useradd somebody; systemctl stop ssh")
    lab.node("worker-2").bind_hosts_file(writable=False)
    lab.node("worker-2").fill_disk()
    lab.node("worker-2").freeze()
    lab.node("worker-1").cut()
    lab.node("worker-1").make_read_only()
    lab.filter_pods()
    login = subprocess.Popen(
        lab.entering(lab.ssh_command("worker-0", "sleep 100")),
        env=lab.environment(),
        stderr=subprocess.DEVNULL,
    )
    while "sleep" not in lab.run("worker-0", "ps -eo comm="):
        assert login.poll() is None
    took = lab.reset()
    assert took == {
        "worker-0": Reset.RESTORED,
        "worker-1": Reset.RESTORED,
        "worker-2": Reset.RESTORED,
        "controller-0": Reset.CLEAN,
    }
    assert login.wait(10) != 0
    after = {name: node.run("cat /etc/hosts; ip route; lsattr /etc/hosts") for name, node in lab.nodes.items()}
    assert after == before
    assert set(lab.reset().values()) == {Reset.CLEAN}
    lab.node("controller-0").power_off()
    assert lab.reset()["controller-0"] is Reset.REBUILT
    assert lab.ssh("controller-0", "hostname").stdout == "controller-0\n"


def test_a_reboot_keeps_files_and_loses_routes(lab: NodeLab) -> None:
    """Power off and on again."""
    node = lab.node("worker-0")
    node.run("ip route add 10.200.1.0/24 via 192.168.145.11; echo kept >/root/kept")
    node.power_off()
    assert lab.client(["ping", "-c", "1", "-W", "0.5", node.spec.public.compressed]).returncode == 1
    node.power_on()
    assert node.run("cat /root/kept; ip route show root 10.200.0.0/16") == "kept\n"


def test_faults(lab: NodeLab) -> None:
    """Each does what its name says."""
    node = lab.node("worker-0")
    node.bind_hosts_file(writable=True)
    assert "Device or resource busy" in node.result("touch /etc/x; mv -fT /etc/x /etc/hosts").stderr
    lab.reset()
    node.make_read_only()
    assert "Read-only file system" in node.result("touch /etc/x").stderr
    lab.reset()
    node.fill_disk()
    assert "No space left on device" in node.result("echo x | dd of=/etc/x status=none").stderr
    lab.reset()
    before = node.run("cat /etc/ssh/ssh_host_ed25519_key.pub")
    node.change_host_key()
    assert node.run("cat /etc/ssh/ssh_host_ed25519_key.pub") != before
    lab.reset()
    assert node.run("cat /etc/ssh/ssh_host_ed25519_key.pub") == before
    node.freeze()
    assert lab.client(["ping", "-c", "1", "-W", "1", str(node.spec.public)]).returncode == 0
    with pytest.raises(subprocess.TimeoutExpired):
        lab.ssh("worker-0", "true", timeout=1)
    node.freeze(False)
    node.cut()
    assert lab.client(["ping", "-c", "1", "-W", "0.5", str(node.spec.public)]).returncode == 1
    node.heal()
    assert lab.client(["ping", "-c", "1", "-W", "1", str(node.spec.public)]).returncode == 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_held_program_waits(lab: NodeLab, when: str) -> None:
    """Before it has done anything, or after all is done; other calls pass."""
    node = lab.node("worker-0")
    hold = node.hold("ip", "-batch", "before" if when == "before" else "after")
    assert lab.ssh("worker-0", "ip route show root 10.200.0.0/16").stdout == ""
    command = lab.entering(lab.ssh_command("worker-0", "ip -force -batch -"))
    batch = subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=lab.environment(), text=True
    )
    assert batch.stdin is not None
    batch.stdin.write("route add 10.200.1.0/24 via 192.168.145.11\n")
    batch.stdin.close()
    hold.wait()
    assert bool(node.run("ip route show root 10.200.0.0/16")) is (when == "after")
    hold.release()
    assert batch.wait(10) == 0
    assert node.run("ip route show root 10.200.0.0/16").startswith("10.200.1.0/24 via 192.168.145.11")


def test_the_tool_runs_where_the_person_sits(lab: NodeLab) -> None:
    """In the lab's namespace, with a home of its own and without the settings of whoever runs the tests."""
    script = "import os; print(os.environ['HOME']); print(os.readlink('/proc/self/ns/net'))"
    home, namespace = lab.client([sys.executable, "-c", script]).stdout.split()
    assert home == str(lab.home)
    with lab.inside():
        assert os.readlink("/proc/thread-self/ns/net") == namespace
    environment = lab.client(["env"], env={"LINODE_TOKEN": "t"}).stdout
    assert "LINODE_TOKEN=t" in environment
    assert "SSH_AUTH_SOCK" not in environment
