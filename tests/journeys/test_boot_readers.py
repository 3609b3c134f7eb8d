"""What is said of the next boot where a manager's reader is switched off, on real nodes; and then the next boot."""

import json
from dataclasses import dataclass

import pytest

from tests.journeys.looking import pod_routes
from tests.journeys.stage import WORKERS, OwnMachines
from tests.nodes.flavours import Flavour
from tests.nodes.lab import NodeLab
from tests.nodes.node import Node

pytestmark = pytest.mark.nodes

NO_NETWORKD = "systemctl disable systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service"
NO_WAITING = "systemctl mask systemd-networkd-wait-online.service"
"""A boot without a network waits for it for two minutes, and our service with it."""
NO_TIMERS = "systemctl mask timers.target"
NO_DISPATCHER = "systemctl disable --now NetworkManager-dispatcher.service"
NO_MANAGER = "systemctl disable NetworkManager.service"
NO_GENERATOR = (
    f"mkdir -p /etc/systemd/system-generators && ln -s /dev/null /etc/systemd/system-generators/netplan; {NO_WAITING}"
)
MASKED = f"systemctl mask systemd-networkd.service; {NO_WAITING}"


@dataclass(frozen=True, slots=True)
class Off:
    """What is switched off on a worker, and what is right then."""

    command: str
    manager: str | None
    """What keeps the routes; None where nothing can."""
    reason: str = ""
    """What is said of it."""
    has_network: bool = True
    """Whether the node has its address after the next boot."""


OFF = [
    (
        Flavour.LINODE,
        [
            Off(NO_NETWORKD, "unit", "systemd-networkd.service is disabled", has_network=False),
            Off(NO_TIMERS, "networkd"),
            Off(f"{NO_NETWORKD}; {NO_TIMERS}", None, "timers.target is masked", has_network=False),
        ],
    ),
    (
        Flavour.NETPLAN,
        [
            Off(NO_NETWORKD, "netplan"),  # its generator enables networkd at each boot
            Off(NO_GENERATOR, "unit", "stands in for netplan's generator", has_network=False),
            Off(MASKED, "unit", "systemd-networkd.service is masked", has_network=False),
        ],
    ),
    (
        Flavour.IFUPDOWN,
        [
            Off("systemctl disable networking.service", "unit", "networking.service is disabled", has_network=False),
            Off(
                f"systemctl disable networking.service; {NO_TIMERS}", None, "timers.target is masked", has_network=False
            ),
            Off(NO_TIMERS, "ifupdown"),
        ],
    ),
    (
        Flavour.NETWORKMANAGER,
        [
            Off(NO_DISPATCHER, "unit", "NetworkManager-dispatcher.service is disabled"),
            Off(f"{NO_DISPATCHER}; {NO_TIMERS}", None, "timers.target is masked"),
            Off(NO_MANAGER, "unit", "NetworkManager.service is disabled", has_network=False),
        ],
    ),
    (
        Flavour.NETPLAN,
        [
            Off(NO_TIMERS, "netplan"),
            Off(f"{NO_GENERATOR}; {NO_TIMERS}", None, "timers.target is masked", has_network=False),
            Off(f"{MASKED}; {NO_TIMERS}", None, "timers.target is masked", has_network=False),
        ],
    ),
    (
        Flavour.NETWORKMANAGER,
        [
            Off(NO_TIMERS, "networkmanager"),
            Off(f"{NO_MANAGER}; {NO_TIMERS}", None, "timers.target is masked", has_network=False),
            Off("true", "networkmanager"),
        ],
    ),
]
"""By worker, in their order."""


@pytest.fixture
def machines(inside_flavour_lab: NodeLab) -> OwnMachines:
    """The nodes of a flavour, in an inventory."""
    return OwnMachines(inside_flavour_lab)


def next_hops(machines: OwnMachines, worker: str) -> dict[str, str]:
    return {prefix: rest.split()[1] for prefix, rest in pod_routes(machines, worker).items()}


def right(machines: OwnMachines, worker: str) -> dict[str, str]:
    return {f"10.200.{n}.0/24": machines.internal(w) for n, w in enumerate(WORKERS) if w != worker}


def boot(node: Node, off: Off) -> None:
    """Boot a node; where nothing gives it an address, somebody does so by hand."""
    node.reboot(network=off.has_network)
    if not off.has_network:
        assert f" {node.spec.private}/" not in node.run("ip -4 -o address"), "it has its network in spite of all"
        length = 24 if node.spec.flavour.is_lan else 17
        node.run(f"ip link set eth0 up && ip address add {node.spec.private}/{length} dev eth0")


@pytest.mark.parametrize(("flavour", "offs"), OFF, indirect=["flavour"])
def test_what_is_said_of_the_next_boot_comes_true(machines: OwnMachines, offs: list[Off]) -> None:
    for worker, off in zip(WORKERS, offs, strict=True):
        machines.run(worker, off.command)
    answer = machines.tool("apply", "--yes", "--json", "--persist", "auto", "--names-on", "none")
    plans = {host["host"]: host["persistence"] for host in json.loads(answer.out)["hosts"]}
    kept = [worker for worker, off in zip(WORKERS, offs, strict=True) if off.manager]
    assert answer.code == (0 if len(kept) == len(WORKERS) else 1), answer.out + answer.err
    for worker, off in zip(WORKERS, offs, strict=True):
        said = plans[worker]
        assert said["manager"] == off.manager
        assert off.reason in f"{said['reason']} {said['problem']}"
        assert next_hops(machines, worker) == right(machines, worker)

    for worker, off in zip(WORKERS, offs, strict=True):
        node = machines.lab.node(worker)
        boot(node, off)
        if off.manager is None:
            assert pod_routes(machines, worker) == {}
        else:
            node.wait_for_routes(f"[ $(ip route show root 10.200.0.0/16 | wc -l) = {len(WORKERS) - 1} ]")
            assert next_hops(machines, worker) == right(machines, worker)


@pytest.mark.parametrize("flavour", [Flavour.NETWORKMANAGER], indirect=True)
def test_a_file_whose_reader_was_switched_off_since_is_drift(machines: OwnMachines) -> None:
    assert machines.tool("apply", "--yes", "--persist", "auto", "--names-on", "none").code == 0
    machines.run("worker-0", NO_DISPATCHER)
    check = machines.tool("check", "--names-on", "none")
    assert check.code == 3, check.out + check.err
    words = " ".join(check.out.split())
    assert "this host does not read it: NetworkManager-dispatcher.service is disabled" in words
    mended = machines.tool("apply", "--yes", "--persist", "auto", "--names-on", "none")
    assert mended.code == 0, mended.out + mended.err
    assert machines.lab.node("worker-0").path("/etc/kthw-routes/routes.batch").exists()
    assert not machines.lab.node("worker-0").path("/etc/NetworkManager/dispatcher.d/90-kthw-routes").exists()
    assert machines.tool("check", "--names-on", "none").code == 0
