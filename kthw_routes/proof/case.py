"""One pair that does not get through, with all that was read of it and of its ends. Pure."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from kthw_routes.facts import HostFacts
from kthw_routes.plan.changes import describe
from kthw_routes.proof.answers import Answer, parse_answer
from kthw_routes.proof.readings import Evidence, PairReading, Proof
from kthw_routes.proof.tables import HostTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of a pair that was tested and failed.

    Attributes:
        pair: the reading.
        proof: what else was read.
    """

    pair: PairReading
    proof: Proof

    @property
    def source(self) -> HostFacts | None:
        """The facts of the end that sends, where they were read."""
        return self.proof.facts.get(self.pair.source)

    @property
    def target(self) -> HostFacts | None:
        """The facts of the end that is to answer, where they were read."""
        return self.proof.facts.get(self.pair.target)

    @property
    def pods(self) -> str:
        """The range of all pods, or else the pod CIDRs of both ends, as far as they are known."""
        if self.proof.pods is not None:
            return str(self.proof.pods)
        a, b = self.pair.source, self.pair.target
        tables = ((self.table(b), a), (self.table(a), b))
        found = [str(table.prefixes[name]) for table, name in tables if table is not None and name in table.prefixes]
        return ", ".join(found) or f"of {a} and {b}"

    @property
    def is_of_pods(self) -> bool:
        """Whether its ends are pods: both nodes forward its packets then, else they send and take them themselves."""
        return self.pair.evidence is Evidence.POD

    @property
    def answer(self) -> Answer | None:
        """What was answered, by whom, if anything was."""
        return parse_answer(self.pair.words)

    def owner(self, address: IPv4Address) -> str | None:
        """Return the host that has an address, the ends of the pair included; None where it is none's, or several'."""
        if address == self.pair.target_address:
            return self.pair.target
        return self.pair.source if address == self.pair.source_address else self.proof.owner(address)

    def chain(self, host: str) -> str:
        """Return the chain of a host's firewall through which the requests of this pair pass."""
        if self.is_of_pods or host not in (self.pair.source, self.pair.target):
            return "FORWARD"
        return "OUTPUT" if host == self.pair.source else "INPUT"

    def bridge(self, host: str) -> str | None:
        """Return the pod bridge of a host; None where it has none, or was not read."""
        facts = self.proof.facts.get(host)
        return facts.bridge.device if facts is not None and facts.bridge is not None else None

    def uplink(self, host: str, other: str) -> str | None:
        """Return the interface of a host towards its next hop to another worker; None where it is not known."""
        facts, table = self.proof.facts.get(host), self.table(host)
        hop = table.next_hops.get(other) if table is not None else None
        if table is not None and other in table.devices:
            return table.devices[other]
        return facts.device_towards(hop) if facts is not None and hop is not None else None

    @property
    def is_overlaid(self) -> bool:
        """Whether the packets of this pair are carried in the overlay."""
        table = self.table(self.pair.source)
        return table is not None and self.pair.target in table.devices

    @property
    def astray_there(self) -> str | None:
        """What the source's table does instead of leading to the target; None where it leads there."""
        return self._astray(self.pair.source, self.pair.target, self.pair.target_address)

    @property
    def astray_back(self) -> str | None:
        """What the target's table does instead of leading to the source; None where it leads there."""
        return self._astray(self.pair.target, self.pair.source, self.pair.source_address)

    @property
    def overridden(self) -> str | None:
        """The end in whose table another route takes packets for the very pod of this pair; None where neither has one.

        What is local to a host is not routed by its table.
        """
        pair = self.pair
        for name, address in ((pair.source, pair.source_address), (pair.target, pair.target_address)):
            table, facts = self.proof.table(name), self.proof.facts.get(name)
            if table is None or facts is None or table.overridden_by is None or address is None:
                continue
            if any(pod.address == address for pod in facts.pods) and table.best(address) == table.overridden_by:
                return name
        return None

    def table(self, host: str) -> HostTable | None:
        """Return a host's table, if it was read."""
        return self.proof.table(host)

    def _astray(self, source: str, target: str, address: IPv4Address | None) -> str | None:
        """Return what the source's table does with packets for the target's pods; None where it is as it should be.

        The longest prefix decides: a route for a part of the pod CIDR can override the right one.
        """
        table = self.table(source)
        next_hop = table.next_hops.get(target) if table is not None else None
        if table is None or next_hop is None or address is None:
            return None
        best = table.best(address)
        if best is None or best.prefix.prefixlen == 0:
            return f"has no right route to {target}'s pod CIDR"
        if best.gateway == next_hop:
            return None
        return f"has no right route to {target}'s pod CIDR for {address}: {best.prefix} {describe(best)} takes it"
