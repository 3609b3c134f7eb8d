"""A saved `check --json`, read again as far as the way of a packet needs it. No host is contacted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Interface, NetmaskValueError
from pathlib import Path
from typing import Final

from kthw_routes.cluster import Cluster, Node, PodCidrSource, Role
from kthw_routes.errors import UsageError
from kthw_routes.facts import HostFacts, HostKey, InterfaceAddress, Pod, Privilege
from kthw_routes.local_files import read_file
from kthw_routes.netfilter.rules import Chain, Rule, Table
from kthw_routes.node_names import is_host_name
from kthw_routes.overlay.model import OverlayReading
from kthw_routes.plan.changes import Plan
from kthw_routes.proof.causes import Cause, Layer
from kthw_routes.proof.cloud import CloudFirewall, CloudRule, Way
from kthw_routes.proof.path import HostPath, PolicyRule
from kthw_routes.proof.readings import Counters, Evidence, Masquerading, PairReading, Proof
from kthw_routes.record.json_facts import route_from_json
from kthw_routes.record.json_overlay import overlay_from_json
from kthw_routes.record.json_values import Unfit, Value, parse
from kthw_routes.sanitize import clean_line

VERSION: Final = 1
MAX_BYTES: Final = 256 << 20
"""The largest file that is read: a check of a thousand nodes is some tens of megabytes."""
_SAVE: Final = "Save one with: kthw-routes check --json > report.json"
_EVIDENCE: Final = {"none": Evidence.NONE, "probe": Evidence.PROBE, "bridge": Evidence.BRIDGE, "pod": Evidence.POD}
_COUNT: Final = (0, 2**63 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCheck:
    """What a report holds.

    Attributes:
        cluster: the nodes.
        proof: what the traces rest on.
        causes: why pairs fail, by their ends.
    """

    cluster: Cluster
    proof: Proof
    causes: Mapping[tuple[str, str], Cause]


def read_json(path: Path) -> Value:
    """Read a file that `check --json` made. Raises UsageError: it cannot be read, or is no JSON, as one cut off."""
    shown = clean_line(str(path))
    try:
        data = read_file(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no such name is possible"
        raise UsageError(f"{shown} cannot be read: {clean_line(why)}.", _SAVE) from error
    try:
        return parse(data)
    except Unfit as error:
        is_cut = not data.strip() or (data.lstrip().startswith(b"{") and not data.rstrip().endswith(b"}"))
        cut = " It seems to be cut off." if is_cut else ""
        raise UsageError(f"{shown} cannot be used as a report: {error}.{cut}", _SAVE) from error


def parse_report(document: Value, path: Path | None = None) -> SavedCheck:
    """Return what a document of `check --json` holds. Raises UsageError: it is of another kind or version."""
    try:
        return _parse(document)
    except Unfit as error:
        shown = clean_line(str(path)) if path is not None else "This"
        older = "; an older version wrote it, or it was changed" if str(error).endswith("is missing") else ""
        raise UsageError(f"{shown} cannot be used as a report: {error}{older}.", _SAVE) from error


def _parse(document: Value) -> SavedCheck:
    _refuse_other_kinds(document)
    nodes = [_node(node) for node in document["nodes"].items()]
    if len({node.name for node in nodes}) < len(nodes):
        raise Unfit("it names a node twice")
    cluster, proof = Cluster(tuple(nodes), document["cluster_cidr"].network()), document["proof"]
    known = {node.name for node in nodes}
    pairs = tuple(_pair(pair, known) for pair in proof["pairs"].items())
    facts = {name: _facts(name, value) for name, value in proof["hosts"].members() if name in known}
    paths = {name: _path(value) for name, value in proof["paths"].members() if name in known}
    cloud = proof.get("cloud_firewalls")
    firewalls = {
        name: tuple(_firewall(one) for one in found.items())
        for name, found in (cloud.members() if cloud is not None else ())
        if name in known
    }
    for pair in pairs:
        if pair.tested and not {pair.source, pair.target} <= facts.keys():
            raise Unfit(f"it says nothing of a host of the pair {pair.source} → {pair.target}")
    return SavedCheck(
        cluster=cluster,
        proof=Proof(Plan(()), (), pairs, facts=facts, paths=paths, pods=cluster.cidr, cloud=firewalls),
        causes=dict(_causes(proof)),
    )


def _refuse_other_kinds(document: Value) -> None:
    if "error" in document:
        said = document["error"].get("sentence")
        raise Unfit(f"the command ended with an error: {said.text().rstrip('.') if said is not None else 'unknown'}")
    version = document.get("version")
    if version is None:
        raise Unfit("kthw-routes did not write it: it has no `version`")
    if (number := version.integer(*_COUNT)) != VERSION:
        raise Unfit(f"it is of version {number}, and this program reads version {VERSION}")
    if "runs" in document:
        raise Unfit("it is of `runs --json`")
    if document.get("proof") is None:
        raise Unfit("it holds no proof; it is of another command than `check --json`")


def _node(value: Value) -> Node:
    name, internal, cidr, region = (
        value["name"].text(),
        value.get("internal_ip"),
        value.get("pod_cidr"),
        value["region"],
    )
    if not is_host_name(name):
        value["name"].fail("is not a name of a node")
    return Node(
        name=name,
        role=value["role"].choice(Role),
        ssh=None,
        internal=internal.address() if internal else None,
        pod_cidr=cidr.network() if cidr else None,
        pod_cidr_source=value["pod_cidr_source"].choice(PodCidrSource),
        region=region.text() if region.or_none() else None,
    )


def _facts(name: str, value: Value) -> HostFacts:
    addresses = tuple(_address(item) for item in value["addresses"].items())
    bridges = tuple(_address(item) for item in value["bridges"].items())
    bridge, overlay = value.get("bridge"), value.get("overlay")
    return HostFacts(
        node=name,
        read_at=value["read_at"].moment(),
        host_key=HostKey("", ""),
        user="",
        privilege=Privilege.ROOT,
        hostname=name,
        iproute2="",
        addresses=addresses,
        routes=tuple(route_from_json(item) for item in value["routes"].items()),
        ip_forward=value["ip_forward"].flag(),
        bridge=next(
            (a for a in (*bridges, *addresses) if bridge is not None and a.address == _interface(bridge)), None
        ),
        bridges=bridges,
        overlay=OverlayReading(state=overlay_from_json(overlay.or_none() if overlay is not None else None)),
        pods=tuple(Pod(item["namespace"].text(), item["address"].address()) for item in value["pods"].items()),
    )


def _address(value: Value) -> InterfaceAddress:
    return InterfaceAddress(value["device"].text(), _interface(value["address"]), is_up=value["up"].flag())


def _interface(value: Value) -> IPv4Interface:
    try:
        return IPv4Interface(value.text())
    except (AddressValueError, NetmaskValueError):
        value.fail("is not an address with its prefix length")


def _firewall(value: Value) -> CloudFirewall:
    return CloudFirewall(
        label=value["label"].text(),
        rules={way: tuple(_rule(rule) for rule in value[way.value].items()) for way in Way},
        accepts={way: value[f"{way.value}_accepts"].flag() for way in Way},
    )


def _rule(value: Value) -> CloudRule:
    return CloudRule(
        accepts=value["accepts"].flag(),
        protocol=value["protocol"].text(),
        ports=value["ports"].text(),
        networks=tuple(network.network() for network in value["networks"].items()),
        is_whole=value["whole"].flag(),
        label=value["label"].text(),
    )


def _policy_rule(text: str, routes: Mapping[str, tuple[str, ...]]) -> PolicyRule:
    _, leads, table = text.rpartition(" lookup ")
    table = table.partition(" ")[0]
    return PolicyRule(text, table if leads else None, routes.get(table, ()))


def _path(value: Value) -> HostPath:
    tables = []
    for key, chains in value["firewall"].members():
        program, family, name = (*key.split(" ", 2), "", "")[:3]
        found = {c: Chain(name=c, rules=tuple(Rule(text=r.text()) for r in rs.items())) for c, rs in chains.members()}
        tables.append(Table(program=program, family=family, name=name, chains=found))
    routes = value.get("policy_tables")
    by_table = {name: tuple(r.text() for r in found.items()) for name, found in routes.members()} if routes else {}
    return HostPath(
        policy_rules=tuple(_policy_rule(item.text(), by_table) for item in value["policy_rules"].items()),
        tables=tuple(tables),
        unread=tuple(item.text() for item in value["unread"].items()),
        rp_filter={name: item.integer(0, 2) for name, item in value["rp_filter"].members()},
    )


def _pair(value: Value, known: set[str]) -> PairReading:
    ends = value["from"].text(), value["to"].text()
    if not set(ends) <= known or ends[0] == ends[1]:
        value.fail("is not of two of the nodes")
    source, target, masked = value.get("from_address"), value.get("to_address"), value.get("masquerading")
    happens, rule = (masked.get("happens"), masked.get("rule")) if masked is not None else (None, None)
    if (evidence := value["evidence"].text()) not in _EVIDENCE:
        value["evidence"].fail("is not a kind of evidence")
    tested, took, size = value["tested"].flag(), value["round_trip_ms"].raw, value.get("full_size")
    return PairReading(
        source=ends[0],
        target=ends[1],
        evidence=_EVIDENCE[evidence],
        source_address=source.address() if source is not None else None,
        target_address=target.address() if target is not None else None,
        sent=value["sent"].integer(*_COUNT),
        received=value["received"].integer(*_COUNT),
        round_trip=float(took) if isinstance(took, int | float) and 0 <= took < 1e6 else None,
        words=value["words"].text(),
        full_size=size.integer(*_COUNT) if size is not None else None,
        full_size_lost=_text(value, "full_size_lost"),
        only_pings=_text(value, "only_pings"),
        at_source=_counters(value.get("counters_from")),
        at_target=_counters(value.get("counters_to")),
        problem=None if tested else value["problem"].text(),
        alone=value["alone"].flag(),
        masquerading=Masquerading(happens.flag() if happens else None, rule.text() if rule else None),
    )


def _text(value: Value, key: str) -> str | None:
    found = value.get(key)
    return found.text() if found is not None else None


def _counters(value: Value | None) -> Counters | None:
    if value is None:
        return None
    keys = ("requests_in", "replies_out", "requests_out", "replies_in")
    return Counters(*(value[key].integer(-(2**63), 2**63) for key in keys))


def _causes(proof: Value) -> Iterator[tuple[tuple[str, str], Cause]]:
    for value in proof["causes"].items():
        cause = Cause(
            layer=value["layer"].choice(Layer),
            what=value["what"].text(),
            seen=value["seen"].text(),
            shows=value["command"].text(),
            fix=_text(value, "fix"),
            host=_text(value, "host"),
        )
        found = [(pair["from"].text(), pair["to"].text()) for pair in value["pairs"].items()]
        for ends in found:
            same = f"The same as {found[0][0]} → {found[0][1]}: " if ends != found[0] else ""
            yield ends, replace(cause, what=f"{same}{cause.what}")
