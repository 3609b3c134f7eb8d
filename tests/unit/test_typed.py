"""What was typed by hand, judged row by row."""

from dataclasses import replace

import pytest

from kthw_routes.facts import Route
from kthw_routes.options import Options
from kthw_routes.plan import compare as planning
from kthw_routes.teaching.by_hand import State, Typed, judge
from kthw_routes.wizard.text import by_hand_words

from .builders import cluster, facts, net, pod_route

CLUSTER = cluster(controllers=0)
NODE = CLUSTER.node("worker-0")
WANTED = pod_route(1), pod_route(2)


def typed(*routes: Route) -> list[Typed]:
    """The rows of worker-0, which had no routes at first."""
    states = []
    for has in ((), routes):
        read = {"worker-0": facts(NODE, has)}
        states.append(State(planning.make(CLUSTER, read, Options()), read))
    return [row for row in judge(CLUSTER, *states) if row.what.startswith("10.")]


def wrong(*routes: Route) -> list[str]:
    return [row.wrong for row in typed(*routes) if row.wrong is not None]


@pytest.mark.parametrize("spare", [pod_route(1, metric=50), pod_route(1, via=2, metric=50)])
def test_a_second_route_is_named_with_what_removes_it(spare: Route) -> None:
    (words,) = wrong(*WANTED, spare)
    assert "10.200.1.0/24: a second route next to the right one: via" in words
    assert words.endswith(f"Remove it: ip route del 10.200.1.0/24 via {spare.gateway} dev eth0 proto 200 metric 50")


def test_the_kernels_own_route_is_never_to_be_replaced() -> None:
    kernels = replace(pod_route(1), gateway=None, device="br0", protocol="kernel")
    (words,) = wrong(kernels, WANTED[1])
    assert "br0 has an address in worker-1's pod CIDR" in words
    assert "ip route" not in words


def test_each_row_has_a_key_of_its_own() -> None:
    stray = replace(pod_route(2), prefix=net("10.200.2.0/23"))
    keys = [by_hand_words.key_of(row) for row in typed(stray, replace(stray, metric=50))]
    assert len(keys) == len(set(keys))


def test_what_is_wrong_comes_first_and_every_column_is_in_sight() -> None:
    rows = [
        Typed(host=f"{'node-' * 12}0", what=f"/etc/systemd/network/05-eth0.network.d/90-{'kthw-' * 9}.conf"),
        Typed(host="worker-1", what="10.200.0.0/24", is_right=True),
        Typed(host="worker-1", what="worker-0", wrong="It is another."),
    ]
    cells = [[str(getattr(cell, "text", cell)) for cell in cells] for _, cells in by_hand_words.cells(rows)]
    assert [row[-1] for row in cells] == ["wrong", "to be typed", "right"]
    assert sum(max(map(len, column)) + 2 for column in zip(*cells, strict=True)) <= 76
    assert cells[1][2].startswith("90-kthw")
