"""The symptoms that people report, by number: each with what the hosts print (recorded), and what is said of it, where.

Rows 1, 2 and 7 to 14, 23 and 25 are causes of the proof; the others are found before anything is sent: by the plan, by
the findings, or by what a reading ends with.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Interface
from pathlib import PurePosixPath

import pytest

from kthw_routes.cluster import Cluster
from kthw_routes.events import Phase
from kthw_routes.facts import HostFacts, HostFile, InterfaceAddress, NetworkSetup
from kthw_routes.findings import cluster as cluster_findings
from kthw_routes.findings import hosts as host_findings
from kthw_routes.findings import plan as plan_findings
from kthw_routes.findings.model import Finding, Level
from kthw_routes.hosts.cni import read_cni
from kthw_routes.hosts.ping_output import parse_ping
from kthw_routes.hosts.read_facts import read_facts
from kthw_routes.hosts.read_path import answers_in_order, parse_policy_rules
from kthw_routes.hosts.task import HostTask
from kthw_routes.iproute2.output import parse_routes
from kthw_routes.netfilter import iptables
from kthw_routes.options import Options, RoutesOn
from kthw_routes.plan import codes
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import NameChange
from kthw_routes.proof.causes import Cause, Layer
from kthw_routes.proof.path import Way
from kthw_routes.proof.readings import NodesReading
from kthw_routes.ssh.errors import NoRoot
from kthw_routes.words import explanations

from .answering import Answering, said
from .builders import bare_facts, changed, cluster, facts, ip, net, pod_route
from .pairs import CLUSTER, cause, ends, host, of_pods, path, proof_of, saved, with_paths

ON_LINK = (
    '{"dst":"192.168.128.0/17","dev":"eth0","protocol":"kernel","scope":"link","prefsrc":"192.168.128.10","flags":[]}'
)
DEFAULT = '{"dst":"default","gateway":"203.0.113.1","dev":"eth0","protocol":"static","flags":[]}'
TO_WORKER_2 = '{"dst":"10.200.2.0/24","gateway":"192.168.128.12","dev":"eth0","protocol":"200","flags":[]}'


def table(*records: str) -> HostFacts:
    """worker-0 with what `ip -json route show` printed."""
    return replace(host(0), routes=parse_routes(f"[{','.join((ON_LINK, *records))}]\n"))


def to_worker_1(record: str) -> str:
    """A record about worker-1's pods."""
    return f'{{"dst":"10.200.1.0/24",{record},"flags":[]}}'


def of_hosts(of: Cluster, name: str, **given: object) -> list[Finding]:
    """What is found where one host was read as this, and the others without any pod route."""
    read = bare_facts(of) | {name: facts(of.node(name), **given)}  # type: ignore[arg-type]  # the values are right by name
    return [*cluster_findings.of_cluster(of), *host_findings.of_facts(of, read)]


def pinged(printed: str, **given: object) -> str:
    """The words that are taken from what ping printed."""
    return parse_ping(said(printed, status=1, **given)).words  # type: ignore[arg-type]


FORWARDING_BATCH = "10.200.1.2 from 10.200.0.2 via 192.168.128.11 dev eth0 \n    cache iif cnio0 \n"
CROSS_DEVICE = "RTNETLINK answers: Invalid cross-device link\nCommand failed -:2\n"


def row_9(kind: str) -> Cause:
    return cause(of_pods(), worker_0=table(DEFAULT, TO_WORKER_2, to_worker_1(f'"type":"{kind}"')))


def row_11() -> Cause:
    _, inward = answers_in_order(said(FORWARDING_BATCH, status=1, err=CROSS_DEVICE), 2)
    lookups = {(Way.IN, "worker-0"): inward}
    return with_paths(of_pods(), worker_1=path(lookups=lookups, rp_filter={"all": 0, "eth0": 1}))


def row_12() -> Cause:
    text = "*filter\n:INPUT ACCEPT [9:756]\n:FORWARD DROP [2:168]\n:OUTPUT ACCEPT [9:756]\nCOMMIT\n"
    return with_paths(of_pods(), worker_0=saved(), worker_1=path(tables=iptables.parse_tables(text)))


