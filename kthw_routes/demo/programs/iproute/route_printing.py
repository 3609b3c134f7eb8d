"""How `ip route` prints a route, as text and as JSON; what was filtered by is left out, as iproute2 does."""

from collections.abc import Container
from ipaddress import IPv4Network

from kthw_routes.demo.net.fib import FibRoute, NextHop
from kthw_routes.demo.net.forwarding import Decision
from kthw_routes.demo.net.netlink import BOOT, MAIN, PROTOCOL_NAMES, SCOPE_NAMES, TABLE_NAMES, RouteType, Scope, name_of
from kthw_routes.demo.programs.iproute.context import Entry, Json


def prefix_text(prefix: IPv4Network) -> str:
    """Write a destination as `ip route` does."""
    if prefix.prefixlen == 0:
        return "default" if int(prefix.network_address) == 0 else str(prefix)
    return str(prefix.network_address) if prefix.prefixlen == 32 else str(prefix)


def route_entry(route: FibRoute, *, hidden: Container[str] = ()) -> Entry:
    """Print one route of a table, without what the listing was filtered by: dev, via, proto or table."""
    words: list[str] = []
    record: dict[str, Json] = {}

    def put(key: str, value: Json, *text: str) -> None:
        record[key] = value
        words.extend(text)

    if route.type is not RouteType.UNICAST:
        put("type", route.type.label, route.type.label)
    put("dst", prefix_text(route.prefix), prefix_text(route.prefix))
    if route.tos:
        put("tos", f"0x{route.tos:02x}", "tos", f"0x{route.tos:02x}")
    single = route.hops[0] if len(route.hops) == 1 else None
    if single and single.gateway and "via" not in hidden:
        put("gateway", str(single.gateway), "via", str(single.gateway))
    if single and single.device and "dev" not in hidden:
        put("dev", single.device, "dev", single.device)
    if route.table != MAIN and "table" not in hidden:
        table = name_of(route.table, TABLE_NAMES)
        put("table", table, "table", table)
    if route.protocol != BOOT and "proto" not in hidden:
        protocol = name_of(route.protocol, PROTOCOL_NAMES)
        put("protocol", protocol, "proto", protocol)
    if route.scope != Scope.GLOBAL:
        scope = name_of(route.scope, SCOPE_NAMES)
        put("scope", scope, "scope", scope)
    if route.prefsrc:
        put("prefsrc", str(route.prefsrc), "src", str(route.prefsrc))
    if route.metric:
        put("metric", route.metric, "metric", str(route.metric))
    flags = ["onlink"] if single and single.onlink else []
    put("flags", flags, *flags)
    if route.metrics:
        put("metrics", [dict(route.metrics)])
        words.extend(f"{name} {value}" for name, value in route.metrics)
    text = "".join(f"{word} " for word in words)
    if len(route.hops) > 1:
        record["nexthops"] = [_hop_json(hop) for hop in route.hops]
        text += "".join(f"\n\t{_hop_text(hop)}" for hop in route.hops)
    return Entry(text + "\n", record)


def _hop_json(hop: NextHop) -> dict[str, Json]:
    record: dict[str, Json] = {"gateway": str(hop.gateway)} if hop.gateway else {}
    return record | {"dev": hop.device, "weight": hop.weight, "flags": ["onlink"] if hop.onlink else []}


def _hop_text(hop: NextHop) -> str:
    words = ["nexthop", *(["via", str(hop.gateway)] if hop.gateway else []), "dev", hop.device]
    words += ["weight", str(hop.weight), *(["onlink"] if hop.onlink else [])]
    return "".join(f"{word} " for word in words)


def decision_entry(
    decision: Decision, destination: str, *, source: str | None, arriving: str | None, uid: int
) -> Entry:
    """Print the answer of `ip route get`."""
    words: list[str] = []
    record: dict[str, Json] = {}

    def put(key: str, value: Json, *text: str) -> None:
        record[key] = value
        words.extend(text)

    if decision.type is not RouteType.UNICAST:
        put("type", decision.type.label, decision.type.label)
    put("dst", destination, destination)
    if source:
        put("from", source, "from", source)
    if decision.gateway:
        put("gateway", str(decision.gateway), "via", str(decision.gateway))
    put("dev", decision.device, "dev", decision.device)
    if decision.source and not arriving and source is None:
        put("prefsrc", str(decision.source), "src", str(decision.source))
    record["flags"] = []
    if not arriving:
        put("uid", uid, "uid", str(uid))
    text = "".join(f"{word} " for word in words) + "\n    cache "
    record["cache"] = list(decision.cache_flags)
    if decision.cache_flags:
        text += f"<{','.join(decision.cache_flags)}> "
    if decision.metrics:
        record["metrics"] = [dict(decision.metrics)]
        text += "".join(f"{name} {value} " for name, value in decision.metrics)
    if arriving:
        record["iif"] = arriving
        text += f"iif {arriving} "
    return Entry(text + "\n", record)
