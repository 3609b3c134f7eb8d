"""Finding the nodes in a Linode account, over real HTTP to the embedded lab's API, also when that misbehaves."""

import json
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kthw_routes.cluster import AddressKind, Endpoint, Node, PodCidrSource, Role
from kthw_routes.demo.api.account import FIRST_ID, Account, LinodeInstance, lab_account
from kthw_routes.errors import Cancelled
from kthw_routes.events import Event, Phase, discard
from kthw_routes.findings.cluster import of_cluster
from kthw_routes.findings.model import Level
from kthw_routes.node_names import is_host_name
from kthw_routes.sanitize import clean_line
from kthw_routes.secret import Secret
from kthw_routes.sources import Discovery, Source
from kthw_routes.sources.linode import retries as tries
from kthw_routes.sources.linode.errors import LinodeError, Trouble, seconds_to_wait
from kthw_routes.sources.linode.source import LinodeSource, Patience
from kthw_routes.sources.linode.token import Token
from tests.model.api import Fault, FaultyApi

AS_SHIPPED = Patience(backoff=0.01)
"""Waits as the product does, so that a busy machine is never taken for a silent Linode; tries again at once."""
IMPATIENT = Patience(connect=2.0, read=1.0, whole=10.0, backoff=0.01)
"""For a Linode that really is silent."""
HTML = b"<!doctype html><title>502 Bad Gateway</title>"


@pytest.fixture
def api() -> Iterator[FaultyApi]:
    with FaultyApi(lab_account()) as api:
        yield api


def token_for(api: FaultyApi) -> Token:
    return Token(Secret(api.account.token), "LINODE_TOKEN")


def source(api: FaultyApi, **options: Any) -> LinodeSource:
    return LinodeSource(token_for(api), api.url, **{"patience": AS_SHIPPED, **options})


def find(api: FaultyApi, emit: Callable[[Event], None] = discard, **options: Any) -> Discovery:
    return source(api, **options).find(emit=emit, cancel=threading.Event())


def failure(api: FaultyApi, *faults: Fault, **options: Any) -> LinodeError:
    api.faults = list(faults)
    with pytest.raises(LinodeError) as caught:
        find(api, **options)
    return caught.value


def account_of(*instances: LinodeInstance) -> Account:
    return Account(instances)


def worker(number: int = 0, **fields: Any) -> LinodeInstance:
    at = {"public": (f"203.0.113.{20 + number}",), "private": (f"192.168.140.{20 + number}",)}
    return LinodeInstance(f"worker-{number}", **{**at, **fields})


# What is found


def test_the_lab_is_found_with_two_requests(api: FaultyApi) -> None:
    notes: list[Event] = []
    found = find(api, notes.append)
    assert [n.name for n in found.cluster] == [
        *(f"worker-{n}" for n in range(3)),
        *(f"controller-{n}" for n in range(3)),
    ]
    node = found.cluster.node("worker-1")
    assert node == Node(
        "worker-1",
        Role.WORKER,
        Endpoint("203.0.113.21"),
        IPv4Address("192.168.145.107"),
        IPv4Network("10.200.1.0/24"),
        PodCidrSource.LABEL,
        node.addresses,
        "ca-central",
    )
    assert [a.kind for a in node.addresses] == [AddressKind.PUBLIC, AddressKind.PRIVATE]
    controller = found.cluster.node("controller-0")
    assert (controller.pod_cidr, controller.pod_cidr_source) == (None, PodCidrSource.UNKNOWN)
    assert [r.label for r in found.cluster.regions] == ["Toronto, CA"]
    assert (found.others, found.findings) == (3, ())
    assert of_cluster(found.cluster) == ()
    assert len(api.requests) == 2
    assert [n.text for n in notes] == [
        "asking Linode for the nodes, 1 of 2",
        "asking Linode for the regions, 2 of 2",
    ]
    assert {n.step for n in notes} == {Phase.FIND}


def test_it_is_a_source(api: FaultyApi) -> None:
    a_source: Source = source(api)
    assert a_source.title == "Linode"


def test_one_request_per_500_instances() -> None:
    crowd = tuple(LinodeInstance(f"web-{n}") for n in range(998))
    with FaultyApi(account_of(worker(0), *crowd, worker(1), worker(2))) as api:
        found = find(api)
        assert [r.partition("/v4")[2] for r in api.requests] == [
            *(f"/linode/instances?page_size=500&page={n}" for n in (1, 2, 3)),
            "/regions?page_size=500&page=1",
        ]
    assert ([n.name for n in found.cluster], found.others) == (["worker-0", "worker-1", "worker-2"], 998)


