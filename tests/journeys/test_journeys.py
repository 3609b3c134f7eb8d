"""Find, look, review, run, prove: what people come to do, on the command line."""

import re

import pytest

from tests.journeys.looking import names_block, pod_routes, tables, wanted
from tests.journeys.stage import ON_MODEL, WORKERS, Stage


@ON_MODEL
def test_a_plan_changes_nothing(stage: Stage) -> None:
    before = tables(stage)
    answer = stage.tool("plan")
    assert answer.code == 0, answer.err
    controllers = len(re.findall(r"^controller-\d +ca-central", answer.out, re.MULTILINE))
    assert f"6 route changes on 3 nodes, {3 * controllers} names in /etc/hosts on {controllers} " in answer.out
    assert f"ip route add 10.200.2.0/24 via {stage.internal('worker-2')} proto 200" in answer.out
    assert tables(stage) == before
    assert stage.tool("plan", "--exit-code").code == 3


def test_routes_and_names_are_made_and_a_second_run_has_nothing_to_do(stage: Stage) -> None:
    first = stage.tool("apply", "--yes")
    assert first.code == 0, first.out + first.err
    for worker in WORKERS:
        assert pod_routes(stage, worker) == wanted(stage, worker)
    assert stage.run("controller-0", "cat /etc/hosts").endswith(names_block(stage))
    assert "Traffic between all pod CIDRs gets through." in first.out
    assert "probe addresses on the nodes; there are no pods yet" in first.out
    assert "These routes end at the next reboot." in first.out
    assert "$ ip -force -batch -" in first.err
    assert "$ ip -json route show" not in first.err, "what is only read would bury what is changed"
    before = tables(stage)
    second = stage.tool("apply", "--yes")
    assert second.code == 0
    assert "Nothing to do: every route and name is as it should be." in second.out
    assert tables(stage) == before
    check = stage.tool("check")
    assert check.code == 0
    assert tables(stage) == before


@ON_MODEL
def test_without_a_terminal_apply_needs_yes(stage: Stage) -> None:
    before = tables(stage)
    answer = stage.tool("apply")
    assert answer.code == 2
    assert "needs --yes" in answer.err
    assert tables(stage) == before


def test_what_a_learner_left_behind_is_kept_or_put_right(stage: Stage) -> None:
    right = f"ip route add 10.200.1.0/24 via {stage.internal('worker-1')}"
    wrong = f"ip route add 10.200.2.0/24 via {stage.internal('worker-1')}"
    second = f"ip route add 10.200.0.0/24 via {stage.internal('worker-0')} metric 50"
    third = f"ip route add 10.200.0.0/24 via {stage.internal('worker-2')} metric 100"
    stage.run("worker-0", f"{right}; {wrong}")
    stage.run("worker-1", f"{second}; {third}; ip route add blackhole 10.200.2.0/24")
    stage.run("controller-0", "printf '192.168.177.9 worker-1\\n' >> /etc/hosts")
    plan = stage.tool("plan", "--json").json
    kinds = {(host["host"], row["prefix"]): row["kind"] for host in plan["hosts"] for row in host["routes"]}
    assert kinds["worker-0", "10.200.1.0/24"] == "keep"
    assert kinds["worker-0", "10.200.2.0/24"] == "replace"
    assert kinds["worker-1", "10.200.0.0/24"] == "replace"
    assert kinds["worker-1", "10.200.2.0/24"] == "replace"
    names = {
        row["name"]: row["kind"] for host in plan["hosts"] if host["host"] == "controller-0" for row in host["names"]
    }
    assert names == {"worker-0": "add", "worker-1": "replace", "worker-2": "add"}
    answer = stage.tool("apply", "--yes")
    assert answer.code == 0, answer.out + answer.err
    tables_now = {worker: pod_routes(stage, worker) for worker in WORKERS}
    assert tables_now["worker-0"] == wanted(stage, "worker-0") | {
        "10.200.1.0/24": f"via {stage.internal('worker-1')} dev eth0"
    }
    assert tables_now["worker-1"] == wanted(stage, "worker-1") | {
        "10.200.0.0/24": f"via {stage.internal('worker-0')} dev eth0 metric 50"
    }
    assert "192.168.177.9" not in stage.run("controller-0", "cat /etc/hosts")


