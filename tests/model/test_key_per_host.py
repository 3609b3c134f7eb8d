"""A private key for each host, as the inventory names it: from the file to the login, and from the record again."""

import base64
import subprocess
import threading
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from shutil import which

import pytest

from kthw_routes.options import Settings, SshOptions
from kthw_routes.record.json_plan import node_json
from kthw_routes.record.json_values import Value
from kthw_routes.record.past_run import _node
from kthw_routes.sources.inventory import read
from kthw_routes.ssh.connections import SshChoices, SshConnections
from kthw_routes.ssh.errors import KeyRejected
from kthw_routes.workflow.connect import inventory_source
from tests.model.ssh_hosts import Answers, LocalShell
from tests.model.ssh_server import FaultyServer

pytestmark = pytest.mark.skipif(which("ssh-keygen") is None, reason="there is no ssh-keygen to make keys with")


def make_key(file: Path) -> bytes:
    """Make a private key; return its public half as a server knows it."""
    file.parent.mkdir(exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return base64.b64decode(Path(f"{file}.pub").read_text().split()[1])


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[Path]:
    """Two workers on this machine, each of which lets in its own key only, listed as Vagrant lists them."""
    servers = [FaultyServer(LocalShell(), [make_key(tmp_path / "keys" / f"worker-{n}")]) for n in range(2)]
    lines = [
        f"worker-{n} ansible_host=127.0.0.1 ansible_port={server.port} ip=192.168.56.2{n}"
        f" ansible_ssh_private_key_file=keys/worker-{n}\n"
        for n, server in enumerate(servers)
    ]
    file = tmp_path / "inventory.ini"
    file.write_text("[workers]\n" + "".join(lines))
    yield file
    for server in servers:
        server.close()


def connections(folder: Path, identity: Path | None = None) -> SshConnections:
    ssh = SshOptions(identity=identity, ssh_config=Path("/dev/null"), folder=folder)
    return SshConnections(SshChoices(ssh, personal=False), folder / "state", Answers())


def test_each_host_is_offered_its_own_key(inventory: Path) -> None:
    opened = connections(inventory.parent)
    for node in read(inventory).nodes:
        session = opened.session(node)
        session.open()
        session.close()


def test_the_key_that_the_person_names_is_for_all(inventory: Path) -> None:
    key = inventory.parent / "keys" / "worker-0"
    source, settings = inventory_source(Settings(inventory=inventory, identity=key), inventory)
    nodes = source.find(emit=lambda _: None, cancel=threading.Event()).cluster.nodes
    assert [n.identity for n in nodes] == [None, None]
    opened = connections(inventory.parent, settings.identity)
    opened.session(nodes[0]).open()
    with pytest.raises(KeyRejected, match="rejected all offered keys: worker-0"):
        opened.session(nodes[1]).open()


def test_the_record_of_a_run_holds_the_keys_of_its_hosts(
    inventory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a run is undone from wherever; records of before have none."""
    monkeypatch.chdir(inventory.parent)
    node = read(Path("inventory.ini")).nodes[1]
    document = dict(node_json(node))
    monkeypatch.chdir("/")
    again = _node(Value(document, "plan.json"))
    assert again.identity == inventory.parent / "keys" / "worker-1"
    assert again.pod_cidr == IPv4Network("10.200.1.0/24")
    del document["identity"], document["next_hop"]
    assert _node(Value(document, "plan.json")).identity is None