def row_25() -> Cause:
    lost = pinged(
        "PING 10.200.1.2 (10.200.1.2) from 10.200.0.2 : 1472(1500) bytes of data.\n"
        "From 10.200.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1450)\n\n--- 10.200.1.2 ping statistics ---\n"
        "1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms\n"
    )
    return cause(replace(of_pods(), received=3, full_size=1500, full_size_lost=lost))


FROM_ITSELF = (
    "PING 10.200.1.2 (10.200.1.2) 56(84) bytes of data.\nFrom 10.200.0.1 icmp_seq=1 Destination Host Unreachable\n"
    "From 10.200.0.1 icmp_seq=2 Destination Host Unreachable\n\n--- 10.200.1.2 ping statistics ---\n"
    "3 packets transmitted, 0 received, +2 errors, 100% packet loss, time 402ms\n"
)
OF_WORKER_1 = net("10.200.1.0/24")
CAUSES: dict[str, tuple[Callable[[], Cause], Layer, str, str]] = {
    "1 silent loss": (
        lambda: cause(of_pods(), worker_0=table(DEFAULT, TO_WORKER_2)),
        Layer.ROUTE,
        "worker-0 has no right route to worker-1's pod CIDR.",
        "On worker-0: ip route",
    ),
    "2 network is unreachable": (
        lambda: cause(of_pods(pinged("", err="ping: connect: Network is unreachable\n")), worker_0=table(TO_WORKER_2)),
        Layer.ROUTE,
        "worker-0 has no right route to worker-1's pod CIDR.",
        "On worker-0: ip route",
    ),
    "7 the next hop is dead": (
        lambda: cause(of_pods(pinged(FROM_ITSELF))),
        Layer.NEXT_HOP,
        "worker-0 gets no answer from the next hop itself: worker-1 is down, or has another address by now.",
        "On worker-0: ip neigh",
    ),
    "8 the gateway is its own address": (
        lambda: cause(
            of_pods(), worker_0=table(DEFAULT, TO_WORKER_2, to_worker_1('"gateway":"192.168.128.10","dev":"eth0"'))
        ),
        Layer.ROUTE,
        "worker-0 has no right route to worker-1's pod CIDR for 10.200.1.2: 10.200.1.0/24 via 192.168.128.10",
        "On worker-0: ip route",
    ),
    **{
        f"9 {kind}": (
            partial(row_9, kind),
            Layer.ROUTE,
            f"worker-0 has no right route to worker-1's pod CIDR for 10.200.1.2: 10.200.1.0/24 {kind} takes it.",
            "On worker-0: ip route",
        )
        for kind in ("blackhole", "unreachable", "prohibit")
    },
    "10 forwarding is off": (
        lambda: cause(of_pods(), worker_1=host(1, ip_forward=False)),
        Layer.FORWARDING,
        "worker-1 does not forward (net.ipv4.ip_forward = 0)",
        "On worker-1: sysctl net.ipv4.ip_forward",
    ),
    "11 the reverse path filter": (
        row_11,
        Layer.REVERSE_PATH,
        "worker-1's reverse path filter (rp_filter = 1) drops them: they come in by eth0",
        "On worker-1: sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.eth0.rp_filter",
    ),
    "12 forwards are dropped": (
        row_12,
        Layer.FIREWALL,
        "worker-1 itself drops them: the policy of its FORWARD chain is to drop (iptables).",
        "On worker-1: sudo iptables -S FORWARD",
    ),
    "13 a Cloud Firewall": (
        lambda: with_paths(of_pods(nodes=NodesReading(False, 3, 0)), worker_0=saved(), worker_1=saved()),
        Layer.NETWORK_OUT,
        "The nodes do not get answers from each other's own addresses either: a firewall between them (Cloud Firewall, "
        "security group), or one on worker-1.",
        "On worker-1: sudo tcpdump -ni eth0 icmp and host 10.200.1.2",
    ),
    "14 the provider's filter": (
        lambda: with_paths(
            of_pods(**ends(3, 3, 3, 0), nodes=NodesReading(True, 3, 3)), worker_0=saved(), worker_1=saved()
        ),
        Layer.NETWORK_BACK,
        "Something between the nodes drops replies whose source is a pod address: a source filter of the provider",
        "On worker-0: sudo tcpdump -ni eth0 icmp and host 10.200.1.2",
    ),
    "25 large transfers stall": (
        row_25,
        Layer.MTU,
        "Small packets get through, packets of 1500 bytes do not: large transfers go on only where the sender hears of "
        "it and makes its packets smaller. worker-0 passes on no more than 1450 bytes.",
        "On worker-0: ping -c 1 -M do -s 1472 -I 10.200.0.2 10.200.1.2",
    ),
    "case 10": (
        lambda: with_paths(
            of_pods(
                pinged(
                    "PING 10.200.1.2 (10.200.1.2) from 10.200.0.2 : 56(84) bytes of data.\n"
                    "From 192.168.128.11 icmp_seq=1 Destination Host Prohibited\n\n"
                    "3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 402ms\n"
                )
            ),
            worker_0=saved(),
            worker_1=saved("FORWARD -j REJECT --reject-with icmp-host-prohibited"),
        ),
        Layer.FIREWALL,
        "worker-1 itself rejects them (Host Prohibited): the rule `-A FORWARD -j REJECT --reject-with "
        "icmp-host-prohibited` in its FORWARD chain (iptables).",
        "On worker-1: sudo iptables -S FORWARD",
    ),
    "a policy rule": (
        lambda: with_paths(
            of_pods(),
            worker_0=path(
                policy_rules=parse_policy_rules("0:\tfrom all lookup local\n77:\tfrom 10.200.0.0/24 lookup 100\n"),
                lookups={
                    (Way.OUT, "worker-1"): answers_in_order(
                        said("10.200.1.2 from 10.200.0.2 via 192.0.2.9 dev eth1 table 100 \n    cache iif cnio0 \n"), 1
                    )[0]
                },
            ),
        ),
        Layer.POLICY,
        "A policy rule of worker-0, `77: from 10.200.0.0/24 lookup 100`, sends them elsewhere than the main table:",
        "On worker-0: ip rule; ip route show table all",
    ),
}


