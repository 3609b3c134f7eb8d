"""The TOML of a cluster, so that the next run needs no token and no typing; saved whole or not at all.

Nodes that were removed for good are not written; those that are left out of a run are. What the format does not hold,
such as further addresses, is lost: next hops and SSH targets are all that a run needs.
"""

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

from kthw_routes.cluster import AddressKind, Cluster, Node, PodCidrSource
from kthw_routes.errors import UsageError
from kthw_routes.local_files import replace_file
from kthw_routes.node_names import expected_pod_cidr
from kthw_routes.options import NamesOn, RoutesOn
from kthw_routes.overlay.model import Overlay
from kthw_routes.persistence.model import Persist
from kthw_routes.sanitize import clean_line
from kthw_routes.sources.inventory.problems import InventoryError
from kthw_routes.sources.inventory.reading import parse

_CERTAIN: Final = frozenset({PodCidrSource.TYPED, PodCidrSource.CNI, PodCidrSource.KUBELET})
"""Where a pod CIDR is said by somebody, and no guess from the name."""
_HEAD: Final = """\
# The nodes of a cluster, for kthw-routes. Look at what would change, then open the wizard or apply:
#
#     kthw-routes plan --inventory FILE
#     kthw-routes --inventory FILE
#
# A node has a name, a role ("worker" or "controller") and an SSH target: "[user@]address[:port]". internal_ip, the
# address at which the other nodes reach it, is the SSH address where it is missing; pod_cidr is read from the node,
# else it follows from the number in the name; region is that of a Linode; identity is the node's own private key;
# next_hop is where the node sends packets for other pods, if not to their nodes (a provider's router). Above the nodes
# there may also be:
#
#     user = "root"              for nodes whose SSH target names no user
#     identity = "FILE"          the private key; from this file's folder, or ~/...
#     hosts_file = "controllers" whose /etc/hosts gets the workers' names: also "workers", "all", "none", true, false
#     persist = "none"           or what keeps the routes after a reboot, such as "auto" or "netplan"
#     routes_on = "workers"      or "all"
#     overlay = "vxlan"          carries packets between pods past a provider's filter; "none" takes it away
"""
_DRAFT: Final = "# Not complete yet: it loads, and what is to be corrected is listed then.\n"


def to_toml(
    cluster: Cluster,
    *,
    user: str | None = None,
    identity: Path | None = None,
    hosts_file: bool | NamesOn | None = None,
    persist: Persist | None = None,
    routes_on: RoutesOn | None = None,
    overlay: Overlay | None = None,
) -> str:
    """Make the inventory file of a cluster; `read` understands it, and gives the same nodes.

    Nodes that do not fit together yet (two of one name, no worker, overlapping pod CIDRs) are a draft, which loads too.

    Args:
        cluster: also as the Linode account gave it.
        user, identity, hosts_file, persist, routes_on, overlay: settings of the file; None: not stated. A relative
            `identity` counts from the folder that the file will lie in.

    Raises:
        UsageError: an inventory cannot state these nodes, such as one with an invalid hostname; the hint names each.
    """
    settings = {
        "cluster_cidr": str(cluster.cidr),
        "user": user,
        "identity": None if identity is None else str(identity),
        "hosts_file": hosts_file,
        "persist": persist,
        "routes_on": routes_on,
        "overlay": overlay,
    }
    pairs = [f"{key} = {_value(given)}\n" for key, given in settings.items() if given is not None]
    members = [n for n in cluster if n.is_member]
    nodes = [f"\n[[nodes]]\n{''.join(_pairs_of(n, cluster))}" for n in members]
    heads = (f"{_HEAD}\n", f"{_HEAD}\n{_DRAFT}draft = true\n")
    for head in heads:
        above = f"{head}{''.join(pairs)}"
        text = f"{above}{''.join(nodes)}"
        try:
            parse(text.encode(), Path("inventory.toml"))
        except InventoryError as error:
            problems = _by_node(error, [above, *nodes], [node.name for node in members])
        except UnicodeEncodeError:  # a file name that is not text
            raise UsageError(f"{clean_line(str(identity))} cannot be written to a file as text.") from None
        else:
            return text
    raise UsageError("These nodes cannot be saved as an inventory.", "\n".join(problems))


def is_draft(text: str) -> bool:
    """Return whether a text that `to_toml` made says that the nodes are not complete."""
    return f"\n{_DRAFT}" in text


def _by_node(error: InventoryError, parts: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return what is wrong, with the names of nodes in place of the lines of a file that nobody has seen."""
    starts = list(accumulate(part.count("\n") for part in parts))

    def name(line: int) -> str:
        place = bisect_left(starts, line) - 1
        return clean_line(names[place]) if 0 <= place < len(names) else "all nodes"

    return [f"{name(p.line)}: {p.sentence}" for p in error.problems] or [error.sentence]


def save(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write an inventory file, whole or not at all; a symbolic link stays one. It holds no secret: 0644 less the umask.

    Raises:
        UsageError: the file is there already (unless `overwrite`; its mode stays then), or cannot be written.
    """
    shown = clean_line(str(path))
    try:
        target = Path(os.path.realpath(path.expanduser()))
        if target.exists() and not overwrite:
            raise UsageError(f"There is a file {shown} already.", "Choose another name, or agree to replace it.")
        if target.is_dir():
            raise UsageError(f"{shown} is a folder.", "Name a file in it.")
        if target.exists() and not target.is_file():
            raise UsageError(f"{shown} is a device, a pipe or a socket, not a file.", "Choose another place.")
        replace_file(target, text.encode(), keep_mode=True)
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL in the name; RuntimeError: no such home
        reason = clean_line((error.strerror if isinstance(error, OSError) else None) or str(error))
        raise UsageError(f"{shown} cannot be written: {reason}.", "Choose another place.") from None


def _pairs_of(node: Node, cluster: Cluster) -> Iterator[str]:
    """Make the lines of a node. An empty text says that an address is unknown: else the SSH address would be taken."""
    yield f"name = {_value(node.name)}\n"
    yield f"role = {_value(str(node.role))}\n"
    yield f"ssh = {_value(str(node.ssh or ''))}{_to_fill_in(node, public=True) if node.ssh is None else ''}\n"
    is_missing = node.internal is None and node.is_worker
    yield f"internal_ip = {_value(str(node.internal or ''))}{_to_fill_in(node, public=False) if is_missing else ''}\n"
    is_certain = node.pod_cidr_source in _CERTAIN
    if node.pod_cidr and (is_certain or node.pod_cidr != expected_pod_cidr(node.name, cluster.cidr)):
        yield f"pod_cidr = {_value(str(node.pod_cidr))}\n"
    if node.region:
        yield f"region = {_value(node.region)}\n"
    if node.identity:
        yield f"identity = {_value(str(node.identity))}\n"
    if node.next_hop:
        yield f"next_hop = {_value(str(node.next_hop))}\n"


def _to_fill_in(node: Node, *, public: bool) -> str:
    """Mark an address that is missing, with those of the node that it may be."""
    known = [str(a.ip) for a in node.addresses if (a.kind is AddressKind.PUBLIC) is public]
    return f"  # to fill in{': ' if known else ''}{' or '.join(known)}"


def _value(given: str | bool) -> str:
    """Write a TOML value."""
    if isinstance(given, bool):
        return "true" if given else "false"
    return f'"{"".join(map(_letter, given))}"'


def _letter(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    return letter if letter >= " " and letter != "\x7f" else f"\\u{ord(letter):04x}"
