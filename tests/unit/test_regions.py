"""The three signals that pods may not get through in a region, each shown apart."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from kthw_routes.cluster import Address, AddressKind, Cluster, Endpoint, Node, Region, Role, Selection
from kthw_routes.demo.api.account import recorded_regions
from kthw_routes.findings import regions
from kthw_routes.findings.model import Level

WITH = frozenset({"Linodes", "Vlans"})
WITHOUT = frozenset({"Linodes"})
LONDON = Region("eu-west", "London, UK", WITH)
TORONTO = Region("ca-central", "Toronto, CA", WITH)
RENO = Region("us-rno-1", "Reno, NV", WITHOUT)

LAST = "Step 6 (Proof) decides."
SUSPECTED = (
    "The author of this lab suspected that the provider drops pod packets on the private network 192.168.128.0/17"
)


def worker(number: int, region: str | None, ip: str, kind: AddressKind) -> Node:
    address = IPv4Address(ip)
    return Node(
        f"worker-{number}",
        Role.WORKER,
        Endpoint(f"203.0.113.{number}"),
        address,
        addresses=(Address(address, kind),),
        region=region,
    )


def cluster(region: Region, *known: Region, kind: AddressKind = AddressKind.PRIVATE) -> Cluster:
    net = "192.168.140" if kind is AddressKind.PRIVATE else "10.0.0"
    return Cluster(tuple(worker(n, region.id, f"{net}.{n}", kind) for n in range(1, 4)), regions=known)


def codes(of: Cluster) -> list[tuple[str, bool]]:
    return [(f.code, f.acknowledge) for f in regions.findings(of)]


def test_a_region_with_vlans_has_a_notice_about_the_shared_network_only() -> None:
    (finding,) = regions.findings(cluster(TORONTO, TORONTO))
    assert finding.code == "shared-private-network"
    assert finding.level is Level.NOTICE
    assert not finding.acknowledge
    assert finding.sentence == "The next hops lie in 192.168.128.0/17, which all customers of the data centre share."
    assert "Proof" in finding.hint


def test_eu_west_as_it_is_today() -> None:
    warning, notice = regions.findings(cluster(LONDON, LONDON))
    assert warning.sentence == "eu-west (London): pods were seen to fail here."
    assert warning.hint == (
        f"{SUSPECTED}, which your next hops use. London lists VLANs today, but these next hops are not on one. {LAST}"
    )
    assert (warning.code, warning.acknowledge, warning.region) == ("region-seen-to-fail", True, "eu-west")
    assert notice.code == "shared-private-network"


def test_a_region_without_vlans_is_a_warning_of_its_own() -> None:
    assert codes(cluster(RENO, RENO)) == [("region-without-vlans", True), ("shared-private-network", False)]
    (warning, _) = regions.findings(cluster(RENO, RENO))
    assert warning.sentence == "us-rno-1 (Reno): Linode lists no VLANs for this region today."


def test_all_three_at_once() -> None:
    london = replace(LONDON, capabilities=WITHOUT)
    assert codes(cluster(london, london)) == [
        ("region-without-vlans", True),
        ("region-seen-to-fail", True),
        ("shared-private-network", False),
    ]
    assert (
        f"which your next hops use. London lists no VLANs today. {LAST}"
        in regions.findings(cluster(london, london))[1].hint
    )


def test_next_hops_on_a_vlan() -> None:
    (warning,) = regions.findings(cluster(LONDON, LONDON, kind=AddressKind.VLAN))
    assert warning.hint == (
        f"{SUSPECTED}, which your next hops do not use. "
        f"London lists VLANs today, and these next hops are on one. {LAST}"
    )
    assert codes(cluster(TORONTO, TORONTO, kind=AddressKind.VLAN)) == []


def test_next_hops_partly_on_a_vlan() -> None:
    mixed = cluster(LONDON, LONDON)
    mixed = mixed.with_swapped(mixed.node("worker-1"), worker(1, "eu-west", "10.0.0.1", AddressKind.VLAN))
    warning, _ = regions.findings(mixed)
    assert "but not all of these next hops are on one." in warning.hint


def test_a_region_that_the_api_does_not_list() -> None:
    warning, notice = regions.findings(cluster(LONDON))
    assert warning.sentence == "eu-west (London): pods were seen to fail here."
    assert "Linode's list of regions does not say whether London has VLANs today." in warning.hint
    assert notice.code == "shared-private-network"
    assert codes(cluster(Region("xx-new", ""))) == [("shared-private-network", False)]
    assert codes(cluster(RENO, replace(RENO, label=""))) == [
        ("region-without-vlans", True),
        ("shared-private-network", False),
    ]


def test_each_region_of_several_is_judged() -> None:
    nodes = (*cluster(LONDON).nodes, *cluster(TORONTO).nodes)
    found = regions.findings(Cluster(nodes, regions=(LONDON, TORONTO)))
    assert [(f.code, f.region) for f in found] == [
        ("region-seen-to-fail", "eu-west"),
        ("shared-private-network", "eu-west"),
        ("shared-private-network", "ca-central"),
    ]


def test_a_home_network_within_linodes_range_is_no_linode() -> None:
    home = Cluster((worker(0, None, "192.168.178.20", AddressKind.OTHER),))
    assert regions.findings(home) == ()


def test_a_removed_worker_does_not_count() -> None:
    away = cluster(LONDON, LONDON)
    assert (
        regions.findings(replace(away, nodes=tuple(replace(n, selection=Selection.REMOVED) for n in away.nodes))) == ()
    )
    controller = replace(worker(0, "eu-west", "192.168.140.1", AddressKind.PRIVATE), role=Role.CONTROLLER)
    assert regions.findings(Cluster((controller,), regions=(LONDON,))) == ()


@pytest.mark.parametrize("region_id", sorted(regions.SEEN_TO_FAIL))
def test_the_regions_named_here_exist(region_id: str) -> None:
    assert region_id in {r.id for r in recorded_regions()}


def test_of_the_recorded_core_regions_only_reno_lacks_vlans() -> None:
    lacking = [r.id for r in recorded_regions() if regions.VLANS not in r.capabilities]
    assert lacking == ["us-rno-1"]