def test_natural_order_and_roles() -> None:
    labels = ("worker-10", "controller-1", "worker-2", "controller-0", "worker-1")
    with FaultyApi(account_of(*(LinodeInstance(label) for label in labels))) as api:
        names = [n.name for n in find(api).cluster]
        both = find(api, workers="*-1*", controllers="*")
    assert names == ["worker-1", "worker-2", "worker-10", "controller-0", "controller-1"]
    assert [n.name for n in both.cluster.workers] == ["controller-1", "worker-1", "worker-10"]
    assert [n.name for n in both.cluster.controllers] == ["controller-0", "worker-2"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"tag": "blue"}, ["worker-0", "worker-1"]),
        ({"region": "eu-west"}, ["worker-1", "worker-2"]),
        ({"tag": "blue", "region": "eu-west"}, ["worker-1"]),
        ({"workers": "worker-[02]"}, ["worker-0", "worker-2"]),
        ({"workers": "WORKER-*"}, []),
    ],
)
def test_narrowing(options: dict[str, Any], names: list[str]) -> None:
    account = account_of(
        worker(0, tags=("blue", "x")), worker(1, tags=("blue",), region="eu-west"), worker(2, region="eu-west")
    )
    with FaultyApi(account) as api:
        found = find(api, **options)
    assert [n.name for n in found.cluster] == names
    assert found.others == 3 - len(names)


def test_nothing_matches_is_said_with_the_pattern(api: FaultyApi) -> None:
    (finding,) = find(api, workers="node-*", controllers="x", tag="t", region="eu-west").findings
    assert finding.sentence == "None of the account's other Linodes (9) is one tagged t in eu-west labelled node-*."
    api.account = account_of()
    assert [f.sentence for f in find(api).findings] == ["The account has no other Linodes."]


@pytest.mark.parametrize(
    ("public", "private", "ssh", "internal"),
    [
        (("203.0.113.1",), ("192.168.128.0",), "203.0.113.1", "192.168.128.0"),
        (("203.0.113.1",), ("192.168.127.255",), "203.0.113.1", None),
        ((), ("192.168.255.255",), None, "192.168.255.255"),
        (("203.0.113.1", "203.0.113.2"), ("192.168.130.1", "192.168.130.2"), None, None),
        (("203.0.113.1",), ("10.0.0.1", "192.168.130.1"), "203.0.113.1", "192.168.130.1"),
        (("203.0.113.1", "203.0.113.1"), ("172.31.0.1",), "203.0.113.1", None),
        ((), (), None, None),
    ],
)
def test_addresses_are_told_apart_by_their_network_and_never_guessed(
    public: tuple[str, ...], private: tuple[str, ...], ssh: str | None, internal: str | None
) -> None:
    for order in ((public, private), (private, public)):  # the list has no order that counts
        with FaultyApi(account_of(worker(0, public=order[0], private=order[1]))) as api:
            node = find(api).cluster.node("worker-0")
        assert node.ssh == (Endpoint(ssh) if ssh else None)
        assert node.internal == (IPv4Address(internal) if internal else None)


def test_another_cluster_cidr(api: FaultyApi) -> None:
    found = find(api, cluster_cidr=IPv4Network("10.99.0.0/23"))
    assert [n.pod_cidr for n in found.cluster.workers] == [
        IPv4Network("10.99.0.0/24"),
        IPv4Network("10.99.1.0/24"),
        None,
    ]
    assert found.cluster.cidr == IPv4Network("10.99.0.0/23")


