"""Inventory files of each kind, right and wrong: what they give, and every problem of a file with line and column."""

import os
import threading
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from pathlib import Path

import pytest

from kthw_routes.cluster import AddressKind, Endpoint, Node, PodCidrSource, Role
from kthw_routes.errors import Cancelled, ExitCode, UsageError
from kthw_routes.events import Event, Phase, discard
from kthw_routes.findings.cluster import of_cluster
from kthw_routes.findings.model import Level
from kthw_routes.sources import Source
from kthw_routes.sources.inventory import Inventory, InventoryError, InventoryKind, InventorySource, parse, read
from tests.unit.odd_files import ODD_FILES, odd_file

FILES = Path(__file__).parent.parent / "data" / "inventories"
BAD = sorted(p.name for p in (FILES / "bad").iterdir() if p.suffix != ".expected")


def good(name: str) -> Inventory:
    return read(FILES / "good" / name)


def of(text: str | bytes, name: str = "nodes.toml", cluster_cidr: IPv4Network | None = None) -> Inventory:
    data = text.encode() if isinstance(text, str) else text
    return parse(data, Path("folder") / name, cluster_cidr=cluster_cidr)


def failure(text: str | bytes, name: str = "nodes.toml") -> InventoryError:
    with pytest.raises(InventoryError) as caught:
        of(text, name)
    return caught.value


def problems(text: str, name: str = "nodes.toml") -> list[str]:
    """`line:column: sentence` of each problem."""
    return [f"{p.line}:{p.column}: {p.sentence}" for p in failure(text, name).problems]


def listed(inventory: Inventory) -> list[str]:
    """A line for each node."""
    return [
        f"{n.name} {n.role} {n.ssh} {n.internal} {n.pod_cidr}{'!' if n.pod_cidr_source is PodCidrSource.TYPED else ''}"
        for n in inventory.nodes
    ]


def node(**fields: str) -> str:
    given = {"name": "worker-0", "role": "worker", "ssh": "192.168.8.20"} | fields
    return "\n".join(["[[nodes]]", *(f'{key} = "{value}"' for key, value in given.items()), ""])


# Right files


def test_toml_of_our_own() -> None:
    found = good("nodes.toml")
    assert found.kind is InventoryKind.TOML
    assert listed(found) == [
        "worker-2 worker 192.168.8.22 192.168.8.22 10.200.2.0/24",
        "worker-10 worker ubuntu@192.168.8.30:2222 192.168.9.30 10.200.77.0/24!",
        "server controller root@server.lan 10.0.0.10 None",
    ]
    assert (found.settings.cluster_cidr, found.settings.user) == (IPv4Network("10.200.0.0/16"), "root")
    assert found.settings.identity == FILES / "good" / "keys" / "kubernetes.ed25519"
    settings = found.settings
    assert (settings.hosts_file, settings.persist, settings.routes_on, settings.overlay) == (
        "all",
        "netplan",
        "all",
        "vxlan",
    )
    assert [f.sentence for f in found.findings] == [
        "nodes.toml was recognised as TOML inventory: 2 workers and 1 controller."
    ]


def test_a_node_is_what_the_other_sources_make_of_one() -> None:
    assert good("nodes.toml").nodes[0] == Node(
        "worker-2",
        Role.WORKER,
        Endpoint("192.168.8.22"),
        IPv4Address("192.168.8.22"),
        IPv4Network("10.200.2.0/24"),
        PodCidrSource.LABEL,
        good("nodes.toml").nodes[0].addresses,
    )
    assert [(str(a.ip), a.kind) for a in good("nodes.toml").nodes[0].addresses] == [("192.168.8.22", AddressKind.OTHER)]
    assert not of_cluster(good("nodes.toml").cluster)


def test_toml_with_inline_tables() -> None:
    found = good("inline.toml")
    assert listed(found) == [
        "worker-0 worker 192.168.8.20 192.168.8.20 10.200.0.0/24",
        "worker-1 worker 192.168.8.21 192.168.8.21 10.200.1.0/24",
    ]
    assert found.settings.hosts_file is False
    assert (
        found.settings.cluster_cidr,
        found.settings.user,
        found.settings.identity,
        found.settings.persist,
        found.settings.routes_on,
        found.settings.overlay,
    ) == (None,) * 6


