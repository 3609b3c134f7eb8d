"""Our reading of Ansible inventories, held against `ansible-inventory --list`: the same, or else the reason is stated.

What Ansible prints is read a second time by us, as JSON: an inventory of that form gives the same nodes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from kthw_routes.sources.inventory import GroupChoice, Inventory, InventoryError, InventoryKind, read

pytestmark = [
    pytest.mark.skipif(find_spec("ansible") is None, reason="there is no ansible-core to compare with"),
    pytest.mark.xdist_group("ansible"),  # it is asked once for all of them
]

ASK = """
import os, sys
from ansible.cli.inventory import InventoryCLI
for number, file in enumerate(sys.argv[1:]):
    if number >= 2:
        assert os.wait()[1] == 0
    if not os.fork():
        with open(f"{file}.listed", "w") as sys.stdout, open(f"{file}.errors", "w") as sys.stderr:
            InventoryCLI(["ansible-inventory", "-i", file, "--list"]).run()
            sys.stdout.flush()
        os._exit(0)
while True:
    try:
        assert os.wait()[1] == 0
    except ChildProcessError:
        break
"""
"""Runs `ansible-inventory` once for each file, two at a time; it is imported once."""

Node = tuple[str, str, str, int | None, str | None, str | None, str | None, str | None]
"""Name, role, SSH host, port, user, internal address, pod CIDR, private key."""

PRIVATE = ("internal_ip", "private_ip", "ip", "access_ip")

KTHW = """\
[controllers]
controller-[0:2]
[workers]
worker-[0:2]
"""
ADDRESSES = "".join(
    f"{role}-{n} ansible_host=192.168.8.{base + n}\n"
    for role, base in (("controller", 10), ("worker", 20))
    for n in range(3)
)
KUBESPRAY = """\
all:
  hosts:
    node1: {ansible_host: 203.0.113.11, ip: 10.3.0.1, access_ip: 10.3.0.1, etcd_member_name: etcd1}
    node2: {ansible_host: 203.0.113.12, ip: 10.3.0.2, access_ip: 10.3.0.2}
    node3: {ansible_host: 203.0.113.13, ip: 10.3.0.3, access_ip: 203.0.113.13}
  children:
    kube_control_plane:
      hosts: {node1: }
    kube_node:
      hosts: {node2: , node3: }
    etcd:
      hosts: {node1: }
    k8s_cluster:
      children: {kube_control_plane: , kube_node: }
    calico_rr:
      hosts: {}
