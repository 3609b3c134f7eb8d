"""Whether the pod CIDRs that a file states fit together, into the cluster's, and next to the nodes' addresses."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.errors import InvalidInput
from kthw_routes.sanitize import quoted
from kthw_routes.sources.inventory.problems import Problems, Stated
from kthw_routes.sources.inventory.values import check_inside


def check(
    pods: Sequence[Stated[IPv4Network]],
    addresses: Collection[Stated[IPv4Address]],
    cidr: IPv4Network | None,
    problems: Problems,
) -> None:
    """Add a problem for each pod CIDR that no worker can have.

    Args:
        pods: the stated ones, in the order of the file.
        addresses: at which nodes reach each other.
        cidr: the cluster's; None: not known.
        problems: where to say so.
    """
    for stated in pods:
        try:
            check_inside(stated.value, cidr or stated.value)
        except InvalidInput as error:
            problems.add(stated.place, f"{_shown(stated)} {error}")
    _check_overlaps(pods, problems)
    _check_addresses(pods, addresses, problems)


def _check_overlaps(pods: Sequence[Stated[IPv4Network]], problems: Problems) -> None:
    """Look each network up by all that it lies in: two overlap only where one lies in the other."""
    seen: dict[IPv4Network, Stated[IPv4Network]] = {}
    around: dict[IPv4Network, Stated[IPv4Network]] = {}
    for stated in pods:
        wider = [stated.value.supernet(new_prefix=length) for length in range(stated.value.prefixlen + 1)]
        other = around.get(stated.value) or next((seen[network] for network in wider if network in seen), None)
        if other is not None:
            same = other.place == stated.place
            what = "is stated for several workers" if same else f"overlaps {other.value} on line {other.place.line}"
            problems.add(stated.place, f"{_shown(stated)} {what}; expected a different one for each worker")
        seen.setdefault(stated.value, stated)
        for network in wider:
            around.setdefault(network, stated)


def _check_addresses(
    pods: Sequence[Stated[IPv4Network]], addresses: Collection[Stated[IPv4Address]], problems: Problems
) -> None:
    ordered = sorted(addresses, key=lambda stated: (stated.value, stated.place))
    values = [stated.value for stated in ordered]
    for stated in pods:
        first = bisect_left(values, stated.value.network_address)
        if first < len(values) and values[first] in stated.value:
            inside = ordered[first]
            sentence = f"{_shown(stated)} contains the address {inside.value} of the node on line {inside.place.line}"
            problems.add(stated.place, f"{sentence}; expected a separate network for pods")


def _shown(stated: Stated[IPv4Network]) -> str:
    return f"{stated.key} {quoted(str(stated.value))}"
