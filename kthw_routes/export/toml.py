"""Our own inventory file: the next run needs no token, and with every pod CIDR stated an export needs no visit."""

from dataclasses import replace
from pathlib import PurePosixPath

from kthw_routes.cluster import Node, PodCidrSource
from kthw_routes.export.desired import Desired
from kthw_routes.export.document import Document
from kthw_routes.options import NamesOn, RoutesOn
from kthw_routes.sources.inventory.write import to_toml


def render(desired: Desired) -> tuple[Document, ...]:
    """Make the file. Raises UsageError where an inventory cannot state these nodes."""
    options, reach = desired.options, desired.reach
    text = to_toml(
        replace(desired.cluster, nodes=tuple(_stated(n) for n in desired.cluster)),
        user=reach.user,
        identity=reach.whole_identity,
        hosts_file=None if options.names_on is NamesOn.CONTROLLERS else options.names_on,
        persist=options.persist,
        routes_on=None if options.routes_on is RoutesOn.WORKERS else options.routes_on,
        overlay=options.overlay,
    )
    return (Document(PurePosixPath("inventory.toml"), text),)


def _stated(node: Node) -> Node:
    """Take a pod CIDR that was read on the node for as certain as a typed one."""
    was_read = node.pod_cidr_source in (PodCidrSource.CNI, PodCidrSource.KUBELET)
    return replace(node, pod_cidr_source=PodCidrSource.TYPED) if was_read else node
