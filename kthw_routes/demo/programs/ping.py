"""`ping` of iputils 20221126: its lines, its patience."""

import contextlib
import errno
import math
import zlib
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from kthw_routes.demo.linux.nodes import FileError
from kthw_routes.demo.linux.process import Interrupted, Process
from kthw_routes.demo.net.forwarding import output_route
from kthw_routes.demo.net.netlink import STRERROR, KernelError, RouteType
from kthw_routes.demo.net.packets import Kind, Packet
from kthw_routes.demo.programs import program
from kthw_routes.demo.programs.ping_options import Refused, Settings, parse_options

BROADCAST: Final = "Do you want to ping broadcast? Then -b. If not, check your local firewall rules"
LINGER: Final = 10.0
"""Seconds that ping waits for the last answer unless -W says otherwise."""


@dataclass(slots=True)
class Tally:
    """What has happened so far. Times are on the host's clock."""

    sent: int = 0
    received: int = 0
    errors: int = 0
    times: list[float] = field(default_factory=list)
    """Round trips in milliseconds."""
    first_sent: float = 0.0
    last_sent: float = 0.0
    coming: list[tuple[float, int, str, float | None]] = field(default_factory=list)
    """(when, sequence number, line, round trip in ms or None for an error) of what is still under way."""
    most_under_way: int = 1


@program("ping")
def ping(process: Process) -> int:
    """Send echo requests and say what comes back; see ping(8)."""
    try:
        return _Ping(process, parse_options(process.arguments)).run()
    except Refused as refused:
        process.err(f"ping: {refused}\n")
        return refused.status


