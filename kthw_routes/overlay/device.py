"""The overlay in the words of `ip` and `bridge`: what they print of it, and the lines that change it."""

import json
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address
from typing import Final

from kthw_routes.overlay.model import DEVICE, PORT, OverlayState, VxlanDevice
from kthw_routes.sanitize import clean_line

_MAC: Final = r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}"
_NEIGHBOUR: Final = re.compile(rf"([0-9.]{{7,15}}) lladdr ({_MAC}) PERMANENT\s*")
_FORWARDING: Final = re.compile(rf"({_MAC}) dst ([0-9.]{{7,15}}) self permanent\s*")
_ALL_ELSE: Final = "00:00:00:00:00:00"
_MAX_NAME: Final = 15
_STRANGE: Final = ("remote", "remote6", "group", "group6", "link", "local6", "external", "gbp", "gpe")
"""What a device of ours never has."""


# --- reading ----------------------------------------------------------------------------------------------------


def parse_devices(output: str) -> tuple[VxlanDevice | None, str | None, tuple[str, ...]]:
    """Parse what `ip -json -d link show type vxlan` printed. Raises ValueError: it cannot be read.

    Returns our device, what is strange about a device of our name, and those of others that use the same UDP port.
    """
    ours, problem, others = None, None, []
    for record in _records(output):
        name = record.get("ifname")
        device = _device(record)
        if name == DEVICE:
            problem = f"{DEVICE} there is not as kthw-routes makes it" if device is None else None
            ours = device
        elif _data(record).get("port") == PORT:  # whatever its name: the kernel forbids only blanks and slashes
            others.append(clean_line(str(name))[:_MAX_NAME] or "?")
    return ours, problem, tuple(others)


def _records(output: str) -> Iterator[Mapping[str, object]]:
    try:
        found = json.loads(output or "[]")
    except RecursionError as error:
        raise ValueError("too deep") from error
    for record in found if isinstance(found, list) else ():
        if isinstance(record, dict):
            yield record


def _data(record: Mapping[str, object]) -> Mapping[str, object]:
    info = record.get("linkinfo")
    data = info.get("info_data") if isinstance(info, dict) else None
    return data if isinstance(data, dict) else {}


def _device(record: Mapping[str, object]) -> VxlanDevice | None:
    data, flags = _data(record), record.get("flags")
    local, learns = data.get("local"), data.get("learning")
    numbers = [data.get("id"), data.get("port"), record.get("mtu")]
    mac = record.get("address")
    if any(word in data for word in _STRANGE) or not isinstance(flags, list) or not isinstance(learns, bool):
        return None
    if not isinstance(mac, str) or not re.fullmatch(_MAC, mac):
        return None
    values = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 24]
    if len(values) < len(numbers):
        return None
    try:
        source = IPv4Address(local) if isinstance(local, str) else None
    except ValueError:
        return None
    vni, port, mtu = values
    return VxlanDevice(vni=vni, port=port, local=source, learns=learns, mac=mac, mtu=mtu, is_up="UP" in flags)


def print_device(device: VxlanDevice | None) -> str:
    """Print a device as `ip -json -d link show type vxlan` does, as far as `parse_devices` reads it."""
    if device is None:
        return "[]\n"
    data = {"id": device.vni, "port": device.port, "learning": device.learns}
    record = {
        "ifname": DEVICE,
        "flags": ["UP"] if device.is_up else [],
        "mtu": device.mtu,
        "address": device.mac,
        "linkinfo": {"info_data": data | ({"local": str(device.local)} if device.local is not None else {})},
    }
    return f"{json.dumps([record])}\n"


def parse_neighbours(output: str) -> frozenset[tuple[IPv4Address, str]]:
    """Parse the permanent neighbours that `ip neigh show dev kthw-routes0 nud permanent` printed."""
    matches = (_NEIGHBOUR.fullmatch(line) for line in output.splitlines())
    return frozenset((ip, m[2]) for m in matches if m and (ip := _address(m[1])) is not None)


def parse_forwarding(output: str) -> frozenset[tuple[str, IPv4Address]]:
    """Parse the permanent entries that `bridge fdb show dev kthw-routes0` printed."""
    matches = (_FORWARDING.fullmatch(line) for line in output.splitlines())
    return frozenset((m[1], ip) for m in matches if m and (ip := _address(m[2])) is not None)


def _address(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except ValueError:
        return None


# --- writing ----------------------------------------------------------------------------------------------------


def ip_lines(before: OverlayState, after: OverlayState) -> Iterator[str]:
    """Yield the lines for `ip -batch` that turn one state of the device into the other; they remove no last one."""
    device, now = after.device, before.device
    if device is None:
        return
    is_new = not device.is_same_tunnel(now)
    if now is not None and is_new:
        yield f"link del {DEVICE}"
    if is_new:
        local = f" local {device.local}" if device.local is not None else ""
        learning = "" if device.learns else " nolearning"
        yield (
            f"link add {DEVICE} address {device.mac} mtu {device.mtu} type vxlan id {device.vni} "
            f"dstport {device.port}{local}{learning}"
        )
    elif now is not None:
        if now.mac != device.mac:
            yield f"link set {DEVICE} address {device.mac}"
        if now.mtu != device.mtu:
            yield f"link set {DEVICE} mtu {device.mtu}"
    was = OverlayState() if is_new else before
    # With its last address a device loses its routes: the new one comes first.
    yield from (f"address add {address} dev {DEVICE}" for address in sorted(after.addresses - was.addresses))
    yield from (f"address del {address} dev {DEVICE}" for address in sorted(was.addresses - after.addresses))
    if device.is_up and (is_new or now is None or not now.is_up):
        yield f"link set {DEVICE} up"
    elif now is not None and not is_new and now.is_up and not device.is_up:
        yield f"link set {DEVICE} down"
    if not device.is_up:
        return  # the kernel has forgotten the neighbours (measured)
    # With another MAC address the kernel forgets all neighbours, the permanent ones too (measured).
    known = was.neighbours if now is not None and now.mac == device.mac else frozenset()
    gone = {address for address, _ in known} - {address for address, _ in after.neighbours}
    yield from (f"neigh del {address} dev {DEVICE}" for address in sorted(gone))
    for address, mac in sorted(after.neighbours - known):
        yield f"neigh replace {address} lladdr {mac} dev {DEVICE} nud permanent"


def bridge_lines(before: OverlayState, after: OverlayState) -> Iterator[str]:
    """Yield the lines for `bridge -batch` that turn one forwarding database into the other."""
    if after.device is None:
        return
    was = before.forwarding if after.device.is_same_tunnel(before.device) else frozenset()
    # An entry is replaced by its MAC address and its destination together: the old one goes first.
    for mac, address in sorted(was - after.forwarding):
        yield f"fdb del {mac} dev {DEVICE} dst {address} self"
    for mac, address in sorted(after.forwarding - was):
        # Entries for all else and for groups have several destinations, and are not replaced: EOPNOTSUPP (measured).
        verb = "append" if int(mac[:2], 16) % 2 or mac == _ALL_ELSE else "replace"
        yield f"fdb {verb} {mac} dev {DEVICE} dst {address} self permanent"


def removes_device(before: OverlayState, after: OverlayState) -> bool:
    """Whether the device goes, and with it its addresses, neighbours, entries and routes."""
    return before.device is not None and after.device is None


def removes_table(before: OverlayState, after: OverlayState) -> bool:
    """Whether the table goes."""
    return before.accepts is not None and after.accepts is None


def writes_table(before: OverlayState, after: OverlayState) -> bool:
    """Whether the table is written."""
    return after.accepts is not None and before.accepts != after.accepts