def test_over_a_vlan_each_worker_costs_one_request() -> None:
    account = account_of(
        worker(0, vlan="10.0.0.1/24", vpc="10.8.0.2"),
        worker(1, vlan="10.0.0.2/24", vpc="10.8.0.3", interface_generation="linode"),
        worker(2, private=("192.168.140.1", "10.8.0.4"), vpc="10.8.0.4", interface_generation="linode"),
        LinodeInstance("controller-0", ("203.0.113.9",)),
    )
    notes: list[Event] = []
    with FaultyApi(account) as api:
        found = find(api, notes.append, via="vlan").cluster
        assert [r.partition("?")[0].removeprefix("/v4/") for r in api.requests] == [
            "linode/instances",
            "regions",
            f"linode/instances/{FIRST_ID}/configs",
            f"linode/instances/{FIRST_ID + 1}/interfaces",
            f"linode/instances/{FIRST_ID + 2}/interfaces",
        ]
        assert [n.internal for n in find(api).cluster.workers] == [  # and not at all otherwise
            IPv4Address("192.168.140.20"),
            IPv4Address("192.168.140.21"),
            IPv4Address("192.168.140.1"),
        ]
    assert [n.internal for n in found.workers] == [IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), None]
    assert found.node("worker-0").kind_of(IPv4Address("10.8.0.2")) is AddressKind.VPC
    assert found.node("worker-2").kind_of(IPv4Address("10.8.0.4")) is AddressKind.VPC
    assert notes[-1].text == "asking Linode for the interfaces of worker-2, 5 of 5"


def test_a_linode_that_can_have_no_private_address_is_asked_for_its_others() -> None:
    """With the new kind of interfaces, in a VPC: what to do is said, and a command line can do it."""
    account = account_of(
        *(worker(n, private=(), vpc=f"10.0.4.{2 + n}", interface_generation="linode") for n in range(2))
    )
    with FaultyApi(account) as api:
        found = find(api).cluster
        assert len(api.requests) == 4
        assert {f.code for f in of_cluster(found)} == {"internal-address-not-chosen"}
        assert "--via vpc" in of_cluster(found)[0].hint
        over_vpc = find(api, via="vpc").cluster
    assert [n.internal for n in over_vpc.workers] == [IPv4Address("10.0.4.2"), IPv4Address("10.0.4.3")]
    findings = [f for f in of_cluster(over_vpc) if f.code == "vpc-next-hop"]
    assert [f.node for f in findings] == ["worker-0", "worker-1"]
    assert "its pod CIDR 10.200.0.0/24 is not among them" in findings[0].sentence


@pytest.mark.parametrize("generation", ["linode", "legacy_config"])
def test_what_a_vpc_delivers_is_read(generation: str) -> None:
    """Then there is nothing to say."""
    nets = ["fd00::/64", None, "10.200.0.0/24"]

    def add(body: dict[str, object]) -> object:
        rows = body["interfaces"] if generation == "linode" else body["data"][0]["interfaces"]  # type: ignore[index]
        assert isinstance(rows, list)
        for row in rows:
            if generation == "linode" and row.get("vpc"):
                row["vpc"]["ipv4"]["ranges"] = [{"range": net} for net in nets]
            elif row.get("purpose") == "vpc":
                row["ip_ranges"] = nets
        return body

    with FaultyApi(account_of(worker(0, vpc="10.0.4.2", interface_generation=generation))) as api:
        api.faults = [Fault(path="interfaces" if generation == "linode" else "configs", edit=add)]
        found = find(api, via="vpc").cluster
    assert found.node("worker-0").vpc_ranges == frozenset({IPv4Network("10.200.0.0/24")})
    assert "vpc-next-hop" not in {f.code for f in of_cluster(found)}


def test_of_several_configurations_the_active_one_counts() -> None:
    vlan = {"purpose": "vlan", "ipam_address": "10.0.0.9/24", "active": False}
    inactive = {"interfaces": [vlan]}

    def add(body: dict[str, object]) -> object:
        rows = body["data"]
        assert isinstance(rows, list)
        return {**body, "data": [inactive, {"interfaces": None}, *rows, None, "x"]}

    with FaultyApi(account_of(worker(0, vlan="10.0.0.1/24"))) as api:
        api.faults = [Fault(path="configs", edit=add)]
        assert find(api, via="vlan").cluster.node("worker-0").internal == IPv4Address("10.0.0.1")


@pytest.mark.parametrize(
    ("scopes", "sentence"),
    [
        ("linodes:read_only", None),
        ("", None),
        ("*", "The token may do everything in the account."),
        (
            "linodes:read_write, account:read_only",
            "The token may do more than reading Linodes (account:read_only, linodes:read_write).",
        ),
    ],
)
def test_a_token_that_may_do_more_is_pointed_out(scopes: str, sentence: str | None) -> None:
    with FaultyApi(replace(lab_account(), scopes=scopes)) as api:
        found = find(api)
    assert [f.sentence for f in found.findings] == ([sentence] if sentence else [])
    assert all(f.level is Level.NOTICE for f in found.findings)


# Pages


