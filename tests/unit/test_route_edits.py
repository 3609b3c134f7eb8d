"""Edits of the routes of one prefix: undone, they leave the table as it was, in the kernel's order."""

from dataclasses import replace
from ipaddress import IPv4Interface
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.facts import InterfaceAddress, Route
from kthw_routes.iproute2.commands import RouteCommand, Verb
from kthw_routes.iproute2.edits import become, give_back, outcome, put, take_away

from .builders import internal, ip, net, pod_route

VIAS = tuple(pod_route(1, via=n, protocol="boot") for n in range(4))
_TABLE = st.lists(
    st.builds(
        lambda via, metric, tos: replace(pod_route(1, via=via, metric=metric), tos=tos),
        st.integers(0, 3),
        st.sampled_from([0, 0, 5]),
        st.sampled_from([0, 0, 16]),
    ),
    max_size=4,
    unique=True,
).map(lambda routes: tuple(sorted(routes, key=lambda r: (r.tos, r.metric))))
"""Routes of one prefix as the kernel lists them: by TOS and metric; of one key the first wins."""


@pytest.mark.parametrize("stays", range(4))
def test_twins_of_one_key_that_were_removed_come_back_in_their_order(stays: int) -> None:
    """The first of one key is the one that packets take: a wrong order after undo sends them elsewhere."""
    gone = [r for n, r in enumerate(VIAS) if n != stays]
    edit = take_away(gone, VIAS)
    after = outcome(edit.commands, VIAS)
    assert after == (VIAS[stays],)
    assert outcome(edit.undo_commands, after) == VIAS


@given(_TABLE)
def test_putting_the_wanted_route_leaves_it_alone_and_undo_restores_the_table(has: tuple[Route, ...]) -> None:
    new = Route(net("10.200.1.0/24"), ip("192.168.128.99"))
    edit = put(new, has)
    after = outcome(edit.commands, has)
    assert after == (new,)
    assert outcome(edit.undo_commands, after) == has


@given(_TABLE, _TABLE)
def test_a_table_becomes_another_and_back(wanted: tuple[Route, ...], has: tuple[Route, ...]) -> None:
    edit = become(wanted, has, movable=has)
    after = outcome(edit.commands, has)
    assert sorted(map(str, after)) == sorted(map(str, wanted))
    assert [r for r in after if r not in has] == [r for r in wanted if r not in has]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_route_that_wins_is_never_missing_while_others_are_put_before_it(order: tuple[int, ...]) -> None:
    wanted = tuple(VIAS[n] for n in order)
    has = (VIAS[0],)
    for upto in range(1, len(become(wanted, has, movable=has).commands) + 1):
        assert outcome(become(wanted, has, movable=has).commands[:upto], has)


BRIDGE = InterfaceAddress("cnio0", IPv4Interface("10.200.0.1/24"))
OWN = Route(net("10.200.0.0/24"), device="cnio0", protocol="kernel", scope="link", source=ip("10.200.0.1"))


def away(metric: int = 0, via: int = 1) -> Route:
    """A route that overrides worker-0's own pod CIDR."""
    return Route(net("10.200.0.0/24"), internal(via), "eth0", "boot", metric)


