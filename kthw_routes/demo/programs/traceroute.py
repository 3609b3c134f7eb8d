"""`traceroute` 2.1: who answers on the way, by UDP datagrams or, with -I, by echo requests."""

import contextlib
import re
import zlib
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from kthw_routes.demo.linux.process import Process
from kthw_routes.demo.net.forwarding import output_route
from kthw_routes.demo.net.netlink import STRERROR, KernelError
from kthw_routes.demo.net.packets import Kind, Packet
from kthw_routes.demo.programs import program

_FIRST_PORT: Final = 33434
_AT_ONCE: Final = 16
"""How many probes are under way at one time."""
_MARKS: Final = {
    Kind.HOST_UNREACHABLE: " !H",
    Kind.NET_UNREACHABLE: " !N",
    Kind.HOST_PROHIBITED: " !X",
    Kind.NET_PROHIBITED: " !X",
    Kind.FILTERED: " !X",
}


class _Refused(Exception):
    """traceroute gives up."""


@dataclass(slots=True)
class _Settings:
    """The command line."""

    target: str = ""
    numeric: bool = False
    by_echo: bool = False
    hops: int = 30
    probes: int = 3
    wait: float = 5.0
    words: list[str] = field(default_factory=list)


@program("traceroute")
def traceroute(process: Process) -> int:
    """Print the way of packets to an address; see traceroute(8)."""
    try:
        return _Traceroute(process, _parse(process.arguments)).run()
    except _Refused as refused:
        process.err(f"{refused}\n")
        return 2


def _parse(words: list[str]) -> _Settings:
    settings, words = _Settings(), list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            settings.words.append(word)
            continue
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in "mqw":
                value, letters = letters or (words.pop(0) if words else ""), ""
                if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", value):
                    raise _Refused(f"Option `-{letter}' requires an argument: `-{letter} NUMBER'")
                _with_value(settings, letter, value)
            elif letter == "n":
                settings.numeric = True
            elif letter == "I":
                settings.by_echo = True
            elif letter != "4":
                raise _Refused(f"Bad option `-{letter}' (in this lab: -n, -I, -m HOPS, -q PROBES, -w SECONDS)")
    if not settings.words:
        raise _Refused('Specify "host" missing argument.')
    settings.target = settings.words[0]
    return settings


def _with_value(settings: _Settings, letter: str, value: str) -> None:
    match letter:
        case "m":
            settings.hops = max(1, int(float(value)))
        case "q":
            settings.probes = min(10, max(1, int(float(value))))
        case "w":
            settings.wait = float(value)


class _Traceroute:
    def __init__(self, process: Process, settings: _Settings) -> None:
        self.process, self.settings = process, settings
        try:
            self.target = IPv4Address(settings.target)
        except AddressValueError:
            raise _Refused(f"{settings.target}: Temporary failure in name resolution") from None
        self.sent = 0
        self.waited = -1
        """The batch of probes whose time has run out."""

    def run(self) -> int:
        """Print hop after hop until the target or an error answers."""
        settings, out = self.settings, self.process.out
        out(f"traceroute to {settings.target} ({self.target}), {settings.hops} hops max, 60 byte packets\n")
        try:
            output_route(self.process.net, self.target)
        except KernelError as error:
            raise _Refused(f"connect: {STRERROR.get(error.errno, error)}") from None
        for ttl in range(1, settings.hops + 1):
            out(f"{ttl:2} ")
            is_over = self._hop(ttl)
            out("\n")
            if is_over:
                break
        return 0

    def _hop(self, ttl: int) -> bool:
        """Send the probes of one hop and print what came; returns whether it was the last one."""
        last, is_over = None, False
        for _ in range(self.settings.probes):
            self.process.check()
            answer, seconds = self._probe(ttl)
            if answer is None:
                self._wait()
                self.process.out(" *")
                continue
            if answer.source != last:
                last = answer.source
                name = f"{last}" if self.settings.numeric else f"{last} ({last})"
                self.process.out(f" {name}")
            self.process.out(f"  {seconds * 1000:.3f} ms{_MARKS.get(answer.kind, '')}")
            is_over |= answer.kind is not Kind.TTL_EXCEEDED
        return is_over

    def _probe(self, ttl: int) -> tuple[Packet | None, float]:
        self.sent += 1
        with contextlib.suppress(KernelError):
            outcome = self.process.host.network.echo(
                self.process.net,
                self.target,
                source=None,
                device=None,
                identifier=zlib.crc32(f"{id(self)} {self.sent}".encode()),
                sequence=self.sent,
                ttl=ttl,
                size=60,
                port=0 if self.settings.by_echo else _FIRST_PORT + self.sent - 1,
            )
            if outcome.seconds > 1:  # the kernel asked for a neighbour, for all probes of this batch at once
                self._wait(outcome.seconds)
            return outcome.answer, outcome.seconds
        return None, 0.0

    def _wait(self, seconds: float | None = None) -> None:
        """Let the time of a batch of probes run out, once."""
        batch = (self.sent - 1) // _AT_ONCE
        if batch != self.waited:
            self.waited = batch
            self.process.sleep(self.settings.wait if seconds is None else seconds)
