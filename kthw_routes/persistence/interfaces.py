"""interfaces(5): the routes that /etc/network/interfaces, and what it sources, has `ifup` add. Pure.

Only commands that are `ip route add` or `route add` and nothing else count: what a condition before it comes to is not
known here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from ipaddress import IPv4Network
from itertools import islice
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import LinkSetup
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.persistence.text import Files, Found, Lines, persisted

FOLDER: Final = PurePosixPath("/etc/network")
PATH: Final = FOLDER / "interfaces"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")
_AUTO: Final = ("auto", "allow-auto", "allow-hotplug")
_ENDS: Final = ("mapping", "rename", "no-auto-down", "no-scripts", "template", *_AUTO)
_WITH_ADDRESS: Final = (["inet", "static"], ["inet", "dhcp"])
"""In a stanza of another kind a route may come before the address that its next hop needs; `ifup` fails then."""
_UP: Final = ("up", "post-up")
_MAGIC: Final = re.compile(r"[*?\[]")
_JOINED: Final = re.compile(r"\s*(?:;|&&|\|\|)\s*")
_HARMLESS: Final = re.compile(r"(?:true|/bin/true|:|exit 0)?")
_IP: Final = re.compile(
    r"(?:/\S*/)?ip (?:-4 )?(?:r|ro|route) (?:add|append|replace|prepend|change) (?:to )?(?P<prefix>\S+) via "
    r"(?P<hop>\S+)(?P<rest>.*)"
)
_ROUTE: Final = re.compile(
    r"(?:/\S*/)?route add -net (?P<prefix>\S+)(?: netmask (?P<mask>\S+))? (?:gw|gateway) (?P<hop>\S+)(?P<rest>.*)"
)
_OTHER_TABLE: Final = re.compile(r"\b(?:table (?!main\b|254\b)|vrf |tos |dsfield )")
_MAX_FILES: Final = 200
_MAX_PATTERNS: Final = 200
"""Patterns of files, and of interfaces, that count."""


def stated(files: Files, links: Sequence[LinkSetup]) -> Iterator[Found]:
    """Find the routes that `ifup` adds at boot through the interfaces that it brought up."""
    devices = {link.device for link in links if link.by_ifupdown and not link.by_networkd}
    if not devices or PATH not in files:
        return
    read = [(path, _statements(files[path])) for path in _sourced(files)]
    is_automatic = _matcher(name for _, rows in read for _, words in rows if words[0] in _AUTO for name in words[1:])
    for path, rows in read:
        is_meant = False
        for line, words in rows:
            if words[0] == "iface":
                name = words[1] if len(words) > 1 else ""
                is_ours = name.partition(":")[0] in devices and words[2:] in _WITH_ADDRESS
                is_meant = is_ours and is_automatic(name)
            elif words[0] in _ENDS or words[0].startswith(("source", "allow-")):
                is_meant = False
            elif is_meant and words[0] in _UP:
                yield from ((path, line, route) for route in _added(" ".join(words[1:])))


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return what tells whether a name is one of these or matches one; of patterns with `*` the first ones count."""
    found = dict.fromkeys(patterns)
    names = frozenset(word for word in found if not _MAGIC.search(word))
    others = tuple(islice((word for word in found if word not in names), _MAX_PATTERNS))
    return lambda name: name in names or any(fnmatchcase(name, pattern) for pattern in others)


def _sourced(files: Files) -> list[PurePosixPath]:
    """Return the files that are read, /etc/network/interfaces first; of what lies elsewhere nothing is known."""
    found = {PATH: None}
    left = _MAX_PATTERNS
    waiting = [PATH]
    for path in waiting:  # which grows meanwhile
        for _, words in _statements(files[path]):
            if words[0] not in ("source", "source-directory") or len(found) >= _MAX_FILES:
                continue
            for word in words[1 : left + 1]:
                pattern, is_folder = str(FOLDER / word), words[0] == "source-directory"
                new = [p for p in sorted(files) if p not in found and _is_meant(p, pattern, is_folder=is_folder)]
                found |= dict.fromkeys(new)
                waiting += new
            left = max(0, left - len(words) + 1)
    return waiting[:_MAX_FILES]


def _is_meant(path: PurePosixPath, pattern: str, *, is_folder: bool) -> bool:
    """Whether `source` means a file, by a pattern of the shell's, or `source-directory`, by its folder and its name."""
    if is_folder:
        return str(path.parent) == pattern.rstrip("/") and _PLAIN.fullmatch(path.name) is not None
    return path.parent.match(str(PurePosixPath(pattern).parent)) and fnmatchcase(str(path), pattern)


def _statements(lines: Lines) -> list[tuple[int, list[str]]]:
    """Split a file into statements: the number of the first line, and the words."""
    found: list[tuple[int, list[str]]] = []
    goes_on = False
    for number in sorted(lines):
        text = lines[number].strip()
        if text.startswith("#") and not goes_on:
            continue
        words = text.removesuffix("\\").split()
        if goes_on:
            found[-1][1].extend(words)
        elif words:
            found.append((number, words))
        goes_on = text.endswith("\\") and bool(found)
    return found


def _added(command: str) -> Iterator[PersistedRoute]:
    """Yield the routes that a command adds, if it does nothing else."""
    parts = [part for part in _JOINED.split(command) if not _HARMLESS.fullmatch(part)]
    matches = [_IP.fullmatch(part) or _ROUTE.fullmatch(part) for part in parts]
    if all(matches):
        for match in (m for m in matches if m is not None and not _OTHER_TABLE.search(m["rest"])):
            mask = match.groupdict().get("mask")
            route = persisted(f"{match['prefix']}/{mask}" if mask else match["prefix"], match["hop"])
            if route is not None and route.prefix != IPv4Network("0.0.0.0/0"):
                yield route