def test_machines_txt() -> None:
    found = good("machines.txt")
    assert found.kind is InventoryKind.MACHINES
    assert listed(found) == [
        "node-0 worker 192.168.8.20 192.168.8.20 10.200.0.0/24!",
        "node-1 worker 192.168.8.21 192.168.8.21 10.200.1.0/24!",
        "server controller 192.168.8.10 192.168.8.10 None",
    ]
    assert [f.sentence for f in found.findings] == [
        "machines.txt was recognised as KTHW machines.txt: 2 workers and 1 controller.",
        "jumpbox (line 1) is neither a worker nor a controller, so it is ignored.",
    ]
    assert {f.level for f in found.findings} == {Level.NOTICE}
    assert found.others == 1


def test_ansible_ini() -> None:
    found = good("hosts")
    assert found.kind is InventoryKind.ANSIBLE_INI
    assert listed(found) == [
        "worker-0 worker ubuntu@192.168.8.20:2222 192.168.8.20 10.200.0.0/24",  # its group's port
        "worker-1 worker ubuntu@192.168.8.21:2201 192.168.8.21 10.200.1.0/24",  # its own, named as of old
        "worker-2 worker deploy@192.168.8.22:2022 192.168.8.22 10.200.9.0/24!",  # its own, behind its name
        "server controller 192.168.8.10 10.0.0.10 None",
    ]
    assert (found.settings.user, found.settings.identity) == ("root", FILES / "good" / "kubernetes.ed25519")
    assert [f.sentence for f in found.findings] == [
        "hosts was recognised as Ansible inventory (INI): 3 workers and 1 controller.",
        "In no group of workers or controllers, so ignored: jumpbox.",
        "Not read: ansible_ssh_common_args.",
    ]
    assert found.others == 1


def test_ansible_yaml() -> None:
    found = good("inventory.yml")
    assert found.kind is InventoryKind.ANSIBLE_YAML
    assert listed(found) == [
        "worker-0 worker 192.168.8.20:2222 192.168.8.20 10.200.0.0/24",
        "worker-1 worker ubuntu@192.168.8.21:2222 192.168.8.21 10.200.9.0/24!",
        "server controller server.lan 192.168.8.10 None",
    ]
    assert found.settings.user == "root"
    assert found.others == 1


def test_ansible_json() -> None:
    """As `ansible-inventory --list` prints it, or a script that finds hosts; what counts and was not read is said."""
    found = good("list.json")
    assert found.kind is InventoryKind.ANSIBLE_JSON
    assert listed(found) == [
        "worker-0 worker 203.0.113.20 10.0.0.20 10.200.0.0/24",
        "worker-1 worker 192.168.8.21 10.0.0.21 10.200.1.0/24",
        "server controller server.lan:2222 None None",
    ]
    assert [n.identity for n in found.nodes] == [FILES / "good" / "keys" / "worker-0", None, None]
    assert [f.sentence for f in found.findings] == [
        "list.json was recognised as Ansible inventory (JSON): 2 workers and 1 controller.",
        "Workers are the hosts of k8s-workers, controllers are the hosts of k8s_master.",
        "The internal address of 192.168.8.21 was read from private_ip.",
        "The internal address of worker-0 was read from ip.",
        "Passwords in a file are not read: ansible_password.",
        "Not read: pod_subnet.",
    ]


def test_the_source_gives_the_nodes_and_what_there_is_to_say() -> None:
    source = InventorySource(good("machines.txt"))
    as_any: Source = source
    assert as_any.title == "inventory machines.txt"
    notes: list[Event] = []
    found = source.find(emit=notes.append, cancel=threading.Event())
    assert found.cluster.nodes == source.inventory.nodes
    assert [f.code for f in found.findings] == ["inventory-kind", "inventory-ignored"]
    assert found.others == 1
    assert [(n.step, n.text) for n in notes] == [(Phase.FIND, found.findings[0].sentence)]
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        source.find(emit=discard, cancel=stop)


@pytest.mark.parametrize(
    ("asked", "stated", "first"),
    [
        (None, "", "10.200.5.0/24"),
        (None, 'cluster_cidr = "10.201.0.0/16"\n', "10.201.5.0/24"),
        ("10.202.0.0/16", 'cluster_cidr = "10.201.0.0/16"\n', "10.202.5.0/24"),
        ("10.202.0.0/16", "", "10.202.5.0/24"),
    ],
)
def test_the_cluster_cidr_asked_for_wins_then_the_files_own(asked: str | None, stated: str, first: str) -> None:
    found = of(stated + node(name="worker-5"), cluster_cidr=IPv4Network(asked) if asked else None)
    found_cidr = asked or stated[16:29] or "10.200.0.0/16"
    assert (str(found.nodes[0].pod_cidr), str(found.cluster.cidr)) == (first, found_cidr)
    assert str(found.settings.cluster_cidr or "") == stated[16:29]


