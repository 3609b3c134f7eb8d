"""What the files of all managers share: the comment at their head, and reading addresses that anybody may have edited.

Whatever is put into a file is an address object or a name that was checked here first.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import HostFile
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.sanitize import clean, is_plain_name

_SECTION: Final = re.compile(r"\[([^\]]*)\]")
_MAX_DEVICE_LENGTH: Final = 15
"""IFNAMSIZ, less the NUL at the end."""


Lines = Mapping[int, str]
"""The lines of a file of somebody else's, by their number from 1; those that are not read are missing."""
Files = Mapping[PurePosixPath, Lines]
Found = tuple[PurePosixPath, int, PersistedRoute]
"""A route that such a file states, and the line of its next hop."""


def whole_text(lines: Lines) -> str:
    """Return the text of a file, with an empty line where one is missing."""
    return "".join(f"{lines.get(number, '')}\n" for number in range(1, max(lines, default=0) + 1))


def ini_sections(lines: Lines) -> list[tuple[str, dict[str, tuple[str, int]]]]:
    """Return the sections of a file of systemd's or NetworkManager's: name, and key in small letters -> value, line."""
    sections: list[tuple[str, dict[str, tuple[str, int]]]] = []
    for number in sorted(lines):
        line = lines[number].strip()
        key, equals, value = line.partition("=")
        if head := _SECTION.fullmatch(line):
            sections.append((head[1], {}))
        elif sections and equals and not line.startswith(("#", ";")):
            sections[-1][1][key.strip().casefold()] = value.strip(), number
    return sections


def heading(what: str) -> list[str]:
    """Return the comment at the head of a file: what it is, whose, and how it goes away."""
    return [
        f"# {what}",
        "# Written by kthw-routes, which writes it anew when the routes change: an edit here does not last.",
        "# `kthw-routes undo` takes it back.",
    ]


def text_of(file: HostFile) -> str:
    """Return the text of a file; bytes that are not UTF-8 are replaced."""
    return file.content.decode("utf-8", "replace")


def content(lines: Iterable[str]) -> bytes:
    """Return the bytes of a file of these lines."""
    return "".join(f"{line}\n" for line in lines).encode()


def body(content: bytes) -> list[str] | None:
    """Return the lines of a file that count: all but comments. None where it has what no file of ours has."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    lines = text.split("\n")
    if clean(text) != text or any(line.startswith("#") and line.endswith("\\") for line in lines):
        return None
    return [line for line in lines if not line.startswith("#") or line.startswith("#!")]


def persisted(prefix: object, next_hop: object, device: str = "") -> PersistedRoute | None:
    """Parse the route of these two words; None where they are not a network and an address."""
    try:
        return PersistedRoute(IPv4Network(str(prefix)), IPv4Address(str(next_hop)), device)
    except ValueError:
        return None


def is_plain_device(device: str) -> bool:
    """Whether the name of an interface means nothing but itself in a script or a file."""
    return len(device) <= _MAX_DEVICE_LENGTH and is_plain_name(device)


def by_device(routes: Iterable[PersistedRoute]) -> dict[str, list[PersistedRoute]]:
    """Group the routes by interface, all in order. Raises ValueError for an interface whose name is not plain."""
    sorted_by_device: dict[str, list[PersistedRoute]] = {}
    for route in sorted(set(routes), key=lambda r: (r.device, r.prefix, r.next_hop)):
        if not is_plain_device(route.device):
            raise ValueError(f"not a plain interface name: {route.device!r}")
        sorted_by_device.setdefault(route.device, []).append(route)
    return sorted_by_device


def invalid_interface_names(devices: Iterable[str]) -> str | None:
    """Name an interface whose name may be in no file, as the end of a sentence; None where there is none."""
    odd = next((d for d in devices if not is_plain_device(d)), None)
    return None if odd is None else f"the interface name {odd!r} has characters that no file of ours may have"


def listed(words: Sequence[str]) -> str:
    """Join words: `a`, `a and b`, `a, b and c`."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
