"""What the proof rests on and what it says: readings of pairs, the evidence, the verdict. Pure values.

Only traffic from pod to pod may say that *pods* reach each other. Traffic from a bridge's or a probe's address shows
that packets with pod addresses get through, but a ping from a bridge succeeds with forwarding off (measured), so it
says nothing of forwarding.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network

from kthw_routes.facts import HostFacts
from kthw_routes.node_names import shortened
from kthw_routes.plan.changes import Plan
from kthw_routes.proof.cloud import CloudFirewall
from kthw_routes.proof.path import HostPath
from kthw_routes.proof.tables import HostTable


class Evidence(IntEnum):
    """What a reading of a pair rests on, weakest first."""

    NONE = 0
    PROBE = 1
    BRIDGE = 2
    POD = 3

    @property
    def words(self) -> str:
        """As people read it."""
        return {
            Evidence.NONE: "none: traffic was not tested",
            Evidence.PROBE: "probe addresses on the nodes; not every worker has a pod bridge yet",
            Evidence.BRIDGE: "the addresses of the pod bridges; not every worker has a pod",
            Evidence.POD: "pods",
        }[self]


@dataclass(frozen=True, slots=True)
class Counters:
    """ICMP counters of one end, or their difference over a ping: requests and replies, in and out."""

    requests_in: int
    replies_out: int
    requests_out: int
    replies_in: int

    def since(self, before: "Counters") -> "Counters":
        """Return what was added since `before`."""
        return Counters(
            self.requests_in - before.requests_in,
            self.replies_out - before.replies_out,
            self.requests_out - before.requests_out,
            self.replies_in - before.replies_in,
        )

    def plus(self, other: "Counters") -> "Counters":
        """Return the sum."""
        return Counters(
            self.requests_in + other.requests_in,
            self.replies_out + other.replies_out,
            self.requests_out + other.requests_out,
            self.replies_in + other.replies_in,
        )


@dataclass(frozen=True, slots=True)
class ProbePoint:
    """From where and to where a worker is probed."""

    address: IPv4Address
    evidence: Evidence
    namespace: str | None = None
    mtu: int | None = None
    """Bytes of the largest packet that is sent from there whole; None where it is not known."""


@dataclass(frozen=True, slots=True)
class NodesReading:
    """Two more probes from one node to another: what reaches the *node*, by the address that it comes from."""

    internal_answered: bool
    """Whether a request between the internal addresses of both was answered."""
    sent: int
    """Requests from an address in the source's pod CIDR to the internal address of the target, or to its pods' side."""
    arrived: int | None
    """How many of these the target's node counted; None where that is not certain."""


@dataclass(frozen=True, slots=True)
class Masquerading:
    """What the source's node does with the address of a request, by its nat rules."""

    happens: bool | None
    """Whether the request leaves with the node's own address; None where that is not known."""
    rule: str | None = None
    """The rule that gives it, or may give it; None for none."""


@dataclass(frozen=True, slots=True)
class PairReading:
    """Three requests from one worker to another."""

    source: str
    target: str
    evidence: Evidence
    source_address: IPv4Address | None = None
    target_address: IPv4Address | None = None
    sent: int = 0
    received: int = 0
    round_trip: float | None = None
    """Milliseconds, the mean of the answers."""
    words: str = ""
    """What ping printed in addition to its statistics."""
    full_size: int | None = None
    """Bytes of one more packet, as large as the ends send, that was not to be divided; None where none was sent."""
    full_size_lost: str | None = None
    """What was answered to that packet, empty for nothing; None where it got through, or none was sent."""
    only_pings: str | None = None
    """The host whose firewall, by its rules, lets pings between these pods pass and no connections; None for none."""
    at_source: Counters | None = None
    at_target: Counters | None = None
    problem: str | None = None
    """Why the pair could not be tested; None where it was."""
    left_out: bool = False
    """Whether it was not tested because one end was left out on purpose."""
    silent_hop_back: str | None = None
    """The state of the target's next hop to the source, if that does not answer, in the words of `ip neigh`."""
    full_table: str | None = None
    """The end whose neighbour table was full meanwhile; None where neither's was, as far as known."""
    alone: bool = False
    """Whether it was tested by itself, with the counters of both ends; else while all others were."""
    nodes: NodesReading | None = None
    """What reached the target's node meanwhile; None where that was not tested."""
    same_as: tuple[str, str] | None = None
    """Source and target of the pair that was tested by itself in its place; None where there is none."""
    masquerading: Masquerading | None = None
    """As it was judged when a report was saved; None where it is to be judged by the rules that were read."""

    @property
    def tested(self) -> bool:
        """Whether requests were sent at all."""
        return self.problem is None

    @property
    def ok(self) -> bool:
        """Whether every request was answered, that of full size included, and no firewall drops all but pings."""
        return self.is_answered and self.full_size_lost is None and self.only_pings is None

    @property
    def is_answered(self) -> bool:
        """Whether every request of the usual size was answered."""
        return self.tested and self.sent > 0 and self.received == self.sent

    @property
    def is_narrow(self) -> bool:
        """Whether only packets of full size do not get through."""
        return self.is_answered and self.full_size_lost is not None


