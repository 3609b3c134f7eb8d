"""What a host's own files say, and what is said of them where they cannot be used."""

from pathlib import Path

import pytest

from tests.journeys.looking import pod_routes, wanted
from tests.journeys.stage import ON_MODEL, WORKERS, RealNodes, Stage

CNI = "/etc/cni/net.d/10-bridge.conf"
PLACEHOLDER = (
    b'{"cniVersion":"1.0.0","name":"bridge","type":"bridge","bridge":"cni0",'
    b'"ipam":{"type":"host-local","ranges":[[{"subnet":"SUBNET"}]]}}'
)


@ON_MODEL
def test_a_cni_file_with_the_labs_placeholder_is_said_and_the_pod_cidr_is_a_guess(stage: Stage) -> None:
    stage.run("worker-0", "rm /var/lib/kubelet/kubelet-config.yaml")
    stage.put("worker-0", CNI, PLACEHOLDER)
    answer = stage.tool("plan")
    assert answer.code == 0
    assert (
        "worker-0: 10-bridge.conf: the subnet is still the placeholder SUBNET: no pod will start there." in answer.out
    )
    row = next(line for line in answer.out.splitlines() if line.startswith("worker-0 "))
    assert row.split()[-1] == "guess"


@ON_MODEL
def test_a_pod_cidr_in_the_kubelets_yaml_counts_with_a_comment_behind_it(stage: Stage) -> None:
    stage.run("worker-0", f"rm {CNI}")
    stage.put("worker-0", "/var/lib/kubelet/kubelet-config.yaml", b"podCIDR: 10.200.7.0/24   # of this node\n")
    answer = stage.tool("plan")
    assert f"ip route add 10.200.7.0/24 via {stage.internal('worker-0')} proto 200" in answer.out


@ON_MODEL
def test_hosts_that_are_bare_addresses_get_the_names_that_they_have_themselves(stage: Stage, tmp_path: Path) -> None:
    """An Ansible inventory need not name them, and they are read anyway; a run is undone under these names."""
    lines = [f"203.0.113.2{n} private_ip={stage.internal(worker)}\n" for n, worker in enumerate(WORKERS)]
    file = tmp_path / "hosts"
    file.write_text(f"[Nodes]\n{''.join(lines)}[masters]\n203.0.113.10\n")
    answer = stage.tool("apply", "--yes", "--no-probe", "--inventory", str(file))
    assert answer.code == 0, answer.out + answer.err
    for worker in WORKERS:
        assert pod_routes(stage, worker) == wanted(stage, worker)
    assert f"{stage.internal('worker-2')} worker-2\n" in stage.run("controller-0", "cat /etc/hosts")
    assert stage.tool("undo", "--yes").code == 0
    assert not any(pod_routes(stage, worker) for worker in WORKERS)


@pytest.mark.parametrize("stage", [pytest.param("real nodes", marks=pytest.mark.nodes)], indirect=True)
def test_next_hops_that_only_a_route_of_scope_link_reaches(stage: Stage, tmp_path: Path) -> None:
    """As wg-quick makes them, and providers whose machines have /32 addresses."""
    for worker in WORKERS:
        number = WORKERS.index(worker)
        others = [f"ip route add 10.66.0.{n + 1} dev eth0 scope link" for n in range(3) if n != number]
        stage.run(worker, "; ".join([f"ip addr add 10.66.0.{number + 1}/32 dev eth0", *others]))
    node = '[[nodes]]\nname = "{0}"\nrole = "worker"\nssh = "{1}"\ninternal_ip = "10.66.0.{2}"\n'
    file = tmp_path / "nodes.toml"
    assert isinstance(stage, RealNodes)
    public = [stage.lab.node(worker).spec.public for worker in WORKERS]
    file.write_text("".join(node.format(w, public[n], n + 1) for n, w in enumerate(WORKERS)))
    answer = stage.tool("apply", "--yes", "--no-hosts-file", "--inventory", str(file))
    assert answer.code == 0, answer.out + answer.err
    assert "not on-link" not in answer.out
    assert pod_routes(stage, "worker-0")["10.200.1.0/24"] == "via 10.66.0.2 dev eth0 proto 200"
    assert "Traffic between all pod CIDRs gets through." in answer.out
