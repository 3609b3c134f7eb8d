"""How iproute2 reads its command line: abbreviations, addresses, numbers, and its complaints."""

import re
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from kthw_routes.demo.net.netlink import KernelError


class IpError(Exception):
    """`ip` complains and gives up this command.

    Attributes:
        text: what it prints to stderr, newline included.
        status: its exit status.
        ends_batch: whether even `-force -batch` stops here, as iproute2 calls exit() on a text that it cannot parse.
    """

    def __init__(self, text: str, status: int, *, ends_batch: bool = True) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.ends_batch = ends_batch


def refused(error: KernelError) -> IpError:
    """Make the complaint about a kernel's refusal."""
    return IpError(f"{error.answer}\n", 2, ends_batch=False)


def no_device(name: str) -> IpError:
    """Make the complaint about an interface that does not exist."""
    return IpError(f'Cannot find device "{name}"\n', 1, ends_batch=False)


def wrong(argument: str, why: str) -> IpError:
    """Make the complaint about a wrong argument. (Most of iproute2's own texts end in a newline.)"""
    return IpError(f'Error: argument "{argument}" is wrong: {why}\n', 255)


def duplicate(key: str, argument: str) -> IpError:
    """Make the complaint about a word where nothing more was expected."""
    return IpError(f'Error: either "{key}" is duplicate, or "{argument}" is a garbage.\n', 255)


class Arguments:
    """The words of a command line, one after the other."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    @property
    def more(self) -> bool:
        """Whether a word is left."""
        return self._at < len(self._words)

    def take(self) -> str:
        """Take the next word. Raises IpError where the line ends too early."""
        if not self.more:
            raise IpError('Command line is not complete. Try option "help"\n', 255)
        self._at += 1
        return self._words[self._at - 1]

    def peek(self) -> str | None:
        """Return the next word and leave it there."""
        return self._words[self._at] if self.more else None

    def rest(self) -> list[str]:
        """Return all words that are left."""
        return self._words[self._at :]


def matches(word: str, *full: str) -> bool:
    """Whether `word` is one of these or an abbreviation of it."""
    return any(word and name.startswith(word) for name in full)


_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")


def number(word: str, limit: int = 0xFFFFFFFF) -> int | None:
    """Parse a number as strtoul does (decimal, 0x hexadecimal, 0 octal); None if it is none."""
    if not _NUMBER.fullmatch(word):
        return None
    try:
        value = int(word, 16 if word[:2].lower() == "0x" else 8 if word[0] == "0" and len(word) > 1 else 10)
    except ValueError:
        return None
    return value if value <= limit else None


def _dotted(text: str) -> int | None:
    """Parse up to four numbers with dots between; what is missing at the end is zero."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 4:
        return None
    values = [number(part, 255) for part in parts]
    if any(value is None for value in values):
        return None
    octets = [value or 0 for value in values] + [0] * (4 - len(parts))
    return int.from_bytes(bytes(octets), "big")


def address(word: str, kind: str = "inet") -> IPv4Address:
    """Parse an IPv4 address. Raises IpError."""
    value = _dotted(word)
    if value is None:
        raise IpError(f'Error: {kind} address is expected rather than "{word}".\n', 1)
    return IPv4Address(value)


def prefix(word: str, kind: str = "any valid") -> tuple[IPv4Address, int, bool]:
    """Parse an address with its prefix length (32 if none is given), and whether one was given. Raises IpError."""
    if word in ("default", "any", "all"):
        return IPv4Address(0), 0, word == "default"
    text, slash, length_text = word.partition("/")
    value = _dotted(text)
    length: int | None = 32
    if slash:
        length = number(length_text, 32)
        if length is None and (mask := _dotted(length_text)) is not None:
            length = _mask_length(mask)
    if value is None or length is None:
        raise IpError(f'Error: {kind} prefix is expected rather than "{word}".\n', 1)
    return IPv4Address(value), length, bool(slash)


def _mask_length(mask: int) -> int | None:
    length = bin(mask).count("1")
    return length if mask == (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF else None


def network_of(ip: IPv4Address, length: int) -> IPv4Network | None:
    """Make a network; None if `ip` has bits set beyond `length`."""
    try:
        return IPv4Network((int(ip), length))
    except ValueError:
        return None


def named_number(word: str, names: dict[int, str], limit: int = 255) -> int | None:
    """Read a protocol, scope or table by number or name; None where it is neither."""
    return next((value for value, name in names.items() if name == word), number(word, limit))
