"""The pod CIDR in CNI configurations and the kubelet's: what host-local takes, and why it refuses the rest.

Held against the documented schema of the bridge plugin's IPAM, host-local: `ranges`, a list of range sets, each a list
of ranges with a `subnet`; or a single `subnet`, as of old; networks in CIDR notation without host bits.
"""

import json
from ipaddress import IPv4Network
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.cluster import Cluster, PodCidrSource
from kthw_routes.facts import HostFacts, PodCidrFiles
from kthw_routes.findings.cluster import of_cluster
from kthw_routes.findings.hosts import of_facts
from kthw_routes.hosts.cni import MAX_LENGTH, read_cni, read_kubelet
from kthw_routes.hosts.read_facts import with_observed_pod_cidrs
from tests.unit.builders import bare_facts, cluster, facts, net, worker

FILE = PurePosixPath("/etc/cni/net.d/10-bridge.conf")
LIST = PurePosixPath("/etc/cni/net.d/10-containerd-net.conflist")
KUBELET = PurePosixPath("/var/lib/kubelet/kubelet-config.yaml")


def bridge(**ipam: Any) -> dict[str, Any]:
    """A configuration of the bridge plugin, as lab 9 writes it, with this IPAM."""
    return {"cniVersion": "1.0.0", "name": "bridge", "type": "bridge", "ipam": {"type": "host-local", **ipam}}


def ranges(*subnets: object) -> dict[str, Any]:
    return bridge(ranges=[[{"subnet": subnet}] for subnet in subnets], routes=[{"dst": "0.0.0.0/0"}])


