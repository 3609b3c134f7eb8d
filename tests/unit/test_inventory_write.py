"""Saving a cluster as an inventory: what is written is read back as the same, and written whole or not at all."""

import os
import stat
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kthw_routes.cluster import Address, AddressKind, Cluster, Endpoint, Node, PodCidrSource, Role, Selection
from kthw_routes.errors import UsageError
from kthw_routes.findings import regions
from kthw_routes.findings.cluster import before_visit
from kthw_routes.node_names import expected_pod_cidr, is_host_name, natural_order
from kthw_routes.options import NamesOn, RoutesOn
from kthw_routes.overlay.model import Overlay
from kthw_routes.persistence.model import Persist
from kthw_routes.sources.inventory import InventoryKind, parse, read
from kthw_routes.sources.inventory.values import address_of
from kthw_routes.sources.inventory.write import is_draft, save, to_toml
from tests.unit.builders import cluster, internal, of_account, worker
from tests.unit.odd_files import odd_file

HERE = Path("/folder/nodes.toml")

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAMES = st.one_of(
    st.integers(0, 300).map(lambda n: f"worker-{n}"), st.lists(LABELS, min_size=1, max_size=3).map(".".join)
).filter(is_host_name)
ADDRESSES = st.one_of(
    st.tuples(st.integers(0, 255), st.integers(1, 254)).map(lambda p: IPv4Address(f"192.168.{p[0]}.{p[1]}")),
    st.integers(0, 2**24 - 1).map(lambda n: IPv4Address("10.0.0.0") + n),
    st.integers(0, 2**16 - 1).map(lambda n: IPv4Address("203.0.0.0") + n),
)
USERS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.@\\+-]{0,12}\$?", fullmatch=True)
ALIASES = st.from_regex(r"[a-z][a-z0-9_-]{0,12}", fullmatch=True)
ENDPOINTS = st.builds(
    Endpoint, st.one_of(ADDRESSES.map(str), ALIASES), st.none() | USERS, st.none() | st.integers(1, 65535)
)
CLUSTER_CIDRS = st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 26)).map(lambda p: IPv4Network(p, strict=False))
PATHS = st.text(st.characters(categories=("L", "N", "P", "S"), include_characters=" "), min_size=1).map(
    lambda t: Path("/keys") / t
)


@st.composite
def pod_cidrs(draw: st.DrawFn, cidr: IPv4Network) -> IPv4Network:
    """Networks within the cluster's."""
    first = int(cidr.network_address)
    ip = draw(st.integers(first, first + cidr.num_addresses - 1))
    return IPv4Network((ip, draw(st.integers(cidr.prefixlen, 30))), strict=False)


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """Clusters that an inventory can state."""
    cidr = draw(CLUSTER_CIDRS)
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique_by=str.casefold))
    targets = draw(
        st.lists(
            ENDPOINTS,
            min_size=len(names),
            max_size=len(names),
            unique_by=lambda e: (e.host.casefold(), e.port or 22),
        )
    )
    internals = draw(st.lists(ADDRESSES, min_size=len(names), max_size=len(names), unique=True))
    nodes: list[Node] = []
    stated: list[IPv4Network] = []
    for number, (name, target, ip) in enumerate(zip(names, targets, internals, strict=True)):
        role = Role.WORKER if number == 0 else draw(st.sampled_from(Role))
        internal = draw(st.sampled_from([ip, None]))
        typed = draw(st.none() | pod_cidrs(cidr)) if role is Role.WORKER else None
        if typed and (any(map(typed.overlaps, stated)) or any(other in typed for other in internals)):
            typed = None
        stated += [typed] if typed else []
        pods = typed or (expected_pod_cidr(name, cidr) if role is Role.WORKER else None)
        told = PodCidrSource.TYPED if typed else PodCidrSource.LABEL if pods else PodCidrSource.UNKNOWN
        addresses = (address_of(internal),) if internal else ()
        nodes.append(
            Node(
                name=name,
                role=role,
                ssh=draw(st.sampled_from([target, None])),
                internal=internal,
                pod_cidr=pods,
                pod_cidr_source=told,
                addresses=addresses,
                identity=draw(st.none() | PATHS),
                next_hop=draw(st.none() | ADDRESSES),
            )
        )
    return Cluster(tuple(sorted(nodes, key=lambda n: (n.role is not Role.WORKER, natural_order(n.name)))), cidr)


