"""What a packet comes by on its way between two pods: a hop's value, the command that shows it, what it is for."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kthw_routes.proof.causes import Cause
from kthw_routes.proof.diagnosis import pair_words
from kthw_routes.proof.readings import PairReading


class Kind(StrEnum):
    """What a packet comes by."""

    POD = "pod"
    BRIDGE = "bridge"
    FORWARDING = "forwarding"
    RULES = "policy rules"
    TABLE = "routing table"
    FIREWALL = "firewall"
    MASQUERADING = "masquerading"
    NEXT_HOP = "next hop"
    TUNNEL = "overlay"
    NETWORK = "network"
    INTERFACE = "interface"
    REVERSE_PATH = "reverse path"


class Passage(StrEnum):
    """What becomes of the packet at a hop."""

    PASSES = "passes"
    STOPS = "stops"
    MAY_STOP = "may stop"
    """It got no further, and what stopped it is not known."""
    NOT_REACHED = "not reached"

    @property
    def mark(self) -> str:
        """The glyph that goes with the word."""
        return _MARK[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One thing that a packet comes by."""

    host: str | None
    """The node; None between them."""
    kind: Kind
    is_back: bool
    """Whether it is the reply that comes by."""
    value: str
    """What was read there."""
    command: str
    """What shows it, to be typed on that host; empty where nothing does."""
    passage: Passage = Passage.PASSES

    @property
    def why(self) -> str:
        """What it is for, and when packets end there."""
        return _WHY[self.kind]


_MARK: Final = {Passage.PASSES: "✓", Passage.STOPS: "✗", Passage.MAY_STOP: "?", Passage.NOT_REACHED: "·"}
_WHY: Final = {
    Kind.POD: "The end of the way: a pod has an address in its node's pod CIDR. It answers only while it runs.",
    Kind.BRIDGE: "All pods of a node are on its bridge, which has the first address of the pod CIDR: their gateway. "
    "Without it a pod reaches nothing.",
    Kind.FORWARDING: "A node passes on packets of others, such as its pods, only while this is on. The CNI plugin "
    "turns it on with the first pod.",
    Kind.RULES: "They choose the routing table, before any route counts. A rule that came from elsewhere, as a VPN's, "
    "can send packets of pods astray.",
    Kind.TABLE: "The longest prefix that holds the destination wins. Without the pod route the default route wins: "
    "packets for pods go to the provider, which does not know their addresses.",
    Kind.FIREWALL: "Rules of the node itself, such as those of ufw, Docker or firewalld, may drop or reject what it "
    "forwards.",
    Kind.MASQUERADING: "The bridge plugin (ipMasq) writes rules that give what leaves the node's pods the node's own "
    "address. The other node then sees a node as the sender; replies are translated back.",
    Kind.TUNNEL: "A VXLAN device puts the packet into a UDP packet between the nodes' internal addresses; the other "
    "node's takes it out. What is larger than the device's MTU is refused here.",
    Kind.NEXT_HOP: "Packets are handed to this address, so it must answer on the link: it is the other node's "
    "internal address, or in an overlay the first address of its pod CIDR.",
    Kind.NETWORK: "What is between the nodes sees addresses of pods. A provider's source filter drops packets whose "
    "sender is none of the node's own addresses.",
    Kind.INTERFACE: "Where the other node takes the packets: its interface with the internal address.",
    Kind.REVERSE_PATH: "A strict filter (1) drops packets that come in by another interface than the one by which the "
    "node itself would answer.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The way of a request and of its reply.

    Attributes:
        source, target: the workers.
        pair: the reading between them.
        hops: there, then back.
        cause: why the packet stops; None where it does not.
    """

    source: str
    target: str
    pair: PairReading
    hops: tuple[Hop, ...]
    cause: Cause | None

    @property
    def stop(self) -> Hop | None:
        """The hop at which the packet stops, or may; None where it arrives."""
        return next((hop for hop in self.hops if hop.passage in (Passage.STOPS, Passage.MAY_STOP)), None)

    @property
    def verdict(self) -> str:
        """How far the packet comes, in one sentence."""
        stop = self.stop
        if stop is None:
            return f"It arrives, and the reply comes back: {pair_words(self.pair)}."
        what = "The reply" if stop.is_back else "The request"
        if stop.passage is Passage.MAY_STOP:
            return f"{what} is lost, and what was read does not show where."
        where = "between the nodes" if stop.host is None else f"on {stop.host}, at: {stop.kind}"
        return f"{what} stops {where}."

    @property
    def arrives(self) -> bool:
        """Whether the reply comes back."""
        return self.pair.ok