TAKEN = {
    "as lab 9 writes it": ranges("10.200.1.0/24"),
    "as of old": bridge(subnet="10.200.1.0/24"),
    "IPv6 first": ranges("fd00:1::/64", "10.200.1.0/24"),
    "two ranges of a set": bridge(ranges=[[{"subnet": "10.200.1.0/24"}, {"subnet": "10.200.9.0/24"}]]),
    "with more keys": bridge(ranges=[[{"subnet": "10.200.1.0/24", "rangeStart": "10.200.1.9"}]], dataDir="/run/x"),
    "of both the single one first": bridge(subnet="10.200.1.0/24", ranges=[[{"subnet": "10.200.2.0/24"}]]),
    "point to point": {**ranges("10.200.1.0/24"), "type": "ptp"},
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_host_local_takes_is_read(case: str) -> None:
    reading = read_cni(FILE, json.dumps(TAKEN[case]))
    assert (reading.cidr, reading.problem) == (net("10.200.1.0/24"), None)
    as_list = {"cniVersion": "1.0.0", "name": "x", "plugins": [TAKEN[case], {"type": "portmap"}]}
    assert read_cni(LIST, json.dumps(as_list)).cidr == net("10.200.1.0/24")


REFUSED = {
    "the newest lab's placeholder": (ranges("SUBNET"), "the subnet is still the placeholder SUBNET"),
    "a placeholder of the shell": (ranges("${POD_CIDR}"), "the subnet is still the placeholder ${POD_CIDR}"),
    "a placeholder in brackets": (ranges("<pod cidr>"), "the subnet is still the placeholder <pod cidr>"),
    "a template": (ranges("{{ pod_cidr }}"), 'the subnet "{{ pod_cidr }}" is not a network'),
    "no network": (ranges("10.200.1.0"), 'the subnet "10.200.1.0" is not a network'),
    "host bits": (ranges("10.200.1.1/24"), 'the subnet "10.200.1.1/24" is an address inside 10.200.1.0/24'),
    "no room": (ranges("10.200.1.0/31"), "the subnet 10.200.1.0/31 has no room for a pod"),
    "a number": (ranges(24), 'the subnet "24" is not a network'),
    "no ranges": (bridge(), "its ipam has no subnet"),
    "ranges of another shape": (bridge(ranges=[{"subnet": "10.200.1.0/24"}]), "its ipam has no subnet"),
    "a wrong second one": (ranges("10.200.1.0/24", "SUBNET"), "the subnet is still the placeholder SUBNET"),
    "no type": ({"name": "bridge"}, "a plugin has no type"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_host_local_refuses_is_a_problem_with_a_reason(case: str) -> None:
    document, reason = REFUSED[case]
    reading = read_cni(FILE, json.dumps(document))
    assert (reading.cidr, reading.problem) == (None, f"10-bridge.conf: {reason}: no pod will start there")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("{", "it is not valid JSON (line 1)"),
        ('{"type": "bridge"}\n{}', "it is not valid JSON (line 2)"),
        ("// a comment\n{}", "it is not valid JSON (line 1)"),
        ("[1]", "it is not a JSON object"),
        ("[" * 100_000, "it is nested too deeply"),
        (" " * (MAX_LENGTH + 1), "it is too long"),
    ],
)
def test_what_is_no_json_object_is_a_problem(text: str, reason: str) -> None:
    assert read_cni(FILE, text).problem == f"10-bridge.conf: {reason}: no pod will start there"


def test_a_list_without_plugins_is_a_problem() -> None:
    assert "it has no plugins" in (read_cni(LIST, json.dumps(ranges("10.200.1.0/24"))).problem or "")


def test_plugins_that_give_addresses_by_themselves_are_named_and_no_problem() -> None:
    calico = {"plugins": [{"type": "calico", "ipam": {"type": "calico-ipam"}}, {"type": "portmap"}]}
    assert read_cni(LIST, json.dumps(calico)).plugin == "calico"
    flannel = {"plugins": [{"type": "flannel", "delegate": {"isDefaultGateway": True}}]}
    reading = read_cni(LIST, json.dumps(flannel))
    assert (reading.plugin, reading.cidr, reading.problem) == ("flannel", None, None)
    by_kubernetes = read_cni(FILE, json.dumps(bridge(subnet="usePodCidr")))
    assert (by_kubernetes.cidr, by_kubernetes.problem) == (None, None)
    assert read_cni(FILE, '{"type": "loopback"}').is_loopback


@given(st.text(max_size=300) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    reading = read_cni(FILE, text)
    assert reading.problem is not None or reading.cidr is None
    read_kubelet(KUBELET, text)


@pytest.mark.parametrize(
    ("text", "cidr", "problem"),
    [
        ("kind: KubeletConfiguration\npodCIDR: 10.200.7.0/24   # of this node\n", "10.200.7.0/24", None),
        ('podCIDR: "10.200.7.0/24"\n', "10.200.7.0/24", None),
        ('{"podCIDR": "10.200.7.0/24"}', "10.200.7.0/24", None),
        ("podCIDR:\n  10.200.7.0/24\n", "10.200.7.0/24", None),
        ("a:\n  podCIDR: 10.200.7.0/24\n", None, None),
        ("# podCIDR: 10.200.7.0/24\n", None, None),
        ("podCIDR: ''\n", None, None),
        ("", None, None),
        ("podCIDR: POD_CIDR\n", None, "podCIDR is still the placeholder POD_CIDR"),
        ("podCIDR: 7\n", None, 'podCIDR "7" is not a network'),
        ("podCIDR: [\n", None, "it is not valid YAML (line 2)"),
        ("a: b: c\n", None, "it is not valid YAML (line 1)"),
        (f"podCIDR: 10.200.7.0/24\n#{' ' * 100_000}", None, "it is too long"),
        ("[" * 90_000, None, "it is nested too deeply"),
    ],
)
def test_the_kubelets_configuration_is_read_as_yaml(text: str, cidr: str | None, problem: str | None) -> None:
    wanted = (IPv4Network(cidr) if cidr else None, f"kubelet-config.yaml: {problem}" if problem else None)
    assert read_kubelet(KUBELET, text) == wanted


def _read(**files: Any) -> tuple[Cluster, dict[str, HostFacts]]:
    """A cluster whose worker-0 has these files, after it was read."""
    of = cluster()
    known = bare_facts(of) | {"worker-0": facts(of.node("worker-0"), cidr_files=PodCidrFiles(**files))}
    return with_observed_pod_cidrs(of, known), known


def test_a_file_that_cannot_be_used_is_said_and_leaves_a_guess() -> None:
    problem = read_cni(FILE, json.dumps(ranges("SUBNET"))).problem or ""
    of, known = _read(cni=FILE, problems=(problem,))
    assert of.node("worker-0").pod_cidr_source is PodCidrSource.GUESS
    assert of.node("worker-1").pod_cidr_source is PodCidrSource.LABEL
    (finding,) = (f for f in of_facts(of, known) if f.code == "pod-cidr-file-unusable")
    assert finding.sentence == (
        "worker-0: 10-bridge.conf: the subnet is still the placeholder SUBNET: no pod will start there."
    )
    assert finding.hint == "Correct it. Its pod CIDR is a guess until then."


def test_a_stop_about_a_pod_cidr_names_the_file_in_which_it_was_read() -> None:
    node = worker(0, pod_cidr=net("10.201.0.0/24"), pod_cidr_source=PodCidrSource.CNI, pod_cidr_file=FILE)
    (finding,) = (f for f in of_cluster(Cluster((node,))) if f.code == "pod-cidr-outside")
    assert f"10.201.0.0/24 ({FILE}) is outside" in finding.sentence
    twins = (node, worker(1, pod_cidr=net("10.201.0.0/24"), pod_cidr_source=PodCidrSource.CNI))
    sentences = [f.sentence for f in of_cluster(Cluster(twins)) if f.code == "pod-cidrs-overlap"]
    assert [f"({FILE})" in sentence for sentence in sentences] == [True]
