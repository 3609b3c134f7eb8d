"""Shell scripts that put routes back when an interface comes up: what ifupdown's and NetworkManager's share."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import PROTOCOL, HostFile
from kthw_routes.persistence.model import PersistedRoute
from kthw_routes.persistence.text import by_device, content, heading, persisted, text_of

_SHEBANG: Final = "#!/bin/sh"
_SEARCH_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ROUTE: Final = re.compile(r"\s*(?:ip )?route replace (\S+) via (\S+)(?: dev (\S+))?(?: .*)?")


def command(route: PersistedRoute) -> str:
    """Return the line that puts one route back, whatever is in its place."""
    return f"ip route replace {route.prefix} via {route.next_hop} dev {route.device} proto {PROTOCOL} || true"


def render(
    path: PurePosixPath,
    routes: Iterable[PersistedRoute],
    what: str,
    *,
    conditions: Sequence[str],
    device: str,
    pattern: Callable[[str], str] = str,
) -> tuple[HostFile, ...]:
    """Render the script, which ends well whatever becomes of its commands; none for no routes.

    Args:
        path: where it is.
        routes: what it puts back.
        what: the first line of its comment.
        conditions: the lines that end it where there is nothing to do.
        device: the parameter that is the interface's name, such as `$IFACE`.
        pattern: interface -> the pattern in a `case` that means it.

    Raises:
        ValueError: a strange interface name.
    """
    groups = by_device(routes)
    if not groups:
        return ()
    lines = [_SHEBANG, *heading(what), "", _SEARCH_PATH, *conditions, f'case "{device}" in']
    for name, group in groups.items():
        lines += [f"{pattern(name)})", *(f"    {command(route)}" for route in group), "    ;;"]
    return (HostFile(path, 0o755, content([*lines, "esac", "exit 0"])),)


def parse(file: HostFile) -> tuple[PersistedRoute, ...]:
    """Parse the routes that a script, or a batch for `ip`, puts back."""
    matches = (_ROUTE.fullmatch(line) for line in text_of(file).splitlines())
    found = (persisted(m[1], m[2], m[3] or "") for m in matches if m)
    return tuple(route for route in found if route is not None)
