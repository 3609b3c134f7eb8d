"""What is known about Linode's regions, and the three signals that pods may not get through there.

The signals do not agree today, so they are shown apart: what the API says of the region, what the lab's author saw
there, and on which network the next hops lie.
"""

from collections.abc import Iterator
from typing import Final

from kthw_routes.cluster import LINODE_PRIVATE, AddressKind, Cluster, Node, Region
from kthw_routes.findings.model import Finding

VLANS: Final = "Vlans"
"""The capability string of regions with VLANs, as the API spells it."""

SEEN_TO_FAIL: Final[dict[str, str]] = {
    "eu-west": "London",  # lab 11 of the Linode port: "falls flat in a region like eu-west, but works in … ca-central"
}
"""Regions in which the lab's author saw pods fail, with their cities."""


def findings(cluster: Cluster) -> tuple[Finding, ...]:
    """Return what to know about the regions of the workers; empty for machines of one's own."""
    return tuple(f for region_id in _regions_of_workers(cluster) for f in _of_region(cluster, region_id))


def _of_region(cluster: Cluster, region_id: str) -> Iterator[Finding]:
    workers = [w for w in cluster.workers if w.region == region_id]
    region = cluster.region(region_id)
    shared = [w for w in workers if _is_on_shared_network(w)]
    if region is not None and VLANS not in region.capabilities:
        yield Finding.notice(
            "region-without-vlans",
            f"{_title(region_id, region)}: Linode lists no VLANs for this region today.",
            "Where there were none, pods were seen to fail on the private network. Step 6 (Proof) decides.",
            region=region_id,
            acknowledge=True,
        )
    if region_id in SEEN_TO_FAIL:
        yield Finding.notice(
            "region-seen-to-fail",
            f"{_title(region_id, region)}: pods were seen to fail here.",
            " ".join((_suspicion(bool(shared)), _today(region_id, region, workers), "Step 6 (Proof) decides.")),
            region=region_id,
            acknowledge=True,
        )
    if shared:
        yield Finding.notice(
            "shared-private-network",
            f"The next hops lie in {LINODE_PRIVATE}, which all customers of the data centre share.",
            "Linode may drop packets there that carry a pod's address. Step 6 (Proof) shows whether it does.",
            region=region_id,
        )


def _suspicion(shared: bool) -> str:
    text = (
        f"The author of this lab suspected that the provider drops pod packets on the private network {LINODE_PRIVATE}"
    )
    return f"{text}, which your next hops use." if shared else f"{text}, which your next hops do not use."


def _today(region_id: str, region: Region | None, workers: list[Node]) -> str:
    """Return what the live capabilities of the region say, and what that means for these next hops."""
    city = _city(region_id, region)
    if region is None:
        return f"Linode's list of regions does not say whether {city} has VLANs today."
    if VLANS not in region.capabilities:
        return f"{city} lists no VLANs today."
    on_vlan = [w for w in workers if w.kind_of(w.internal) is AddressKind.VLAN]
    if workers and len(on_vlan) == len(workers):
        return f"{city} lists VLANs today, and these next hops are on one."
    if on_vlan:
        return f"{city} lists VLANs today, but not all of these next hops are on one."
    return f"{city} lists VLANs today, but these next hops are not on one."


def _regions_of_workers(cluster: Cluster) -> list[str]:
    return list(dict.fromkeys(w.region for w in cluster.workers if w.region is not None))


def _is_on_shared_network(worker: Node) -> bool:
    return worker.internal is not None and worker.internal in LINODE_PRIVATE


def _title(region_id: str, region: Region | None) -> str:
    city = _city(region_id, region)
    return region_id if city == region_id else f"{region_id} ({city})"


def _city(region_id: str, region: Region | None) -> str:
    """`London` of `London, UK`; the region's id where no label is known."""
    label = region.label.split(",")[0].strip() if region else ""
    return label or SEEN_TO_FAIL.get(region_id, region_id)
