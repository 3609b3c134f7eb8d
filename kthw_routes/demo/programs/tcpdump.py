"""`tcpdump` 4.99: the packets on a host's interfaces, line by line, until ^C."""

import contextlib
import queue
import time
from dataclasses import dataclass
from typing import Final

from kthw_routes.demo.linux.process import Interrupted, Process
from kthw_routes.demo.net.kernel import Kernel
from kthw_routes.demo.net.netlink import KernelError
from kthw_routes.demo.net.packets import Kind, Packet
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.tcpdump_filter import SyntaxFault, parse_filter

_POLL: Final = 0.05
"""Modelled seconds between two looks for packets."""
_FLAGS: Final = "nlvqtUe"
_UNREACHABLE: Final = {
    Kind.HOST_UNREACHABLE: "host {about} unreachable",
    Kind.NET_UNREACHABLE: "net {about} unreachable",
    Kind.HOST_PROHIBITED: "host {about} unreachable - admin prohibited",
    Kind.NET_PROHIBITED: "net {about} unreachable - admin prohibited",
    Kind.FILTERED: "host {about} unreachable - admin prohibited filter",
    Kind.TTL_EXCEEDED: "time exceeded in-transit",
    Kind.FRAGMENTATION_NEEDED: "{about} unreachable - need to frag (mtu {mtu})",
}
_HEADER: Final = 20
"""Bytes of an IP header."""


class _Refused(Exception):
    """tcpdump gives up."""


@dataclass(slots=True)
class _Settings:
    """The command line."""

    device: str = "eth0"
    count: int | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet on one interface."""

    seconds: float
    """Since the epoch, on the host's clock."""
    device: str
    way: str
    """`In`, `Out`, or `ARP` for a question about `packet.about` that goes out."""
    packet: Packet


@program("tcpdump")
def tcpdump(process: Process) -> int:
    """Print packets as they come and go; see tcpdump(8)."""
    try:
        settings = _parse(process.arguments)
        return _capture(process, settings)
    except _Refused as refused:
        process.err(f"tcpdump: {refused}\n")
        return 1


def _parse(words: list[str]) -> _Settings:
    settings = _Settings()
    words = list(words)
    while words and words[0].startswith("-"):
        letters = words.pop(0)[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in "ic":
                if not letters and not words:
                    raise _Refused(f"option requires an argument -- '{letter}'")
                value, letters = letters or words.pop(0), ""
                if letter == "i":
                    settings.device = value
                elif not value.isdecimal() or int(value) < 1:
                    raise _Refused(f"invalid packet count {value}")
                else:
                    settings.count = int(value)
            elif letter not in _FLAGS:
                raise _Refused(f"invalid option -- '{letter}' (in this lab: -i, -c, -n, and a filter such as icmp)")
    settings.words = tuple(words)
    return settings


def _capture(process: Process, settings: _Settings) -> int:
    if not process.user.is_root:
        raise _Refused(f"{settings.device}: You don't have permission to capture on that device")
    is_any = settings.device == "any"
    if not is_any:
        try:
            process.net.link(settings.device)
        except KernelError:
            raise _Refused(f"{settings.device}: No such device exists\n(No such device exists)") from None
    try:
        wanted = parse_filter(list(settings.words))
    except SyntaxFault:
        raise _Refused("can't parse filter expression: syntax error") from None
    frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    host = process.host

    def tap(kernel: Kernel, device: str, way: str, packet: Packet) -> None:
        if kernel is not process.net or not wanted(packet, way == "ARP"):
            return
        seen = (device, *_ports(process, device, packet)) if way != "In" else (*_ports(process, device, packet), device)
        for name in seen:
            if is_any or name == settings.device:
                frames.put(Frame(host.files.now(), name, way, packet))

    link = "LINUX_SLL2 (Linux cooked v2)" if is_any else "EN10MB (Ethernet)"
    start = "tcpdump: data link type LINUX_SLL2\n" if is_any else ""
    host.network.taps.append(tap)
    process.err(
        f"{start}tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n"
        f"listening on {settings.device}, link-type {link}, snapshot length 262144 bytes\n"
    )
    shown = 0
    try:
        with contextlib.suppress(Interrupted):  # ^C: tcpdump still counts
            while settings.count is None or shown < settings.count:
                process.sleep(_POLL)
                shown += _print_all(process, frames, is_any, settings.count, shown)
    finally:
        host.network.taps.remove(tap)
        counted = f"{shown} packet{'' if shown == 1 else 's'}"
        process.err(f"{counted} captured\n{counted} received by filter\n0 packets dropped by kernel\n")
    return 0


def _print_all(
    process: Process, frames: "queue.SimpleQueue[Frame]", is_any: bool, count: int | None, shown: int
) -> int:
    """Print what has come, up to the count; returns how many."""
    printed = 0
    while not frames.empty() and (count is None or shown + printed < count):
        process.out(line_of(frames.get(), is_any=is_any) + "\n")
        printed += 1
    return printed


def _ports(process: Process, device: str, packet: Packet) -> list[str]:
    """Return the port of a bridge that a packet of a pod comes by: the other end of the pod's interface."""
    if device != "cnio0":
        return []
    for pod in process.host.namespaces.values():
        if pod.is_local(packet.source) or pod.is_local(packet.destination):
            index = (pod.link("eth0").peer or "if0").removeprefix("if")
            return [link.name for link in process.net.links if str(link.index) == index]
    return []


def line_of(frame: Frame, *, is_any: bool) -> str:
    """Return the line that tcpdump prints with -n."""
    now = time.gmtime(frame.seconds)
    clock = f"{now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02}.{int(frame.seconds % 1 * 1_000_000):06}"
    way = "Out" if frame.way == "ARP" else frame.way
    place = f"{frame.device:<5} {way:<3} " if is_any else ""
    packet = frame.packet
    if frame.way == "ARP":
        return f"{clock} {place}ARP, Request who-has {packet.about} tell {packet.source}, length 28"
    if packet.port and packet.kind is Kind.ECHO:
        ends = f"{packet.source}.{_short(packet.identifier)} > {packet.destination}.{packet.port}"
        return f"{clock} {place}IP {ends}: UDP, length {packet.size - _HEADER - 8}"
    if packet.inner is not None:
        ends = f"{packet.source}.{_short(packet.inner.packet.identifier)} > {packet.destination}.{packet.port}"
        inside = packet.inner.packet
        return (
            f"{clock} {place}IP {ends}: VXLAN, flags [I] (0x08), vni {packet.inner.vni}\n"
            f"IP {inside.source} > {inside.destination}: ICMP {_icmp(inside)}, length {inside.size - _HEADER}"
        )
    words = _icmp(packet)
    return f"{clock} {place}IP {packet.source} > {packet.destination}: ICMP {words}, length {packet.size - _HEADER}"


def _icmp(packet: Packet) -> str:
    if not packet.kind.is_error:
        return f"{packet.kind}, id {_short(packet.identifier)}, seq {packet.sequence}"
    if packet.kind is Kind.PORT_UNREACHABLE:
        what = f"udp port {packet.port}" if packet.port else f"protocol 1 port {_short(packet.identifier)}"
        return f"{packet.about} {what} unreachable"
    return _UNREACHABLE[packet.kind].format(about=packet.about, mtu=packet.mtu)


def _short(identifier: int) -> int:
    """Return 16 bits of a number that is unique in the model."""
    return identifier & 0xFFFF or 1