def pages(*lists: list[dict[str, object]], **fields: object) -> list[Fault]:
    """The pages of the list of Linodes, with these entries."""

    def page(number: int, entries: list[dict[str, object]]) -> Fault:
        head = {"page": number, "pages": len(lists), "results": 4, **fields}
        return Fault(body=json.dumps({**head, "data": entries}).encode(), path=f"instances?page_size=500&page={number}")

    return [page(number, entries) for number, entries in enumerate(lists, start=1)]


def linode(number: int, label: str, **fields: object) -> dict[str, object]:
    return {"id": number, "label": label, "region": "ca-central", "status": "running", "tags": [], "ipv4": [], **fields}


def test_one_linode_on_two_pages_is_one_node(api: FaultyApi) -> None:
    first, second, web = linode(1, "worker-0"), linode(2, "worker-1"), linode(3, "web")
    api.faults = pages([first, web], [first, first, second, web, linode(4, "db")])
    found = find(api)
    assert ([n.name for n in found.cluster], found.others) == (["worker-0", "worker-1"], 2)
    assert "duplicate-name" not in [f.code for f in of_cluster(found.cluster)]


def test_of_one_linode_on_two_pages_the_later_entry_counts(api: FaultyApi) -> None:
    api.faults = pages(
        [linode(1, "worker-0", ipv4=["192.168.140.1"]), linode(2, "worker-1"), linode(3, "web"), linode(5, "x")],
        [linode(1, "worker-0", ipv4=["192.168.140.9"]), linode(2, "retired"), linode(3, "worker-2")],
        [linode(5, "worker-5", tags=["other"]), linode(4, "worker-4")],
    )
    found = find(api)
    assert [n.name for n in found.cluster] == ["worker-0", "worker-2", "worker-4", "worker-5"]
    assert found.cluster.node("worker-0").internal == IPv4Address("192.168.140.9")
    assert found.others == 1


def test_two_linodes_with_one_label_stay_two(api: FaultyApi) -> None:
    api.faults = pages([linode(1, "worker-0")], [linode(2, "worker-0")])
    found = find(api)
    assert [n.name for n in found.cluster] == ["worker-0", "worker-0"]
    assert "duplicate-name" in [f.code for f in of_cluster(found.cluster) if f.level is Level.STOP]


@pytest.mark.parametrize(
    ("faults", "what"),
    [
        (pages([], [], page=1), "page 2 of the list of nodes was asked for, and another came"),
        (pages([], page=None), "page 1 of the list of nodes was asked for, and another came"),
        (pages([], pages=101), "the list of nodes has more than 100 pages"),
        (pages([linode(n, "x") for n in range(501)]), "a page of the list of nodes has more than 500 entries"),
        (pages([linode(2**63, "worker-0")]), "worker-0 has no id"),
        (pages([linode(1, "worker-0", ipv4=["192.0.2.1"] * 1001)]), "worker-0 has more than 1000 addresses"),
    ],
)
def test_pages_that_make_no_sense(api: FaultyApi, faults: list[Fault], what: str) -> None:
    error = failure(api, *faults)
    assert (error.trouble, error.sentence) == (Trouble.MALFORMED, f"Linode's answer makes no sense: {what}.")


