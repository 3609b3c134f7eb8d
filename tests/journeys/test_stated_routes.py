"""Pod routes that the person keeps in the host's own configuration: counted, or said to be stale; then a boot."""

import json
from collections.abc import Callable
from typing import Final

import pytest

from tests.journeys.looking import pod_routes
from tests.journeys.running import Answer
from tests.journeys.stage import WORKERS, OwnMachines
from tests.nodes.flavours import Flavour
from tests.nodes.lab import NodeLab
from tests.nodes.node import Node

pytestmark = pytest.mark.nodes

Routes = dict[str, str]
"""Prefix -> next hop."""
QUIET: Final = ("--names-on", "none")
OURS: Final = "find /etc -path '*kthw-routes*' -type f ! -name kthw-routes-test-image"


def _netplan(node: Node, routes: Routes) -> str:
    rows = "".join(f"        - to: {to}\n          via: {via}\n" for to, via in routes.items())
    text = f"network:\n  version: 2\n  ethernets:\n    eth0:\n      routes:\n{rows}"
    node.write("/etc/netplan/90-pod-routes.yaml", text, 0o600)
    return "/etc/netplan/90-pod-routes.yaml"


def _networkd(node: Node, routes: Routes) -> str:
    path = "/etc/systemd/network/05-eth0.network.d/pods.conf"
    node.write(path, "".join(f"[Route]\nDestination={to}\nGateway={via}\n" for to, via in routes.items()))
    return path


def _interfaces(node: Node, routes: Routes) -> str:
    path = "/etc/network/interfaces"
    rows = "".join(f"    up ip route add {to} via {via}\n" for to, via in routes.items())
    kept = node.run(f"grep -v ' up ip route' {path}")
    node.write(path, f"{kept}{rows}")
    return path


def _profile(node: Node, routes: Routes) -> str:
    path = "/etc/NetworkManager/system-connections/cloud-init-eth0.nmconnection"
    rows = "".join(f"route{n}={to},{via}\\n" for n, (to, via) in enumerate(routes.items(), 1))
    node.run(f"sed -i -e '/^route[0-9]/d' -e 's|^dns=.*|&\\n{rows}|' {path}")
    return path


STATE: Final[dict[Flavour, Callable[[Node, Routes], str]]] = {
    Flavour.NETPLAN: _netplan,
    Flavour.LINODE: _networkd,
    Flavour.IFUPDOWN: _interfaces,
    Flavour.NETWORKMANAGER: _profile,
}
"""Who states routes on a node, in a file of whose path it returns."""


@pytest.fixture
def machines(inside_flavour_lab: NodeLab) -> OwnMachines:
    """The nodes of a flavour, in an inventory."""
    return OwnMachines(inside_flavour_lab)


def right(machines: OwnMachines, worker: str) -> Routes:
    return {f"10.200.{n}.0/24": machines.internal(w) for n, w in enumerate(WORKERS) if w != worker}


def next_hops(machines: OwnMachines, worker: str) -> Routes:
    return {prefix: rest.split()[1] for prefix, rest in pod_routes(machines, worker).items()}


def sentences(answer: Answer, code: str) -> list[str]:
    """The sentences of the findings with a code."""
    return [finding["sentence"] for finding in json.loads(answer.out)["findings"] if finding["code"] == code]


@pytest.mark.parametrize("flavour", list(STATE), indirect=True)
def test_what_the_host_s_own_configuration_states_counts(machines: OwnMachines, flavour: Flavour) -> None:
    """worker-0 states all its routes; worker-1 one, to an address that worker-0 had before; worker-2 none."""
    state = STATE[flavour]
    kept, stale = machines.lab.node("worker-0"), machines.lab.node("worker-1")
    old = machines.internal("worker-0").rpartition(".")[0] + ".77"
    keeper = state(kept, right(machines, "worker-0"))
    wrong = state(stale, {"10.200.0.0/24": old})

    review = machines.tool("plan", "--json", *QUIET)
    assert sentences(review, "kept-by-host") == [f"Routes are kept by {keeper} on worker-0."]
    (said,) = sentences(review, "stated-stale")
    assert f"worker-1: {wrong}: line " in said
    assert f"states 10.200.0.0/24 via {old} instead of {machines.internal('worker-0')}" in said
    assert sentences(review, "not-persisted") == ["The routes end at the next reboot on worker-2."]

    run = machines.tool("apply", "--yes", "--persist", "auto", *QUIET)
    assert run.code == 0, run.out + run.err
    words = " ".join(run.out.split())
    assert f"by {keeper} on worker-0" in words
    assert f"On worker-1 others come back from {wrong}." in words
    assert machines.run("worker-0", OURS) == "", "no second copy"
    assert machines.run("worker-1", f"cat $({OURS}) | grep -o '10.200.[0-9]*.0/24'").split() == ["10.200.2.0/24"]
    for worker in WORKERS:
        assert next_hops(machines, worker) == right(machines, worker)
    assert "Nothing" in machines.tool("apply", "--yes", "--persist", "auto", *QUIET).out
    check = machines.tool("check", "--json", *QUIET)
    assert check.code == 3, check.out + check.err
    assert sentences(check, "stated-stale") == [said]

    kept.reboot()
    stale.reboot()
    assert next_hops(machines, "worker-0") == right(machines, "worker-0"), "as was promised"
    assert next_hops(machines, "worker-1")["10.200.0.0/24"] == old, "as was said"

    state(stale, {"10.200.0.0/24": machines.internal("worker-0")})
    assert machines.tool("apply", "--yes", *QUIET).code == 0
    mended = machines.tool("check", "--json", *QUIET)
    assert mended.code == 0, mended.out + mended.err
    assert not sentences(mended, "not-persisted")