@pytest.mark.parametrize("row", CAUSES)
def test_a_pair_that_fails_has_one_cause_on_the_right_host(row: str) -> None:
    make, layer, words, shows = CAUSES[row]
    found = make()
    assert found.layer is layer
    assert found.what.startswith(words)
    assert found.shows == shows
    is_between = layer in (Layer.NETWORK_OUT, Layer.NETWORK_BACK)
    assert ("provider" in found.sentence or "Cloud Firewall" in found.sentence) is is_between


def test_3_file_exists_is_a_route_that_is_replaced_where_it_is_wrong() -> None:
    """The kernel says so whatever the gateway of the route is that is there."""
    of = cluster()
    right, wrong = pod_route(1, protocol="boot"), pod_route(2, via=1, protocol="boot")
    rows = planning.make(of, {"worker-0": facts(of.node("worker-0"), [right, wrong])}).hosts[0].routes
    assert [codes.of_route(row, net("10.200.0.0/24")).value for row in rows] == ["right", "wrong-next-hop"]
    assert [str(c) for row in rows for c in row.edit.commands] == [
        "ip route replace 10.200.2.0/24 via 192.168.128.12 proto 200"
    ]


def test_4_an_invalid_gateway_stops_before_anything_is_sent() -> None:
    far = InterfaceAddress("eth0", IPv4Interface("192.168.128.10/32"))
    stops = [f for f in of_hosts(CLUSTER, "worker-0", addresses=(far,), routes=()) if f.code == "next-hop-not-on-link"]
    assert [f.level for f in stops] == [Level.STOP] * 2
    assert stops[0].sentence == (
        "worker-0: no route to 192.168.128.11 (worker-1) from eth0: the address is not on-link."
    )


def test_5_host_bits_in_a_pod_cidr_are_named() -> None:
    text = '{"type":"bridge","ipam":{"type":"host-local","subnet":"10.200.1.5/24"}}'
    found = read_cni(PurePosixPath("/etc/cni/net.d/10-bridge.conf"), text)
    assert found.problem is not None
    assert '"10.200.1.5/24" is an address inside 10.200.1.0/24' in found.problem


def test_6_who_is_not_root_is_told_so() -> None:
    node = CLUSTER.node("worker-0")
    with pytest.raises(NoRoot, match="root is not root, and sudo does not help"):
        read_facts(HostTask(Answering({"id -u": said("1000\n")}), Phase.CHECKS, lambda _: None), node)


