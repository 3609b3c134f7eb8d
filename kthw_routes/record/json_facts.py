"""How a host's network is configured, for programs: all that was read of it, but for what others wrote in their files.

Files of ours are there whole. Of netplan's merged configuration nothing does: it may hold the password of a Wi-Fi.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from kthw_routes.facts import HostFacts, HostFile, LinkSetup, NetworkSetup, Route, StatedRoute
from kthw_routes.record.documents import (
    FactsDocument,
    FileDigest,
    LinkDocument,
    NetworkDocument,
    RouteDocument,
    StatedRouteDocument,
)
from kthw_routes.record.json_overlay import overlay_json
from kthw_routes.record.json_values import Value
from kthw_routes.sanitize import clean

_DEVICE: Final = re.compile(r"[A-Za-z0-9_.:@+-]{1,15}")


_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,31}")


_METRICS: Final = re.compile(r"(?:[a-z]{1,20} [0-9]{1,10}(?: (?!$)|$))*")
"""What else a route may say: `mtu 1400 rtt 20`, or nothing."""


Json = Mapping[str, object]


def route_json(route: Route) -> RouteDocument:
    """Return a route as it was read."""
    return {
        "prefix": str(route.prefix),
        "type": route.type,
        "gateway": str(route.gateway) if route.gateway else None,
        "gateways": [str(h) for h in route.multipath],
        "device": route.device,
        "protocol": route.protocol,
        "metric": route.metric,
        "scope": route.scope,
        "source": str(route.source) if route.source else None,
        "flags": sorted(route.flags),
        "tos": route.tos,
        "extra": route.extra,
    }


def route_from_json(record: Value) -> Route:
    """Return the route that `route_json` wrote. Raises Unfit where it is none."""
    gateway, source, device = record["gateway"].or_none(), record["source"].or_none(), record["device"].or_none()
    return Route(
        prefix=record["prefix"].network(),
        gateway=gateway.address() if gateway else None,
        device=device.word(_DEVICE) if device else None,
        protocol=record["protocol"].word(_WORD),
        metric=record["metric"].integer(0, 2**32 - 1),
        type=record["type"].word(_WORD),
        scope=record["scope"].word(_WORD),
        source=source.address() if source else None,
        flags=frozenset(flag.word(_WORD) for flag in record["flags"].items()),
        tos=record["tos"].integer(0, 255),
        multipath=tuple(hop.address() for hop in record["gateways"].items()),
        extra=record["extra"].word(_METRICS),
    )


def facts_json(facts: HostFacts) -> FactsDocument:
    """Return every raw reading of a host."""
    files = facts.cidr_files
    return {
        "read_at": facts.read_at.isoformat(),
        "host_key": {"type": facts.host_key.type, "fingerprint": facts.host_key.fingerprint},
        "user": facts.user,
        "privilege": facts.privilege,
        "hostname": facts.hostname,
        "iproute2": facts.iproute2,
        "addresses": [{"device": a.device, "address": str(a.address), "up": a.is_up} for a in facts.addresses],
        "routes": [route_json(r) for r in facts.routes],
        "routes_within": str(facts.routes_within) if facts.routes_within else None,
        "cni_cidr": str(facts.cni_cidr) if facts.cni_cidr else None,
        "kubelet_cidr": str(facts.kubelet_cidr) if facts.kubelet_cidr else None,
        "cidr_files": {
            "cni": str(files.cni) if files.cni else None,
            "kubelet": str(files.kubelet) if files.kubelet else None,
            "problems": list(files.problems),
            "plugin": files.plugin,
        },
        "ip_forward": facts.ip_forward,
        "network": network_json(facts.network),
        "overlay": overlay_json(facts.overlay.state),
        "etc_hosts": text_of(facts.etc_hosts) if facts.etc_hosts is not None else None,
        "etc_hosts_problem": facts.etc_hosts_problem,
        "bridges": [{"device": b.device, "address": str(b.address), "up": b.is_up} for b in facts.bridges],
        "bridge": str(facts.bridge.address) if facts.bridge else None,
        "pods": [{"namespace": p.namespace, "address": str(p.address)} for p in facts.pods],
    }


def network_json(network: NetworkSetup) -> NetworkDocument:
    """Return the reading of a host's network and of the files of ours."""
    template = network.hosts_template
    return {
        "links": [_link(link) for link in network.links],
        "links_beside": [_link(link) for link in network.other_links],
        "systemd": network.has_systemd,
        "netplan": network.has_netplan,
        "netplan_problem": network.netplan_problem,
        "files": [{**_file(file), "text": text_of(file.content)} for file in network.files],
        "folders": sorted(str(path) for path in network.folders),
        "timer_enabled": network.timer_is_enabled,
        "timer_active": network.timer_is_active,
        "unit_states": dict(sorted(network.unit_states)),
        "stated": [stated_json(route) for route in network.stated],
        "overridden": sorted(str(path) for path in network.overridden),
        "etc_hosts_template": _file(template) if template is not None else None,
        "leftovers": [str(path) for path in network.leftovers],
        "switches": list(network.rollbacks),
    }


def stated_json(route: StatedRoute) -> StatedRouteDocument:
    """Return a route that the host's own configuration states."""
    return {
        "prefix": str(route.prefix),
        "next_hop": str(route.next_hop),
        "path": str(route.path),
        "line": route.line,
        "manager": route.manager,
        "rewritten_by": route.rewritten_by,
    }


def text_of(content: bytes) -> str:
    """Return a file's text, made safe to show."""
    return clean(content.decode("utf-8", "replace"))


def _link(link: LinkSetup) -> LinkDocument:
    return {
        "device": link.device,
        "network_file": str(link.network_file) if link.network_file else None,
        "networkd_state": link.networkd_state or None,
        "networkmanager_connection": link.nm_connection or None,
        "ifupdown": link.by_ifupdown,
    }


def _file(file: HostFile) -> FileDigest:
    return {
        "path": str(file.path),
        "mode": f"{file.mode:04o}",
        "sha256": hashlib.sha256(file.content).hexdigest(),
    }
