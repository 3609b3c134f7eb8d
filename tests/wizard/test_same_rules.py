"""What is typed and what a file states are judged alike: the same verdict, the same sentence, and Save takes it all."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from textual.app import App
from textual.widgets import Input, Static

from kthw_routes.cluster import Cluster, Endpoint, Node, PodCidrSource, Role
from kthw_routes.sources.inventory import InventoryError, parse
from kthw_routes.sources.inventory.write import to_toml
from kthw_routes.wizard.modals.node_editor import NodeEditor, OwnNodeEditor

pytestmark = pytest.mark.wizard

ADDRESSES = {
    "192.168.8.20": True,
    " 192.168.8.20 ": True,
    "10.0.0.255": True,
    "203.0.113.0": True,
    "192.168.145.255": True,  # Linode's private network is one /17
    "192.168.128.0": False,
    "192.168.255.255": False,
    "192.168.8.0": False,
    "192.168.8.255": False,
    "192.168.8.256": False,
    "192.168.8": False,
    "192.168.08.20": False,
    "192.168.8.20/24": False,
    "0.0.0.0": False,
    "0.1.2.3": False,
    "224.0.0.1": False,
    "240.0.0.1": False,
    "255.255.255.255": False,
    "１９２.168.8.20": False,
    "192.168.8.20.": False,
}
TARGETS = ADDRESSES | {
    "127.0.0.1:2222": True,
    "root@192.168.8.20": True,
    "ubuntu@worker-0.example:2222": True,
    " root@192.168.8.20:22 ": True,
    "root@node_1": True,
    "my_alias": True,
    "PVE-1": True,
    "pve-1.": True,
    "someone@corp.example@host": True,
    "host:00022": True,
    "root@": False,
    "@host": False,
    "a b@host": False,
    "root@ host": False,
    "ho st": False,
    "host:": False,
    "host:0": False,
    "host:65535": True,
    "host:65536": False,
    "host:-1": False,
    "host:２２": False,
    "host:²": False,
    "fe80::1": False,
    "[fe80::1]:22": False,
    "root@fe80::1": False,
    "[192.168.8.20]:22": True,
    "[/foo]": False,
    "-oProxyCommand=x": False,
    "host\x1b]52;c;aGk=\x07": False,
    "wörker": False,
    "h" * 253: True,
    "h" * 254: False,
}
INTERNALS = ADDRESSES | {"127.0.0.1": False, "fe80::1": False, "worker-0": False}
NETWORKS = {
    "10.200.7.0/24": True,
    " 10.200.7.0/24 ": True,
    "10.200.0.0/16": True,
    "10.200.128.0/17": True,
    "10.200.0.0/30": True,
    "10.200.0.0/31": False,
    "10.200.0.0/32": False,
    "10.200.0.0/33": False,
    "10.200.0.0": False,
    "10.200.0.0/": False,
    "10.200.0.5/24": False,
    "10.200.00.0/24": False,
    "10.200.0.0/024": False,
    "10.200.0.0 /24": False,
    "10.200.0.0/255.255.255.0": False,
    "10.200.0.0/２４": False,
    "10.201.0.0/24": False,
    "10.0.0.0/8": False,
    "0.0.0.0/0": False,
    "fe80::/64": False,
    "x\x1b]52;c;aGk=\x07/24": False,
}
NAMES = {
    "worker-7": True,
    " worker-7 ": True,
    "Worker-7": True,
    "node-7.lan": True,
    "7": True,
    "w" * 63: True,
    "w" * 64: False,
    "worker_7": False,
    "worker-7.": False,
    "-worker": False,
    "worker 7": False,
    "worker/7": False,
    "wörker": False,
    "worker-７": False,
    "192.168.8.20": False,
}
START = {"name": "worker-5", "ssh": "198.51.100.9", "internal": "172.20.9.9", "pod_cidr": "10.200.250.0/24"}
"""What the other fields hold."""
KEYS = {"name": "name", "ssh": "ssh", "internal": "internal_ip", "pod_cidr": "pod_cidr"}

Verdicts = dict[str, str | None]
"""By text; None: it is accepted."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a node, and whether each text is right in it."""

    name: str
    texts: dict[str, bool]


FIELDS = [Field("name", NAMES), Field("ssh", TARGETS), Field("internal", INTERNALS), Field("pod_cidr", NETWORKS)]
ids: Callable[[Field], str] = lambda field: field.name  # noqa: E731


def in_file(text: str, name: str, key: str) -> str | None:
    """What is said of the value of `key` in a file."""
    try:
        parse(text.encode(), Path(name))
    except InventoryError as error:
        (problem,) = error.problems
        assert problem.sentence.startswith(f"{key} ")
        return problem.sentence.removeprefix(f"{key} ")
    return None


def toml(field: str, text: str) -> str:
    """An inventory of one node."""
    pairs = {KEYS[key]: value for key, value in (START | {field: text}).items()} | {"role": "worker"}
    return "[[nodes]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in pairs.items())


