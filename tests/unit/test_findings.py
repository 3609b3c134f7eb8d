"""What of_cluster says, finding by finding: sentence, hint, level, and whom it spares."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.cluster import Address, AddressKind, Cluster, Endpoint, Node, Selection
from kthw_routes.findings.cluster import of_cluster, of_token
from kthw_routes.findings.model import Finding, Level, stops
from kthw_routes.sources.linode.responses import kind_of
from tests.unit.builders import cluster, of_account, worker

LEFT_OUT, REMOVED = Selection.LEFT_OUT, Selection.REMOVED


def addresses(*texts: str, kind: AddressKind | None = None) -> tuple[Address, ...]:
    return tuple(Address(IPv4Address(t), kind or kind_of(IPv4Address(t))) for t in texts)


LAB = tuple(of_account(n) for n in cluster(3, 3))


def lab(name: str = "worker-2", /, **fields: Any) -> Cluster:
    """The lab, with one node changed."""
    return Cluster(tuple(replace(n, **fields) if n.name == name else n for n in LAB))


def the_one(of: Cluster) -> Finding:
    (finding,) = of_cluster(of)
    return finding


def brief(of: Cluster) -> list[tuple[str, Level, str | None]]:
    return [(f.code, f.level, f.node) for f in of_cluster(of)]


def test_the_lab_has_no_findings() -> None:
    assert of_cluster(Cluster(LAB)) == ()


# Membership


def test_no_worker() -> None:
    assert the_one(Cluster(())).sentence == "There is no worker."
    assert brief(Cluster(LAB[3:])) == [("no-worker", Level.STOP, None)]
    assert brief(Cluster((*(replace(w, selection=REMOVED) for w in LAB[:3]), *LAB[3:]))) == [
        ("no-worker", Level.STOP, None)
    ]


def test_only_one_worker() -> None:
    finding = the_one(Cluster((LAB[0], *LAB[3:])))
    assert (finding.code, finding.level) == ("only-one-worker", Level.NOTICE)
    assert finding.sentence == "worker-0 is the only worker, so there is nothing to route."


def test_every_node_left_out() -> None:
    assert brief(Cluster(LAB).with_selection(())) == [("all-left-out", Level.STOP, None)]
    assert brief(Cluster(LAB).with_selection(["controller-0"])) == []


# Names


def test_two_nodes_of_one_name() -> None:
    cluster = Cluster((*LAB, of_account(worker(7, name="worker-1"))))
    finding = the_one(cluster)
    assert (finding.code, finding.level, finding.node) == ("duplicate-name", Level.STOP, "worker-1")
    assert finding.sentence == "2 nodes are named worker-1 (203.0.113.21 and 203.0.113.27)."
    assert finding.hint == "Rename all but one of them, or remove the spare ones."


def test_names_that_differ_in_case_are_one_name() -> None:
    assert brief(lab("controller-2", name="Worker-0", ssh=None, selection=LEFT_OUT)) == [
        ("duplicate-name", Level.STOP, "worker-0")
    ]


def test_a_removed_namesake_does_not_count() -> None:
    assert of_cluster(Cluster((*LAB, of_account(worker(7, name="worker-1", selection=REMOVED))))) == ()


def test_a_label_that_is_no_host_name() -> None:
    finding = the_one(lab("worker-2", name="worker_2"))
    assert (finding.code, finding.level, finding.node) == ("not-a-host-name", Level.STOP, "worker_2")
    assert finding.sentence == (
        "worker_2 is not a valid hostname: letters, digits and inner hyphens only (RFC 1123), "
        "so it cannot be written to /etc/hosts."
    )
    assert "not altered silently" in finding.hint


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("worker-2", {"name": "worker_2", "selection": LEFT_OUT}),
        ("controller-0", {"name": "controller_0"}),
    ],
)
def test_a_name_that_is_written_nowhere_may_be_any(name: str, fields: dict[str, Any]) -> None:
    assert brief(lab(name, **fields)) == [("not-a-host-name", Level.NOTICE, fields["name"])]


# Next hops


def test_a_worker_without_a_private_address() -> None:
    finding = the_one(lab(internal=None, addresses=addresses("203.0.113.22")))
    assert (finding.code, finding.level, finding.node) == ("no-internal-address", Level.STOP, "worker-2")
    assert finding.sentence == "worker-2 has no private address."
    assert finding.hint == "Enable it in the Linode's Network tab and reboot it, or leave it out."


def test_a_machine_of_ones_own_without_an_address() -> None:
    nodes = tuple(replace(n, region=None, internal=None if n.name == "worker-2" else n.internal) for n in LAB)
    nodes = tuple(replace(n, addresses=()) for n in nodes)
    assert the_one(Cluster(nodes)).hint == "Enter the address at which the other nodes reach it, or leave it out."


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            ("192.168.140.1", "192.168.140.2"),
            "worker-2 has several internal addresses: 192.168.140.1 (private) and 192.168.140.2 (private).",
        ),
        (
            ("192.168.140.1", "10.0.0.1", "10.0.0.2"),
            "worker-2 has several internal addresses: "
            "192.168.140.1 (private), 10.0.0.1 (other private) and 10.0.0.2 (other private).",
        ),
        (
            ("203.0.113.22", "10.0.0.1"),
            "worker-2 has no private address of the usual kind: 10.0.0.1 (other private).",
        ),
    ],
)
def test_candidates_and_none_chosen(texts: tuple[str, ...], sentence: str) -> None:
    finding = the_one(lab(internal=None, addresses=addresses(*texts)))
    assert (finding.code, finding.level) == ("internal-address-not-chosen", Level.STOP)
    assert finding.sentence == sentence
    assert finding.hint.startswith("Choose the one at which the other nodes reach it: in the wizard (Nodes), or ")


def test_a_hint_is_one_that_a_command_line_can_follow() -> None:
    both = (*addresses("10.0.0.1", kind=AddressKind.VLAN), *addresses("10.8.0.1", kind=AddressKind.VPC))
    assert "reach it: --via vlan or --via vpc; in the wizard" in the_one(lab(internal=None, addresses=both)).hint
    two = addresses("10.8.0.1", "10.8.0.2", kind=AddressKind.VPC)
    assert "--via" not in the_one(lab(internal=None, addresses=two)).hint, "that chooses none of two"
    bare = the_one(lab(internal=None, addresses=(), has_new_interfaces=True))
    assert bare.code == "no-internal-address"
    assert "Network tab" not in bare.hint, "there is no such switch for them"
    assert "--via vpc" in bare.hint


def test_public_next_hops_are_worth_a_notice() -> None:
    ip = addresses("203.0.113.22")
    finding = the_one(lab(internal=ip[0].ip, addresses=ip))
    assert (finding.code, finding.level) == ("next-hop-public", Level.NOTICE)
    assert finding.sentence == "Public addresses are the next hops to worker-2 (203.0.113.22)."


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (LEFT_OUT, [("no-internal-address", Level.NOTICE, "worker-2")]),
        (REMOVED, []),
    ],
)
def test_a_worker_that_is_not_visited_may_lack_everything(
    selection: Selection, expected: list[tuple[str, Level, str | None]]
) -> None:
    cluster = lab(internal=None, ssh=None, addresses=(), status="offline", selection=selection)
    assert brief(cluster) == expected


def test_a_controller_needs_no_internal_address() -> None:
    assert of_cluster(lab("controller-0", internal=None)) == ()


def test_a_vpc_address_as_next_hop() -> None:
    vpc = addresses("10.8.0.2", kind=AddressKind.VPC)
    for selection in (Selection.VISIT, LEFT_OUT):
        cluster = lab(internal=vpc[0].ip, addresses=(*LAB[2].addresses, *vpc), selection=selection)
        finding = the_one(cluster)
        assert (finding.code, finding.level, finding.node) == ("vpc-next-hop", Level.NOTICE, "worker-2")
        assert finding.acknowledge
        assert finding.sentence == (
            "worker-2: its internal address 10.8.0.2 is in a VPC, which delivers only what the ip_ranges of its "
            "interfaces list; its pod CIDR 10.200.2.0/24 must be among them."
        )
    known = frozenset({IPv4Network("10.200.0.0/16")})
    assert of_cluster(lab(internal=vpc[0].ip, addresses=vpc, vpc_ranges=known)) == ()


def test_vlan_or_vpc() -> None:
    ip = IPv4Address("10.8.0.2")
    finding = the_one(lab(internal=ip, addresses=addresses("10.8.0.2")))
    assert (finding.code, finding.level) == ("next-hop-unclear", Level.NOTICE)
    assert of_cluster(lab(internal=ip, addresses=addresses("10.8.0.2", kind=AddressKind.VLAN))) == ()
    assert of_cluster(lab(internal=ip, addresses=addresses("10.8.0.2"), region=None)) == ()


def test_two_workers_with_one_next_hop() -> None:
    finding = the_one(lab(internal=LAB[0].internal))
    assert (finding.code, finding.level) == ("shared-internal-address", Level.STOP)
    assert finding.sentence == "worker-0 and worker-2 have the same internal address 192.168.128.10."


# SSH


@pytest.mark.parametrize("name", ["worker-2", "controller-0"])
def test_no_address_for_ssh(name: str) -> None:
    finding = the_one(lab(name, ssh=None, addresses=addresses("192.168.140.99")))
    assert (finding.code, finding.level, finding.node) == ("no-ssh-address", Level.STOP, name)
    assert finding.sentence == f"{name} has no public address to reach it at by SSH."


def test_several_addresses_for_ssh() -> None:
    finding = the_one(lab(ssh=None, addresses=addresses("203.0.113.1", "203.0.113.2", "192.168.140.99")))
    assert finding.code == "ssh-address-not-chosen"
    assert finding.sentence == "worker-2 has several public addresses: 203.0.113.1 and 203.0.113.2."


# Regions and status


def test_workers_in_different_regions() -> None:
    finding = the_one(lab(region="eu-west"))
    assert (finding.code, finding.level) == ("different-regions", Level.STOP)
    assert finding.sentence == (
        "The workers are in different regions: worker-0 and worker-1 in ca-central; worker-2 in eu-west."
    )
    assert of_cluster(lab(region="eu-west", selection=REMOVED)) == ()
    assert of_cluster(lab(region=None)) == ()


@pytest.mark.parametrize("status", ["offline", "shutting_down", "unknown"])
def test_an_instance_that_is_not_running(status: str) -> None:
    finding = the_one(lab("controller-0", status=status))
    assert (finding.code, finding.level, finding.node) == ("not-running", Level.NOTICE, "controller-0")
    assert finding.sentence == f"controller-0 is not running: its status is {status.replace('_', ' ')}."
    assert finding.hint == "Boot it, or leave it out."


# Pod CIDRs


@pytest.mark.parametrize(
    ("cidr", "code", "sentence"),
    [
        (
            "10.201.2.0/24",
            "pod-cidr-outside",
            "worker-2: its pod CIDR 10.201.2.0/24 is outside the cluster CIDR 10.200.0.0/16.",
        ),
        (
            "10.200.1.128/25",
            "pod-cidrs-overlap",
            "worker-1 and worker-2 have overlapping pod CIDRs: 10.200.1.0/24 and 10.200.1.128/25.",
        ),
    ],
)
@pytest.mark.parametrize("selection", [Selection.VISIT, LEFT_OUT])
def test_a_wrong_pod_cidr_stops_also_where_its_worker_is_left_out(
    selection: Selection, cidr: str, code: str, sentence: str
) -> None:
    # a left-out worker is a member still, so the others might get a route to it
    finding = the_one(lab(pod_cidr=IPv4Network(cidr), selection=selection))
    assert (finding.code, finding.level, finding.sentence) == (code, Level.STOP, sentence)
    assert of_cluster(lab(pod_cidr=IPv4Network(cidr), selection=REMOVED)) == ()


def test_an_unknown_pod_cidr() -> None:
    finding = the_one(lab(pod_cidr=None))
    assert (finding.code, finding.level, finding.node) == ("pod-cidr-unknown", Level.STOP, "worker-2")
    assert brief(lab(pod_cidr=None, selection=LEFT_OUT)) == [("pod-cidr-unknown", Level.NOTICE, "worker-2")]


@pytest.mark.parametrize(
    ("cluster_cidr", "pod_cidr", "code", "end"),
    [
        ("10.0.0.0/8", "10.32.0.0/25", "pod-cidr-over-service-network", "the service network 10.32.0.0/24."),
        ("172.16.0.0/12", "172.17.5.0/24", "pod-cidr-over-docker", "Docker's network 172.17.0.0/16."),
        (
            "192.168.0.0/16",
            "192.168.150.0/24",
            "pod-cidr-over-node-network",
            "the nodes' private network 192.168.128.0/17.",
        ),
    ],
)
def test_a_pod_cidr_over_another_network(cluster_cidr: str, pod_cidr: str, code: str, end: str) -> None:
    cluster = replace(lab(pod_cidr=IPv4Network(pod_cidr)), cidr=IPv4Network(cluster_cidr))
    cluster = replace(cluster, nodes=(replace(LAB[0], pod_cidr=IPv4Network("10.200.0.0/24")), cluster.nodes[2]))
    found = [f for f in of_cluster(cluster) if f.node == "worker-2"]
    assert [(f.code, f.level) for f in found] == [(code, Level.STOP)]
    assert found[0].sentence == f"worker-2: its pod CIDR {pod_cidr} overlaps {end}"


@pytest.mark.parametrize(
    ("pod_cidr", "code"),
    [
        ("10.32.0.0/16", "pod-cidr-over-service-network"),
        ("10.0.0.0/8", "pod-cidr-over-service-network"),
        ("172.16.0.0/12", "pod-cidr-over-docker"),
        ("192.168.0.0/16", "pod-cidr-over-node-network"),
    ],
)
def test_a_pod_cidr_around_another_network(pod_cidr: str, code: str) -> None:
    """Larger than the other network: its pods take addresses there all the same."""
    cluster = replace(lab(pod_cidr=IPv4Network(pod_cidr)), cidr=IPv4Network("0.0.0.0/0"))
    found = [f for f in of_cluster(cluster) if f.node == "worker-2"]
    assert (code, Level.STOP) in [(f.code, f.level) for f in found]


def test_linodes_private_network_is_nothing_to_machines_that_are_none() -> None:
    """Their own network may lie in it, and be a small part."""
    own = tuple(replace(n, region=None, pod_cidr=IPv4Network(f"192.168.20{k}.0/24")) for k, n in enumerate(LAB[:2]))
    codes = [f.code for f in of_cluster(Cluster(own, IPv4Network("192.168.192.0/18")))]
    assert "pod-cidr-over-node-network" not in codes
    assert "shared-private-network" not in codes


@pytest.mark.parametrize("other", ["10.200.2.0/23", "10.200.2.0/24", "10.200.2.128/25", "10.200.0.0/16"])
def test_two_pod_cidrs_of_which_one_holds_the_other(other: str) -> None:
    nodes = (*LAB[1:3], worker(7, pod_cidr=IPv4Network(other)))
    found = [f for f in of_cluster(Cluster(nodes)) if f.code == "pod-cidrs-overlap"]
    assert found
    assert {f.level for f in found} == {Level.STOP}


def test_a_pod_cidr_over_a_nodes_address() -> None:
    nodes = (*LAB[:3], replace(LAB[3], internal=IPv4Address("10.200.2.9")))
    finding = the_one(Cluster(nodes))
    assert (finding.code, finding.level, finding.node) == ("pod-cidr-over-node", Level.STOP, "worker-2")
    assert finding.sentence == "worker-2: its pod CIDR 10.200.2.0/24 holds controller-0's address 10.200.2.9."


def test_a_home_network_that_lies_in_linodes_range() -> None:
    home = Cluster(
        tuple(
            worker(n, internal=IPv4Address(f"192.168.178.{n}"), pod_cidr=IPv4Network(f"192.168.20{n}.0/24"))
            for n in range(3)
        ),
        IPv4Network("192.168.192.0/18"),
    )
    assert of_cluster(home) == ()


# The token


def test_tokens() -> None:
    assert of_token(None) == of_token(frozenset()) == of_token(frozenset({"linodes:read_only"})) == ()
    (finding,) = of_token(frozenset({"linodes:read_only", "domains:read_write"}))
    assert (finding.code, finding.level) == ("token-over-privileged", Level.NOTICE)
    assert finding.sentence == "The token may do more than reading Linodes (domains:read_write)."


# Properties

NODES = st.builds(
    replace,
    st.sampled_from(LAB),
    name=st.sampled_from(["worker-0", "worker-1", "b_d", "worker-2"]),
    internal=st.none() | st.sampled_from([IPv4Address("192.168.140.1"), IPv4Address("10.200.1.1")]),
    ssh=st.none() | st.just(Endpoint("203.0.113.1")),
    pod_cidr=st.none() | st.sampled_from([IPv4Network("10.200.1.0/24"), IPv4Network("10.32.0.0/16")]),
    region=st.none() | st.sampled_from(["eu-west", "ca-central"]),
    status=st.sampled_from(["running", "offline"]),
    selection=st.sampled_from(list(Selection)),
)


@given(st.lists(NODES, max_size=5))
def test_every_finding_is_a_sentence_with_a_stable_code(nodes: list[Node]) -> None:
    for finding in of_cluster(Cluster(tuple(nodes))):
        assert finding.sentence.endswith(".")
        assert finding.hint == "" or finding.hint.endswith(".")
        assert finding.code.replace("-", "").isalpha()
        assert finding.code.islower()
        assert finding.node is None or finding.node in {n.name for n in nodes}


@given(st.lists(NODES, max_size=5))
def test_removed_nodes_have_no_say(nodes: list[Node]) -> None:
    kept = tuple(n for n in nodes if n.is_member)
    assert of_cluster(Cluster(tuple(nodes))) == of_cluster(Cluster(kept))


@given(st.lists(NODES, max_size=5), st.integers(0, 4))
def test_leaving_a_node_out_adds_no_stop(nodes: list[Node], which: int) -> None:
    fewer = [replace(n, selection=LEFT_OUT) if i == which and n.is_member else n for i, n in enumerate(nodes)]
    if any(n.is_visited for n in fewer):
        before = {(f.code, f.node) for f in stops(of_cluster(Cluster(tuple(nodes))))}
        assert {(f.code, f.node) for f in stops(of_cluster(Cluster(tuple(fewer))))} <= before
