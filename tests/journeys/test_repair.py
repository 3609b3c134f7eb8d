"""The operator who comes back a month later: each trouble is named by `check`, and mended by one command."""

import re

import pytest

from tests.journeys.looking import names_block, pod_routes, wanted
from tests.journeys.running import Answer
from tests.journeys.stage import ON_MODEL, WORKERS, Model, Stage


def kinds(answer: Answer) -> dict[tuple[str, str], str]:
    """(host, prefix or name) -> kind, but for what is kept."""
    hosts = answer.json["hosts"]
    rows = {(h["host"], r["prefix"]): r["kind"] for h in hosts for r in h["routes"]}
    rows |= {(h["host"], n["name"]): n["kind"] for h in hosts for n in h["names"]}
    return {
        row: kind
        for row, kind in rows.items()
        if kind != "keep" and not row[0].startswith(("controller-1", "controller-2"))
    }


def assert_all_is_well(stage: Stage) -> None:
    """Nothing to do, and not a word of it."""
    check = stage.tool("check", "--quiet")
    assert (check.code, check.out, check.err) == (0, "", "")


def codes(answer: Answer) -> dict[str, set[str]]:
    """Host -> the codes of its routes but `right`, and those of findings about it that tell what became of it."""
    found = {h["host"]: {r["code"] for r in h["routes"]} - {"right"} for h in answer.json["hosts"]}
    for finding in answer.json["findings"]:
        if finding["code"] in ("routes-gone", "worker-is-new"):
            found[finding["node"]].add(finding["code"])
    return {host: words for host, words in found.items() if words}


@pytest.fixture
def applied(stage: Stage) -> Stage:
    """A cluster on which the tool has done its work."""
    first = stage.tool("apply", "--yes")
    assert first.code == 0, first.out + first.err
    return stage


def test_routes_are_gone_after_a_reboot(applied: Stage) -> None:
    applied.reboot("worker-1")
    assert pod_routes(applied, "worker-1") == {}
    check = applied.tool("check", "--json")
    assert check.code == 3, check.err
    assert kinds(check) == {("worker-1", "10.200.0.0/24"): "add", ("worker-1", "10.200.2.0/24"): "add"}
    assert codes(check) == {"worker-1": {"missing", "routes-gone"}}
    loud = applied.tool("check", "--quiet")
    assert loud.code == 3
    assert "2 route changes on 1 node" in loud.out
    assert applied.tool("apply", "--yes").code == 0
    assert pod_routes(applied, "worker-1") == wanted(applied, "worker-1")
    assert_all_is_well(applied)


@ON_MODEL
def test_a_worker_was_rebuilt_with_another_address_and_host_key(applied: Model) -> None:
    old = applied.internal("worker-1")
    applied.rebuild("worker-1")
    assert applied.internal("worker-1") != old
    check = applied.tool("check")
    assert check.code == 1
    assert "the host key of" in check.out
    assert "has changed" in check.out
    assert f"leads to an address that no node has: via {old}; was worker-1 rebuilt?" in check.out
    refused = applied.tool("apply", "--yes", "--rebuilt", "worker-0")
    assert refused.code == 1, "only the node that is named may come with another key"
    mended = applied.tool("apply", "--yes", "--rebuilt", "worker-1")
    assert mended.code == 0, mended.out + mended.err
    for worker in WORKERS:
        assert pod_routes(applied, worker) == wanted(applied, worker)
    assert names_block(applied) in applied.run("controller-0", "cat /etc/hosts")
    assert_all_is_well(applied)


@ON_MODEL
def test_a_worker_was_added(applied: Model) -> None:
    applied.add("worker-3")
    check = applied.tool("check", "--json")
    assert check.code == 3, check.err
    assert kinds(check) == {
        **{(worker, "10.200.3.0/24"): "add" for worker in WORKERS},
        **{("worker-3", f"10.200.{n}.0/24"): "add" for n in range(3)},
        ("controller-0", "worker-3"): "add",
    }
    assert codes(check) == {**{w: {"missing"} for w in WORKERS}, "worker-3": {"missing", "worker-is-new"}}
    assert applied.tool("apply", "--yes").code == 0
    assert set(pod_routes(applied, "worker-3")) == {f"10.200.{n}.0/24" for n in range(3)}
    assert_all_is_well(applied)