"""
CASES: dict[str, str] = {
    "ini: KTHW": f"{ADDRESSES}{KTHW}",
    "ini: one key and user for all": f"{ADDRESSES}{KTHW}[all:vars]\nansible_user=root\n"
    "ansible_ssh_private_key_file=/home/me/kubernetes.ed25519\n",
    "ini: a user for a group": f"{ADDRESSES}{KTHW}[workers:vars]\nansible_user=ubuntu\nansible_port=2222\n",
    "ini: Vagrant": (
        "[workers]\n"
        "worker-0 ansible_host=127.0.0.1 ansible_port=2200 ansible_user='vagrant' ip=192.168.56.20"
        " ansible_ssh_private_key_file='/v/.vagrant/machines/worker-0/virtualbox/private_key'\n"
        "worker-1 ansible_host=127.0.0.1 ansible_port=2201 ansible_user='vagrant' ip=192.168.56.21"
        " ansible_ssh_private_key_file='/v/.vagrant/machines/worker-1/virtualbox/private_key'\n"
    ),
    "ini: names of old": "[workers]\nw-0 ansible_ssh_host=10.0.0.1 ansible_ssh_port=23 ansible_ssh_user=me\n",
    "ini: names of old win, wherever they are": (
        "[workers]\nw-0 ansible_host=10.0.0.1 ansible_port=22\n"
        "[workers:vars]\nansible_ssh_host=10.0.0.9\nansible_ssh_port=23\n"
    ),
    "ini: a port behind the name": "[workers]\nw-0:2022 ansible_host=10.0.0.1\nw-[1:2]:2023 pod_cidr=10.200.9.0/24\n"
    "[workers:vars]\nx=1\n[w]\nw-1 ansible_host=10.0.0.2\nw-2 ansible_host=10.0.0.3 pod_cidr=10.200.8.0/24\n",
    "ini: ranges": "[workers]\nw-[1:3]\nx[a:b]\nr[1:2]-n[01:03:2]\n[all:vars]\nz=1\n[addresses]\n"
    + "".join(
        f"{name} ansible_host=10.0.1.{n}\n"
        for n, name in enumerate(("w-1", "w-2", "w-3", "xa", "xb", "r1-n01", "r1-n03", "r2-n01", "r2-n03"), start=1)
    ),
    "ini: children of children": (
        "[rack1]\nw-0 ansible_host=10.0.0.1\n[rack2]\nw-1 ansible_host=10.0.0.2\n[row:children]\nrack1\nrack2\n"
        "[workers:children]\nrow\n[rack2:vars]\nansible_user=deep\n[workers:vars]\nansible_user=shallow\n"
        "[row:vars]\nansible_user=middle\n"
    ),
    "ini: two groups equally deep, by name": (
        "[workers]\nw-0 ansible_host=10.0.0.1\n[b]\nw-0\n[a]\nw-0\n[a:vars]\nansible_port=1\n[b:vars]\nansible_port=2\n"
    ),
    "ini: two groups equally deep, by priority": (
        "[workers]\nw-0 ansible_host=10.0.0.1\n[b]\nw-0\n[a]\nw-0\n"
        "[a:vars]\nansible_port=1\nansible_group_priority=10\n[b:vars]\nansible_port=2\n"
    ),
    "ini: a host in two sections": "[workers]\nw-0 ansible_host=10.0.0.1\n[workers]\nw-0 ansible_user=me\n",
    "ini: quotes": "[workers]\nw-0 ansible_host='10.0.0.1' ansible_user=\"me\" internal_ip=10.0.0.\"2\" # c\n",
    "ini: comments": "# a\n; b\n[workers] # c\nw-0 ansible_host=10.0.0.1 # d\n\n   # e\n[workers:vars] # f\nx=1\n",
    "ini: blanks": "  [workers]\n\tw-0\tansible_host=10.0.0.1\n\n[workers:vars]\n  ansible_port =  2222 \n",
    "ini: Windows": "[workers]\r\nw-0 ansible_host=10.0.0.1\r\n[workers:vars]\r\nansible_port=2222\r\n",
    "ini: hosts before any group": "w-0 ansible_host=10.0.0.1\njump ansible_host=10.0.0.9\n[workers]\nw-0\n",
    "ini: private addresses": (
        "[workers]\nw-0 ansible_host=203.0.113.1 private_ip=10.0.0.1\n"
        "w-1 ansible_host=203.0.113.2 private_ip=10.0.0.2 ip=10.9.0.2\n"
        "w-2 ansible_host=203.0.113.3 private_ip=10.0.0.3 internal_ip=10.8.0.3\n"
    ),
    "ini: Kubespray of old": (
        "[all]\nnode1 ansible_host=203.0.113.1 ip=10.0.0.1\nnode2 ansible_host=203.0.113.2 ip=10.0.0.2\n"
        "[kube-master]\nnode1\n[etcd]\nnode1\n[kube-node]\nnode2\n[k8s-cluster:children]\nkube-master\nkube-node\n"
    ),
    "ini: bare addresses with a hostname": (
        "[masters]\n192.168.8.10 hostname=controller-0\n[nodes]\n192.168.8.2[0:1]\n[all:vars]\nx=1\n[names]\n"
        "192.168.8.20 hostname=worker-0\n192.168.8.21 hostname=worker-1\n"
    ),
    "ini: bare addresses": "[workers]\n192.168.8.2[0:1]\n",
    "ini: all below all": "[all:children]\nworkers\nmasters\n[workers]\nw-0 ansible_host=10.0.0.1\n[masters]\n"
    "m ansible_host=10.0.0.2\n[all:vars]\nansible_user=me\n",
    "ini: an empty group of workers and nodes": "[workers]\n[nodes]\nn-0 ansible_host=10.0.0.1\n",
    "ini: nodes are all machines": (
        "[masters]\nm ansible_host=10.0.0.1\n[workers]\nw-0 ansible_host=10.0.0.2\n[nodes:children]\nmasters\nworkers\n"
    ),
    "ini: k3s": "[server]\ns-0 ansible_host=10.0.0.1\n[agent]\na-0 ansible_host=10.0.0.2\n[k3s_cluster:children]\n"
    "server\nagent\n",
    "ini: a key per host, one without": (
        "[workers]\nw-0 ansible_host=10.0.0.1 ansible_private_key_file=/k/0\nw-1 ansible_host=10.0.0.2\n"
        "w-2 ansible_host=10.0.0.3 ansible_private_key_file=/no ansible_ssh_private_key_file=/k/2\n"
    ),
    "yaml: Kubespray": KUBESPRAY,
    "yaml: groups at the top": (
        "workers:\n  hosts:\n    w-0: {ansible_host: 10.0.0.1}\n    w-[1:2]:\n  vars: {ansible_user: me}\n"
        "x:\n  hosts:\n    w-1: {ansible_host: 10.0.0.2}\n    w-2: {ansible_host: 10.0.0.3, ansible_port: 2222}\n"
    ),
    "yaml: anchors and merges": (
        "all:\n  vars: &v {ansible_user: me, ansible_port: 23}\n  children:\n    workers:\n      hosts:\n"
        "        w-0: {<<: *v, ansible_host: 10.0.0.1, ansible_port: 24}\n        w-1: &w {ansible_host: 10.0.0.2}\n"
    ),
    "yaml: a host as text": "workers:\n  hosts: w-0\n  vars:\n    ansible_host: 10.0.0.1\n",
    "yaml: empty entries": (
        "workers:\n  hosts:\n    w-0:\n      ansible_host: 10.0.0.1\n  vars:\n  children:\nmasters:\n"
    ),
    "yaml: nested": (
        "all:\n  children:\n    cluster:\n      children:\n        masters:\n          hosts:\n"
        "            m: {ansible_host: 10.0.0.1}\n        workers:\n          children:\n            rack1:\n"
        "              hosts: {w-0: {ansible_host: 10.0.0.2}}\n              vars: {ansible_user: rack}\n"
        "          vars: {ansible_user: workers, ansible_port: 2222}\n"
    ),
    "yaml: quoted": "\"workers\":\n  'hosts':\n    \"w-0\": {'ansible_host': '10.0.0.1', \"ansible_port\": \"2222\"}\n",
    "json: groups": json.dumps(
        {"all": {"children": {"workers": {"hosts": {"w-0": {"ansible_host": "10.0.0.1", "ansible_port": 2222}}}}}}
    ),
    "json: groups, indented": json.dumps(
        {"workers": {"hosts": {"w-0": {"ansible_host": "10.0.0.1"}}, "vars": {"ansible_user": "me"}}}, indent=2
    ),
    "json: controllers without an inner address": json.dumps(
        {"masters": {"hosts": {"m": {"ansible_host": "cp.example.net"}}}, "nodes": {"hosts": {"10.0.0.1": None}}}
    ),
}  # fmt: skip
"""Read the same by both."""

FOLDERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "ini: folders of variables": (
        "[controllers]\nc-0\n[workers]\nw-0\nw-1 ansible_port=1\n[rack]\nw-1\n"
        "[all:vars]\nansible_user=file\n[workers:vars]\nansible_user=workers\nansible_port=7\n",
        {
            "group_vars/all.yml": "---\nansible_user: everywhere\npod_cidr:\n",
            "group_vars/workers": "ansible_port: 2222\n",
            "group_vars/rack/a.yml": "ansible_user: a\nprivate_ip: 10.9.0.1\n",
            "group_vars/rack/b.json": '{"ansible_user": "b"}',
            "group_vars/rack/deeper/c": "private_ip: 10.9.0.2\n",
            "group_vars/rack/d.txt": "ansible_user: nobody\n",
            "group_vars/rack/e.yml~": "ansible_user: nobody\n",
            "group_vars/rack/.f.yml": "ansible_user: nobody\n",
            "group_vars/nowhere.yml": "ansible_user: nobody\n",
            "host_vars/c-0.yaml": "ansible_host: 10.0.0.1\n",
            "host_vars/w-0.yml": "ansible_host: 10.0.0.2\npod_cidr: 10.200.7.0/24\n",
            "host_vars/w-1.yml": "ansible_host: 10.0.0.3\nansible_port: 2\n",
            "host_vars/w-1.json": '{"ansible_host": "10.0.0.99"}',
        },
    ),
    "yaml: folders of variables": (
        "workers:\n  hosts:\n    w-0: {ansible_host: 10.0.0.1}\n  vars: {ansible_user: file}\n",
        {"group_vars/workers.yml": "ansible_user: folder\n", "host_vars/w-0": "ansible_port: 22\n"},
    ),
    "ini: a key for all in a folder": (
        "[workers]\nw-[0:1]\n[a]\nw-0 ansible_host=10.0.0.1\nw-1 ansible_host=10.0.0.2\n",
        {
            "group_vars/all/key.yml": "ansible_ssh_private_key_file: /k\n",
            "group_vars/all/user.yml": "ansible_user: me\n",
        },
    ),
}
"""Read the same by both, with the files next to them."""
CASES.update({case: text for case, (text, _) in FOLDERS.items()})

WORKERS = ("workers", "kube_node", "kube-node")
ROLES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ini: bare addresses with a hostname": (("nodes",), ("masters",)),
    "ini: an empty group of workers and nodes": (("nodes",), ()),
    "ini: k3s": (("agent",), ("server",)),
    "json: controllers without an inner address": (("nodes",), ("masters",)),
}
"""The groups of workers and of controllers, where they are not those of `WORKERS` and `controllers` or `masters`."""


@pytest.fixture(scope="module")
def listings(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Path, Path]]:
    """Case -> the file, and what Ansible lists of it."""
    folder = tmp_path_factory.mktemp("inventories")
    files: dict[str, Path] = {}
    for number, (case, text) in enumerate(CASES.items()):
        suffix = {"ini": "ini", "yaml": "yml", "json": "json"}[case.partition(":")[0]]
        files[case] = folder / str(number) / f"inventory.{suffix}"
        for name, content in {files[case].name: text, **FOLDERS.get(case, ("", {}))[1]}.items():
            path = files[case].parent / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())
    environment = {**os.environ, "HOME": str(folder), "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"), "LC_ALL": "C.UTF-8"}
    subprocess.run([sys.executable, "-c", ASK, *files.values()], check=True, env=environment, cwd=folder)
    return {case: (file, Path(f"{file}.listed")) for case, file in files.items()}


def by_ansible(listed: Path, case: str) -> list[Node]:
    document = json.loads(listed.read_text())
    usual = (WORKERS, ("controllers", "masters", "kube_control_plane", "kube-master"))
    workers, controllers = ROLES.get(case, usual)
    variables = document["_meta"]["hostvars"]

    def members(group: str) -> set[str]:
        found = document.get(group, {})
        return set(found.get("hosts", ())).union(*map(members, found.get("children", ())))

    def all_of(groups: tuple[str, ...]) -> set[str]:
        return set().union(*map(members, groups))

    def node(host: str, role: str) -> Node:
        has = variables.get(host, {})
        address = has.get("ansible_ssh_host", has.get("ansible_host", host))
        port = has.get("ansible_ssh_port", has.get("ansible_port"))
        inner = next((str(has[name]) for name in PRIVATE if name in has), address)
        return (
            has.get("hostname", host),
            role,
            address,
            None if port is None else int(port),
            has.get("ansible_ssh_user", has.get("ansible_user")),
            None if inner.endswith(".net") else inner,
            has.get("pod_cidr"),
            has.get("ansible_ssh_private_key_file", has.get("ansible_private_key_file")),
        )

    found = dict.fromkeys(all_of(controllers), "controller") | dict.fromkeys(all_of(workers), "worker")
    return sorted(node(host, role) for host, role in found.items())


def by_us(found: Inventory) -> list[Node]:
    user, key = found.settings.user, found.settings.identity
    return sorted(
        (
            n.name,
            str(n.role),
            n.ssh.host,
            n.ssh.port,
            n.ssh.user or user,
            str(n.internal) if n.internal else None,
            str(n.pod_cidr) if n.pod_cidr_source == "typed" else None,
            str(n.identity or key) if n.identity or key else None,
        )
        for n in found.nodes
        if n.ssh is not None
    )


@pytest.mark.parametrize("case", CASES)
def test_both_read_the_same(listings: Mapping[str, tuple[Path, Path]], case: str) -> None:
    file, listed = listings[case]
    expected = by_ansible(listed, case)
    assert expected
    found = read(file)
    assert by_us(found) == expected
    again = read(listed)
    assert again.kind is InventoryKind.ANSIBLE_JSON
    assert by_us(again) == expected


@pytest.mark.parametrize(
    ("name", "text", "reason", "expected"),
    [
        (
            "hosts.ini",
            "[workers]\nw-0 ansible_host=10.0.0.1\n[workers:vars]\nansible_user=me # a comment\n",
            "the comment is no part of a name; Ansible would log in as `me # a comment`",
            ("w-0", "worker", "10.0.0.1", None, "me", "10.0.0.1", None, None),
        ),
        (
            "hosts.ini",
            "[workers]\nw-0 ansible_host=10.0.0.1 ansible_ssh_private_key_file=keys/w-0\n",
            "a relative path counts from the file, wherever one is",
            ("w-0", "worker", "10.0.0.1", None, None, "10.0.0.1", None, "{}/keys/w-0"),
        ),
        (
            "hosts.ini",
            "[workers]\nw-0 ansible_host=10.0.0.1 ip='{{ wg_ip }}'\n",
            "a template cannot be filled in here; it is named as not read",
            ("w-0", "worker", "10.0.0.1", None, None, "10.0.0.1", None, None),
        ),
        (
            "hosts.ini",
            "[workers]\nw-0 ansible_host=10.0.0.1\n[kube_node]\nw-1 ansible_host=10.0.0.2\n[masters]\nw-0\n",
            "Ansible has no roles: who is in both kinds of group runs pods",
            ("w-0", "worker", "10.0.0.1", None, None, "10.0.0.1", None, None),
        ),
    ],
)
def test_where_we_differ_there_is_a_reason(tmp_path: Path, name: str, text: str, reason: str, expected: Node) -> None:
    (tmp_path / name).write_text(text)
    key = expected[-1]
    wanted = (*expected[:-1], key.format(tmp_path) if key else None)
    assert by_us(read(tmp_path / name))[0] == wanted, reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("workers:\n  hosts: [w-0, w-1]\n", "Ansible refuses a list in YAML as well"),
        ("workers:\n  host:\n    w-0:\n", "a misspelled key: Ansible warns and goes on without these hosts"),
        ("[workers]\nw-0 ansible_host=10.0.0.1\n[worker:children]\nrack9\n", "Ansible refuses a group that is missing"),
        ("plugin: linode.cloud.instance\n", "no plugin is run"),
    ],
)
def test_what_we_refuse(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "inventory"
    file.write_text(text)
    with pytest.raises(InventoryError) as caught:
        read(file)
    assert caught.value.problems, reason


def test_groups_that_an_option_names(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("[metal-1]\na ansible_host=10.0.0.1\n[brains]\nb ansible_host=10.0.0.2\n[workers]\nc\n")
    found = read(file, groups=GroupChoice("Metal_1", "brains"))
    assert [(n.name, str(n.role)) for n in found.nodes] == [("a", "worker"), ("b", "controller")]
    assert "In no group of workers or controllers, so ignored: c." in {f.sentence for f in found.findings}
    with pytest.raises(InventoryError, match="1 problem") as caught:
        read(file, groups=GroupChoice("metal"))
    assert caught.value.problems[0].sentence == (
        "--worker-group: there is no group metal; expected metal-1, brains or workers; did you mean metal-1?"
    )