@pytest.mark.parametrize(
    ("ip", "kind"),
    [("192.168.128.9", AddressKind.PRIVATE), ("10.1.1.1", AddressKind.OTHER), ("203.0.113.9", AddressKind.PUBLIC)],
)
def test_an_addresss_kind_is_told_by_its_network(ip: str, kind: AddressKind) -> None:
    found = of(node(internal_ip=ip)).nodes[0]
    assert (found.kind_of(found.internal), len(found.addresses)) == (kind, 1)


def test_an_empty_text_states_that_an_address_is_not_known() -> None:
    unreached, unknown = of(node(ssh="", internal_ip="10.0.0.1") + node(name="worker-1", internal_ip="")).nodes
    assert (unreached.ssh, str(unreached.internal)) == (None, "10.0.0.1")
    assert (str(unknown.ssh), unknown.internal, unknown.addresses) == ("192.168.8.20", None, ())
    assert {"no-ssh-address", "no-internal-address"} == {
        f.code for f in of_cluster(of(node(ssh="") + node(name="worker-1", ssh="")).cluster)
    }


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("192.168.8.20", Endpoint("192.168.8.20")),
        ("ubuntu@10.0.0.5:2222", Endpoint("10.0.0.5", "ubuntu", 2222)),
        ("root@host", Endpoint("host", "root")),
        ("my_alias.lan:22", Endpoint("my_alias.lan", None, 22)),
        ("someone@corp.example@host", Endpoint("host", "someone@corp.example")),
        ("127.0.0.1:2222", Endpoint("127.0.0.1", None, 2222)),
    ],
)
def test_ssh_targets(text: str, endpoint: Endpoint) -> None:
    assert of(node(ssh=text, internal_ip="192.168.8.20")).nodes[0].ssh == endpoint


def test_bom_and_windows_line_ends_are_no_matter() -> None:
    for name in ("nodes.toml", "machines.txt", "hosts", "inventory.yml"):
        path = FILES / "good" / name
        changed = parse(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"), path)
        assert changed == read(path)


def test_the_home_folder_is_meant_by_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "nodes.toml").write_text('identity = "~/key"\n' + node())
    assert read(Path("~/nodes.toml")).settings.identity == tmp_path / "key"
    assert problems('identity = "~nobody-of-that-name/key"\n' + node()) == [
        '1:12: identity "~nobody-of-that-name/key" names the home folder of nobody here; '
        "expected, for example, ~/.ssh/id_ed25519"
    ]


# Which kind a file is


@pytest.mark.parametrize("suffix", ["", ".toml", ".txt", ".ini", ".yml", ".conf"])
@pytest.mark.parametrize("name", ["nodes.toml", "inline.toml", "machines.txt", "hosts", "inventory.yml", "list.json"])
def test_the_kind_is_told_by_the_content_whatever_the_suffix(name: str, suffix: str) -> None:
    data = (FILES / "good" / name).read_bytes()
    assert parse(data, Path(f"file{suffix}")).kind is good(name).kind


@pytest.mark.parametrize("suffix", ["", ".toml", ".txt", ".ini", ".yml"])
@pytest.mark.parametrize("name", BAD)
def test_the_kind_is_told_of_bad_files_too(name: str, suffix: str) -> None:
    with pytest.raises(InventoryError) as caught:
        parse((FILES / "bad" / name).read_bytes(), Path(f"file{suffix}"))
    assert str(good(name).kind) in caught.value.sentence


@pytest.mark.parametrize("text", ["hello", "<html>\n<body>\n", "#!/bin/sh\necho hello\n", "one two three\n", "\0\1\2"])
def test_what_is_no_inventory_is_told_what_is_expected(text: str) -> None:
    error = failure(text, "notes")
    assert error.sentence == "notes is not an inventory of any known kind."
    assert "machines.txt" in error.hint
    assert "Ansible" in error.hint
    assert of(error.hint[error.hint.index("[[nodes]]") :]).nodes  # the example is a right file
    assert error.problems == ()


# Wrong files


@pytest.mark.parametrize("name", BAD)
def test_every_problem_of_a_bad_file_is_told_at_once(name: str) -> None:
    with pytest.raises(InventoryError) as caught:
        read(FILES / "bad" / name)
    error = caught.value
    assert list(error.lines()) == (FILES / "bad" / f"{name}.expected").read_text().split("\n")[:-1]
    assert error.hint == "\n".join(error.lines())
    assert f"has {len(error.problems)} problems; nothing was contacted." in error.sentence
    assert isinstance(error, UsageError)
    assert error.exit_code is ExitCode.USAGE


