"""The words that both front ends share: what is left undone is never called right."""

from kthw_routes.options import NamesOn, Options, RoutesOn
from kthw_routes.persistence.model import Persist
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import ChangeKind, HostPlan, Plan
from kthw_routes.words import matrix_sources, summary, unmet_request

from .builders import cluster, facts, pod_route

CLUSTER = cluster(2)


def plan(options: Options) -> Plan:
    """Of hosts that have their routes already, and of which nothing tells by what their network is configured."""
    read = {f"worker-{n}": facts(CLUSTER.node(f"worker-{n}"), [pod_route(1 - n)]) for n in range(2)}
    controller = CLUSTER.node("controller-0")
    return planning.make(CLUSTER, {**read, controller.name: facts(controller, etc_hosts=b"")}, options)


def test_a_wish_that_cannot_be_is_not_called_as_it_should_be() -> None:
    done = Plan(tuple(h for h in plan(Options(persist=Persist.IFUPDOWN)).hosts if h.node != "controller-0"))
    assert done.is_empty
    assert summary(done) == (
        "Nothing that can be done. Not as asked for: nothing can keep the routes after a reboot that way on all 2 "
        "nodes; why is listed above."
    )
    assert not unmet_request(plan(Options()))
    assert unmet_request(Plan(done.hosts[:1])).endswith("on worker-0; why is listed above.")


def test_the_routes_of_a_controller_that_gets_none_now_are_not_called_as_they_should_be() -> None:
    controller = CLUSTER.node("controller-0")
    read = {controller.name: facts(controller, [pod_route(0), pod_route(1)])}
    stale = planning.make(CLUSTER, read, Options(names_on=NamesOn.NONE))
    assert [c.kind for c in stale.hosts[0].routes] == [ChangeKind.STALE] * 2
    assert stale.is_empty
    assert stale.is_drift, "so that `check` tells by its status"
    assert (
        summary(stale)
        == "Nothing to add or replace; what is stale is listed above, and stays until you ask to remove it."
    )


def test_the_matrix_has_a_row_for_all_that_get_routes() -> None:
    assert matrix_sources(CLUSTER, plan(Options())) == ("worker-0", "worker-1")
    everywhere = plan(Options(routes_on=RoutesOn.ALL))
    assert matrix_sources(CLUSTER, everywhere) == ("worker-0", "worker-1", "controller-0")
    assert matrix_sources(CLUSTER, Plan((HostPlan("controller-0"),))) == ("worker-0", "worker-1")