@given(
    clusters(),
    st.none() | USERS,
    st.none() | PATHS,
    st.sampled_from([None, True, False, *NamesOn]),
    st.sampled_from([None, *Persist]),
    st.sampled_from([None, *RoutesOn]),
    st.sampled_from([None, *Overlay]),
)
def test_what_is_written_is_read_back(wanted, user, identity, hosts_file, persist, routes_on, overlay) -> None:  # type: ignore[no-untyped-def]  # as the strategies say
    text = to_toml(
        wanted,
        user=user,
        identity=identity,
        hosts_file=hosts_file,
        persist=persist,
        routes_on=routes_on,
        overlay=overlay,
    )
    found = parse(text.encode(), HERE)
    assert found.cluster == wanted
    assert found.kind is InventoryKind.TOML
    told = (
        found.settings.cluster_cidr,
        found.settings.user,
        found.settings.identity,
        found.settings.hosts_file,
        found.settings.persist,
        found.settings.routes_on,
        found.settings.overlay,
    )
    assert told == (wanted.cidr, user, identity, hosts_file, persist, routes_on, overlay)


def test_the_file_of_a_cluster() -> None:
    text = to_toml(cluster(2, 1), persist=Persist.AUTO, hosts_file=True)
    head, _, body = text.partition("\n\n")
    assert all(line.startswith("#") for line in head.split("\n"))
    assert "kthw-routes plan --inventory FILE" in head
    assert body == (
        'cluster_cidr = "10.200.0.0/16"\nhosts_file = true\npersist = "auto"\n'
        '\n[[nodes]]\nname = "worker-0"\nrole = "worker"\nssh = "203.0.113.20"\ninternal_ip = "192.168.128.10"\n'
        '\n[[nodes]]\nname = "worker-1"\nrole = "worker"\nssh = "203.0.113.21"\ninternal_ip = "192.168.128.11"\n'
        '\n[[nodes]]\nname = "controller-0"\nrole = "controller"\nssh = "203.0.113.10"\n'
        'internal_ip = "192.168.128.110"\n'
    )


def test_a_node_of_an_account_keeps_its_next_hop_and_region() -> None:
    """Its public address must not become the next hop, also where none is chosen yet."""
    known, other = of_account(worker(0)), of_account(worker(1))
    unknown = replace(other, internal=None, addresses=other.addresses[:1])
    first, second = parse(to_toml(Cluster((known, unknown))).encode(), HERE).nodes
    assert (first.internal, first.region) == (internal(0), "ca-central")
    assert first.kind_of(internal(0)) is AddressKind.PRIVATE
    assert (second.internal, second.ssh) == (None, Endpoint("203.0.113.21"))


def test_what_is_missing_is_left_empty_and_marked() -> None:
    """So that it can be filled in by hand, from the addresses that are known."""
    known = of_account(worker(1))
    vpc = Address(IPv4Address("10.0.4.2"), AddressKind.VPC)
    public = [Address(IPv4Address(f"203.0.113.{n}"), AddressKind.PUBLIC) for n in (7, 8)]
    node = replace(known, ssh=None, internal=None, addresses=(*public, vpc))
    text = to_toml(Cluster((known, replace(node, name="worker-0"))))
    assert 'ssh = ""  # to fill in: 203.0.113.7 or 203.0.113.8\n' in text
    assert 'internal_ip = ""  # to fill in: 10.0.4.2\n' in text
    assert text.count("# to fill in") == 2
    assert parse(text.encode(), HERE).nodes[0].internal is None


def test_who_is_removed_is_not_written_and_who_is_left_out_is() -> None:
    nodes = (
        worker(0),
        worker(1, selection=Selection.REMOVED),
        worker(2, selection=Selection.LEFT_OUT),
    )
    assert [n.name for n in parse(to_toml(Cluster(nodes)).encode(), HERE).nodes] == ["worker-0", "worker-2"]


@pytest.mark.parametrize(
    ("told", "cidr", "written"),
    [
        (PodCidrSource.LABEL, "10.200.0.0/24", False),
        (PodCidrSource.GUESS, "10.200.0.0/24", False),
        (PodCidrSource.CNI, "10.200.0.0/24", True),
        (PodCidrSource.CNI, "10.200.7.0/24", True),
        (PodCidrSource.KUBELET, "10.200.0.0/24", True),
        (PodCidrSource.TYPED, "10.200.0.0/24", True),
    ],
)
def test_a_pod_cidr_is_written_where_somebody_said_it_or_it_does_not_follow(
    told: PodCidrSource, cidr: str, written: bool
) -> None:
    text = to_toml(Cluster((worker(0, pod_cidr=IPv4Network(cidr), pod_cidr_source=told),)))
    assert (f'pod_cidr = "{cidr}"' in text) == written


