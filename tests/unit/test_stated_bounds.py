"""A host's own configuration, however it is made: what is read of it takes its length, or is bounded."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from kthw_routes.events import Event, Phase
from kthw_routes.facts import LinkSetup, NetworkSetup
from kthw_routes.hosts import read_network
from kthw_routes.hosts.task import HostTask
from kthw_routes.options import Options
from kthw_routes.persistence import stated
from kthw_routes.persistence.stated import MAX_FILES, TooMany
from kthw_routes.plan import compare as plan

from .answering import MISSING, Answering, said
from .builders import bare_facts, cluster, facts, internal, net

INTERFACES = "/etc/network/interfaces"
LINKS = (
    LinkSetup("eth0", by_ifupdown=True),
    LinkSetup(
        "eth1",
        network_file=PurePosixPath("/run/systemd/network/10-netplan-id0.network"),
        networkd_state="routable (configured)",
    ),
    LinkSetup("eth2", nm_connection="office"),
)
LENGTH = 1_000_000
"""Bytes: as much as is read."""


def words(form: str, number: int = LENGTH // 10) -> str:
    return " ".join(form.format(n) for n in range(number))


def rows(form: str, number: int = LENGTH // 50) -> list[str]:
    return [form.format(n=n, other=n % 250) for n in range(2, number)]


FILES = [f"/etc/network/interfaces.d/f{n}:1:iface eth0 inet static" for n in range(MAX_FILES - 2)]
STANZA = [f"{INTERFACES}:1:auto eth0", f"{INTERFACES}:2:iface eth0 inet static"]
HOSTILE: dict[str, Sequence[str]] = {
    "many files are sourced by many names": [f"{INTERFACES}:1:source {words('f{}')}", *FILES],
    "many files are sourced by many patterns": [f"{INTERFACES}:1:source {words('*f{}*')}", *FILES],
    "all files are sourced again and again": [f"{INTERFACES}:1:source {words('interfaces.d/*')}", *FILES],
    "each line sources all files": [*rows(f"{INTERFACES}:{{n}}:source interfaces.d/*{{n}}*"), *FILES],
    "many interfaces with many names": [
        f"{INTERFACES}:1:auto {words('w{}')}",
        *rows(f"{INTERFACES}:{{n}}:iface eth0 inet static"),
    ],
    "many interfaces with many patterns": [
        f"{INTERFACES}:1:auto {words('*w{}')}",
        *rows(f"{INTERFACES}:{{n}}:iface eth0 inet static"),
    ],
    "one line after the other goes on": rows(f"{INTERFACES}:{{n}}:up \\"),
    "a long command": [*STANZA, f"{INTERFACES}:3:up {'true ; ' * (LENGTH // 7)}"],
    "a long word": [*STANZA, f"{INTERFACES}:3:up {'/' * LENGTH}ip route add"],
    "a long head": [
        f"{INTERFACES}:1:auto eth0",
        f"{INTERFACES}:2:iface eth0 inet static",
        *(f"{INTERFACES}:{n + 3}:up ip route add 10.200.{n % 250}.0/24 via 10.0.0.1" for n in range(5000)),
        f"{INTERFACES}:4:{'x' * (LENGTH // 2)}",
    ],
    "files of one line each, far behind": [f"/etc/netplan/f{n}.yaml:50000:to: 1" for n in range(MAX_FILES)],
    "long files of YAML": [
        f"/etc/netplan/f{k}.yaml:{n}:- to: 10.200.1.0/24" for k in range(20) for n in range(1, 2500)
    ],
    "profiles": [f"/etc/NetworkManager/system-connections/f{n % 400}:{n}:route{n}=1" for n in range(LENGTH // 60)],
    "routes of Red Hat": [
        "/etc/sysconfig/network-scripts/ifcfg-eth0:1:NAME=office",
        f"/etc/sysconfig/network-scripts/route-eth0:1:10.0.0.0/8 {'via 1x ' * (LENGTH // 7)}",
        f"/etc/sysconfig/network-scripts/route-eth0:2:10.0.0.0/8{' ' * (LENGTH // 2)}via 1",
        *(f"/etc/sysconfig/network-scripts/route-eth0:{n}:GATEWAY{n}=1" for n in range(3, LENGTH // 70)),
    ],
    "paths that end everywhere": [f"/{':1' * (LENGTH // 2)}"],
    "empty lines": [""] * LENGTH,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_takes_one_pass(name: str) -> None:
    begun = time.process_time()
    stated.find(HOSTILE[name], LINKS, net("10.200.0.0/16"), rewriters=())
    assert time.process_time() - begun < 8


def test_more_files_than_are_read_are_said_and_nothing_is_known_of_any() -> None:
    files = [f"/etc/netplan/f{n}.yaml:1:" for n in range(MAX_FILES + 1)]
    with pytest.raises(TooMany, match="it has 501 files, and no more than 500 are read"):
        stated.find(files, LINKS, net("10.200.0.0/16"), rewriters=())
    notes: list[Event] = []
    host = Answering({"find": said(), "grep -arsHniv": said("\n".join(files))}, otherwise=MISSING)
    read = read_network.read(HostTask(host, Phase.CHECKS, notes.append), ("eth0",))
    assert read.stated == ()
    why = "what its own network configuration states of pod routes is not known: it has 501 files"
    assert [event.text for event in notes if event.text.startswith(why)]


def test_a_route_that_is_stated_thousands_of_times_is_planned_in_one_pass() -> None:
    lines = [
        *STANZA,
        *(f"{INTERFACES}:{n}:up ip route add 10.200.1.0/24 via {internal(1)}" for n in range(3, LENGTH // 70)),
        *(f"{INTERFACES}:{n}:up ip route add 10.200.2.{n % 250}/32 via {internal(1)}" for n in range(20_000, 21_000)),
    ]
    members = cluster(3)
    links = (replace(LINKS[0], networkd_state=""),)
    found = stated.find(lines, links, net("10.200.0.0/16"), rewriters=())
    assert len(found) > 14_000
    known = bare_facts(members)
    network = NetworkSetup(links=links, stated=found)
    known["worker-0"] = facts(members.node("worker-0"), network=network)
    begun = time.process_time()
    assert plan.make(members, known, Options()).host("worker-0") is not None
    assert time.process_time() - begun < 8


def test_names_and_patterns_of_interfaces_count_as_they_did() -> None:
    def route(automatic: str) -> int:
        lines = [
            f"{INTERFACES}:1:auto {automatic}",
            f"{INTERFACES}:2:iface eth0 inet static",
            f"{INTERFACES}:3:up ip route add 10.200.1.0/24 via 10.0.0.1",
        ]
        return len(stated.find(lines, LINKS, net("10.200.0.0/16"), rewriters=()))

    assert [route(name) for name in ("eth0", "lo eth0", "eth*", "et[h]0", "e?h0", "eth1", "/eth0", "")] == [
        *(1, 1, 1, 1, 1),
        *(0, 0, 0),
    ]
