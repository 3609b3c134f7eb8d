"""Where a journey takes place: a cluster as it stands before lab 11, and the tool beside it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import pytest

from kthw_routes.demo.api.account import DEMO_TOKEN, Account, LinodeFirewall, LinodeInstance
from kthw_routes.demo.api.server import LinodeApi
from kthw_routes.demo.pods import with_pods
from kthw_routes.options import Settings
from tests.journeys.running import Answer, Running
from tests.model.api import firewalled, moved
from tests.model.lab import BreakableLab
from tests.nodes.lab import NodeLab

WORKERS = ("worker-0", "worker-1", "worker-2")


class Stage(Protocol):
    """A cluster of three workers and at least controller-0."""

    name: str

    @property
    def state(self) -> Path:
        """The tool's state folder."""

    def tool(self, *arguments: str, env: Mapping[str, str] | None = None) -> Answer:
        """Run `kthw-routes` with these arguments."""

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, terminal: bool = False) -> Running:
        """Begin to run it; with a terminal, it can ask for passwords there."""

    @property
    def settings(self) -> Settings:
        """What leads the parts of the tool to this cluster, within the test's own process."""

    def run(self, node: str, command: str) -> str:
        """Run a shell command on a node as root, without the tool; its stdout."""

    def put(self, node: str, path: str, content: bytes) -> None:
        """Give a file on a node another content, in place."""

    def content(self, node: str, path: str) -> bytes:
        """A file's content on a node."""

    def internal(self, node: str) -> str:
        """The internal address of a node."""

    def add_pods(self) -> None:
        """Give every worker a pod."""

    def filter_pods(self) -> None:
        """Let the provider drop packets whose source is a pod's address."""

    def reboot(self, node: str) -> None:
        """Reboot a node in good order, and wait until it answers."""


class RealNodes:
    """Real Linux nodes, and a Linode API beside the tool."""

    name = "real nodes"

    def __init__(self, lab: NodeLab, api: LinodeApi | None) -> None:
        self.lab = lab
        self._api = api

    @property
    def state(self) -> Path:
        """The tool's state folder."""
        return self.lab.home / "state" / "kthw-routes"

    def tool(self, *arguments: str, env: Mapping[str, str] | None = None) -> Answer:
        """Run `kthw-routes` in the lab's namespace."""
        return self.start(*arguments, env=env).wait()

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, terminal: bool = False) -> Running:
        """Begin to run `kthw-routes` in the lab's namespace."""
        own = self.lab.environment(self._linode | dict(env or {}))
        identity = () if "-i" in arguments or arguments[0] == "runs" else ("-i", str(self.lab.key))
        words = (arguments[0], *identity, *arguments[1:])
        return Running(words, own, self.lab.home, terminal=terminal, namespace=self.lab.name)

    @property
    def settings(self) -> Settings:
        """What leads to the nodes; the test's own thread must be inside the lab."""
        return Settings(identity=self.lab.key, state=self.state, personal=False, environ=self._linode)

    @property
    def _linode(self) -> dict[str, str]:
        return {"LINODE_URL": self._api.url, "LINODE_TOKEN": DEMO_TOKEN} if self._api else {}

    def run(self, node: str, command: str) -> str:
        """Run a shell command on a node."""
        return self.lab.run(node, command)

    def put(self, node: str, path: str, content: bytes) -> None:
        """Give a file on a node another content, in place."""
        self.lab.node(node).path(path).write_bytes(content)

    def content(self, node: str, path: str) -> bytes:
        """A file's content on a node."""
        return self.lab.node(node).path(path).read_bytes()

    def internal(self, node: str) -> str:
        """The internal address of a node."""
        return str(self.lab.node(node).spec.private)

    def add_pods(self) -> None:
        """Give every worker a pod."""
        for worker in self.lab.workers:
            worker.add_pod()

    def filter_pods(self) -> None:
        """Let the provider drop packets whose source is a pod's address."""
        self.lab.filter_pods()

    def reboot(self, node: str) -> None:
        """Reboot a node in good order."""
        self.lab.node(node).reboot()

    def note_new_address(self, node: str, private: str) -> None:
        """Let the account give a node another internal address."""
        assert self._api is not None
        self._api.account = moved(self._api.account, node, str(self.lab.node(node).spec.public), private)

    def set_firewall(self, node: str, firewall: LinodeFirewall) -> None:
        """Let the account have a Cloud Firewall in front of a node; nothing of its packets is dropped by it."""
        assert self._api is not None
        self._api.account = firewalled(self._api.account, node, firewall)