def test_a_list_that_grows_with_each_page_ends(api: FaultyApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kthw_routes.sources.linode.responses.MAX_PAGES", 5)
    faults = [pages([], [], [], [], [], [], [], pages=n + 1)[n - 1] for n in range(1, 7)]
    assert failure(api, *faults).sentence.endswith("the list of nodes has more than 5 pages.")
    assert len(api.requests) == 5


# What is untrusted


@pytest.mark.parametrize(
    "label", ["worker-0\x1b[31m", "worker-0\n", "worker-\u202e0", "worker-0 ", "worker-" + "x" * 5000, "worker_0"]
)
def test_a_hostile_label_is_shown_safely_and_never_becomes_another_name(label: str) -> None:
    hostile = worker(9, region="r\x1b]0;x\x07", tags=("\x1b[2J",), status="\x1b[5mrunning")
    account = account_of(worker(0), worker(1), worker(2), replace(hostile, label=label))
    notes: list[Event] = []
    with FaultyApi(account) as api:
        found = find(api, notes.append, workers="worker*", via="vlan").cluster
    shown = [*(n.text for n in notes), *(f.sentence + f.hint for f in of_cluster(found))]
    shown += [text or "" for n in found for text in (n.name, n.region, n.status)]
    assert not any("\x1b" in text or "\u202e" in text for text in shown)
    (name,) = [n.name for n in found if n.name not in {"worker-0", "worker-1", "worker-2"}]
    assert clean_line(name) == name
    assert len(name) <= 65
    assert not is_host_name(name)
    assert [f.node for f in of_cluster(found) if f.code == "not-a-host-name"] == [name]


def edit_first(**fields: object) -> Fault:
    def edit(body: dict[str, object]) -> object:
        rows = body["data"]
        assert isinstance(rows, list)
        return {**body, "data": [{**rows[0], **fields}, *rows[1:]]}

    return Fault(edit=edit)


@pytest.mark.parametrize(
    "fields",
    [
        {"region": None},
        {"tags": None},
        {"tags": [None, 3]},
        {"image": None, "ipv6": None, "placement_group": None},
        {"ipv4": None},
        {"ipv4": []},
        {"status": None},
        {"status": "on holiday"},
        {"interface_generation": None},
        {"interface_generation": "quantum"},
        {"capabilities": ["Time Travel"]},
        {"label": None},
        {"label": 7},
        {"new_field": {"deep": [1]}},
    ],
)
def test_nulls_and_unknown_values_are_borne(fields: dict[str, object]) -> None:
    with FaultyApi(account_of(worker(0), worker(1))) as api:
        api.faults = [edit_first(**fields)]
        found = find(api)
        assert "worker-1" in [n.name for n in found.cluster]
        if "status" in fields:
            assert "not-running" in [f.code for f in of_cluster(found.cluster)]


def test_an_unknown_capability_and_region_status_are_kept(api: FaultyApi) -> None:
    regions = tuple(
        replace(r, capabilities=("Time Travel",), status="odd") if r.id == "ca-central" else r
        for r in api.account.regions
    )
    api.account = replace(api.account, regions=regions)
    (region,) = find(api).cluster.regions
    assert region.capabilities == {"Time Travel"}
    assert region.status == "odd"


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"id": None}, "worker-0 has no id"),
        ({"id": True}, "worker-0 has no id"),
        ({"id": "../../account"}, "worker-0 has no id"),
        ({"ipv4": "192.168.130.1"}, "worker-0 has no list of addresses"),
        ({"ipv4": ["192.168.130.999"]}, "an address of worker-0 is none"),
        ({"ipv4": [None]}, "an address of worker-0 is none"),
    ],
)
def test_what_cannot_be_done_without_is_an_error(fields: dict[str, object], what: str) -> None:
    with FaultyApi(account_of(worker(0), worker(1))) as api:
        error = failure(api, edit_first(**fields))
    assert error.sentence == f"Linode's answer makes no sense: {what}."
    assert error.trouble is Trouble.MALFORMED


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b"3",
        b'"x"',
        b"{}",
        b'{"data": null, "pages": 1}',
        b'{"data": {}, "pages": 1}',
        b'{"data": [], "pages": null}',
        b'{"data": [], "pages": "2"}',
        b'{"data": [], "pages": true}',
        b'{"data": [], "pages": 1000000000}',
        b'{"data": [], "pages": -1}',
    ],
)
def test_json_of_another_shape(api: FaultyApi, body: bytes) -> None:
    for path in ("instances", "regions"):
        error = failure(api, Fault(body=body, path=path))
        assert error.trouble is Trouble.MALFORMED
        assert error.sentence.startswith("Linode's answer makes no sense: ")


def test_entries_that_are_none_are_passed_over(api: FaultyApi) -> None:
    def edit(body: dict[str, object]) -> object:
        rows = body["data"]
        assert isinstance(rows, list)
        return {**body, "data": [None, 3, "x", [], *rows]}

    api.faults = [Fault(edit=edit), Fault(edit=edit)]
    assert len(find(api).cluster.nodes) == 6


@pytest.mark.parametrize("path", ["interfaces", "configs"])
@pytest.mark.parametrize("body", [b"null", b'{"interfaces": null}', b'{"data": null}'])
def test_interfaces_of_another_shape(path: str, body: bytes) -> None:
    generation = "linode" if path == "interfaces" else "legacy_config"
    with FaultyApi(account_of(worker(0, interface_generation=generation))) as api:
        assert failure(api, Fault(body=body, path=path), via="vlan").trouble is Trouble.MALFORMED