def test_the_way_back_that_is_printed_restores_every_byte(stage: Stage) -> None:
    stage.run("worker-0", f"ip route add 10.200.2.0/24 via {stage.internal('worker-1')} metric 5")
    stage.run("worker-1", f"ip route add 10.200.2.0/24 via {stage.internal('worker-0')}")
    stage.run("controller-0", "printf '192.168.177.9 worker-1\\n' >> /etc/hosts")
    before = tables(stage)
    assert stage.tool("apply", "--yes").code == 0
    assert tables(stage) != before
    (transcript,) = stage.state.glob("runs/*/transcript.md")
    undo = transcript.read_text().split("## How to undo\n")[1]
    for part in undo.split("\nOn ")[1:]:
        node, _, commands = part.partition(", as root:\n\n```sh\n")
        stage.run(node, commands.partition("```\n")[0])
    assert tables(stage) == before


def test_pods_prove_more_than_probe_addresses(stage: Stage) -> None:
    stage.add_pods()
    answer = stage.tool("apply", "--yes", "--json")
    assert answer.code == 0, answer.err
    proof = answer.json["proof"]
    assert proof["headline"] == "Pods of all workers reach each other."
    assert proof["evidence"] == "pod"
    assert proof["proved"] is True
    assert all(verdict["forwards"] for verdict in proof["verdicts"])
    assert len(proof["verdicts"]) == len(proof["pairs"]) == 6
    assert all(pair["ok"] and not pair["alone"] for pair in proof["pairs"])
    assert len(proof["counters"]) == 3
    for counters in proof["counters"].values():  # four requests to each of the two others, one of full size; and back
        assert set(counters.values()) == {8}


def test_in_eu_west_pods_fail_and_the_counters_say_where(london: Stage) -> None:
    plan = london.tool("plan")
    assert plan.code == 0
    assert "▲ warning: eu-west (London): pods were seen to fail here." in plan.out
    answer = london.tool("apply", "--yes")
    assert answer.code == 4, answer.err
    assert "6 of 6 pairs of workers do not get through." in answer.out
    assert "Three requests left worker-0, none arrived at worker-1." in answer.out
    check = london.tool("check", "--json")
    assert check.code == 4
    document = check.json
    assert document["drift"] is False
    assert {f["code"] for f in document["findings"] if f["warning"]} == {"region-seen-to-fail"}
    pairs = document["proof"]["pairs"]
    assert not any(pair["ok"] for pair in pairs)
    alone = [(pair["from"], pair["to"]) for pair in pairs if pair["alone"]]
    assert {source for source, _ in alone} == {target for _, target in alone} == set(WORKERS)
    for pair in pairs:
        if pair["alone"]:
            assert (pair["counters_from"]["requests_out"], pair["counters_to"]["requests_in"]) == (3, 0)
        else:
            assert (pair["same_as"]["from"], pair["same_as"]["to"]) in alone


@ON_MODEL
def test_drift_is_found_named_and_mended(stage: Stage) -> None:
    assert stage.tool("apply", "--yes").code == 0
    stage.run("worker-1", "ip route del 10.200.0.0/24")
    stage.run("controller-0", "sed -i /worker-2/d /etc/hosts" if stage.name == "real nodes" else "true")
    check = stage.tool("check")
    assert check.code == 3
    assert "1 route change on 1 node" in check.out
    assert "worker-1 has no right route to worker-0's pod CIDR" in check.out
    assert stage.tool("plan").code == 0
    assert stage.tool("apply", "--yes").code == 0
    assert pod_routes(stage, "worker-1") == wanted(stage, "worker-1")


@ON_MODEL
def test_an_own_pod_cidr_routed_away_is_drift_and_left_alone(stage: Stage) -> None:
    assert stage.tool("apply", "--yes").code == 0
    stage.run("worker-0", f"ip route add 10.200.0.0/24 via {stage.internal('worker-1')}")
    check = stage.tool("check")
    assert check.code == 3
    assert "another route overrides its own pod CIDR 10.200.0.0/24" in check.out
    assert "The pods of worker-0 are unreachable: another route overrides its own pod CIDR." in check.out
    assert stage.tool("apply", "--yes").code == 4
    assert stage.tool("apply", "--yes", "--no-probe").code == 0
    assert pod_routes(stage, "worker-0")["10.200.0.0/24"].startswith(f"via {stage.internal('worker-1')}")


