"""Packets between the modelled hosts: each is carried by the tables that it meets, there and back.

Interfaces are plugged into segments (one shared Ethernet for the nodes, one bridge per worker for its pods). A
packet is routed, its next hop is looked for on the segment, the provider's filter may swallow it, and the next
host delivers or forwards it.
"""

import errno
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.demo.clock import Clock, RealClock
from kthw_routes.demo.net.forwarding import Decision, input_route, output_route, select_source
from kthw_routes.demo.net.kernel import Kernel
from kthw_routes.demo.net.netlink import KernelError, RouteType, Scope
from kthw_routes.demo.net.packets import COUNTERS, HOP_LIMIT, REJECTIONS, Kind, Packet, Tunnelled
from kthw_routes.netfilter.rules import Hook
from kthw_routes.netfilter.rules import Packet as Seen
from kthw_routes.netfilter.walk import Hit
from kthw_routes.overlay.model import OVERHEAD

NO_NEIGHBOUR_AFTER: Final = 3.07
"""Seconds until the kernel gives up asking for a neighbour (three probes, one a second)."""

_REPORT_HEADERS: Final = 28
_MAX_REPORT: Final = 576
"""Bytes of a report: IP and ICMP headers, and as much of the packet as fits."""


Filter = Callable[[Packet], bool]
"""Whether the provider drops this packet where it leaves a host's port."""


def drops_sources_outside(*networks: IPv4Network) -> Filter:
    """Make a source-address filter: what carries any other source is dropped at the sender's port.

    This is what eu-west is modelled with (the cause that the lab's author suspected). A request from a pod's own
    address never arrives; a request that the node masquerades does, and the reply is dropped at the other port.
    """
    return lambda packet: not any(packet.source in network for network in networks)


Tap = Callable[[Kernel, str, str, Packet], None]
"""Called with each packet that an interface takes in or sends: namespace, interface, `In` or `Out`, packet. An `ARP`
question that nobody answers is seen with the packet that waits for the answer. It may not block."""


