"""The script with which a host goes back by itself, run by the modelled shell against the modelled kernel."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kthw_routes.changes import ChangeKind
from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.pipes import reading
from kthw_routes.host_plan import HostPlan
from kthw_routes.hosts.dead_man_script import script
from tests.model.test_plan_on_model import _mess, look, messy_host, plan, run, send

HERE = PurePosixPath("/run/kthw-routes-undo-20261122T101500Z-1abc.sh")
ROUTE = "10.200.1.0/24"


def go_back(host: ModelHost, made: HostPlan) -> None:
    """What systemd does when the time has come; what the kernel refuses is no matter."""
    host.execute("sh", stdin=reading(script(made, HERE)), stdout=lambda _: None, stderr=lambda _: None)


@given(_mess, st.booleans(), st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_however_far_the_run_came_the_host_goes_back(mess: list[str], prune: bool, sent: int) -> None:
    host = messy_host(mess)
    before = look(host).routes
    made = plan(host, prune=prune)
    send(host, made.commands[:sent])
    go_back(host, made)
    restored = look(host).routes
    assert sorted(map(str, restored)) == sorted(map(str, before))
    if sent < len(made.commands):
        return  # of three routes of one key that were half done with, the order is not known to a script
    removed = {c.prefix for c in made.routes if c.kind is ChangeKind.REMOVE}
    assert [r for r in restored if r.prefix not in removed] == [r for r in before if r.prefix not in removed]


@pytest.mark.parametrize("before", [f"add {ROUTE} via 192.168.138.48", f"add {ROUTE} via 192.168.138.48 metric 50", ""])
@pytest.mark.parametrize("since", ["via 192.168.138.99", "via 192.168.138.99 proto static", "dev eth0"])
def test_a_route_that_somebody_changed_since_stays(before: str, since: str) -> None:
    host = messy_host([f"route {before}"] if before else [])
    made = plan(host)
    send(host, made.commands)
    run(host, f"ip route replace {ROUTE} {since}")
    there = run(host, f"ip route show exact {ROUTE}")
    go_back(host, made)
    assert run(host, f"ip route show exact {ROUTE}") == there
    assert run(host, "ip route show exact 10.200.2.0/24") == "", "what nobody touched goes back"
