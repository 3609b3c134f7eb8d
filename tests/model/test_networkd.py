"""The modelled systemd-networkd: which file rules an interface, what a reload wipes, what a bad line does.

Each of these was seen on systemd 252.
"""

import pytest

from kthw_routes.demo.host import ModelHost
from tests.model.accounts import add_user
from tests.model.hosts import Ran, cluster, run

DROP_IN = "/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf"
GOOD = "[Route]\nDestination=10.200.1.0/24\nGateway=192.168.145.107\nProtocol=200\n"
PODS = "ip route show root 10.200.0.0/16"


@pytest.fixture
def host() -> ModelHost:
    """A worker that has just booted."""
    return cluster().hosts["worker-0"]


def test_status_tells_the_file_and_the_state(host: ModelHost) -> None:
    """The lines that the tool reads, and how an unknown interface is refused."""
    text = run(host, "LC_ALL=C networkctl --no-pager status eth0").out
    assert text.startswith("* 2: eth0 ")
    assert "\n                  Network File: /etc/systemd/network/05-eth0.network\n" in text
    assert "\n                         State: routable (configured)\n" in text
    assert "\n                       Address: 192.168.138.48\n                                203.0.113.20\n" in text
    assert "Network File: n/a\n" in run(host, "networkctl status lo").out
    assert run(host, "networkctl status nope") == Ran(1, "", 'Interface "nope" not found.\n')
    assert run(host, "networkctl").out.splitlines()[2] == "  2 eth0 ether    routable    configured"
    bare = run(host, "networkctl --no-pager --no-legend list").out.splitlines()
    assert [line.split()[::4] for line in bare if "eth" in line] == [["2", "configured"]]


def test_a_reload_wipes_foreign_routes_if_a_file_was_touched(host: ModelHost) -> None:
    """All of them, whatever their protocol; never the connected ones, nor the probe addresses on lo."""
    foreign = "; ".join(
        f"ip route replace 10.200.{n}.0/24 via 192.168.145.107 {proto}"
        for n, proto in enumerate(("", "proto static", "proto 200"), start=1)
    )
    run(host, f"{foreign}; ip address add 10.200.0.254/32 dev lo; ip address add 10.8.0.1/24 dev eth0")
    before = run(host, "ip route; ip address").out
    assert run(host, "networkctl reload; ip route; ip address").out == before
    run(host, "echo >> /etc/systemd/network/05-eth0.network; networkctl reload")
    assert run(host, PODS).out == ""
    left = run(host, "ip route; ip address show").out
    assert "default via 203.0.113.1 dev eth0 proto static \n192.168.128.0/17 dev eth0 proto kernel" in left
    assert "10.200.0.254/32" in left
    assert "10.8.0.1" not in left


@pytest.mark.parametrize(
    "command",
    [
        "networkctl reconfigure eth0",
        "systemctl restart systemd-networkd",
        "ip link set eth0 down; ip link set eth0 up",
    ],
)
def test_other_ways_to_wipe_them(host: ModelHost, command: str) -> None:
    """They need no touched file."""
    before = run(host, "ip route").out
    run(host, f"ip route add 10.200.1.0/24 via 192.168.145.107 proto 200; {command}")
    assert run(host, "ip route").out == before


def test_a_drop_in_adds_tagged_routes(host: ModelHost) -> None:
    """After a reload and after a boot; without the file they are gone again."""
    host.files.put(DROP_IN, GOOD + "\n[Route]\nDestination=10.200.2.0/24\nGateway=192.168.152.166\nMetric=7\n")
    run(host, "networkctl reload")
    expected = (
        "10.200.1.0/24 via 192.168.145.107 dev eth0 proto 200 \n"
        "10.200.2.0/24 via 192.168.152.166 dev eth0 proto static metric 7 \n"
    )
    assert run(host, PODS).out == expected
    host.reboot()
    assert run(host, PODS).out == expected
    run(host, f"rm {DROP_IN}; networkctl reload")
    assert run(host, PODS).out == ""