IPV4 = "expected, for example, 192.168.8.20"
NETWORK = "is not an IPv4 network; expected, for example, 10.200.0.0/24"
NO_WORKER = "there is no worker in this file; expected at least one, as routes lead to workers"
CASES = {
    "bad address": (
        node(internal_ip="192.168.8.400"),
        [f'5:15: internal_ip "192.168.8.400" is not an IPv4 address; {IPV4}'],
    ),
    "no machine": (node(ssh="0.0.0.0"), [f'4:7: ssh "0.0.0.0" is an address that no machine has; {IPV4}']),
    "loopback": (
        node(internal_ip="127.0.0.1"),
        [f'5:15: internal_ip "127.0.0.1" is a loopback address, at which no other node reaches it; {IPV4}'],
    ),
    "multicast": (node(internal_ip="224.0.0.1"), [f'5:15: internal_ip "224.0.0.1" is a multicast address; {IPV4}']),
    "broadcast": (node(ssh="192.168.8.255"), [f'4:7: ssh "192.168.8.255" is a broadcast address; {IPV4}']),
    "everybody": (
        node(ssh="255.255.255.255"),
        [f'4:7: ssh "255.255.255.255" is a broadcast or reserved address; {IPV4}'],
    ),
    "network": (node(ssh="192.168.8.0"), [f'4:7: ssh "192.168.8.0" is a network\'s address; {IPV4}']),
    "IPv6": (
        node(ssh="[fe80::1]:22"),
        [f'4:7: ssh "[fe80::1]:22" cannot be used: "fe80::1" is an IPv6 address, which is not supported; {IPV4}'],
    ),
    "blank": (
        node(ssh="root@my host"),
        [
            '4:7: ssh "root@my host" cannot be used: "my host" is neither an IPv4 address nor a hostname; '
            'expected, for example, "192.168.8.20" or "root@worker-0:22"'
        ],
    ),
    "user": (
        node(ssh="@10.0.0.1"),
        ['4:7: ssh "@10.0.0.1" cannot be used: "" is not a user name; expected, for example, root'],
    ),
    "port": (node(ssh="10.0.0.1:"), ['4:7: ssh "10.0.0.1:" cannot be used: "" is not a port; expected 1 to 65535']),
    "only a host name": (
        node(ssh="root@pve-1"),
        [
            '4:7: "pve-1" is not an address at which other nodes reach this one; '
            "expected an internal address next to it, for example, 192.168.8.20"
        ],
    ),
    "no prefix": (node(pod_cidr="10.200.0.0"), [f'5:12: pod_cidr "10.200.0.0" {NETWORK}']),
    "long prefix": (
        node(pod_cidr="10.200.0.0/32"),
        [
            '5:12: pod_cidr "10.200.0.0/32" has a prefix length that no pod network has; '
            "expected /8 to /30, for example, 10.200.0.0/24"
        ],
    ),
    "no prefix length": (node(pod_cidr="10.200.0.0/33"), [f'5:12: pod_cidr "10.200.0.0/33" {NETWORK}']),
    "no worker": (
        node(role="controller"),
        [f"1:1: {NO_WORKER}"],
    ),
    "one SSH target in two words": (
        node() + node(name="worker-1", ssh="root@192.168.8.20:22"),
        ['8:7: SSH target "root@192.168.8.20:22" is already on line 4; expected a different one for each node'],
    ),
    "one internal address": (
        node() + node(name="worker-1", ssh="192.168.8.20:23"),
        ['8:7: internal address "192.168.8.20" is already on line 4; expected a different one for each node'],
    ),
    "two of one name": (
        node() + node(name="Worker-0", ssh="192.168.8.21"),
        ['6:8: name "Worker-0" is already on line 2; expected a different one for each node'],
    ),
    "a node's key above": (
        'ssh = "192.168.8.20"\n' + node(),
        ["1:1: ssh is above the nodes; expected below a line [[nodes]]"],
    ),
    "nodes is a number": ("nodes = 3\n", ["1:1: nodes is not a list; expected [[nodes]] before each node"]),
    "a node is a number": (
        'nodes = [\n  3,\n  { name = "worker-0", role = "worker", ssh = 22 },\n]\n',
        [
            '2:3: this is not a node; expected { name = "worker-0", role = "worker", ssh = "192.168.8.20" }',
            "3:47: ssh is not text in quotes; "
            'expected, for example, ssh = "192.168.8.20" or ssh = "root@192.168.8.20:22"',
        ],
    ),
    "multi-line strings do not confuse": (
        'user = """\\\n  [[nodes]]\n  ssh = "x" # ""\\"\n"""\n' + node(ssh="10.0.0.1:0"),
        [
            '1:8: user "[[nodes]] ssh = "x" # """" is not a user name; expected, for example, root',
            '8:7: ssh "10.0.0.1:0" cannot be used: "0" is not a port; expected 1 to 65535',
        ],
    ),
    "dotted keys": (
        'user.name = "root"\n"no\\u0064es" = []\n',
        [f"1:1: {NO_WORKER}", '1:1: user is not text in quotes; expected, for example, user = "root"'],
    ),
    "unquoted address": (
        '[[nodes]]\nname = "worker-0"\nrole = "worker"\nssh = 192.168.8.20\ninternal_ip = 5\n',
        [
            '4:14: the line continues after the value; expected quotes, for example, ssh = "192.168.8.20"',
            '5:15: internal_ip is not text in quotes; expected, for example, internal_ip = "192.168.8.20"',
        ],
    ),
    "no sign of equality": (
        '[[nodes]]\nname "worker-0"\nrole: "worker"\nssh = "192.168.8.20"\n',
        [
            '2:6: there is no "=" after the key; expected, for example, ssh = "192.168.8.20"',
            '3:5: there is no "=" after the key; expected, for example, ssh = "192.168.8.20"',
        ],
    ),
    "a key twice": (
        node() + 'ssh = "192.168.8.21"\n' + 'x = 1\n',
        [
            "5:1: this key is already in the same table; expected each key once",
            '6:1: "x" is not a key of a node; '
            "expected name, role, ssh, internal_ip, pod_cidr, region, identity or next_hop",
        ],
    ),
    "a list that does not end": (
        'nodes = [\n  { name = "worker-0", role = "worker", ssh = "192.168.8.20" },\n',
        ["1:9: what begins here does not end in this file; expected closing quotes or brackets"],
    ),
    "quotes that do not end": (
        '[[nodes]]\nname = """worker-0\nrole = "wroker"\nssh = "192.168.8.20"\n',
        [
            "2:8: what begins here does not end in this file; expected closing quotes or brackets",
            '3:8: role "wroker" is unknown; expected worker or controller; did you mean worker?',
        ],
    ),
    "a control character": (
        'user = "ro\0ot"\n' + node(ssh="10.0.0.1:0"),
        [
            "1:11: this control character is not allowed here; expected text",
            '5:7: ssh "10.0.0.1:0" cannot be used: "0" is not a port; expected 1 to 65535',
        ],
    ),
}  # fmt: skip


