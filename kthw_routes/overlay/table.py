"""The nftables table that accepts the overlay's UDP port from the peers only: its text, and what `nft` prints of it."""

import re
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.overlay.model import PORT, TABLE

_PRIORITY: Final = -10
"""Before the chains of other programs (filter, 0): what these accept is dropped here all the same."""
_NO_ONE: Final = IPv4Address("127.0.0.1")
"""From where no packet comes: in place of the peers where there are none, as a set must not be empty."""
_DROPS: Final = f"udp dport {PORT} drop"
_LISTED: Final = re.compile(
    rf"table inet {TABLE} \{{ chain input \{{ "
    rf"type filter hook input priority (?:filter - {-_PRIORITY}|{_PRIORITY}); policy accept; "
    rf"udp dport {PORT} ip saddr (\{{[0-9., ]+\}}|[0-9.]+) accept {_DROPS} \}} \}}"
)
_ADDRESS: Final = re.compile(r"[0-9.]+")


def parse(output: str) -> tuple[frozenset[IPv4Address] | None, str | None]:
    """Parse what `nft list table inet kthw_routes` printed: whom it accepts, and what is strange about it."""
    text = " ".join(output.split())
    if not text:
        return None, None
    problem = f"the nftables table inet {TABLE} there is not as kthw-routes makes it"
    if (listed := _LISTED.fullmatch(text)) is None:
        return None, problem
    try:
        return frozenset(map(IPv4Address, _ADDRESS.findall(listed[1]))) - {_NO_ONE}, None
    except ValueError:
        return None, problem


def render(accepts: frozenset[IPv4Address]) -> str:
    """Return the lines for `nft -f -` that make the table, whatever is in its place, in one step."""
    peers = ", ".join(map(str, sorted(accepts or {_NO_ONE})))
    return (
        f"table inet {TABLE}\n"
        f"delete table inet {TABLE}\n"
        f"table inet {TABLE} {{\n"
        "\tchain input {\n"
        f"\t\ttype filter hook input priority {_PRIORITY}; policy accept;\n"
        f"\t\tudp dport {PORT} ip saddr {{ {peers} }} accept\n"
        f"\t\t{_DROPS}\n"
        "\t}\n"
        "}\n"
    )