@ON_MODEL
def test_a_worker_was_removed_for_good(applied: Model) -> None:
    applied.remove("worker-2")
    check = applied.tool("check", "--json")
    assert check.code == 3, check.out
    assert set(kinds(check).values()) == {"stale"}
    again = applied.tool("apply", "--yes")
    assert again.code == 0
    assert "what is stale is listed above" in again.out
    assert "10.200.2.0/24" in pod_routes(applied, "worker-0"), "--yes alone never removes"
    pruned = applied.tool("check", "--prune", "--json")
    assert pruned.code == 3
    assert kinds(pruned) == {
        ("worker-0", "10.200.2.0/24"): "remove",
        ("worker-1", "10.200.2.0/24"): "remove",
        ("controller-0", "worker-2"): "remove",
    }
    answer = applied.tool("apply", "--prune", "--yes")
    assert answer.code == 0, answer.out + answer.err
    assert "worker-2" not in re.findall(r"^\d\d:\d\d:\d\d  (\S+)", answer.err, re.MULTILINE), "nothing is sent to it"
    assert set(pod_routes(applied, "worker-0")) == {"10.200.1.0/24"}
    assert "worker-2" not in applied.run("controller-0", "cat /etc/hosts")
    assert_all_is_well(applied)


@ON_MODEL
def test_a_worker_was_removed_for_good_whose_line_the_lab_had_typed(stage: Model) -> None:
    """As lab 3 has it typed on a controller; with another line that was stale all along."""
    typed = "\\n".join([*(f"{stage.internal(w)} {w}" for w in WORKERS), "192.168.9.9 worker-3", "192.168.9.9 registry"])
    stage.run("controller-0", f"printf '{typed}\\n' >> /etc/hosts")
    assert stage.tool("apply", "--yes").code == 0
    loud = stage.tool("check", "--json")
    assert (loud.code, kinds(loud)) == (3, {("controller-0", "worker-3"): "stale"})
    stage.remove("worker-2")
    answer = stage.tool("apply", "--prune", "--yes")
    assert answer.code == 0, answer.out + answer.err
    hosts = stage.run("controller-0", "cat /etc/hosts")
    assert hosts.endswith(
        f"{stage.internal('worker-0')} worker-0\n{stage.internal('worker-1')} worker-1\n192.168.9.9 registry\n"
    )
    assert_all_is_well(stage)


@ON_MODEL
def test_a_node_was_renamed(applied: Model) -> None:
    applied.rename("worker-2", "worker-7")
    check = applied.tool("check", "--json")
    assert check.code == 3, check.out + check.err
    assert kinds(check) == {("controller-0", "worker-7"): "add", ("controller-0", "worker-2"): "stale"}
    assert "worker-7 has this address now: renamed" in applied.tool("check").out
    assert applied.tool("apply", "--prune", "--yes").code == 0
    hosts = applied.run("controller-0", "cat /etc/hosts")
    assert f"{applied.internal('worker-7')} worker-7\n" in hosts
    assert "worker-2" not in hosts
    assert_all_is_well(applied)


@ON_MODEL
def test_a_node_was_renamed_whose_line_the_lab_had_typed(stage: Model) -> None:
    stage.run("controller-0", f"echo '{stage.internal('worker-2')} worker-2' >> /etc/hosts")
    assert stage.tool("apply", "--yes").code == 0
    stage.rename("worker-2", "worker-7")
    check = stage.tool("check", "--json")
    assert check.code == 3, check.out + check.err
    assert kinds(check) == {("controller-0", "worker-7"): "add", ("controller-0", "worker-2"): "stale"}
    assert stage.tool("apply", "--prune", "--yes").code == 0
    assert "worker-2" not in stage.run("controller-0", "cat /etc/hosts")
    assert_all_is_well(stage)


@ON_MODEL
def test_two_routes_of_different_metrics(applied: Stage) -> None:
    applied.run("worker-0", f"ip route add 10.200.1.0/24 via {applied.internal('worker-2')} metric 100")
    check = applied.tool("check", "--json")
    assert check.code == 3
    assert kinds(check) == {("worker-0", "10.200.1.0/24"): "replace"}
    assert "a second route next to the right one" in applied.tool("check").out
    assert applied.tool("apply", "--yes").code == 0
    assert pod_routes(applied, "worker-0") == wanted(applied, "worker-0")
    assert_all_is_well(applied)


