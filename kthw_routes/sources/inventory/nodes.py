"""From what a file states of each node to the nodes: the same for every kind of file."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final, TypeVar

from kthw_routes.cluster import Endpoint, Node, PodCidrSource, Role
from kthw_routes.errors import InvalidInput
from kthw_routes.findings.model import Finding
from kthw_routes.node_names import expected_pod_cidr, natural_order
from kthw_routes.options import OwnSettings
from kthw_routes.sanitize import quoted
from kthw_routes.sources.inventory import pod_cidrs
from kthw_routes.sources.inventory.problems import BEGINNING, Place, Problems, Stated
from kthw_routes.sources.inventory.values import ONE_EACH, address_of, internal_ip_of

T = TypeVar("T")

NO_WORKER: Final = "there is no worker in this file; expected at least one, as routes lead to workers"


@dataclass(frozen=True, slots=True)
class Draft:
    """A node as its file states it, each value checked by itself.

    A field is None where the file does not state it. A stated value is None where the file states "none", or
    something that is a problem already.
    """

    place: Place
    role: Role | None
    """None: stated wrongly."""
    name: Stated[str | None]
    ssh: Stated[Endpoint | None]
    internal: Stated[IPv4Address | None] | None = None
    pod_cidr: Stated[IPv4Network | None] | None = None
    region: Stated[str | None] | None = None
    identity: Stated[Path | None] | None = None
    next_hop: Stated[IPv4Address | None] | None = None


@dataclass(frozen=True, slots=True)
class ParsedInventory:
    """What was read from a file."""

    drafts: tuple[Draft, ...]
    settings: OwnSettings = field(default_factory=OwnSettings)
    notices: tuple[Finding, ...] = ()
    others: int = 0
    """Machines that are neither worker nor controller."""
    where: Place = BEGINNING
    """Where a worker was expected, should there be none."""
    why_no_worker: str = NO_WORKER
    """What is said there then."""
    is_whole: bool = True
    """Whether all of the file could be read: else what is missing proves nothing."""
    is_draft: bool = False
    """Whether the file says that its nodes are not complete yet: what is wrong between them is for findings then."""
    is_cidr_known: bool = True
    """Whether it is known which cluster CIDR the file states, if any."""


def nodes_of(reading: ParsedInventory, cidr: IPv4Network, problems: Problems) -> tuple[Node, ...]:
    """Make the nodes: workers first, each role in natural order. To be used only if there are no problems then."""
    drafts = reading.drafts
    internals = [_internal_of(d, problems) for d in drafts]
    if not reading.is_draft:
        _check_together(reading, internals, cidr, problems)
    nodes = [_node_of(d, i.value, cidr) for d, i in zip(drafts, internals, strict=True)]
    return tuple(sorted(nodes, key=lambda n: (n.role is not Role.WORKER, natural_order(n.name))))


def _check_together(
    reading: ParsedInventory, internals: Sequence[Stated[IPv4Address | None]], cidr: IPv4Network, problems: Problems
) -> None:
    """Add what is wrong between nodes."""
    drafts = reading.drafts
    _check_twice((d.name for d in drafts), "name", str.casefold, problems)
    _check_twice((d.ssh for d in drafts), "SSH target", lambda ssh: ssh.target, problems)
    _check_twice(internals, "internal address", lambda ip: ip, problems)
    pods = sorted(_only_known(d.pod_cidr for d in drafts if d.pod_cidr), key=lambda stated: stated.place)
    pod_cidrs.check(pods, _only_known(internals), cidr if reading.is_cidr_known else None, problems)
    if reading.is_whole and all(d.role is Role.CONTROLLER for d in drafts):
        problems.add(reading.where, reading.why_no_worker)


def _internal_of(draft: Draft, problems: Problems) -> Stated[IPv4Address | None]:
    """Return the stated internal address, else the SSH address: of a controller, which needs none, if that is one."""
    if draft.internal is not None:
        return draft.internal
    place, endpoint = draft.ssh.place, draft.ssh.value
    if endpoint is None:
        return Stated(None, place, "internal_ip")
    try:
        return Stated(internal_ip_of(endpoint), place, "internal_ip")
    except InvalidInput as error:
        if draft.role is not Role.CONTROLLER:
            problems.add(place, str(error))
        return Stated(None, place, "internal_ip")


def _node_of(draft: Draft, internal: IPv4Address | None, cidr: IPv4Network) -> Node:
    name, role = draft.name.value or "", draft.role or Role.CONTROLLER
    stated = draft.pod_cidr.value if draft.pod_cidr else None
    pods = stated or (expected_pod_cidr(name, cidr) if role is Role.WORKER else None)
    return Node(
        name=name,
        role=role,
        ssh=draft.ssh.value,
        internal=internal,
        pod_cidr=pods,
        pod_cidr_source=PodCidrSource.TYPED if stated else PodCidrSource.LABEL if pods else PodCidrSource.UNKNOWN,
        addresses=(address_of(internal),) if internal else (),
        region=draft.region.value if draft.region else None,
        identity=draft.identity.value if draft.identity else None,
        next_hop=draft.next_hop.value if draft.next_hop else None,
    )


def _check_twice(
    all_stated: Iterable[Stated[T | None]], what: str, key: Callable[[T], object], problems: Problems
) -> None:
    """Add a problem for each value that was there before."""
    first: dict[object, int] = {}
    for stated, value in _known(all_stated):
        if key(value) not in first:
            first[key(value)] = stated.place.line
        elif stated.place not in problems.places:  # an SSH target that is there twice is an internal address too
            sentence = f"{what} {quoted(str(value))} is already on line {first[key(value)]}"
            problems.add(stated.place, f"{sentence}; {ONE_EACH}")


def _known(all_stated: Iterable[Stated[T | None]]) -> Iterator[tuple[Stated[T | None], T]]:
    for stated in all_stated:
        if stated.value is not None:
            yield stated, stated.value


def _only_known(all_stated: Iterable[Stated[T | None]]) -> list[Stated[T]]:
    return [Stated(value, stated.place, stated.key) for stated, value in _known(all_stated)]