@pytest.mark.parametrize(
    "interface",
    [
        {"vlan": None, "vpc": None},
        {"vlan": {"ipam_address": None}},
        {"vlan": {"ipam_address": "fd00::1/64"}, "vpc": {"ipv4": {"addresses": [None, {"address": None}]}}},
        {"vlan": 3, "vpc": {"ipv4": {"addresses": "x"}}},
        None,
    ],
)
def test_interfaces_without_an_address_give_none(interface: object) -> None:
    with FaultyApi(account_of(worker(0, interface_generation="linode"))) as api:
        api.faults = [Fault(path="interfaces", edit=lambda _: {"interfaces": [interface]})]
        assert find(api, via="vlan").cluster.node("worker-0").internal is None


# What fails


REASON = b'{"errors": [{"reason": "Because \\u001b[31mI say so.", "field": null}]}'


@pytest.mark.parametrize(
    ("fault", "trouble", "sentence"),
    [
        (
            Fault(401, b'{"errors": [{"reason": "Invalid Token"}]}'),
            Trouble.TOKEN_REFUSED,
            "Linode refused the token from LINODE_TOKEN: it is wrong, expired or revoked (it says: Invalid Token).",
        ),
        (
            Fault(403, REASON),
            Trouble.FORBIDDEN,
            "Linode does not let the token from LINODE_TOKEN read the Linodes (it says: Because I say so).",
        ),
        (Fault(404, b"{}"), Trouble.NOT_FOUND, "{host} does not know what it was asked for."),
        (
            Fault(400, REASON),
            Trouble.REQUEST_REJECTED,
            "Linode rejected the request: 400 Bad Request (it says: Because I say so).",
        ),
        (Fault(418, b"short"), Trouble.REQUEST_REJECTED, "Linode rejected the request: 418 I'm a Teapot."),
        (Fault(500, b""), Trouble.UNAVAILABLE, "Linode is in trouble: 500 Internal Server Error."),
        (Fault(599, b"[]"), Trouble.UNAVAILABLE, "Linode is in trouble: 599."),
        (
            Fault(302, b"", {"Location": "/v4/regions"}),
            Trouble.REDIRECTED,
            "{host} sends us to another address, as no API does.",
        ),
        (
            Fault(200, HTML, {"Content-Type": "text/html"}),
            Trouble.NOT_JSON,
            "{host} answered with a web page instead of data.",
        ),
        (
            Fault(200, b'{"data": ['),
            Trouble.NOT_JSON,
            "{host} answered with something that is not JSON instead of data.",
        ),
        (
            Fault(200, b"[" * 100_000),
            Trouble.NOT_JSON,
            "{host} answered with something that is not JSON instead of data.",
        ),
        (Fault(204, b""), Trouble.MALFORMED, "Linode's answer makes no sense: there is no list of nodes in it."),
    ],
)
def test_what_is_asked_once(api: FaultyApi, fault: Fault, trouble: Trouble, sentence: str) -> None:
    error = failure(api, fault)
    assert error.trouble is trouble
    assert error.sentence == sentence.format(host=api.url.split("/")[2])
    assert error.hint
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "body", [b'{"errors": 3}', b'{"errors": [3]}', b'{"errors": [{"field": 3}]}', b'{"errors": null}', b"3"]
)
def test_errors_of_another_shape_keep_their_status(api: FaultyApi, body: bytes) -> None:
    assert failure(api, Fault(401, body)).trouble is Trouble.TOKEN_REFUSED


@pytest.mark.parametrize(
    ("fault", "trouble", "sentence"),
    [
        (Fault(429, b"{}"), Trouble.RATE_LIMITED, "Linode says that too many requests were made."),
        (
            Fault(502, HTML, {"Content-Type": "text/html"}),
            Trouble.UNAVAILABLE,
            "Linode is in trouble: 502 Bad Gateway.",
        ),
        (Fault(503, b"{}"), Trouble.UNAVAILABLE, "Linode is in trouble: 503 Service Unavailable."),
        (Fault(504, b"{}"), Trouble.UNAVAILABLE, "Linode is in trouble: 504 Gateway Timeout."),
        (Fault(drops=True), Trouble.CONNECTION_FAILED, "The connection to {host} broke off."),
        (Fault(cuts=100), Trouble.CONNECTION_FAILED, "The connection to {host} broke off."),
        (Fault(hangs=True), Trouble.TIMED_OUT, "{host} did not answer within 1 s."),
    ],
)
def test_what_is_tried_three_times(api: FaultyApi, fault: Fault, trouble: Trouble, sentence: str) -> None:
    host = api.url.split("/")[2]
    patience = IMPATIENT if fault.hangs else AS_SHIPPED
    error = failure(api, fault, fault, fault, patience=patience)
    assert (error.trouble, error.sentence) == (trouble, sentence.format(host=host))
    assert error.hint.startswith("Tried 3 times. ")
    assert len(api.requests) == 3
    notes: list[Event] = []
    api.faults = [fault, fault]
    assert len(find(api, notes.append, patience=patience).cluster.nodes) == 6
    assert [n.text for n in notes if "Trying" in n.text] == [
        f"{sentence.format(host=host)} Trying again in 0 s (try {n} of 3)" for n in (2, 3)
    ]


