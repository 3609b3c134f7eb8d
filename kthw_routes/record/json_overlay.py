"""The overlay of a host, for programs: what it has, or should have. Plain JSON values, both ways."""

import re
from ipaddress import IPv4Interface, IPv4Network
from itertools import groupby
from operator import itemgetter
from typing import Final

from kthw_routes.overlay.model import NOTHING, OverlayState, VxlanDevice
from kthw_routes.record.documents import OverlayDocument
from kthw_routes.record.json_values import Value

_MAC: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_MAX_VNI: Final = (1 << 24) - 1
_MAX_PORT: Final = (1 << 16) - 1
_MAX_MTU: Final = 1 << 16


def overlay_json(state: OverlayState) -> OverlayDocument | None:
    """Return what there is of an overlay; None for nothing."""
    if state.is_nothing:
        return None
    device = state.device
    return {
        "device": None
        if device is None
        else {
            "vni": device.vni,
            "port": device.port,
            "local": str(device.local) if device.local is not None else None,
            "learning": device.learns,
            "mac": device.mac,
            "mtu": device.mtu,
            "up": device.is_up,
        },
        "addresses": [str(address) for address in sorted(state.addresses)],
        "neighbours": {str(address): mac for address, mac in sorted(state.neighbours)},
        "forwarding": {
            mac: [str(address) for _, address in entries]
            for mac, entries in groupby(sorted(state.forwarding), key=itemgetter(0))
        },
        "accepts": None if state.accepts is None else [str(address) for address in sorted(state.accepts)],
    }


def overlay_from_json(record: Value | None) -> OverlayState:
    """Return the state that `overlay_json` wrote. Raises Unfit where it is none."""
    if record is None:
        return NOTHING
    device, accepts = record["device"].or_none(), record["accepts"].or_none()
    return OverlayState(
        device=_device(device) if device is not None else None,
        addresses=frozenset(_interface(address) for address in record["addresses"].items()),
        neighbours=frozenset((_key(ip).address(), mac.word(_MAC)) for ip, mac in record["neighbours"].members()),
        forwarding=frozenset(
            (_key(mac).word(_MAC), ip.address()) for mac, ips in record["forwarding"].members() for ip in ips.items()
        ),
        accepts=frozenset(address.address() for address in accepts.items()) if accepts is not None else None,
    )


def _key(text: str) -> Value:
    return Value(text, "a key")


def _interface(value: Value) -> IPv4Interface:
    text = value.text()
    address, _, length = text.partition("/")
    network = Value(f"0.0.0.0/{length}", value.where).network() if length != "0" else IPv4Network("0.0.0.0/0")
    return IPv4Interface((Value(address, value.where).address(), network.prefixlen))


def _device(record: Value) -> VxlanDevice:
    local = record["local"].or_none()
    return VxlanDevice(
        vni=record["vni"].integer(0, _MAX_VNI),
        port=record["port"].integer(0, _MAX_PORT),
        local=local.address() if local is not None else None,
        learns=record["learning"].flag(),
        mac=record["mac"].word(_MAC),
        mtu=record["mtu"].integer(0, _MAX_MTU),
        is_up=record["up"].flag(),
    )
