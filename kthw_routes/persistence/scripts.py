"""Shell scripts that put routes back when an interface comes up: what ifupdown's and NetworkManager's share."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from kthw_routes.observed import PROTOCOL, HostFile
from kthw_routes.persistence.model import HeldRoute
from kthw_routes.persistence.text import held, text_of

SHEBANG: Final = "#!/bin/sh"
SEARCH_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ROUTE: Final = re.compile(r"\s*(?:ip )?route replace (\S+) via (\S+)(?: dev (\S+))?(?: .*)?")


def command(route: HeldRoute) -> str:
    """The line that puts one route back, whatever stands in its place."""
    return f"ip route replace {route.prefix} via {route.next_hop} dev {route.device} proto {PROTOCOL} || true"


def branches(routes: Mapping[str, Iterable[HeldRoute]], patterns: Mapping[str, str] | None = None) -> Iterator[str]:
    """The branches of a `case` on the interface's name."""
    for device, group in routes.items():
        yield f"{(patterns or {}).get(device, device)})"
        yield from (f"    {command(route)}" for route in group)
        yield "    ;;"


def entries(file: HostFile) -> tuple[HeldRoute, ...]:
    """The routes that a script, or a batch for `ip`, puts back."""
    matches = (_ROUTE.fullmatch(line) for line in text_of(file).splitlines())
    found = (held(m[1], m[2], m[3] or "") for m in matches if m)
    return tuple(route for route in found if route is not None)