def test_each_try_is_judged_by_itself(api: FaultyApi) -> None:
    busy, gone = Fault(503, b"{}"), Fault(drops=True)
    assert failure(api, busy, busy, gone).trouble is Trouble.CONNECTION_FAILED
    assert failure(api, busy, gone, Fault(401, b"{}")).trouble is Trouble.TOKEN_REFUSED


def test_requests_run_in_threads_that_do_not_keep_the_program_alive() -> None:
    run = partial(tries.run_in_thread, cancel=threading.Event(), seconds=5.0)
    assert run(lambda: threading.current_thread().daemon) is True
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0)


def test_an_answer_that_never_ends_is_given_up(api: FaultyApi) -> None:
    api.faults = [Fault(hangs=True)]
    slow = Patience(connect=60.0, read=60.0, whole=1.0, backoff=0.0)
    begun = time.monotonic()
    assert len(find(api, patience=slow).cluster.nodes) == 6
    assert time.monotonic() - begun < 4


def test_retry_after_is_shown_and_honoured(api: FaultyApi) -> None:
    notes: list[Event] = []
    api.faults = [Fault(429, b"{}", {"Retry-After": "1"})]
    begun = time.monotonic()
    find(api, notes.append)
    assert time.monotonic() - begun >= 1.0
    assert "Linode asks to wait 1 s (try 2 of 3)" in [n.text for n in notes]


def test_retry_after_is_capped(monkeypatch: pytest.MonkeyPatch, api: FaultyApi) -> None:
    monkeypatch.setattr(tries, "MAX_WAIT", 0.01)
    notes: list[Event] = []
    api.faults = [Fault(503, b"{}", {"Retry-After": "21600"})]
    find(api, notes.append)
    assert "Linode asks to wait 21600 s; trying again in 0 s (try 2 of 3)" in [n.text for n in notes]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00", None),
        ("9" * 5000, 999999999.0),
        ("²", None),
    ],
)
def test_retry_after_may_be_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert seconds_to_wait(header) == seconds


def nowhere(url: str, **options: Any) -> LinodeError:
    token = Token(Secret("t"), "LINODE_TOKEN")
    with pytest.raises(LinodeError) as caught:
        LinodeSource(token, url, patience=IMPATIENT, **options).find(emit=discard, cancel=threading.Event())
    return caught.value


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = nowhere(f"http://127.0.0.1:{port}/v4")
    assert error.trouble is Trouble.REFUSED
    assert error.sentence == f"127.0.0.1:{port} refused the connection."


def test_nobody_picks_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait_in_vain(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr("urllib3.util.connection.create_connection", wait_in_vain)
    error = nowhere("http://127.0.0.1:9/v4")
    assert error.trouble is Trouble.TIMED_OUT
    assert error.sentence == "127.0.0.1:9 did not answer within 2 s."  # the time for connecting


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = nowhere("https://api.linode.invalid/v4")
    assert error.trouble is Trouble.NAME_NOT_FOUND
    assert error.sentence == "The name api.linode.invalid could not be resolved."


def test_an_address_that_is_none() -> None:
    assert nowhere("https://.example./v4").trouble is Trouble.BAD_ADDRESS


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    assert nowhere("https://api.linode.invalid/v4").trouble is Trouble.PROXY_FAILED


def test_the_lab_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch, api: FaultyApi) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert len(find(api).cluster.nodes) == 6


def test_no_tls_where_tls_is_wanted(api: FaultyApi) -> None:
    error = nowhere(api.url.replace("http:", "https:"))
    assert error.trouble is Trouble.TLS_FAILED
    assert error.sentence.startswith(f"No safe connection to {api.url.split('/')[2]}: ")


