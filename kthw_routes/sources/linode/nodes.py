"""Which of an account's Linodes are nodes of the cluster, and what each is as a node. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network
from typing import Final, Literal

from kthw_routes.cluster import DEFAULT_CLUSTER_CIDR, Address, AddressKind, Endpoint, Node, PodCidrSource, Role
from kthw_routes.findings.model import Finding, Level
from kthw_routes.node_names import expected_pod_cidr, natural_order
from kthw_routes.sanitize import clean_line
from kthw_routes.sources.linode.responses import Instance, Interfaces, id_of, instance_of, label_of

Via = Literal["private", "vlan", "vpc"]
"""By which address the nodes reach each other: the private one, or that on a VLAN or in a VPC (one more request per
worker)."""
_KINDS: Final = {"private": AddressKind.PRIVATE, "vlan": AddressKind.VLAN, "vpc": AddressKind.VPC}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A Linode that is a node."""

    instance: Instance
    role: Role


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for."""

    workers: str = "worker-*"
    """A pattern (`*`, `?`, `[…]`) of labels; a label that both patterns match is a worker's."""
    controllers: str = "controller-*"
    tag: str | None = None
    """Narrows what is found; None: any."""
    region: str | None = None
    cluster_cidr: IPv4Network = DEFAULT_CLUSTER_CIDR
    via: Via = "private"

    def candidates(self, entries: Iterable[Mapping[str, object]]) -> tuple[tuple[Candidate, ...], int]:
        """Find the nodes among the entries of the list of Linodes, and count the other Linodes.

        Workers come first, each role in natural order. A Linode that is there twice is one, as the later entry has
        it: where one is made while the list is read, the others move on to the next page. Other entries than nodes'
        are hardly read. Raises LinodeError if one of the nodes makes no sense.
        """
        found: dict[int, Candidate | None] = {}
        nameless = 0
        for entry in entries:
            role, number = self._role_of(label_of(entry)), id_of(entry)
            candidate = Candidate(instance_of(entry), role) if role else None
            if number is None:
                nameless += 1
            else:
                found[number] = candidate if candidate and self._is_wanted(candidate.instance) else None
        wanted = [c for c in found.values() if c is not None]
        wanted.sort(key=lambda c: (c.role is not Role.WORKER, natural_order(c.instance.label)))
        return tuple(wanted), nameless + len(found) - len(wanted)

    def needs_lookup(self, candidate: Candidate) -> bool:
        """Whether its interfaces must be asked for: its next hop is on one, or it can have no private address."""
        instance = candidate.instance
        if candidate.role is not Role.WORKER:
            return False
        has_private = any(a.kind is AddressKind.PRIVATE for a in instance.addresses)
        return self.via != "private" or (instance.has_linode_interfaces and not has_private)

    def node_of(self, candidate: Candidate, interfaces: Interfaces | None = None) -> Node:
        """Make the node. `interfaces`: as asked for; their addresses overrule the list's guess."""
        instance, role = candidate.instance, candidate.role
        further = interfaces.addresses if interfaces else ()
        addresses = tuple({a.ip: a for a in (*instance.addresses, *further)}.values())
        via = _KINDS[self.via] if role is Role.WORKER else AddressKind.PRIVATE
        public = _only(addresses, AddressKind.PUBLIC)
        cidr = expected_pod_cidr(instance.label, self.cluster_cidr) if role is Role.WORKER else None
        return Node(
            name=instance.label,
            role=role,
            ssh=Endpoint(str(public)) if public else None,
            internal=_only(addresses, via),
            pod_cidr=cidr,
            pod_cidr_source=PodCidrSource.LABEL if cidr else PodCidrSource.UNKNOWN,
            addresses=addresses,
            region=instance.region,
            status=instance.status,
            has_new_interfaces=instance.has_linode_interfaces,
            vpc_ranges=interfaces.vpc_ranges if interfaces else None,
        )

    def findings(self, candidates: Iterable[Candidate], others: int) -> tuple[Finding, ...]:
        """Report why there is no worker, as far as the search itself is the reason."""
        if any(c.role is Role.WORKER for c in candidates):
            return ()
        tagged = f" tagged {self.tag}" if self.tag else ""
        where = f" in {self.region}" if self.region else ""
        if others:
            sentence = f"None of the account's other Linodes ({others}) is one{tagged}{where} labelled {self.workers}."
            hint = "Other labels: --workers GLOB. Another account: another token."
        else:
            sentence, hint = "The account has no other Linodes.", "Another account: another token."
        return (Finding("nothing-matches", Level.NOTICE, clean_line(sentence), hint),)

    def _role_of(self, label: str | None) -> Role | None:
        if label is None:
            return None
        if fnmatchcase(label, self.workers):
            return Role.WORKER
        return Role.CONTROLLER if fnmatchcase(label, self.controllers) else None

    def _is_wanted(self, instance: Instance) -> bool:
        return self.tag in (None, *instance.tags) and self.region in (None, instance.region)


def _only(addresses: tuple[Address, ...], kind: AddressKind) -> IPv4Address | None:
    """Return the one address of this kind; None where there are none or several, as nothing is guessed."""
    ips = [a.ip for a in addresses if a.kind is kind]
    return ips[0] if len(ips) == 1 else None
