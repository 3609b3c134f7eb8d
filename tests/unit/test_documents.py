"""The documents for programs: what was read stands there whole, and no secret of anybody does."""

import hashlib
import json
from dataclasses import fields
from ipaddress import IPv4Interface
from pathlib import PurePosixPath

from kthw_routes.documents import facts_json
from kthw_routes.observed import HostFacts, HostFile, InterfaceAddress, LinkSetup, NetworkSetup

from .builders import facts, worker

TEXT = b"network:\n  version: 2\n"
OWN = HostFile(PurePosixPath("/etc/netplan/90-kthw-routes.yaml"), 0o600, TEXT)
TEMPLATE = HostFile(PurePosixPath("/etc/cloud/templates/hosts.debian.tmpl"), 0o644, b"127.0.0.1 localhost\n")
NETWORK = NetworkSetup(
    links=(LinkSetup("eth0", PurePosixPath("/etc/systemd/network/05-eth0.network"), "routable (configured)"),),
    beside=(LinkSetup("eth1", nm_connection="Wired 1", by_ifupdown=True),),
    has_systemd=True,
    has_netplan=True,
    netplan="network:\n  wifis:\n    wlan0: {access-points: {home: {password: swordfish}}}\n",
    netplan_problem="Invalid YAML",
    files=(OWN,),
    folders=frozenset({PurePosixPath("/etc/netplan")}),
    timer_is_enabled=True,
    timer_is_active=True,
    hosts_template=TEMPLATE,
    switches=("20261122T094345Z-767b",),
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
    assert {f.name for f in fields(HostFacts)} - {"node"} <= facts_json(read()).keys()
