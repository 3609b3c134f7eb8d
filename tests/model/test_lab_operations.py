"""What an operator does to the embedded lab's cluster while it runs, as the tool sees it: by SSH and by the API."""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from kthw_routes.cluster import Endpoint
from kthw_routes.demo.pods import with_pods
from kthw_routes.ssh.access import Access
from kthw_routes.ssh.command import Command
from kthw_routes.ssh.config import SshConfig
from kthw_routes.ssh.errors import ConnectionLost, HostError, HostKeyChanged
from kthw_routes.ssh.fabric_session import SshSession
from kthw_routes.ssh.keys import Keys
from kthw_routes.ssh.known_hosts import HostKeyMode, KnownHosts
from tests.model.clock import FastClock
from tests.model.hosts import run
from tests.model.lab import BreakableLab


class Person:
    """Somebody with the lab's key and a file of known hosts, who connects anew each time."""

    def __init__(self, lab: BreakableLab) -> None:
        self.lab = lab
        self.sessions: list[SshSession] = []

    def connect(self, name: str, *, patience: float = 10.0) -> SshSession:
        """An open session with a node, by its name."""
        access = Access(
            KnownHosts(self.lab.folder / "known_hosts"),
            keys=Keys(self.lab.identity, home=self.lab.folder),
            ssh_config=SshConfig(self.lab.ssh_config),
            host_keys=HostKeyMode.ACCEPT_NEW,
            connect_timeout=patience,
        )
        session = SshSession(name, Endpoint(name), access)
        self.sessions.append(session)
        session.open()
        return session

    def run(self, name: str, *argv: str) -> str:
        """What a program prints on a node."""
        return self.connect(name).run(Command(argv)).stdout.decode()

    def instances(self) -> dict[str, tuple[int, list[str]]]:
        """Each instance of the account: its id and its addresses."""
        request = urllib.request.Request(  # noqa: S310 - the lab's own address
            f"{self.lab.api.url}/linode/instances", headers={"Authorization": f"Bearer {self.lab.api.account.token}"}
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - see above
            return {row["label"]: (row["id"], row["ipv4"]) for row in json.load(answer)["data"]}


@pytest.fixture
def lab() -> Iterator[BreakableLab]:
    """The lab on a clock that does not wait."""
    with BreakableLab("ca-central", clock=FastClock()) as lab:
        yield lab


@pytest.fixture
def person(lab: BreakableLab) -> Iterator[Person]:
    """See Person."""
    person = Person(lab)
    yield person
    for session in person.sessions:
        session.close()


def test_a_reboot_breaks_connections_and_the_node_answers_again(lab: BreakableLab, person: Person) -> None:
    """With the same host key, and without its routes."""
    session = person.connect("worker-0")
    added = session.run(Command(("ip", "route", "add", "10.200.1.0/24", "via", "192.168.145.107")))
    assert added.status == 0
    lab.topology.hosts["worker-0"].reboot()
    with pytest.raises(ConnectionLost):
        session.run(Command(("true",)))
    assert "10.200.1.0" not in person.run("worker-0", "ip", "route")


def test_a_node_without_its_network_cannot_be_reached(lab: BreakableLab, person: Person) -> None:
    """As after a boot with a file that networkd cannot read; nothing answers then."""
    host = lab.topology.hosts["worker-0"]
    host.files.put("/etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf", "[Route]\n", mode=0o600)
    host.reboot()
    with pytest.raises(HostError):
        person.connect("worker-0", patience=0.3)
    run(
        host, "chmod 644 /etc/systemd/network/05-eth0.network.d/90-kthw-routes.conf; systemctl restart systemd-networkd"
    )
    assert person.run("worker-0", "hostname") == "worker-0\n"


def test_who_types_reboot_is_cut_off(person: Person) -> None:
    """No status comes back."""
    with pytest.raises(HostError):
        person.connect("worker-1").run(Command(("reboot",)))
    assert person.run("worker-1", "hostname") == "worker-1\n"


def test_a_rebuilt_worker(lab: BreakableLab, person: Person) -> None:
    """Another private address, which the API tells; another host key; everything as it was before lab 11."""
    before = person.instances()
    session = person.connect("worker-1")
    session.run(Command(("ip", "route", "add", "10.200.0.0/24", "via", "192.168.138.48")))
    old = session.host_key.fingerprint
    lab.rebuild("worker-1", private="192.168.160.5")
    with pytest.raises(ConnectionLost):
        session.run(Command(("true",)))
    with pytest.raises(HostKeyChanged):
        person.connect("worker-1")
    (lab.folder / "known_hosts").unlink()
    fresh = person.connect("worker-1")
    assert fresh.host_key.fingerprint != old
    text = fresh.run(Command(("ip", "route"))).stdout.decode()
    assert "src 192.168.160.5" in text
    assert "10.200.0.0" not in text
    assert b'"10.200.1.0/24"' in fresh.run(Command(("cat", "/etc/cni/net.d/10-bridge.conf"))).stdout
    after = person.instances()
    assert list(after) == list(before)
    assert after.pop("worker-1") == (before.pop("worker-1")[0], ["203.0.113.21", "192.168.160.5"])
    assert after == before
    assert person.run("worker-0", "ping", "-c", "1", "-W", "1", "192.168.145.107").count(" 0 received") == 1
    assert person.run("worker-0", "ping", "-c", "1", "192.168.160.5").count(" 1 received") == 1
    lab.topology.hosts["worker-1"].reboot()
    with pytest.raises(ConnectionLost):
        fresh.run(Command(("true",)))
    assert "src 192.168.160.5" in person.run("worker-1", "ip", "route")


def test_an_added_worker(lab: BreakableLab, person: Person) -> None:
    """It has a pod network of its own, a server, and a place in the account."""
    before = person.instances()
    lab.add("worker-3")
    after = person.instances()
    assert list(after) == [*before, "worker-3"]
    assert after["worker-3"] == (max(number for number, _ in before.values()) + 1, ["203.0.113.23", "192.168.159.225"])
    assert '"10.200.3.0/24"' in person.run("worker-3", "cat", "/etc/cni/net.d/10-bridge.conf")
    assert person.run("worker-0", "ping", "-c", "1", "192.168.159.225").count(" 1 received") == 1
    assert lab.node_names[-1] == "worker-3"
    with_pods(lab.topology)
    assert "10.200.3.0/24 dev cnio0" in person.run("worker-3", "ip", "route")


def test_a_removed_worker(lab: BreakableLab, person: Person) -> None:
    """Gone from the account, the network and the configuration; the others keep their ids."""
    before = person.instances()
    session = person.connect("worker-2")
    lab.remove("worker-2")
    with pytest.raises(ConnectionLost):
        session.run(Command(("true",)))
    with pytest.raises(HostError):
        person.connect("worker-2")
    del before["worker-2"]
    assert person.instances() == before
    assert "worker-2" not in lab.ssh_config.read_text()
    assert person.run("worker-0", "ping", "-c", "1", "-W", "1", "192.168.152.166").count(" 0 received") == 1


def test_a_renamed_worker(lab: BreakableLab, person: Person) -> None:
    """The same machine: same id, addresses, host key, routes and pod network; and so after a reboot."""
    before = person.instances()
    session = person.connect("worker-2")
    session.run(Command(("ip", "route", "add", "10.200.0.0/24", "via", "192.168.138.48")))
    lab.rename("worker-2", "worker-7")
    assert session.run(Command(("hostname",))).stdout == b"worker-7\n"
    renamed = person.connect("worker-7")
    assert renamed.host_key.fingerprint == session.host_key.fingerprint
    assert b"10.200.0.0/24" in renamed.run(Command(("ip", "route"))).stdout
    after = person.instances()
    assert [name.replace("-7", "-2") for name in after] == list(before)
    assert after["worker-7"] == before["worker-2"]
    with_pods(lab.topology)
    assert b"10.200.2.0/24 dev cnio0" in renamed.run(Command(("ip", "route"))).stdout
    lab.topology.hosts["worker-7"].reboot()
    assert person.run("worker-7", "hostname") == "worker-7\n"


def test_one_after_the_other(lab: BreakableLab, person: Person) -> None:
    """Ids stay with their instances; a name that was free again can be used again."""
    lab.remove("worker-1")
    lab.add("worker-1", private="192.168.170.9")
    lab.rename("worker-1", "worker-5")
    lab.rebuild("worker-5", public="203.0.113.77")
    instances = person.instances()
    assert instances["worker-5"][1] == ["203.0.113.77", "192.168.170.9"]
    assert len({number for number, _ in instances.values()}) == len(instances)
    (lab.folder / "known_hosts").unlink(missing_ok=True)
    assert person.run("worker-5", "hostname") == "worker-5\n"
    assert "Host worker-5 203.0.113.77\n" in lab.ssh_config.read_text()
