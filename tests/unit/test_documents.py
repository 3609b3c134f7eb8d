"""The documents for programs: what was read stands there whole, and no secret of anybody does."""

import hashlib
import json
from dataclasses import fields
from ipaddress import IPv4Interface
from pathlib import PurePosixPath

import pytest

from kthw_routes.facts import HostFacts, HostFile, InterfaceAddress, LinkSetup, NetworkSetup, Route
from kthw_routes.options import Options
from kthw_routes.plan import compare as planning
from kthw_routes.record.json_facts import facts_json
from kthw_routes.record.json_plan import plan_document

from .builders import cluster, facts, internal, net, pod_route, worker

TEXT = b"network:\n  version: 2\n"
OWN = HostFile(PurePosixPath("/etc/netplan/90-kthw-routes.yaml"), 0o600, TEXT)
TEMPLATE = HostFile(PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl"), 0o644, b"127.0.0.1 localhost\n")
NETWORK = NetworkSetup(
    links=(LinkSetup("eth0", PurePosixPath("/etc/systemd/network/05-eth0.network"), "routable (configured)"),),
    other_links=(LinkSetup("eth1", nm_connection="Wired 1", by_ifupdown=True),),
    has_systemd=True,
    has_netplan=True,
    netplan="network:\n  wifis:\n    wlan0: {access-points: {home: {password: swordfish}}}\n",
    netplan_problem="Invalid YAML",
    files=(OWN,),
    folders=frozenset({PurePosixPath("/etc/netplan")}),
    timer_is_enabled=True,
    timer_is_active=True,
    unit_states=frozenset({("networking.service", "enabled"), ("timers.target", "masked")}),
    overridden=frozenset({PurePosixPath("/etc/systemd/system-generators/netplan")}),
    hosts_template=TEMPLATE,
    rollbacks=("20261122T094345Z-767b",),
    leftovers=(PurePosixPath("/etc/netplan/.90-kthw-routes.yaml.new"),),
)
BRIDGE = InterfaceAddress("cnio0", IPv4Interface("10.200.0.1/24"))


def read() -> HostFacts:
    return facts(worker(0), network=NETWORK, etc_hosts=b"127.0.0.1 localhost\n\x1b[2J", bridges=(BRIDGE,))


def test_all_that_was_read_of_the_network_is_there() -> None:
    document = json.loads(json.dumps(facts_json(read())))
    network = document["network"]
    assert network["links"] == [
        {
            "device": "eth0",
            "network_file": "/etc/systemd/network/05-eth0.network",
            "networkd_state": "routable (configured)",
            "networkmanager_connection": None,
            "ifupdown": False,
        }
    ]
    assert [(x["device"], x["networkmanager_connection"], x["ifupdown"]) for x in network["links_beside"]] == [
        ("eth1", "Wired 1", True)
    ]
    assert (network["systemd"], network["netplan"], network["netplan_problem"]) == (True, True, "Invalid YAML")
    digest = hashlib.sha256(TEXT).hexdigest()
    assert network["files"] == [{"path": str(OWN.path), "mode": "0600", "sha256": digest, "text": TEXT.decode()}]
    assert network["folders"] == ["/etc/netplan"]
    assert network["timer_enabled"] is True
    assert network["unit_states"] == {"networking.service": "enabled", "timers.target": "masked"}
    assert network["overridden"] == ["/etc/systemd/system-generators/netplan"]
    assert network["timer_active"] is True
    assert network["leftovers"] == ["/etc/netplan/.90-kthw-routes.yaml.new"]
    assert network["etc_hosts_template"]["path"] == str(TEMPLATE.path)
    assert network["switches"] == ["20261122T094345Z-767b"]
    assert document["bridges"] == [{"device": "cnio0", "address": "10.200.0.1/24", "up": True}]
    assert document["etc_hosts"].startswith("127.0.0.1 localhost\n")
    assert "\x1b" not in document["etc_hosts"]


def test_what_others_wrote_in_their_files_is_not() -> None:
    document = json.dumps(facts_json(read()))
    assert "swordfish" not in document
    assert "text" not in json.loads(document)["network"]["etc_hosts_template"]


def test_no_reading_is_forgotten() -> None:
    assert {f.name for f in fields(HostFacts) if f.init} - {"node"} <= facts_json(read()).keys()


AWAY = Route(net("10.200.0.0/24"), internal(1), "eth0", "boot")


@pytest.mark.parametrize(
    ("routes", "prefix", "code"),
    [
        ([pod_route(1)], 1, "right"),
        ([pod_route(1, protocol="boot")], 1, "right"),
        ([], 1, "missing"),
        ([pod_route(1, via=2)], 1, "wrong-next-hop"),
        ([pod_route(1, via=2), pod_route(1, via=7, metric=9)], 1, "wrong-next-hop"),
        ([Route(net("10.200.1.0/24"), type="blackhole")], 1, "wrong-next-hop"),
        ([pod_route(1), pod_route(1, via=2, metric=9)], 1, "second-route"),
        ([pod_route(7)], 7, "stale"),
        ([pod_route(7, protocol="boot")], 7, "foreign"),
        ([AWAY], 0, "own-routed-away"),
    ],
)
@pytest.mark.parametrize("options", [Options(), Options(prune=True, repair=True)])
def test_each_row_of_a_route_says_in_a_word_what_it_is(
    routes: list[Route], prefix: int, code: str, options: Options
) -> None:
    of = cluster()
    made = planning.make(of, {"worker-0": facts(of.node("worker-0"), routes)}, options)
    (host,) = json.loads(json.dumps(plan_document(of, made, ())))["hosts"]
    assert {r["prefix"]: r["code"] for r in host["routes"]}[f"10.200.{prefix}.0/24"] == code


def test_each_row_of_a_name_does_too_but_not_in_an_undo() -> None:
    of = cluster(5)
    own = f"# BEGIN kthw-routes\n{internal(8)} worker-8\n# END kthw-routes\n"
    lines = f"{internal(0)} worker-0\n10.0.0.1 worker-1\n{internal(2)} worker-2\n{internal(2)} worker-2\n{own}"
    made = planning.make(of, {"controller-0": facts(of.node("controller-0"), etc_hosts=lines.encode())})
    (host,) = json.loads(json.dumps(plan_document(of, made, ())))["hosts"]
    assert {n["name"]: n["code"] for n in host["names"]} == {
        "worker-0": "right",
        "worker-1": "wrong",
        "worker-2": "twice",
        "worker-3": "missing",
        "worker-4": "missing",
        "worker-8": "stale",
    }
    (undo,) = json.loads(json.dumps(plan_document(of, made, (), is_undo=True)))["hosts"]
    assert {n["code"] for n in undo["names"]} == {None}