@ON_MODEL
def test_foreign_routes_stay_and_ours_go_only_when_asked(stage: Stage) -> None:
    foreign = f"ip route add 10.200.7.0/24 via {stage.internal('worker-1')}"
    ours = f"ip route add 10.200.8.0/24 via {stage.internal('worker-1')} proto 200"
    stage.run("worker-0", f"{foreign}; {ours}")
    assert stage.tool("apply", "--yes").code == 0
    assert {"10.200.7.0/24", "10.200.8.0/24"} < pod_routes(stage, "worker-0").keys()
    stale = stage.tool("check")
    assert stale.code == 3, "what is ours of nobody is drift, though it goes only when asked"
    assert "stays until you ask to remove it" in stale.out
    pruned = stage.tool("apply", "--yes", "--prune")
    assert pruned.code == 0, pruned.out
    assert stage.tool("check").code == 0, "a foreign route is no drift"
    assert pod_routes(stage, "worker-0").keys() == {"10.200.1.0/24", "10.200.2.0/24", "10.200.7.0/24"}


@ON_MODEL
def test_only_one_host_is_visited(stage: Stage) -> None:
    before = tables(stage)
    answer = stage.tool("apply", "--yes", "--only", "worker-1")
    assert answer.code == 0, answer.out + answer.err
    assert pod_routes(stage, "worker-1") == wanted(stage, "worker-1")
    after = tables(stage)
    assert [node for node in after if after[node] != before[node]] == ["worker-1"]
    assert "6 of 6 pairs could not be tested" in answer.out
    unknown = stage.tool("plan", "--only", "worker-9")
    assert unknown.code == 2
    assert "No node is named worker-9." in unknown.err


@ON_MODEL
def test_names_and_probes_can_be_forgone(stage: Stage) -> None:
    before = stage.run("controller-0", "cat /etc/hosts")
    answer = stage.tool("apply", "--yes", "--no-hosts-file", "--no-probe")
    assert answer.code == 0
    assert stage.run("controller-0", "cat /etc/hosts") == before
    assert "Not proved: no probe was sent, as asked." in answer.out


@ON_MODEL
def test_json_is_one_document_and_everything_else_is_on_stderr(stage: Stage) -> None:
    for command in (["plan"], ["apply", "--yes"], ["check"]):
        answer = stage.tool(*command, "--json")
        assert answer.code == 0, answer.err
        assert answer.json["version"] == 1
    assert "Nothing to do" in answer.err


@ON_MODEL
def test_the_first_visit_prints_the_host_keys_that_it_accepts(stage: Stage) -> None:
    first, second = stage.tool("plan"), stage.tool("plan")
    pattern = re.compile(r"worker-0: new host key ssh-ed25519 SHA256:\S{43}, accepted")
    assert pattern.search(first.err)
    assert not pattern.search(second.err)


@ON_MODEL
@pytest.mark.parametrize("mode", ["strict", "ask"])
def test_a_key_that_nobody_accepted_is_refused(stage: Stage, mode: str) -> None:
    answer = stage.tool("plan", "--host-keys", mode)
    assert answer.code == 1
    assert "✗ skip host: worker-0: the host key of" in answer.out
    assert "is not known" in answer.out


def test_an_address_of_the_persons_own_is_used_and_left(stage: Stage) -> None:
    """Somebody has the address that would stand in for worker-0's pods on `lo` for good."""
    stage.run("worker-0", "ip address add 10.200.0.254/32 dev lo")
    answer = stage.tool("apply", "--yes")
    assert answer.code == 0, answer.out
    assert "10.200.0.254/32" in stage.run("worker-0", "ip -4 -o address show dev lo")
    assert "valid_lft forever" in stage.run("worker-0", "ip address show dev lo to 10.200.0.254")
    stage.run("worker-0", "ip address del 10.200.0.254/32 dev lo")


@ON_MODEL
def test_what_leads_to_a_worker_that_was_not_read_stays_as_it_is(stage: Stage) -> None:
    """Its pod CIDR is what its CNI configuration says, and not what its number suggests."""
    for number, worker in enumerate(WORKERS):
        told = stage.run(worker, "cat /etc/cni/net.d/10-bridge.conf")
        other = told.replace(f"10.200.{number}.0/24", f"10.200.{number + 1}.0/24")
        assert other != told
        stage.run(worker, f"printf '%s' '{other}' > /etc/cni/net.d/10-bridge.conf")
    assert stage.tool("apply", "--yes", "--no-probe").code == 0
    before = tables(stage)
    for words in (("--only", "worker-2"), ("--only", "worker-2", "--prune")):
        answer = stage.tool("apply", "--yes", "--no-probe", *words)
        assert answer.code == 0, answer.out + answer.err
        assert "Nothing to do" in answer.out, answer.out
        assert tables(stage) == before
