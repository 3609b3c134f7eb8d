"""The command line of `ping` (iputils 20221126)."""

import math
import re
from dataclasses import dataclass
from typing import Final

USAGE: Final = """
Usage
  ping [options] <destination>

Options:
  <destination>      dns name or ip address
  -c <count>         stop after <count> replies
  -i <interval>      seconds between sending each packet
  -I <interface>     either interface name or address
  -M <pmtud opt>     define mtu discovery, can be one of <do|dont|want>
  -n                 no dns name resolution
  -q                 quiet output
  -s <size>          use <size> as number of data bytes to be sent
  -t <ttl>           define time to live
  -w <deadline>      reply wait <deadline> in seconds
  -W <timeout>       time to wait for response
  -4                 use IPv4

For more details see ping(8).
"""
_WITH_VALUE: Final = "cCiIlmMpQsStTwW"
_FLAGS: Final = "4ADLOUbdfnqv"


class Refused(Exception):
    """ping gives up before it has sent anything."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Settings:
    """The options."""

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
    is_whole: bool = False
    """Whether packets are not to be divided on their way (-M do)."""


def parse_options(words: list[str]) -> Settings:
    """Read the command line. Raises Refused."""
    settings = Settings()
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
        case "M":
            if value not in ("do", "dont", "want", "probe"):
                raise Refused(f"invalid -M argument: {value}", 1)
            settings.is_whole = value in ("do", "probe")


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