@pytest.mark.parametrize(
    ("has", "bridge", "commands", "undo"),
    [
        pytest.param(
            (away(),),
            None,
            ["del 10.200.0.0/24 via 192.168.128.11 dev eth0 proto boot"],
            ["add 10.200.0.0/24 via 192.168.128.11 dev eth0"],
            id="no bridge yet",
        ),
        pytest.param(
            (OWN, away(9)),
            BRIDGE,
            ["del 10.200.0.0/24 via 192.168.128.11 dev eth0 proto boot metric 9"],
            ["add 10.200.0.0/24 via 192.168.128.11 dev eth0 metric 9"],
            id="the bridge's route is still there",
        ),
        pytest.param(
            (away(),),
            BRIDGE,
            ["replace 10.200.0.0/24 dev cnio0 proto kernel scope link src 10.200.0.1"],
            ["replace 10.200.0.0/24 via 192.168.128.11 dev eth0 proto boot"],
            id="the bridge's route was replaced",
        ),
        pytest.param(
            (away(9),),
            BRIDGE,
            [
                "add 10.200.0.0/24 dev cnio0 proto kernel scope link src 10.200.0.1",
                "del 10.200.0.0/24 via 192.168.128.11 dev eth0 proto boot metric 9",
            ],
            ["add 10.200.0.0/24 via 192.168.128.11 dev eth0 metric 9"],
            id="the bridge's route is gone, another metric is there",
        ),
        pytest.param(
            (away(), away(9, via=2)),
            BRIDGE,
            [
                "replace 10.200.0.0/24 dev cnio0 proto kernel scope link src 10.200.0.1",
                "del 10.200.0.0/24 via 192.168.128.12 dev eth0 proto boot metric 9",
            ],
            [
                "add 10.200.0.0/24 via 192.168.128.12 dev eth0 metric 9",
                "replace 10.200.0.0/24 via 192.168.128.11 dev eth0 proto boot",
            ],
            id="both",
        ),
    ],
)
def test_an_own_pod_cidr_is_returned_to_its_bridge(
    has: tuple[Route, ...],
    bridge: InterfaceAddress | None,
    commands: list[str],
    undo: list[str],
) -> None:
    edit = give_back([r for r in has if r != OWN], has, bridge)
    assert [str(c) for c in edit.commands] == [f"ip route {line}" for line in commands]
    assert [str(c) for c in edit.undo_commands] == [f"ip route {line}" for line in undo]


def test_another_bridges_route_is_not_the_bridges_own() -> None:
    """A second bridge with the same network has its route; the pods' bridge lacks one all the same."""
    other = replace(OWN, device="docker0")
    thief = away(9)
    edit = give_back([thief], (other, thief), BRIDGE)
    assert [c.route for c in edit.commands if c.verb is not Verb.DELETE] == [OWN]


def test_a_route_that_may_not_be_moved_stays_where_it_is() -> None:
    """What is missing before it can only be put behind it."""
    first, middle, last, _ = VIAS
    commands = become((first, middle, last), (first, last)).commands
    assert [(c.verb, c.route) for c in commands] == [(Verb.APPEND, middle)]
    moved = become((first, middle, last), (first, last), movable=(last,)).commands
    assert [(c.verb, c.route) for c in moved] == [
        (Verb.APPEND, middle),
        (Verb.DELETE, last),
        (Verb.APPEND, last),
    ]


@pytest.mark.parametrize(
    ("verb", "route", "expected"),
    [
        (Verb.ADD, VIAS[2], (VIAS[0], VIAS[1])),
        (Verb.APPEND, VIAS[2], (VIAS[0], VIAS[1], VIAS[2])),
        (Verb.PREPEND, VIAS[2], (VIAS[2], VIAS[0], VIAS[1])),
        (Verb.REPLACE, VIAS[2], (VIAS[2], VIAS[1])),
        (Verb.DELETE, VIAS[0], (VIAS[1],)),
        (Verb.DELETE, VIAS[3], (VIAS[0], VIAS[1])),
    ],
)
def test_the_kernels_order_after_a_command(verb: Verb, route: Route, expected: tuple[Route, ...]) -> None:
    """Of one key `add` is refused, `replace` swaps the first, `prepend` and `append` add a second (measured)."""
    commands = (RouteCommand(verb, route), RouteCommand(Verb.ADD, pod_route(1, metric=7)))
    assert outcome(commands, VIAS[:2]) == (*expected, pod_route(1, metric=7))


def test_a_new_key_is_listed_by_its_tos_and_metric() -> None:
    has = (pod_route(1), pod_route(1, metric=5), replace(pod_route(1), tos=16))
    for new, place in ((pod_route(1, metric=3), 1), (pod_route(1, metric=9), 2), (replace(pod_route(1), tos=8), 2)):
        assert outcome([RouteCommand(Verb.ADD, new)], has).index(new) == place
