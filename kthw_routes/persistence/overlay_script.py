"""The script that makes the overlay at boot, and again what of it is gone; the timer runs it before the routes. Pure.

No network manager makes a VXLAN device with its peers and a firewall's table, so that all hosts have it in this way.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface
from pathlib import PurePosixPath
from typing import Final

from kthw_routes.facts import HostFile
from kthw_routes.overlay import device as words
from kthw_routes.overlay import table
from kthw_routes.overlay.model import DEVICE, NOTHING, TABLE, OverlayState, VxlanDevice
from kthw_routes.persistence.text import content, heading, text_of

PATH: Final = PurePosixPath("/etc/kthw-routes/overlay.sh")
_MODE: Final = 0o644
_SEARCH_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEVICE: Final = re.compile(
    rf".*ip link add {DEVICE} address (\S+) mtu ([0-9]{{1,5}}) type vxlan id ([0-9]{{1,8}}) "
    r"dstport ([0-9]{1,5}) local (\S+) nolearning"
)
_ADDRESS: Final = re.compile(rf"address replace (\S+) dev {DEVICE}")
_NEIGHBOUR: Final = re.compile(rf"neigh replace (\S+) lladdr (\S+) dev {DEVICE} nud permanent")
_FORWARDING: Final = re.compile(rf"fdb replace (\S+) dev {DEVICE} dst (\S+) self permanent")


def render(state: OverlayState) -> HostFile | None:
    """Render the script that makes this state; None for no overlay.

    The table comes first: where it cannot be made the device is not, as anybody could send to it.
    """
    if state.device is None or state.accepts is None:
        return None
    lines = [
        "#!/bin/sh",
        *heading(
            "The overlay: its device, the ways to its peers, the table that accepts them; from kthw-routes.service."
        ),
        "",
        _SEARCH_PATH,
        f"nft list table inet {TABLE} >/dev/null 2>&1 || nft -f - <<'END-OF-TABLE' || exit 1",
        *table.render(state.accepts).splitlines(),
        "END-OF-TABLE",
        *device_lines(state),
        "exit 0",
    ]
    return HostFile(PATH, _MODE, content(lines))


def device_lines(state: OverlayState) -> Iterator[str]:
    """Yield the lines of sh that make the device where it is missing, and enter the ways to its peers."""
    (link, *_) = words.ip_lines(NOTHING, state)
    yield f"ip link show dev {DEVICE} >/dev/null 2>&1 || ip {link}"
    yield "ip -force -batch - <<'END-OF-DEVICE'"
    yield from (f"address replace {address} dev {DEVICE}" for address in sorted(state.addresses))
    yield f"link set {DEVICE} up"
    yield from (line for line in words.ip_lines(NOTHING, state) if line.startswith("neigh "))
    yield "END-OF-DEVICE"
    yield "bridge -force -batch - <<'END-OF-PEERS'"
    yield from words.bridge_lines(NOTHING, state)
    yield "END-OF-PEERS"


def parse(file: HostFile) -> OverlayState | None:
    """Parse the state that the script makes; None of one that is not understood."""
    lines = text_of(file).splitlines()
    found = next((m for line in lines if (m := _DEVICE.fullmatch(line))), None)
    listed = "\n".join(lines)
    start, end = listed.rfind(f"table inet {TABLE} {{"), listed.rfind("END-OF-TABLE")
    accepts, _ = table.parse(listed[start:end] if 0 <= start < end else "")
    if found is None or accepts is None:
        return None
    try:
        return OverlayState(
            device=VxlanDevice(
                vni=int(found[3]),
                port=int(found[4]),
                local=IPv4Address(found[5]),
                learns=False,
                mac=found[1],
                mtu=int(found[2]),
            ),
            addresses=frozenset(IPv4Interface(m[1]) for line in lines if (m := _ADDRESS.fullmatch(line))),
            neighbours=frozenset((IPv4Address(m[1]), m[2]) for line in lines if (m := _NEIGHBOUR.fullmatch(line))),
            forwarding=frozenset((m[1], IPv4Address(m[2])) for line in lines if (m := _FORWARDING.fullmatch(line))),
            accepts=accepts,
        )
    except ValueError:
        return None