def test_hanging_up_within_the_handshake_is_no_matter_of_certificates() -> None:
    def hang_up(server: socket.socket) -> None:
        for _ in range(tries.TRIES):
            connection, _ = server.accept()
            connection.recv(10_000)  # all of the greeting, else closing resets the connection
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        error = nowhere(f"https://127.0.0.1:{server.getsockname()[1]}/v4")
    assert error.trouble is Trouble.CONNECTION_FAILED


def test_a_certificate_nobody_vouches_for(api: FaultyApi, certificate: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    api._server.socket = context.wrap_socket(api._server.socket, server_side=True)
    url = api.url.replace("http://127.0.0.1", "https://localhost")
    error = nowhere(url)
    assert error.trouble is Trouble.TLS_FAILED
    assert error.sentence.endswith("self-signed certificate.")
    trusting = LinodeSource(token_for(api), url, certificate[0])
    assert len(trusting.find(emit=discard, cancel=threading.Event()).cluster.nodes) == 6


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


# Giving up


class CancelsWhen:
    """Sets `cancel` when a note says so, and knows when that was."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.cancel = threading.Event()
        self.at = 0.0

    def __call__(self, event: Event) -> None:
        if self.word in event.text:
            self.at = time.monotonic()
            self.cancel.set()


def test_cancelling_a_wait_takes_less_than_a_fifth_of_a_second(api: FaultyApi) -> None:
    api.faults = [Fault(429, b"{}", {"Retry-After": "30"})]
    watcher = CancelsWhen("asks to wait 30 s (try 2 of 3)")
    with pytest.raises(Cancelled):
        source(api).find(emit=watcher, cancel=watcher.cancel)
    assert time.monotonic() - watcher.at < 0.2


def test_cancelling_a_request_in_flight_takes_less_than_a_fifth_of_a_second(api: FaultyApi) -> None:
    cancel = threading.Event()
    at: list[float] = []

    def cancel_and_hang(_: object) -> object:  # the request has arrived; its answer never comes
        at.append(time.monotonic())
        cancel.set()
        api.wait_until_closing()
        return None

    api.faults = [Fault(edit=cancel_and_hang)]
    with pytest.raises(Cancelled):
        source(api, patience=Patience()).find(emit=discard, cancel=cancel)
    assert time.monotonic() - at[0] < 0.2


def test_nothing_is_asked_once_cancelled(api: FaultyApi) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        source(api).find(emit=discard, cancel=cancel)
    assert api.requests == []


@pytest.mark.parametrize("faults", [[], [Fault(401, b"{}")]])
def test_a_search_hangs_up_at_its_end(api: FaultyApi, faults: list[Fault], monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[requests.Session] = []
    monkeypatch.setattr(requests.Session, "close", lambda session: closed.append(session))
    with nullcontext() if not faults else pytest.raises(LinodeError):
        api.faults = faults
        find(api)
    assert len(closed) == 1


# The secret


def test_the_token_is_nowhere_to_be_seen(api: FaultyApi, caplog: pytest.LogCaptureFixture) -> None:
    token = api.account.token
    seen: list[object] = [source(api), vars(source(api))]
    caplog.set_level(logging.DEBUG)
    seen.append(find(api, seen.append))
    echo = f'{{"errors": [{{"reason": "no {token} here"}}]}}'.encode()
    hidden = f'{{"errors": [{{"reason": "{token[:5]}\\u200b{token[5:]}"}}]}}'.encode()
    for fault in (
        Fault(403, hidden),
        Fault(401, echo),
        Fault(500, echo),
        Fault(200, token.encode()),
        Fault(200, b"{}", {"Warning": token}),
        Fault(302, b"", {"Location": f"http://127.0.0.1:1/{token}"}),
    ):
        error = failure(api, fault)
        seen += [error, error.args, error.sentence, error.hint, error.__cause__, error.__context__]
        assert error.__cause__ is None
        assert error.__context__ is None
    assert all(token not in repr(s) and token not in str(s) for s in seen)
    assert token not in caplog.text


def test_a_netrc_file_does_not_replace_the_token(
    api: FaultyApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(
        "kthw_routes.sources.linode.token.is_loopback", lambda _: False
    )  # else the environment has no say
    assert len(find(api, allow_http=True).cluster.nodes) == 6


def test_the_library_is_loaded_by_the_search_and_not_before() -> None:
    script = "import sys, kthw_routes.sources.linode.source as _; print({'linode_api4', 'requests'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
