"""What `ping`, /proc/net/snmp and /proc/net/stat/arp_cache print, as values. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.hosts import programs
from kthw_routes.proof.readings import Counters
from kthw_routes.sanitize import clean_value
from kthw_routes.ssh.command import CANNOT_RUN, MAX_WORDS, NO_SUCH_PROGRAM, Result

_SENT: Final = re.compile(r"([0-9]{1,9}) packets transmitted, ([0-9]{1,9}) (?:packets )?received")
_MEAN: Final = re.compile(r"= [0-9.]+/([0-9]{1,9}\.[0-9]{1,9})/")
_LINE: Final = re.compile(r"([0-9.]{7,15}) (full )?([0-9]{1,3})(?: (.*))?")
_COMPLAINT: Final = re.compile(r"(?:From [0-9.]+:? icmp_seq=[0-9]+ (?!Redirect)|ping: ).*?(?= From | ping: | --- |$)")
"""What ping printed in addition; a redirect only tells of a shorter way."""
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]{1,16}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Pinged:
    """What one `ping` printed."""

    sent: int
    received: int
    round_trip: float | None
    """Milliseconds, the mean of the answers."""
    words: str
    """What it printed in addition to its statistics."""
    is_missing: bool = False
    """Whether there is no such program."""
    full_size_lost: str | None = None
    """What was answered to the request of full size, if it did not get through; None where it did, or was not sent."""
    is_full_size_sent: bool = False
    """Whether one was sent."""


def parse_ping(result: Result) -> Pinged:
    """Parse the statistics of a `ping`; where there are none, nothing was received."""
    numbers = _SENT.search(result.out)
    mean = _MEAN.search(result.out)
    complaints = [line for line in result.out.splitlines() if line.startswith("From ") and _COMPLAINT.match(line)]
    return Pinged(
        sent=int(numbers[1]) if numbers else programs.PINGS,
        received=int(numbers[2]) if numbers else 0,
        round_trip=float(mean[1]) if mean else None,
        words=result.words or (clean_value(complaints[0]) if complaints else ""),
        is_missing=result.status in (CANNOT_RUN, NO_SUCH_PROGRAM),
    )


def parse_pings(result: Result, addresses: Iterable[IPv4Address]) -> dict[IPv4Address, Pinged]:
    """Parse what `programs.ping_together` printed of these addresses; of one without a line nothing was received."""
    found = {
        address: Pinged(
            sent=programs.PINGS,
            received=0,
            round_trip=None,
            words=result.words,
            is_missing=result.status in (CANNOT_RUN, NO_SUCH_PROGRAM),
        )
        for address in addresses
    }
    for line in result.out.splitlines():
        if not (match := _LINE.fullmatch(line)):
            continue
        try:
            address = IPv4Address(match[1])
        except ValueError:
            continue
        if address not in found:
            continue
        printed = match[4] or ""
        numbers, mean = _SENT.search(printed), _MEAN.search(printed)
        if match[2]:
            found[address] = with_full_size(found[address], Result(int(match[3]), printed.encode(), b""))
            continue
        found[address] = Pinged(
            sent=int(numbers[1]) if numbers else programs.PINGS,
            received=int(numbers[2]) if numbers else 0,
            round_trip=float(mean[1]) if mean else None,
            words=_complaint(printed) or ("" if numbers else clean_value(printed[:MAX_WORDS])),
            is_missing=int(match[3]) in (CANNOT_RUN, NO_SUCH_PROGRAM),
        )
    return found


def with_full_size(pinged: Pinged, result: Result) -> Pinged:
    """Add what became of the request of full size; nothing where this `ping` cannot send one."""
    text = " ".join(f"{result.out} {result.err}".split())
    numbers = _SENT.search(text)
    if numbers is None:
        return pinged
    return replace(pinged, is_full_size_sent=True, full_size_lost=None if int(numbers[2]) else _complaint(text))


def _complaint(printed: str) -> str:
    """Return what ping printed in addition, in one line; empty for nothing."""
    complaint = _COMPLAINT.search(printed)
    return clean_value(complaint[0][:MAX_WORDS]) if complaint else ""


def count_full_tables(text: str) -> int | None:
    """Count how often the neighbour table was full since boot; None where the statistics are not there.

    A line of names, and one for each processor, in hexadecimal.
    """
    lines = [line.split() for line in text.splitlines()]
    if not lines or "table_fulls" not in lines[0]:
        return None
    column = lines[0].index("table_fulls")
    return sum(int(line[column], 16) for line in lines[1:] if _HEXADECIMAL.fullmatch("".join(line[column:][:1])))


def parse_counters(text: str) -> Counters:
    """Parse the ICMP counters of /proc/net/snmp: two lines that begin with `Icmp:`, names and values."""
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith("Icmp:")]
    names, numbers = lines[:2] if len(lines) >= 2 else ([], [])
    values = {name: int(value) for name, value in zip(names, numbers, strict=False) if _NUMBER.fullmatch(value)}
    return Counters(
        requests_in=values.get("InEchos", 0),
        replies_out=values.get("OutEchoReps", 0),
        requests_out=values.get("OutEchos", 0),
        replies_in=values.get("InEchoReps", 0),
    )