OWN = "expected a different one for each worker"
INSIDE = "expected a network inside it, or another cluster CIDR"
POD_CASES = {
    "machines.txt": (
        "192.168.8.20 node-0.kubernetes.local node-0 10.200.0.0/24\n"
        "192.168.8.300 node-1.kubernetes.local node-1 10.200.0.0/24\n"
        "192.168.8.22 node-2.kubernetes.local node-2 10.201.2.0/24\n",
        [
            f'2:1: IP "192.168.8.300" is not an IPv4 address; {IPV4}',
            f'2:46: SUBNET "10.200.0.0/24" overlaps 10.200.0.0/24 on line 1; {OWN}',
            f'3:45: SUBNET "10.201.2.0/24" is outside the cluster CIDR 10.200.0.0/16; {INSIDE}',
        ],
    ),
    "one within another, either way": (
        node(pod_cidr="10.200.4.0/23")
        + node(name="worker-1", ssh="192.168.8.21", pod_cidr="10.200.5.0/24")
        + node(name="worker-2", ssh="192.168.8.22", pod_cidr="10.200.0.0/20"),
        [
            f'10:12: pod_cidr "10.200.5.0/24" overlaps 10.200.4.0/23 on line 5; {OWN}',
            f'15:12: pod_cidr "10.200.0.0/20" overlaps 10.200.4.0/23 on line 5; {OWN}',
        ],
    ),
    "for all workers": (
        "[workers]\nworker-[0:1]\n[all:vars]\nansible_host=192.168.8.20\npod_cidr=10.200.0.0/24\n",
        [
            '4:14: SSH target "192.168.8.20" is already on line 4; expected a different one for each node',
            f'5:10: pod_cidr "10.200.0.0/24" is stated for several workers; {OWN}',
        ],
    ),
    "a node's address": (
        'cluster_cidr = "10.0.0.0/8"\n'
        + node(pod_cidr="10.9.0.0/16")
        + node(name="server", role="controller", ssh="192.168.8.10", internal_ip="10.9.7.1"),
        [
            '6:12: pod_cidr "10.9.0.0/16" contains the address 10.9.7.1 of the node on line 11; '
            "expected a separate network for pods"
        ],
    ),
    "beside a wrong cluster CIDR": (
        'cluster_cidr = "10.201.0.0"\n' + node(pod_cidr="10.201.0.0/24"),
        ['1:16: cluster_cidr "10.201.0.0" ' + NETWORK.replace("/24", "/16")],
    ),
}


