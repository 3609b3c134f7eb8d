"""What a host's own files say, and what is said of them where they cannot be used."""

from tests.journeys.stage import ON_MODEL, Stage

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