@dataclass(frozen=True, slots=True)
class ForwardingCheck:
    """What one worker's kernel would do with a packet for another worker's pods."""

    source: str
    target: str
    prefix: IPv4Network
    forwards: bool
    words: str
    """The kernel's answer, on one line."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was read after the run."""

    plan: Plan
    """What would still have to be done, from the tables as they are now."""
    verdicts: tuple[ForwardingCheck, ...]
    pairs: tuple[PairReading, ...]
    unread: tuple[str, ...] = ()
    """Sentences about hosts that could not be read."""
    probed: bool = True
    """False where traffic was not to be tested."""
    facts: Mapping[str, HostFacts] = field(default_factory=dict)
    """What was read of each host, its table as it is now among it."""
    counters: Mapping[str, Counters] = field(default_factory=dict)
    """What the ends of each worker counted while all pairs were tested at once."""
    paths: Mapping[str, HostPath] = field(default_factory=dict)
    """What else was read of the ends of pairs that fail."""
    unfiltered: Mapping[str, str] = field(default_factory=dict)
    """The workers with pods on which iptables does not see what the pod bridge passes on, each with the reason."""
    pods: IPv4Network | None = None
    """The range of all pods (the cluster CIDR); None where it is not known."""
    cloud: Mapping[str, tuple[CloudFirewall, ...]] = field(default_factory=dict)
    """The firewalls of the provider in front of nodes; of a node that is missing nothing is known."""

    _by_ends: Mapping[tuple[str, str], PairReading] = field(init=False, repr=False, compare=False)
    _tables: dict[str, HostTable] = field(default_factory=dict, init=False, repr=False, compare=False)
    _owners: Mapping[IPv4Address, frozenset[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the pairs, and whose each address is."""
        object.__setattr__(self, "_by_ends", {(p.source, p.target): p for p in self.pairs})
        owners: dict[IPv4Address, frozenset[str]] = {}
        for name, facts in self.facts.items():
            for address in (*facts.own_addresses, *(pod.address for pod in facts.pods)):
                owners[address] = owners.get(address, frozenset()) | {name}
        object.__setattr__(self, "_owners", owners)

    @property
    def failed(self) -> tuple[PairReading, ...]:
        """The pairs that were tested and do not work."""
        return tuple(p for p in self.pairs if p.tested and not p.ok)

    @property
    def untested(self) -> tuple[PairReading, ...]:
        """The pairs that could not be tested."""
        return tuple(p for p in self.pairs if not p.tested)

    def holds_between(self, hosts: Collection[str]) -> bool:
        """Whether all pairs work, and none of these hosts' went untested but for one that was left out on purpose."""
        missed = (p for p in self.untested if not p.left_out and {p.source, p.target} <= set(hosts))
        return not self.failed and not any(missed)

    @property
    def evidence(self) -> Evidence:
        """The weakest evidence among the pairs that were tested."""
        return min((p.evidence for p in self.pairs if p.tested), default=Evidence.NONE)

    @property
    def evidence_words(self) -> str:
        """What the reading rests on, as people read it."""
        if self.evidence is Evidence.PROBE and not any(f.pods for f in self.facts.values()):
            return "probe addresses on the nodes; there are no pods yet"
        return self.evidence.words

    @property
    def is_proved(self) -> bool:
        """Whether every ordered pair was tested and works, over the right routes."""
        return bool(self.pairs) and all(p.ok for p in self.pairs) and not self.plan.is_drift and not self.unread

    @property
    def cut_off(self) -> tuple[str, ...]:
        """The workers whose own pod CIDR another route overrides: their pods are unreachable whatever the pings say."""
        return tuple(host.node for host in self.plan.hosts if host.own_cidr_overridden_by is not None)

    @property
    def headline(self) -> str:
        """The first sentence of the last screen."""
        count = len(self.pairs)
        if not self.probed:
            return "Not proved: no probe was sent, as asked."
        if not count:
            return "Nothing to prove: there is no pair of workers."
        if self.cut_off:
            them = "its own pod CIDR" if len(self.cut_off) == 1 else "their own pod CIDRs"
            return f"The pods of {shortened(self.cut_off)} are unreachable: another route overrides {them}."
        if self.failed and all(pair.is_narrow for pair in self.failed):
            let = "lets" if len(self.failed) == 1 else "let"
            size = min(pair.full_size or 0 for pair in self.failed)
            which = f"{len(self.failed)} of {count} pairs of workers {let}"
            return f"{which} only small packets through: those of {size} bytes are lost."
        if self.failed and all(pair.is_answered and pair.only_pings for pair in self.failed):
            let = "lets" if len(self.failed) == 1 else "let"
            return f"{len(self.failed)} of {count} pairs of workers {let} only pings through."
        if self.failed:
            verb = "does" if len(self.failed) == 1 else "do"
            return f"{len(self.failed)} of {count} pairs of workers {verb} not get through."
        if self.untested:
            return f"Not proved: {len(self.untested)} of {count} pairs could not be tested."
        if self.evidence is Evidence.POD:
            return "Pods of all workers reach each other."
        return "Traffic between all pod CIDRs gets through."

    @property
    def caveat(self) -> str:
        """What this evidence does not show; empty where it shows all, or nothing was tested."""
        if self.evidence in (Evidence.NONE, Evidence.POD):
            return ""
        return "Forwarding was not tested by traffic: that takes pods on every worker."

    def table(self, name: str) -> HostTable | None:
        """Return a host's table, if it was read."""
        facts = self.facts.get(name)
        if facts is not None and name not in self._tables:
            self._tables[name] = HostTable(facts, self.plan.host(name))
        return self._tables.get(name)

    def owner(self, address: IPv4Address) -> str | None:
        """Return the host that has an address; None where none of those that were read has it, or several have."""
        names = self._owners.get(address, frozenset())
        return next(iter(names)) if len(names) == 1 else None

    def pair(self, source: str, target: str) -> PairReading | None:
        """Return the reading from one worker to another."""
        return self._by_ends.get((source, target))