@pytest.mark.parametrize("case", POD_CASES)
def test_pod_cidrs_that_cannot_be_are_told_with_all_the_rest(case: str) -> None:
    text, expected = POD_CASES[case]
    assert problems(text, "inventory") == expected


def test_a_pod_cidr_lies_in_the_cluster_cidr_that_was_asked_for() -> None:
    text = 'cluster_cidr = "10.200.0.0/16"\n' + node(pod_cidr="10.202.0.0/24")
    assert "is outside the cluster CIDR 10.200.0.0/16" in problems(text)[0]
    assert str(of(text, cluster_cidr=IPv4Network("10.202.0.0/16")).nodes[0].pod_cidr) == "10.202.0.0/24"


@pytest.mark.parametrize("case", CASES)
def test_problems_of_toml(case: str) -> None:
    text, expected = CASES[case]
    assert problems(text) == expected


ANSIBLE_CASES = {
    "an unknown child": (
        "[workers:children]\nrack1\nrack3 # x\n[rack1]\nworker-0 ansible_host=192.168.8.20\n",
        ["3:1: there is no group \"rack3\"; expected workers or rack1; did you mean rack1?"],
    ),
    "no group of workers": (
        "[rack1]\nworker-0 ansible_host=192.168.8.20\n[web]\n",
        [
            "1:1: no host of this file is in a group of workers; its groups are rack1, web; expected a group workers, "
            "worker_nodes, kube_node, k8s-workers, nodes or the like, or another one named with --worker-group"
        ],
    ),
    "an empty group": (
        "[all:vars]\nx=1\n\n[workers]\n",
        [f"4:1: {NO_WORKER}"],
    ),
    "too many": (
        "[workers]\nworker-[0:99999999] ansible_host=192.168.8.20\n",
        ['2:1: host "worker-[0:99999999]" stands for more than 1000 hosts'],
    ),
    "too many together": (
        "[workers]\nw-[0:99][0:99] ansible_host=192.168.8.20\n",
        ['2:1: host "w-[0:99][0:99]" stands for more than 1000 hosts'],
    ),
    "the same for all of a range": (
        "[workers]\nworker-[0:2] ansible_host=192.168.8.20\n",
        ['2:27: SSH target "192.168.8.20" is already on line 2; expected a different one for each node'],
    ),
    "an open group": (
        "[workers\nworker-0 ansible_host=192.168.8.20\n",
        ["1:1: this line does not open a group; expected, for example, [workers]"],
    ),
    "yaml: not closed": (
        "workers:\n  hosts:\n    worker-0: {ansible_host: 192.168.8.20\n",
        ["4:1: this is not YAML: expected ',' or '}', but got '<stream end>' while parsing a flow mapping"],
    ),
    "yaml: a tab": (
        "workers:\n\thosts:\n",
        [r"2:1: this is not YAML: found character '\t' that cannot start any token while scanning for the next token"],
    ),
    "yaml: two documents": (
        "workers:\n---\ncontrollers:\n",
        ["2:1: this is not YAML: but found another document expected a single document in the stream"],
    ),
    "yaml: a control character": (
        "workers:\n  hosts: \x01\n",
        ["2:10: this character is not allowed in YAML; expected text"],
    ),
    "yaml: a template": (
        "workers:\n  hosts:\n    worker-0:\n      ansible_host: '{{ ip }}'\n",
        ['4:21: ansible_host "{{ ip }}" is a template, which only Ansible can fill in; expected the value itself'],
    ),
    "yaml: a plugin": (
        "plugin: linode.cloud.instance\nregions: [us-east]\n",
        [
            "1:1: this configures a plugin that finds hosts, and lists none; expected the groups themselves, as "
            "`ansible-inventory -i FILE --list --yaml` writes them"
        ],
    ),
    "yaml: itself": (
        "workers: &a\n  children:\n    x: *a\n",
        ["1:10: this is nested too deeply; expected an inventory"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSIBLE_CASES)
def test_problems_of_ansible_inventories(case: str) -> None:
    text, expected = ANSIBLE_CASES[case]
    assert problems(text, "inventory.yml" if case.startswith("yaml") else "hosts") == expected


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("worker-[0:2]", ["worker-0", "worker-1", "worker-2"]),
        ("worker-[08:10]", ["worker-08", "worker-09", "worker-10"]),
        ("w[a:c]", ["wa", "wb", "wc"]),
        ("r[1:2]-w[0:4:2]", ["r1-w0", "r1-w2", "r1-w4", "r2-w0", "r2-w2", "r2-w4"]),
    ],
)
def test_ranges_of_hosts(pattern: str, names: list[str]) -> None:
    hosts = f"[workers]\n{pattern} internal_ip=10.0.0.1\n"
    assert [p.partition('"')[0] for p in problems(hosts, "hosts")] == [
        "2:" + str(len(pattern) + 14) + ": internal address "
    ]
    lines = "\n".join(f"{name} ansible_host=10.0.0.{n}" for n, name in enumerate(names, start=1))
    both = of(f"[workers]\n{pattern}\n{lines}\n", "hosts")
    assert sorted(n.name for n in both.nodes) == sorted(names)


