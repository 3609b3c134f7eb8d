"""`ping` of iputils 20221126: its options, its lines, its patience."""

import contextlib
import errno
import math
import re
import zlib
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from kthw_routes.demo.linux.files import FileError
from kthw_routes.demo.linux.process import Interrupted, Process
from kthw_routes.demo.net.forwarding import output_route
from kthw_routes.demo.net.netlink import STRERROR, KernelError, RouteType
from kthw_routes.demo.net.network import Kind
from kthw_routes.demo.programs import program

USAGE: Final = """
Usage
  ping [options] <destination>

Options:
  <destination>      dns name or ip address
  -c <count>         stop after <count> replies
  -i <interval>      seconds between sending each packet
  -I <interface>     either interface name or address
  -n                 no dns name resolution
  -q                 quiet output
  -s <size>          use <size> as number of data bytes to be sent
  -t <ttl>           define time to live
  -w <deadline>      reply wait <deadline> in seconds
  -W <timeout>       time to wait for response
  -4                 use IPv4

For more details see ping(8).
"""
BROADCAST: Final = "Do you want to ping broadcast? Then -b. If not, check your local firewall rules"
LINGER: Final = 10.0
"""Seconds that ping waits for the last answer unless -W says otherwise."""
_WITH_VALUE: Final = "cCiIlmMpQsStTwW"
_FLAGS: Final = "4ADLOUbdfnqv"


class Refused(Exception):
    """ping gives up before it has sent anything."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Settings:
    """What the options said."""

    target: str = ""
    count: int | None = None
    interval: float = 1.0
    wait: float | None = None
    deadline: float | None = None
    size: int = 56
    ttl: int = 64
    quiet: bool = False
    numeric: bool = False
    bind: str | None = None


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
        settings = _settings(process)
        return _Ping(process, settings).run()
    except Refused as refused:
        process.err(f"ping: {refused}\n")
        return refused.status


def _settings(process: Process) -> Settings:
    settings = Settings()
    words = process.arguments
    while words:
        word, words = words[0], words[1:]
        if not word.startswith("-") or word == "-":
            settings.target = word
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in _WITH_VALUE:
                if not letters and not words:
                    raise Refused(f"option requires an argument -- '{letter}'\n{USAGE}".rstrip("\n"), 2)
                value, letters, words = (letters, "", words) if letters else (words[0], "", words[1:])
                _with_value(settings, letter, value)
            elif letter in _FLAGS:
                settings.quiet |= letter == "q"
                settings.numeric |= letter == "n"
            else:
                raise Refused(f"invalid option -- '{letter}'\n{USAGE}".rstrip("\n"), 2)
    if not settings.target:
        raise Refused("usage error: Destination address required", 1)
    return settings


def _with_value(settings: Settings, letter: str, value: str) -> None:
    match letter:
        case "c":
            settings.count = _whole(value, 1, 2**63 - 1)
        case "i":
            settings.interval = _seconds(value)
        case "W":
            settings.wait = _seconds(value)
        case "w":
            settings.deadline = float(_whole(value, 0, 2**31 - 1))
        case "s":
            settings.size = _whole(value, 0, 127992)
        case "t":
            settings.ttl = _whole(value, 0, 255)
        case "I":
            settings.bind = value


def _whole(text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise Refused(f"invalid argument: '{text}'", 1)
    if not low <= int(text) <= high:
        raise Refused(f"invalid argument: '{text}': out of range: {low} <= value <= {high}", 1)
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Refused(f"option argument contains garbage: {text}", 1) from None
    if not math.isfinite(value) or value < 0:
        raise Refused(f"bad timing interval: '{text}'", 1)
    return value


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
            )
        except KernelError:
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
            tally.coming.append((when, sequence, f"From {answer.source} icmp_seq={sequence} {answer.kind}", None))

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


def _milliseconds(value: float) -> str:
    """As ping rounds: three digits that count."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}"