@pytest.mark.parametrize(
    ("nodes", "hint"),
    [
        ((worker(1), worker(0, name="worker_0")), 'worker_0: name "worker_0" is not a valid hostname'),
        ((worker(0, name='w"\n[[nodes]]'),), "is not a valid hostname"),
        ((worker(0, ssh=Endpoint("a host"), internal=None),), "neither an IPv4 address nor a hostname"),
    ],
)
def test_what_could_not_be_read_is_not_written(nodes: tuple[Node, ...], hint: str) -> None:
    with pytest.raises(UsageError, match="cannot be saved") as caught:
        to_toml(Cluster(nodes))
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("nodes", "code"),
    [
        ((), "no-worker"),
        ((cluster(0, controllers=1).nodes[0],), "no-worker"),
        ((worker(0), worker(1, name="worker-0")), "duplicate-name"),
        ((worker(0), worker(1, internal=worker(0).internal)), "shared-internal-address"),
        ((worker(0, ssh=None, internal=None, addresses=()), worker(1)), "no-ssh-address"),
    ],
)
def test_nodes_that_do_not_fit_together_are_a_draft_that_loads_again(nodes: tuple[Node, ...], code: str) -> None:
    text = to_toml(Cluster(nodes))
    read = parse(text.encode(), HERE)
    assert [(n.name, n.role, n.ssh, n.internal) for n in read.cluster] == [
        (n.name, n.role, n.ssh, n.internal) for n in nodes
    ]
    assert code in {f.code for f in before_visit(read.cluster)}
    assert is_draft(text) is (code != "no-ssh-address"), "what is only missing was stated before already"


def test_a_key_whose_name_is_no_text() -> None:
    with pytest.raises(UsageError, match="cannot be written to a file as text"):
        to_toml(cluster(), identity=Path("key\udcff"))


# On disk


def test_a_file_is_saved_and_read(tmp_path: Path) -> None:
    path = tmp_path / "nodes.toml"
    before = os.umask(0o027)
    try:
        save(path, to_toml(cluster(), identity=Path("keys/id")))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert read(path).settings.identity == tmp_path / "keys" / "id"
    assert [p.name for p in tmp_path.iterdir()] == ["nodes.toml"]


def test_a_file_is_replaced_only_if_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "nodes.toml"
    path.write_text("mine")
    path.chmod(0o600)
    with pytest.raises(UsageError, match="There is a file"):
        save(path, "new")
    assert path.read_text() == "mine"
    save(path, "new", overwrite=True)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o600)


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "nodes.toml").write_text("old")
    link = tmp_path / "link.toml"
    link.symlink_to("real/nodes.toml")
    save(link, "new", overwrite=True)
    assert link.is_symlink()
    assert (tmp_path / "real" / "nodes.toml").read_text() == "new"


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    for path, sentence in (
        (tmp_path, f"{tmp_path} is a folder."),
        (tmp_path / "no" / "x", f"{tmp_path}/no/x cannot be written: No such file or directory."),
        (Path("a\0b"), "ab cannot be written: embedded null byte."),
    ):
        with pytest.raises(UsageError) as caught:
            save(path, "text", overwrite=True)
        assert caught.value.sentence == sentence


@pytest.mark.parametrize("odd", ["a folder", "a FIFO", "a link to a FIFO", "a socket", "a device"])
def test_what_is_no_file_is_not_replaced(odd: str, tmp_path: Path) -> None:
    with odd_file(odd, tmp_path) as path:
        before = path.stat()
        with pytest.raises(UsageError, match=r"odd is a (folder|device)"):
            save(path, "text", overwrite=True)
        assert (path.stat().st_mode, path.stat().st_ino) == (before.st_mode, before.st_ino)


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "nodes.toml"
    path.write_text("old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        save(path, "new", overwrite=True)
    assert (path.read_text(), [p.name for p in tmp_path.iterdir()]) == ("old", ["nodes.toml"])


def test_the_warning_of_a_region_stands_for_a_saved_cluster_too() -> None:
    saved = parse(to_toml(Cluster((worker(0, region="eu-west"), worker(1, region="eu-west")))).encode(), HERE)
    assert "region-seen-to-fail" in {f.code for f in regions.findings(saved.cluster)}
