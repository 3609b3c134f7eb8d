"""What the undo of a run may ask for: nothing but what a run of this program can have changed. Pure.

A record may have come from elsewhere. So what it asks for is held against what the host itself says, and against what
the writers of this program make; whatever else it asks for is shown, and not done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.cluster import PRIVATE_NETWORKS, SHORTEST_CLUSTER_PREFIX, Cluster, Endpoint, Node
from kthw_routes.facts import HostFacts, HostFile, Route
from kthw_routes.overlay.model import OverlayState
from kthw_routes.persistence import ifupdown, managers, overlay_script
from kthw_routes.persistence.paths import FORWARDING_FILE, is_own, is_template
from kthw_routes.persistence.text import body
from kthw_routes.plan.changes import FileChange
from kthw_routes.plan.hosts_lines import line_of_others, numbered_stem
from kthw_routes.sanitize import clean_line

_MAX_MODE: Final = 0o755
"""No file of ours may be written by others than root, or be run as another."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be asked for on one host. Each question is answered by the end of a sentence; None where it may be."""

    cluster: Cluster
    """As the record has it."""
    node: Node
    facts: HostFacts

    # --- routes ---

    def routes(self, prefix: IPv4Network, added: Sequence[Route], removed: Sequence[Route]) -> str | None:
        """Return why these changes to the routes of one prefix are none of a run's."""
        if why := self._outside(prefix):
            return why
        if any(prefix.subnet_of(own) for own in self._own_pods):
            # Only the repair of one that was overridden, or its undo.
            ways = ((added, removed), (removed, added))
            if not any(away and all(map(_leads_away, away)) and all(r.is_kernel for r in own) for own, away in ways):
                return f"{prefix} belongs to the node's own pods"
        return None

    def persisted(self, prefix: IPv4Network) -> str | None:
        """Return why no file of ours holds a route of this prefix here."""
        if why := self._outside(prefix):
            return why
        overlaps = any(prefix.overlaps(own) for own in self._own_pods)
        return f"{prefix} belongs to the node's own pods" if overlaps else None

    def _outside(self, prefix: IPv4Network) -> str | None:
        if why := self._strange_cluster:
            return why
        if not prefix.subnet_of(self.cluster.cidr):
            return f"{prefix} lies outside of the cluster CIDR {self.cluster.cidr}"
        own = (a.address.network for a in self.facts.addresses if a.address.network.prefixlen < 32)
        links = [n for n in own if not any(n.overlaps(pods) for pods in self._own_pods)]
        if link := next((n for n in links if prefix.overlaps(n)), None):
            return f"{prefix} overlaps {link}, in which the node itself is"
        if at := next((ip for ip in self._nodes_addresses if ip in prefix), None):
            return f"{prefix} holds {at}, the address of a node"
        return None

    @property
    def _strange_cluster(self) -> str | None:
        """Why the record's cluster CIDR is none."""
        cidr, own = self.cluster.cidr, self.facts.cni_cidr if self.node.is_worker else None
        if own is not None and not own.subnet_of(cidr):
            return f"the node's pods are in {own}, outside of the record's cluster CIDR {cidr}"
        if cidr.prefixlen < SHORTEST_CLUSTER_PREFIX:
            return f"its cluster CIDR {cidr} does not belong to a cluster"
        if own is not None:
            return None
        is_private = any(cidr.subnet_of(net) for net in PRIVATE_NETWORKS)
        return None if is_private else f"its cluster CIDR {cidr} is not a private network"

    @property
    def _own_pods(self) -> tuple[IPv4Network, ...]:
        bridge = self.facts.bridge.address.network if self.facts.bridge else None
        node = self.node.pod_cidr if self.node.is_worker else None
        return tuple(net for net in (node, self.facts.cni_cidr, bridge) if net is not None)

    @property
    def _nodes_addresses(self) -> tuple[IPv4Address, ...]:
        found = (ip for n in self.cluster for ip in (n.internal, _address(n.ssh)))
        return tuple(ip for ip in found if ip is not None)

    # --- the overlay ---

    def overlay(self, state: OverlayState) -> str | None:
        """Return why no run found the overlay so."""
        overlaid = (*(a.ip for a in state.addresses), *(ip for ip, _ in state.neighbours))
        if outside := next((ip for ip in overlaid if ip not in self.cluster.cidr), None):
            return f"{outside} lies outside of the cluster CIDR {self.cluster.cidr}"
        local = state.device.local if state.device is not None else None
        peers = (*(ip for _, ip in state.forwarding), *(state.accepts or ()), *((local,) if local is not None else ()))
        if far := next((ip for ip in peers if not self._is_near(ip)), None):
            return f"{far} is not an address that a node may have"
        return self._strange_cluster

    # --- names ---

    def names(self, now: bytes, back: bytes, *, template: bool = False) -> str | None:
        """Return why no run changed /etc/hosts (or cloud-init's template of it) from the one into the other.

        Lines of a name outside our block may be ours where it is a worker's, or of one that is gone. In the block a
        name may have been a worker's once where it is in the same domain as one, or in none like all.
        """
        workers = frozenset(n.name for n in self.cluster if n.is_worker)
        stems = {stem for worker in workers if (stem := numbered_stem(worker))}
        domains = {worker.partition(".")[2] for worker in workers}
        own = ("localhost", self.facts.hostname.casefold())

        def is_ours(name: str) -> bool:
            return name in workers or numbered_stem(name) in stems

        def may_say(address: IPv4Address, name: str, in_block: bool) -> bool:
            was_one = in_block and name.partition(".")[2] in domains and name.casefold() not in own
            return self._is_near(address) and (is_ours(name) or was_one)

        words = {numbered_stem(worker) or worker for worker in workers}
        line = line_of_others(now, back, words, is_ours, may_say, comments=not template)
        return f"it is about {clean_line(line)!r}" if line else None

    def _is_near(self, address: IPv4Address) -> bool:
        """Return whether a node may have the address, judged by the host: private, or in one of its networks."""
        on_link = any(address in a.address.network for a in self.facts.addresses)
        return on_link or address.is_private or any(address in net for net in PRIVATE_NETWORKS)

    # --- files ---

    def path(self, change: FileChange) -> str | None:
        """Return why a run changes no such file."""
        if not (is_own(change.path) if change.is_ours else is_template(change.path)):
            return f"{clean_line(str(change.path))} is not a file that it writes"
        return None

    def content(self, file: HostFile) -> str | None:
        """Return why this is not a file of ours as it wrote one."""
        if file.mode & ~_MAX_MODE:
            return f"it leaves no file of mode {file.mode:04o}"
        lines = [ifupdown.FORMER.get(line, line) for line in body(file.content) or ()]
        written = FORWARDING_FILE if file.path == FORWARDING_FILE.path else managers.rewritten(file)
        if not lines or written is None or body(written.content) != lines:
            return "it wrote no file of this content"
        if (overlay := overlay_script.parse(file)) is not None and (why := self.overlay(overlay)):
            return why
        return next((why for route in managers.parse(file) if (why := self.persisted(route.prefix))), None)


def _leads_away(route: Route) -> bool:
    return not route.is_kernel and (route.gateway is not None or bool(route.multipath) or route.type != "unicast")


def _address(endpoint: Endpoint | None) -> IPv4Address | None:
    try:
        return IPv4Address(endpoint.host) if endpoint else None
    except ValueError:
        return None