def test_a_learner_pasted_all_three_lines(applied: Stage) -> None:
    """`replace`, as `add` is refused while the bridge is up: the bridge's own route goes by that."""
    applied.add_pods()
    whole = pod_routes(applied, "worker-0")
    assert whole["10.200.0.0/24"].startswith("dev cnio0 proto kernel")
    applied.run("worker-0", f"ip route replace 10.200.0.0/24 via {applied.internal('worker-1')}")
    check = applied.tool("check")
    assert check.code == 3
    assert "another route overrides its own pod CIDR 10.200.0.0/24" in check.out
    assert (
        "Another route overrides worker-0's own pod CIDR: its pods are unreachable; --repair restores it" in check.out
    )
    assert "Something between the nodes drops" not in check.out
    assert applied.tool("check", "--json").json["hosts"][0]["own_pod_cidr_routed_away"]["prefix"] == "10.200.0.0/24"
    applied.tool("apply", "--yes")
    assert "via" in pod_routes(applied, "worker-0")["10.200.0.0/24"], "--yes alone never removes"
    mended = applied.tool("apply", "--yes", "--repair")
    assert mended.code == 0, mended.out + mended.err
    assert pod_routes(applied, "worker-0") == whole
    assert "Pods of all workers reach each other." in mended.out
    assert_all_is_well(applied)


def test_a_learner_pasted_all_three_lines_before_the_bridge_came_up(applied: Stage) -> None:
    """The gateway route then stands before the bridge's own, and wins."""
    applied.run("worker-0", f"ip route add 10.200.0.0/24 via {applied.internal('worker-1')}")
    applied.add_pods()
    assert applied.tool("check").code == 3
    mended = applied.tool("apply", "--yes", "--repair")
    assert mended.code == 0, mended.out + mended.err
    assert pod_routes(applied, "worker-0")["10.200.0.0/24"].startswith("dev cnio0 proto kernel")
    assert_all_is_well(applied)


def test_the_timer_was_stopped(stage: Stage) -> None:
    """As by a run that was killed between stopping and starting it: the next boot starts it, and nothing before."""
    assert stage.tool("apply", "--yes", "--no-probe", "--persist", "unit").code == 0
    stage.run("worker-1", "systemctl stop kthw-routes.timer")
    check = stage.tool("check", "--no-probe")
    assert check.code == 3
    assert re.search(r"kthw-routes\.timer +is not running", check.out), check.out
    mended = stage.tool("apply", "--yes", "--no-probe")
    assert mended.code == 0, mended.out + mended.err
    assert stage.run("worker-1", "systemctl is-active kthw-routes.timer").strip() == "active"
    assert "Nothing to do" in stage.tool("apply", "--yes", "--no-probe").out


def test_the_timer_was_disabled_by_somebody(stage: Stage) -> None:
    """What it would put back is kept right; that it is to rest is not for us to change unasked."""
    assert stage.tool("apply", "--yes", "--no-probe", "--persist", "unit").code == 0
    stage.run("worker-1", "systemctl disable --now kthw-routes.timer")
    batch, wrong = "/etc/kthw-routes/routes.batch", f"10.200.0.0/24 via {stage.internal('worker-2')}"
    stage.run("worker-1", f"echo 'route replace {wrong} proto 200' > {batch}")
    for command, is_wrong in ((("apply", "--yes", "--no-probe"), False), (("undo", "--yes"), True)):
        answer = stage.tool(*command)
        assert answer.code == 0, answer.out + answer.err
        assert (wrong in stage.run("worker-1", f"cat {batch}")) is is_wrong
        assert stage.run("worker-1", "systemctl is-enabled kthw-routes.timer; true").strip() == "disabled"
        assert stage.run("worker-1", "systemctl is-active kthw-routes.timer; true").strip() == "inactive"


def test_forwarding_went_off_behind_the_file_that_turns_it_on(stage: Stage) -> None:
    assert stage.tool("apply", "--yes", "--no-probe", "--ip-forward").code == 0
    stage.run("worker-1", "sysctl -w net.ipv4.ip_forward=0")
    check = stage.tool("check", "--quiet", "--no-probe")
    assert check.code == 3, check.out + check.err
    assert stage.tool("apply", "--yes", "--no-probe").code == 0
    assert stage.run("worker-1", "cat /proc/sys/net/ipv4/ip_forward").strip() == "1"
    assert stage.tool("check", "--quiet", "--no-probe").out == ""


@ON_MODEL
def test_five_stale_lines_in_the_hosts_file(stage: Stage) -> None:
    stale = "".join(f"192.168.177.{n} worker-{n % 3}\\n" for n in range(5))
    stage.run("controller-0", f"printf '{stale}' >> /etc/hosts")
    check = stage.tool("check", "--json")
    assert check.code == 3
    names = {name: kind for (host, name), kind in kinds(check).items() if host == "controller-0"}
    assert names == dict.fromkeys(WORKERS, "replace")
    assert stage.tool("apply", "--yes").code == 0
    hosts = stage.run("controller-0", "cat /etc/hosts")
    assert "192.168.177." not in hosts
    assert hosts.endswith(names_block(stage))
    assert_all_is_well(stage)