@dataclass(slots=True)
class Segment:
    """One Ethernet: everything that is plugged in reaches everything else directly."""

    name: str
    ports: list[tuple[Kernel, str]] = field(default_factory=list)
    """(host, interface)."""
    filter: Filter | None = None
    mute: set[IPv4Address] = field(default_factory=set)
    """Addresses for which nobody answers, whoever has them."""

    def holder(self, ip: IPv4Address, asking: tuple[Kernel, str]) -> tuple[Kernel, str] | None:
        """Find who answers for an address; a host answers for each of its addresses, as Linux does."""
        if ip in self.mute:
            return None
        for kernel, device in self.ports:
            if (kernel, device) != asking and kernel.link(device).up and kernel.is_local(ip):
                return kernel, device
        return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an echo request."""

    answer: Packet | None
    """A reply or an error that reached the sender; None: nothing came back."""
    seconds: float
    """How long it took to come."""


class Network:
    """All segments and all network namespaces, under one lock."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or RealClock()
        self.lock = threading.RLock()
        self.segments: list[Segment] = []
        self.silent: list[Kernel] = []
        """Namespaces that forward nothing and report nothing: the provider's router."""
        self.before_packet: list[Callable[[], None]] = []
        """Called before a packet is sent: what is due on any host happens first."""
        self.taps: list[Tap] = []
        """Called with each packet on an interface."""
        self._answers: dict[tuple[int, int], Packet] = {}
        self._translated: dict[tuple[int, int, IPv4Address], IPv4Address] = {}

    def kernel(self) -> Kernel:
        """Make a network namespace."""
        return Kernel(self.clock, self.lock)

    def segment(self, name: str, filter_: Filter | None = None) -> Segment:
        """Make an Ethernet."""
        segment = Segment(name, filter=filter_)
        self.segments.append(segment)
        return segment

    def _is_silent(self, kernel: Kernel) -> bool:
        return any(silent is kernel for silent in self.silent)

    # echo

    def echo(
        self,
        kernel: Kernel,
        destination: IPv4Address,
        *,
        source: IPv4Address | None,
        device: str | None,
        identifier: int,
        sequence: int,
        ttl: int = HOP_LIMIT,
        size: int = 84,
        is_whole: bool = False,
        port: int = 0,
    ) -> Outcome:
        """Send one echo request, or a UDP datagram to a `port` where nobody listens, and say what comes back.

        Raises:
            KernelError: the host's own routes refuse it; EPERM: its firewall; EMSGSIZE with the MTU: it is too big.
        """
        for settle in self.before_packet:
            settle()
        with self.lock:
            decision = output_route(kernel, destination, source=source, device=device)
            if decision.type not in (RouteType.UNICAST, RouteType.LOCAL):
                raise KernelError(errno.EACCES)
            request = Packet(
                source=decision.source or destination,
                destination=destination,
                kind=Kind.ECHO,
                identifier=identifier,
                sequence=sequence,
                ttl=ttl,
                size=size,
                is_whole=is_whole,
                port=port,
            )
            mtu = kernel.link(decision.device).mtu
            if is_whole and size > mtu:
                raise KernelError(errno.EMSGSIZE, str(mtu))
            if self._hit(kernel, Hook.OUTPUT, request, "", decision.device) is not None:
                raise KernelError(errno.EPERM)
            self._answers.pop((id(kernel), identifier), None)
            kernel.counters["OutEchos"] += not port
            self._leave(kernel, request, decision)
            answer = self._answers.pop((id(kernel), identifier), None)
            if answer is None:
                return Outcome(None, 0.0)
            if answer.kind is Kind.HOST_UNREACHABLE:
                return Outcome(answer, NO_NEIGHBOUR_AFTER)
            return Outcome(answer, _round_trip(answer))

    def _leave(self, kernel: Kernel, packet: Packet, decision: Decision) -> None:
        """Let a packet leave a host the way that was decided."""
        if decision.type is RouteType.LOCAL:
            self._tap(kernel, "lo", "In", packet)
            self._deliver(kernel, packet)
            return
        next_hop = decision.gateway or packet.destination
        if kernel.link(decision.device).vxlan is not None:
            self._enter_tunnel(kernel, packet, decision.device, next_hop)
            return
        found = self._port(kernel, decision.device)
        if found is None:
            return
        if packet.is_whole and packet.size > (mtu := kernel.link(decision.device).mtu):
            self._report(kernel, packet, Kind.FRAGMENTATION_NEEDED, mtu)
            return
        segment, master = found
        holder = segment.holder(next_hop, (kernel, master))
        mac = holder[0].link(holder[1]).mac if holder else None
        kernel.neighbours[(decision.device, next_hop)] = mac
        if holder is None:
            self._tap(kernel, decision.device, "ARP", replace(packet, about=next_hop))
            self._report(kernel, packet, Kind.HOST_UNREACHABLE)
            return
        self._tap(kernel, decision.device, "Out", packet)
        if segment.filter and segment.filter(packet):
            return
        self._arrive(holder[0], holder[1], replace(packet, hops=packet.hops + 1))

    def _tap(self, kernel: Kernel, device: str, way: str, packet: Packet) -> None:
        for tap in self.taps:
            tap(kernel, device, way, packet)

    def _enter_tunnel(self, kernel: Kernel, packet: Packet, device: str, next_hop: IPv4Address) -> None:
        """Send a packet inside of another to the node at which the next hop's MAC address is."""
        link = kernel.link(device)
        if link.vxlan is None or not link.up:
            return
        if packet.is_whole and packet.size > link.mtu:
            self._report(kernel, packet, Kind.FRAGMENTATION_NEEDED, link.mtu)
            return
        mac = kernel.neighbours.get((device, next_hop))
        if mac is None:
            self._report(kernel, packet, Kind.HOST_UNREACHABLE)
            return
        remote = link.remotes.get(mac)
        if remote is None or link.vxlan.local is None:
            return
        self._tap(kernel, device, "Out", packet)
        outer = Packet(
            link.vxlan.local,
            remote,
            Kind.VXLAN,
            identifier=0,
            sequence=0,
            hops=packet.hops,
            size=packet.size + OVERHEAD,
            port=link.vxlan.port,
            inner=Tunnelled(packet=packet, vni=link.vxlan.vni, mac=mac),
        )
        self._send_own(kernel, outer)

    def _leave_tunnel(self, kernel: Kernel, inner: Tunnelled, outer: Packet) -> None:
        """Take a packet out of another, where a device has its number and its MAC address."""
        for link in kernel.links:
            is_its = link.vxlan is not None and (link.vxlan.vni, link.vxlan.port) == (inner.vni, outer.port)
            if is_its and link.up and link.mac == inner.mac:
                self._arrive(kernel, link.name, replace(inner.packet, hops=outer.hops))
                return

    def _port(self, kernel: Kernel, device: str) -> tuple[Segment, str] | None:
        if not kernel.link(device).up:
            return None
        for segment in self.segments:
            if any(k is kernel and name == device for k, name in segment.ports):
                return segment, device
        return None

    def _arrive(self, kernel: Kernel, device: str, packet: Packet) -> None:
        if packet.is_whole and packet.size > kernel.link(device).mtu:
            return  # its interface takes none that large, and says nothing
        self._tap(kernel, device, "In", packet)
        packet = self._translated_back(kernel, packet)
        try:
            decision = input_route(kernel, packet.destination, packet.source, device)
        except KernelError as error:
            if error.errno == errno.ENETUNREACH and kernel.forwards:
                self._report(kernel, packet, Kind.NET_UNREACHABLE)
            return
        hook, out = (Hook.INPUT, "") if decision.type is RouteType.LOCAL else (Hook.FORWARD, decision.device)
        if (hit := self._hit(kernel, hook, packet, device, out)) is not None:
            if hit.rejects:
                words = hit.text.rpartition("--reject-with ")[2]
                self._report(kernel, packet, REJECTIONS.get(words, Kind.PORT_UNREACHABLE))
            return
        if decision.type is RouteType.LOCAL:
            self._deliver(kernel, packet)
        elif decision.type is RouteType.UNICAST and not self._is_silent(kernel):
            if packet.ttl <= 1:
                self._report(kernel, packet, Kind.TTL_EXCEEDED)
                return
            passed_on = self._masqueraded(kernel, replace(packet, ttl=packet.ttl - 1), decision)
            self._leave(kernel, passed_on, decision)

    def _hit(self, kernel: Kernel, hook: Hook, packet: Packet, iif: str, oif: str) -> Hit | None:
        is_reply = packet.kind not in (Kind.ECHO, Kind.VXLAN)
        is_udp = bool(packet.port) and not is_reply
        seen = Seen(
            source=packet.source,
            destination=packet.destination,
            iif=iif,
            oif=oif,
            is_reply=is_reply,
            protocol="udp" if is_udp else "icmp",
            port=packet.port if is_udp else None,
        )
        return kernel.firewall.hit(hook, seen)

    def _deliver(self, kernel: Kernel, packet: Packet) -> None:
        if packet.inner is not None:
            self._leave_tunnel(kernel, packet.inner, packet)
            return
        if packet.port and packet.kind is Kind.ECHO:
            self._report(kernel, packet, Kind.PORT_UNREACHABLE)
            return
        kernel.counters[f"In{COUNTERS.get(packet.kind, 'DestUnreachs')}"] += 1
        if packet.kind is not Kind.ECHO:
            self._answers[id(kernel), packet.identifier] = packet
            return
        reply = replace(packet, source=packet.destination, destination=packet.source, kind=Kind.REPLY, ttl=HOP_LIMIT)
        self._send_own(kernel, replace(reply, is_whole=False))

    def _report(self, kernel: Kernel, packet: Packet, kind: Kind, mtu: int = 0) -> None:
        """Tell the sender of a packet what became of it. Errors about errors are never sent."""
        if packet.kind.is_error or self._is_silent(kernel):
            return
        report = Packet(
            source=packet.destination,
            destination=packet.source,
            kind=kind,
            identifier=packet.identifier,
            sequence=packet.sequence,
            hops=packet.hops,
            size=min(packet.size + _REPORT_HEADERS, _MAX_REPORT),
            mtu=mtu,
            port=packet.port,
            about=packet.destination,
        )
        try:
            decision = output_route(kernel, packet.source)
        except KernelError:
            return
        kernel.counters[f"Out{COUNTERS.get(kind, 'DestUnreachs')}"] += 1
        own = packet.destination if kernel.is_local(packet.destination) else decision.source or packet.destination
        if decision.type is RouteType.LOCAL:
            # about a packet of this host's own: the report comes from the address that it left with
            own = self._face(kernel, packet) or own
            if packet.kind is Kind.REPLY:
                return
        self._leave(kernel, replace(report, source=own), decision)

    def _face(self, kernel: Kernel, packet: Packet) -> IPv4Address | None:
        try:
            return output_route(kernel, packet.destination).source
        except KernelError:
            return None

    def _send_own(self, kernel: Kernel, packet: Packet) -> None:
        try:
            decision = output_route(kernel, packet.destination, source=packet.source)
        except KernelError:
            return  # before the kernel counts it
        kernel.counters["OutEchoReps"] += packet.kind is Kind.REPLY
        if self._hit(kernel, Hook.OUTPUT, packet, "", decision.device) is None:
            self._leave(kernel, packet, decision)

    # address translation of the pods' nodes

    def _masqueraded(self, kernel: Kernel, packet: Packet, decision: Decision) -> Packet:
        if packet.kind is not Kind.ECHO:
            return packet  # only the first packet of a conversation is looked at; answers follow the tracked one
        for pods in kernel.masquerade:
            if packet.source in pods and packet.destination not in pods:
                own = select_source(kernel, decision.device, decision.gateway, Scope.GLOBAL)
                if own:
                    self._translated[(id(kernel), packet.identifier, own)] = packet.source
                    return replace(packet, source=own)
        return packet

    def _translated_back(self, kernel: Kernel, packet: Packet) -> Packet:
        if packet.kind is Kind.ECHO:
            return packet
        original = self._translated.get((id(kernel), packet.identifier, packet.destination))
        return replace(packet, destination=original) if original else packet


def _round_trip(answer: Packet) -> float:
    """Compute the seconds of a round trip: a quarter of a millisecond per segment, and a little that looks random."""
    seed = zlib.crc32(f"{answer.source} {answer.destination} {answer.sequence}".encode())
    wobble = (seed % 1000) / 1000
    if answer.hops == 0:
        return 0.00003 + 0.00003 * wobble
    return (0.11 + 0.11 * wobble) * 0.001 * answer.hops + 0.0001
