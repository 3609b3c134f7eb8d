"""What to say of the overlay before it is made: what it needs on each node, and what it does not do. Pure."""

from collections.abc import Iterator, Mapping

from kthw_routes.cluster import Cluster
from kthw_routes.facts import HostFacts
from kthw_routes.findings.hosts import names_of
from kthw_routes.findings.model import Finding
from kthw_routes.options import RoutesOn
from kthw_routes.overlay.model import OVERHEAD, PORT, USUAL_MTU


def of_overlay(cluster: Cluster, facts: Mapping[str, HostFacts], routes_on: RoutesOn) -> Iterator[Finding]:
    """Yield what the overlay gives cause to say, where packets between pods are carried in it.

    Args:
        cluster: with whether that is so.
        facts: node name -> what was read there.
        routes_on: which nodes get routes.
    """
    if not cluster.has_overlay:
        return
    if routes_on is RoutesOn.ALL:
        yield Finding.stop(
            "overlay-on-controllers",
            "Controllers cannot be in the overlay: they have no pod CIDR, so nobody could send them an answer there.",
            "Leave out --routes-on all (in the wizard: o in Routes), or the overlay.",
        )
    workers = [(w, facts[w.name]) for w in cluster.workers if w.name in facts]
    if lacking := [w.name for w, read in workers if not read.overlay.has_nft]:
        yield Finding.stop(
            "overlay-without-nft",
            f"nft is not installed on {names_of(lacking, len(workers))}: nothing would keep strangers out of the "
            "overlay.",
            "Install it there: `apt install nftables` on Debian and Ubuntu, `dnf install nftables` on Fedora and its "
            "relatives, `apk add nftables` on Alpine.",
            node=lacking[0] if len(lacking) == 1 else None,
        )
    for worker, read in workers:
        if read.overlay.is_unread:
            yield Finding.stop(
                "overlay-not-read",
                f"{worker.name}: whether something of an overlay is there could not be read.",
                "Try there: ip -d link show type vxlan; nft list table inet kthw_routes",
                node=worker.name,
            )
        if read.overlay.problem is not None:
            yield Finding.stop(
                "overlay-not-ours",
                f"{worker.name}: {read.overlay.problem}.",
                "It is left alone. Remove it there, if nothing uses it.",
                node=worker.name,
            )
        if read.overlay.others:
            yield Finding.stop(
                "overlay-port-taken",
                f"{worker.name}: another VXLAN device, {read.overlay.others[0]}, uses UDP port {PORT} too.",
                "A network plugin, perhaps, that carries pods' packets by itself; then no overlay is needed.",
                node=worker.name,
            )
    yield Finding.notice(
        "overlay-not-encrypted",
        "The overlay does not encrypt: whoever can read packets between the nodes can read those of pods.",
        f"Its UDP port ({PORT}) is accepted from the workers' internal addresses only, but nothing proves who sent a "
        "packet. Use it in a network that you trust that far.",
        acknowledge=True,
    )
    yield from _of_mtu(cluster, facts)


def _of_mtu(cluster: Cluster, facts: Mapping[str, HostFacts]) -> Iterator[Finding]:
    """Yield on which workers pods send packets that are too large for the overlay."""
    workers = [w for w in cluster.workers if w.name in facts]
    fits = {w.name: (facts[w.name].mtu_of(w.internal) or USUAL_MTU) - OVERHEAD for w in workers}
    wide = [name for name, size in fits.items() if (facts[name].pod_mtu or USUAL_MTU) > size]
    if wide:
        size = min(fits.values())
        pods = max(facts[name].pod_mtu or USUAL_MTU for name in wide)
        yield Finding.notice(
            "overlay-mtu",
            f"The overlay takes packets of up to {size} bytes; pods send up to {pods} on {names_of(wide, len(fits))}.",
            f'Add `"mtu": {size}` to the CNI configuration there (/etc/cni/net.d) before pods start, or restart them.',
            node=wide[0] if len(wide) == 1 else None,
        )
