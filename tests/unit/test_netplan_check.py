"""What netplan may make of our drop-in: our routes, and nothing else."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from kthw_routes.hosts.netplan_check import unexpected_change

ETH0 = "run/systemd/network/10-netplan-eth0.network"
KEYFILE = "run/NetworkManager/system-connections/netplan-eth0.nmconnection"
HELD = frozenset({(IPv4Network("10.200.1.0/24"), IPv4Address("192.168.8.21"))})

BASE = ("[Match]", "Name=eth0", "", "[Network]", "Address=192.168.8.20/24", "", "[Route]", "Gateway=192.168.8.1")
OURS = ("", "[Route]", "Destination=10.200.1.0/24", "Gateway=192.168.8.21")
THEIRS = ("", "[Route]", "Destination=10.200.1.0/24", "Gateway=192.168.8.99")
PROFILE = ("[connection]", "id=netplan-eth0", "", "[ipv4]", "method=manual", "address1=192.168.8.20/24")


def in_networkd(before: tuple[str, ...], after: tuple[str, ...]) -> str | None:
    return unexpected_change({ETH0: before}, {ETH0: after}, HELD)


def test_our_routes_may_come_and_nothing_else() -> None:
    assert in_networkd(BASE, BASE + OURS) is None
    assert in_networkd(BASE, BASE + OURS + OURS) is None
    assert in_networkd(BASE, BASE) == "netplan would make no route to 10.200.1.0/24 via 192.168.8.21 of it"


def test_a_route_that_stands_in_netplans_own_files_too_may_stand_there_once_or_twice() -> None:
    both = BASE + OURS
    assert {in_networkd(both, both), in_networkd(both, both + OURS), in_networkd(both + OURS, both)} == {None}


@pytest.mark.parametrize(
    "after",
    [
        (*BASE[:4], "Address=192.168.8.20/24", "DHCP=yes", *BASE[5:], *OURS),
        (*BASE[:4], *BASE[5:], *OURS),
        BASE + OURS + ("", "[Route]", "Destination=10.200.2.0/24", "Gateway=192.168.8.22"),
        (*BASE, *OURS, "Table=7"),
        (*BASE, "", "[Route]", "Destination=10.200.1.0/24", "Scope=link"),
        BASE[:5] + OURS,
    ],
)
def test_any_other_change_is_a_fault(after: tuple[str, ...]) -> None:
    assert in_networkd(BASE, after) == "netplan would change more of 10-netplan-eth0.network than our routes"


def test_another_next_hop_in_netplans_own_files_is_a_fault() -> None:
    both = BASE + THEIRS
    assert in_networkd(both, both + OURS) == (
        "netplan's own files lead 10.200.1.0/24 via 192.168.8.99, it via 192.168.8.21; take it from those files first"
    )


def test_a_new_file_is_a_fault_and_one_that_goes() -> None:
    wrong = "run/systemd/network/10-netplan-eth7.network"
    added = unexpected_change({ETH0: BASE}, {ETH0: BASE, wrong: ("[Match]", "Name=eth7", *OURS)}, HELD)
    assert added is not None
    assert added.startswith("netplan would make a new 10-netplan-eth7.network of it")
    assert unexpected_change({ETH0: BASE, wrong: BASE}, {ETH0: BASE + OURS}, HELD) == (
        "netplan would no longer make 10-netplan-eth7.network"
    )


def test_a_drop_in_that_is_not_understood_is_a_fault() -> None:
    assert unexpected_change({ETH0: BASE}, {ETH0: BASE}, frozenset()) == "it has no route that could be understood"


@pytest.mark.parametrize("line", ["route1=10.200.1.0/24,192.168.8.21", "route2=10.200.1.0/24,192.168.8.21,0"])
def test_in_a_profile_of_networkmanager_a_route_is_a_line(line: str) -> None:
    assert unexpected_change({KEYFILE: PROFILE}, {KEYFILE: (*PROFILE, line)}, HELD) is None
    assert unexpected_change({KEYFILE: PROFILE}, {KEYFILE: (*PROFILE, line, "method=auto")}, HELD) == (
        "netplan would change more of netplan-eth0.nmconnection than our routes"
    )
