"""What the tool's ways to persist rely on, by the real managers: which file gives which route after which event."""

from dataclasses import dataclass

import pytest

from tests.nodes.flavours import Flavour
from tests.nodes.lab import NodeLab
from tests.nodes.node import Node

pytestmark = pytest.mark.nodes

POD_ROUTES = "ip -4 route show root 10.200.0.0/16"


@dataclass(frozen=True, slots=True)
class Way:
    """A file that holds the route to 10.200.1.0/24, and who puts it into the table."""

    path: str
    text: str
    """With `{via}` for the next hop."""
    mode: int
    protocol: str


NETWORKD = "[Route]\nDestination=10.200.1.0/24\nGateway={via}\nProtocol=200\n"
NETPLAN = "network:\n  ethernets:\n    ID:\n      routes:\n      - to: 10.200.1.0/24\n        via: {via}\n"
SCRIPT = "#!/bin/sh\n{guard} || exit 0\nip route replace 10.200.1.0/24 via {{via}} proto 200 || true\n"
IF_UP = SCRIPT.format(guard='[ "$IFACE" = eth0 ] && [ "$ADDRFAM" = inet ]')
DISPATCHER = SCRIPT.format(guard='[ "$1" = eth0 ] && [ "$2" = up ]')
BATCH = "route replace 10.200.1.0/24 via {via} proto 200\n"
SERVICE = "[Service]\nType=oneshot\nExecStart=/usr/sbin/ip -force -batch /etc/kthw-routes/routes.batch\n"
TIMER = "[Timer]\nOnActiveSec=1s\nOnUnitInactiveSec=1s\nAccuracySec=100ms\n[Install]\nWantedBy=timers.target\n"


def networkd(basename: str) -> Way:
    """A drop-in for the file of that name, wherever it is."""
    return Way(f"/etc/systemd/network/{basename}.network.d/90-kthw-routes.conf", NETWORKD, 0o644, "200")


def netplan(identifier: str) -> Way:
    """A file beside the base file."""
    return Way("/etc/netplan/90-kthw-routes.yaml", NETPLAN.replace("ID", identifier), 0o600, "static")


WAYS = [
    (Flavour.LINODE, networkd("05-eth0")),
    (Flavour.NETPLAN, networkd("10-netplan-eth0")),
    (Flavour.NETPLAN, netplan("eth0")),
    (Flavour.NETPLAN_SET_NAME, networkd("10-netplan-id0")),
    (Flavour.NETPLAN_SET_NAME, netplan("id0")),
    (Flavour.IFUPDOWN, Way("/etc/network/if-up.d/kthw-routes", IF_UP, 0o755, "200")),
    (Flavour.NETWORKMANAGER, Way("/etc/NetworkManager/dispatcher.d/90-kthw-routes", DISPATCHER, 0o755, "200")),
]


def _write(lab: NodeLab, way: Way) -> tuple[Node, str]:
    """The node that got the file, and the route that it should have."""
    node, via = lab.node("worker-0"), lab.node("worker-1").spec.private
    node.write(way.path, way.text.format(via=via), way.mode)
    return node, f"10.200.1.0/24 via {via} dev eth0 proto {way.protocol} \n"


@pytest.mark.parametrize(
    ("flavour", "way"), WAYS, indirect=["flavour"], ids=[f"{flavour}: {way.path}" for flavour, way in WAYS]
)
def test_a_file_gives_its_route_after_a_boot(flavour_lab: NodeLab, way: Way) -> None:
    """Not at once; after a reboot in order, and after a power cut."""
    node, route = _write(flavour_lab, way)
    assert node.run(POD_ROUTES) == ""
    node.reboot()
    node.wait_for_routes(f"{POD_ROUTES} | grep -q .")
    assert node.run(POD_ROUTES) == route
    node.power_off()
    node.power_on()
    node.wait_for_routes(f"{POD_ROUTES} | grep -q .")
    assert node.run(POD_ROUTES) == route