class Model:
    """The embedded lab."""

    name = "embedded lab"

    def __init__(self, lab: BreakableLab, home: Path) -> None:
        self.lab = lab
        self._home = home

    @property
    def state(self) -> Path:
        """The tool's state folder."""
        return self.lab.folder / "state" / "kthw-routes"

    def tool(self, *arguments: str, env: Mapping[str, str] | None = None) -> Answer:
        """Run `kthw-routes` with the environment that `demo --keep` prints."""
        return self.start(*arguments, env=env).wait()

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, terminal: bool = False) -> Running:
        """Begin to run `kthw-routes` with that environment."""
        own = free_environment(self._home) | self.lab.environment | dict(env or {})
        return Running(arguments, own, self._home, terminal=terminal)

    def locally(self, command: list[str]) -> None:
        """Run a command where the person sits."""
        subprocess.run(command, env=free_environment(self._home), check=True, capture_output=True)

    @property
    def settings(self) -> Settings:
        """What leads to the lab."""
        return self.lab.settings

    def run(self, node: str, command: str) -> str:
        """Run a shell command on a node."""
        out, err = bytearray(), bytearray()
        status = self.lab.topology.hosts[node].execute(command, stdout=out.extend, stderr=err.extend)
        assert status == 0, err.decode()
        return out.decode()

    def put(self, node: str, path: str, content: bytes) -> None:
        """Give a file on a node another content, in place."""
        folder, _, name = path.rpartition("/")
        self.lab.topology.hosts[node].files.directory(folder).children[name].data = content

    def content(self, node: str, path: str) -> bytes:
        """A file's content on a node."""
        folder, _, name = path.rpartition("/")
        return self.lab.topology.hosts[node].files.directory(folder).children[name].data

    def internal(self, node: str) -> str:
        """The internal address of a node."""
        return self.lab.topology.addresses[node][1]

    def add_pods(self) -> None:
        """Give every worker a pod."""
        with_pods(self.lab.topology)

    def filter_pods(self) -> None:
        """The embedded lab filters by its region: start it in eu-west."""
        assert self.lab.region == "eu-west"

    def reboot(self, node: str) -> None:
        """Reboot a node in good order."""
        self.lab.topology.hosts[node].reboot()

    def rebuild(self, node: str) -> None:
        """Make a node anew."""
        self.lab.rebuild(node, private="192.168.160.5")

    def add(self, node: str) -> None:
        """Add a node."""
        self.lab.add(node)

    def remove(self, node: str) -> None:
        """Take a node away for good."""
        self.lab.remove(node)

    def rename(self, old: str, new: str) -> None:
        """Give a node another name."""
        self.lab.rename(old, new)


def account_of(lab: NodeLab, region: str = "ca-central") -> Account:
    """The Linode account in which the lab's nodes stand."""
    return Account(
        tuple(
            LinodeInstance(node.name, (str(node.spec.public),), (str(node.spec.private),), region)
            for node in lab.nodes.values()
        )
    )


def free_environment(home: Path) -> dict[str, str]:
    """An environment without anything of whoever runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "COVERAGE_PROCESS_START") if name in os.environ}
    xdg = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "STATE", "CACHE", "DATA")}
    return {**kept, **xdg, "HOME": str(home), "TERM": "dumb", "PYTHONPATH": os.getcwd()}


def run_tool(arguments: list[str], env: Mapping[str, str], cwd: Path) -> Answer:
    """Run `kthw-routes` in a process of its own, without a terminal."""
    return Running(arguments, env, cwd).wait()


class OwnMachines(RealNodes):
    """Real Linux nodes of any flavour, named in an inventory file; there is no API."""

    name = "own machines"

    def __init__(self, lab: NodeLab) -> None:
        super().__init__(lab, api=None)
        self.inventory = lab.home / "nodes.toml"
        self.write_inventory()

    def write_inventory(self, *without: str) -> None:
        """Name all nodes of the lab but these."""
        nodes = [node.spec for node in self.lab.nodes.values() if node.name not in without]
        self.inventory.write_text(
            "".join(
                f'[[nodes]]\nname = "{spec.name}"\nrole = "{"worker" if spec.pod_cidr else "controller"}"\n'
                f'ssh = "{spec.public}"\ninternal_ip = "{spec.private}"\n\n'
                for spec in nodes
            )
        )

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, terminal: bool = False) -> Running:
        """Begin to run `kthw-routes` with the inventory, where the command takes one."""
        own = () if arguments[0] in ("undo", "runs") else ("--inventory", str(self.inventory))
        return super().start(arguments[0], *own, *arguments[1:], env=env, terminal=terminal)


ON_MODEL: Final = pytest.mark.parametrize("stage", ["embedded lab"], indirect=True)
"""For a journey about words, names or usage, in which no kernel, sshd or network manager decides anything."""
