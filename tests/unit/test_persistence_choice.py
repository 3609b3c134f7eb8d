"""Who is to hold the routes, by what was asked for and what was observed."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from kthw_routes.facts import LinkSetup, NetworkSetup
from kthw_routes.persistence.choice import NOT_ASKED, choose
from kthw_routes.persistence.managers import MODULES
from kthw_routes.persistence.model import Manager, Persist

from . import setups
from .setups import (
    ALMA,
    ALPINE,
    BARE,
    BIONIC,
    DEBIAN,
    DESKTOP,
    LINODE,
    NETPLAN,
    NOTHING,
    SET_NAME,
    held,
    ruled,
    standing,
)

ROUTES = (held(1), held(2))
BROKEN = replace(NETPLAN, netplan="", netplan_problem="/etc/netplan/50-cloud-init.yaml:7:9: Invalid YAML: tabs.")
SPLIT = replace(NETPLAN, has_netplan=False)
"""The generator of netplan without the program."""
MIXED = setups.with_links(LINODE, (ruled(), LinkSetup("eth1", nm_connection="lan")))


@pytest.mark.parametrize(
    ("network", "manager", "reason"),
    [
        (
            LINODE,
            Manager.NETWORKD,
            "eth0 is managed by systemd-networkd "
            "(/etc/systemd/network/05-eth0.network, written by Linode's Network Helper)",
        ),
        (NETPLAN, Manager.NETPLAN, "eth0 is managed by netplan (/run/systemd/network/10-netplan-eth0.network)"),
        (SET_NAME, Manager.NETPLAN, "eth0 is managed by netplan (/run/systemd/network/10-netplan-id0.network)"),
        (BIONIC, Manager.NETPLAN, "eth0 is managed by netplan (/run/systemd/network/10-netplan-eth0.network)"),
        (SPLIT, Manager.NETWORKD, "eth0 is managed by systemd-networkd (/run/systemd/network/10-netplan-eth0.network)"),
        (ALMA, Manager.NETWORKMANAGER, "eth0 is managed by NetworkManager (connection System eth0)"),
        (DESKTOP, Manager.NETWORKMANAGER, "eth0 is managed by NetworkManager (connection netplan-eth0)"),
        (DEBIAN, Manager.IFUPDOWN, "ifup brought up eth0"),
        (ALPINE, Manager.IFUPDOWN, "ifup brought up eth0"),
        (BARE, Manager.UNIT, "no known network manager configures eth0"),
        (replace(BARE, links=()), Manager.UNIT, "no known network manager configures eth0"),
    ],
)
def test_auto_goes_by_what_was_observed(network: NetworkSetup, manager: Manager, reason: str) -> None:
    made = choose(Persist.AUTO, network, ROUTES)
    assert (made.manager, made.reason, made.problem) == (manager, reason, None)
    assert MODULES[manager].render(ROUTES, network)


def test_interfaces_of_several_managers_are_left_to_a_timer() -> None:
    made = choose(Persist.AUTO, MIXED, (held(1), held(2, device="eth1")))
    assert made.manager is Manager.UNIT
    assert "05-eth0.network" in made.reason
    assert "connection lan" in made.reason
    assert choose(Persist.AUTO, MIXED, (held(1),)).manager is Manager.NETWORKD


def test_two_interfaces_of_one_manager_are_its() -> None:
    other = ruled("eth1", PurePosixPath("/etc/systemd/network/05-eth1.network"))
    network = setups.with_links(LINODE, (ruled(), other))
    made = choose(Persist.AUTO, network, (held(1), held(2, device="eth1")))
    assert made.manager is Manager.NETWORKD
    assert made.reason.count("Network Helper") == 2


def test_one_file_that_rules_two_interfaces_is_left_to_a_timer() -> None:
    made = choose(Persist.AUTO, setups.with_links(LINODE, (ruled("eth0"), ruled("eth1"))), ROUTES)
    assert made.manager is Manager.UNIT
    assert "is for both eth0 and eth1" in made.reason


@pytest.mark.parametrize("network", [LINODE, NETPLAN])
def test_the_second_interface_of_a_file_counts_though_no_next_hop_is_there(network: NetworkSetup) -> None:
    file = network.links[0].network_file
    assert file is not None
    made = choose(Persist.AUTO, replace(network, other_links=(ruled("ens19", file),)), ROUTES)
    assert made.manager is Manager.UNIT
    assert "ens19" in made.reason
    elsewhere = replace(network, other_links=(ruled("ens19", file.with_name("10-other.network")),))
    assert choose(Persist.AUTO, elsewhere, ROUTES).manager is choose(Persist.AUTO, network, ROUTES).manager


def test_auto_on_a_host_that_nothing_is_known_of() -> None:
    made = choose(Persist.AUTO, NOTHING, ROUTES)
    assert made.manager is None
    assert made.problem == ("no known network manager configures eth0, and systemd is not the init there.")


@pytest.mark.parametrize("asked", [Persist.AUTO, Persist.NETPLAN, Persist.NETWORKD])
@pytest.mark.parametrize("network", [BROKEN, replace(BROKEN, links=DESKTOP.links)])
def test_a_netplan_that_is_broken_already_is_not_built_upon(asked: Persist, network: NetworkSetup) -> None:
    made = choose(asked, network, ROUTES)
    assert made.manager is None
    assert "/etc/netplan/50-cloud-init.yaml:7:9: Invalid YAML: tabs" in str(made.problem)
    assert choose(Persist.UNIT, network, ROUTES).manager is Manager.UNIT


def test_a_broken_netplan_that_rules_nothing_here_is_no_matter() -> None:
    network = replace(LINODE, netplan_problem="tabs")
    assert choose(Persist.AUTO, network, ROUTES).manager is Manager.NETWORKD


WORKS = {
    "BARE": {Persist.UNIT},
    "LINODE": {Persist.NETWORKD, Persist.UNIT},
    "NETPLAN": {Persist.NETPLAN, Persist.NETWORKD, Persist.UNIT},
    "SET_NAME": {Persist.NETPLAN, Persist.NETWORKD, Persist.UNIT},
    "BIONIC": {Persist.NETPLAN, Persist.NETWORKD, Persist.UNIT},
    "DEBIAN": {Persist.IFUPDOWN, Persist.UNIT},
    "ALMA": {Persist.NETWORKMANAGER, Persist.UNIT},
    "DESKTOP": {Persist.NETPLAN, Persist.NETWORKMANAGER, Persist.UNIT},
    "ALPINE": {Persist.IFUPDOWN},
    "NOTHING": set(),
}


@pytest.mark.parametrize("asked", [p for p in Persist if p.manager])
@pytest.mark.parametrize("name", WORKS)
def test_a_manager_asked_for_by_name_works_or_is_refused_with_a_sentence(name: str, asked: Persist) -> None:
    made = choose(asked, setups.ALL[name], ROUTES)
    if asked in WORKS[name]:
        assert (made.manager, made.problem) == (asked.manager, None)
        assert made.reason
        assert MODULES[Manager(asked.value)].render(ROUTES, setups.ALL[name])
    else:
        assert made.manager is None
        assert made.problem is not None
        assert made.problem.endswith(".")
        assert ("`--persist auto` takes" in made.problem) == (name != "NOTHING")


@pytest.mark.parametrize(
    ("asked", "network", "problem"),
    [
        (
            Persist.NETPLAN,
            LINODE,
            "eth0 is not managed by netplan. `--persist auto` takes systemd-networkd there: eth0 is managed by "
            "systemd-networkd (/etc/systemd/network/05-eth0.network, written by Linode's Network Helper).",
        ),
        (
            Persist.IFUPDOWN,
            NETPLAN,
            "ifup did not bring up eth0. `--persist auto` takes netplan there: eth0 is managed by netplan "
            "(/run/systemd/network/10-netplan-eth0.network).",
        ),
        (
            Persist.UNIT,
            ALPINE,
            "systemd is not the init there. `--persist auto` takes ifupdown there: ifup brought up eth0.",
        ),
    ],
)
def test_a_refusal_says_why_and_what_would_work(asked: Persist, network: NetworkSetup, problem: str) -> None:
    assert choose(asked, network, ROUTES).problem == problem


def test_nothing_asked_leaves_it_to_who_holds_routes_already() -> None:
    (file,) = MODULES[Manager.NETWORKD].render(ROUTES, LINODE)
    assert choose(Persist.NONE, standing(LINODE, file), ROUTES).manager is Manager.NETWORKD
    made = choose(Persist.NONE, LINODE, ROUTES)
    assert (made.manager, made.reason, made.problem) == (None, NOT_ASKED, None)
    unread = choose(Persist.NONE, standing(NETPLAN, file), ROUTES)
    assert unread.manager is None


@pytest.mark.parametrize("asked", [p for p in Persist if p is not Persist.NONE])
def test_without_routes_there_is_nothing_to_choose(asked: Persist) -> None:
    made = choose(asked, LINODE, ())
    assert (made.manager, made.problem) == (None, None)