def test_a_host_in_both_groups_is_a_worker() -> None:
    found = of("[kube_node]\na1 ansible_host=10.0.0.1\n[kube_control_plane]\na1\n", "hosts")
    assert [n.role for n in found.nodes] == [Role.WORKER]
    assert [f.code for f in found.findings] == ["inventory-kind", "inventory-groups", "inventory-in-both-groups"]


def test_each_host_has_its_own_key() -> None:
    """As every inventory that Vagrant writes has it."""
    key = "ansible_ssh_private_key_file"
    found = of(f"[workers]\na1 ansible_host=10.0.0.1 {key}=a\na2 ansible_host=10.0.0.2 {key}=b\n", "hosts")
    assert found.settings.identity is None
    assert [n.identity for n in found.nodes] == [Path("folder/a"), Path("folder/b")]
    assert [f.code for f in found.findings] == ["inventory-kind"]


def test_a_key_that_only_some_hosts_have_is_theirs_alone() -> None:
    found = of("[workers]\na1 ansible_host=10.0.0.1 ansible_private_key_file=/a\na2 ansible_host=10.0.0.2\n", "hosts")
    assert found.settings.identity is None
    assert [n.identity for n in found.nodes] == [Path("/a"), None]


def test_a_place_is_in_a_line_as_people_count_them() -> None:
    """YAML ends a line at U+2028 too."""
    (problem,) = failure("{{\u2028\u2028", "hosts.json").problems
    assert (problem.line, problem.column) == (1, 5)


def test_files_of_variables_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "group_vars" / "workers"
    folder.mkdir(parents=True)
    (folder / "vault.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    (folder / "list.yml").write_text("- a\n")
    (folder / "odd.yml").write_text("a: [\n")
    (folder / "values.yml").write_text(
        "ansible_port: [22]\nansible_user: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"
    )
    (folder / "pipe").symlink_to("/dev/zero")
    (tmp_path / "hosts").write_text("[workers]\nw-0 ansible_host=10.0.0.1\n../w-1 ansible_host=10.0.0.2\n")
    with pytest.raises(InventoryError):
        read(tmp_path / "hosts")
    (tmp_path / "hosts").write_text("[workers]\nw-0 ansible_host=10.0.0.1\n")
    found = read(tmp_path / "hosts")
    assert found.findings[-1].sentence == (
        "Not read: group_vars/workers/list.yml (no variables), group_vars/workers/odd.yml (not YAML), "
        "ansible_port in group_vars/workers/values.yml, ansible_user in group_vars/workers/values.yml, "
        "group_vars/workers/vault.yml (encrypted)."
    )


def test_an_error_in_a_file_of_variables_names_it(tmp_path: Path) -> None:
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / "w-0.yml").write_text("x: 1\ninternal_ip: 10.0.0.999\n")
    (tmp_path / "hosts").write_text("[workers]\nw-0 ansible_host=10.0.0.1\n")
    with pytest.raises(InventoryError) as caught:
        read(tmp_path / "hosts")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 1)
    assert problem.sentence.startswith('internal_ip (host_vars/w-0.yml, line 2) "10.0.0.999" is not an IPv4 address')


def test_no_secret_is_shown() -> None:
    error = failure("[workers]\nw0 ansible_host=10.0.0.999 ansible_password=hunter2\n", "hosts")
    assert len(error.problems) == 1
    assert "hunter2" not in str(error) + error.hint
    error = failure("[workers]\nw0 ansible_host=10.0.0.1 ansible_password= hunter2\n", "hosts")
    assert "hunter2" not in str(error) + error.hint


