"""The flavours of the lab: each is ruled by what it claims, and what should persist on it does."""

import pytest

from tests.nodes.flavours import Flavour
from tests.nodes.lab import NodeLab
from tests.nodes.node import Reset

pytestmark = pytest.mark.nodes

RULED_BY = {
    Flavour.LINODE: "/etc/systemd/network/05-eth0.network",
    Flavour.NETPLAN: "/run/systemd/network/10-netplan-eth0.network",
    Flavour.NETPLAN_SET_NAME: "/run/systemd/network/10-netplan-id0.network",
    Flavour.IFUPDOWN: "n/a",
    Flavour.NETWORKMANAGER: "n/a",
}


def test_each_flavour_is_ruled_by_its_manager(flavour_lab: NodeLab, flavour: Flavour) -> None:
    """And by no other: what a tool can ask tells them apart."""
    for node in flavour_lab.nodes.values():
        assert flavour_lab.ssh(node.name, "hostname").stdout.strip() == node.name
        assert f"inet {node.spec.private}/" in node.run("ip address show eth0")
        assert node.run("systemctl is-system-running").strip() == "running"
    node = flavour_lab.node("worker-0")
    assert f"Network File: {RULED_BY[flavour]}\n" in node.run("networkctl --no-pager status eth0")
    connection = node.result("nmcli -g GENERAL.CONNECTION,GENERAL.STATE device show eth0").stdout
    assert connection == ("cloud-init eth0\n100 (connected)\n" if flavour is Flavour.NETWORKMANAGER else "")
    ifstate = node.result("cat /run/network/ifstate").stdout
    assert ifstate == ("lo=lo\neth0=eth0\n" if flavour is Flavour.IFUPDOWN else "")
    section = {Flavour.NETPLAN: "    eth0:\n", Flavour.NETPLAN_SET_NAME: "    id0:\n"}.get(flavour, "")
    assert section in node.run("netplan get")
    assert bool(section) == bool(node.run("netplan get"))


@pytest.mark.parametrize("clean", [True, False], ids=["reboot", "power-cut"])
def test_a_boot_keeps_files_and_drops_routes(flavour_lab: NodeLab, clean: bool) -> None:
    """A reboot in order, and a power cut; nothing else changes, and reset makes the node anew."""
    node, other = flavour_lab.node("worker-0"), flavour_lab.node("worker-1")
    node.run(f"ip route add {other.spec.pod_cidr} via {other.spec.private}; echo kept >/root/kept")
    routes = node.run("ip route")
    before = node.snapshot()
    if clean:
        node.reboot()
    else:
        node.power_off()
        node.power_on()
    assert node.changed_since(before) == []
    assert node.run("cat /root/kept") == "kept\n"
    assert node.run("ip route").splitlines() == [line for line in routes.splitlines() if "10.200." not in line]
    assert node.reset() is Reset.REBUILT


def test_reset_brings_back_what_a_manager_was_told(flavour_lab: NodeLab) -> None:
    """Files of managers, timers that were armed, and a new address; a second reset finds nothing to do."""
    first, second, third, _ = flavour_lab.nodes.values()
    addresses = {node.name: node.spec for node in flavour_lab.nodes.values()}
    first.run("mkdir /etc/systemd/network/05-eth0.network.d; touch /etc/systemd/network/05-eth0.network.d/90-x.conf")
    second.run("systemd-run --quiet --unit=undo --on-active=100 true")
    key = third.run("cat /etc/ssh/ssh_host_ed25519_key.pub")
    third.rebuild(third.spec.private + 40)
    assert flavour_lab.ssh(third.name, "hostname -I").stdout.split()[-1] == str(third.spec.private)
    assert third.run("cat /etc/ssh/ssh_host_ed25519_key.pub") != key
    took = flavour_lab.reset()
    assert list(took.values())[::2] == [Reset.REBUILT, Reset.REBUILT]
    assert took[second.name] is not Reset.CLEAN
    assert "undo.timer" not in second.run("systemctl list-units --type=timer")
    assert {node.name: node.spec for node in flavour_lab.nodes.values()} == addresses
    assert set(flavour_lab.reset().values()) == {Reset.CLEAN}


def test_workers_come_and_go(flavour_lab: NodeLab) -> None:
    """One is added, one is removed for good; reset makes the lab what it was."""
    names = list(flavour_lab.nodes)
    added = flavour_lab.add("worker-3")
    assert flavour_lab.ssh("worker-3", "hostname").stdout == "worker-3\n"
    assert str(added.spec.pod_cidr) == "10.200.3.0/24"
    gone = flavour_lab.node("worker-1").spec
    flavour_lab.remove("worker-1")
    assert "worker-1" not in flavour_lab.nodes
    assert flavour_lab.client(["ping", "-c", "1", "-W", "0.5", str(gone.public)]).returncode == 1
    assert flavour_lab.reset()["worker-1"] is Reset.REBUILT
    assert list(flavour_lab.nodes) == names
    assert flavour_lab.ssh("worker-1", "hostname").stdout == "worker-1\n"
    assert set(flavour_lab.reset().values()) == {Reset.CLEAN}