def test_a_gateway_that_is_not_on_link_leaves_the_interface_unfinished(host: ModelHost) -> None:
    """The other routes are there, and the host can be reached."""
    host.files.put(DROP_IN, GOOD + "[Route]\nDestination=10.200.2.0/24\nGateway=1.2.3.4\n")
    host.reboot()
    assert run(host, PODS).out == "10.200.1.0/24 via 192.168.145.107 dev eth0 proto 200 \n"
    assert "State: routable (configuring)" in run(host, "networkctl status eth0").out
    assert "default via" in run(host, "ip route").out


def test_a_value_that_makes_no_sense_costs_its_section_only(host: ModelHost) -> None:
    """A section without a gateway is a route to the link; host bits are cut."""
    host.files.put(
        DROP_IN,
        "[Route]\nDestination=10.200.1.0/33\nGateway=192.168.145.107\n"
        "[Route]\nDestination=10.200.2.0/24\nGateway=worker-2\n"
        "[Route]\nDestination=10.200.3.5/24\nGateway=192.168.145.107\nProtocol=200\n"
        "[Route]\nDestination=10.200.4.0/24\n",
    )
    run(host, "networkctl reload")
    assert run(host, PODS).out == (
        "10.200.3.0/24 via 192.168.145.107 dev eth0 proto 200 \n10.200.4.0/24 dev eth0 proto static scope link \n"
    )
    assert "(configured)" in run(host, "networkctl status eth0").out


def test_a_drop_in_that_networkd_may_not_read_costs_the_whole_file(host: ModelHost) -> None:
    """It is not root. At a reload the addresses go, at a restart they stay, after a boot there are none."""
    before = run(host, "ip route").out
    host.files.put(DROP_IN, GOOD, mode=0o600)
    run(host, "systemctl restart systemd-networkd")
    assert run(host, "ip route").out == before
    assert "State: routable (unmanaged)" in run(host, "networkctl status eth0").out
    run(host, f"chmod 644 {DROP_IN}; networkctl reload; chmod 600 {DROP_IN}; networkctl reload")
    assert run(host, "ip route").out == ""
    assert "State: carrier (unmanaged)" in run(host, "networkctl status eth0").out
    host.reboot()
    assert run(host, "ip route; ip -br link show eth0").out.startswith("eth0             DOWN ")
    run(host, f"chmod 644 {DROP_IN}; chmod 700 /etc/systemd/network/05-eth0.network.d")
    host.reboot()
    assert run(host, "ip route").out == before


def test_the_first_file_that_fits_rules(host: ModelHost) -> None:
    """netplan's 10-… never gets its turn where 05-eth0.network stands; of one name, /etc counts."""
    host.files.put(
        "/run/systemd/network/10-netplan-eth0.network", "[Match]\nName=eth0\n[Network]\nAddress=10.1.0.1/24\n"
    )
    run(host, "networkctl reload")
    assert "10.1.0.1" not in run(host, "ip address").out
    host.files.put("/run/systemd/network/05-eth0.network", "[Match]\nName=nothing\n")
    host.files.put("/etc/systemd/network/04-other.network", "[Match]\nName=en* eth1\n")
    run(host, "networkctl reload")
    assert "Network File: /etc/systemd/network/05-eth0.network" in run(host, "networkctl status eth0").out
    host.files.put("/run/systemd/network/03-first.network", "[Match]\nName=eth*\n[Network]\nAddress=10.1.0.2/24\n")
    run(host, "networkctl reload")
    assert "Network File: /run/systemd/network/03-first.network" in run(host, "networkctl status eth0").out
    assert "10.1.0.2/24" in run(host, "ip address").out


def test_an_ordinary_user_may_only_look(host: ModelHost) -> None:
    """Reloading is for root."""
    add_user(host, "guest")
    ran = run(host, "networkctl reload", user="guest")
    assert ran == Ran(1, "", "Failed to reload network settings: Access denied\n")
    assert run(host, "networkctl status eth0", user="guest").status == 0


def test_what_is_not_installed(host: ModelHost) -> None:
    """Neither netplan, NetworkManager nor ifupdown; and ifupdown left no state."""
    for name in ("netplan get", "nmcli -g GENERAL.CONNECTION device show eth0", "ifup eth0"):
        assert run(host, name).status == 127
    assert run(host, "cat /run/network/ifstate").status == 1
    assert run(host, "stat -c %F /run/systemd/system").out == "directory\n"