class _Ping:
    def __init__(self, process: Process, settings: Settings) -> None:
        self.process = process
        self.settings = settings
        self.kernel = process.net
        self.clock = process.host.clock
        self.tally = Tally()
        self.target = self._resolve(settings.target)
        self.source, self.device = self._bound()
        # Unique enough: two pings at one time differ in their source, target or start.
        self.identifier = zlib.crc32(f"{id(self)} {self.target}".encode())

    def _resolve(self, name: str) -> IPv4Address:
        try:
            return IPv4Address(name)
        except AddressValueError:
            pass
        try:
            text = self.process.host.files.read("/etc/hosts", self.process).decode("utf-8", "replace")
        except FileError:
            text = ""
        for line in text.splitlines():
            words = line.partition("#")[0].split()
            if name in words[1:]:
                try:
                    return IPv4Address(words[0])
                except AddressValueError:
                    continue
        raise Refused(f"{name}: Temporary failure in name resolution", 2)

    def _bound(self) -> tuple[IPv4Address | None, str | None]:
        bind = self.settings.bind
        if bind is None:
            return None, None
        try:
            address = IPv4Address(bind)
        except AddressValueError:
            try:
                self.kernel.link(bind)
            except KernelError:
                raise Refused(f"SO_BINDTODEVICE {bind}: No such device", 2) from None
            return None, bind
        if not self.kernel.is_local(address):
            raise Refused("bind: Cannot assign requested address", 2)
        return address, None

    def run(self) -> int:
        """Ping, print the statistics, return the status."""
        source = self._connect()
        size = self.settings.size
        whence = ""
        if self.settings.bind:
            whence = f" from {source} {self.device or ''}:"
        self.process.out(f"PING {self.settings.target} ({self.target}){whence} {size}({size + 28}) bytes of data.\n")
        with contextlib.suppress(Interrupted):  # ^C: ping still prints what it knows
            self._exchange()
        self._statistics()
        if not self.tally.received:
            return 1
        enough = self.settings.deadline is None or self.settings.count is None
        return 0 if enough or self.tally.received >= (self.settings.count or 0) else 1

    def _connect(self) -> IPv4Address | None:
        """Ask for the source address as ping does, by connecting a socket; a bound address needs none."""
        if self.source:
            return self.source
        try:
            decision = output_route(self.kernel, self.target, device=self.device)
        except KernelError as error:
            if error.errno == errno.EACCES:
                raise Refused(BROADCAST, 2) from None
            raise Refused(f"connect: {STRERROR.get(error.errno, error)}", 2) from None
        if decision.type is RouteType.BROADCAST:
            raise Refused(BROADCAST, 2)
        return decision.source

    def _exchange(self) -> None:
        settings, tally = self.settings, self.tally
        begin = tally.first_sent = self.clock.now()
        end = begin + settings.deadline if settings.deadline is not None else math.inf
        while settings.count is None or tally.sent < settings.count:
            self._send()
            if settings.count is not None and tally.sent >= settings.count:
                break
            if not self._wait_until(min(begin + tally.sent * settings.interval, end), everything=False):
                return
            if self.clock.now() >= end:
                return
        patience = LINGER if settings.wait is None else settings.wait
        if settings.wait is None and tally.times:
            patience = 2 * max(tally.times) / 1000
        self._wait_until(min(self.clock.now() + patience, end), everything=True)

    def _send(self) -> None:
        tally, process = self.tally, self.process
        tally.sent += 1
        sequence = tally.sent & 0xFFFF
        tally.last_sent = self.clock.now()
        try:
            outcome = process.host.network.echo(
                self.kernel,
                self.target,
                source=self.source,
                device=self.device,
                identifier=self.identifier,
                sequence=sequence,
                ttl=self.settings.ttl,
                size=self.settings.size + 28,
                is_whole=self.settings.is_whole,
            )
        except KernelError as error:
            if error.errno == errno.EPERM:
                process.err("ping: sendmsg: Operation not permitted\n")
            elif error.errno == errno.EMSGSIZE:
                tally.errors += 1
                process.err(f"ping: local error: message too long, mtu={error}\n")
            return  # a raw socket with a bound source drops it without a word
        answer = outcome.answer
        if answer is None:
            return
        when = tally.last_sent + outcome.seconds
        if answer.kind is Kind.REPLY:
            milliseconds = round(outcome.seconds * 1000, 3)
            name = str(answer.source)
            if not self.settings.numeric and self.settings.target != name:
                name = f"{self.settings.target} ({name})"
            line = f"{self.settings.size + 8} bytes from {name}: icmp_seq={sequence} ttl={answer.ttl}"
            tally.coming.append((when, sequence, f"{line} time={_milliseconds(milliseconds)} ms", milliseconds))
        else:
            if outcome.seconds > 1:
                # the packets that wait for a neighbour fail together, when the first of them does
                when = max(tally.first_sent + outcome.seconds, tally.last_sent)
            tally.coming.append((when, sequence, f"From {answer.source} icmp_seq={sequence} {_told(answer)}", None))

    def _wait_until(self, moment: float, *, everything: bool) -> bool:
        """Print what comes until then, or until everything has come; False if nothing more is to be waited for."""
        while True:
            self.tally.coming.sort(key=lambda item: item[:2])
            due = self.tally.coming[0][0] if self.tally.coming else math.inf
            if everything and self.tally.received + self.tally.errors >= self.tally.sent:
                return True
            now = self.clock.now()
            if due <= moment:
                self.process.sleep(max(due - now, 0.0))
                self._take(self.tally.coming.pop(0))
                continue
            self.process.sleep(max(moment - now, 0.0))
            return True

    def _take(self, item: tuple[float, int, str, float | None]) -> None:
        _, sequence, line, milliseconds = item
        self.tally.most_under_way = max(self.tally.most_under_way, self.tally.sent - sequence + 1)
        if milliseconds is None:
            self.tally.errors += 1
        else:
            self.tally.received += 1
            self.tally.times.append(milliseconds)
        if not self.settings.quiet:
            self.process.out(line + "\n")

    def _statistics(self) -> None:
        tally = self.tally
        loss = 100 * (tally.sent - tally.received) / tally.sent if tally.sent else 0
        errors = f" +{tally.errors} errors," if tally.errors else ""
        elapsed = round((tally.last_sent - tally.first_sent) * 1000)
        self.process.out(
            f"\n--- {self.settings.target} ping statistics ---\n"
            f"{tally.sent} packets transmitted, {tally.received} received,{errors} {loss:.6g}% packet loss, "
            f"time {elapsed}ms\n"
        )
        if tally.times:
            times = tally.times
            mean = sum(times) / len(times)
            deviation = math.sqrt(max(sum(t * t for t in times) / len(times) - mean * mean, 0.0))
            numbers = (min(times), mean, max(times), deviation)
            self.process.out(f"rtt min/avg/max/mdev = {'/'.join(f'{n:.3f}' for n in numbers)} ms")
        if tally.most_under_way > 1:
            self.process.out(f"{', ' if tally.times else ''}pipe {tally.most_under_way}")
        self.process.out("\n")


def _told(answer: Packet) -> str:
    """Return an error in ping's words."""
    return f"{answer.kind} (mtu = {answer.mtu})" if answer.kind is Kind.FRAGMENTATION_NEEDED else str(answer.kind)


def _milliseconds(value: float) -> str:
    """Round as ping does: three digits that count."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}"