def test_a_timer_puts_the_route_back(flavour_lab: NodeLab) -> None:
    """After a boot and after it was taken away, whatever rules the network."""
    node, via = flavour_lab.node("worker-0"), flavour_lab.node("worker-1").spec.private
    node.write("/etc/kthw-routes/routes.batch", BATCH.format(via=via))
    node.write("/etc/systemd/system/kthw-routes.service", SERVICE)
    node.write("/etc/systemd/system/kthw-routes.timer", TIMER)
    node.run("systemctl daemon-reload && systemctl enable --now kthw-routes.timer")
    node.reboot()
    node.wait_for_routes(f"{POD_ROUTES} | grep -q .")
    node.run("ip route delete 10.200.1.0/24")
    node.wait_for_routes(f"{POD_ROUTES} | grep -q .")
    assert node.run(POD_ROUTES) == f"10.200.1.0/24 via {via} dev eth0 proto 200 \n"


def test_networkd_wipes_what_no_file_holds_when_a_file_was_touched(lab: NodeLab) -> None:
    """`networkctl reload` alone does nothing; after a change, a drop-in's route stays and another goes."""
    node, route = _write(lab, networkd("05-eth0"))
    node.reboot()
    node.run("ip route add 10.200.2.0/24 via 192.168.145.12 proto 200; networkctl reload")
    assert "10.200.2.0/24" in node.run(POD_ROUTES)
    node.run("touch /etc/systemd/network/05-eth0.network; networkctl reload")
    node.wait_for_routes(f"! {POD_ROUTES} | grep -q 10.200.2.0/24")
    node.wait_for_routes(f"{POD_ROUTES} | grep -q .")
    assert node.run(POD_ROUTES) == route


@pytest.mark.parametrize("flavour", [Flavour.NETPLAN_SET_NAME], indirect=True)
def test_the_kernel_name_as_netplan_id_takes_the_network_away(flavour_lab: NodeLab) -> None:
    """A second file appears, sorts first, matches the same interface, and gives it no address."""
    node, _ = _write(flavour_lab, netplan("eth0"))
    node.run("netplan generate")
    assert node.run("ls /run/systemd/network").split() == [
        "10-netplan-eth0.network",
        "10-netplan-id0.link",
        "10-netplan-id0.network",
    ]
    node.reboot(network=False)
    assert "Network File: /run/systemd/network/10-netplan-eth0.network\n" in node.run(
        "networkctl --no-pager status eth0"
    )
    assert "inet " not in node.run("ip address show eth0")


@pytest.mark.parametrize("flavour", [Flavour.NETPLAN, Flavour.NETPLAN_SET_NAME], indirect=True)
def test_a_broken_base_file_of_netplan(flavour_lab: NodeLab) -> None:
    """Nothing is generated any more; what was is kept until the next boot, which has no network."""
    node = flavour_lab.node("worker-0")
    generated = node.run("cat /run/systemd/network/*.network")
    node.run("printf '\\tbroken\\n' >>/etc/netplan/50-cloud-init.yaml")
    for command in ("netplan get", "netplan generate"):
        result = node.result(command)
        assert (result.returncode, result.stdout) == (1, "")
        assert "/etc/netplan/50-cloud-init.yaml:" in result.stderr
    node.run("systemctl daemon-reload; networkctl reload")
    assert node.run("cat /run/systemd/network/*.network") == generated
    assert "State: routable (configured)" in node.run("networkctl --no-pager status eth0")
    node.reboot(network=False)
    assert "inet " not in node.run("ip address show eth0")


@pytest.mark.parametrize("flavour", [Flavour.NETWORKMANAGER], indirect=True)
def test_networkmanager_runs_no_script_that_others_may_write(flavour_lab: NodeLab) -> None:
    """Group-writable is enough to be passed over."""
    node = flavour_lab.node("worker-0")
    node.write("/etc/NetworkManager/dispatcher.d/10-good", "#!/bin/sh\necho good >/root/good\n", 0o755)
    node.write("/etc/NetworkManager/dispatcher.d/05-bad", "#!/bin/sh\necho >>/root/bad\n", 0o775)
    node.run("mkfifo /root/good")
    node.reboot()
    assert "good\n" in node.run("timeout 25 head -n 1 /root/good")
    assert node.result("test -e /root/bad").returncode == 1
