"""The plan against the modelled kernel: applied and planned again it is empty, and its undo restores the table."""

from dataclasses import replace
from ipaddress import IPv4Network

from hypothesis import given, settings
from hypothesis import strategies as st

from kthw_routes.cluster import Cluster, Node, PodCidrSource, Role, Selection
from kthw_routes.demo.host import ModelHost
from kthw_routes.demo.shell.pipes import reading
from kthw_routes.demo.topology import ADDRESSES, build_cluster
from kthw_routes.facts import HostFacts, Route
from kthw_routes.iproute2.output import parse_addresses, parse_routes
from kthw_routes.options import Options
from kthw_routes.plan import compare as planning
from kthw_routes.plan.changes import ChangeKind, HostPlan
from kthw_routes.plan.wanted import wanted_routes
from tests.unit.builders import changed, facts, ip

WORKERS = tuple(
    Node(
        f"worker-{number}",
        Role.WORKER,
        None,
        internal=ip(ADDRESSES[f"worker-{number}"][1]),
        pod_cidr=IPv4Network(f"10.200.{number}.0/24"),
        pod_cidr_source=PodCidrSource.LABEL,
    )
    for number in range(3)
)
CLUSTER = Cluster(WORKERS)
NODE = WORKERS[0]

_next_hop = st.sampled_from([f"via {ADDRESSES[name][1]}" for name in ("worker-1", "worker-2", "controller-0")])
_prefix = st.sampled_from(
    [*(["10.200.1.0/24"] * 3), "10.200.2.0/24", "10.200.7.0/24", "10.200.1.128/25", "10.200.0.0/16", "10.201.0.0/24"]
)
_metric = st.sampled_from(["", "", "metric 50", "metric 100"])
_protocol = st.sampled_from(["", "proto 200", "proto 200", "proto static"])
_verb = st.sampled_from(["add", "append", "prepend"])
_unicast = st.builds(lambda v, p, g, m, o: f"route {v} {p} {g} {m} {o}", _verb, _prefix, _next_hop, _metric, _protocol)
_hole = st.builds(lambda p, m: f"route add blackhole {p} {m}", _prefix, _metric)
_mtu = st.builds(lambda p, g: f"route append {p} {g} mtu 1400", _prefix, _next_hop)
_mess = st.lists(st.one_of(_unicast, _unicast, _hole, _mtu), max_size=8)


def run(host: ModelHost, command: str, stdin: bytes = b"") -> str:
    out, err = bytearray(), bytearray()
    host.execute(command, stdin=reading(stdin), stdout=out.extend, stderr=err.extend)
    assert not err, err.decode()
    return out.decode()


def messy_host(lines: list[str]) -> ModelHost:
    """worker-0 after somebody typed these commands; what the kernel refuses is no matter."""
    host = build_cluster("ca-central").hosts["worker-0"]
    for line in lines:
        host.execute(f"ip {line}", stdout=lambda _: None, stderr=lambda _: None)
    return host


def look(host: ModelHost) -> HostFacts:
    """What the tool would read there."""
    return replace(
        facts(NODE),
        addresses=parse_addresses(run(host, "ip -json address show")),
        routes=parse_routes(run(host, "ip -json route show")),
    )


def send(host: ModelHost, commands: tuple[str, ...]) -> None:
    """Run these `ip` commands in one batch."""
    if commands:
        run(host, "ip -force -batch -", "".join(f"{c.removeprefix('ip ')}\n" for c in commands).encode())


def outside(routes: tuple[Route, ...]) -> list[Route]:
    return [r for r in routes if not r.prefix.subnet_of(CLUSTER.cidr)]


def plan(host: ModelHost, of: Cluster = CLUSTER, *, prune: bool = False) -> HostPlan:
    return planning.make(of, {NODE.name: look(host)}, Options(prune=prune)).hosts[0]


@given(_mess, st.booleans())
@settings(max_examples=150, deadline=None)
def test_applied_it_is_empty_and_its_undo_restores(mess: list[str], prune: bool) -> None:
    host = messy_host(mess)
    before = look(host).routes
    made = plan(host, prune=prune)
    send(host, made.commands)
    after = look(host).routes
    again = plan(host, prune=prune)
    assert again.is_empty, [(c.kind, c.reason) for c in again.routes]
    assert outside(after) == outside(before)
    for wanted in wanted_routes(CLUSTER, NODE):
        there = [r for r in after if r.prefix == wanted.prefix]
        assert [r.gateway for r in there] == [wanted.next_hop]
    untouched = {c.prefix for c in made.routes if not c.kind.is_change}
    assert [r for r in after if r.prefix in untouched] == [r for r in before if r.prefix in untouched]
    assert {c.prefix for c in made.routes if c.kind is ChangeKind.REMOVE} <= {r.prefix for r in before if r.is_tagged}
    send(host, made.undo_commands)
    restored = look(host).routes
    assert sorted(map(str, restored)) == sorted(map(str, before))
    # Only a route of ours that stood between two foreign ones of its key comes back behind both: theirs stay untouched.
    removed = {c.prefix for c in made.routes if c.kind is ChangeKind.REMOVE}
    assert [r for r in restored if r.prefix not in removed] == [r for r in before if r.prefix not in removed]


@given(_mess, st.sampled_from(["worker-1", "worker-2"]))
@settings(max_examples=60, deadline=None)
def test_leaving_a_host_out_removes_nothing_and_removing_it_removes_ours_only(mess: list[str], name: str) -> None:
    host = messy_host(mess)
    made = plan(host)
    left_out = changed(CLUSTER, name, selection=Selection.LEFT_OUT)
    assert plan(host, left_out) == made
    removed = changed(CLUSTER, name, selection=Selection.REMOVED)
    gone = plan(host, removed)
    before = look(host).routes
    send(host, gone.commands)
    lost = [r for r in before if r not in look(host).routes and r.prefix == CLUSTER.node(name).pod_cidr]
    assert all(r.is_tagged for r in lost)
    assert not any(r.is_tagged for r in look(host).routes if r.prefix == CLUSTER.node(name).pod_cidr)
    send(host, gone.undo_commands)
    # A route that stood between two of one key that stay comes back behind both: theirs are not touched for it.
    assert sorted(map(str, look(host).routes)) == sorted(map(str, before))