async def typed(make: Callable[[], NodeEditor | OwnNodeEditor], field: Field) -> Verdicts:
    """What the form says below its field, a text at a time."""
    found: Verdicts = {}
    app: App[None] = App()
    async with app.run_test():
        editor = make()
        await app.push_screen(editor)
        for text in field.texts:
            editor.query_one(f"#{field.name}", Input).value = text
            found[text] = error = editor.error_in(field.name)
            shown = str(editor.query_one(f"#{field.name}-says", Static).visual)
            assert shown == (f"✗ {error}" if error else "✓ can be used")
    return found


def start_node() -> Node:
    """The node that the forms begin with."""
    return Node(
        START["name"],
        Role.WORKER,
        Endpoint(START["ssh"]),
        IPv4Address(START["internal"]),
        IPv4Network(START["pod_cidr"]),
        PodCidrSource.TYPED,
    )


@pytest.mark.parametrize("field", FIELDS, ids=ids)
async def test_the_wizard_and_an_inventory_say_the_same(field: Field) -> None:
    node = start_node()
    cluster = Cluster((node,))
    stated = {text: in_file(toml(field.name, text), "nodes.toml", KEYS[field.name]) for text in field.texts}
    assert {text: error is None for text, error in stated.items()} == field.texts
    assert await typed(lambda: OwnNodeEditor(node, cluster), field) == stated
    if field.name != "name":
        assert await typed(lambda: NodeEditor(node, cluster), field) == stated


@pytest.mark.parametrize("field", FIELDS, ids=ids)
async def test_what_the_wizard_accepts_is_saved_and_read_back(field: Field) -> None:
    node = start_node()
    app: App[None] = App()
    async with app.run_test():
        editor = OwnNodeEditor(node, Cluster((node,)))
        await app.push_screen(editor)
        for text in (text for text, is_right in field.texts.items() if is_right):
            editor.query_one(f"#{field.name}", Input).value = text
            result = editor.result()
            (saved,) = parse(to_toml(Cluster((result,))).encode(), Path("nodes.toml")).nodes
            assert saved == result


@pytest.mark.parametrize("field", FIELDS, ids=ids)
def test_machines_txt_says_the_same(field: Field) -> None:
    column = {"name": "HOST", "internal": "IP", "pod_cidr": "SUBNET"}.get(field.name)
    for text in (text for text in field.texts if column and not any(c.isspace() for c in text)):
        given = START | {field.name: text}
        lines = f"192.168.8.99 server.lan server\n{given['internal']} a.lan {given['name']} {given['pod_cidr']}\n"
        stated = in_file(toml(field.name, text), "nodes.toml", KEYS[field.name])
        assert in_file(lines, "machines.txt", column or "") == stated, text


@pytest.mark.parametrize("field", FIELDS, ids=ids)
def test_ansible_says_the_same(field: Field) -> None:
    for text in (text for text in field.texts if not any(c.isspace() or c in "@:[" for c in text)):
        if field.name == "name" and text == "192.168.8.20":
            continue  # it is told to name the host
        given = START | {field.name: text}
        variables = {"ansible_host": given["ssh"], "internal_ip": given["internal"], "pod_cidr": given["pod_cidr"]}
        key = {"name": "host", "ssh": "ansible_host"}.get(field.name, KEYS[field.name])
        yaml = f"workers:\n  hosts:\n    {json.dumps(given['name'])}: {json.dumps(variables)}\n"
        stated = in_file(toml(field.name, text), "nodes.toml", KEYS[field.name])
        assert in_file(yaml, "inventory.yml", key) == stated, text


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("worker-7", Field("name", {"WORKER-7": False})),
        ("198.51.100.8", Field("ssh", {"root@198.51.100.8:22": False})),
        ("10.8.8.8", Field("internal", {"10.8.8.8": False})),
    ],
)
async def test_what_another_node_has_is_refused_by_both(text: str, same: Field) -> None:
    given = {"name": "worker-8", "ssh": "198.51.100.7", "internal": "10.7.7.7"} | {same.name: text}
    other = Node(given["name"], Role.WORKER, Endpoint.parse(given["ssh"]), IPv4Address(given["internal"]))
    cluster = Cluster((start_node(), other))
    (typed_text,) = same.texts
    rule = "expected a different one for each node"
    found = await typed(lambda: OwnNodeEditor(cluster.nodes[0], cluster), same)
    assert found == {typed_text: f'"{typed_text}" is already that of {other.name}; {rule}'}
    with pytest.raises(InventoryError) as caught:
        parse((toml(same.name, text) + toml(same.name, typed_text)).encode(), Path("nodes.toml"))
    assert any(
        p.sentence.endswith(f"{json.dumps(typed_text)} is already on line {line}; {rule}")
        for p in caught.value.problems
        for line in (2, 3, 4)
    )
