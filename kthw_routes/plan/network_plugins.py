"""Routes that a network plugin made for itself: recognised by their protocol or device, and never touched. Pure.

flannel, Calico, Cilium and their like route pods by themselves, and put back at once what somebody takes away.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network
from typing import Final

from kthw_routes.facts import Route

_BY_DEVICE: Final = (
    ("flannel", re.compile(r"flannel(?:\.\d+|-wg|-v6\.\d+|\d+)")),
    ("Calico", re.compile(r"cali[0-9a-f]{11}|vxlan\.calico|wireguard\.cali|tunl0")),
    ("Cilium", re.compile(r"cilium_(?:host|net|vxlan|geneve|wg0)|lxc[0-9a-f]{6,12}|lxc_health")),
    ("Weave Net", re.compile(r"weave")),
    ("Antrea", re.compile(r"antrea-gw0|antrea-wg0")),
    ("kube-router", re.compile(r"kube-bridge|tun-[0-9a-f]{11}")),
    ("OVN-Kubernetes", re.compile(r"ovn-k8s-mp0")),
)
_BY_PROTOCOL: Final = {"bird": "BIRD (Calico's)", "80": "Calico"}
"""As iproute2 prints them: BIRD's, which Calico runs for BGP, and the one of Calico's own agent."""
SELF_ROUTING: Final = {
    "flannel": "flannel",
    "calico": "Calico",
    "cilium-cni": "Cilium",
    "weave-net": "Weave Net",
    "antrea": "Antrea",
}
"""The type of a plugin in a CNI configuration -> the plugin that routes pods by itself."""


@lru_cache(4096)
def _made_by(protocol: str, device: str | None) -> str | None:
    if protocol in _BY_PROTOCOL:
        return _BY_PROTOCOL[protocol]
    return next((name for name, pattern in _BY_DEVICE if pattern.fullmatch(device or "")), None)


def plugin_of(route: Route) -> str | None:
    """Return which network plugin made a route; None where it was none that is known."""
    return _made_by(route.protocol, route.device)


def plugin_in(routes: Iterable[Route]) -> str | None:
    """Return the plugin that made the first of the routes that one made."""
    for route in routes:
        if (plugin := _made_by(route.protocol, route.device)) is not None:
            return plugin
    return None


def plugin_within(routes: Iterable[Route], cidr: IPv4Network) -> str | None:
    """Return the plugin that made a route within a network; each kind of route is looked at once."""
    kinds = {(route.protocol, route.device): route for route in routes}
    made = {kind for kind, route in kinds.items() if plugin_of(route) is not None}
    if not made:
        return None
    return plugin_in(r for r in routes if (r.protocol, r.device) in made and r.prefix.subnet_of(cidr))
