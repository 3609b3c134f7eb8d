"""Whether what reads a file at boot is at work there; where it is not, the file keeps no route."""

from dataclasses import replace

import pytest

from kthw_routes.facts import NetworkSetup
from kthw_routes.persistence import netplan, readers
from kthw_routes.persistence.choice import choose
from kthw_routes.persistence.managers import MODULES, ignored_reason
from kthw_routes.persistence.model import Manager, Persist
from kthw_routes.persistence.readers import (
    DISPATCHER,
    NETWORKD,
    NETWORKING,
    NETWORKMANAGER,
    TIMERS,
    idle_reason,
    profiles_idle_reason,
)

from . import setups
from .setups import ALMA, ALPINE, BARE, DEBIAN, DESKTOP, FITTING, LINODE, NETPLAN, held, ruled, standing

ROUTES = (held(1), held(2))


def with_state(network: NetworkSetup, unit: str, state: str | None) -> NetworkSetup:
    """With another state of one unit; None: it was not read."""
    others = {name: s for name, s in network.unit_states if name != unit}
    return replace(network, unit_states=frozenset((others if state is None else others | {unit: state}).items()))


GENERATED_AND_OWN = setups.with_links(LINODE, (ruled(), ruled("eth1", setups.GENERATED)))


@pytest.mark.parametrize(
    ("manager", "network", "unit", "state"),
    [
        *(
            (Manager.NETWORKD, LINODE, NETWORKD, s)
            for s in ("disabled", "masked", "", "enabled-runtime", "static", None)
        ),
        *((Manager.NETPLAN, NETPLAN, NETWORKD, s) for s in ("disabled", "masked", "masked-runtime", None)),
        *((Manager.NETPLAN, DESKTOP, NETWORKMANAGER, s) for s in ("disabled", "masked", None)),
        *((Manager.IFUPDOWN, DEBIAN, NETWORKING, s) for s in ("disabled", "masked", "static", "", None)),
        *((Manager.IFUPDOWN, ALPINE, NETWORKING, s) for s in ("disabled", None)),
        *((Manager.NETWORKMANAGER, ALMA, DISPATCHER, s) for s in ("disabled", "masked", "", None)),
        *((Manager.NETWORKMANAGER, ALMA, NETWORKMANAGER, s) for s in ("disabled", "masked", None)),
        *((Manager.UNIT, BARE, TIMERS, s) for s in ("masked", "masked-runtime", None)),
    ],
)
def test_a_reader_that_is_off_reads_nothing(
    manager: Manager, network: NetworkSetup, unit: str, state: str | None
) -> None:
    assert idle_reason(manager, network) is None
    off = with_state(network, unit, state)
    reason = idle_reason(manager, off)
    assert reason is not None
    assert unit in reason
    files = MODULES[manager].render(ROUTES, network)
    assert ignored_reason(files[0], standing(network, *files)) is None
    assert ignored_reason(files[0], standing(off, *files)) == reason


@pytest.mark.parametrize(
    ("manager", "network", "unit", "state"),
    [
        (Manager.NETPLAN, NETPLAN, NETWORKD, "enabled-runtime"),
        (Manager.NETWORKD, NETPLAN, NETWORKD, "enabled-runtime"),
        (Manager.NETWORKD, GENERATED_AND_OWN, NETWORKD, "enabled-runtime"),
        (Manager.NETPLAN, NETPLAN, NETWORKMANAGER, "disabled"),
        (Manager.NETPLAN, DESKTOP, NETWORKD, "disabled"),
        (Manager.NETPLAN, DESKTOP, DISPATCHER, "disabled"),
        (Manager.NETWORKMANAGER, ALMA, DISPATCHER, "static"),
        (Manager.NETWORKMANAGER, ALMA, DISPATCHER, "alias"),
        (Manager.IFUPDOWN, DEBIAN, NETWORKING, "generated"),
        (Manager.UNIT, BARE, NETWORKD, "disabled"),
    ],
)
def test_what_is_not_needed_may_be_off(manager: Manager, network: NetworkSetup, unit: str, state: str) -> None:
    assert idle_reason(manager, with_state(network, unit, state)) is None


@pytest.mark.parametrize("manager", [m for m in Manager if m is not Manager.IFUPDOWN])
def test_without_systemd_as_the_init_only_ifup_reads_files(manager: Manager) -> None:
    assert idle_reason(manager, replace(FITTING[manager], has_systemd=False)) == "systemd is not the init there"
    assert idle_reason(Manager.IFUPDOWN, replace(DEBIAN, has_systemd=False)) is None


def test_a_generator_that_is_switched_off_writes_nothing_at_boot() -> None:
    off = replace(NETPLAN, overridden=frozenset({netplan.GENERATOR}))
    assert "stands in for netplan's generator" in str(idle_reason(Manager.NETPLAN, off))
    assert idle_reason(Manager.NETWORKD, replace(LINODE, overridden=frozenset({netplan.GENERATOR}))) is None


def test_profiles_need_no_dispatcher() -> None:
    assert profiles_idle_reason(with_state(ALMA, DISPATCHER, "disabled")) is None
    assert NETWORKMANAGER in str(profiles_idle_reason(with_state(ALMA, NETWORKMANAGER, "disabled")))
    assert profiles_idle_reason(replace(ALMA, has_systemd=False)) == "systemd is not the init there"


@pytest.mark.parametrize(
    ("network", "unit"),
    [(LINODE, NETWORKD), (NETPLAN, NETWORKD), (DEBIAN, NETWORKING), (ALMA, DISPATCHER), (ALMA, NETWORKMANAGER)],
)
def test_the_next_way_is_taken_and_the_reason_is_said(network: NetworkSetup, unit: str) -> None:
    """`auto` takes the timer; a manager that was named is refused, with what would work."""
    off = with_state(network, unit, "disabled")
    found = choose(Persist.AUTO, off, ROUTES)
    assert (found.manager, found.problem) == (Manager.UNIT, None)
    assert f"{unit} is disabled" in found.reason
    manager = choose(Persist.AUTO, network, ROUTES).manager
    assert manager is not None
    named = choose(Persist(manager.value), off, ROUTES)
    assert named.manager is None
    assert f"{unit} is disabled" in str(named.problem)
    assert "`--persist auto` takes a systemd timer" in str(named.problem)


def test_where_nothing_reads_any_file_that_is_a_problem() -> None:
    off = with_state(with_state(ALMA, DISPATCHER, "disabled"), TIMERS, "masked")
    found = choose(Persist.AUTO, off, ROUTES)
    assert found.manager is None
    assert DISPATCHER in str(found.problem)
    assert TIMERS in str(found.problem)
    assert choose(Persist.UNIT, off, ROUTES).problem


def test_every_unit_that_counts_is_read() -> None:
    named = {NETWORKD, NETWORKING, NETWORKMANAGER, DISPATCHER, TIMERS}
    assert set(readers.UNITS) == named