def test_what_is_shown_is_free_of_control_bytes() -> None:
    error = failure("[workers]\n\x1b[31mw0\x07 ansible_host=10.0.0.\u202e9\n", "ho\x1b[2Jsts")
    assert {c for c in error.hint if not c.isprintable()} == {"\n"}
    assert error.sentence.isprintable()


def test_long_lines_are_cut_around_the_place() -> None:
    error = failure(f'nodes = [{{ name = "worker-0", {" " * 300} ssh = 5, role = "worker" }}]')
    (line,) = {p.shown for p in error.problems}
    caret = error.problems[0].caret
    assert len(line) <= 100
    assert caret is not None
    assert line[caret] == "5"


# Files as a whole


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "nodes.toml is empty."),
        (b"\xef\xbb\xbf \r\n\n", "nodes.toml is empty."),
        (b'user = "r"\nab\xff', "nodes.toml is not UTF-8 text: byte 3 of line 2 is 0xff."),
        ("[[nodes]]".encode("utf-16"), "nodes.toml is UTF-16 text."),
        (b"#" * 1_000_001, "nodes.toml is larger than 1 MB, too large for an inventory."),
    ],
)
def test_files_that_are_no_text(data: bytes, sentence: str) -> None:
    assert failure(data).sentence == sentence
    assert failure(data).hint


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, sentence in (
        (tmp_path / "none.toml", f"There is no file {tmp_path}/none.toml."),
        (tmp_path, f"{tmp_path} is a folder, not an inventory file."),
        (Path("a\0b"), "ab cannot be read: embedded null byte."),
        (Path("x" * 300), f"{'x' * 300} cannot be read: File name too long."),
    ):
        with pytest.raises(InventoryError) as caught:
            read(path)
        assert caught.value.sentence == sentence
        assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "nodes.toml"
    path.write_text(node())
    path.chmod(0)
    with pytest.raises(InventoryError, match="may not be read"):
        read(path)


@pytest.mark.parametrize("odd", ODD_FILES)
def test_what_is_no_file_is_refused_at_once(odd: str, tmp_path: Path) -> None:
    with odd_file(odd, tmp_path) as path:
        with pytest.raises(InventoryError) as caught:
            read(path)
        assert str(path) in caught.value.sentence
        assert caught.value.hint
        assert ("larger than 1 MB" in caught.value.sentence) is (odd == "a huge file")


def test_a_pipe_as_standard_input_is_no_file() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "wb"), pytest.raises(InventoryError, match="a named pipe"):
        read(Path(f"/dev/fd/{reader}"))


def bomb(inner: str) -> str:
    """Twelve mappings, each with nine aliases of the one before."""
    first = "a: &a {x: 1}\n"
    names = [chr(97 + n) for n in range(13)]
    return first + "".join(
        f"{name}: &{name} {{{inner % ', '.join(f'*{before}' for _ in range(9))}}}\n"
        if "<<" in inner
        else f"{name}: &{name} {{{inner % ', '.join(f'g{m}: *{before}' for m in range(9))}}}\n"
        for before, name in pairwise(names)
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (bomb("<<: [%s]"), "aliases refer to this again and again; expected an inventory"),
        (bomb("children: {%s}"), 'the group "g8" would be part of itself; expected another one'),
        ("workers:\n  hosts: " + "[" * 100_000, "this is nested too deeply; expected an inventory"),
        ("workers:\n  hosts: {" + "a,b," * 100_000, "this is too long; expected an inventory"),
        ("a: &a\n  <<: &b\n    <<: *a\n  x: 1\n", "this is nested too deeply; expected an inventory"),
    ],
)
def test_yaml_that_grows_is_told_soon(text: str, sentence: str) -> None:
    """Without bounds it would take hours, and the test its time-out."""
    assert failure(text, "inventory.yml").problems[-1].sentence == sentence


@pytest.mark.parametrize(
    "text", ["user = " + "[" * 100_000, "x = " + "9" * 10_000, "a." * 200_000 + "b = 1", "[[nodes\n" * 20_000]
)
def test_toml_that_is_too_much_is_told_soon(text: str) -> None:
    assert failure(text).problems


def test_many_problems_are_listed_up_to_a_bound() -> None:
    error = failure("x = 1\n" + "".join(f"y{n} = 1\n" for n in range(300)))
    assert len(error.problems) == 302  # and that there is no worker
    assert error.lines()[-1] == "… and 102 more."