def test_15_one_pod_cidr_on_two_workers_stops() -> None:
    twice = changed(CLUSTER, "worker-1", pod_cidr=net("10.200.0.0/24"))
    (found,) = (f for f in cluster_findings.of_cluster(twice) if f.code == "pod-cidrs-overlap")
    assert found.level is Level.STOP
    assert "worker-0" in found.sentence
    assert "worker-1" in found.sentence


def test_16_a_bridge_that_keeps_an_old_pod_cidr_is_named() -> None:
    old = InterfaceAddress("cnio0", IPv4Interface("10.200.9.1/24"))
    (found,) = (f for f in of_hosts(CLUSTER, "worker-1", bridges=(old,)) if f.node == "worker-1")
    assert found.code == "bridge-in-old-pod-cidr"
    assert found.sentence.startswith("worker-1: cnio0 has 10.200.9.1/24, and the pod CIDR is 10.200.1.0/24")
    assert "ip link del cnio0" in found.hint
    docker = InterfaceAddress("docker0", IPv4Interface("172.17.0.1/16"))
    assert not [f for f in of_hosts(CLUSTER, "worker-1", bridges=(docker,)) if f.code == "bridge-in-old-pod-cidr"]


def test_17_routes_that_are_gone_are_missing_and_the_next_reboot_is_announced() -> None:
    plan = planning.make(CLUSTER, bare_facts(CLUSTER))
    assert {codes.of_route(row, None).value for h in plan.hosts for row in h.routes} == {"missing"}
    kept = planning.make(CLUSTER, {n.name: host(int(n.name[-1])) for n in CLUSTER})
    assert [f.code for f in plan_findings.of_files(kept)] == ["not-persisted"]


def test_18_one_address_for_all_nodes_stops() -> None:
    """As VirtualBox has it behind its NAT."""
    nat = {node.name: ip("10.0.2.15") for node in CLUSTER}
    of = CLUSTER
    for name, address in nat.items():
        of = changed(of, name, internal=address)
    (found,) = (f for f in cluster_findings.of_cluster(of) if f.code == "shared-internal-address")
    assert found.level is Level.STOP
    assert "10.0.2.15" in found.sentence


def names(etc_hosts: bytes) -> Iterator[NameChange]:
    """The names that are planned on the controller."""
    of = cluster()
    read = facts(of.node("controller-0"), etc_hosts=etc_hosts)
    plan = planning.make(of, {"controller-0": read})
    return iter(plan.hosts[0].of(NameChange))


@pytest.mark.parametrize(
    ("row", "etc_hosts", "code"),
    [
        ("19 no such host", b"127.0.0.1 localhost\n", "missing"),
        ("20 an old address", b"192.168.128.99 worker-1\n192.168.128.11 worker-1\n", "wrong"),
        ("21 twice", b"192.168.128.11 worker-1\n192.168.128.11 worker-1\n", "twice"),
    ],
)
def test_19_to_21_names_are_planned_on_the_controllers(row: str, etc_hosts: bytes, code: str) -> None:
    (found,) = (name for name in names(etc_hosts) if name.name == "worker-1")
    assert codes.of_name(found).value == code


def test_22_names_that_cloud_init_resets_are_announced() -> None:
    template = HostFile(PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl"), 0o644, b"127.0.0.1 localhost\n")
    of = cluster()
    read = facts(of.node("controller-0"), network=NetworkSetup(hosts_template=template))
    plan = planning.make(of, bare_facts(of) | {"controller-0": read})
    assert "hosts-file-is-rewritten" in {f.code for f in plan_findings.of_files(plan)}


def test_23_services_on_the_same_node_are_named_where_all_pairs_get_through() -> None:
    """First the routes, then br_netfilter."""
    fine = replace(proof_of(of_pods(received=3)), unfiltered={"worker-1": "net.bridge.bridge-nf-call-iptables = 0"})
    assert any(line.startswith("net.bridge.bridge-nf-call-iptables = 0 on worker-1:") for line in explanations(fine))


def test_24_controllers_get_routes_too_where_that_is_wanted() -> None:
    of = cluster()
    plan = planning.make(of, bare_facts(of), Options(routes_on=RoutesOn.ALL))
    host_plan = plan.host("controller-0")
    assert host_plan is not None
    assert [row.worker for row in host_plan.routes] == ["worker-0", "worker-1", "worker-2"]
