"""What `ping` and /proc/net/snmp print, as values. Pure."""

import re
from dataclasses import dataclass
from typing import Final

from kthw_routes.hosts import programs
from kthw_routes.proof.readings import Counters
from kthw_routes.sanitize import clean_value
from kthw_routes.ssh.command import Result

_SENT: Final = re.compile(r"([0-9]{1,9}) packets transmitted, ([0-9]{1,9}) (?:packets )?received")
_MEAN: Final = re.compile(r"= [0-9.]+/([0-9]{1,9}\.[0-9]{1,9})/")
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Pinged:
    """What one `ping` printed."""

    sent: int
    received: int
    round_trip: float | None
    """Milliseconds, the mean of the answers."""
    words: str
    """What it printed besides its statistics."""


def parse_ping(result: Result) -> Pinged:
    """Parse the statistics of a `ping`; where there are none, nothing was received."""
    numbers = _SENT.search(result.out)
    mean = _MEAN.search(result.out)
    complaints = [line for line in result.out.splitlines() if line.startswith("From ")]
    return Pinged(
        sent=int(numbers[1]) if numbers else programs.PINGS,
        received=int(numbers[2]) if numbers else 0,
        round_trip=float(mean[1]) if mean else None,
        words=result.words or (clean_value(complaints[0]) if complaints else ""),
    )


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
