"""The overlay: a way past the provider's filter, on nodes behind one."""

from tests.journeys.looking import comes_true, is_through_overlay, pod_routes
from tests.journeys.stage import ON_MODEL, WORKERS, Model, Stage

OVERLAY = ("apply", "--yes", "--overlay", "vxlan", "--persist", "auto")
TABLES = (
    "ip route show; ip -4 -o address show; ip -d link show type vxlan; ip neigh show nud permanent; nft list ruleset; "
    "find /etc -path '*kthw-routes*'"
)


def tables(stage: Stage) -> dict[str, str]:
    """Everything that an overlay is made of, the routes, the files."""
    return {worker: stage.run(worker, TABLES) for worker in WORKERS}


def test_pods_reach_each_other_past_a_filter_and_all_of_it_is_undone(london: Stage) -> None:
    """Without the overlay they do not, with it they do; nothing of it is left after an undo."""
    london.add_pods()
    assert "Something between the nodes drops" in (filtered := london.tool("apply", "--yes")).out
    assert filtered.code == 4
    before = tables(london)

    made = london.tool(*OVERLAY)
    assert "3 overlay devices on 3 nodes, 6 route changes on 3 nodes, 12 files on 3 nodes" in made.out
    assert "those of 1500 bytes are lost" in made.out, "the pods were made for an MTU of 1500"
    assert "kthw-routes0 passes on no more than 1450 bytes" in made.out
    assert '"mtu": 1450' in made.out
    assert made.code == 4
    assert all(is_through_overlay(london, worker) for worker in WORKERS)

    for worker in WORKERS:
        for end in london.run(worker, "ls /run/netns").split():
            london.run(worker, f"ip -n {end} link set eth0 mtu 1450")
    again = london.tool(*OVERLAY)
    assert "Nothing to do: every route and name is as it should be. Pods of all workers reach each other." in again.out
    assert again.code == 0

    assert london.tool("undo", "--yes").code == 0
    assert tables(london) == before


def test_it_is_there_after_a_reboot_is_made_right_and_goes_when_it_is_not_wanted(london: Stage) -> None:
    assert london.tool("apply", "--yes", "--no-probe").code == 0
    before = {worker: pod_routes(london, worker) for worker in WORKERS}
    assert london.tool(*OVERLAY, "--no-probe").code == 0
    london.reboot("worker-0")
    comes_true(lambda: is_through_overlay(london, "worker-0"))
    checked = london.tool("check")
    assert "Nothing to do" in checked.out, "an overlay that is there is kept, whether it is named or not"
    assert checked.code == 0
    assert london.internal("controller-0") not in london.run("worker-0", "nft list table inet kthw_routes")

    london.run(
        "worker-1",
        "systemctl stop kthw-routes.timer; ip link set kthw-routes0 mtu 1400; ip neigh del 10.200.0.0 dev kthw-routes0",
    )
    london.run("worker-2", "ip link del kthw-routes0; nft delete table inet kthw_routes")
    comes_true(lambda: is_through_overlay(london, "worker-2"))
    assert london.tool("check", "--no-probe").code == 3
    assert london.tool("apply", "--yes").code == 0, "what somebody changed of it is made right"

    assert london.tool("apply", "--yes", "--overlay", "none", "--no-probe").code == 0
    assert {worker: pod_routes(london, worker) for worker in WORKERS} == before
    for worker in WORKERS:
        assert london.run(worker, "ip link show type vxlan; nft list ruleset; ls /etc/kthw-routes") == "routes.batch\n"


@ON_MODEL
def test_without_nft_nothing_is_made_and_it_is_said_what_to_install(stage: Stage) -> None:
    assert isinstance(stage, Model)
    stage.lab.topology.hosts["worker-1"].missing.add("nft")
    refused = stage.tool("apply", "--yes", "--overlay", "vxlan", "--json")
    assert refused.code == 2
    assert "nft is not installed on worker-1" in refused.json["error"]["sentence"]
    assert "apt install nftables" in refused.json["error"]["hint"]
    assert "kthw-routes0" not in stage.run("worker-0", "ip link")
    assert stage.tool("apply", "--yes", "--no-probe").code == 0, "without an overlay nobody asks for it"
