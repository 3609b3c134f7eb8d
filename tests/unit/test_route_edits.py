"""Edits of the routes of one prefix: undone, they leave the table as it was, in the kernel's order."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.facts import Route
from kthw_routes.iproute2.edits import become, outcome, put, take_away

from .builders import ip, net, pod_route

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
    assert outcome(edit.inverse, after) == VIAS


@given(_TABLE)
def test_putting_the_wanted_route_leaves_it_alone_and_undo_restores_the_table(has: tuple[Route, ...]) -> None:
    new = Route(net("10.200.1.0/24"), ip("192.168.128.99"))
    edit = put(new, has)
    after = outcome(edit.commands, has)
    assert after == (new,)
    assert outcome(edit.inverse, after) == has


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
