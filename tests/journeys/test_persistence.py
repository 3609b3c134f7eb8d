"""Routes that survive a reboot, on nodes whose network is ruled by each manager in turn."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.journeys.looking import comes_true, is_through_overlay, pod_routes
from tests.journeys.running import Answer
from tests.journeys.stage import WORKERS, OwnMachines
from tests.nodes.files import Files
from tests.nodes.flavours import Flavour
from tests.nodes.lab import NodeLab
from tests.nodes.node import Node

pytestmark = pytest.mark.nodes

WRITTEN = {
    Flavour.LINODE: {"etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf"},
    Flavour.NETPLAN: {"etc/netplan/90-kthw-routes.yaml"},
    Flavour.NETPLAN_SET_NAME: {"etc/netplan/90-kthw-routes.yaml"},
    Flavour.IFUPDOWN: {"etc/network/if-up.d/kthw-routes"},
    Flavour.NETWORKMANAGER: {"etc/NetworkManager/dispatcher.d/90-kthw-routes"},
}
"""What `auto` writes."""

WRITTEN_BESIDE = {"etc/hosts", "etc/sysctl.d/90-kthw-routes.conf"}
"""The names, and the switch of forwarding."""

IN_ETC = "/etc/systemd/network"

DISTURBANCE = {
    Flavour.LINODE: "touch /etc/systemd/network/05-eth0.network && networkctl reload",
    Flavour.NETPLAN: "netplan generate && networkctl reload",
    Flavour.NETPLAN_SET_NAME: "netplan generate && networkctl reload",
    Flavour.IFUPDOWN: "ifdown eth0; ifup eth0",
    # NetworkManager tells its dispatcher some time after.
    Flavour.NETWORKMANAGER: "nmcli device reapply eth0 && nmcli connection up 'cloud-init eth0' && "
    "for i in $(seq 100); do ip route | grep -q 10.200 && break; sleep 0.1; done",
}
"""An ordinary event that wipes routes which nobody holds."""


@pytest.fixture
def machines(inside_flavour_lab: NodeLab) -> OwnMachines:
    """The nodes of a flavour, in an inventory."""
    return OwnMachines(inside_flavour_lab)


def disturb(machines: OwnMachines, flavour: Flavour) -> None:
    """A power cut on worker-0, a reboot of worker-1, an ordinary event on worker-2."""

    def cut(node: Node) -> None:
        node.power_off()
        node.power_on()

    lab = machines.lab
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda work: work(), [lambda: cut(lab.node("worker-0")), lab.node("worker-1").reboot]))
    lab.run("worker-2", DISTURBANCE[flavour])


def changed(node: Node, before: Files) -> list[str]:
    """What is otherwise in the node's files than it was, but for what Python keeps of netplan's own modules."""
    return [path for path in node.changed_since(before) if "__pycache__" not in path]


def next_hops(machines: OwnMachines, worker: str) -> dict[str, str]:
    return {prefix: rest.split()[1] for prefix, rest in pod_routes(machines, worker).items()}


def right(machines: OwnMachines, worker: str) -> dict[str, str]:
    return {f"10.200.{n}.0/24": machines.internal(w) for n, w in enumerate(WORKERS) if w != worker}


def codes(answer: Answer) -> set[str]:
    """The codes of the findings."""
    return {finding["code"] for finding in answer.json["findings"]}


def assert_pods_reach_each_other(machines: OwnMachines) -> None:
    """Without the tool: from a pod on each worker to a pod on each other."""
    pods = {worker.name: worker.add_pod() for worker in machines.lab.workers}
    for number, source in enumerate(WORKERS):
        for target in WORKERS:
            if source != target:
                namespace = f"cni-{number:04d}0002"
                machines.run(source, f"ip netns exec {namespace} ping -n -c 1 -W 2 {pods[target]}")


def test_routes_survive_and_undo_leaves_nothing(machines: OwnMachines, flavour: Flavour) -> None:
    nodes = [machines.lab.node(name) for name in WORKERS]
    before = {node.name: node.snapshot() for node in nodes}
    everything = ("--persist", "auto", "--names-on", "workers", "--ip-forward")
    first = machines.tool("apply", "--yes", *everything)
    assert first.code == 0, first.out + first.err
    assert "These routes are kept after a reboot" in first.out
    for node in nodes:
        assert {path.lstrip("/") for path in node.changed_since(before[node.name])} >= {
            *WRITTEN[flavour],
            *WRITTEN_BESIDE,
        }
    second = machines.tool("apply", "--yes", *everything)
    assert second.code == 0
    assert "Nothing to do" in second.out, second.out
    with_files = {node.name: node.snapshot() for node in nodes}

    disturb(machines, flavour)

    for worker in ("worker-0", "worker-1"):
        assert next_hops(machines, worker) == right(machines, worker)
    # networkd reads its files again some time after `networkctl reload` has returned
    comes_true(lambda: next_hops(machines, "worker-2") == right(machines, "worker-2"))
    for worker in WORKERS:
        assert changed(machines.lab.node(worker), with_files[worker]) == []
    for worker in ("worker-0", "worker-1"):
        assert machines.run(worker, "cat /proc/sys/net/ipv4/ip_forward") == "1\n"
        assert machines.internal("worker-2") in machines.run(worker, "getent hosts worker-2")
    check = machines.tool("check", "--names-on", "workers", "--json")
    assert check.code == 0, check.out + check.err
    assert json.loads(check.out)["drift"] is False
    assert "Nothing to do" in machines.tool("apply", "--yes", "--names-on", "workers").out
    assert_pods_reach_each_other(machines)

    undo = machines.tool("undo", "--yes")
    assert undo.code == 0, undo.out + undo.err
    for node in nodes:
        assert not set(next_hops(machines, node.name)) & set(right(machines, node.name))
        assert changed(node, before[node.name]) == []
    nodes[0].reboot()
    assert changed(nodes[0], before["worker-0"]) == []
    assert pod_routes(machines, "worker-0") == {}
    assert nodes[0].run("cat /proc/sys/net/ipv4/ip_forward") == "0\n"


@pytest.mark.parametrize(
    ("flavour", "way"), [*((flavour, "auto") for flavour in Flavour), (Flavour.LINODE, "unit")], indirect=["flavour"]
)
def test_what_nobody_confirms_goes_back_with_its_files(machines: OwnMachines, flavour: Flavour, way: str) -> None:
    """The time runs out at once, once the tool is dead; that it does so by itself is told by `--commit-within`'s own.

    The unit is the same whoever rules the network.
    """
    nodes = [machines.lab.node(name) for name in WORKERS[:2]]
    before = {node.name: node.snapshot() for node in nodes}
    hold = nodes[0].hold("ping", "-c", "before")
    tool = machines.start(
        *("apply", "--yes", "--persist", way, "--names-on", "none", "--commit-within", "86400"),
        *(word for node in nodes for word in ("--only", node.name)),
    )
    hold.wait()
    tool.kill()
    hold.release()
    for node in nodes:
        assert pod_routes(machines, node.name)
        assert any("kthw-routes" in path for path in changed(node, before[node.name]))
    for node in nodes:
        node.run("cd /run/systemd/transient && systemctl start --wait kthw-routes-undo*.service")
        assert pod_routes(machines, node.name) == {}
        left = [path for path in changed(node, before[node.name]) if "/hold" not in path and "sbin/ping" not in path]
        assert left == []
    check = machines.tool("check", "--names-on", "none", "--no-probe", "--json")
    assert "armed-switch" not in codes(check)


def test_names_of_managers_that_the_host_would_not_read_are_refused(machines: OwnMachines, flavour: Flavour) -> None:
    wrong = "ifupdown" if flavour is not Flavour.IFUPDOWN else "networkd"
    before = {node.name: node.snapshot() for node in machines.lab.workers}
    answer = machines.tool("apply", "--yes", "--persist", wrong, "--names-on", "none")
    assert answer.code == 1, answer.out + answer.err
    for worker in WORKERS:
        assert f"{worker}: its routes cannot be kept after a reboot as asked for: " in answer.out
    assert " Not as asked for: nothing can keep the routes " in answer.out.splitlines()[-1], answer.out
    for node in machines.lab.workers:
        assert changed(node, before[node.name]) == []
        assert next_hops(machines, node.name) == right(machines, node.name)


@pytest.mark.parametrize("flavour", [Flavour.LINODE], indirect=True)
def test_check_tells_what_a_file_would_bring_back(machines: OwnMachines) -> None:
    assert machines.tool("apply", "--yes", "--names-on", "none").code == 0
    plain = machines.tool("check", "--names-on", "none", "--json")
    assert plain.code == 0
    assert "not-persisted" in codes(plain), "a notice, no drift"
    assert machines.tool("apply", "--yes", "--persist", "auto", "--names-on", "none").code == 0
    assert "not-persisted" not in codes(machines.tool("check", "--names-on", "none", "--json"))

    file = machines.lab.node("worker-0").path("/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf")
    right = file.read_text()
    file.write_text(right.replace(machines.internal("worker-1"), machines.internal("worker-2")))
    differs = machines.tool("check", "--names-on", "none", "--json")
    assert differs.code == 3
    assert "persisted-differs" in codes(differs)

    file.write_text(right)
    machines.run("worker-0", "mkdir -p /etc/systemd/network/20-other.network.d")
    machines.run("worker-0", f"mv {IN_ETC}/05-eth0.network.d/90-kthw-routes.conf {IN_ETC}/20-other.network.d/")
    unread = machines.tool("check", "--names-on", "none", "--json")
    assert unread.code == 3
    assert "persisted-not-read" in codes(unread)
    assert machines.tool("apply", "--yes", "--persist", "auto", "--names-on", "none").code == 0
    assert file.read_text() == right
    assert machines.run("worker-0", f"find {IN_ETC} -name '*kthw*'").split() == [
        f"{IN_ETC}/05-eth0.network.d/90-kthw-routes.conf"
    ]


@pytest.mark.parametrize("flavour", [Flavour.NETPLAN], indirect=True)
def test_a_broken_base_file_is_refused_and_not_made_worse(machines: OwnMachines) -> None:
    node = machines.lab.node("worker-0")
    base = node.path("/etc/netplan/50-cloud-init.yaml")
    base.write_text(base.read_text() + "  oops: [\n")
    before = node.snapshot()
    answer = machines.tool("apply", "--yes", "--persist", "auto", "--names-on", "none")
    assert answer.code == 1, answer.out + answer.err
    assert "worker-0: its routes cannot be kept after a reboot" in answer.out
    assert changed(node, before) == []
    assert next_hops(machines, "worker-0") == right(machines, "worker-0"), (
        "the routes themselves are added all the same"
    )
    assert machines.lab.node("worker-1").path("/etc/netplan/90-kthw-routes.yaml").exists()


@pytest.mark.parametrize("flavour", [Flavour.LINODE], indirect=True)
def test_controllers_get_routes_too_where_that_is_asked_for(machines: OwnMachines) -> None:
    everything = ("--routes-on", "all", "--names-on", "all", "--persist", "auto")
    first = machines.tool("apply", "--yes", *everything)
    assert first.code == 0, first.out + first.err
    assert set(pod_routes(machines, "controller-0")) == {f"10.200.{n}.0/24" for n in range(3)}
    for name in (*WORKERS, "controller-0"):
        block = machines.run(name, "sed -n '/BEGIN kthw/,/END kthw/p' /etc/hosts")
        assert all((f" {worker}\n" in block) == (worker != name) for worker in WORKERS)
    assert "Nothing to do" in machines.tool("apply", "--yes", *everything).out
    machines.lab.node("controller-0").reboot()
    assert set(pod_routes(machines, "controller-0")) == {f"10.200.{n}.0/24" for n in range(3)}
    assert machines.tool("check", *everything[:4]).code == 0


@pytest.mark.parametrize("flavour", [Flavour.LINODE, Flavour.IFUPDOWN], indirect=True)
def test_the_unit_puts_routes_back_after_a_boot_and_a_wipe(machines: OwnMachines) -> None:
    before = machines.lab.node("worker-0").snapshot()
    first = machines.tool("apply", "--yes", "--persist", "unit", "--names-on", "none")
    assert first.code == 0, first.out + first.err
    node = machines.lab.node("worker-0")
    node.reboot()
    node.run("for i in $(seq 150); do ip route | grep -q proto.200 && exit 0; sleep 0.1; done; exit 1")
    node.run("ip route del 10.200.1.0/24")
    node.run("for i in $(seq 200); do ip route | grep -q 10.200.1.0/24 && exit 0; sleep 0.1; done; exit 1")
    undo = machines.tool("undo", "--yes")
    assert undo.code == 0, undo.out + undo.err
    node.reboot()
    assert changed(node, before) == []
    assert node.run("systemctl is-active kthw-routes.timer || true").strip() == "inactive"
    assert pod_routes(machines, "worker-0") == {}


@pytest.mark.parametrize("flavour", [Flavour.LINODE, Flavour.NETPLAN], indirect=True)
def test_no_file_is_planted_that_stands_for_a_second_interface_too(machines: OwnMachines, flavour: Flavour) -> None:
    """As with `Name=en*` on a machine with two network cards, one of them without a cable."""
    file = f"{IN_ETC}/05-eth0.network" if flavour is Flavour.LINODE else "/run/systemd/network/10-netplan-eth0.network"
    node = machines.lab.node("worker-0")
    node.run(f"ip link add second type veth peer name far && sed -i 's/^Name=eth0$/Name=eth0 second/' {file}")
    node.run("networkctl reload; networkctl reconfigure eth0 second")
    shown = "networkctl --no-pager status second"
    node.run(f"for i in $(seq 100); do {shown} | grep -q 'Network File: {file}' && exit 0; sleep 0.1; done; exit 1")

    manager = "networkd" if flavour is Flavour.LINODE else "netplan"
    named = machines.tool("apply", "--yes", "--persist", manager, "--names-on", "none", "--only", "worker-0")
    assert named.code == 1, named.out + named.err
    assert "second" in named.out
    auto = machines.tool("apply", "--yes", "--persist", "auto", "--names-on", "none")
    assert auto.code == 0, auto.out + auto.err
    (written,) = WRITTEN[flavour]
    assert not node.path(f"/{written}").exists()
    assert machines.lab.node("worker-1").path(f"/{written}").exists()
    assert node.path("/etc/kthw-routes/routes.batch").exists()
    assert next_hops(machines, "worker-0") == right(machines, "worker-0")
    assert machines.run("worker-0", "ip route show dev second proto 200") == ""


@pytest.mark.parametrize("flavour", [Flavour.NETPLAN, Flavour.IFUPDOWN, Flavour.NETWORKMANAGER], indirect=True)
def test_an_overlay_is_kept_by_a_timer_whatever_manages_the_network(machines: OwnMachines, flavour: Flavour) -> None:
    """Linode's nodes are in `test_overlay`."""
    made = machines.tool("apply", "--yes", "--overlay", "vxlan", "--persist", "auto", "--no-probe")
    assert made.code == 0, made.out
    disturb(machines, flavour)
    for worker in WORKERS:
        comes_true(lambda worker=worker: is_through_overlay(machines, worker))  # type: ignore[misc]
    checked = machines.tool("check")
    assert "Nothing to do" in checked.out
    assert checked.code == 0, "and packets go through it"
